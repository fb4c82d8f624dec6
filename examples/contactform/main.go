// Command contactform serves a public contact form whose messages become tickets. They are stored
// before the browser gets a response, so that none is lost if the help desk is down or limits the
// rate, and each becomes one ticket, even if the program is killed.
//
// Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
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
	"sync"
	"syscall"
	"time"

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
		fmt.Fprintln(os.Stderr, "contactform:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("contactform", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("addr", "", "`address` of the form; default localhost:8080. Without an account, keep the demonstration running there")
	database := flags.String("queue", "contactform.db", "`file` of the messages that are not sent yet")
	metrics := flags.String("metrics", "", "serve /metrics and /healthz on this `address`, such as :9090")
	dryRun := flags.Bool("dry-run", false, "print what would be sent instead of sending it; the queue is in memory and -queue is not opened")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv("SUPPORTBEE_TOKEN")+os.Getenv("SUPPORTBEE_COMPANY")+os.Getenv("SUPPORTBEE_BASE_URL") == "" {
		return demo(ctx, out, *address)
	}
	var opts []supportbee.Option
	if *dryRun {
		*database = ":memory:" // nothing is taken from the messages that are to be sent
		opts = append(opts, supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) { fmt.Fprintln(out, "would send", r.Op) }))
	}
	client, err := supportbee.FromEnv(opts...)
	if err != nil {
		return err
	}
	if *address == "" {
		*address = "localhost:8080"
	}
	return serve(ctx, client, config{address: *address, metrics: *metrics, database: *database})
}

type config struct {
	address, metrics, database string
	settle                     time.Duration
	ready                      func(url string, q *queue) // may be nil
}

// serve serves the form and sends its messages until ctx is done.
func serve(ctx context.Context, client *supportbee.Client, cfg config) (err error) {
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return err
	}
	client = supportbeeotel.Instrument(client, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	q, err := openQueue(cfg.database, client)
	if err != nil {
		return fmt.Errorf("opening the queue, which another program may be using: %w", err)
	}
	defer func() { err = errors.Join(err, q.db.Close()) }()
	sent := prometheus.NewCounter(prometheus.CounterOpts{Name: "contactform_sent_total", Help: "Messages that became tickets."})
	q.sent, q.settle = sent.Inc, cfg.settle
	registry.MustRegister(sent)

	parent := ctx
	ctx, stop := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait() // before the queue is closed
	defer stop(nil)
	listen := func(address string, handler http.Handler) (string, error) {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return "", err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: time.Minute}
		running.Go(func() { stop(server.Serve(listener)) })
		running.Go(func() {
			<-ctx.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			_ = server.Shutdown(ctx) // waits for the messages that are being stored
		})
		return "http://" + listener.Addr().String(), nil
	}
	form, err := listen(cfg.address, newSite(func(r *http.Request, m message) error {
		err := q.put(r.Context(), m)
		if err != nil {
			q.log.Error("message not stored", "error", err)
		}
		return err
	}))
	if err != nil {
		return err
	}
	if cfg.metrics != "" {
		if _, err := listen(cfg.metrics, monitoring(registry, q)); err != nil {
			return err
		}
	}
	running.Go(func() { q.run(ctx) })
	slog.Info("serving the form", "url", form)
	if cfg.ready != nil {
		cfg.ready(form, q)
	}
	<-ctx.Done()
	if parent.Err() == nil {
		return context.Cause(ctx) // a server has failed
	}
	return nil
}

// monitoring returns the handler of /metrics and /healthz.
func monitoring(registry *prometheus.Registry, q *queue) http.Handler {
	length := func(name, help string, of func(all, rejected int) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			all, rejected, _ := q.waiting(context.Background())
			return float64(of(all, rejected))
		})
	}
	registry.MustRegister(
		length("contactform_waiting", "Messages that are to be sent.", func(all, rejected int) int { return all - rejected }),
		length("contactform_rejected", "Messages that the help desk has rejected.", func(_, rejected int) int { return rejected }))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if _, _, err := q.waiting(r.Context()); err != nil {
			http.Error(w, "the queue cannot be read", http.StatusServiceUnavailable)
		}
	})
	return mux
}
