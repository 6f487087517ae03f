// Command gateway is an API gateway that runs Tyk's Python plugins.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tyk-cffi/tyk-cffi/host"
)

func main() {
	conf := flag.String("conf", "tyk.conf", "`file` with the settings")
	version := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *version {
		fmt.Println("gateway", host.Version)
		return
	}
	if err := run(*conf); err != nil {
		fmt.Fprintln(host.Stderr, "gateway:", host.Redact(err.Error()))
		os.Exit(1)
	}
}

func run(conf string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	settings, err := host.LoadSettings(conf)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process immediately
		time.Sleep(settings.ShutdownLimit() + time.Second)
		fmt.Fprintln(host.Stderr, "gateway: not stopped within shutdown_timeout; exiting")
		os.Exit(1)
	}()
	gateway, err := start(ctx, settings)
	if err != nil {
		return err
	}
	return gateway.Serve(ctx)
}

// start creates the gateway. It imports plugins and may therefore take long, or not return
// at all. If ctx ends first, start returns an error.
func start(ctx context.Context, settings *host.Settings) (*host.Gateway, error) {
	type result struct {
		gateway *host.Gateway
		err     error
	}
	done := make(chan result, 1)
	go func() {
		gateway, err := host.New(settings)
		done <- result{gateway, err}
	}()
	select {
	case r := <-done:
		return r.gateway, r.err
	case <-ctx.Done():
		return nil, errors.New("stopped by a signal while loading")
	}
}
