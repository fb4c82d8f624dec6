// Command sharedlimit opens a ticket for each message of a queue in Redis, with any number of
// processes that share one budget: the 8 tickets a minute that SupportBee lets a token create.
//
// The budget is a [Limiter] for the SDK, in limiter.go. Without an account, the program shows three
// workers on an embedded help desk that enforces the limit.
package main

import (
	"cmp"
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
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "sharedlimit:", err)
		os.Exit(1)
	}
}

type config struct {
	redis, key, metrics           string
	limit                         int
	per, attempt, timeout, settle time.Duration
	add, dryRun                   bool
	desk                          *supportbee.Client
	logger                        *slog.Logger
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	cfg := config{logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags := flag.NewFlagSet("sharedlimit", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.redis, "redis", "", "`URL` of the Redis server, redis://localhost:6379/0 by default; also the variable REDIS_URL, which other users of the machine do not see")
	flags.StringVar(&cfg.key, "key", "supportbee", "`prefix` of the keys in Redis; processes with the same one share the queue and the limit")
	flags.StringVar(&cfg.metrics, "metrics", "", "`address` for GET /metrics and GET /healthz; none if empty")
	flags.IntVar(&cfg.limit, "limit", 8, "tickets that all processes together create in any time of -per")
	flags.DurationVar(&cfg.per, "per", time.Minute, "see -limit")
	flags.DurationVar(&cfg.attempt, "attempt", 30*time.Second, "time limit of a request")
	flags.DurationVar(&cfg.timeout, "timeout", 5*time.Minute, "time limit of a message, with its wait for the limit; another worker takes it over after this and -settle")
	flags.DurationVar(&cfg.settle, "settle", 30*time.Second, "after which a ticket whose request had no response is listed, or was not created")
	flags.BoolVar(&cfg.add, "add", false, "add the messages on standard input, which are JSON lines, to the queue and end")
	flags.BoolVar(&cfg.dryRun, "dry-run", false, "print what would be sent for the messages of the queue, which stay there, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if cfg.limit < 1 || cfg.per <= 0 || cfg.attempt <= 0 || cfg.settle <= 0 || cfg.timeout <= cfg.settle {
		return errors.New("-limit, -per, -attempt and -settle must be positive, and -timeout longer than -settle")
	}
	account := os.Getenv("SUPPORTBEE_TOKEN") != "" || os.Getenv("SUPPORTBEE_COMPANY") != "" || os.Getenv("SUPPORTBEE_BASE_URL") != ""
	if !account && !cfg.add {
		given := make(map[string]bool)
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		return demo(ctx, cfg, given, out)
	}
	options, err := redis.ParseURL(cmp.Or(cfg.redis, os.Getenv("REDIS_URL"), "redis://localhost:6379/0"))
	if err != nil {
		return errors.New("-redis is not a URL such as redis://localhost:6379/0") // without a password in it
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	if cfg.add {
		n, err := cfg.newQueue(client).add(ctx, in)
		if err == nil {
			fmt.Fprintf(out, "%d messages added\n", n)
		}
		return err
	}
	if cfg.desk, err = supportbee.FromEnv(); err != nil {
		return err
	}
	if cfg.dryRun {
		return cfg.plan(ctx, client, out)
	}
	return cfg.work(ctx, client, func(addr string) { cfg.logger.Info("working", "desk", cfg.desk, "metrics", addr) })
}

func (cfg config) newQueue(client *redis.Client) *queue {
	return &queue{redis: client, key: cfg.key + ":messages", lease: cfg.timeout + cfg.settle, from: "0-0"}
}

// work runs a worker until ctx is done. It calls ready with the address of the metrics, if any.
func (cfg config) work(ctx context.Context, client *redis.Client, ready func(addr string)) error {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return err
	}
	limiter := NewLimiter(ctx, client, cfg.key+":creates", cfg.limit, cfg.per, cfg.attempt)
	cfg.desk = supportbeeotel.Instrument(cfg.desk.With(limiter.Options()...), supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))))
	w := &worker{config: cfg, queue: cfg.newQueue(client), handled: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sharedlimit_messages_total", Help: "Messages by result: created, rejected, or failed and kept.",
	}, []string{"result"})}
	registry.MustRegister(w.handled, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sharedlimit_waiting", Help: "Messages in the queue; -1 if Redis cannot be reached."}, func() float64 {
		n, err := client.XLen(context.Background(), w.queue.key).Result()
		if err != nil {
			return -1
		}
		return float64(n)
	}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, r *http.Request) {
		if client.Ping(r.Context()).Err() != nil {
			http.Error(rw, "Redis cannot be reached", http.StatusServiceUnavailable)
		}
	})
	addr := ""
	if cfg.metrics != "" {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.metrics)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute}
		defer func() { _ = server.Close() }()
		go func() { _ = server.Serve(listener) }() // until it is closed
		addr = listener.Addr().String()
	}
	ready(addr)
	w.run(ctx)
	return nil
}
