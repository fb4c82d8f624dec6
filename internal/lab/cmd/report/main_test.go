package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// twice is a run in which the SDK takes the given share of the yardstick's time and memory.
func twice(share float64) *results {
	r := &results{
		names: []string{yardstick, subject, "ogen"}, samples: map[string]map[string][]bench.Sample{}, known: map[string]bool{subject: true},
		uploads: map[string]float64{yardstick: 150, subject: share / 2}, costs: []cost{{name: subject, listed: 9, linked: 4, size: 8.5}},
		growth: growth{
			perTicket: []point{{1, 9}, {100, 7}}, walkHeld: []point{{10, 1}, {100, 1}}, walkMemory: []point{{10, 1}, {100, 1}}, calls: []point{{1, 20}, {512, 20}}, bare: []point{{1, 20}, {512, 20}},
			uncollected: []point{{1, 9}, {512, 19}}, capped: []point{{1, 8}, {512, 18}}, canned: []point{{1, 90}, {512, 190}}, connections: []point{{1, 1}, {512, 512}}, dialed: []point{{1, 1}, {512, 513}},
			costs: []callCost{{64, 10, make([]float64, len(parts))}, {512, 20, make([]float64, len(parts))}},
		},
		jobs: jobs{
			hand: export{took: 100 * time.Second, requests: 40_200}, sdk: export{took: time.Duration(50 * share * float64(time.Second)), peak: 7, requests: 40_210},
			program:   export{took: 30 * time.Second, requests: 40_230},
			byTickets: []point{{1000, 0.1}, {100_000, 10}}, byWorkers: []point{{1, 10}, {32, 0.4}}, idealByWorkers: []point{{1, 9}, {32, 0.3}},
			with: bench.Sample{Nanoseconds: 4000 * share}, observers: []observed{{"logger", 1.25, 100, 5}}, desk: []bench.DeskFigure{{What: "Close", Value: "8 ms"}},
		},
	}
	r.growth.calls[1].y -= 6 * share // the best was before
	for _, work := range bench.Works {
		r.samples[work.Name] = map[string][]bench.Sample{}
		for round := range 8 {
			pace := float64(1 + round%3) // the machine's, which changes from round to round
			r.samples[work.Name][yardstick] = append(r.samples[work.Name][yardstick], bench.Sample{Nanoseconds: 1000 * pace, Bytes: 2000, Allocs: 10})
			r.samples[work.Name]["ogen"] = append(r.samples[work.Name]["ogen"], bench.Sample{Nanoseconds: 600 * pace, Bytes: 2000, Allocs: 8})
			r.samples[work.Name][subject] = append(r.samples[work.Name][subject], bench.Sample{Nanoseconds: 1000 * pace * share, Bytes: 2000 * share, Allocs: 5})
		}
	}
	return r
}

// TestMain runs the server that a test has started in a process of its own.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], "-serve") {
		if err := serve(os.Stdout, os.Stdin); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

func TestTheServerIsAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	url, stop, err := startServer(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop() })
	for _, work := range bench.Works {
		if work.Calls > 1 || work.Name == "upload" {
			continue
		}
		for _, c := range work.Contestants(url) {
			require.NoError(t, work.Of(c)(t.Context()), "%s: %s", work.Name, c.Name)
		}
	}
	require.NoError(t, stop())
	_, err = net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.Error(t, err, "it ends with this process")
}

func TestKnownLengths(t *testing.T) {
	t.Parallel()
	known, err := knownLengths(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]bool{yardstick: true, subject: true, "resty v2": true, "resty v3": false, "oapi-codegen": true, "ogen": false}, known)
}

func missed(r *results) (names []string) {
	for _, t := range targets {
		if !t.met(t.value(r)) {
			names = append(names, t.what)
		}
	}
	return names
}

func TestTargets(t *testing.T) {
	t.Parallel()
	assert.Empty(t, missed(twice(0.1)))
	assert.Equal(t, []string{"List of 100 tickets, bytes allocated"}, missed(twice(0.26)))
	assert.Len(t, missed(twice(1.1)), len(targets))
}

