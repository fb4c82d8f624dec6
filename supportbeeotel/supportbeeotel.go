package supportbeeotel

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/supportbee-go/supportbee"
)

const scope = "github.com/supportbee-go/supportbee/supportbeeotel"

// Attributes that the semantic conventions do not have.
const (
	operationKey       = attribute.Key("supportbee.operation")
	attemptDurationKey = attribute.Key("supportbee.attempt.duration")
	attemptWaitKey     = attribute.Key("supportbee.attempt.wait")
)

// Option configures [Instrument].
type Option func(*config)

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
}

// WithTracerProvider sets the provider of the tracer. The default is the global one.
func WithTracerProvider(provider trace.TracerProvider) Option {
	return func(c *config) { c.tracers = provider }
}

// WithMeterProvider sets the provider of the meter. The default is the global one.
func WithMeterProvider(provider metric.MeterProvider) Option {
	return func(c *config) { c.meters = provider }
}

// Instrument returns a copy of client that traces and measures its operations. The copy shares
// connections and rate-limit pauses with client, and its own copies are instrumented, too.
//
// The client must have its final base URL, and must not be instrumented already. An error of the
// meter is reported to [otel.Handle].
func Instrument(client *supportbee.Client, opts ...Option) *supportbee.Client {
	var cfg config
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if cfg.tracers == nil {
		cfg.tracers = otel.GetTracerProvider()
	}
	if cfg.meters == nil {
		cfg.meters = otel.GetMeterProvider()
	}
	o := &observer{
		tracer: cfg.tracers.Tracer(scope, trace.WithInstrumentationVersion(supportbee.Version), trace.WithSchemaURL(semconv.SchemaURL)),
		server: serverOf(client.String()),
	}
	o.makeInstruments(cfg.meters.Meter(scope, metric.WithInstrumentationVersion(supportbee.Version), metric.WithSchemaURL(semconv.SchemaURL)))
	return client.With(supportbee.WithObserver(supportbee.Observer{Start: o.start, Attempt: o.attempt, End: o.end}))
}

// serverOf returns the attributes of the server at a base URL.
func serverOf(base string) []attribute.KeyValue {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		port = map[string]int{"http": 80, "https": 443}[u.Scheme]
	}
	return []attribute.KeyValue{semconv.ServerAddress(u.Hostname()), semconv.ServerPort(port)}
}

// observer makes spans and measurements of the operations of a client.
type observer struct {
	tracer   trace.Tracer
	server   []attribute.KeyValue
	requests metric.Float64Histogram
	duration metric.Float64Histogram
	attempts metric.Int64Histogram
	active   metric.Int64UpDownCounter
	waits    metric.Float64Histogram
}

// makeInstruments sets the instruments. A meter returns one that can be used with every error.
func (o *observer) makeInstruments(meter metric.Meter) {
	seconds := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
	var errs [5]error
	var requests httpconv.ClientRequestDuration
	requests, errs[0] = httpconv.NewClientRequestDuration(meter)
	o.requests = requests.Inst()
	o.duration, errs[1] = meter.Float64Histogram("supportbee.client.operation.duration", seconds,
		metric.WithUnit("s"), metric.WithDescription("Duration of operations, waits and retries included."))
	o.attempts, errs[2] = meter.Int64Histogram("supportbee.client.operation.attempts", metric.WithExplicitBucketBoundaries(0, 1, 2, 3, 4, 6, 8),
		metric.WithUnit("{attempt}"), metric.WithDescription("Number of attempts of operations."))
	o.active, errs[3] = meter.Int64UpDownCounter("supportbee.client.operation.active",
		metric.WithUnit("{operation}"), metric.WithDescription("Number of operations in progress."))
	o.waits, errs[4] = meter.Float64Histogram("supportbee.client.wait.duration", seconds,
		metric.WithUnit("s"), metric.WithDescription("Duration of backoff, rate-limit pauses and the limiter before attempts."))
	if err := errors.Join(errs[:]...); err != nil {
		otel.Handle(err)
	}
}

// operation is the state of an operation in progress.
type operation struct {
	span      trace.Span
	redirects bool // whether the last response was a redirect, whose target is not the client's server
}

type operationKeyType struct{}

func (o *observer) start(ctx context.Context, op supportbee.Operation) context.Context {
	o.active.Add(ctx, 1, metric.WithAttributes(operationKey.String(op.Name)))
	ctx, span := o.tracer.Start(ctx, op.Name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(o.describe(op.Method, op.Route, false)...))
	return context.WithValue(ctx, operationKeyType{}, &operation{span: span})
}

