package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

const (
	exportTickets = 20_000
	exportWorkers = 8
	latency       = 5 * time.Millisecond // of each response
)

// export is what an export took.
type export struct {
	took     time.Duration
	peak     float64 // MiB
	requests int64
}

// ideal is the time of as many requests that are never apart, nor wait for anything but the server.
func (e export) ideal(workers int) time.Duration {
	return time.Duration(e.requests) * latency / time.Duration(workers)
}

// jobs is what is measured of the SDK beyond single calls.
type jobs struct {
	hand, sdk      export
	program        export  // examples/export, which writes files and a database besides
	byTickets      []point // seconds
	byWorkers      []point
	idealByWorkers []point
	with           bench.Sample
	observers      []observed
	desk           []bench.DeskFigure
}

// observed is what it costs to observe a call.
type observed struct {
	name   string
	time   float64 // in proportion to a plain call
	bytes  float64
	allocs float64
}

func measureJobs(ctx context.Context) (j jobs, err error) {
	if j.hand, err = measureExport(ctx, exportTickets, func(ctx context.Context, d *bench.Desk) (int, error) { return d.ExportByHand(ctx, io.Discard) }); err != nil {
		return j, err
	}
	sdk := func(workers int, parts bool) func(context.Context, *bench.Desk) (int, error) {
		return func(ctx context.Context, d *bench.Desk) (int, error) {
			return d.Export(ctx, io.Discard, workers, parts)
		}
	}
	if j.sdk, err = measureExport(ctx, exportTickets, sdk(exportWorkers, true)); err != nil {
		return j, err
	}
	program, err := newExportProgram(ctx)
	if err != nil {
		return j, err
	}
	defer program.remove()
	if j.program, err = measureExport(ctx, exportTickets, program.run); err != nil {
		return j, err
	}
	for _, tickets := range []int{1000, 10_000, 100_000} {
		e, err := measureExport(ctx, tickets, sdk(1, false))
		if err != nil {
			return j, err
		}
		j.byTickets = append(j.byTickets, point{float64(tickets), e.took.Seconds()})
	}
	for workers := 1; workers <= 32; workers *= 2 {
		e, err := measureExport(ctx, 1000, sdk(workers, true))
		if err != nil {
			return j, err
		}
		j.byWorkers = append(j.byWorkers, point{float64(workers), e.took.Seconds()})
		j.idealByWorkers = append(j.idealByWorkers, point{float64(workers), e.ideal(workers).Seconds()})
	}
	if err := j.measureObservers(ctx); err != nil {
		return j, err
	}
	j.desk, err = bench.MeasureDesk(ctx, 100_000, time.Second)
	return j, err
}

// exportProgram is the program export of the module examples.
type exportProgram struct{ folder string }

func newExportProgram(ctx context.Context) (exportProgram, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", root).Output()
	if err != nil {
		return exportProgram{}, err
	}
	folder, err := os.MkdirTemp("", "export")
	if err != nil {
		return exportProgram{}, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(folder, "export"), "./export")
	build.Dir = filepath.Join(strings.TrimSpace(string(dir)), "examples")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return exportProgram{}, fmt.Errorf("building examples/export: %w: %s", err, out)
	}
	return exportProgram{folder}, nil
}

func (p exportProgram) remove() { _ = os.RemoveAll(p.folder) }

// run exports a desk into a new directory and returns the number of tickets that the program says
// are in it.
func (p exportProgram) run(ctx context.Context, d *bench.Desk) (tickets int, err error) {
	dir, err := os.MkdirTemp(p.folder, "backup")
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.folder, "export"), "-dir", dir, "-workers", strconv.Itoa(exportWorkers), "-rate", "1000000")
	cmd.Env = append(os.Environ(), "SUPPORTBEE_BASE_URL="+d.URL, "SUPPORTBEE_TOKEN="+d.Token)
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("examples/export: %w", err)
	}
	_, err = fmt.Sscanf(strings.TrimPrefix(string(out), dir+": "), "%d tickets", &tickets)
	return tickets, err
}

