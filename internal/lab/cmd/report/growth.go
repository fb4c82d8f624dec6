package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// point is one measurement of something that grows.
type point struct{ x, y float64 }

// growth is how the SDK's costs grow.
type growth struct {
	perTicket   []point // ns a ticket by tickets on a page
	walkHeld    []point // MiB that are in use, by pages
	walkMemory  []point // MiB at most, what awaits collection included
	calls       []point // a second by goroutines
	bare        []point // the same of net/http alone, which throws the responses away
	uncollected []point // the same of the SDK with garbage collection off
	capped      []point // the same of the SDK with at most inFlight calls at a time
	canned      []point // the same of the SDK without a network: what its own code can do
	connections []point // opened by goroutines
	dialed      []point // the same by net/http alone
	costs       []callCost
}

func measureGrowth(ctx context.Context) (g growth, err error) {
	if g.perTicket, err = measureTickets(ctx, 1, 5, 10, 25, 50, 100); err != nil {
		return g, err
	}

	// The collector works often here, so that what is seen is what is held and not what is left.
	debug.SetGCPercent(10)
	for _, pages := range []int{10, 100, 1000, 10_000} {
		client, err := supportbee.New("acme", "token", supportbee.WithTransport(manyPages(pages)))
		if err != nil {
			return g, err
		}
		walk := func(each func(tickets int)) error {
			tickets := 0
			for _, err := range client.Tickets.All(ctx, &supportbee.TicketListOptions{PerPage: perPage}) {
				if err != nil {
					return err
				}
				tickets++
				each(tickets)
			}
			if tickets != pages*perPage {
				return fmt.Errorf("%d tickets on %d pages", tickets, pages)
			}
			return nil
		}
		peak, err := bench.PeakHeap(func() error { return walk(func(int) {}) })
		if err != nil {
			return g, err
		}
		g.walkMemory = append(g.walkMemory, point{float64(pages), float64(peak) / (1 << 20)})

		start, most := alive(), 0.0
		err = walk(func(tickets int) {
			if tickets%(pages*perPage/10) == 0 {
				most = max(most, alive()-start)
			}
		})
		if err != nil {
			return g, err
		}
		g.walkHeld = append(g.walkHeld, point{float64(pages), most})
	}
	debug.SetGCPercent(100)

	if err := g.measureCalls(ctx); err != nil {
		return g, err
	}
	g.costs, err = profileCalls(ctx, inFlight, 512)
	return g, err
}

// measureTickets returns what a ticket costs on pages of these sizes, without the cost of the call
// itself, which is that of an empty page. The median of many short turns counts, each beside an
// empty page at that moment.
func measureTickets(ctx context.Context, sizes ...int) ([]point, error) {
	list := func(n int) (float64, error) {
		client, err := supportbee.New("acme", "token", supportbee.WithTransport(onePage(bench.Page(1, n, 1))))
		if err != nil {
			return 0, err
		}
		once := func(ctx context.Context) error {
			return check(client.Tickets.List(ctx, nil))
		}
		if err := once(ctx); err != nil { // takes the memory that the next ones use again
			return 0, err
		}
		sample, err := bench.Measure(ctx, 10*time.Millisecond, once)
		return sample.Nanoseconds, err
	}
	costs := make([][]float64, len(sizes))
	for range 60 {
		for i, n := range sizes {
			empty, err := list(0)
			if err != nil {
				return nil, err
			}
			full, err := list(n)
			if err != nil {
				return nil, err
			}
			costs[i] = append(costs[i], (full-empty)/float64(n))
		}
	}
	points := make([]point, len(sizes))
	for i, n := range sizes {
		points[i] = point{float64(n), median(costs[i])}
	}
	return points, nil
}

// alive is what a collection leaves, in MiB.
func alive() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / (1 << 20)
}

