package host

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// signer makes signatures, and files with its public key.
type signer struct{ key *rsa.PrivateKey }

func newSigner(t *testing.T) signer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func (s signer) sign(text string) string {
	sum := sha256.Sum256([]byte(text))
	signature, _ := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(signature)
}

func (s signer) public(t *testing.T, file string) {
	der, err := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	if err == nil {
		err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignaturesOfFilesAndManifest(t *testing.T) {
	s, other := newSigner(t), newSigner(t)
	files := []entry{{name: "middleware.py", content: "code"}}
	plain := manifest(files, map[string]any{"signature": s.sign("code")}).content
	sealed := func(outer, inner, signature string) string {
		field, _ := json.Marshal(SignedManifest{Manifest: inner, Signature: signature})
		return strings.TrimSuffix(outer, "}") + `,"tyk_cffi_signed":` + string(field) + "}"
	}
	changed := strings.Replace(plain, `"driver"`, `"pre":[],"driver"`, 1)
	for what, c := range map[string]struct {
		text    string
		require bool
		want    string
	}{
		"unsigned files":           {manifest(files, nil).content, false, "not verify with public_key_path"},
		"another's signature":      {manifest(files, map[string]any{"signature": other.sign("code")}).content, false, "not verify with public_key_path"},
		"files":                    {plain, false, ""},
		"files only":               {plain, true, "require_signed_manifest"},
		"both":                     {sealed(plain, plain, s.sign(plain)), true, ""},
		"another's manifest":       {sealed(plain, plain, other.sign(plain)), false, "not verify with public_key_path"},
		"changed after signing":    {sealed(changed, plain, s.sign(plain)), false, "differs from the signed one"},
		"signed text changed":      {sealed(plain, changed, s.sign(plain)), false, "not verify with public_key_path"},
		"a manifest with less":     {sealed(plain, "{}", s.sign("{}")), false, "differs from the signed one"},
		"signature of other texts": {sealed(plain, "code", s.sign("code")), false, "differs from the signed one"},
	} {
		server := newBundleServer(t)
		server.publicKey = &s.key.PublicKey
		server.settings.PublicKeyPath = "set"
		server.settings.Coprocess.RequireSignedManifest = c.require
		server.content = archive(t, append(files, entry{name: "manifest.json", content: c.text})...)
		switch err := server.fetch().err; {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAPublicKeyThatBecameUnreadableLeavesTheOneBefore(t *testing.T) {
	f := newFiles(t)
	file := filepath.Join(t.TempDir(), "key.pem")
	f.settings.PublicKeyPath = file
	f.expect(t, "absent", map[string]bool{"key.pem": false}, nil)
	first := newSigner(t)
	first.public(t, file)
	f.expect(t, "sound", nil, nil)
	for _, content := range []string{"", "-----BEGIN PUBLIC KEY-----\n", "nothing"} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		f.expect(t, content, map[string]bool{"key.pem": true}, nil)
		if !first.key.PublicKey.Equal(f.publicKey) {
			t.Errorf("%q: the key was dropped", content)
		}
	}
	if len(f.health.list()) != 1 {
		t.Error(f.health.list())
	}
}

func TestAKeyOfTheWrongKindIsNamed(t *testing.T) {
	for _, kind := range []string{"CERTIFICATE", "RSA PRIVATE KEY", "PRIVATE KEY", "RSA PUBLIC KEY"} {
		file := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("x")}), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPublicKey(file); err == nil || !strings.Contains(err.Error(), "begins with a "+kind+"; it must be a PUBLIC KEY") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}
