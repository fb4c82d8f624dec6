// Command triage labels and assigns new tickets by the rules of a YAML file, and sends one automatic
// reply to each, even if it is killed between sending a reply and remembering it.
//
// Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("triage", run) }

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
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, out)
	}
	data, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	rules, err := parseRules(data)
	if err != nil {
		return fmt.Errorf("%s: %w", *file, err)
	}
	var opts []supportbee.Option
	if *dryRun {
		opts = append(opts, supportbee.WithDryRun(supportbee.PrintPlanned(out)))
	}
	client, err := supportbee.FromEnv(opts...)
	if err != nil {
		return err
	}
	service := supportbeeservice.New(ctx)
	service.Register(results)
	client = service.Instrument(client)
	if err := rules.resolve(ctx, client); err != nil {
		return err
	}
	service.Monitor(*address, nil)
	service.Go(func(ctx context.Context) error {
		b := &bot{client: client, rules: rules}
		return supportbeeservice.HandleTickets(ctx, client, supportbeeservice.TicketOptions{
			State: *state, ReadOnly: *dryRun, Watch: supportbee.WatchOptions{
				MinInterval: *interval, OnError: func(err error) { slog.Warn("poll failed", "error", err) },
			},
		}, b.handle)
	})
	return service.Wait()
}