// measureCalls fills in how many calls a second are made, from 1 to 512 goroutines. The best of all
// rounds counts. Every round goes through everything, so that no number of goroutines and no
// contestant alone has the machine's good or bad moments.
func (g *growth) measureCalls(ctx context.Context) error {
	client := func(url string) (func() error, error) {
		client, err := supportbee.New("", "token", supportbee.WithBaseURL(url))
		return func() error { return check(client.Tickets.Get(ctx, 7)) }, err
	}
	capped := func(url string) (func() error, error) {
		get, err := client(url)
		slots := make(chan struct{}, inFlight)
		return func() error {
			slots <- struct{}{}
			defer func() { <-slots }()
			return get()
		}, err
	}
	bare := func(url string) (func() error, error) { return bareGet(ctx, url), nil }
	canned := func(string) (func() error, error) {
		client, err := supportbee.New("acme", "token", supportbee.WithTransport(bench.Canned{}))
		return func() error { return check(client.Tickets.Get(ctx, 7)) }, err
	}
	for round := range 4 {
		for i, n := 0, 1; n <= 512; i, n = i+1, n*2 {
			for _, what := range []struct {
				points    *[]point
				client    func(url string) (func() error, error)
				gcPercent int
				opened    *[]point // may be nil
			}{
				{&g.calls, client, 100, &g.connections},
				{&g.bare, bare, 100, &g.dialed},
				{&g.uncollected, client, -1, nil},
				{&g.capped, capped, 100, nil},
				{&g.canned, canned, 100, nil},
			} {
				debug.SetGCPercent(what.gcPercent)
				calls, connections, err := throughput(n, what.client)
				debug.SetGCPercent(100)
				if err != nil {
					return err
				}
				if round == 0 {
					*what.points = append(*what.points, point{float64(n), 0})
				}
				(*what.points)[i].y = max((*what.points)[i].y, calls)
				if what.opened == nil {
					continue
				}
				if round == 0 {
					*what.opened = append(*what.opened, point{float64(n), 0})
				}
				(*what.opened)[i].y = max((*what.opened)[i].y, connections)
			}
		}
	}
	return nil
}

// inFlight is where calls a second are near their best on few processors.
const inFlight = 64

// throughput makes calls from n goroutines for a quarter of a second, and returns how many there were a second
// and how many connections were opened for them.
func throughput(n int, client func(url string) (func() error, error)) (calls, connections float64, err error) {
	server := bench.NewServer()
	defer server.Close()
	get, err := client(server.URL)
	if err != nil {
		return 0, 0, err
	}
	// Once before the clock runs, for the connections to be there; some come late, when their
	// goroutine has got another that became idle.
	if err := bench.Together(n, get); err != nil {
		return 0, 0, err
	}
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	made, took, err := callsFrom(n, time.Second/4, get)
	return float64(made) / took.Seconds(), float64(server.Connections.Load()), err
}

// callsFrom makes calls from n goroutines for so long.
func callsFrom(n int, long time.Duration, call func() error) (made int64, took time.Duration, err error) {
	var count atomic.Int64
	start := time.Now()
	err = bench.Together(n, func() error {
		for time.Since(start) < long {
			if err := call(); err != nil {
				return err
			}
			count.Add(1)
		}
		return nil
	})
	return count.Load(), time.Since(start), err
}

// bareGet fetches the same response with net/http and throws it away: what is left is what the
// machine and the standard library can do.
func bareGet(ctx context.Context, url string) func() error {
	transport := &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	return func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/tickets/7", nil)
		if err != nil {
			return err
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, res.Body)
		return errors.Join(err, res.Body.Close())
	}
}

func check[T any](_ T, err error) error { return err }

// onePage responds to every request with the same page.
type onePage []byte

func (p onePage) RoundTrip(req *http.Request) (*http.Response, error) { return respond(req, p), nil }

const perPage = 10

// manyPages is a list of so many pages.
type manyPages int

func (p manyPages) RoundTrip(req *http.Request) (*http.Response, error) {
	number, err := strconv.Atoi(req.URL.Query().Get("page"))
	if err != nil {
		return nil, err
	}
	return respond(req, bench.Page(number, perPage, int(p))), nil
}

func respond(req *http.Request, body []byte) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Request: req, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
	}
}

