// Command assistant is an MCP server that lets an assistant, such as a language model in a chat
// program, search and read the tickets of a help desk, and write labels, drafts, comments and, if
// that is allowed, replies. See its README.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeotel"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, log: os.Stderr})
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "assistant:", err)
		os.Exit(1)
	}
}

// streams are those of the process. With -stdio, in and out carry the protocol and nothing else.
type streams struct {
	in       io.ReadCloser
	out, log io.Writer
}

func run(ctx context.Context, args []string, std streams) error {
	flags := flag.NewFlagSet("assistant", flag.ContinueOnError)
	flags.SetOutput(std.log)
	stdio := flags.Bool("stdio", false, "serve on standard input and output; the default if the environment names a help desk")
	httpAddr := flags.String("http", "", "serve streamable HTTP at http://`ADDR`/mcp; only on loopback unless ASSISTANT_TOKEN is set")
	hosts := flags.String("hosts", "", "comma-separated host `names` that clients may use with -http, besides those of loopback")
	allowReplies := flags.Bool("allow-replies", false, "offer the tool send_reply, which mails customers; requires -recipients")
	recipients := flags.String("recipients", "", "comma-separated `patterns` of addresses and domains that replies may be sent to, such as \"ann@example.com,*.example.org\"")
	readOnly := flags.Bool("read-only", false, "offer no tool that writes")
	dryRun := flags.Bool("dry-run", false, "log writes instead of sending them")
	settle := flags.Duration("settle", 20*time.Second, "how long a request without a response may still take effect")
	metrics := flags.String("metrics", "", "serve /metrics and /healthz at `ADDR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(std.log, nil))
	allow, err := allowRecipients(*recipients)
	switch {
	case err != nil:
		return err
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *stdio && *httpAddr != "":
		return errors.New("-stdio and -http exclude each other")
	case *allowReplies && (*recipients == "" || *readOnly):
		return errors.New("-allow-replies requires -recipients, such as \"example.com\" or \"*\" for anyone, and excludes -read-only")
	case !*allowReplies:
		allow = func(string) bool { return false } // no call of this program can send mail then
	}

	opts := []supportbee.Option{
		supportbee.WithAllowedRecipients(allow), supportbee.WithLogger(log), supportbee.WithUserAgent("assistant"),
		// A model waits for each call, and MCP clients usually for a minute at most.
		supportbee.WithTimeout(15 * time.Second), supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: 10 * time.Second}),
	}
	if *dryRun {
		opts = append(opts, supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) {
			log.Info("dry run: not sent", "op", r.Op, "method", r.Method, "bytes", len(r.Body))
		}))
	}
	cfg := config{settle: *settle, readOnly: *readOnly, allowReplies: *allowReplies, dryRun: *dryRun, log: log, registry: prometheus.NewRegistry()}
	if accountIsSet() {
		cfg.client, err = supportbee.FromEnv(opts...)
		if err != nil {
			return err
		}
	} else {
		desk, err := supportbeetest.Start()
		if err != nil {
			return err
		}
		defer desk.Close()
		serve := *stdio || *httpAddr != ""
		notice := map[bool]io.Writer{true: std.log, false: std.out}[serve]
		fmt.Fprintf(notice, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n", desk.URL)
		if !serve {
			return demo(ctx, desk, std.out)
		}
		cfg.client = desk.Client(opts...)
	}

	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(cfg.registry))
	if err != nil {
		return err
	}
	cfg.client = supportbeeotel.Instrument(cfg.client, supportbeeotel.WithMeterProvider(metric.NewMeterProvider(metric.WithReader(exporter))))
	server := newServer(cfg)
	if *metrics != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.registry, promhttp.HandlerOpts{}))
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		l, err := net.Listen("tcp", *metrics)
		if err != nil {
			return err
		}
		log.Info("metrics", "addr", l.Addr())
		side := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
		defer side.Close() //nolint:errcheck // nothing is lost
		go side.Serve(l)   //nolint:errcheck // it ends with side.Close
	}
	if *httpAddr != "" {
		return serveHTTP(ctx, log, server, *httpAddr, os.Getenv("ASSISTANT_TOKEN"), split(*hosts))
	}
	log.Info("serving on standard input and output", "desk", cfg.client)
	return serveStdio(ctx, server, &mcp.IOTransport{Reader: std.in, Writer: keepOpen{std.out}})
}

