package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

var (
	full = flag.Bool("full", false, "try all positions and ends")
	seed = flag.Uint64("seed", 1, "seed of durations, mixed faults, and the choices without -full")
)

// position is the requests that a fault is applied to. Those before it get status 429, after which
// everything is tried again.
type position struct {
	name   string
	before int
	times  int // 0 for no limit
}

var positions = []position{
	{name: "first", times: 1},
	{name: "second", before: 1, times: 1},
	{name: "last", before: 3, times: 1},
	everyAttempt,
}

var everyAttempt = position{name: "every"}

// end is the end of a call's context.
type end string

const (
	none      end = "no deadline"
	deadline  end = "a deadline"
	cancelled end = "a cancellation" // which the SDK cannot foresee
)

var ends = []end{none, deadline, cancelled}

// trial is one call of the matrix.
type trial struct {
	operation
	fault
	position
	number uint64
	end
	sends func(http.RoundTripper) http.RoundTripper // the desk's transport; nil for itself
}

func (c trial) String() string {
	return fmt.Sprintf("%s, %s at the %s attempt, %s", c.operation.name, c.fault.name, c.position.name, c.end)
}

// verdict is what became of a call.
type verdict int

const (
	missed     verdict = iota // the fault had nothing to be applied to
	succeeded                 // and was carried out
	failed                    // and, if it is a create, was not carried out
	unknown                   // the error says so
	duplicated                // see the package's documentation for this and the rest
	denied
	lost
	late
	verdicts
)

// patience is how long a call without a deadline may take: four attempts of at most 30 seconds
// each, and waits of at most a minute between them. Transfers have no limit.
const patience = 4*30*time.Second + 3*time.Minute

// run makes the call. It must be called in a bubble.
func (c trial) run(t *testing.T, dir string) (v verdict, faults int) {
	random := rand.New(rand.NewPCG(*seed, c.number))
	desk, err := supportbeetest.Start(supportbeetest.InMemory())
	require.NoError(t, err)
	defer desk.Close()
	guard := tokenGuard{next: desk.Transport()}
	if c.sends != nil {
		guard.next = c.sends(guard.next)
	}
	w := newWorld(desk, desk.Client(supportbee.WithTransport(&guard), supportbee.WithMaxResponseSize(1<<16)), dir)
	if c.operation.before != nil {
		require.NoError(t, c.operation.before(w))
	}
	var want any
	var before int
	switch c.class {
	case read, download:
		want, err = c.call(t.Context(), w)
		require.NoError(t, err)
	default:
		before = c.count(w)
	}
	if c.class == repeatable {
		require.Zero(t, before, "it is carried out already")
	}

	handled := new(ledger)
	match := func(times int) supportbeetest.Match {
		return supportbeetest.Match{Op: c.operation.name, Times: times}
	}
	if c.position.before > 0 {
		desk.Inject(match(c.position.before), supportbeetest.RateLimited(""), handled.fault())
	}
	injection := desk.Inject(match(c.times), c.build(random), handled.fault())
	desk.Inject(match(0), handled.fault())

	ctx, limit := t.Context(), patience
	if c.class == upload || c.class == download {
		limit = 0
	}
	if c.end != none {
		limit = time.Duration(1+random.IntN(15_000)) * time.Millisecond
	}
	switch c.end {
	case deadline:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	case cancelled:
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer time.AfterFunc(limit, cancel).Stop()
		defer cancel()
	}
	start := time.Now()
	got, err := c.call(ctx, w)
	took := time.Since(start)
	synctest.Wait() // the desk may still be handling a request
	faults = injection.Hits()
	assert.False(t, guard.leaked.Load(), "the token was sent elsewhere")
	if faults == 0 {
		return missed, 0
	}
	return c.judge(t, w, got, want, err, handled.count(before, w, c), limit > 0 && took > limit), faults
}

// judge compares what a call returned with what was carried out.
func (c trial) judge(t *testing.T, w *world, got, want any, err error, carried int, isLate bool) verdict {
	isUnknown := errors.Is(err, supportbee.ErrOutcomeUnknown)
	if _, ok := errors.AsType[*supportbee.Error](err); err != nil {
		assert.True(t, ok, "%s: %T is not the error of a call", c, err)
	}
	isCreate := c.class == create || c.class == upload
	assert.False(t, isUnknown && !isCreate, "%s: unknown outcome of a call that can be repeated: %v", c, err)
	isRead := c.class == read || c.class == download
	switch {
	case isLate:
		return late
	case isCreate && carried > 1:
		return duplicated
	case err == nil && isRead && !reflect.DeepEqual(want, got), err == nil && !isRead && carried == 0:
		return lost
	case err == nil:
		return succeeded
	case isUnknown:
		return unknown
	case isCreate && carried > 0:
		return denied
	}
	return failed
}

