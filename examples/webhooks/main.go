// Command webhooks receives the events that SupportBee posts and sends a message to a Slack channel
// for each of them, once although an event can come twice.
//
// A request only stores its event in a queue, in SQLite or PostgreSQL; a worker then fetches the
// ticket and posts. Without an account, the program shows this on an embedded help desk and with a
// small substitute for Slack.
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
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/slack-go/slack"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "webhooks:", err)
		os.Exit(1)
	}
}

// config is the configuration of a receiver. Secrets come from the environment only.
type config struct {
	addr, metrics, queue, channel, secret string
	actions                               map[supportbee.WebhookAction]bool
	timeout                               time.Duration // of an attempt to handle an event
	settle                                time.Duration // after an attempt that can have posted, until its message is in the channel
	rate                                  rate.Limit    // of messages
	desk                                  *supportbee.Client
	slack                                 *slack.Client
	logger                                *slog.Logger
}

func run(ctx context.Context, args []string, out io.Writer) error {
	cfg := config{secret: os.Getenv("WEBHOOK_SECRET"), actions: make(map[supportbee.WebhookAction]bool), logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags := flag.NewFlagSet("webhooks", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.addr, "addr", "localhost:8080", "`address` of the receiver, for POST /webhook/SECRET and GET /healthz")
	flags.StringVar(&cfg.metrics, "metrics", "", "`address` for GET /metrics and GET /healthz; none if empty")
	flags.StringVar(&cfg.queue, "queue", "", "SQLite `file`, or the postgres:// URL of a database that several machines share; default $QUEUE or webhooks.db")
	flags.StringVar(&cfg.channel, "channel", os.Getenv("SLACK_CHANNEL"), "`ID` of the Slack channel, such as C024BE91L")
	actions := flags.String("actions", "ticket.created,customer.reply.created,agent.reply.created,comment.created", "`actions` to post, separated by commas")
	flags.DurationVar(&cfg.timeout, "timeout", 20*time.Second, "time limit of an attempt to handle an event")
	flags.DurationVar(&cfg.settle, "settle", 10*time.Second, "how long to wait after an attempt that was interrupted, before looking for its message in the channel")
	flags.Float64Var((*float64)(&cfg.rate), "rate", 1, "messages a second, after a burst of 5")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg.queue = cmp.Or(cfg.queue, os.Getenv("QUEUE"), "webhooks.db") // not the flag's default, which -h would print with its password
	for action := range strings.SplitSeq(*actions, ",") {
		cfg.actions[supportbee.WebhookAction(strings.TrimSpace(action))] = true
	}
	if os.Getenv("SUPPORTBEE_TOKEN") == "" && os.Getenv("SUPPORTBEE_COMPANY") == "" && os.Getenv("SUPPORTBEE_BASE_URL") == "" {
		given := make(map[string]bool)
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		return demo(ctx, cfg, given, out)
	}
	for name, value := range map[string]string{"WEBHOOK_SECRET": cfg.secret, "SLACK_TOKEN": os.Getenv("SLACK_TOKEN"), "SLACK_CHANNEL or -channel": cfg.channel} {
		if value == "" {
			return errors.New(name + " is not set")
		}
	}
	var err error
	if cfg.desk, err = supportbee.FromEnv(); err != nil {
		return err
	}
	cfg.slack = slack.New(os.Getenv("SLACK_TOKEN"), slack.OptionAPIURL(cmp.Or(os.Getenv("SLACK_API_URL"), slack.APIURL)))
	return serve(ctx, cfg, func(addr string) { cfg.logger.Info("receiving events", "addr", addr, "desk", cfg.desk) })
}

// serve runs a receiver until ctx is done. It calls ready once it receives events.
func serve(ctx context.Context, cfg config, ready func(addr string)) (err error) {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	if err != nil {
		return err
	}
	cfg.desk = supportbeeotel.Instrument(cfg.desk, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))))
	r, err := newReceiver(ctx, cfg, registry)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.queue.close()) }()

	health := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), 5*time.Second)
		defer cancel()
		if _, err := r.queue.waiting(ctx); err != nil {
			http.Error(w, "the queue cannot be reached", http.StatusServiceUnavailable)
		}
	})
	public, private := http.NewServeMux(), http.NewServeMux()
	public.Handle("/webhook/{secret}", r.handler())
	public.Handle("GET /healthz", health)
	private.Handle("GET /healthz", health)
	private.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	group, ctx := errgroup.WithContext(ctx)
	listen := func(addr string, handler http.Handler) (string, error) {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
		if err != nil {
			return "", err
		}
		server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: time.Minute}
		group.Go(func() error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
		group.Go(func() error {
			<-ctx.Done()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return server.Shutdown(ctx) // waits for the events that are being stored
		})
		return listener.Addr().String(), nil
	}
	group.Go(func() error { return r.queue.run(ctx) })
	addr, err := listen(cfg.addr, public)
	if err == nil && cfg.metrics != "" {
		_, err = listen(cfg.metrics, private)
	}
	if err == nil {
		ready(addr)
	}
	group.Go(func() error { return err }) // if it is not nil, stops what was started
	return group.Wait()
}
