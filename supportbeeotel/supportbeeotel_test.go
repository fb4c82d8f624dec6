package supportbeeotel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// telemetry collects what is exported.
type telemetry struct {
	spans  *tracetest.InMemoryExporter
	traces *sdktrace.TracerProvider
	reader *sdkmetric.ManualReader
	meters *sdkmetric.MeterProvider
}

func newTelemetry(opts ...sdktrace.TracerProviderOption) *telemetry {
	o := &telemetry{spans: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	o.traces = sdktrace.NewTracerProvider(append(opts, sdktrace.WithSyncer(o.spans))...)
	o.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(o.reader))
	return o
}

func (o *telemetry) instrument(client *supportbee.Client) *supportbee.Client {
	return supportbeeotel.Instrument(client, supportbeeotel.WithTracerProvider(o.traces), supportbeeotel.WithMeterProvider(o.meters))
}

// seen returns the spans in the order in which they ended, each followed by its events.
func (o *telemetry) seen() []string {
	var lines []string
	for _, s := range o.spans.GetSpans() {
		lines = append(lines, fmt.Sprintf("%s %v %v %v%q {%s}", s.Name, s.SpanKind, s.EndTime.Sub(s.StartTime), s.Status.Code, s.Status.Description, text(s.Attributes)))
		for _, e := range s.Events {
			lines = append(lines, fmt.Sprintf("  %s {%s}", e.Name, text(e.Attributes)))
		}
	}
	return lines
}

func text(attrs []attribute.KeyValue) string {
	set := attribute.NewSet(attrs...)
	return set.Encoded(attribute.DefaultEncoder())
}

// measured returns each series with its value: the count and the sum of a histogram.
func (o *telemetry) measured(t *testing.T) map[string]string {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, o.reader.Collect(t.Context(), &all))
	series := map[string]string{}
	add := func(m metricdata.Metrics, set attribute.Set, value string) {
		series[m.Name+"{"+set.Encoded(attribute.DefaultEncoder())+"}"] = value
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprintf("%d: %g %s", p.Count, p.Sum, m.Unit))
				}
			case metricdata.Histogram[int64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprintf("%d: %d %s", p.Count, p.Sum, m.Unit))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					add(m, p.Attributes, fmt.Sprintf("%d %s", p.Value, m.Unit))
				}
			default:
				t.Errorf("unexpected data of %s: %T", m.Name, data)
			}
		}
	}
	return series
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func get(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error {
	_, err := client.Tickets.Get(ctx, id)
	return err
}

func reply(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error {
	_, err := client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("Here it is.")})
	return err
}

func download(ctx context.Context, client *supportbee.Client, _ supportbee.TicketID) error {
	file, err := client.Attachments.Upload(ctx, "a.txt", strings.NewReader("x"), nil)
	if err != nil {
		return err
	}
	return client.Attachments.Download(ctx, *file, io.Discard, nil)
}

