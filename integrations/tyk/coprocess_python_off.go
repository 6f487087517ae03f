//go:build cgo && !(coprocess && python)

package gateway

import (
	"errors"

	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"
)

// NewPythonDispatcher returns an error: this Tyk was built without the tags.
func NewPythonDispatcher(config.Config) (coprocess.Dispatcher, error) {
	return nil, errors.New("python: this binary cannot run Python: build it with -tags 'coprocess python'")
}