func TestTheModuleOfAProgram(t *testing.T) {
	t.Parallel()
	const lab = "module github.com/supportbee-go/supportbee/internal/lab\n\nreplace (\n\ta => ../../\n\tb => ../../supportbeeotel\n)\n"
	assert.Equal(t, "module program\n\nreplace (\n\ta => /src/\n\tb => /src/supportbeeotel\n)\n", programModule(lab, "/src"))
}

// The names of functions change, and the report would then say that they take no time.
func TestReadingJSONIsFoundInProfiles(t *testing.T) {
	t.Parallel()
	var frames []string
	observe := supportbee.WithObserver(supportbee.Observer{Drift: func(context.Context, supportbee.Drift) {
		callers := make([]uintptr, 100)
		more, calls := true, runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
		for more {
			var call runtime.Frame
			call, more = calls.Next()
			frames = append(frames, call.Function)
		}
	}})
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	desk.Inject(supportbeetest.Match{}, supportbeetest.EditJSON(func(object map[string]any) { object["more"] = true }))
	_, err := desk.Client(observe).Labels.List(t.Context())
	require.NoError(t, err)
	found := slices.IndexFunc(parts, func(p part) bool { return p.takes(frames) })
	require.GreaterOrEqual(t, found, 0)
	assert.Equal(t, "the SDK's JSON", parts[found].name)
}

func TestRatiosAreOfOneMoment(t *testing.T) {
	t.Parallel()
	r := twice(0.5)
	assert.InDelta(t, 0.5, r.ratio("get", subject, nanoseconds), 1e-9)
	value, spread := r.median("get", subject, nanoseconds)
	assert.InDelta(t, 1000, value, 1e-9)
	assert.InDelta(t, 0.5, spread, 1e-9, "from 500 to 1500")
	assert.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 1e-9)
	assert.InDelta(t, 2, median([]float64{3, 1, 2}), 1e-9)
}

func TestTheReportSaysWhatWasFound(t *testing.T) {
	t.Parallel()
	text := twice(0.43).markdown(8)
	for _, part := range []string{
		"| List of 100 tickets, time | ≤ 0.3 | 0.43 | **missed** |", "| One ticket, time, in proportion to ogen | ≤ 1 | 0.72 | met |", "| 64 goroutines, calls a second | ≥ 2.3 | 2.33 | met |",
		"| supportbee, 8 workers | 21.5 s | 7.0 MiB | 40210 |", "25.1 s; the SDK takes 0.86 of it", "| 32 | 0.40 | 0.30 |", "| logger | 1.25 | 100 | 5 |", "`With` takes 1.72 µs", "| Close | 8 ms |",
		"| supportbee | 9 | 4 | 8.5 MiB |", "| connections opened | 1 | 512 |", "| by net/http alone | 1 | 513 |", "8 rounds", "| MiB in use, the highest of ten measurements | 1.00 | 1.00 |", "The highest is 29 % above the lowest.",
		"| together | 0.0 | 0.0 | +0.0 |", "| MiB held by client and server, stacks included | 10.0 | 20.0 | +10.0 |",
	} {
		assert.Contains(t, text, part)
	}
	for _, svg := range []string{barChart("a < b", twice(3)), twice(1).growth.charts(twice(1).jobs)} {
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
	}
}

func TestSamplesBelongToOnePart(t *testing.T) {
	t.Parallel()
	sdk, http, serve := "github.com/supportbee-go/supportbee.(*Client).call", "net/http.(*Client).do", "net/http.(*conn).serve"
	for _, tt := range []struct {
		want   string
		frames []string // innermost first
	}{
		{"system calls", []string{"internal/runtime/syscall/linux.Syscall6", "syscall.write", serve}},
		{"system calls", []string{"runtime.futex", "runtime.findRunnable", "runtime.mcall"}},
		{"collecting and allocating memory", []string{"runtime.memclrNoHeapPointers", "runtime.mallocgc", sdk}},
		{"growing stacks", []string{"runtime.memmove", "runtime.copystack", "runtime.newstack", http}},
		{"scheduling goroutines", []string{"runtime.lock2", "runtime.findRunnable", "runtime.schedule", "runtime.mcall"}},
		{"the server", []string{"net/textproto.readMIMEHeader", "net/http.readRequest", serve}},
		{"the SDK's JSON", []string{"github.com/go-json-experiment/json/jsontext.(*decoderState).ReadValue", "github.com/supportbee-go/supportbee.(*roundTrip).Read", sdk}},
		{"the rest of the SDK, and resty", []string{"internal/runtime/maps.newTable", "github.com/go-resty/resty/v2.(*Client).R", sdk}},
		{"the rest of the SDK, and resty", []string{"github.com/supportbee-go/supportbee/internal/transport.(*Retry).RoundTrip", http, sdk}},
		{"net/http's client", []string{"bufio.(*Reader).Peek", "net/http.(*persistConn).readLoop"}},
		{"net/http's client", []string{"runtime.memmove", "net/http.(*Transport).roundTrip", "github.com/supportbee-go/supportbee/internal/transport.(*Retry).RoundTrip", sdk}},
		{"what is left", []string{"main.main"}},
	} {
		assert.Equal(t, tt.want, parts[slices.IndexFunc(parts, func(p part) bool { return p.takes(tt.frames) })].name, tt.frames)
	}
}

