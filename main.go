// Command gateway is an API gateway that runs Tyk's Python plugins.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

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
	// A log that nobody reads any longer is no reason to end: with this, writes to it fail.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	hangups := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(hangups, syscall.SIGHUP)
	}
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
	gateway, err := host.New(ctx, settings)
	if err != nil {
		return err
	}
	serving, end := context.WithCancel(ctx)
	go func() {
		for range hangups {
			if onTerminal() { // it was closed
				end()
				return
			}
			_ = gateway.Reload() // what it refuses has been logged
		}
	}()
	return gateway.Serve(serving)
}

// onTerminal reports whether the gateway was started by hand, in a terminal.
func onTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	return err == nil
}
