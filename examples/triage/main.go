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
	"net/http"
	"os"
	"time"

	"github.com/google/renameio/v2"

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
		opts = append(opts, supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) {
			fmt.Fprintln(out, "would send", r.Op, r.Path)
		}))
	}
	client, err := supportbee.FromEnv(opts...)
	if err != nil {
		return err
	}
	service := supportbeeservice.New(ctx)
	service.Register(results)
	client = service.Instrument(client)
	var response supportbee.Response
	if err := rules.resolve(supportbee.WithResponse(ctx, &response), client); err != nil {
		return err
	}
	position, err := loadState(*state)
	if err == nil && position.Since.IsZero() {
		position.Since, err = http.ParseTime(response.Header.Get("Date"))
	}
	if err != nil {
		return err
	}
	b := &bot{client: client, rules: rules, watch: supportbee.WatchOptions{Since: position.Since, MinInterval: *interval}}
	b.watch.OnError = func(err error) { slog.Warn("poll failed", "error", err) }
	if !*dryRun {
		b.save = func(c supportbee.Checkpoint) error {
			position.Checkpoint = c
			return saveState(*state, position)
		}
		// Once more before the first ticket: if the program ends until then, the next run begins here.
		if err := b.save(position.Checkpoint); err != nil {
			return err
		}
	}
	service.Monitor(*address, nil)
	service.Go(func(ctx context.Context) error { return b.run(ctx, position.Checkpoint) })
	return service.Wait()
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
