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

// Bounds on what a bundle may be.
const (
	maxBundleBytes   = 512 << 20 // unpacked
	maxBundleFiles   = 20000
	maxDownloadBytes = 128 << 20
)

// How long a load waits for the bundle server, for all bundles together. The first
// load waits for a moment only: what is on disk serves meanwhile.
const (
	bundleTimeout      = 30 * time.Second
	firstBundleTimeout = 3 * time.Second
	downloadsAtOnce    = 8
)

// bundle is a bundle on disk, as good as it could be made.
type bundle struct {
	name, key, folder string
	manifest          *Manifest // of what is on disk; nil when that is not sound
	fresh             *unpacked // a sound new version, beside folder
	err               error     // what was wrong with the newest
}

func bundleKey(name string) string {
	sum := md5.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (g *Gateway) bundlesFolder() string { return filepath.Join(g.settings.MiddlewarePath, "bundles") }

// fetchBundles brings bundles up to date, several at once, and all within the limit.
func (g *Gateway) fetchBundles(names []string, limit time.Duration) map[string]*bundle {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var noFolder error
	if len(names) > 0 && g.settings.EnableBundleDownloader {
		noFolder = makeFolder(g.bundlesFolder()) // once, before they run side by side
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

// fetchBundle checks what is on disk, and fetches a new version: it is downloaded,
// unpacked beside the old one and checked; place puts it there. When anything is wrong
// with it the old one stays, and err says why.
func (g *Gateway) fetchBundle(ctx context.Context, name string) *bundle {
	b := &bundle{name: name, key: bundleKey(name)}
	b.folder = filepath.Join(g.bundlesFolder(), b.key)
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

// checkBundle reads the manifest of an unpacked bundle and checks all that it says:
// the files may have been changed, and the settings too, since they were unpacked.
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
// "fresh" what was in it, "old" the version before while the new one is tried.
type unpacked struct {
	temporary, folder string
	sum               string
	manifest          *Manifest
}

// unpackFresh downloads and unpacks a bundle; nil when it is what is on disk already.
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
	if err := os.Chmod(u.temporary, 0o755); err != nil { // whatever the umask is
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
	return u, errors.Join(u.manifest.lists(names), os.Remove(archive))
}

// stamp is the file that says which archive was unpacked.
func (u *unpacked) stamp() string { return u.folder + ".sha256" }

// place puts the new version where the old one was.
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

// commit drops the old version.
func (u *unpacked) commit() error {
	return errors.Join(writeStamp(u.stamp(), u.sum), os.RemoveAll(u.temporary))
}

func writeStamp(file, sum string) error {
	err := os.WriteFile(file, []byte(sum), 0o600)
	return errors.Join(err, os.Chmod(file, 0o644))
}

// rollback puts the old version back.
func (u *unpacked) rollback() error {
	err := os.RemoveAll(u.folder)
	if back := os.Rename(filepath.Join(u.temporary, "old"), u.folder); !errors.Is(back, fs.ErrNotExist) {
		err = errors.Join(err, back)
	}
	return errors.Join(err, os.RemoveAll(u.temporary))
}

// cleanBundles removes what a crash left half done, and puts back the version that it
// had moved away.
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

// makeFolder makes a folder and those above it, whatever the umask is.
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
