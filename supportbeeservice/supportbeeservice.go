// Package supportbeeservice runs programs that use a client of package
// [github.com/supportbee-go/supportbee]: it stops them cleanly on SIGTERM, calls them for new tickets or
// at intervals, serves HTTP, metrics for Prometheus and a health check, and computes business hours.
//
//	func main() { supportbeeservice.Main("triage", run) }
//
//	func run(ctx context.Context, args []string, out io.Writer) error {
//		client, err := supportbee.FromEnv()
//		if err != nil {
//			return err
//		}
//		service := supportbeeservice.New(ctx)
//		client = service.Instrument(client)
//		service.Monitor(":9090", nil)
//		service.Go(func(ctx context.Context) error { return handleTickets(ctx, client) })
//		return service.Wait()
//	}
package supportbeeservice

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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

const (
	stopTimeout = 10 * time.Second // for the requests in progress, when a server stops
	maxSilence  = 5 * time.Minute  // since the help desk has responded
)

// Main runs a program, with the arguments after its name and standard output. Its context is done on
// SIGINT and SIGTERM; a second signal ends the program at once.
//
// If run returns an error other than [flag.ErrHelp], Main writes it to standard error, after name, and
// exits with status 1. If it wraps a [*supportbee.Error], Main writes what comes before that, and that
// without the message of the help desk, which can have personal data: standard error is the log of many
// programs.
func Main(name string, run func(ctx context.Context, args []string, out io.Writer) error) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // before cancel, so that the next one ends the program
		cancel()
	}()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", name, textWithoutMessage(err))
		os.Exit(1)
	}
}

// textWithoutMessage returns the text of err until the end of the first error of the help desk in it, if
// there is one, without messages of the help desk. What follows could have another one.
func textWithoutMessage(err error) string {
	e, ok := errors.AsType[*supportbee.Error](err)
	if !ok || e == nil {
		return err.Error()
	}
	short := *e
	short.Message = ""
	if e.Err != nil {
		short.Err = errors.New(textWithoutMessage(e.Err))
	}
	before, _, found := strings.Cut(err.Error(), e.Error())
	if !found { // its text is not that of what it wraps
		before = ""
	}
	return before + short.Error()
}

// HasAccount reports whether the environment has a variable that names a help desk for
// [supportbee.FromEnv]. Without one, a program can show what it does on an embedded help desk.
func HasAccount() bool {
	return os.Getenv("SUPPORTBEE_TOKEN")+os.Getenv("SUPPORTBEE_COMPANY")+os.Getenv("SUPPORTBEE_BASE_URL") != ""
}

// Service is a program whose parts run until its context is done or one of them fails. It must be
// made by [New]. Its methods are safe for concurrent use.
type Service struct {
	ctx       context.Context
	cancel    context.CancelFunc
	parts     sync.WaitGroup
	failing   sync.Once
	failure   error // of the first part that failed
	registry  *prometheus.Registry
	succeeded prometheus.Gauge
	meters    *metric.MeterProvider
	heard     atomic.Int64 // when the help desk last responded, in Unix time
	pauses    atomic.Int64 // the sum of the intervals of Every
}

// New returns a service that ends when ctx is done.
func New(ctx context.Context) *Service {
	s := &Service{registry: prometheus.NewRegistry(), succeeded: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "service_last_success_timestamp_seconds", Help: "When a run of Every last ended without an error, in Unix time; 0 if none has.",
	})}
	s.ctx, s.cancel = context.WithCancel(ctx)
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(s.registry))
	if err != nil { // cannot happen: the registry is empty, and there are no options that can be wrong
		panic(err)
	}
	s.meters = metric.NewMeterProvider(metric.WithReader(exporter))
	s.heard.Store(time.Now().Unix())
	return s
}

// Register adds collectors to the metrics. Like [prometheus.Registry.MustRegister], it panics if one
// of them has a name that another has.
func (s *Service) Register(collectors ...prometheus.Collector) {
	s.registry.MustRegister(collectors...)
}

