package host

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/antchfx/xmlquery"
	"github.com/antchfx/xpath"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// IDExtractor says how to find a key's id in a request without calling the hook.
type IDExtractor struct {
	From     string `json:"extract_from"`
	With     string `json:"extract_with"`
	Disabled bool   `json:"disabled"`
	Config   struct {
		HeaderName string `json:"header_name"`
		ParamName  string `json:"param_name"`
		Regex      string `json:"regex_expression"`
		RegexIndex int    `json:"regex_match_index"`
		XPath      string `json:"xpath_expression"`
	} `json:"extractor_config"`
}

// extractor is an IDExtractor whose expressions are compiled. nil extracts nothing.
type extractor struct {
	*IDExtractor
	regex *regexp.Regexp
	xpath *xpath.Expr
}

func newExtractor(d *IDExtractor) (*extractor, error) {
	if d.From == "" || d.Disabled {
		return nil, nil
	}
	e := &extractor{IDExtractor: d}
	var err error
	switch d.With {
	case "value":
	case "regex":
		e.regex, err = regexp.Compile(d.Config.Regex)
	case "xpath":
		e.xpath, err = xpath.Compile(d.Config.XPath)
	default:
		err = fmt.Errorf("extract_with %q must be value, regex or xpath", d.With)
	}
	if err == nil && d.From != "header" && d.From != "form" && d.From != "body" {
		err = fmt.Errorf("extract_from %q must be header, form or body", d.From)
	}
	if err != nil {
		return nil, fmt.Errorf("custom_middleware.id_extractor: %w", err)
	}
	return e, nil
}

// check finds the request's id, and the session stored under it while its
// id_extractor_deadline lies ahead. A request without the id is answered.
func (e *extractor) check(x *exchange) (id string, session *driver.Session, answered bool) {
	if e == nil {
		return "", nil, false
	}
	value, err := e.extract(x)
	if err != nil {
		x.api.log.Info("no id in the request", "error", err)
		status, message := http.StatusBadRequest, "Authorization field missing"
		if errors.Is(err, errTooLarge) {
			status, message = failure(driver.CustomKeyCheck, err)
		}
		writeError(x.w, status, message)
		return "", nil, true
	}
	sum := md5.Sum([]byte(value)) // a short name for what may be a whole body
	id = x.api.OrgID + hex.EncodeToString(sum[:])
	session, found, err := x.api.sessions.get(x.r.Context(), id)
	if err != nil {
		return "", nil, !x.storeFailed(err)
	}
	if !found || session.IDExtractorDeadline <= time.Now().Unix() {
		session = nil
	}
	return id, session, false
}

func (e *extractor) extract(x *exchange) (string, error) {
	input, err := e.input(x)
	if err != nil {
		return "", err
	}
	switch {
	case e.regex != nil:
		matches := e.regex.FindAllString(input, -1)
		if i := e.Config.RegexIndex; i >= 0 && i < len(matches) {
			return matches[i], nil
		}
		return "", fmt.Errorf("%s does not match %d times", e.regex, e.Config.RegexIndex+1)
	case e.xpath != nil:
		document, err := xmlquery.Parse(strings.NewReader(input))
		if err != nil {
			return "", err
		}
		node := xmlquery.QuerySelector(document, e.xpath)
		if node == nil {
			return "", fmt.Errorf("%s finds nothing", e.Config.XPath)
		}
		return node.InnerText(), nil
	}
	return input, nil
}

func (e *extractor) input(x *exchange) (string, error) {
	var value string
	switch e.From {
	case "header":
		value = x.r.Header.Get(e.Config.HeaderName)
	case "form":
		content, err := x.body.bytes()
		if err != nil {
			return "", err
		}
		form, err := url.ParseQuery(string(content))
		if err != nil {
			return "", err
		}
		value = form.Get(e.Config.ParamName)
		if value == "" {
			value = x.params.Get(e.Config.ParamName)
		}
	case "body":
		content, err := x.body.bytes()
		if err != nil {
			return "", err
		}
		value = string(content)
	}
	if value == "" {
		return "", fmt.Errorf("nothing in its %s", e.From)
	}
	return value, nil
}
