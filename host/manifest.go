package host

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Manifest is a bundle's manifest.json.
type Manifest struct {
	FileList         []string         `json:"file_list"`
	CustomMiddleware CustomMiddleware `json:"custom_middleware"`
	Checksum         string           `json:"checksum"`
	Signature        string           `json:"signature"`
}

func readManifest(folder string) (*Manifest, error) {
	file := filepath.Join(folder, "manifest.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	return m, decodeFile(file, data, m)
}

// verify checks the listed files against the checksum and, where a public key
// is set, the signature.
func (m *Manifest) verify(folder, publicKey string) error {
	root, err := os.OpenRoot(folder) // names that lead out of it do not open
	if err != nil {
		return err
	}
	defer root.Close()
	sum, digest := md5.New(), sha256.New()
	for _, name := range m.FileList {
		f, err := root.Open(name)
		if err != nil {
			return fmt.Errorf("file_list: %w", err)
		}
		_, err = io.Copy(io.MultiWriter(sum, digest), f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	want := []byte(hex.EncodeToString(sum.Sum(nil)))
	if subtle.ConstantTimeCompare(want, []byte(m.Checksum)) != 1 {
		return errors.New("the checksum does not match its files")
	}
	if publicKey == "" {
		return nil
	}
	return m.verifySignature(digest.Sum(nil), publicKey)
}

func (m *Manifest) verifySignature(digest []byte, publicKey string) error {
	data, err := os.ReadFile(publicKey)
	if err != nil {
		return fmt.Errorf("public_key_path: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return fmt.Errorf("public_key_path: %s holds no PEM", publicKey)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("public_key_path: %s: %w", publicKey, err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("public_key_path: %s is no RSA key", publicKey)
	}
	signature, err := base64.StdEncoding.DecodeString(m.Signature)
	if err != nil || rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) != nil {
		return errors.New("the signature is not that of public_key_path")
	}
	return nil
}

// unpack writes the files of a zip into folder and nowhere else. Only regular
// files and folders are taken; sizes are counted as they are written, whatever
// the archive says of them.
func unpack(archive []byte, folder string) error {
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return fmt.Errorf("it is no zip: %w", err)
	}
	if len(r.File) > maxBundleFiles {
		return fmt.Errorf("it holds %d files, more than %d", len(r.File), maxBundleFiles)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxBundleBytes)
	for _, entry := range r.File {
		if !filepath.IsLocal(entry.Name) {
			return fmt.Errorf("%q would leave the bundle's folder", entry.Name)
		}
		switch mode := entry.Mode(); {
		case mode.IsDir():
			err = root.MkdirAll(filepath.Clean(entry.Name), 0o755)
		case mode.IsRegular():
			left, err = unpackFile(root, entry, left)
		default:
			err = fmt.Errorf("%q is %s; a bundle holds files and folders only", entry.Name, mode.Type())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func unpackFile(root *os.Root, entry *zip.File, left int64) (int64, error) {
	if err := root.MkdirAll(filepath.Dir(entry.Name), 0o755); err != nil {
		return 0, err
	}
	in, err := entry.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := root.OpenFile(entry.Name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, fs.FileMode(0o644))
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, left+1))
	if n > left {
		err = errors.Join(err, fmt.Errorf("it unpacks to more than %d bytes", maxBundleBytes))
	}
	return left - n, errors.Join(err, out.Close())
}
