// Command report measures the SDK beside its peers and writes what it found to
// internal/lab/REPORT.md, with charts beside it. It exits with 1 where a target is missed.
//
//	go run ./cmd/report
//
// Every figure is a ratio within one run: the contestants take turns, round after round, and the
// machine's speed at the time is the same for all of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

func main() {
	rounds := flag.Int("rounds", 8, "interleaved rounds, at least 8")
	each := flag.Duration("each", 150*time.Millisecond, "time for each contestant, work and round")
	folder := flag.String("out", ".", "`folder` of REPORT.md and its charts")
	server := flag.Bool("serve", false, "run the server of another process of this command")
	flag.Parse()
	if *server {
		if err := serve(os.Stdout, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			os.Exit(2)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	missed, err := run(ctx, max(*rounds, 8), *each, *folder)
	stop()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	case missed > 0:
		fmt.Fprintf(os.Stderr, "report: targets missed: %d\n", missed)
		os.Exit(1)
	}
}

// subject and yardstick are whose ratio the targets are about.
const (
	subject   = "supportbee"
	yardstick = "hand-written"
)

// target is what the SDK aims for.
type target struct {
	what  string
	value func(*results) float64
	most  float64 // or least, if that is set
	least float64
	unit  string
}

var targets = []target{
	{what: "List of 100 tickets, time", value: func(r *results) float64 { return r.ratio("list", subject, nanoseconds) }, most: 0.30},
	{what: "List of 100 tickets, bytes allocated", value: func(r *results) float64 { return r.ratio("list", subject, allocated) }, most: 0.25},
	{what: "One ticket, time, in proportion to ogen", value: func(r *results) float64 {
		return r.ratio("get", subject, nanoseconds) / r.ratio("get", "ogen", nanoseconds)
	}, most: 1},
	{what: "Create a reply, time", value: func(r *results) float64 { return r.ratio("reply", subject, nanoseconds) }, most: 1},
	{what: "Create a reply, bytes allocated", value: func(r *results) float64 { return r.ratio("reply", subject, allocated) }, most: 1},
	{what: "Walk of 100 pages at 5 ms, time", value: func(r *results) float64 { return r.ratio("walk-0us", subject, nanoseconds) }, most: 0.35},
	{what: "64 goroutines, calls a second", value: func(r *results) float64 { return 1 / r.ratio("goroutines", subject, nanoseconds) }, least: 2.3},
	{what: "Upload of 64 MiB, peak heap", value: func(r *results) float64 { return r.uploads[subject] }, most: 0.2, unit: " MiB"},
	{what: "Export of 20,000 tickets at 5 ms, time", value: func(r *results) float64 { return r.jobs.sdk.took.Seconds() / r.jobs.hand.took.Seconds() }, most: 0.15},
	{what: "With, time", value: func(r *results) float64 { return r.jobs.with.Nanoseconds / 1e3 }, most: 2, unit: " µs"},
	{what: "512 goroutines, share of the best calls a second, below that of net/http alone", value: func(r *results) float64 {
		return kept(r.growth.bare) - kept(r.growth.calls)
	}, most: 10, unit: " points"},
}

// met reports whether a value, to the two places that the report shows, is what is aimed for.
func (t target) met(v float64) bool {
	v = math.Round(100*v) / 100
	if t.least > 0 {
		return v >= t.least
	}
	return v <= t.most
}

func (t target) aim() string {
	if t.least > 0 {
		return fmt.Sprintf("≥ %g%s", t.least, t.unit)
	}
	return fmt.Sprintf("≤ %g%s", t.most, t.unit)
}

// results holds the samples of all rounds.
type results struct {
	names   []string                             // of the contestants
	samples map[string]map[string][]bench.Sample // by work and contestant
	uploads map[string]float64                   // peak heap in MiB, median
	known   map[string]bool                      // whether the upload had a Content-Length
	growth  growth
	jobs    jobs
	costs   []cost
}

func nanoseconds(s bench.Sample) float64 { return s.Nanoseconds }
func allocated(s bench.Sample) float64   { return s.Bytes }
func allocations(s bench.Sample) float64 { return s.Allocs }

// ratio is the median of the rounds' ratios to the yardstick: each is of one moment.
func (r *results) ratio(work, name string, of func(bench.Sample) float64) float64 {
	var ratios []float64
	for round, sample := range r.samples[work][name] {
		ratios = append(ratios, of(sample)/of(r.samples[work][yardstick][round]))
	}
	return median(ratios)
}

func (r *results) median(work, name string, of func(bench.Sample) float64) (value, spread float64) {
	var values []float64
	for _, sample := range r.samples[work][name] {
		values = append(values, of(sample))
	}
	slices.Sort(values)
	value = median(values)
	// As benchstat: how far the 95 % confidence interval of the median reaches; of eight
	// values that is from the second to the seventh.
	skip := len(values) / 8
	low, high := values[skip], values[len(values)-1-skip]
	return value, max(high-value, value-low) / value
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	values = slices.Clone(values)
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func run(ctx context.Context, rounds int, each time.Duration, folder string) (missed int, err error) {
	costs, err := measureCosts(ctx)
	if err != nil {
		return 0, err
	}
	r, err := measure(ctx, rounds, each)
	if err != nil {
		return 0, err
	}
	r.costs = costs
	if r.growth, err = measureGrowth(ctx); err != nil {
		return 0, err
	}
	if r.jobs, err = measureJobs(ctx); err != nil {
		return 0, err
	}
	for _, t := range targets {
		if !t.met(t.value(r)) {
			missed++
			fmt.Printf("missed: %s: %.3g%s, want %s\n", t.what, t.value(r), t.unit, t.aim())
		}
	}
	charts := map[string]string{
		"ratios.svg": barChart("Time in proportion to the hand-written client (shorter is better)", r),
		"growth.svg": r.growth.charts(r.jobs),
	}
	for name, svg := range charts {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(svg), 0o644); err != nil { //nolint:gosec // a report to read
			return 0, err
		}
	}
	return missed, os.WriteFile(filepath.Join(folder, "REPORT.md"), []byte(r.markdown(rounds)), 0o644) //nolint:gosec // a report to read
}

// measure lets every contestant do every work, in so many rounds.
func measure(ctx context.Context, rounds int, each time.Duration) (r *results, err error) {
	url, stop, err := startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	r = &results{samples: map[string]map[string][]bench.Sample{}, uploads: map[string]float64{}}
	if r.known, err = knownLengths(ctx); err != nil {
		return nil, err
	}
	contestants := map[string][]bench.Contestant{} // by work
	for _, work := range bench.Works {
		contestants[work.Name], r.samples[work.Name] = work.Contestants(url), map[string][]bench.Sample{}
	}
	uploaders := contestants["upload"]
	for _, c := range uploaders {
		r.names = append(r.names, c.Name)
	}
	peaks := map[string][]float64{}
	for round := -1; round < rounds; round++ { // the first is for warming up
		for _, work := range bench.Works {
			who := contestants[work.Name]
			taken, err := takeTurns(ctx, work, who, round+1, each)
			if err != nil {
				return nil, err
			}
			for i, c := range who {
				if round >= 0 {
					r.samples[work.Name][c.Name] = append(r.samples[work.Name][c.Name], taken[i])
				}
			}
		}
		for _, c := range uploaders {
			peak, err := bench.PeakHeap(func() error { return c.Upload(ctx, bench.File(bench.FileSize)) })
			if err != nil {
				return nil, fmt.Errorf("upload: %s: %w", c.Name, err)
			}
			peaks[c.Name] = append(peaks[c.Name], float64(peak)/(1<<20))
		}
		fmt.Printf("round %d of %d\n", round+1, rounds)
	}
	for name, values := range peaks {
		r.uploads[name] = median(values)
	}
	return r, nil
}

// knownLengths tells which contestants upload a file with its Content-Length.
func knownLengths(ctx context.Context) (map[string]bool, error) {
	server := bench.NewServer()
	defer server.Close()
	known := map[string]bool{}
	for _, c := range bench.Contestants(server.URL, nil) {
		if err := c.Upload(ctx, bench.File(1<<20)); err != nil {
			return nil, fmt.Errorf("upload: %s: %w", c.Name, err)
		}
		known[c.Name] = server.Length.Load() > 0
	}
	return known, nil
}

// takeTurns lets each contestant do a work for so long, times its weight, in short turns: the machine's pace changes
// by the second, and is to be the same for all. The collector is left to run when it will, since
// what it costs belongs to those who allocate. First says who begins.
func takeTurns(ctx context.Context, work bench.Work, contestants []bench.Contestant, first int, each time.Duration) ([]bench.Sample, error) {
	const turns = 6
	runtime.GC()
	samples := make([]bench.Sample, len(contestants))
	for busy := true; busy; first++ {
		busy = false
		for i := range contestants {
			at := (first + i) % len(contestants)
			if samples[at].Took() >= each*time.Duration(max(work.Weight, 1)) {
				continue
			}
			busy = true
			sample, err := bench.Measure(ctx, each/turns, work.Of(contestants[at]))
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", work.Name, contestants[at].Name, err)
			}
			samples[at] = samples[at].Plus(sample)
		}
	}
	return samples, nil
}

