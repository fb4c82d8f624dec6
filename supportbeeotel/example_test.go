package supportbeeotel_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func readmeInstrument(token string, tracerProvider *sdktrace.TracerProvider, meterProvider *sdkmetric.MeterProvider) (*supportbee.Client, error) {
	client, err := supportbee.New("acme", token)
	if err != nil {
		return nil, err
	}
	client = supportbeeotel.Instrument(client,
		supportbeeotel.WithTracerProvider(tracerProvider), // default: the global one
		supportbeeotel.WithMeterProvider(meterProvider),
	)
	return client, nil
}

func ExampleInstrument() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	desk.Inject(supportbeetest.Match{Op: "Labels.List", Times: 1}, supportbeetest.Status(http.StatusBadGateway))

	exporter := tracetest.NewInMemoryExporter() // in production, one such as that of otlptracehttp
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	client := supportbeeotel.Instrument(desk.Client(), supportbeeotel.WithTracerProvider(tracers))
	if _, err := client.Labels.List(context.Background()); err != nil {
		log.Fatal(err)
	}
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, span.SpanKind)
		for _, event := range span.Events {
			for _, attr := range event.Attributes {
				if attr.Key == "http.response.status_code" {
					fmt.Println(event.Name, attr.Value.AsInt64())
				}
			}
		}
	}
	// Output:
	// Labels.List client
	// http.attempt 502
	// http.attempt 200
}
