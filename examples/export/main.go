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
	follow := flags.Bool("follow", false, "keep running, and store changes as they come")
	verify := flags.Bool("verify", false, "only check what is in the directory")
	address := flags.String("metrics", "", "serve /metrics and /healthz on this `address`, such as :9090")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *perSecond <= 0 {
		return errors.New("-rate must be positive")
	}
	if !supportbeeservice.HasAccount() && !*verify {
		return demo(ctx, out)
	}
	var client *supportbee.Client
	var err error
	if *verify {
		_, err = os.Stat(*dir) // openStore would create it
	} else {
		client, err = supportbee.FromEnv(
			supportbee.WithDryRun(nil), // a backup only reads
			supportbee.WithLimiter(rate.NewLimiter(rate.Limit(*perSecond), 1)),
			supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}),
			supportbee.WithMaxResponseSize(256<<20), // the list of users has no pages
		)
	}
	if err != nil {
		return err
	}
	store, err := openStore(*dir)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if *verify {
		return store.verify(out)
	}
	service := supportbeeservice.New(ctx)
	defer func() { _ = service.Stop() }()
	service.Register(store.stored)
	if *address != "" && service.Monitor(*address, nil) == "" {
		return service.Wait()
	}
	b := &backup{client: service.Instrument(client), store: store, workers: *workers, follow: *follow, progress: newProgress()}
	if err := b.run(ctx); err != nil && (!*follow || ctx.Err() == nil) { // -follow ends by an interrupt
		return err
	}
	return store.verify(out)
}

// newProgress returns a function that shows a bar with an estimate on a terminal, and logs otherwise.
func newProgress() func(done, total int) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		sometimes := rate.Sometimes{Interval: 10 * time.Second}
		return func(done, total int) { sometimes.Do(func() { slog.Info("exporting", "done", done, "total", total) }) }
	}
	bar := progressbar.NewOptions(1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("tickets"))
	before := -1 // tickets of earlier runs, which say nothing about the speed of this one
	return func(done, total int) {
		if before < 0 {
			before = done - 1
		}
		bar.ChangeMax(total - before)
		_ = bar.Set(done - before)
	}
}
