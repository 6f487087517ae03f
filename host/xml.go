package host

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"
	"golang.org/x/net/html/charset"
)

// Limits of an XML document. They are checked before parsing, since the parser and the
// evaluation of expressions are recursive.
const (
	maxXMLDepth = 256
	maxXMLNodes = 100_000 // elements, attributes, comments and so on
)

var (
	errXML       = errors.New("malformed XML")
	errXMLTooBig = errors.New("the XML has too many elements or nests them too deeply")
	errXPath     = errors.New("xpath_expression finds nothing")
)

// findXML returns the text of the first node that an expression selects.
func findXML(document string, expression *xpath.Expr) (text string, err error) {
	if err := checkXML(document); err != nil {
		return "", err
	}
	defer func() { // panics if the expression does not select nodes
		if recover() != nil {
			text, err = "", errXPath
		}
	}()
	root, err := xmlquery.Parse(strings.NewReader(document))
	if err != nil {
		return "", errXML
	}
	node := xmlquery.QuerySelector(root, expression)
	if node == nil {
		return "", errXPath
	}
	return node.InnerText(), nil
}

// checkXML checks the limits without building the document. In any encoding, each node
// except attributes and text begins with the byte <, and each attribute has a byte =.
func checkXML(document string) error {
	if strings.Count(document, "<")+strings.Count(document, "=") > 2*maxXMLNodes {
		return errXMLTooBig
	}
	decoder := xml.NewDecoder(strings.NewReader(document))
	decoder.CharsetReader = charset.NewReaderLabel
	depth, nodes := 0, 0
	for {
		token, err := decoder.RawToken()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return errXML
		}
		nodes++
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			nodes += len(t.Attr)
		case xml.EndElement:
			depth--
		}
		if depth > maxXMLDepth || nodes > maxXMLNodes {
			return errXMLTooBig
		}
	}
}