// ledger counts the requests of an operation that the desk has carried out.
type ledger struct{ carried atomic.Int64 }

// fault returns a fault that does nothing but count. It must be the innermost.
func (l *ledger) fault() supportbeetest.Fault {
	return supportbeetest.Fault{Name: "counted", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&counter{ResponseWriter: w, ledger: l}, r)
		})
	}}
}

type counter struct {
	http.ResponseWriter
	ledger *ledger
}

func (c *counter) WriteHeader(status int) {
	if status/100 == 2 {
		c.ledger.carried.Add(1)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// count returns how often a write was carried out, according to both the ledger and the state.
func (l *ledger) count(before int, w *world, c trial) int {
	if c.operation.count == nil {
		return 0
	}
	state := c.operation.count(w) - before
	if c.class == repeatable {
		return state
	}
	return max(state, int(l.carried.Load()))
}

// tokenGuard notes whether the token is sent to another origin, where everything is a page.
type tokenGuard struct {
	next   http.RoundTripper
	leaked atomic.Bool
}

func (g *tokenGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme+"://"+req.URL.Host != elsewhere {
		return g.next.RoundTrip(req)
	}
	if req.Header.Get("Authorization") != "" {
		g.leaked.Store(true)
	}
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/html"}}, Body: http.NoBody, Request: req}, nil
}

// trials returns the calls of the matrix.
func trials() []trial {
	var list []trial
	number := uint64(0)
	for _, op := range operations {
		for _, f := range faults() {
			if f.untrue[op.class] {
				continue
			}
			number++
			random := rand.New(rand.NewPCG(number, *seed))
			chosen := random.IntN(len(positions) * len(ends))
			for i := range len(positions) * len(ends) {
				if *full || i == chosen {
					list = append(list, trial{operation: op, fault: f, position: positions[i/len(ends)], number: number, end: ends[i%len(ends)]})
				}
			}
		}
		several := 2 * len(ends)
		if *full {
			several = 60 * len(ends)
		}
		for i := range several {
			number++
			list = append(list, trial{operation: op, fault: mixed(op.class), position: everyAttempt, number: number, end: ends[i%len(ends)]})
		}
	}
	return list
}

// row is a row of the table: what a class did after a fault.
type row struct {
	class class
	fault string
}

// table counts verdicts.
type table struct {
	mu     sync.Mutex
	counts map[row]*[verdicts]int
	faults int
	wrong  []string
}

func (r *table) add(c trial, v verdict, faults int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := row{class: c.class, fault: c.fault.name}
	if r.counts[key] == nil {
		r.counts[key] = new([verdicts]int)
	}
	r.counts[key][v]++
	r.faults += faults
	if v >= duplicated {
		r.wrong = append(r.wrong, fmt.Sprintf("%s: %s", [...]string{"duplicated", "denied", "lost", "late"}[v-duplicated], c))
	}
}

// print prints the table, in the order of operations and faults.
func (r *table) print(f *os.File) {
	out := tabwriter.NewWriter(f, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "class\tfault\ttried\tsucceeded\tfailed\tunknown\tduplicated\tdenied\tlost\tlate")
	line := func(class class, fault string, n [verdicts]int) {
		tried := 0
		for v := succeeded; v < verdicts; v++ {
			tried += n[v]
		}
		fmt.Fprintf(out, "%s\t%s\t%d", class, fault, tried)
		for v := succeeded; v < verdicts; v++ {
			fmt.Fprintf(out, "\t%d", n[v])
		}
		fmt.Fprintln(out)
	}
	var total [verdicts]int
	for _, class := range []class{read, repeatable, create, upload, download} {
		var sum [verdicts]int
		for _, f := range append(faults(), mixed(class)) {
			n := r.counts[row{class: class, fault: f.name}]
			if n == nil || n[missed] > 0 && *n == [verdicts]int{missed: n[missed]} {
				continue
			}
			line(class, f.name, *n)
			for v := range verdicts {
				sum[v] += n[v]
				total[v] += n[v]
			}
		}
		line(class, "together", sum)
	}
	line("all", "together", total)
	_ = out.Flush()
}

func TestFaultMatrix(t *testing.T) { //nolint:paralleltest // it counts goroutines
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kettle.txt"), []byte(strings.Repeat("kettle ", 1000)), 0o600))
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	start := time.Now()
	results := &table{counts: map[row]*[verdicts]int{}}
	list := trials()
	t.Run("trials", func(t *testing.T) {
		workers := runtime.GOMAXPROCS(0)
		for worker := range workers {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				own := filepath.Join(dir, fmt.Sprint(worker))
				require.NoError(t, os.Mkdir(own, 0o700))
				require.NoError(t, os.Link(filepath.Join(dir, "kettle.txt"), filepath.Join(own, "kettle.txt")))
				for i := worker; i < len(list); i += workers {
					synctest.Test(t, func(t *testing.T) {
						v, faults := list[i].run(t, own)
						results.add(list[i], v, faults)
					})
				}
			})
		}
	})
	results.print(os.Stdout)
	fmt.Printf("%d calls, %d faults, seed %d, %v\n", len(list), results.faults, *seed, time.Since(start).Round(time.Second))
	slices.Sort(results.wrong)
	assert.Empty(t, strings.Join(results.wrong[:min(len(results.wrong), 40)], "\n"))
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "goroutines are left")
	assert.Equal(t, descriptors, openDescriptors(), "files are left open")
}

