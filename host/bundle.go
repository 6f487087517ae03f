package host

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Bounds on what a bundle may be.
const (
	maxBundleBytes   = 512 << 20 // unpacked
	maxBundleFiles   = 20000
	maxDownloadBytes = 128 << 20
	bundleTimeout    = 30 * time.Second
)

// bundle is a bundle on disk, as good as it could be made.
type bundle struct {
	name, key, folder string
	manifest          *Manifest // nil when there is no sound version
	err               error     // what was wrong with the newest
}

func bundleKey(name string) string {
	sum := md5.Sum([]byte(name))
	return hex.EncodeToString(sum[:])
}

// entry is the module that is imported: middleware, or the only listed file.
func (b *bundle) entry() string {
	if list := b.manifest.FileList; len(list) == 1 && filepath.Ext(list[0]) == ".py" {
		return list[0][:len(list[0])-len(".py")]
	}
	return "middleware"
}

// fetchBundle brings a bundle up to date: it is downloaded, verified, unpacked
// beside the old version and put in its place. When anything is wrong with the
// new one the old one stays, and err says why.
func (g *Gateway) fetchBundle(name string) *bundle {
	b := &bundle{name: name, key: bundleKey(name)}
	b.folder = filepath.Join(g.settings.MiddlewarePath, "bundles", b.key)
	if g.settings.EnableBundleDownloader {
		if err := g.updateBundle(b); err != nil {
			b.err = fmt.Errorf("bundle %q: %w", name, err)
		}
	}
	manifest, err := readManifest(b.folder)
	switch {
	case err == nil:
		b.manifest = manifest
	case b.err == nil && !g.settings.EnableBundleDownloader:
		b.err = fmt.Errorf("bundle %q is not in %s, and enable_bundle_downloader is off", name, b.folder)
	case b.err == nil:
		b.err = fmt.Errorf("bundle %q: %w", name, err)
	}
	return b
}

func (g *Gateway) updateBundle(b *bundle) error {
	archive, err := download(g.settings.BundleBaseURL, b.name)
	if err != nil {
		return err
	}
	stamp := filepath.Join(b.folder, ".md5")
	sum := md5.Sum(archive)
	current := hex.EncodeToString(sum[:])
	if before, err := os.ReadFile(stamp); err == nil && string(before) == current {
		return nil // the same as before: what is unpacked stays as it is
	}
	if err := os.MkdirAll(filepath.Dir(b.folder), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(b.folder), b.key+".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := unpack(archive, fresh); err != nil {
		return err
	}
	manifest, err := readManifest(fresh)
	if err != nil {
		return err
	}
	if err := manifest.verify(fresh, g.settings.PublicKeyPath); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(fresh, ".md5"), []byte(current), 0o644); err != nil {
		return err
	}
	return replace(fresh, b.folder)
}

// replace puts a folder in another's place.
func replace(fresh, folder string) error {
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	old := fresh + ".old"
	if err := os.Rename(folder, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, folder); err != nil {
		return errors.Join(err, os.Rename(old, folder))
	}
	return os.RemoveAll(old)
}

// download gets a bundle from bundle_base_url: http, https or file.
func download(base, name string) ([]byte, error) {
	address, err := url.JoinPath(base, name)
	if err != nil || base == "" {
		return nil, fmt.Errorf("bundle_base_url %q is not a URL", showURL(base))
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("bundle_base_url: %s", urlFault(err))
	}
	switch u.Scheme {
	case "file":
		return readBounded(func() (io.ReadCloser, error) { return os.Open(u.Path) })
	case "http", "https":
		ctx, cancel := context.WithTimeout(context.Background(), bundleTimeout)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		return readBounded(func() (io.ReadCloser, error) {
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return nil, errors.New(errorText(err))
			}
			if response.StatusCode != http.StatusOK {
				_ = response.Body.Close()
				return nil, fmt.Errorf("%s answers %s", showURL(address), response.Status)
			}
			return response.Body, nil
		})
	}
	return nil, fmt.Errorf("bundle_base_url %q: it must be http, https or file", showURL(base))
}

func readBounded(open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var data bytes.Buffer
	if n, err := io.Copy(&data, io.LimitReader(r, maxDownloadBytes+1)); err != nil || n > maxDownloadBytes {
		return nil, errors.Join(err, boundError(n))
	}
	return data.Bytes(), nil
}

func boundError(n int64) error {
	if n > maxDownloadBytes {
		return fmt.Errorf("it is larger than %d bytes", maxDownloadBytes)
	}
	return nil
}
