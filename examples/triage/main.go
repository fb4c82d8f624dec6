// Command triage labels and assigns new tickets by the rules of a YAML file, and sends one automatic
// reply to each, even if it is killed between sending a reply and remembering it.
//
// Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
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
		fmt.Fprintln(os.Stderr, "triage:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("triage", flag.ContinueOnError)
	flags.SetOutput(out)
	file := flags.String("rules", "rules.yaml", "`file` of the rules")
	state := flags.String("state", "triage.json", "`file` that remembers the position; the first run begins with new activity")
	interval := flags.Duration("interval", 5*time.Second, "least time between polls")
	dryRun := flags.Bool("dry-run", false, "print what would be written instead of writing it")
	address := flags.String("metrics", "", "serve /metrics and /healthz on this `address`, such as :9090")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv("SUPPORTBEE_TOKEN")+os.Getenv("SUPPORTBEE_COMPANY")+os.Getenv("SUPPORTBEE_BASE_URL") == "" {
		return demo(ctx, out)
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	b := &bot{interval: *interval, log: slog.Default()}
	if b.rules, err = parseRules(data); err != nil {
		return err
	}
	var opts []supportbee.Option
	if *dryRun {
		opts = append(opts, supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) { fmt.Fprintln(out, "would send", r.Op, r.Path) }))
	}
	client, err := supportbee.FromEnv(opts...)
	if err != nil {
		return err
	}
	handled := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "triage_tickets_total", Help: "Tickets by result: replied, handled (without a reply), left alone, rejected, or failed."}, []string{"result"})
	b.handled = func(id supportbee.TicketID, result string) {
		handled.WithLabelValues(result).Inc()
		b.log.Info("ticket", "id", id, "result", result)
	}
	if b.client = client; *address != "" {
		var handler http.Handler
		if b.client, handler, err = observed(client, handled); err != nil {
			return err
		}
		listener, err := net.Listen("tcp", *address)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(listener) }()
	}
	var response supportbee.Response
	if err := b.rules.resolve(supportbee.WithResponse(ctx, &response), b.client); err != nil {
		return err
	}
	position, err := loadState(*state)
	if err != nil {
		return err
	}
	if position.Since.IsZero() {
		if position.Since, err = http.ParseTime(response.Header.Get("Date")); err != nil {
			return fmt.Errorf("the help desk sends no time: %w", err)
		}
	}
	b.since = position.Since
	b.save = func(c supportbee.Checkpoint) error {
		if position.Checkpoint = c; *dryRun {
			return nil
		}
		return saveState(*state, position)
	}
	// Once more before the first ticket: if the program ends until then, the next run begins here.
	if err := b.save(position.Checkpoint); err != nil {
		return err
	}
	if err := b.run(ctx, position.Checkpoint); ctx.Err() == nil {
		return err
	}
	return nil // an interrupt is how the program ends
}

// position is what the state file holds.
type position struct {
	Since      time.Time             `json:"since"` // when the first run began
	Checkpoint supportbee.Checkpoint `json:"checkpoint"`
}

func loadState(path string) (p position, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	return p, err
}

// saveState replaces the file as a whole or not at all.
func saveState(path string, p position) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, data, 0o600)
}

// observed instruments a client, and returns the handler of /metrics and /healthz. The program is
// healthy if the help desk has responded in the last five minutes.
func observed(client *supportbee.Client, collectors ...prometheus.Collector) (*supportbee.Client, http.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors...)
	reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return nil, nil, err
	}
	client = supportbeeotel.Instrument(client, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(reader))))
	var last atomic.Int64
	last.Store(time.Now().Unix())
	client = client.With(supportbee.WithObserver(supportbee.Observer{End: func(_ context.Context, _ supportbee.Operation, _ supportbee.Response, err error) {
		if err == nil {
			last.Store(time.Now().Unix())
		}
	}}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if time.Since(time.Unix(last.Load(), 0)) > 5*time.Minute {
			http.Error(w, "the help desk does not respond", http.StatusServiceUnavailable)
		}
	})
	return client, mux, nil
}
