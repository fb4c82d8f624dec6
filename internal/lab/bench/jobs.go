package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// Desk is an embedded desk on a loopback server whose responses take a while.
type Desk struct {
	*httptest.Server
	Requests atomic.Int64
	Token    string
}

// NewDesk starts a desk with tickets that have at least a reply and a comment each.
func NewDesk(tickets int, latency time.Duration) (*Desk, error) {
	desk, err := supportbeetest.Start(supportbeetest.InMemory(), supportbeetest.WithoutSeed(), supportbeetest.WithHistoryLimit(0))
	if err != nil {
		return nil, err
	}
	agent := desk.Users()[0].ID
	for _, ticket := range desk.AddTickets(tickets) {
		desk.AddReply(ticket, agent, "A new one is on its way.")
		desk.AddComment(ticket, agent, "The third this week.")
	}
	d := &Desk{Token: desk.Token}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.Requests.Add(1)
		if latency > 0 {
			if err := sleep(latency); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		desk.ServeHTTP(w, r)
	}))
	return d, nil
}

// exported is a line of an export.
type exported[T, R, C any] struct {
	Ticket   T   `json:"ticket"`
	Replies  []R `json:"replies"`
	Comments []C `json:"comments"`
}

// Export writes all tickets with their replies and comments as JSON lines, with the SDK. If parts is
// false, it leaves out the replies and comments.
func (d *Desk) Export(ctx context.Context, w io.Writer, workers int, parts bool) (tickets int, err error) {
	client, err := supportbee.New("", d.Token, supportbee.WithBaseURL(d.URL))
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	type line = exported[*supportbee.Ticket, *supportbee.Reply, *supportbee.Comment]
	var lines sync.Map
	opts := &supportbee.ExportOptions{Workers: workers}
	if parts {
		opts.Prepare = func(ctx context.Context, ticket *supportbee.Ticket) error {
			replies, err := client.Replies.List(ctx, ticket.ID)
			if err != nil {
				return err
			}
			comments, err := client.Comments.List(ctx, ticket.ID)
			lines.Store(ticket.ID, line{ticket, replies, comments})
			return err
		}
	}
	out := json.NewEncoder(w)
	for ticket, err := range client.Tickets.Export(ctx, nil, opts) {
		if err != nil {
			return tickets, err
		}
		prepared, ok := lines.LoadAndDelete(ticket.ID)
		if !ok {
			prepared = line{Ticket: ticket}
		}
		if err := out.Encode(prepared); err != nil {
			return tickets, err
		}
		tickets++
	}
	return tickets, nil
}

// ExportByHand does the same with net/http and encoding/json, one request after the other.
func (d *Desk) ExportByHand(ctx context.Context, w io.Writer) (tickets int, err error) {
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	get := func(path string, out any) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL+path, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", "Bearer "+d.Token)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, res.Status)
		}
		return json.NewDecoder(res.Body).Decode(out)
	}
	type post struct {
		ID        int64     `json:"id"`
		CreatedAt time.Time `json:"created_at"`
		Replier   *person   `json:"replier,omitempty"`
		Commenter *person   `json:"commenter,omitempty"`
		Content   content   `json:"content"`
	}
	out := json.NewEncoder(w)
	for page, pages := 1, 1; page <= pages; page++ {
		var list struct {
			TotalPages int          `json:"total_pages"`
			Tickets    []ticketJSON `json:"tickets"`
		}
		if err := get("/tickets?archived=any&spam=true&trash=true&per_page=100&page="+strconv.Itoa(page), &list); err != nil {
			return tickets, err
		}
		pages = list.TotalPages
		for _, ticket := range list.Tickets {
			var replies struct {
				Replies []post `json:"replies"`
			}
			var comments struct {
				Comments []post `json:"comments"`
			}
			path := "/tickets/" + strconv.FormatInt(ticket.ID, 10)
			if err := get(path+"/replies", &replies); err != nil {
				return tickets, err
			}
			if err := get(path+"/comments", &comments); err != nil {
				return tickets, err
			}
			if err := out.Encode(exported[ticketJSON, post, post]{ticket, replies.Replies, comments.Comments}); err != nil {
				return tickets, err
			}
			tickets++
		}
	}
	return tickets, nil
}

// Peak does something once and returns how much memory the heap had at the highest above its start,
// what awaits collection included. It looks every few milliseconds, so that little time is lost.
func Peak(do func() error) (peak uint64, err error) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	runtime.GC()
	metrics.Read(sample)
	start := sample[0].Value.Uint64()
	done := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				metrics.Read(sample)
				peak = max(peak, sample[0].Value.Uint64())
			}
		}
	})
	err = do()
	close(done)
	looking.Wait()
	return max(peak, start) - start, err
}

