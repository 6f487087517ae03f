package host

import (
	"errors"
	"strings"
	"testing"

	"github.com/antchfx/xpath"
)

func TestXMLIsBoundedBeforeItIsBuilt(t *testing.T) {
	key := xpath.MustCompile("//key")
	nested := func(n int) string {
		return "<key>k" + strings.Repeat("<a>", n) + strings.Repeat("</a>", n) + "</key>"
	}
	for name, c := range map[string]struct {
		document string
		err      error
	}{
		"plain":          {"<r><key>k</key></r>", nil},
		"latin1":         {`<?xml version="1.0" encoding="ISO-8859-1"?><key>k</key>`, nil},
		"deep enough":    {nested(maxXMLDepth - 1), nil},
		"too deep":       {nested(maxXMLDepth), errXMLTooBig},
		"far too deep":   {nested(1_000_000), errXMLTooBig},
		"unclosed":       {strings.Repeat("<a>", maxXMLDepth+1), errXMLTooBig},
		"elements":       {"<r>" + strings.Repeat("<a/>", maxXMLNodes) + "<key>k</key></r>", errXMLTooBig},
		"attributes":     {"<key " + strings.Repeat("a='' ", maxXMLNodes+1) + ">k</key>", errXMLTooBig},
		"comments":       {"<r>" + strings.Repeat("<!---->", maxXMLNodes+1) + "<key>k</key></r>", errXMLTooBig},
		"broken":         {"<r><key>k</r>", errXML},
		"no XML":         {"key=k", errXML},
		"nothing to see": {"<r/>", errXPath},
		"entities": {`<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><key>&b;</key>`,
			errXML},
	} {
		text, err := findXML(c.document, key)
		if !errors.Is(err, c.err) || err == nil && text != "k" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func TestAnExpressionThatIsNotForNodesFindsNothing(t *testing.T) {
	for _, expression := range []string{"count(//a)", "string(//a)", "//a = 'b'"} {
		compiled, err := xpath.Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := findXML("<a>b</a>", compiled); err == nil && text == "" {
			t.Errorf("%s: an empty id", expression)
		}
	}
}

func FuzzXML(f *testing.F) {
	for _, seed := range []string{"<r><key>k</key></r>", "<a b='c'>", "<!--", "<![CDATA[", "<?xml encoding='utf-16'?>", "<a:b xmlns:a='c'/>"} {
		f.Add(seed)
	}
	key := xpath.MustCompile("//key")
	f.Fuzz(func(t *testing.T, document string) { _, _ = findXML(document, key) })
}
