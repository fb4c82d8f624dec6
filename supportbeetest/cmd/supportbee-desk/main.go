// Command supportbee-desk runs the help desk of package supportbeetest as a program, to develop an
// integration against it.
//
//	go run github.com/supportbee-go/supportbee/supportbeetest/cmd/supportbee-desk -addr 127.0.0.1:8080 -seed 500 -chaos 0.05
//
// It prints the URL and the token to use, logs each request, and serves a page at the same URL that
// shows the tickets, their conversations and the last requests. Its state is in memory; with -state,
// it is loaded from a file and saved to it at the end.
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
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

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
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on; whoever reaches it can read the page")
	seed := flags.Int("seed", 0, "`number` of tickets to add")
	chaos := flags.Float64("chaos", 0, "`share` of all API requests that fail, 0 to 1")
	chaosSeed := flags.Uint64("chaos-seed", 1, "`number` that determines which requests fail")
	limits := flags.Bool("rate-limits", false, "enforce the rate limits of creating tickets")
	dialect := flags.String("dialect", string(supportbeetest.DialectCurrent), "`form` of responses: current, recorded or documented")
	webhook := flags.String("webhook", "", "send webhooks to this `URL`")
	state := flags.String("state", "", "load the state from this `file` if it exists, and save it there at the end")
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

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	options := []supportbeetest.Option{
		supportbeetest.WithPublicURL("http://" + listener.Addr().String()),
		supportbeetest.WithDialect(supportbeetest.Dialect(*dialect)),
		supportbeetest.WithLogger(slog.New(slog.NewTextHandler(logs, nil))),
	}
	if *limits {
		options = append(options, supportbeetest.WithRateLimits())
	}
	desk, err := supportbeetest.Start(options...)
	if err != nil {
		return err
	}
	defer desk.Close()
	if err := load(desk, *state); err != nil {
		return err
	}
	desk.AddTickets(*seed)
	if *chaos > 0 {
		desk.InjectChaos(*chaos, *chaosSeed)
	}
	if *webhook != "" {
		desk.AddWebhook(supportbeetest.Webhook{URL: *webhook})
	}
	fmt.Fprintf(out, "The desk is at  %s\nIts token is    %s\n\nexport SUPPORTBEE_COMPANY=acme SUPPORTBEE_BASE_URL=%s SUPPORTBEE_TOKEN=%s\n",
		desk.URL, desk.Token, desk.URL, desk.Token)
	return errors.Join(serve(ctx, listener, handler(desk)), save(desk, *state))
}

// handler serves the page and the API.
func handler(desk *supportbeetest.Desk) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", desk)
	mux.Handle("GET /{$}", page{desk})
	mux.Handle("GET /desk/tickets/{id}", page{desk})
	return mux
}

// serve serves handler until ctx is done or serving fails.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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
	return desk.Load(file)
}

// save writes a new file and renames it, so that an interrupted write does not lose the old state.
func save(desk *supportbeetest.Desk, path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Create(path + ".tmp")
	if err != nil {
		return err
	}
	if err = errors.Join(desk.Save(file), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
