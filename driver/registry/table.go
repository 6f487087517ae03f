package registry

import (
	"sync"
	"sync/atomic"
)

// Table has the hooks of a gateway that learns of them from the calls. After Reset, hooks
// are bound again, since definitions may have changed.
type Table[K comparable] struct {
	hooks  sync.Map // tableKey[K] → *Hook
	resets atomic.Int64
}

type tableKey[K comparable] struct {
	key    K
	resets int64
}

// Get returns the hook of a key, bound by bind at the first call. The caller must release
// it.
func (t *Table[K]) Get(key K, bind func() (*Hook, error)) (*Hook, error) {
	k := tableKey[K]{key, t.resets.Load()}
	for {
		if hook, ok := t.hooks.Load(k); ok && hook.(*Hook).Acquire() {
			return hook.(*Hook), nil
		}
		if current := t.resets.Load(); current != k.resets { // a reset has just closed it
			k.resets = current
			continue
		}
		hook, err := bind()
		if err != nil {
			return nil, err
		}
		if _, loaded := t.hooks.LoadOrStore(k, hook); loaded {
			hook.Release() // another call has bound it meanwhile
			continue
		}
		if t.resets.Load() != k.resets && t.hooks.CompareAndDelete(k, hook) {
			return hook, nil // the table's reference is the caller's now
		}
		if hook.Acquire() {
			return hook, nil
		}
	}
}

// Reset empties the table. Calls in flight keep their hooks until they end.
func (t *Table[K]) Reset() {
	current := t.resets.Add(1)
	t.hooks.Range(func(k, hook any) bool {
		if k.(tableKey[K]).resets != current && t.hooks.CompareAndDelete(k, hook) {
			hook.(*Hook).Release()
		}
		return true
	})
}

// Len returns the number of hooks in the table.
func (t *Table[K]) Len() (n int) {
	t.hooks.Range(func(any, any) bool { n++; return true })
	return n
}
