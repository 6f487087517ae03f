package host

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/antchfx/xpath"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

const (
	// maxExtractBytes bounds a body in which an id is searched.
	maxExtractBytes = 8 << 20
	// maxMatch bounds regex_match_index.
	maxMatch = 1000
)

// IDExtractor describes how to find the id of a session without calling the hook.
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

// extractor is an IDExtractor with compiled expressions. A nil extractor does nothing.
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
		if d.Config.RegexIndex < 0 || d.Config.RegexIndex > maxMatch {
			err = fmt.Errorf("regex_match_index %d must be between 0 and %d", d.Config.RegexIndex, maxMatch)
		}
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

// check returns the request's id, and the session stored under it if its
// id_extractor_deadline is in the future. It rejects a request without an id.
func (e *extractor) check(x *exchange) (id string, known *session, answered bool) {
	if e == nil {
		return "", nil, false
	}
	value, err := e.extract(x)
	if err != nil {
		x.api.log.Info("id_extractor found no id", "error", err)
		status, message := http.StatusBadRequest, "Authorization field missing"
		if errors.Is(err, errTooLarge) {
			status, message = failure(driver.CustomKeyCheck, err)
		}
		writeError(x.w, status, message)
		return "", nil, true
	}
	sum := md5.Sum([]byte(value)) // the value may be a whole body
	id = x.api.OrgID + hex.EncodeToString(sum[:])
	known, found, err := x.api.sessions.get(x.r.Context(), id)
	if err != nil {
		return "", nil, !x.storeFailed(err)
	}
	if !found || known.IDExtractorDeadline <= time.Now().Unix() {
		known = nil
	}
	return id, known, false
}

func (e *extractor) extract(x *exchange) (string, error) {
	input, err := e.input(x)
	if err != nil {
		return "", err
	}
	switch {
	case e.regex != nil:
		// Not all matches: there may be one for each byte.
		matches := e.regex.FindAllString(input, e.Config.RegexIndex+1)
		if e.Config.RegexIndex < len(matches) {
			return matches[e.Config.RegexIndex], nil
		}
		return "", fmt.Errorf("%s does not match %d times", e.regex, e.Config.RegexIndex+1)
	case e.xpath != nil:
		return findXML(input, e.xpath)
	}
	return input, nil
}

func (e *extractor) input(x *exchange) (string, error) {
	var value string
	switch e.From {
	case "header":
		value = x.r.Header.Get(e.Config.HeaderName)
	case "form":
		content, err := e.body(x)
		if err != nil {
			return "", err
		}
		form, err := url.ParseQuery(content)
		if err != nil {
			return "", errors.New("malformed form")
		}
		value = form.Get(e.Config.ParamName)
		if value == "" {
			value = x.params.Get(e.Config.ParamName)
		}
	case "body":
		content, err := e.body(x)
		if err != nil {
			return "", err
		}
		value = content
	}
	if value == "" {
		return "", fmt.Errorf("the request has no value in its %s", e.From)
	}
	return value, nil
}

// body returns the request's body. If it is going to be parsed, which takes more memory,
// it is limited to maxExtractBytes.
func (e *extractor) body(x *exchange) (string, error) {
	content, err := x.body.bytes()
	if err != nil {
		return "", err
	}
	if len(content) > maxExtractBytes && (e.From == "form" || e.With != "value") {
		return "", errTooLarge
	}
	return string(content), nil
}
