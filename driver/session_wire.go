package driver

import (
	"encoding/binary"
	"math"
)

// appendSession appends the fields of a SessionState.
func appendSession(b []byte, s *Session) []byte {
	b = appendInt(b, 1, s.LastCheck)
	b = appendDouble(b, 2, s.Allowance)
	b = appendDouble(b, 3, s.Rate)
	b = appendDouble(b, 4, s.Per)
	b = appendInt(b, 5, s.Expires)
	b = appendInt(b, 6, s.QuotaMax)
	b = appendInt(b, 7, s.QuotaRenews)
	b = appendInt(b, 8, s.QuotaRemaining)
	b = appendInt(b, 9, s.QuotaRenewalRate)
	for api, definition := range s.AccessRights {
		b = appendAccess(b, 10, api, &definition)
	}
	b = appendString(b, 11, s.OrgID)
	b = appendString(b, 12, s.OAuthClientID)
	b = appendMap(b, 13, s.OAuthKeys)
	if s.BasicAuthData != nil {
		var start int
		b, start = openMessage(b, 14)
		b = appendString(b, 1, s.BasicAuthData.Password)
		b = appendString(b, 2, s.BasicAuthData.Hash)
		b = closeMessage(b, start)
	}
	if s.JWTData != nil {
		var start int
		b, start = openMessage(b, 15)
		b = appendString(b, 1, s.JWTData.Secret)
		b = closeMessage(b, start)
	}
	b = appendBool(b, 16, s.HMACEnabled)
	b = appendString(b, 17, s.HMACSecret)
	b = appendBool(b, 18, s.IsInactive)
	b = appendString(b, 19, s.ApplyPolicyID)
	b = appendInt(b, 20, s.DataExpires)
	if s.Monitor != nil {
		var start int
		b, start = openMessage(b, 21)
		b = appendDoubles(b, 1, s.Monitor.TriggerLimits)
		b = closeMessage(b, start)
	}
	b = appendBool(b, 22, s.EnableDetailedRecording)
	b = appendMap(b, 23, s.Metadata)
	b = appendItems(b, 24, s.Tags)
	b = appendString(b, 25, s.Alias)
	b = appendString(b, 26, s.LastUpdated)
	b = appendInt(b, 27, s.IDExtractorDeadline)
	b = appendInt(b, 28, s.SessionLifetime)
	b = appendItems(b, 29, s.ApplyPolicies)
	b = appendString(b, 30, s.Certificate)
	b = appendInt(b, 31, s.MaxQueryDepth)
	b = appendString(b, 32, s.KeyID)
	b = appendString(b, 33, s.PostExpiryAction)
	b = appendInt(b, 34, s.PostExpiryGracePeriod)
	return append(b, s.Unknown...)
}

func appendAccess(b []byte, field int, api string, d *AccessDefinition) []byte {
	b, entry := openMessage(b, field)
	b = appendItem(b, 1, api)
	b, value := openMessage(b, 2)
	b = appendString(b, 1, d.APIName)
	b = appendString(b, 2, d.APIID)
	b = appendItems(b, 3, d.Versions)
	for _, allowed := range d.AllowedURLs {
		var start int
		b, start = openMessage(b, 4)
		b = appendString(b, 1, allowed.URL)
		b = appendItems(b, 2, allowed.Methods)
		b = closeMessage(b, start)
	}
	b = append(b, d.Unknown...)
	b = closeMessage(b, value)
	return closeMessage(b, entry)
}

func appendMap(b []byte, field int, m map[string]string) []byte {
	for key, value := range m {
		b = appendEntry(b, field, key, value)
	}
	return b
}

func appendItems(b []byte, field int, items []string) []byte {
	for _, item := range items {
		b = appendItem(b, field, item)
	}
	return b
}

// appendDoubles appends a packed list, as proto3 does.
func appendDoubles(b []byte, field int, list []float64) []byte {
	if len(list) == 0 {
		return b
	}
	b, start := openMessage(b, field)
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return closeMessage(b, start)
}

