// Command contactform serves a public contact form whose messages become tickets. They are stored
// before the browser gets a response, so that none is lost if the help desk is down or limits the
// rate, and each becomes one ticket, even if the program is killed.
//
// Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("contactform", run) }

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
	if !supportbeeservice.HasAccount() {
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
	q, err := openQueue(*database, client)
	if err != nil {
		return fmt.Errorf("opening the queue, which another program may be using: %w", err)
	}
	service := supportbeeservice.New(ctx)
	if url, _ := serve(service, q, cmp.Or(*address, "localhost:8080"), *metrics); url != "" {
		slog.Info("serving the form", "url", url)
	}
	return errors.Join(service.Wait(), q.db.Close())
}

// serve serves the form and sends its messages until the service ends. It returns the URLs of the
// form and of the metrics.
func serve(service *supportbeeservice.Service, q *queue, address, metrics string) (form, monitor string) {
	q.client = service.Instrument(q.client)
	service.Register(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "contactform_waiting", Help: "Messages that are to be sent."}, func() float64 {
			waiting, _, _ := q.count(context.Background())
			return float64(waiting)
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "contactform_rejected", Help: "Messages that the help desk has rejected."}, func() float64 {
			_, rejected, _ := q.count(context.Background())
			return float64(rejected)
		}))
	service.Go(q.run)
	monitor = service.Monitor(metrics, func(ctx context.Context) error {
		_, _, err := q.count(ctx)
		return err
	})
	return service.Listen(address, newSite(q.put)), monitor
}
