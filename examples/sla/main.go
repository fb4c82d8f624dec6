// Command sla watches the service levels of a help desk: it alerts if a response is late, by
// business hours and holidays, labels the ticket, and archives what is answered and idle.
//
// It only prints what it would do unless -apply is given. Without an account, the program shows some
// weeks of an embedded help desk.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	_ "time/tzdata" // for containers without time zones

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sla:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sla", flag.ContinueOnError)
	flags.SetOutput(out)
	config := flags.String("config", "sla.yaml", "configuration `file`")
	apply := flags.Bool("apply", false, "write to the help desk and alert, instead of printing what would be done")
	limit := flags.Int("max", 50, "tickets to change in a run, at most")
	alertURL := flags.String("alert", os.Getenv("SLA_ALERT_URL"), "`URL` to post alerts to as JSON; also the variable SLA_ALERT_URL")
	settle := flags.Duration("settle", 30*time.Second, "how long a request of a program that was killed can still be carried out")
	every := flags.Duration("every", 0, "`interval` of runs; 0 runs once")
	metrics := flags.String("metrics", "", "`address` for GET /metrics and GET /healthz, with -every; none if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv("SUPPORTBEE_TOKEN") == "" && os.Getenv("SUPPORTBEE_COMPANY") == "" && os.Getenv("SUPPORTBEE_BASE_URL") == "" {
		return demo(ctx, out)
	}
	data, err := os.ReadFile(*config)
	if err != nil {
		return err
	}
	cfg, err := parseConfig(data)
	if err != nil {
		return fmt.Errorf("%s: %w", *config, err)
	}
	client, err := supportbee.FromEnv()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return err
	}
	client = supportbeeotel.Instrument(client, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))))
	if !*apply {
		client, *alertURL = client.With(dryRun(out)), ""
	}
	s := newSweeper(client, cfg, registry)
	s.max, s.settle, s.alertURL = *limit, *settle, *alertURL
	s.log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("apply", *apply)
	if *every <= 0 {
		return s.run(ctx)
	}
	return s.runEvery(ctx, *every, *metrics, registry)
}

func dryRun(out io.Writer) supportbee.Option {
	return supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
		fmt.Fprintln(out, "not sent without -apply:", request.Method, request.Path)
	})
}

// runEvery runs until ctx is done.
func (s *sweeper) runEvery(ctx context.Context, every time.Duration, addr string, registry *prometheus.Registry) error {
	var ended atomic.Int64 // when the last run ended, whatever its error: a restart helps only if it hangs
	ended.Store(time.Now().Unix())
	if addr != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
			if time.Since(time.Unix(ended.Load(), 0)) > 2*every+15*time.Minute {
				http.Error(w, "no run has ended lately", http.StatusServiceUnavailable)
			}
		})
		server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(listener) }()
	}
	for ticker := time.NewTicker(every); ; {
		if err := s.run(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("run failed", "err", err)
		}
		ended.Store(time.Now().Unix())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
