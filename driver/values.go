package driver

// Values are headers or parameters. Hooks see the first value of each name.
type Values interface {
	// appendFirst appends them as entries of a map<string, string> field.
	appendFirst(b []byte, field int) []byte
	// each calls f with each name and its first value.
	each(f func(name, value string))
}

// Multi holds several values for each name, as http.Header and url.Values do.
type Multi map[string][]string

// Single holds one value for each name.
type Single map[string]string

func (m Multi) appendFirst(b []byte, field int) []byte {
	for name, values := range m {
		if len(values) > 0 {
			b = appendEntry(b, field, name, values[0])
		}
	}
	return b
}

func (m Single) appendFirst(b []byte, field int) []byte {
	for name, value := range m {
		b = appendEntry(b, field, name, value)
	}
	return b
}

func (m Multi) each(f func(name, value string)) {
	for name, values := range m {
		if len(values) > 0 {
			f(name, values[0])
		}
	}
}

func (m Single) each(f func(name, value string)) {
	for name, value := range m {
		f(name, value)
	}
}
