// Command supportbee-desk runs the embedded help desk on its own, to develop an integration
// against and to watch what it does.
//
//	go run github.com/supportbee-go/supportbee/supportbeetest/cmd/supportbee-desk -addr 127.0.0.1:8080 -seed 500 -chaos 0.05
//
// It prints the URL and the token to use, logs every request, and shows the tickets, their
// conversations and the last requests as a web page at the same URL. Its state is in memory, and
// kept in a file if -state names one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "supportbee-desk:", err)
		}
		os.Exit(2)
	}
}

// run serves a desk until ctx is done.
func run(ctx context.Context, args []string, out, logs io.Writer) (err error) {
	flags := flag.NewFlagSet("supportbee-desk", flag.ContinueOnError)
	flags.SetOutput(logs)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on; anybody who reaches it can read the page")
	seed := flags.Int("seed", 0, "add so many `tickets`")
	chaos := flags.Float64("chaos", 0, "inject random faults into this `share` of all API requests, from 0 to 1")
	chaosSeed := flags.Uint64("chaos-seed", 1, "`seed` of the random faults")
	limits := flags.Bool("rate-limits", false, "enforce the rate limits of creating tickets")
	documented := flags.Bool("documented", false, "answer in the shapes of the vendor's reference, not in the recorded ones")
	webhook := flags.String("webhook", "", "post webhooks to this `URL`")
	state := flags.String("state", "", "read the desk from this `file` if it exists, and write it there at the end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *seed < 0:
		return errors.New("-seed must not be negative")
	case *chaos < 0 || *chaos > 1:
		return errors.New("-chaos must be 0 to 1")
	}

	// NewServer cannot return an error; a port in use is the one that people meet.
	probe, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	_ = probe.Close()

	logger := slog.New(slog.NewTextHandler(logs, nil))
	var page page
	options := []supportbeetest.Option{
		supportbeetest.WithAddr(*addr),
		supportbeetest.WithHandler("GET /{$}", &page),
		supportbeetest.WithHandler("GET /desk/tickets/{id}", &page),
		supportbeetest.WithLogger(logger),
	}
	if *limits {
		options = append(options, supportbeetest.WithRateLimits())
	}
	if *documented {
		options = append(options, supportbeetest.WithDialect(supportbeetest.DialectDocumented))
	}
	desk := supportbeetest.NewServer(options...)
	defer desk.Close()
	page.desk.Store(desk)

	if err := load(desk, *state); err != nil {
		return err
	}
	desk.Seed(*seed)
	if *chaos > 0 {
		desk.InjectChaos(*chaos, *chaosSeed)
	}
	if *webhook != "" {
		desk.AddWebhook(*webhook)
	}
	fmt.Fprintf(out, "The desk is at  %s\nIts token is    %s\n\nexport SUPPORTBEE_COMPANY=acme SUPPORTBEE_BASE_URL=%s SUPPORTBEE_TOKEN=%s\n",
		desk.URL, desk.Token, desk.URL, desk.Token)
	<-ctx.Done()
	return save(desk, *state)
}

func load(desk *supportbeetest.Desk, path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = desk.ReadFrom(file)
	return err
}

// save writes a new file and renames it, so that an interrupted write loses nothing.
func save(desk *supportbeetest.Desk, path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	_, err = desk.WriteTo(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