func TestSpans(t *testing.T) {
	t.Parallel()
	once := []supportbee.Option{supportbee.WithoutRetry()}
	for _, tt := range []struct {
		name    string
		faults  []supportbeetest.Fault // of the first request
		options []supportbee.Option
		timeout time.Duration
		call    func(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error
		wantErr error
		want    []string
	}{
		{
			name:   "success",
			faults: []supportbeetest.Fault{supportbeetest.Delay(time.Second / 2)},
			call:   get,
			want: []string{
				`Tickets.Get client 500ms Unset"" {http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0.5,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:   "rate limit",
			faults: []supportbeetest.Fault{supportbeetest.Delay(time.Second), supportbeetest.RateLimited("2")},
			call:   get,
			want: []string{
				`Tickets.Get client 3s Unset"" {http.request.method=GET,http.request.resend_count=1,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=429,http.request.resend_count=0,http.response.status_code=429,supportbee.attempt.duration=1,supportbee.attempt.wait=0}`,
				`  http.attempt {http.request.resend_count=1,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=2}`,
			},
		},
		{
			name:   "rate limit too long",
			faults: []supportbeetest.Fault{supportbeetest.RateLimited("300")},
			call: func(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error {
				return errors.Join(get(ctx, client, id), get(ctx, client, id))
			},
			wantErr: supportbee.ErrRateLimited,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=429,http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=429,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=429,http.request.resend_count=0,http.response.status_code=429,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
				`Tickets.Get client 0s Error"" {error.type=rate_limited,http.request.method=GET,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
			},
		},
		{
			name:    "status",
			faults:  []supportbeetest.Fault{supportbeetest.Status(http.StatusForbidden)},
			call:    get,
			wantErr: supportbee.ErrAccessDenied,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=403,http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=403,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=403,http.request.resend_count=0,http.response.status_code=403,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "outcome unknown",
			faults:  []supportbeetest.Fault{supportbeetest.Status(http.StatusServiceUnavailable)},
			call:    reply,
			wantErr: supportbee.ErrOutcomeUnknown,
			want: []string{
				`Replies.Create client 0s Error"" {error.type=outcome_unknown,http.request.method=POST,http.response.header.x-request-id=["r"],http.response.status_code=503,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}/replies}`,
				`  http.attempt {error.type=503,http.request.resend_count=0,http.response.status_code=503,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "HTML page",
			faults:  []supportbeetest.Fault{supportbeetest.HTMLPage(http.StatusOK)},
			options: once,
			call:    get,
			wantErr: supportbee.ErrMalformedResponse,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=malformed_response,http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=malformed_response,http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "body that ends early",
			faults:  []supportbeetest.Fault{supportbeetest.DropBody()},
			options: once,
			call:    get,
			wantErr: io.ErrUnexpectedEOF,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=malformed_response,http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=malformed_response,http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "too large",
			options: []supportbee.Option{supportbee.WithMaxResponseSize(10)},
			call:    get,
			wantErr: supportbee.ErrResponseTooLarge,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=response_too_large,http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=response_too_large,http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "deadline",
			faults:  []supportbeetest.Fault{supportbeetest.Delay(time.Minute)},
			timeout: time.Second,
			call:    get,
			wantErr: context.DeadlineExceeded,
			want: []string{
				`Tickets.Get client 1s Error"" {error.type=timeout,http.request.method=GET,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=timeout,http.request.resend_count=0,supportbee.attempt.duration=1,supportbee.attempt.wait=0}`,
			},
		},
		{
			name:    "attempt timeout",
			faults:  []supportbeetest.Fault{supportbeetest.Delay(time.Minute)},
			options: append([]supportbee.Option{supportbee.WithTimeout(2 * time.Second)}, once...),
			call:    get,
			wantErr: os.ErrDeadlineExceeded,
			want: []string{
				`Tickets.Get client 2s Error"" {error.type=timeout,http.request.method=GET,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=timeout,http.request.resend_count=0,supportbee.attempt.duration=2,supportbee.attempt.wait=0}`,
			},
		},
		{
			name: "no connection",
			options: append([]supportbee.Option{supportbee.WithTransport(transportFunc(func(*http.Request) (*http.Response, error) {
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			}))}, once...),
			call:    get,
			wantErr: syscall.ECONNREFUSED,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=*net.OpError,http.request.method=GET,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
				`  http.attempt {error.type=*net.OpError,http.request.resend_count=0,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name: "canceled",
			call: func(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error {
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				return get(ctx, client, id)
			},
			wantErr: context.Canceled,
			want: []string{
				`Tickets.Get client 0s Error"" {error.type=canceled,http.request.method=GET,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}`,
			},
		},
		{
			name: "Do",
			call: func(ctx context.Context, client *supportbee.Client, _ supportbee.TicketID) error {
				return client.Do(ctx, "ANN", "/people/ann@example.com", nil, nil)
			},
			wantErr: supportbee.ErrNotFound,
			want: []string{
				`Do client 0s Error"" {error.type=404,http.request.method=_OTHER,http.response.header.x-request-id=["9e3779b1-0001-desk"],http.response.status_code=404,server.address=desk.localhost,server.port=80}`,
				`  http.attempt {error.type=404,http.request.resend_count=0,http.response.status_code=404,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name: "iterator",
			call: func(ctx context.Context, client *supportbee.Client, _ supportbee.TicketID) error {
				_, err := supportbee.Collect(client.With(supportbee.WithPrefetch(0)).Tickets.All(ctx, &supportbee.TicketListOptions{PerPage: 4}))
				return err
			},
			want: []string{
				`Tickets.List client 0s Unset"" {http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets}`,
				`  http.attempt {http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
				`Tickets.List client 0s Unset"" {http.request.method=GET,http.response.header.x-request-id=["r"],http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets}`,
				`  http.attempt {http.request.resend_count=0,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name: "download",
			call: download,
			want: []string{
				`Attachments.Upload client 0s Unset"" {http.request.method=POST,http.response.header.x-request-id=["r"],http.response.status_code=201,server.address=desk.localhost,server.port=80,url.template=/attachments}`,
				`  http.attempt {http.request.resend_count=0,http.response.status_code=201,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
				`Attachments.Download client 0s Unset"" {http.request.method=GET,http.request.resend_count=1,http.response.header.x-request-id=["r"],http.response.status_code=200}`,
				`  http.attempt {http.request.resend_count=0,http.response.status_code=302,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
				`  http.attempt {http.request.resend_count=1,http.response.status_code=200,supportbee.attempt.duration=0,supportbee.attempt.wait=0}`,
			},
		},
		{
			name: "argument",
			call: func(ctx context.Context, client *supportbee.Client, _ supportbee.TicketID) error {
				return get(ctx, client, 0)
			},
			wantErr: supportbee.ErrInvalidArgument,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				desk := supportbeetest.New(t, supportbeetest.InMemory())
				id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})
				named := supportbeetest.Header("X-Request-Id", "r")
				desk.Inject(supportbeetest.Match{Times: 1}, append([]supportbeetest.Fault{named}, tt.faults...)...)
				desk.Inject(supportbeetest.Match{}, named)
				o := newTelemetry()
				ctx := t.Context()
				if tt.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				require.ErrorIs(t, tt.call(ctx, o.instrument(desk.Client(tt.options...)), id), tt.wantErr)
				assert.Equal(t, tt.want, o.seen())
			})
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})
		o := newTelemetry()
		client := o.instrument(desk.Client())
		ctx := t.Context()
		desk.Inject(supportbeetest.Match{Op: "Tickets.Get", Times: 1}, supportbeetest.Delay(time.Second), supportbeetest.RateLimited("2"))
		require.NoError(t, get(ctx, client, id))
		require.NoError(t, get(ctx, client.With(), id), "a copy is instrumented, too")
		require.ErrorIs(t, get(ctx, client, 99), supportbee.ErrNotFound)
		desk.Inject(supportbeetest.Match{Op: "Replies.Create"}, supportbeetest.Status(http.StatusServiceUnavailable))
		require.ErrorIs(t, reply(ctx, client, id), supportbee.ErrOutcomeUnknown)
		require.NoError(t, download(ctx, client, id))
		assert.Equal(t, map[string]string{
			"http.client.request.duration{error.type=404,http.request.method=GET,http.response.status_code=404,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}":          "1: 0 s",
			"http.client.request.duration{error.type=429,http.request.method=GET,http.response.status_code=429,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}":          "1: 1 s",
			"http.client.request.duration{error.type=503,http.request.method=POST,http.response.status_code=503,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}/replies}": "1: 0 s",
			"http.client.request.duration{http.request.method=GET,http.response.status_code=200,server.address=desk.localhost,server.port=80,url.template=/tickets/{id}}":                         "2: 0 s",
			"http.client.request.duration{http.request.method=GET,http.response.status_code=200}":                                                                                                 "1: 0 s",
			"http.client.request.duration{http.request.method=GET,http.response.status_code=302}":                                                                                                 "1: 0 s",
			"http.client.request.duration{http.request.method=POST,http.response.status_code=201,server.address=desk.localhost,server.port=80,url.template=/attachments}":                         "1: 0 s",
			"supportbee.client.operation.active{supportbee.operation=Attachments.Download}":                                                                                                       "0 {operation}",
			"supportbee.client.operation.active{supportbee.operation=Attachments.Upload}":                                                                                                         "0 {operation}",
			"supportbee.client.operation.active{supportbee.operation=Replies.Create}":                                                                                                             "0 {operation}",
			"supportbee.client.operation.active{supportbee.operation=Tickets.Get}":                                                                                                                "0 {operation}",
			"supportbee.client.operation.attempts{error.type=404,supportbee.operation=Tickets.Get}":                                                                                               "1: 1 {attempt}",
			"supportbee.client.operation.attempts{error.type=outcome_unknown,supportbee.operation=Replies.Create}":                                                                                "1: 1 {attempt}",
			"supportbee.client.operation.attempts{supportbee.operation=Attachments.Download}":                                                                                                     "1: 2 {attempt}",
			"supportbee.client.operation.attempts{supportbee.operation=Attachments.Upload}":                                                                                                       "1: 1 {attempt}",
			"supportbee.client.operation.attempts{supportbee.operation=Tickets.Get}":                                                                                                              "2: 3 {attempt}",
			"supportbee.client.operation.duration{error.type=404,supportbee.operation=Tickets.Get}":                                                                                               "1: 0 s",
			"supportbee.client.operation.duration{error.type=outcome_unknown,supportbee.operation=Replies.Create}":                                                                                "1: 0 s",
			"supportbee.client.operation.duration{supportbee.operation=Attachments.Download}":                                                                                                     "1: 0 s",
			"supportbee.client.operation.duration{supportbee.operation=Attachments.Upload}":                                                                                                       "1: 0 s",
			"supportbee.client.operation.duration{supportbee.operation=Tickets.Get}":                                                                                                              "2: 3 s",
			"supportbee.client.wait.duration{supportbee.operation=Tickets.Get}":                                                                                                                   "1: 2 s",
		}, o.measured(t))
	})
}

// Operations in progress are counted until they end.
func TestActiveOperations(t *testing.T) {
	t.Parallel()
	o := newTelemetry()
	var during map[string]string
	client, err := supportbee.New("acme", "the-token", supportbee.WithTransport(transportFunc(func(*http.Request) (*http.Response, error) {
		during = o.measured(t)
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	})), supportbee.WithoutRetry())
	require.NoError(t, err)
	require.Error(t, get(t.Context(), o.instrument(client), 1))
	const active = "supportbee.client.operation.active{supportbee.operation=Tickets.Get}"
	assert.Equal(t, map[string]string{active: "1 {operation}"}, during)
	assert.Equal(t, "0 {operation}", o.measured(t)[active])
	assert.Contains(t, o.seen()[0], "server.address=acme.supportbee.com,server.port=443,")
}

// The span of an operation is the child of the caller's and the parent of what a transport does. No
// trace context is sent.
func TestContext(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	o := newTelemetry()
	var inner trace.SpanContext
	var header http.Header
	client := o.instrument(desk.Client(supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		inner, header = trace.SpanContextFromContext(req.Context()), req.Header.Clone()
		return desk.Transport().RoundTrip(req)
	}))))
	ctx, parent := o.traces.Tracer("").Start(t.Context(), "job")
	_, err := client.Labels.List(ctx)
	require.NoError(t, err)
	exported := o.spans.GetSpans()
	require.Len(t, exported, 1)
	assert.Equal(t, parent.SpanContext(), exported[0].Parent)
	assert.Equal(t, inner, exported[0].SpanContext)
	assert.Equal(t, instrumentation.Scope{
		Name: "github.com/supportbee-go/supportbee/supportbeeotel", Version: supportbee.Version, SchemaURL: "https://opentelemetry.io/schemas/1.43.0",
	}, exported[0].InstrumentationScope)
	for _, name := range []string{"Traceparent", "Tracestate", "Baggage"} {
		assert.NotContains(t, header, name)
	}
}

// What is not sampled is measured all the same.
func TestNotSampled(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	o := newTelemetry(sdktrace.WithSampler(sdktrace.NeverSample()))
	_, err := o.instrument(desk.Client()).Labels.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, o.seen())
	assert.Equal(t, "1: 1 {attempt}", o.measured(t)["supportbee.client.operation.attempts{supportbee.operation=Labels.List}"])
}

// By default the global providers are used.
func TestGlobalProviders(t *testing.T) { //nolint:paralleltest // the providers are global
	traces, meters := otel.GetTracerProvider(), otel.GetMeterProvider()
	t.Cleanup(func() { otel.SetTracerProvider(traces); otel.SetMeterProvider(meters) })
	o := newTelemetry()
	otel.SetTracerProvider(o.traces)
	otel.SetMeterProvider(o.meters)
	_, err := supportbeeotel.Instrument(supportbeetest.New(t).Client(), nil).Labels.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, o.spans.GetSpans(), 1)
	assert.Contains(t, o.measured(t), "supportbee.client.operation.attempts{supportbee.operation=Labels.List}")
}

// Nothing personal is exported, whatever fails.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	private := []string{"ann", "hush", "kettle", "leaks", "secret", "invoice", desk.Token}
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle", Text: "It leaks.", RequesterEmail: "ann@example.com", RequesterName: "Ann"})
	desk.AddLabel("hush", "blue")
	o := newTelemetry()
	client := o.instrument(desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}), supportbee.WithHeader("X-Secret", "secret")))
	ctx := t.Context()
	calls := func(client *supportbee.Client) {
		_, _ = client.Tickets.List(ctx, &supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}, Label: "hush"})
		_, _ = client.Tickets.Search(ctx, "kettle", nil)
		_ = get(ctx, client, id)
		_, _ = client.Tickets.Create(ctx, supportbee.TicketParams{Subject: "Kettle", RequesterEmail: "ann@example.com", RequesterName: "Ann", Content: supportbee.Text("It leaks.")})
		_, _ = client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("It leaks.")})
		_ = client.Labels.Remove(ctx, id, "hush")
		_ = client.Do(ctx, http.MethodGet, "/users/ann@example.com?secret=1", nil, nil)
		file, err := client.Attachments.Upload(ctx, "invoice.txt", strings.NewReader("secret"), nil)
		if err == nil {
			_ = client.Attachments.Download(ctx, *file, io.Discard, nil)
		}
	}
	calls(client)
	message := supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Secret", "secret")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"error":"ann@example.com is Ann, with `+desk.Token+`"}`)
	}))
	for _, fault := range []supportbeetest.Fault{
		message, supportbeetest.Drop(), supportbeetest.Corrupt(), supportbeetest.HTMLPage(http.StatusOK), supportbeetest.Redirect(http.StatusFound, "https://ann.example.com/secret"),
	} {
		injection := desk.Inject(supportbeetest.Match{}, fault)
		calls(client)
		injection.Remove()
	}
	calls(client.With(supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("%s: %s", req.URL, req.Header.Get("Authorization"))
	}))))

	var measured metricdata.ResourceMetrics
	require.NoError(t, o.reader.Collect(ctx, &measured))
	exported := strings.ToLower(fmt.Sprintf("%+v %q %+v %v", o.spans.GetSpans(), o.seen(), measured.ScopeMetrics, o.measured(t)))
	require.Contains(t, exported, "outcome_unknown")
	for _, word := range private {
		assert.NotContains(t, exported, strings.ToLower(word))
	}
}

// The README's code is not only compiled, it runs.
func TestReadmeCodeRuns(t *testing.T) {
	t.Parallel()
	o := newTelemetry()
	client, err := readmeInstrument("the-token", o.traces, o.meters)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, get(ctx, client, 1), context.Canceled)
	assert.Len(t, o.spans.GetSpans(), 1)
}