// discard is an exporter without costs of its own.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// Observed is a way to observe a client.
type Observed struct {
	Name   string
	Client *supportbee.Client
}

// ObservedClients are clients without a network: a plain one first, then one for each way to observe
// it alone.
func ObservedClients() ([]Observed, error) {
	client, err := supportbee.New("acme", token, supportbee.WithTransport(Canned{}))
	if err != nil {
		return nil, err
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	otel := func(sampler sdktrace.Sampler) *supportbee.Client {
		traces := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(discard{}))
		return supportbeeotel.Instrument(client, supportbeeotel.WithTracerProvider(traces), supportbeeotel.WithMeterProvider(meters))
	}
	return []Observed{
		{"plain", client},
		{"observer", client.With(supportbee.WithObserver(supportbee.Observer{
			Start:   func(ctx context.Context, _ supportbee.Operation) context.Context { return ctx },
			Attempt: func(context.Context, supportbee.Attempt) {},
			End:     func(context.Context, supportbee.Operation, supportbee.Response, error) {},
		}))},
		{"logger, debug as JSON", client.With(supportbee.WithLogger(slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))))},
		{"OpenTelemetry, all sampled", otel(sdktrace.AlwaysSample())},
		{"OpenTelemetry, none sampled", otel(sdktrace.NeverSample())},
	}, nil
}

// DeskFigure is a measurement of the embedded desk.
type DeskFigure struct{ What, Value string }

// MeasureDesk measures an embedded desk of so many tickets, without a network except where it says
// so.
func MeasureDesk(ctx context.Context, tickets int, each time.Duration) (figures []DeskFigure, err error) {
	before := live()
	desk, err := supportbeetest.Start(supportbeetest.WithHistoryLimit(1<<20), supportbeetest.WithDialect(supportbeetest.DialectRecorded))
	if err != nil {
		return nil, err
	}
	defer desk.Close()
	ids := desk.AddTickets(tickets)
	figures = append(figures, DeskFigure{"memory of a ticket", fmt.Sprintf("%.0f B", float64(live()-before)/float64(tickets))})
	for _, work := range []struct{ what, path string }{
		{"list of 100 tickets, page 500", "/tickets?per_page=100&page=500"},
		{"the same with three selections", "/tickets?per_page=100&label=bug&assigned_user=any&replies=true"},
		{"search for rare words", "/tickets/search?query=%2877777%29"},
		{"search for common words", "/tickets/search?query=kettle"},
		{"list of users", "/users"},
		{"report of tickets", "/reports/tickets_count"},
		{"report of first responses", "/reports/avg_first_response_time"},
	} {
		sample, err := Measure(ctx, each, func(ctx context.Context) error {
			req := httptest.NewRequestWithContext(ctx, http.MethodGet, work.path, nil)
			req.Header.Set("Accept", "application/json")
			req.Header.Set("Authorization", "Bearer "+desk.Token)
			w := httptest.NewRecorder()
			desk.ServeHTTP(w, req)
			if w.Code != http.StatusOK {
				return fmt.Errorf("%s: status %d", work.path, w.Code)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		figures = append(figures, DeskFigure{work.what, fmt.Sprintf("%.2f ms", sample.Nanoseconds/1e6)})
	}
	client := desk.Client()
	sample, err := Measure(ctx, each, func(ctx context.Context) error {
		return Together(64, func() error {
			for range 10 {
				if err := check(client.Tickets.Get(ctx, ids[0])); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	figures = append(figures, DeskFigure{"one ticket over loopback, 64 goroutines with the SDK", fmt.Sprintf("%.0f a second", 640e9/sample.Nanoseconds)})

	desk.Inject(supportbeetest.Match{}, supportbeetest.Delay(time.Hour))
	desk.ClearHistory()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() { _, _ = client.Labels.List(ctx) })
	}
	if err := desk.Wait(ctx, func() bool { return len(desk.Requests()) >= 200 }); err != nil {
		return nil, err
	}
	start := time.Now()
	desk.Close()
	took := time.Since(start)
	all.Wait()
	return append(figures, DeskFigure{"Close, with 200 requests in flight that would take an hour", fmt.Sprintf("%.1f ms", float64(took.Microseconds())/1000)}), nil
}

func live() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
