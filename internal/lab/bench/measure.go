package bench

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// Work is something that every contestant does.
type Work struct {
	Name   string
	Title  string
	Canned bool   // without a network
	Path   string // Slow or Zipped

	// Of returns what does the work once. Calls is how many API calls that is.
	Of    func(c Contestant) func(context.Context) error
	Calls int

	// Weight is how many times as long it is measured as others: its contestants are close to each
	// other, or to a target. 0 is 1.
	Weight int
}

// Contestants are all clients, for this work alone.
func (w Work) Contestants(url string) []Contestant {
	if w.Canned {
		return Contestants(url, Canned{})
	}
	return Contestants(url+w.Path, nil)
}

// Works is everything that is measured in time.
var Works = []Work{
	{Name: "get", Title: "Get one ticket", Calls: 1, Weight: 8, Of: get},
	{Name: "list", Title: "List of 100 tickets", Calls: 1, Weight: 4, Of: list},
	{Name: "list-gzip", Title: "List of 100 tickets, gzip", Path: Zipped, Calls: 1, Of: list},
	{Name: "reply", Title: "Create a reply", Calls: 1, Weight: 8, Of: reply},
	{Name: "goroutines", Title: "64 goroutines, one ticket each", Calls: 64, Weight: 8, Of: func(c Contestant) func(context.Context) error {
		return func(ctx context.Context) error { return Together(64, func() error { return c.Get(ctx) }) }
	}},
	{Name: "upload", Title: "Upload of 64 MiB", Calls: 1, Of: func(c Contestant) func(context.Context) error {
		return func(ctx context.Context) error { return c.Upload(ctx, File(FileSize)) }
	}},
	walk(0), walk(20 * time.Microsecond), walk(50 * time.Microsecond),
	{Name: "canned-get", Title: "Get one ticket, no network", Canned: true, Calls: 1, Of: get},
	{Name: "canned-list", Title: "List of 100 tickets, no network", Canned: true, Calls: 1, Of: list},
	{Name: "canned-reply", Title: "Create a reply, no network", Canned: true, Calls: 1, Of: reply},
}

func get(c Contestant) func(context.Context) error   { return c.Get }
func reply(c Contestant) func(context.Context) error { return c.Reply }

func list(c Contestant) func(context.Context) error {
	return func(ctx context.Context) error {
		tickets, _, err := c.List(ctx, 1)
		if err == nil && tickets != 100 {
			err = fmt.Errorf("%d tickets", tickets)
		}
		return err
	}
}

// walk is a walk over all pages at 5 ms of latency each, with the caller working on each ticket for
// so long.
func walk(each time.Duration) Work {
	return Work{
		Name: fmt.Sprintf("walk-%dus", each.Microseconds()), Title: fmt.Sprintf("Walk 100 pages at 5 ms, %v of work a ticket", each), Path: Slow, Calls: Pages,
		Of: func(c Contestant) func(context.Context) error {
			return func(ctx context.Context) error { return c.Walk(ctx, func() { spin(each) }) }
		},
	}
}

// spin works for so long; sleeping would give the processor away.
func spin(d time.Duration) {
	if d == 0 {
		return
	}
	for start := time.Now(); time.Since(start) < d; {
	}
}

// Together does something in n goroutines at once.
func Together(n int, do func() error) error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for range n {
		all.Go(func() {
			if err := do(); err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// Sample is what doing a work took, on the average of its runs.
type Sample struct {
	Runs        int
	Nanoseconds float64
	Bytes       float64 // allocated, by the server too if it is in the same process
	Allocs      float64
}

// Took is how long all runs took.
func (s Sample) Took() time.Duration { return time.Duration(s.Nanoseconds * float64(s.Runs)) }

// Plus is the sample of the runs of both.
func (s Sample) Plus(o Sample) Sample {
	runs := s.Runs + o.Runs
	average := func(a, b float64) float64 { return (a*float64(s.Runs) + b*float64(o.Runs)) / float64(runs) }
	return Sample{runs, average(s.Nanoseconds, o.Nanoseconds), average(s.Bytes, o.Bytes), average(s.Allocs, o.Allocs)}
}

// Measure does something for about the given time, at least once.
func Measure(ctx context.Context, atLeast time.Duration, once func(context.Context) error) (Sample, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	start := time.Now()
	for time.Since(start) < atLeast || n == 0 {
		if err := once(ctx); err != nil {
			return Sample{}, err
		}
		n++
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	count := float64(n)
	return Sample{n, float64(took.Nanoseconds()) / count, float64(after.TotalAlloc-before.TotalAlloc) / count, float64(after.Mallocs-before.Mallocs) / count}, nil
}

// PeakHeap does something once and returns by how many bytes the heap rose at most meanwhile.
func PeakHeap(do func() error) (uint64, error) {
	const name = "/memory/classes/heap/objects:bytes"
	read := func(sample []metrics.Sample) uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	runtime.GC()
	mine := []metrics.Sample{{Name: name}}
	start := read(mine)
	done := make(chan struct{})
	var peak uint64
	var sampler sync.WaitGroup
	sampler.Go(func() {
		sample := []metrics.Sample{{Name: name}}
		for {
			select {
			case <-done:
				return
			default:
				peak = max(peak, read(sample))
				runtime.Gosched()
			}
		}
	})
	err := do()
	close(done)
	sampler.Wait()
	return max(peak, start) - start, err
}

// FileSize is how large the uploaded file is, in bytes.
const FileSize = 64 << 20

// File is a file of zeros that takes no memory. It can be read from any place.
func File(size int64) *io.SectionReader { return io.NewSectionReader(zeros{}, 0, size) }

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