func (r *results) markdown(rounds int) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# The SDK beside its peers\n")
	line("Written by `go run ./cmd/report`. One binary, one loopback server, one set of payloads; the contestants take")
	line("turns, %d rounds; medians, with how far the confidence interval of the median reaches. Absolute times depend on the machine", rounds)
	line("and the moment: compare the ratios. %s, %s/%s, %d processors.\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	line("The server of the first two tables runs in a process of its own. The generated clients decode the recorded form only;")
	line("the SDK decodes every form that is known, and keeps what it does not know. On Linux, the server's latency")
	line("is timed by the kernel: the runtime's own timers end up to 1 ms late where the process is idle, which favours or harms by chance.\n")

	line("## Targets\n\n| work, in proportion to the hand-written client | aim | measured | |\n|---|---|---|---|")
	for _, t := range targets {
		verdict := "met"
		if !t.met(t.value(r)) {
			verdict = "**missed**"
		}
		line("| %s | %s | %.2f%s | %s |", t.what, t.aim(), t.value(r), t.unit, verdict)
	}
	line("\n## Time\n\n![Time in proportion to the hand-written client](ratios.svg)\n")
	line("| work | %s |\n|---|%s", strings.Join(r.names, " | "), strings.Repeat("---|", len(r.names)))
	for _, work := range bench.Works {
		cells := []string{work.Title}
		for _, name := range r.names {
			value, spread := r.median(work.Name, name, nanoseconds)
			cells = append(cells, fmt.Sprintf("%s ± %.0f %%<br>**%.2f**", duration(value), 100*spread, r.ratio(work.Name, name, nanoseconds)))
		}
		line("| %s |", strings.Join(cells, " | "))
	}
	line("\n## Memory\n\n| work | %s |\n|---|%s", strings.Join(r.names, " | "), strings.Repeat("---|", len(r.names)))
	for _, work := range bench.Works {
		if work.Calls > 1 {
			continue
		}
		cells := []string{work.Title}
		for _, name := range r.names {
			bytes, _ := r.median(work.Name, name, allocated)
			allocs, _ := r.median(work.Name, name, allocations)
			cells = append(cells, fmt.Sprintf("%.1f KiB, %.0f<br>**%.2f**", bytes/1024, allocs, r.ratio(work.Name, name, allocated)))
		}
		line("| %s |", strings.Join(cells, " | "))
	}
	cells := []string{"Upload of 64 MiB, peak heap"}
	for _, name := range r.names {
		length := "chunked"
		if r.known[name] {
			length = "Content-Length"
		}
		cells = append(cells, fmt.Sprintf("%.1f MiB<br>%s", r.uploads[name], length))
	}
	line("| %s |", strings.Join(cells, " | "))
	b.WriteString(r.jobs.markdown())
	b.WriteString(r.growth.markdown())
	line("\n## Other costs to a program\n\n| | modules in the build list | of them linked | binary, added to a hello world | build time, with the standard library built before |\n|---|---|---|---|---|")
	for _, c := range r.costs {
		line("| %s | %d | %d | %.1f MiB | %.1f s |", c.name, c.listed, c.linked, c.size, c.build.Seconds())
	}
	line("\nThe build list is that of a module with the program alone, which is not counted. It includes modules that only tests of")
	line("dependencies need. The generated clients are part of their programs; the generators are not counted.")
	return b.String()
}

func duration(ns float64) string {
	switch {
	case ns < 1e6:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns < 1e9:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
	return fmt.Sprintf("%.2f s", ns/1e9)
}