func TestAProfileIsDividedAmongTheCalls(t *testing.T) {
	t.Parallel()
	function := &profile.Function{ID: 1, Name: "net/http.(*persistConn).readLoop"}
	location := &profile.Location{ID: 1, Line: []profile.Line{{Function: function}}}
	var raw bytes.Buffer
	require.NoError(t, (&profile.Profile{
		SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		Sample:     []*profile.Sample{{Location: []*profile.Location{location}, Value: []int64{3, 30_000_000}}},
		Location:   []*profile.Location{location}, Function: []*profile.Function{function},
	}).Write(&raw))
	got, err := split(raw.Bytes(), 1000)
	require.NoError(t, err)
	want := make([]float64, len(parts))
	want[slices.IndexFunc(parts, func(p part) bool { return p.name == "net/http's client" })] = 30
	assert.Equal(t, want, got)
	_, err = split([]byte("no profile"), 1)
	assert.Error(t, err)
}

func TestEverybodyTakesTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order []string
		work := bench.Work{Name: "work", Of: func(c bench.Contestant) func(context.Context) error {
			return func(ctx context.Context) error {
				order = append(order, c.Name)
				return c.Get(ctx)
			}
		}}
		takes := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { <-time.After(d); return nil }
		}
		samples, err := takeTurns(t.Context(), work, []bench.Contestant{{Name: "a", Get: takes(time.Millisecond)}, {Name: "b", Get: takes(4 * time.Millisecond)}}, 1, 6*time.Millisecond)
		require.NoError(t, err)
		assert.Equal(t, []string{"b", "a", "a", "b", "a", "a", "a", "a"}, order, "who comes first changes, and who has had the time is out")
		assert.Equal(t, []int{6, 2}, []int{samples[0].Runs, samples[1].Runs})
		assert.Equal(t, []time.Duration{6 * time.Millisecond, 8 * time.Millisecond}, []time.Duration{samples[0].Took(), samples[1].Took()})

		fails := func(context.Context) error { return io.ErrUnexpectedEOF }
		_, err = takeTurns(t.Context(), work, []bench.Contestant{{Name: "a", Get: fails}}, 0, time.Millisecond)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.ErrorContains(t, err, "work: a: ")
	})
}

func TestSamplesAddUp(t *testing.T) {
	t.Parallel()
	one, three := bench.Sample{Runs: 1, Nanoseconds: 100, Bytes: 40, Allocs: 4}, bench.Sample{Runs: 3, Nanoseconds: 20, Bytes: 80, Allocs: 8}
	assert.Equal(t, bench.Sample{Runs: 4, Nanoseconds: 40, Bytes: 70, Allocs: 7}, one.Plus(three))
	assert.Equal(t, one, bench.Sample{}.Plus(one))
	assert.Equal(t, 60*time.Nanosecond, three.Took())
}

func TestExportProgram(t *testing.T) {
	t.Parallel()
	program, err := newExportProgram(t.Context())
	require.NoError(t, err)
	t.Cleanup(program.remove)
	e, err := measureExport(t.Context(), 120, program.run)
	require.NoError(t, err)
	assert.Greater(t, e.requests, int64(2*120))
}
