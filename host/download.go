package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// bundleClient downloads bundles. It does not request compression, which gains nothing
// for a zip and would need a second limit.
var bundleClient = &http.Client{
	Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DisableCompression: true, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, MaxResponseHeaderBytes: 1 << 20,
		IdleConnTimeout: time.Minute,
	},
	CheckRedirect: func(next *http.Request, before []*http.Request) error {
		switch first := before[0].URL; {
		case len(before) >= 10:
			return errors.New("the bundle server redirects too often")
		case next.URL.Scheme != "http" && next.URL.Scheme != "https",
			first.Scheme == "https" && next.URL.Scheme != "https":
			return fmt.Errorf("the bundle server redirects to %s, which is not followed", next.URL.Scheme)
		}
		return nil
	},
}

// download writes a bundle from bundle_base_url (http, https or file) to out, and
// returns the SHA-256 of its bytes.
func download(ctx context.Context, base, name string, out io.Writer) (sum string, err error) {
	address, err := bundleURL(base, name)
	if err != nil {
		return "", err
	}
	var in io.ReadCloser
	switch address.Scheme {
	case "file":
		in, err = openRegular(address.Path)
	case "http", "https":
		in, err = getBundle(ctx, address)
	default:
		err = fmt.Errorf("bundle_base_url %q: it must be http, https or file", showURL(base))
	}
	if err != nil {
		return "", err
	}
	defer in.Close()
	digest := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, digest), io.LimitReader(in, maxDownloadBytes+1))
	switch {
	case err != nil:
		return "", errors.New(errorText(err))
	case n > maxDownloadBytes:
		return "", fmt.Errorf("it is larger than %d bytes", maxDownloadBytes)
	}
	return hex.EncodeToString(digest.Sum(nil)), nil
}

// bundleURL returns the URL of a bundle, below bundle_base_url.
func bundleURL(base, name string) (*url.URL, error) {
	for segment := range strings.FieldsFuncSeq(name, func(c rune) bool { return c == '/' || c == '\\' }) {
		if segment == ".." {
			return nil, errors.New("the name points outside of bundle_base_url")
		}
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("bundle_base_url: %s", urlFault(err))
	}
	if u.Scheme == "" {
		return nil, fmt.Errorf("bundle_base_url %q is not a URL", showURL(base))
	}
	// The name is a name, not a part of a URL: %2e%2e is no way out either.
	segments := strings.Split(name, "/")
	for i := range segments {
		segments[i] = url.PathEscape(segments[i])
	}
	return u.JoinPath(segments...), nil
}

func getBundle(ctx context.Context, address *url.URL) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, errors.New(errorText(err))
	}
	response, err := bundleClient.Do(request)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("%s did not respond in time: %w", showURL(address.String()), context.DeadlineExceeded)
		}
		return nil, errors.New(errorText(err))
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s responded %s", showURL(address.String()), response.Status)
	}
	return response.Body, nil
}

// openRegular opens a regular file or a link to one. Others, such as pipes, may block.
func openRegular(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	status, err := f.Stat()
	if err == nil && !status.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", file)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