func serveStdio(ctx context.Context, server *mcp.Server, transport mcp.Transport) error {
	d := &drain{Transport: transport}
	session, err := server.Connect(context.WithoutCancel(ctx), d, nil)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case err := <-ended: // waits for writes in progress
		return err
	case <-ctx.Done():
	}
	for until := time.Now().Add(writeTimeout); d.busy() && time.Now().Before(until); {
		<-time.After(10 * time.Millisecond)
	}
	_ = session.Close() // its error says that the server is closing
	return nil
}

// drain is a transport that knows the calls of tools without a result, which the end of a session
// would discard.
type drain struct {
	mcp.Transport
	mcp.Connection
	calls sync.Map // keys are of type jsonrpc.ID
}

func (d *drain) busy() (busy bool) {
	d.calls.Range(func(_, _ any) bool { busy = true; return false })
	return busy
}

func (d *drain) Connect(ctx context.Context) (_ mcp.Connection, err error) {
	d.Connection, err = d.Transport.Connect(ctx)
	return d, err
}

func (d *drain) Read(ctx context.Context) (jsonrpc.Message, error) {
	msg, err := d.Connection.Read(ctx)
	if r, ok := msg.(*jsonrpc.Request); ok && r.Method == "tools/call" {
		d.calls.Store(r.ID, nil)
	}
	return msg, err
}

func (d *drain) Write(ctx context.Context, msg jsonrpc.Message) error {
	if r, ok := msg.(*jsonrpc.Response); ok {
		defer d.calls.Delete(r.ID)
	}
	return d.Connection.Write(ctx, msg)
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// accountIsSet reports whether the environment names a help desk, even incompletely: FromEnv then
// returns what is missing, which using the embedded desk would hide.
func accountIsSet() bool {
	return slices.ContainsFunc([]string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"}, func(name string) bool {
		return os.Getenv(name) != ""
	})
}

func serveHTTP(ctx context.Context, log *slog.Logger, server *mcp.Server, addr, token string, hosts []string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer l.Close()
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		if token == "" || len(hosts) == 0 {
			return fmt.Errorf("%s is not a loopback address: set ASSISTANT_TOKEN and -hosts", addr)
		}
	}
	if token != "" && len(token) < 16 {
		return errors.New("ASSISTANT_TOKEN must have at least 16 characters")
	}
	log.Info("serving HTTP", "addr", l.Addr(), "token", token != "")
	srv := &http.Server{Handler: handler(server, token, hosts), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout+10*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil { // waits for calls in progress
		return errors.Join(err, srv.Close())
	}
	return nil
}

// handler serves MCP to clients that have the token, if there is one. It rejects other Host headers,
// since a name of someone else's can be made to resolve to this address, and web pages of other origins.
func handler(server *mcp.Server, token string, hosts []string) http.Handler {
	// The checks of Host are here for every address, so that those of the MCP SDK, which know
	// loopback names only, would only be in the way of a reverse proxy on the same machine.
	var h http.Handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true})
	if token != "" {
		want := sha256.Sum256([]byte(token))
		h = auth.RequireBearerToken(func(_ context.Context, given string, _ *http.Request) (*auth.TokenInfo, error) {
			got := sha256.Sum256([]byte(given))
			if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
				return nil, auth.ErrInvalidToken
			}
			return &auth.TokenInfo{}, nil
		}, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(h)
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := (&url.URL{Host: r.Host}).Hostname()
		if ip := net.ParseIP(name); !(ip != nil && ip.IsLoopback()) && !slices.Contains(append(hosts, "localhost"), strings.ToLower(name)) {
			http.Error(w, "this Host is not allowed; see -hosts", http.StatusForbidden)
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" {
			if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
				http.Error(w, "requests of web pages of other origins are not allowed", http.StatusForbidden)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}