// describe returns the attributes of a request. Those of the server and of the path are left out if
// the request can be to another server, as that of a download, whose route is not a path.
func (o *observer) describe(method, route string, elsewhere bool) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 8) // with room for the response
	attrs = append(attrs, methodOf(method))
	isPath := strings.HasPrefix(route, "/")
	if elsewhere || route != "" && !isPath {
		return attrs
	}
	attrs = append(attrs, o.server...)
	if isPath {
		attrs = append(attrs, semconv.URLTemplate(route))
	}
	return attrs
}

// methodOf returns the method as the conventions have it: others than the known ones could be of
// any number.
func methodOf(method string) attribute.KeyValue {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY":
		return semconv.HTTPRequestMethodKey.String(method)
	}
	return semconv.HTTPRequestMethodOther
}

func (o *observer) attempt(ctx context.Context, attempt supportbee.Attempt) {
	failure := errorType(attempt.Err, attempt.StatusCode)
	op, _ := ctx.Value(operationKeyType{}).(*operation)
	attrs := o.describe(attempt.Method, attempt.Route, op != nil && op.redirects)
	var outcome []attribute.KeyValue
	if attempt.StatusCode != 0 {
		outcome = append(outcome, semconv.HTTPResponseStatusCode(attempt.StatusCode))
	}
	if failure != "" {
		outcome = append(outcome, semconv.ErrorTypeKey.String(failure))
	}
	o.requests.Record(ctx, attempt.Duration.Seconds(), metric.WithAttributes(append(attrs, outcome...)...))
	if attempt.Wait > 0 {
		o.waits.Record(ctx, attempt.Wait.Seconds(), metric.WithAttributes(operationKey.String(attempt.Op)))
	}
	if op == nil {
		return
	}
	op.redirects = attempt.StatusCode/100 == 3
	if op.span.IsRecording() {
		op.span.AddEvent("http.attempt", trace.WithAttributes(append(outcome,
			semconv.HTTPRequestResendCount(attempt.Number-1),
			attemptDurationKey.Float64(attempt.Duration.Seconds()),
			attemptWaitKey.Float64(attempt.Wait.Seconds()),
		)...))
	}
}

func (o *observer) end(ctx context.Context, op supportbee.Operation, response supportbee.Response, err error) {
	attrs := make([]attribute.KeyValue, 0, 4)
	failure := ""
	if err != nil {
		failure = errorType(err, response.StatusCode)
		attrs = append(attrs, semconv.ErrorTypeKey.String(failure))
	}
	name := operationKey.String(op.Name)
	o.active.Add(ctx, -1, metric.WithAttributes(name))
	ended := metric.WithAttributes(append(attrs, name)...)
	o.duration.Record(ctx, response.Duration.Seconds(), ended)
	o.attempts.Record(ctx, int64(response.Attempts), ended)

	state, _ := ctx.Value(operationKeyType{}).(*operation)
	if state == nil {
		return
	}
	defer state.span.End()
	if !state.span.IsRecording() {
		return
	}
	if response.StatusCode != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(response.StatusCode))
	}
	if response.RequestID != "" {
		attrs = append(attrs, semconv.HTTPResponseHeader("x-request-id", response.RequestID))
	}
	if response.Attempts > 1 {
		attrs = append(attrs, semconv.HTTPRequestResendCount(response.Attempts-1))
	}
	state.span.SetAttributes(attrs...)
	if err != nil {
		state.span.SetStatus(codes.Error, "") // without a text, which could hold personal data
	}
}

// errorType returns the kind of a failure, or "" if there is none. It is one of a small number, and
// never the text of an error.
func errorType(err error, status int) string {
	for _, kind := range []struct {
		err  error
		name string
	}{
		{supportbee.ErrOutcomeUnknown, "outcome_unknown"},
		{supportbee.ErrResponseTooLarge, "response_too_large"},
		{supportbee.ErrMalformedResponse, "malformed_response"},
	} {
		if errors.Is(err, kind.err) {
			return kind.name
		}
	}
	if status >= 300 && (err != nil || status >= 400) {
		return strconv.Itoa(status)
	}
	var network net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, supportbee.ErrRateLimited):
		return "rate_limited"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case status/100 == 2:
		return "malformed_response"
	}
	if failed, ok := errors.AsType[*supportbee.Error](err); ok && failed.Err != nil {
		err = failed.Err
	}
	return semconv.ErrorType(err).Value.AsString()
}