// Instrument returns a copy of client whose operations are in the metrics, as those of
// [supportbeeotel.Instrument], and in the health check.
func (s *Service) Instrument(client *supportbee.Client) *supportbee.Client {
	client = supportbeeotel.Instrument(client, supportbeeotel.WithMeterProvider(s.meters))
	return client.With(supportbee.WithObserver(supportbee.Observer{
		End: func(_ context.Context, _ supportbee.Operation, _ supportbee.Response, err error) {
			if err == nil {
				s.heard.Store(time.Now().Unix())
			}
		},
	}))
}

// Go runs a part of the service, until the context that it is called with is done. If the part
// returns another error than that of its context, the service ends, and Wait returns the error.
func (s *Service) Go(part func(ctx context.Context) error) {
	s.parts.Go(func() {
		err := part(s.ctx)
		ended := s.ctx.Err()
		if err == nil || ended != nil && (errors.Is(err, ended) || errors.Is(err, context.Cause(s.ctx))) {
			return
		}
		s.failing.Do(func() { s.failure = err })
		s.cancel()
	})
}

// Every calls run at once and then at intervals, which must be positive, until the service ends. A call
// that is due while the one before goes on is made when that has returned. The metric
// service_last_success_timestamp_seconds says when run last returned without an error.
//
// An error of run is logged by [slog.Error], and does not end the service. If it is or wraps a
// [*supportbee.Error], that is logged, without the message of the help desk, which can have personal
// data.
func (s *Service) Every(interval time.Duration, run func(ctx context.Context) error) {
	_ = s.registry.Register(s.succeeded) // which fails if there is another Every
	s.Go(func(ctx context.Context) error {
		if interval <= 0 {
			return fmt.Errorf("the interval is %v, but must be positive", interval)
		}
		s.pauses.Add(int64(interval))
		for ticker := time.NewTicker(interval); ctx.Err() == nil; {
			if err := run(ctx); err == nil {
				s.succeeded.SetToCurrentTime()
			} else if ctx.Err() == nil {
				slog.Error("run failed", "err", withoutMessage(err))
			}
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
		return nil
	})
}

// Listen serves HTTP on an address, such as ":8080", until the service ends: then it accepts no more
// requests, and gives those in progress 10 seconds. A port of 0 is one that is free. Requests must be
// read within 5 minutes, their headers within 10 seconds.
//
// It returns the URL of the server. If the address cannot be used, it returns "" and the service ends
// with the error.
func (s *Service) Listen(address string, handler http.Handler) (url string) {
	listener, err := new(net.ListenConfig).Listen(s.ctx, "tcp", address)
	if err != nil {
		s.Go(func(context.Context) error { return err })
		return ""
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, IdleTimeout: time.Minute}
	s.Go(func(context.Context) error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.Go(func(ctx context.Context) error {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return fmt.Errorf("requests to %s were still in progress: %w", listener.Addr(), errors.Join(err, server.Close()))
		}
		return nil
	})
	return "http://" + listener.Addr().String()
}

// Monitor serves GET /metrics, for Prometheus, and GET /healthz on an address, as Listen does. It does
// nothing if the address is empty.
//
// The response to GET /healthz has status 503 and the error if healthy returns one. If healthy is
// nil, it has status 503 if no operation of an instrumented client has succeeded for 5 minutes, plus
// the interval of Every.
func (s *Service) Monitor(address string, healthy func(context.Context) error) (url string) {
	if address == "" {
		return ""
	}
	return s.Listen(address, s.monitor(healthy))
}

func (s *Service) monitor(healthy func(context.Context) error) http.Handler {
	if healthy == nil {
		healthy = s.responds
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := healthy(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return mux
}

func (s *Service) responds(context.Context) error {
	if time.Since(time.Unix(s.heard.Load(), 0)) > maxSilence+time.Duration(s.pauses.Load()) {
		return errors.New("the help desk does not respond")
	}
	return nil
}

// Wait waits until the service ends and all parts have returned. It returns the error of the first
// part that failed, or nil if none did.
func (s *Service) Wait() error {
	<-s.ctx.Done()
	s.parts.Wait()
	return s.failure
}

// Stop ends the service, waits for its parts, and returns what Wait returns.
func (s *Service) Stop() error {
	s.cancel()
	return s.Wait()
}