// decode decodes a SessionState. Fields that it does not know go to Unknown.
func (s *Session) decode(data string) error {
	f := fields{rest: data}
	for f.next() {
		n := int64(f.value)
		switch f.number {
		case 1:
			s.LastCheck = n
		case 2:
			s.Allowance = math.Float64frombits(f.value)
		case 3:
			s.Rate = math.Float64frombits(f.value)
		case 4:
			s.Per = math.Float64frombits(f.value)
		case 5:
			s.Expires = n
		case 6:
			s.QuotaMax = n
		case 7:
			s.QuotaRenews = n
		case 8:
			s.QuotaRemaining = n
		case 9:
			s.QuotaRenewalRate = n
		case 10:
			f.fail(s.decodeAccess(f.text))
		case 11:
			s.OrgID = f.text
		case 12:
			s.OAuthClientID = f.text
		case 13:
			s.OAuthKeys = f.into(s.OAuthKeys)
		case 14:
			s.BasicAuthData = &BasicAuthData{}
			f.fail(decodeTexts(f.text, &s.BasicAuthData.Password, &s.BasicAuthData.Hash))
		case 15:
			s.JWTData = &JWTData{}
			f.fail(decodeTexts(f.text, &s.JWTData.Secret))
		case 16:
			s.HMACEnabled = n != 0
		case 17:
			s.HMACSecret = f.text
		case 18:
			s.IsInactive = n != 0
		case 19:
			s.ApplyPolicyID = f.text
		case 20:
			s.DataExpires = n
		case 21:
			s.Monitor = &Monitor{}
			f.fail(s.Monitor.decode(f.text))
		case 22:
			s.EnableDetailedRecording = n != 0
		case 23:
			s.Metadata = f.into(s.Metadata)
		case 24:
			s.Tags = append(s.Tags, f.text)
		case 25:
			s.Alias = f.text
		case 26:
			s.LastUpdated = f.text
		case 27:
			s.IDExtractorDeadline = n
		case 28:
			s.SessionLifetime = n
		case 29:
			s.ApplyPolicies = append(s.ApplyPolicies, f.text)
		case 30:
			s.Certificate = f.text
		case 31:
			s.MaxQueryDepth = n
		case 32:
			s.KeyID = f.text
		case 33:
			s.PostExpiryAction = f.text
		case 34:
			s.PostExpiryGracePeriod = n
		default:
			s.Unknown = append(s.Unknown, f.raw...)
		}
	}
	return f.err
}

func (s *Session) decodeAccess(data string) error {
	var api, value string
	if err := decodeTexts(data, &api, &value); err != nil {
		return err
	}
	var d AccessDefinition
	f := fields{rest: value}
	for f.next() {
		switch f.number {
		case 1:
			d.APIName = f.text
		case 2:
			d.APIID = f.text
		case 3:
			d.Versions = append(d.Versions, f.text)
		case 4:
			var allowed AccessSpec
			f.fail(allowed.decode(f.text))
			d.AllowedURLs = append(d.AllowedURLs, allowed)
		default:
			d.Unknown = append(d.Unknown, f.raw...)
		}
	}
	if s.AccessRights == nil {
		s.AccessRights = map[string]AccessDefinition{}
	}
	s.AccessRights[api] = d
	return f.err
}

func (a *AccessSpec) decode(data string) error {
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case 1:
			a.URL = f.text
		case 2:
			a.Methods = append(a.Methods, f.text)
		}
	}
	return f.err
}

func (m *Monitor) decode(data string) error {
	f := fields{rest: data}
	for f.next() {
		if f.number != 1 {
			continue
		}
		if f.text == "" && len(f.raw) > 8 { // not packed, as in proto2
			m.TriggerLimits = append(m.TriggerLimits, math.Float64frombits(f.value))
			continue
		}
		for packed := []byte(f.text); len(packed) >= 8; packed = packed[8:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(packed))
			m.TriggerLimits = append(m.TriggerLimits, v)
		}
	}
	return f.err
}

// decodeTexts decodes a message whose fields 1, 2, … are length-delimited.
func decodeTexts(data string, into ...*string) error {
	f := fields{rest: data}
	for f.next() {
		if f.number <= len(into) {
			*into[f.number-1] = f.text
		}
	}
	return f.err
}

// into adds the current entry to m, which it allocates if it is nil.
func (f *fields) into(m map[string]string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	p := f.entry()
	m[p.Name] = p.Value
	return m
}

// Encode returns the session as an encoded SessionState.
func (s *Session) Encode() []byte { return appendSession(nil, s) }

// DecodeSession decodes a SessionState.
func DecodeSession(data []byte) (*Session, error) {
	s := &Session{}
	return s, s.decode(string(data))
}
