// Command load measures whole gateways: requests per second and latencies, without
// a hook and with one that adds a header, in interleaved rounds.
//
//	load [-rounds N] [-seconds S] [-connections N] ours=binary [name=binary …] > result.json
//
// GATEWAY_SETTINGS is JSON of what the others need in their settings. A name that begins with
// "stock-" stands for Tyk with its own driver, which is given the hook as a bundle.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// result is the result of one API of one gateway.
type result struct {
	Gateway   string  `json:"gateway"`
	API       string  `json:"api"`
	PerSecond float64 `json:"requests_per_second"` // median of the rounds
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	Errors    int     `json:"errors"`

	url       string
	perSecond []float64
	latencies []time.Duration
}

func main() {
	rounds := flag.Int("rounds", 8, "number of rounds")
	seconds := flag.Float64("seconds", 1, "length of a round")
	connections := flag.Int("connections", 32, "number of connections")
	apis := flag.String("apis", "plain,hooked", "APIs to measure, separated by commas")
	flag.Parse()
	length := time.Duration(*seconds * float64(time.Second))
	if err := run(*rounds, length, *connections, strings.Split(*apis, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(rounds int, length time.Duration, connections int, apis, gateways []string) error {
	upstream, err := startUpstream()
	if err != nil {
		return err
	}
	var results []*result
	for _, g := range gateways {
		name, binary, _ := strings.Cut(g, "=")
		more := os.Getenv("GATEWAY_SETTINGS")
		if name == "ours" || more == "" {
			more = "{}"
		}
		address, stop, err := startGateway(binary, upstream, more, strings.HasPrefix(name, "stock-"))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		defer stop()
		for _, api := range apis {
			results = append(results, &result{Gateway: name, API: api, url: address})
		}
	}
	for i := range rounds + 1 {
		for _, r := range results {
			latencies, errors := load(r.url, "/"+r.API+"/get", connections, length)
			if i == 0 {
				continue // warm-up
			}
			r.Errors += errors
			r.latencies = append(r.latencies, latencies...)
			r.perSecond = append(r.perSecond, float64(len(latencies))/length.Seconds())
		}
	}
	for _, r := range results {
		slices.Sort(r.perSecond)
		slices.Sort(r.latencies)
		r.PerSecond = r.perSecond[len(r.perSecond)/2]
		r.P50 = float64(r.latencies[len(r.latencies)/2].Microseconds())
		r.P99 = float64(r.latencies[len(r.latencies)*99/100].Microseconds())
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}
