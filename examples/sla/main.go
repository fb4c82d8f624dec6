// Command sla watches the service levels of a help desk: it alerts if a response is late, by
// business hours and holidays, labels the ticket, and archives what is answered and idle.
//
// It only prints what it would do unless -apply is given. Without an account, the program shows some
// weeks of an embedded help desk.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
	_ "time/tzdata" // for containers without time zones

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("sla", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sla", flag.ContinueOnError)
	flags.SetOutput(out)
	config := flags.String("config", "sla.yaml", "configuration `file`")
	apply := flags.Bool("apply", false, "write to the help desk and alert, instead of printing what would be done")
	limit := flags.Uint("max", 50, "tickets to change in a run, at most")
	alertURL := flags.String("alert", "", "`URL` to post alerts to as JSON; also the variable SLA_ALERT_URL")
	settle := flags.Duration("settle", 30*time.Second, "how long a request of a program that was killed can still be carried out")
	every := flags.Duration("every", 0, "`interval` of runs; 0 runs once")
	metrics := flags.String("metrics", "", "`address` for GET /metrics and GET /healthz, with -every; none if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if !supportbeeservice.HasAccount() {
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
	service := supportbeeservice.New(ctx)
	s := newSweeper(service.Instrument(client), cfg)
	service.Register(s.overdue)
	s.max, s.settle, s.alertURL = *limit, *settle, cmp.Or(*alertURL, os.Getenv("SLA_ALERT_URL"))
	if !*apply {
		s.onlyPrint(out)
	}
	if *every == 0 {
		return s.run(ctx)
	}
	service.Monitor(*metrics, nil)
	service.Every(*every, s.run)
	return service.Wait()
}
