//go:build coprocess && python

// Command micro compares driver.Dispatch with alternatives, in interleaved rounds, so that
// noise on the machine affects all of them alike.
//
//	micro [-rounds N] [-only one-hook] [-grpc ADDRESS] [-redis ADDRESS] > result.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// variant is a measurement: calls of f from a number of goroutines.
type variant struct {
	name       string
	goroutines int
	calls      int // in one round, all goroutines together
	f          func() error
	// around, if set, runs during a round. It returns a function that stops it.
	around func() (stop func())
}

// result is the result of a variant, in microseconds.
type result struct {
	Name       string  `json:"name"`
	Goroutines int     `json:"goroutines"`
	PerCall    float64 `json:"per_call_us"` // wall time through calls, median of the rounds
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	Allocs     float64 `json:"allocs_per_call"` // Go's
	Calls      int     `json:"calls"`

	perCall   []float64
	latencies []time.Duration
}

func main() {
	rounds := flag.Int("rounds", 10, "number of rounds")
	only := flag.String("only", "", "measure only variants whose names contain this")
	grpcAddress := flag.String("grpc", "", "`address` of the gRPC server")
	redisAddress := flag.String("redis", "", "`address` of a Redis")
	plugins := flag.String("plugins", "plugins", "`folder` with the hooks")
	flag.Parse()

	variants, describe, err := makeVariants(*plugins, *grpcAddress, *redisAddress)
	if err != nil {
		fmt.Fprintln(os.Stderr, "micro:", err)
		os.Exit(1)
	}
	variants = slices.DeleteFunc(variants, func(v variant) bool { return !strings.Contains(v.name, *only) })
	results := measure(variants, *rounds)
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"python": describe, "results": results})
}

func measure(variants []variant, rounds int) []*result {
	results := make([]*result, len(variants))
	for i, v := range variants {
		results[i] = &result{Name: v.name, Goroutines: v.goroutines}
		round(v, &result{}) // warm-up
	}
	for range rounds {
		for i, v := range variants {
			round(v, results[i])
		}
	}
	for _, r := range results {
		slices.Sort(r.perCall)
		slices.Sort(r.latencies)
		r.PerCall = r.perCall[len(r.perCall)/2]
		r.P50, r.P99 = micros(r.latencies[len(r.latencies)/2]), micros(r.latencies[len(r.latencies)*99/100])
		r.Allocs /= float64(rounds)
	}
	return results
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// round makes the calls of one round and adds the results to r.
func round(v variant, r *result) {
	if v.around != nil {
		defer v.around()()
	}
	each := v.calls / v.goroutines
	latencies := make([][]time.Duration, v.goroutines)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var group sync.WaitGroup
	begin := time.Now()
	for g := range v.goroutines {
		group.Add(1)
		latencies[g] = make([]time.Duration, 0, each)
		go func() {
			defer group.Done()
			for range each {
				start := time.Now()
				if err := v.f(); err != nil {
					panic(fmt.Sprint(v.name, ": ", err))
				}
				latencies[g] = append(latencies[g], time.Since(start))
				// The goroutine of a request waits for its upstream next; one that never
				// waits would prevent others from running.
				if v.goroutines > 1 {
					runtime.Gosched()
				}
			}
		}()
	}
	group.Wait()
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	calls := each * v.goroutines
	r.perCall = append(r.perCall, micros(took)/float64(calls))
	r.Allocs += float64(after.Mallocs-before.Mallocs) / float64(calls)
	r.Calls += calls
	for _, l := range latencies {
		r.latencies = append(r.latencies, l...)
	}
}

// call is the request for the hooks, with seven headers.
func call(body []byte) *driver.Call {
	return &driver.Call{Request: driver.Request{
		Method: "GET", URL: "/coprocess-tyk-api-test/get?a=1", RequestURI: "/coprocess-tyk-api-test/get?a=1",
		Scheme: "http", Host: "127.0.0.1:8080", Headers: headers(), Params: driver.Multi{"a": {"1"}},
		Body: body,
	}}
}

func headers() driver.Multi {
	return driver.Multi{
		"Accept": {"*/*"}, "Accept-Encoding": {"gzip, deflate"}, "Authorization": {"47a0c79c427728b3df4af62b9228c8ae"},
		"Content-Type": {"application/json"}, "User-Agent": {"curl/7.88.1"}, "X-Request-Id": {"0e2b8a54-6a2f-4d8c"},
		"X-Forwarded-For": {"10.0.0.1"},
	}
}

// dispatch returns a function that calls a hook.
func dispatch(hook driver.Hook, body []byte) func() error {
	c := call(body)
	return func() error {
		_, err := hook.Dispatch(context.Background(), c)
		return err
	}
}
