package host

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// storeTimeout bounds a command of the store, including connecting, waiting for a
// connection, and retries.
const storeTimeout = 2 * time.Second

// deadlines sets a deadline for each command unless the caller has set one.
type deadlines struct{}

func (deadlines) DialHook(next redis.DialHook) redis.DialHook { return next }

func (deadlines) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, command redis.Cmder) error {
		ctx, cancel := withDeadline(ctx)
		defer cancel()
		return next(ctx, command)
	}
}

func (deadlines) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		ctx, cancel := withDeadline(ctx)
		defer cancel()
		return next(ctx, commands)
	}
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, storeTimeout)
}
