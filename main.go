// Command gateway is an API gateway that runs Tyk's Python plugins.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tyk-cffi/tyk-cffi/host"
)

func main() {
	conf := flag.String("conf", "tyk.conf", "settings `file`")
	version := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *version {
		fmt.Println("gateway", host.Version)
		return
	}
	if err := run(*conf); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", host.Redact(err.Error()))
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
	gateway, err := host.New(settings)
	if err != nil {
		return err
	}
	return gateway.Serve(ctx)
}
