// Package config stands for Tyk's.
package config

import "github.com/TykTechnologies/tyk/apidef"

type CoProcessConfig struct {
	EnableCoProcess                 bool
	PythonPathPrefix, PythonVersion string
}

type StorageOptionsConf struct {
	Host string
	Port int
}

type Private struct{ OriginalPath string }

type Config struct {
	MiddlewarePath   string
	CoProcessOptions CoProcessConfig
	Private          Private
	Storage          StorageOptionsConf
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
