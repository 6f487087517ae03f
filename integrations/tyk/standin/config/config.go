// Package config stands for Tyk's.
package config

import "github.com/TykTechnologies/tyk/apidef"

type CoProcessConfig struct {
	EnableCoProcess                 bool
	PythonPathPrefix, PythonVersion string
}

type Config struct {
	MiddlewarePath   string
	CoProcessOptions CoProcessConfig
}

var Global func() Config

type EventMessage struct {
	Type      apidef.TykEvent
	Meta      interface{}
	TimeStamp string
}

type TykEventHandler interface {
	Init(interface{}) error
	HandleEvent(EventMessage)
}