// The matrix finds a client that does what it must not.
func TestTheMatrixFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	named := func(name string) (op operation) {
		return operations[slices.IndexFunc(operations, func(op operation) bool { return op.name == name })]
	}
	delay := fault{name: "delay", build: func(*rand.Rand) supportbeetest.Fault { return supportbeetest.Delay(time.Second) }}
	invent := func(status int, body string) func(http.RoundTripper, *http.Request) (*http.Response, error) {
		return func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err == nil {
				_ = res.Body.Close()
				res.StatusCode, res.ContentLength, res.Body = status, -1, io.NopCloser(strings.NewReader(body))
			}
			return res, err
		}
	}
	lists := 0
	for _, tt := range []struct {
		name  string
		op    string
		fault fault // the default is a delay
		sends func(next http.RoundTripper, req *http.Request) (*http.Response, error)
		want  verdict
	}{
		{name: "nothing", op: "Replies.Create", sends: http.RoundTripper.RoundTrip, want: succeeded},
		{name: "a create that is sent twice", op: "Replies.Create", sends: func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			if req.GetBody != nil {
				again := req.Clone(req.Context())
				again.Body, _ = req.GetBody()
				if res, err := next.RoundTrip(again); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}
			return next.RoundTrip(req)
		}, want: duplicated},
		{name: "a failure that is none", op: "Replies.Create", sends: invent(http.StatusConflict, "{}"), want: denied},
		{
			name: "a write that is not sent", op: "Tickets.Archive", fault: fault{build: func(*rand.Rand) supportbeetest.Fault { return supportbeetest.Status(http.StatusConflict) }},
			sends: invent(http.StatusNoContent, ""), want: lost,
		},
		{name: "another result", op: "Labels.List", sends: func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			if lists++; lists > 1 { // the first is the one to compare with
				return invent(http.StatusOK, `{"labels":[]}`)(next, req)
			}
			return next.RoundTrip(req)
		}, want: lost},
		{name: "no attention to the context", op: "Replies.Create", sends: func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			<-time.After(time.Minute)
			return next.RoundTrip(req)
		}, want: late},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := tt.fault
				if f.build == nil {
					f = delay
				}
				got, _ := trial{operation: named(tt.op), fault: f, position: everyAttempt, end: deadline, sends: func(next http.RoundTripper) http.RoundTripper {
					return sender(func(req *http.Request) (*http.Response, error) { return tt.sends(next, req) })
				}}.run(t, t.TempDir())
				assert.Equal(t, tt.want, got)
			})
		})
	}
}

// sender is an [http.RoundTripper].
type sender func(*http.Request) (*http.Response, error)

func (f sender) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// openDescriptors returns the number of open files and sockets, or 0 where the system does not
// list them.
func openDescriptors() int {
	files, _ := os.ReadDir("/proc/self/fd")
	return len(files)
}

// The matrix has every operation of openapi.yaml.
func TestOperations(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../../openapi.yaml")
	require.NoError(t, err)
	var document struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(data, &document))
	want := []string{"Attachments.Download", "Attachments.Storage"}
	for _, item := range document.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var described struct {
				OperationID string `yaml:"operationId"`
			}
			require.NoError(t, node.Decode(&described))
			want = append(want, described.OperationID)
		}
	}
	var got []string
	for _, op := range operations {
		got = append(got, op.name)
	}
	assert.Len(t, got, 52)
	assert.ElementsMatch(t, want, got)
}
