package host

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Limits of a bundle.
const (
	maxBundleBytes   = 512 << 20 // unpacked
	maxBundleFiles   = 20000
	maxDownloadBytes = 128 << 20
)

// How long a load waits for the bundle server, for all bundles together. The first load
// waits only briefly: bundles on disk serve meanwhile.
const (
	bundleTimeout      = 30 * time.Second
	firstBundleTimeout = 3 * time.Second
	downloadsAtOnce    = 8
)

// bundle is a bundle on disk, with the result of fetching a new version.
type bundle struct {
	name, key, folder string
	manifest          *Manifest // of the version on disk; nil if that is missing or invalid
	fresh             *unpacked // a valid new version, not in place yet
	err               error     // why the new version was refused
}

func bundleKey(name string) string {
	sum := md5.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (g *Gateway) bundlesFolder() string { return filepath.Join(g.settings.MiddlewarePath, "bundles") }

// fetchBundles fetches new versions of bundles, several at once, within limit.
func (g *Gateway) fetchBundles(names []string, limit time.Duration) map[string]*bundle {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var noFolder error
	if len(names) > 0 && g.settings.EnableBundleDownloader {
		noFolder = makeFolder(g.bundlesFolder()) // once, before the goroutines start
	}
	var running sync.WaitGroup
	slots := make(chan struct{}, downloadsAtOnce)
	list := make([]*bundle, len(names))
	for i, name := range names {
		running.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			list[i] = g.fetchBundle(ctx, name)
			list[i].err = errors.Join(noFolder, list[i].err)
		})
	}
	running.Wait()
	bundles := map[string]*bundle{}
	for _, b := range list {
		bundles[b.name] = b
	}
	return bundles
}

// fetchBundle checks the version on disk and fetches a new one: it downloads, unpacks and
// checks it in a temporary folder, from which place moves it. If the new version is
// invalid, the old one stays, and err says why.
func (g *Gateway) fetchBundle(ctx context.Context, name string) (b *bundle) {
	b = &bundle{name: name, key: bundleKey(name)}
	b.folder = filepath.Join(g.bundlesFolder(), b.key)
	defer caught(g.log, "the download of a bundle", &b.err) // it runs on its own goroutine
	manifest, err := g.checkBundle(b.folder)
	if err == nil {
		b.manifest = manifest
	}
	if g.settings.EnableBundleDownloader {
		fresh, err := g.unpackFresh(ctx, b)
		if b.fresh = fresh; err != nil {
			b.err = fmt.Errorf("bundle %q: %w", name, err)
		}
	}
	switch {
	case b.manifest != nil || b.fresh != nil || b.err != nil:
	case errors.Is(err, fs.ErrNotExist):
		b.err = fmt.Errorf("bundle %q is not in %s, and enable_bundle_downloader is off", name, b.folder)
	default:
		b.err = fmt.Errorf("bundle %q: %w", name, err)
	}
	return b
}

// checkBundle reads and verifies the manifest of an unpacked bundle. It is called for
// bundles on disk too: files and settings may have changed since they were unpacked.
func (g *Gateway) checkBundle(folder string) (*Manifest, error) {
	manifest, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	if err := manifest.verify(folder); err != nil {
		return nil, err
	}
	if g.settings.PublicKeyPath == "" {
		return manifest, nil
	}
	return manifest, manifest.verifySignatures(folder, g.publicKey, g.settings.Coprocess.RequireSignedManifest)
}

// unpacked is a new version of a bundle in a temporary folder: "zip" is the download,
// "fresh" its contents, "old" the previous version while the new one is tried.
type unpacked struct {
	temporary, folder string
	sum               string
	manifest          *Manifest
}

// unpackFresh downloads and unpacks a bundle. It returns nil if the version on disk is
// the same.
func (g *Gateway) unpackFresh(ctx context.Context, b *bundle) (_ *unpacked, err error) {
	u := &unpacked{folder: b.folder}
	if u.temporary, err = os.MkdirTemp(g.bundlesFolder(), b.key+".new-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(u.temporary)
		}
	}()
	if err := os.Chmod(u.temporary, 0o755); err != nil { // regardless of the umask
		return nil, err
	}
	archive := filepath.Join(u.temporary, "zip")
	f, err := os.Create(archive)
	if err != nil {
		return nil, err
	}
	u.sum, err = download(ctx, g.settings.BundleBaseURL, b.name, f)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return nil, err
	}
	if before, err := os.ReadFile(u.stamp()); err == nil && string(before) == u.sum && b.manifest != nil {
		return nil, os.RemoveAll(u.temporary)
	}
	fresh := filepath.Join(u.temporary, "fresh")
	if err := makeFolder(fresh); err != nil {
		return nil, err
	}
	names, err := unpack(archive, fresh)
	if err != nil {
		return nil, err
	}
	if u.manifest, err = g.checkBundle(fresh); err != nil {
		return nil, err
	}
	if err := errors.Join(u.manifest.lists(names), os.Remove(archive)); err != nil {
		return nil, err
	}
	return u, nil
}

// stamp returns the file that holds the checksum of the unpacked archive.
func (u *unpacked) stamp() string { return u.folder + ".sha256" }

// place moves the new version to the place of the old one.
func (u *unpacked) place() error {
	old := filepath.Join(u.temporary, "old")
	if err := os.Remove(u.stamp()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(u.temporary))
	}
	if err := os.Rename(u.folder, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(u.temporary))
	}
	if err := os.Rename(filepath.Join(u.temporary, "fresh"), u.folder); err != nil {
		if back := os.Rename(old, u.folder); !errors.Is(back, fs.ErrNotExist) {
			err = errors.Join(err, back)
		}
		return errors.Join(err, os.RemoveAll(u.temporary))
	}
	return nil
}

// commit removes the old version.
func (u *unpacked) commit() error {
	return errors.Join(writeStamp(u.stamp(), u.sum), os.RemoveAll(u.temporary))
}

func writeStamp(file, sum string) error {
	err := os.WriteFile(file, []byte(sum), 0o600)
	return errors.Join(err, os.Chmod(file, 0o644))
}

// rollback restores the old version.
func (u *unpacked) rollback() error {
	err := os.RemoveAll(u.folder)
	if back := os.Rename(filepath.Join(u.temporary, "old"), u.folder); !errors.Is(back, fs.ErrNotExist) {
		err = errors.Join(err, back)
	}
	return errors.Join(err, os.RemoveAll(u.temporary))
}

// cleanBundles removes temporary folders left by a crash, and restores versions that had
// been moved there.
func (g *Gateway) cleanBundles() {
	leftovers, err := os.ReadDir(g.bundlesFolder())
	if err != nil {
		return
	}
	for _, entry := range leftovers {
		key, _, found := strings.Cut(entry.Name(), ".new-")
		if !found {
			continue
		}
		temporary, folder := filepath.Join(g.bundlesFolder(), entry.Name()), filepath.Join(g.bundlesFolder(), key)
		if _, err := os.Lstat(folder); errors.Is(err, fs.ErrNotExist) {
			_ = os.Rename(filepath.Join(temporary, "old"), folder)
		}
		if err := os.RemoveAll(temporary); err != nil {
			g.log.Warn("temporary folder not removed", "folder", temporary, "error", err)
		}
	}
}

// makeFolder creates a folder and its parents with mode 0755, regardless of the umask.
func makeFolder(folder string) error {
	if status, err := os.Stat(folder); err == nil && status.IsDir() {
		return nil
	}
	if err := makeFolder(filepath.Dir(folder)); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	return os.Chmod(folder, 0o755)
}
