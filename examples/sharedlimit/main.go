// Command sharedlimit opens a ticket for each message of a queue in Redis, with any number of
// processes that share one budget: the 8 tickets a minute that SupportBee lets a token create.
//
// Without an account, the program shows three workers on an embedded help desk that enforces the
// limit.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("sharedlimit", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	w := &worker{log: slog.Default()}
	flags := flag.NewFlagSet("sharedlimit", flag.ContinueOnError)
	flags.SetOutput(out)
	metrics := flags.String("metrics", "", "`address` for GET /metrics and GET /healthz; none if empty")
	flags.IntVar(&w.limit.Requests, "limit", 8, "tickets that all processes together create in any time of -per")
	flags.DurationVar(&w.limit.Per, "per", time.Minute, "see -limit")
	flags.DurationVar(&w.timeout, "timeout", 5*time.Minute, "time limit of a message, with its wait for the limit; another worker takes it over after this and -settle")
	flags.DurationVar(&w.settle, "settle", 30*time.Second, "after which a ticket whose request had no response is listed, or was not created")
	dryRun := flags.Bool("dry-run", false, "print what would be sent for the messages of the queue, which stay there, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if w.limit.Requests < 1 || w.limit.Per <= 0 || w.settle <= 0 || w.timeout <= w.settle {
		return errors.New("-limit, -per and -settle must be positive, and -timeout longer than -settle")
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, *dryRun, out)
	}
	options, err := redis.ParseURL(cmp.Or(os.Getenv("REDIS_URL"), "redis://localhost:6379/0"))
	if err != nil {
		return errors.New("REDIS_URL is not a URL such as redis://localhost:6379/0") // without a password in it
	}
	w.redis = redis.NewClient(options)
	defer func() { _ = w.redis.Close() }()
	if w.desk, err = supportbee.FromEnv(); err != nil {
		return err
	}
	if *dryRun {
		return w.plan(ctx, out)
	}
	w.log.Info("working", "desk", w.desk)
	service := supportbeeservice.New(ctx)
	w.serve(service, *metrics)
	return service.Wait()
}

// serve handles messages until the service ends. It returns the URL of the metrics, if any.
func (w *worker) serve(service *supportbeeservice.Service, metrics string) (url string) {
	w.desk = service.Instrument(w.desk)
	length := func(name, help, stream string) {
		service.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help + "; -1 if Redis cannot be reached."}, func() float64 {
			n, err := w.redis.XLen(context.Background(), stream).Result()
			if err != nil {
				return -1
			}
			return float64(n)
		}))
	}
	length("sharedlimit_waiting", "Messages in the queue", queue)
	length("sharedlimit_rejected", "Messages that the help desk has rejected", rejected)
	service.Go(w.run)
	return service.Monitor(metrics, func(ctx context.Context) error { return w.redis.Ping(ctx).Err() })
}
