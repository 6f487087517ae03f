package host

import (
	"bytes"
	"crypto"
	"crypto/md5"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// manifestName is the file that describes a bundle.
const manifestName = "manifest.json"

// Manifest is a bundle's manifest.json.
type Manifest struct {
	FileList         []string          `json:"file_list"`
	CustomMiddleware *CustomMiddleware `json:"custom_middleware"`
	Checksum         string            `json:"checksum"`
	Signature        string            `json:"signature"`
	// Signed is an extension: the text of the manifest without this field, and a
	// signature over it. Other gateways ignore it. Signature covers only the listed files.
	Signed *SignedManifest `json:"tyk_cffi_signed"`

	text []byte
}

// SignedManifest is the text of a manifest with its signature.
type SignedManifest struct {
	Manifest  string `json:"manifest"`
	Signature string `json:"signature"`
}

// readManifest reads and checks the manifest of an unpacked bundle.
func readManifest(folder string) (*Manifest, error) {
	file := filepath.Join(folder, manifestName)
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	m := &Manifest{text: data}
	if err := decodeFile(file, data, m); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	switch {
	case m.CustomMiddleware == nil:
		return fmt.Errorf("%s has no custom_middleware section", manifestName)
	case m.CustomMiddleware.Driver != "python":
		return fmt.Errorf("%s: custom_middleware.driver %q: this gateway supports only \"python\"", manifestName, m.CustomMiddleware.Driver)
	case len(m.FileList) == 0:
		return errors.New("file_list is empty")
	}
	seen, all := spellings{}, map[string]bool{}
	for _, name := range m.FileList {
		err := checkName(name)
		switch {
		case err != nil:
		case all[name]:
			err = fmt.Errorf("%q appears twice", name)
		case strings.EqualFold(name, manifestName):
			err = fmt.Errorf("%q cannot be in its own file_list", name)
		default:
			err = seen.add(name)
		}
		if err != nil {
			return fmt.Errorf("file_list: %w", err)
		}
		all[name] = true
	}
	if registry.Entry(m.FileList) == registry.EntryFile && !all[registry.EntryFile] {
		return fmt.Errorf("file_list has no %s, the module that is imported", registry.EntryFile)
	}
	return nil
}

// lists returns an error if any of an archive's files is neither listed nor the manifest.
func (m *Manifest) lists(names []string) error {
	unlisted := slices.DeleteFunc(names, func(name string) bool {
		return name == manifestName || slices.Contains(m.FileList, name)
	})
	if len(unlisted) > 0 {
		return fmt.Errorf("not in file_list, so not verified: %s", strings.Join(unlisted, ", "))
	}
	return nil
}

// importable lists the extensions of files that Python can import.
var importable = []string{".py", ".pyc", ".so", ".pyd", ".pth", ".zip", ".egg"}

// verify checks the listed files against the checksum, and that the folder contains no
// other importable file. Data and __pycache__, which plugins and Python may write there,
// are ignored.
func (m *Manifest) verify(folder string) error {
	sum := md5.New()
	if err := m.content(folder, sum); err != nil {
		return err
	}
	want := []byte(hex.EncodeToString(sum.Sum(nil)))
	if subtle.ConstantTimeCompare(want, []byte(m.Checksum)) != 1 {
		return errors.New("the checksum does not match the files")
	}
	listed := map[string]bool{}
	for _, name := range m.FileList {
		listed[name] = true
	}
	return filepath.WalkDir(folder, func(file string, entry fs.DirEntry, err error) error {
		name, relative := filepath.Rel(folder, file)
		if err = errors.Join(err, relative); err != nil {
			return err
		}
		switch name = filepath.ToSlash(name); {
		case entry.IsDir() && entry.Name() == "__pycache__":
			return filepath.SkipDir
		case entry.IsDir() || listed[name]:
			return nil
		case slices.Contains(importable, strings.ToLower(path.Ext(name))) || entry.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("not in file_list, so not verified: %s", name)
		}
		return nil
	})
}

// content writes the listed files, in order, to compute checksum and signature.
func (m *Manifest) content(folder string, out io.Writer) error {
	root, err := os.OpenRoot(folder) // does not open names that point outside
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range m.FileList {
		if err := contentOf(root, name, out); err != nil {
			return fmt.Errorf("file_list: %w", err)
		}
	}
	return nil
}

func contentOf(root *os.Root, name string, out io.Writer) error {
	if status, err := root.Lstat(name); err != nil || !status.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%s is not a regular file", name))
	}
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return errors.Join(err, f.Close())
}

// verifySignatures verifies the signature of the files, and that of the manifest if there
// is one or one is required.
func (m *Manifest) verifySignatures(folder string, key *rsa.PublicKey, require bool) error {
	if key == nil {
		return errors.New("no bundle can be verified: the key of public_key_path could not be read")
	}
	digest := sha256.New()
	if err := m.content(folder, digest); err != nil {
		return err
	}
	if !signedBy(key, digest.Sum(nil), m.Signature) {
		return errors.New("the signature does not verify with public_key_path")
	}
	if m.Signed == nil {
		if require {
			return errors.New("the manifest is not signed, but coprocess_options.require_signed_manifest is on")
		}
		return nil
	}
	sum := sha256.Sum256([]byte(m.Signed.Manifest))
	if !signedBy(key, sum[:], m.Signed.Signature) {
		return errors.New("the signature of the manifest does not verify with public_key_path")
	}
	return m.matchesSigned()
}

func signedBy(key *rsa.PublicKey, digest []byte, signature string) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, raw) == nil
}

// matchesSigned returns an error if the manifest differs from its signed text.
func (m *Manifest) matchesSigned() error {
	read := func(text []byte) (fields map[string]any, err error) {
		if _, err := decodeJSON(text, &fields); err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		clear(fields)
		return fields, decoder.Decode(&fields)
	}
	outer, err1 := read(m.text)
	inner, err2 := read([]byte(m.Signed.Manifest))
	maps.DeleteFunc(outer, func(key string, _ any) bool { return key == "tyk_cffi_signed" })
	if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(outer, inner) {
		return errors.Join(err, errors.New("the manifest differs from the signed one"))
	}
	return nil
}

// readPublicKey reads an RSA public key in PEM format.
func readPublicKey(file string) (*rsa.PublicKey, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("public_key_path: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("public_key_path: %s is not a PEM file", file)
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("public_key_path: %s begins with a %s; it must be a PUBLIC KEY, as \"openssl rsa -in key.pem -pubout\" writes it", file, block.Type)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public_key_path: %s: %w", file, err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("public_key_path: %s is not an RSA key", file)
	}
	return key, nil
}
