package host

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ShutdownLimit is how long Serve may take to return once its context has ended.
func (s *Settings) ShutdownLimit() time.Duration { return s.ShutdownSettings.limit() }

// stop stops the gateway within shutdown_timeout: it drains requests, then events, and then
// runs the plugins' exit functions. Each step has a part of the time; what does not end in
// time is abandoned and named in the error.
func (g *Gateway) stop() error {
	limit := g.settings.ShutdownLimit()
	reserve := min(limit/5, 3*time.Second) // for events and plugins, even if requests use the rest
	end := time.Now().Add(limit)
	g.log.Info("gateway stopping", "shutdown_timeout", limit.String())

	ctx, cancel := context.WithDeadline(context.Background(), end.Add(-reserve))
	defer cancel()
	err := g.unfinished(g.server.Shutdown(ctx))
	if err != nil {
		_ = g.server.Close() // closes the connections of abandoned requests
	}
	err = errors.Join(err, g.stopPlugins(end, reserve), g.store.Close())
	if err != nil {
		g.log.Error("gateway stopped, but not everything ended in time", "error", err)
		return err
	}
	g.log.Info("gateway stopped")
	return nil
}

// stopPlugins drains events and runs the plugins' exit functions, in what is left until
// end. reserve is the part of shutdown_timeout that is theirs.
func (g *Gateway) stopPlugins(end time.Time, reserve time.Duration) error {
	if g.python == nil {
		return nil
	}
	ctx, cancel := context.WithDeadline(context.Background(), end.Add(-reserve*2/3))
	defer cancel()
	err := g.events.stop(ctx)
	return errors.Join(err, g.python.Stop(time.Until(end.Add(-reserve/6))))
}

// unfinished adds the requests that did not end in time to Shutdown's error.
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
