// Package storage stands for Tyk's: a store in memory, without expiry.
package storage

import (
	"context"
	"errors"
	"sync"

	"github.com/TykTechnologies/tyk/config"
)

var ErrKeyNotFound = errors.New("key not found")

type ConnectionHandler struct{}

func NewConnectionHandler(context.Context) *ConnectionHandler { return &ConnectionHandler{} }

func (*ConnectionHandler) Connect(context.Context, func(), *config.Config) {}
func (*ConnectionHandler) WaitConnect(context.Context) bool                { return true }

type RedisCluster struct {
	ConnectionHandler *ConnectionHandler
	values            sync.Map
}

func (r *RedisCluster) GetRawKey(key string) (string, error) {
	if value, ok := r.values.Load(key); ok {
		return value.(string), nil
	}
	return "", ErrKeyNotFound
}

func (r *RedisCluster) SetRawKey(key, value string, _ int64) error {
	r.values.Store(key, value)
	return nil
}

func (r *RedisCluster) Exists(key string) (bool, error) {
	_, ok := r.values.Load(key)
	return ok, nil
}
