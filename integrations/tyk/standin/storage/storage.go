// Package storage stands for Tyk's: its connection to a real Redis.
package storage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/TykTechnologies/tyk/config"
)

// ConnectionHandler holds the connection, once there is one.
type ConnectionHandler struct {
	client atomic.Pointer[redis.Client]
}

func NewConnectionHandler(context.Context) *ConnectionHandler { return &ConnectionHandler{} }

// Connect connects when Redis answers, as Tyk's does.
func (h *ConnectionHandler) Connect(c context.Context, _ func(), conf *config.Config) {
	if conf.Storage.Port == 0 {
		return // a test without Redis
	}
	client := redis.NewClient(&redis.Options{
		Addr: fmt.Sprintf("%s:%d", conf.Storage.Host, conf.Storage.Port), ReadTimeout: 5 * time.Second,
	})
	for client.Ping(c).Err() != nil && c.Err() == nil {
		time.Sleep(20 * time.Millisecond)
	}
	h.client.Store(client)
}

// WaitConnect waits until there is a connection.
func (h *ConnectionHandler) WaitConnect(c context.Context) bool {
	for h.client.Load() == nil {
		select {
		case <-c.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

type RedisCluster struct{ ConnectionHandler *ConnectionHandler }

// Client returns the client of the connection.
func (r *RedisCluster) Client() (redis.UniversalClient, error) {
	if client := r.ConnectionHandler.client.Load(); client != nil {
		return client, nil
	}
	return nil, errors.New("storage: Redis is either down or was not configured")
}
