package host

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
)

// secret is what no record may hold.
const secret = "Sesam0effne"

func redacted(r *redactor, log func(*slog.Logger)) string {
	var out bytes.Buffer
	log(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: r.attr})))
	return out.String()
}

func TestNoRecordHoldsWhatLooksLikeASecret(t *testing.T) {
	_, unsound := url.Parse(strings.Replace("http://u:S/@host/", "S", secret, 1))
	for _, text := range []string{
		"http://user:" + secret + "@host/path",
		"http://" + secret + "@host",
		"redis://:" + secret + "@host:6379/0",
		`Get "https://u:` + secret + `@host/b.zip": dial tcp: refused`,
		"http://u:p@" + secret + "@host/",
		"/path?token=" + secret,
		"/path?" + secret,
		"http://host?a=1&token=" + secret,
		"no slash?token=" + secret,
		"https://host/cb#access_token=" + secret,
		"/tyk/keys/" + secret,
		"GET /tyk//keys//" + secret + " HTTP/1.1",
		"Authorization: Bearer " + secret,
		"authorization=" + secret,
		"x-tyk-authorization: " + secret,
		`{"Authorization": "Basic ` + secret + `"}`,
		`{'Authorization': '` + secret + `'}`,
		"map[Authorization:[" + secret + "]]",
		"Proxy-Authorization: " + secret,
	} {
		out := redacted(&redactor{}, func(log *slog.Logger) {
			log.Error(text)
			log.Error("a", "error", errors.New(text), "text", text, "list", []string{text})
			log.Error("wrapped", "error", fmt.Errorf("%w", &url.Error{Op: "Get", URL: text, Err: errors.New("refused")}))
			log.With("in", text).WithGroup("g").Debug("b", slog.Group("h", "c", text), "any", struct{ T string }{text})
		})
		if strings.Contains(out, secret) {
			t.Errorf("%q:\n%s", text, out)
		}
	}
	if shown := showURL("http://u:"+secret+"/?#@host/p") + urlFault(unsound); strings.Contains(shown, secret) {
		t.Error(shown)
	}
}

func TestKnownSecretsAreHiddenWhereverTheyStand(t *testing.T) {
	r := &redactor{}
	target, err := url.Parse("http://u:pass%2Fword@host/")
	if err != nil {
		t.Fatal(err)
	}
	r.addURL(target)
	r.addSecrets(secret, "", "ab") // too short to be told from ordinary text
	out := redacted(r, func(log *slog.Logger) {
		log.Error("plain "+secret+" text", "a", "pass/word", "b", "pass%2Fword", "c", "tab")
	})
	if strings.Contains(out, secret) || strings.Contains(out, "word") || !strings.Contains(out, "tab") {
		t.Error(out)
	}
}

func TestOrdinaryTextIsLoggedAsItIs(t *testing.T) {
	for _, text := range []string{
		"really? yes", "a = b", "http://host:80/path", "who@example.org", "/apps/a.json:3: invalid",
		"module m.py: no such file: /x/y#z", "/tyk/reload/group",
	} {
		if out := redacted(&redactor{}, func(log *slog.Logger) { log.Info(text) }); !strings.Contains(out, text) {
			t.Errorf("%q: %s", text, out)
		}
	}
}

func TestAKeyInAPathIsNotShown(t *testing.T) {
	for path, want := range map[string]string{
		"/tyk/keys/k": "/tyk/keys/***", "/tyk//keys/a b/c": "/tyk/keys/***", "/x/../tyk/keys/k": "/tyk/keys/***",
		"/tyk;a/keys/k": "/tyk/keys/***", `/tyk\keys\k`: "/tyk/keys/***", "/x/..;/tyk/keys/k": "/tyk/keys/***",
		"/tyk/reload/group": "/tyk/reload/group", "/api/keys/1": "/api/keys/1",
	} {
		if got := showPath(path); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}
