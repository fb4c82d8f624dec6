// Command assistant is an MCP server that lets an assistant, such as a language model in a chat
// program, search and read the tickets of a help desk, and write drafts, comments and, if that is
// allowed, replies. See its README.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() { supportbeeservice.Main("assistant", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("assistant", flag.ContinueOnError) // writes to standard error: standard output carries the protocol
	stdio := flags.Bool("stdio", false, "serve on standard input and output; the default if the environment names a help desk")
	httpAddr := flags.String("http", "", "serve streamable HTTP at http://`ADDR`/mcp, to clients that have ASSISTANT_TOKEN")
	allowReplies := flags.Bool("allow-replies", false, "offer the tool send_reply, which mails customers; requires -recipients")
	recipients := flags.String("recipients", "", "comma-separated addresses and `domains` that replies may be sent to; * is anyone")
	readOnly := flags.Bool("read-only", false, "offer no tool that writes")
	dryRun := flags.Bool("dry-run", false, "log writes instead of sending them")
	settle := flags.Duration("settle", 20*time.Second, "how long a request without a response may still take effect")
	metrics := flags.String("metrics", "", "serve /metrics and /healthz at `ADDR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	token := os.Getenv("ASSISTANT_TOKEN")
	switch {
	case *httpAddr != "" && len(token) < 16:
		return errors.New("-http requires ASSISTANT_TOKEN, with at least 16 characters")
	case *allowReplies && (*recipients == "" || *readOnly):
		return errors.New("-allow-replies requires -recipients, such as \"example.com\" or \"*\" for anyone, and excludes -read-only")
	case !*allowReplies:
		*recipients = "" // no call of this program can send mail then
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg := config{settle: *settle, readOnly: *readOnly, allowReplies: *allowReplies, dryRun: *dryRun, log: log}
	if supportbeeservice.HasAccount() {
		var err error
		if cfg.client, err = supportbee.FromEnv(); err != nil {
			return err
		}
	} else {
		desk, err := supportbeetest.Start()
		if err != nil {
			return err
		}
		defer desk.Close()
		if !*stdio && *httpAddr == "" {
			return demo(ctx, desk, out)
		}
		log.Info("SUPPORTBEE_TOKEN is not set: using an embedded help desk", "url", desk.URL)
		cfg.client = desk.Client()
	}
	cfg.client = cfg.client.With(
		supportbee.WithAllowedRecipients(allowRecipients(*recipients)), supportbee.WithLogger(log), supportbee.WithUserAgent("assistant"),
		// A model waits for each call, and MCP clients usually for a minute at most.
		supportbee.WithTimeout(15*time.Second), supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: 10 * time.Second}),
	)
	if *dryRun {
		cfg.client = cfg.client.With(supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) {
			log.Info("dry run: not sent", "op", r.Op, "method", r.Method, "bytes", len(r.Body))
		}))
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service := supportbeeservice.New(ctx)
	cfg.client = service.Instrument(cfg.client)
	a := newAssistant(cfg)
	service.Register(a.calls)
	monitor := service.Monitor(*metrics, func(context.Context) error { return nil }) // it is healthy without calls, too
	if *httpAddr != "" {
		log.Info("serving", "url", service.Listen(*httpAddr, handler(a, token)), "monitor", monitor)
	} else {
		service.Go(func(ctx context.Context) error {
			defer cancel() // the client has gone
			return a.Run(ctx, &mcp.StdioTransport{})
		})
		log.Info("serving", "desk", cfg.client, "monitor", monitor)
	}
	err := service.Wait()
	a.writing.Lock() // until a write whose client has not waited is completed
	return err
}

// handler serves MCP at /mcp to clients that have the token.
func handler(a *assistant, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	verify := func(_ context.Context, given string, _ *http.Request) (*auth.TokenInfo, error) {
		got := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{}, nil
	}
	protected := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})
	mux := http.NewServeMux()
	mux.Handle("/mcp", protected(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return a.Server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})))
	return mux
}

// allowRecipients returns a function for [supportbee.WithAllowedRecipients] that allows the
// addresses and domains of a comma-separated list; "*" is anyone.
func allowRecipients(list string) func(address string) bool {
	allowed := strings.FieldsFunc(strings.ToLower(list), func(r rune) bool { return r == ',' || r == ' ' })
	return func(address string) bool {
		_, domain, _ := strings.Cut(address, "@") // of an address with two of them, it is no domain of the list
		return slices.Contains(allowed, "*") || slices.Contains(allowed, address) || slices.Contains(allowed, domain)
	}
}