// measureExport lets a program export so many tickets from a desk of its own.
func measureExport(ctx context.Context, tickets int, program func(context.Context, *bench.Desk) (int, error)) (e export, err error) {
	desk, err := bench.NewDesk(tickets, latency)
	if err != nil {
		return e, err
	}
	defer desk.Close()
	peak, err := bench.Peak(func() error {
		start := time.Now()
		got, err := program(ctx, desk)
		e.took = time.Since(start)
		if err == nil && got != tickets {
			err = fmt.Errorf("exported %d tickets of %d", got, tickets)
		}
		return err
	})
	e.peak, e.requests = float64(peak)/(1<<20), desk.Requests.Load()
	return e, err
}

// measureObservers lets a plain client and the observed ones take turns. The median of many short
// turns counts, each beside a plain one at that moment.
func (j *jobs) measureObservers(ctx context.Context) error {
	clients, err := bench.ObservedClients()
	if err != nil {
		return err
	}
	get := func(c bench.Observed) (bench.Sample, error) {
		return bench.Measure(ctx, 10*time.Millisecond, func(ctx context.Context) error { return check(c.Client.Tickets.Get(ctx, 7)) })
	}
	ratios := make([][]float64, len(clients))
	last := make([]bench.Sample, len(clients))
	for range 60 {
		plain, err := get(clients[0])
		if err != nil {
			return err
		}
		for i, c := range clients {
			if last[i], err = get(c); err != nil {
				return err
			}
			ratios[i] = append(ratios[i], last[i].Nanoseconds/plain.Nanoseconds)
		}
	}
	for i, c := range clients {
		j.observers = append(j.observers, observed{c.Name, median(ratios[i]), last[i].Bytes, last[i].Allocs})
	}
	j.with, err = bench.Measure(ctx, time.Second/2, func(context.Context) error {
		clients[0].Client.With(supportbee.WithTimeout(time.Second))
		return nil
	})
	return err
}

func (j jobs) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("\n## Jobs\n\n| export of 20,000 tickets with replies and comments, 5 ms a response | time | memory at the highest | requests |\n|---|---|---|---|")
	for _, e := range []struct {
		name string
		export
	}{{"hand-written, one request after the other", j.hand}, {fmt.Sprintf("supportbee, %d workers", exportWorkers), j.sdk}} {
		line("| %s | %.1f s | %.1f MiB | %d |", e.name, e.took.Seconds(), e.peak, e.requests)
	}
	line("| the program examples/export, %d workers | %.1f s | | %d |", exportWorkers, j.program.took.Seconds(), j.program.requests)
	line("\nThe ideal for %d workers is requests ÷ %d × 5 ms: %.1f s; the SDK takes %.2f of it. The memory is that above the start, what awaits", exportWorkers, exportWorkers, j.sdk.ideal(exportWorkers).Seconds(), j.sdk.took.Seconds()/j.sdk.ideal(exportWorkers).Seconds())
	line("collection and the server in the same process included. The program also writes files and an SQLite database, and watches for changes in the end.")
	line("\n| export of tickets alone | seconds |\n|---|---|")
	for _, p := range j.byTickets {
		line("| %.0f | %.2f |", p.x, p.y)
	}
	line("\n| workers of an export of 1,000 tickets with replies and comments | seconds | ideal |\n|---|---|---|")
	for i, p := range j.byWorkers {
		line("| %.0f | %.2f | %.2f |", p.x, p.y, j.idealByWorkers[i].y)
	}
	line("\n| one ticket without a network | time, in proportion to plain | bytes | allocations |\n|---|---|---|---|")
	for _, o := range j.observers {
		line("| %s | %.2f | %.0f | %.0f |", o.name, o.time, o.bytes, o.allocs)
	}
	line("\n`With` takes %.2f µs, %.0f bytes and %.0f allocations.", j.with.Nanoseconds/1e3, j.with.Bytes, j.with.Allocs)
	line("\n| the embedded desk with 100,000 tickets | |\n|---|---|")
	for _, f := range j.desk {
		line("| %s | %s |", f.What, f.Value)
	}
	return b.String()
}
