package driver

// Values are headers or parameters. Hooks see the first value of each name.
type Values interface {
	// Each calls f with each name and its first value.
	Each(f func(name, value string))
}

// Multi holds several values for each name, as http.Header and url.Values do.
type Multi map[string][]string

// Single holds one value for each name.
type Single map[string]string

// Each implements Values.
func (m Multi) Each(f func(name, value string)) {
	for name, values := range m {
		if len(values) > 0 {
			f(name, values[0])
		}
	}
}

// Each implements Values.
func (m Single) Each(f func(name, value string)) {
	for name, value := range m {
		f(name, value)
	}
}
