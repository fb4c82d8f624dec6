// Command export keeps a backup of a whole help desk in a directory: the tickets in any state with
// their replies, comments and files, the users, teams, labels and snippets.
//
// The first run exports everything, and resumes where it was killed. Each later run appends what
// has changed. Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/schollz/progressbar/v3"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/term"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "export:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	flags.SetOutput(out)
	dir := flags.String("dir", "backup", "`directory` of the backup")
	workers := flags.Int("workers", 4, "tickets to fetch at a time")
	perSecond := flags.Float64("rate", 10, "requests per second, at most")
	follow := flags.Bool("follow", false, "keep running, and store changes as they come")
	verify := flags.Bool("verify", false, "only check what is in the directory")
	address := flags.String("metrics", "", "serve /metrics and /healthz on this `address`, such as :9090")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *perSecond <= 0 {
		return errors.New("-rate must be positive")
	}
	if os.Getenv("SUPPORTBEE_TOKEN")+os.Getenv("SUPPORTBEE_COMPANY")+os.Getenv("SUPPORTBEE_BASE_URL") == "" && !*verify {
		return demo(ctx, out)
	}
	if *verify {
		if _, err := os.Stat(*dir); err != nil {
			return err // openStore would create it
		}
		store, err := openStore(*dir)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }()
		return report(store, out)
	}
	client, err := supportbee.FromEnv(
		supportbee.WithDryRun(nil), // a backup only reads
		supportbee.WithLimiter(rate.NewLimiter(rate.Limit(*perSecond), 1)),
		supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}),
		supportbee.WithMaxResponseSize(256<<20), // the list of users has no pages
	)
	if err != nil {
		return err
	}
	store, err := openStore(*dir)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if *address != "" {
		listener, err := net.Listen("tcp", *address)
		if err != nil {
			return err
		}
		var handler http.Handler
		if client, handler, err = observed(client); err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(listener) }()
	}
	b := &backup{client: client, store: store, workers: *workers, follow: *follow, interval: 15 * time.Second, progress: newProgress(), log: slog.Default()}
	if err := b.run(ctx); err != nil && (!*follow || ctx.Err() == nil) { // -follow ends by an interrupt
		return err
	}
	return report(store, out)
}

func report(s *store, out io.Writer) error {
	tickets, files, err := s.verify()
	if err == nil {
		fmt.Fprintf(out, "%s: %d tickets and %d files are as they were stored\n", s.dir, tickets, files)
	}
	return err
}

var stored = prometheus.NewCounter(prometheus.CounterOpts{Name: "export_stored_total", Help: "Lines of tickets that were stored."})

// observed instruments a client, and returns the handler of /metrics and /healthz. The program is
// healthy if the help desk has responded in the last five minutes.
func observed(client *supportbee.Client) (*supportbee.Client, http.Handler, error) {
	registry := prometheus.NewRegistry()
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err := errors.Join(err, registry.Register(stored)); err != nil {
		return nil, nil, err
	}
	client = supportbeeotel.Instrument(client, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	var last atomic.Int64
	last.Store(time.Now().Unix())
	client = client.With(supportbee.WithObserver(supportbee.Observer{
		End: func(_ context.Context, _ supportbee.Operation, _ supportbee.Response, err error) {
			if err == nil {
				last.Store(time.Now().Unix())
			}
		},
	}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(time.Unix(last.Load(), 0)) > 5*time.Minute {
			http.Error(w, "the help desk does not respond", http.StatusServiceUnavailable)
		}
	})
	return client, mux, nil
}

// newProgress returns a function that shows a bar on a terminal, and logs otherwise. The estimate
// is by the speed of this run.
func newProgress() func(done, total int) {
	first, start, last := -1, time.Now(), time.Now()
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetVisibility(term.IsTerminal(int(os.Stderr.Fd()))), progressbar.OptionSetDescription("tickets"))
	return func(done, total int) {
		if first < 0 {
			first = done - 1
		}
		if term.IsTerminal(int(os.Stderr.Fd())) {
			bar.ChangeMax(total - first)
			_ = bar.Set(done - first)
		} else if now := time.Now(); now.Sub(last) > 10*time.Second || done == total {
			last = now
			left := now.Sub(start) / time.Duration(done-first) * time.Duration(total-done)
			slog.Info("exporting", "done", done, "total", total, "left", left.Round(time.Second))
		}
	}
}
