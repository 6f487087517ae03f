package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// The upstream and the generator implement so little of HTTP that their cost is small
// compared to the gateway's.

var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")

// startUpstream starts a server with a fixed response and returns its URL.
func startUpstream() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				r := bufio.NewReader(c)
				for skipHead(r) == nil {
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/", nil
}

func skipHead(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return err
		}
	}
}

// load sends requests over the given number of connections for the given time.
func load(address, path string, connections int, length time.Duration) (latencies []time.Duration, errors int) {
	request := fmt.Appendf(nil, "GET %s?a=1 HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nUser-Agent: load\r\n"+
		"Accept-Encoding: gzip\r\nX-Request-Id: 0e2b8a54\r\nAuthorization: nobody\r\n\r\n", path, address)
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for range connections {
		group.Add(1)
		go func() {
			defer group.Done()
			mine, failed := one(address, request, end)
			mu.Lock()
			defer mu.Unlock()
			latencies, errors = append(latencies, mine...), errors+failed
		}()
	}
	group.Wait()
	return latencies, errors
}

func one(address string, request []byte, end time.Time) (latencies []time.Duration, errors int) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return nil, 1
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for begin := time.Now(); begin.Before(end); begin = time.Now() {
		if _, err := c.Write(request); err != nil {
			return latencies, errors + 1
		}
		good, err := readAnswer(r)
		if err != nil {
			return latencies, errors + 1
		}
		if !good {
			errors++
		}
		latencies = append(latencies, time.Since(begin))
	}
	return latencies, errors
}

func readAnswer(r *bufio.Reader) (good bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	good = bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	size := 0
	for {
		line, err = r.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		if len(line) <= 2 {
			_, err = io.CopyN(io.Discard, r, int64(size))
			return good, err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return false, err
			}
		}
	}
}
