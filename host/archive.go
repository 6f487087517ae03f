package host

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// unpack unpacks a zip into folder, and nowhere else, and returns the names of its files.
// Only regular files and folders are accepted. The limit applies to the bytes written,
// not to the sizes that the archive declares.
func unpack(archive, folder string) (names []string, err error) {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return nil, fmt.Errorf("not a readable zip: %w", err)
	}
	defer r.Close()
	if len(r.File) > maxBundleFiles {
		return nil, fmt.Errorf("it contains %d files; the limit is %d", len(r.File), maxBundleFiles)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	left, spellings := int64(maxBundleBytes), spellings{}
	for _, entry := range r.File {
		name := strings.TrimSuffix(entry.Name, "/")
		err := checkName(name)
		if err == nil {
			err = spellings.add(name)
		}
		switch mode := entry.Mode(); {
		case err != nil:
		case entry.Flags&1 != 0:
			err = fmt.Errorf("%q is encrypted", entry.Name)
		case mode.IsDir():
			err = makeFolders(root, name)
		case mode.IsRegular() && name == entry.Name:
			names = append(names, name)
			left, err = unpackFile(root, entry, left)
		default:
			err = fmt.Errorf("%q is %s; a bundle may contain only files and folders", entry.Name, mode.Type())
		}
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

func unpackFile(root *os.Root, entry *zip.File, left int64) (int64, error) {
	if err := makeFolders(root, path.Dir(entry.Name)); err != nil {
		return 0, err
	}
	in, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := root.OpenFile(entry.Name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if n > left {
		err = errors.Join(err, fmt.Errorf("it unpacks to more than %d bytes", maxBundleBytes))
	}
	return left - n, errors.Join(err, out.Chmod(0o644), out.Close())
}

// makeFolders creates a folder and its parents with mode 0755, regardless of the umask.
func makeFolders(root *os.Root, folder string) error {
	if folder == "." {
		return nil
	}
	if status, err := root.Stat(folder); err == nil && status.IsDir() {
		return nil
	}
	if err := makeFolders(root, path.Dir(folder)); err != nil {
		return err
	}
	if err := root.Mkdir(folder, 0o700); err != nil {
		return err
	}
	return root.Chmod(folder, 0o755)
}

// checkName returns an error if name is not valid for a file in a bundle.
func checkName(name string) error {
	if name == "" || strings.HasPrefix(name, "/") || strings.Contains(name, "\\") ||
		strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }) || len(name) > 1 && name[1] == ':' {
		return fmt.Errorf("%q is not a valid file name for a bundle", name)
	}
	for segment := range strings.SplitSeq(name, "/") {
		switch segment {
		case "..":
			return fmt.Errorf("%q points outside of the bundle", name)
		case "", ".":
			return fmt.Errorf("%q is not a valid file name for a bundle", name)
		}
	}
	return nil
}

// spellings maps the lower-case names of a bundle's files and folders to their names: two
// that differ only in case are the same file on some systems.
type spellings map[string]string

func (s spellings) add(name string) error {
	for ; name != "."; name = path.Dir(name) {
		folded := strings.ToLower(name)
		if before, found := s[folded]; found && before != name {
			return fmt.Errorf("%q and %q differ only in case", before, name)
		}
		s[folded] = name
	}
	return nil
}
