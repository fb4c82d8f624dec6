package bench_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

// discard is an exporter without costs of its own.
type discard struct{}

func (discard) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (discard) Shutdown(context.Context) error                             { return nil }

// BenchmarkObservers measures what it costs to observe Tickets.Get, without a network.
func BenchmarkObservers(b *testing.B) {
	observer := supportbee.Observer{
		Start:   func(ctx context.Context, _ supportbee.Operation) context.Context { return ctx },
		Attempt: func(context.Context, supportbee.Attempt) {},
		End:     func(context.Context, supportbee.Operation, supportbee.Response, error) {},
	}
	otel := func(sampler sdktrace.Sampler) func(*supportbee.Client) *supportbee.Client {
		traces := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithBatcher(discard{}))
		b.Cleanup(func() { require.NoError(b, traces.Shutdown(context.Background())) })
		meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
		return func(client *supportbee.Client) *supportbee.Client {
			return supportbeeotel.Instrument(client, supportbeeotel.WithTracerProvider(traces), supportbeeotel.WithMeterProvider(meters))
		}
	}
	with := func(opts ...supportbee.Option) func(*supportbee.Client) *supportbee.Client {
		return func(client *supportbee.Client) *supportbee.Client { return client.With(opts...) }
	}
	for _, bb := range []struct {
		name    string
		observe func(*supportbee.Client) *supportbee.Client
	}{
		{name: "plain", observe: with()},
		{name: "observer", observe: with(supportbee.WithObserver(observer))},
		{name: "logger", observe: with(supportbee.WithLogger(slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))))},
		{name: "otel", observe: otel(sdktrace.AlwaysSample())},
		{name: "otel not sampled", observe: otel(sdktrace.NeverSample())},
	} {
		b.Run(bb.name, func(b *testing.B) {
			client, err := supportbee.New("acme", "the-token", supportbee.WithTransport(bench.Canned{}))
			require.NoError(b, err)
			client = bb.observe(client)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Tickets.Get(b.Context(), 7); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