func (g growth) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	row := func(name, format string, points []point) {
		cells := make([]string, len(points))
		for i, p := range points {
			cells[i] = fmt.Sprintf(format, p.y)
		}
		line("| %s | %s |", name, strings.Join(cells, " | "))
	}
	head := func(name string, points []point) {
		cells := make([]string, len(points))
		for i, p := range points {
			cells[i] = fmt.Sprintf("%.0f", p.x)
		}
		line("\n| %s | %s |\n|---|%s", name, strings.Join(cells, " | "), strings.Repeat("---|", len(points)))
	}
	line("\n## Growth\n\n![How costs grow](growth.svg)")
	head("tickets on a page", g.perTicket)
	row("ns a ticket, without the call's own cost", "%.0f", g.perTicket)
	line("\nThe highest is %.0f %% above the lowest.", 100*(highest(g.perTicket)/lowest(g.perTicket)-1))
	head(fmt.Sprintf("pages of %d tickets walked", perPage), g.walkHeld)
	row("MiB in use, the highest of ten measurements", "%.2f", g.walkHeld)
	row("MiB at the highest, what awaits collection included", "%.1f", g.walkMemory)
	line("\nA walk remembers which tickets it has yielded: one bit for each where their IDs are close together.")
	head("goroutines", g.calls)
	row("calls a second", "%.0f", g.calls)
	row("net/http alone, responses thrown away", "%.0f", g.bare)
	row("with garbage collection off", "%.0f", g.uncollected)
	row(fmt.Sprintf("at most %d calls at a time", inFlight), "%.0f", g.capped)
	row("without a network", "%.0f", g.canned)
	row("connections opened", "%.0f", g.connections)
	row("by net/http alone", "%.0f", g.dialed)
	line("\nThe best of four rounds of a quarter of a second. Client and server are in one process here. From the best to %.0f goroutines the", g.calls[len(g.calls)-1].x)
	line("SDK keeps %.0f %% of its calls a second, net/http alone %.0f %%, the SDK with garbage collection off %.0f %%, and the SDK without a", kept(g.calls), kept(g.bare), kept(g.uncollected))
	line("network %.0f %%. A program that holds its calls back to %d at a time keeps %.0f %% of the best.", kept(g.canned), inFlight, 100*g.capped[len(g.capped)-1].y/highest(g.calls))
	line("\nThe connections are the most of any round. They are kept and used again. There can be more of them than goroutines: net/http may")
	line("dial while another connection becomes idle, and keeps both.")

	few, many := g.costs[0], g.costs[1]
	line("\n| processor time of a call, µs | %d goroutines | %d | more |\n|---|---|---|---|", few.goroutines, many.goroutines)
	grown, own, most := many.total()-few.total(), 0.0, 0
	for i, p := range parts {
		more := many.parts[i] - few.parts[i]
		if more > many.parts[most]-few.parts[most] {
			most = i
		}
		line("| %s | %.1f | %.1f | %+.1f |", p.name, few.parts[i], many.parts[i], more)
		if p.own {
			own += more
		}
	}
	line("| together | %.1f | %.1f | %+.1f |", few.total(), many.total(), grown)
	line("| MiB held by client and server, stacks included | %.1f | %.1f | %+.1f |", few.memory, many.memory, many.memory-few.memory)
	line("\nThe profile shows why calls a second fall: a call takes %.1f µs more, the largest part of it in %s. For each", grown, parts[most].name)
	line("goroutine and its connection, client and server hold %.0f KiB, which the collector goes through and the processor's caches have to", 1024*many.memory/float64(many.goroutines))
	line("hold. Of the growth, %.1f µs are in the code of the SDK and of resty. Calls a second of net/http alone fall as well. The SDK", own)
	line("does not limit the calls in progress, since that would slow down programs whose server responds slowly.")
	return b.String()
}

// lowest is the smallest of the values.
func lowest(points []point) float64 {
	least := math.Inf(1)
	for _, p := range points {
		least = min(least, p.y)
	}
	return least
}

// highest is the largest of the values.
func highest(points []point) float64 {
	most := 0.0
	for _, p := range points {
		most = max(most, p.y)
	}
	return most
}

// kept is the last value in per cent of the highest.
func kept(points []point) float64 {
	return 100 * points[len(points)-1].y / highest(points)
}
