package main

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// part is a part of what a program does while goroutines make calls. A sample belongs to the
// first part that takes it.
type part struct {
	name  string
	own   bool                       // the SDK's and resty's
	takes func(frames []string) bool // innermost first
}

var parts = []part{
	{"system calls", false, func(frames []string) bool {
		return strings.HasPrefix(frames[0], "internal/runtime/syscall/") || strings.HasPrefix(frames[0], "runtime/internal/syscall") ||
			slices.Contains([]string{"runtime.futex", "runtime.epollwait", "runtime.madvise", "runtime.usleep", "runtime.write1", "runtime.tgkill"}, frames[0])
	}},
	{"collecting and allocating memory", false, holds(
		"runtime.mallocgc", "runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.gcMarkDone",
	)},
	{"growing stacks", false, holds("runtime.newstack", "runtime.copystack")},
	{"scheduling goroutines", false, holds(
		"runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.mstart", "runtime.ready", "runtime.wakep", "runtime.sysmon", "runtime.goexit0",
	)},
	{"the server", false, holds("net/http.(*conn).serve", "net/http.(*connReader).backgroundRead")},
	{"the SDK's JSON", true, holds("github.com/supportbee-go/supportbee.(*roundTrip).Read", "github.com/supportbee-go/supportbee.encodeBody")},
	{"the rest of the SDK, and resty", true, func(frames []string) bool {
		owner := slices.IndexFunc(frames, func(f string) bool {
			return strings.HasPrefix(f, "net/http.") || strings.HasPrefix(f, "github.com/supportbee-go/supportbee") || strings.HasPrefix(f, "github.com/go-resty/")
		})
		return owner >= 0 && !strings.HasPrefix(frames[owner], "net/http.")
	}},
	{"net/http's client", false, func(frames []string) bool {
		return slices.ContainsFunc(frames, func(f string) bool { return strings.HasPrefix(f, "net/http.") })
	}},
	{"what is left", false, func([]string) bool { return true }},
}

// holds takes what has any of the functions in its stack.
func holds(functions ...string) func([]string) bool {
	return func(frames []string) bool {
		return slices.ContainsFunc(frames, func(f string) bool { return slices.Contains(functions, f) })
	}
}

// callCost is what a call takes of the processors while so many goroutines make them.
type callCost struct {
	goroutines int
	memory     float64   // MiB that client and server hold for them, heap and stacks
	parts      []float64 // µs a call, as in parts
}

func (c callCost) total() (sum float64) {
	for _, micros := range c.parts {
		sum += micros
	}
	return sum
}

// profileCalls lets few and many goroutines make calls under the profiler, in turns of a second,
// so that a disturbance of the machine hits both.
func profileCalls(ctx context.Context, goroutines ...int) ([]callCost, error) {
	const turns = 8
	costs := make([]callCost, len(goroutines))
	for range turns {
		for i, n := range goroutines {
			parts, memory, err := profileTurn(ctx, n)
			if err != nil {
				return nil, err
			}
			if costs[i].parts == nil {
				costs[i] = callCost{goroutines: n, parts: make([]float64, len(parts))}
			}
			costs[i].memory = max(costs[i].memory, memory)
			for k, micros := range parts {
				costs[i].parts[k] += micros / turns
			}
		}
	}
	return costs, nil
}

func profileTurn(ctx context.Context, goroutines int) (parts []float64, memory float64, err error) {
	server := bench.NewServer()
	defer server.Close()
	client, err := supportbee.New("", "token", supportbee.WithBaseURL(server.URL))
	if err != nil {
		return nil, 0, err
	}
	get := func() error { return check(client.Tickets.Get(ctx, 7)) }
	runtime.GC()
	before := held()
	if err := bench.Together(goroutines, get); err != nil {
		return nil, 0, err
	}
	var raw bytes.Buffer
	if err := pprof.StartCPUProfile(&raw); err != nil {
		return nil, 0, err
	}
	const long = time.Second
	var during float64
	looked := make(chan struct{})
	time.AfterFunc(long/2, func() {
		during = held()
		close(looked)
	})
	made, _, err := callsFrom(goroutines, long, get)
	pprof.StopCPUProfile()
	<-looked
	if err != nil {
		return nil, 0, err
	}
	parts, err = split(raw.Bytes(), made)
	return parts, during - before, err
}

// held is the memory in use, in MiB: what the collector found alive, and stacks.
func held() float64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return float64(sample[0].Value.Uint64()+sample[1].Value.Uint64()) / (1 << 20)
}

// split divides a profile's time among the parts and the calls.
func split(raw []byte, calls int64) ([]float64, error) {
	p, err := profile.ParseData(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the profile: %w", err)
	}
	micros := make([]float64, len(parts))
	for _, sample := range p.Sample {
		var frames []string
		for _, location := range sample.Location {
			for _, line := range location.Line {
				frames = append(frames, line.Function.Name)
			}
		}
		if len(frames) == 0 {
			continue
		}
		i := slices.IndexFunc(parts, func(p part) bool { return p.takes(frames) })
		micros[i] += float64(sample.Value[1]) / 1e3 / float64(calls)
	}
	return micros, nil
}
