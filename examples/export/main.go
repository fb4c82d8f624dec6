// Command export keeps a backup of a whole help desk in a directory: the tickets in any state with
// their replies, comments and files, the users, teams, labels and snippets.
//
// The first run exports everything, and resumes where it was stopped. Each later run stores what
// has changed. Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("export", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	flags.SetOutput(out)
	dir := flags.String("dir", "backup", "`directory` of the backup")
	workers := flags.Int("workers", 4, "tickets to fetch at a time")
	perSecond := flags.Float64("rate", 10, "requests per second, at most")
	metrics := flags.String("metrics", "", "`address` for GET /metrics and GET /healthz during the run; none if empty")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *perSecond <= 0 {
		return errors.New("-rate must be positive")
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, out)
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
	service := supportbeeservice.New(ctx)
	client = service.Instrument(client)
	if *metrics != "" && service.Monitor(*metrics, nil) == "" {
		return service.Wait() // the address cannot be used
	}
	err = backUp(ctx, client, *dir, supportbee.ExportOptions{Workers: *workers, Progress: newProgress()}, out)
	return errors.Join(err, service.Stop())
}

// newProgress returns a function that shows a bar with an estimate on a terminal, and logs otherwise.
func newProgress() func(done, total int) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		sometimes := rate.Sometimes{Interval: 10 * time.Second}
		return func(done, total int) { sometimes.Do(func() { slog.Info("exporting", "done", done, "total", total) }) }
	}
	bar := progressbar.Default(1, "tickets")
	return func(done, total int) {
		bar.ChangeMax(total)
		_ = bar.Set(done)
	}
}
