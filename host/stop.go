package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ShutdownLimit is how long Serve may take to return once its context has ended.
func (s *Settings) ShutdownLimit() time.Duration { return s.ShutdownSettings.limit() }

// stop ends the gateway within shutdown_timeout: requests are drained, then events, then
// plugins end (what they registered with atexit). Each has a part of the time, and what
// does not end in it is left behind, and named in the log.
func (g *Gateway) stop() error {
	limit := g.settings.ShutdownLimit()
	reserve := min(limit/5, 3*time.Second) // for events and plugins, when requests took all
	end := time.Now().Add(limit)
	g.log.Info("gateway stopping", "shutdown_timeout", limit.String())

	ctx, cancel := context.WithDeadline(context.Background(), end.Add(-reserve))
	defer cancel()
	err := g.unfinished(g.server.Shutdown(ctx))
	if err != nil {
		_ = g.server.Close() // clients learn that they need not wait
	}
	if g.python != nil {
		ctx, cancel := context.WithDeadline(context.Background(), end.Add(-reserve*2/3))
		defer cancel()
		err = errors.Join(err, g.events.stop(ctx))
		err = errors.Join(err, g.python.Stop(time.Until(end.Add(-reserve/6))))
	}
	err = errors.Join(err, g.store.Close())
	if err != nil {
		g.log.Error("gateway stopped, but not everything ended in time", "error", err)
		return err
	}
	g.log.Info("gateway stopped")
	return nil
}

// left names the requests that did not end in time.
func (g *Gateway) unfinished(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	apis := map[string]int64{}
	if current := g.current.Load(); current != nil {
		for _, a := range current.apis {
			if n := a.inflight.Load(); n > 0 {
				apis[a.APIID] = n
			}
		}
	}
	text := fmt.Sprintf("requests did not end: %v by API", apis)
	if g.python != nil {
		u := g.python.Usage()
		text += fmt.Sprintf("; calls in Python: %d with a slot, %d without, %d waiting", u.Running, u.Unslotted, u.Waiting)
	}
	return errors.New(text)
}
