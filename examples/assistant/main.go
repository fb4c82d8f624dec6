// Command assistant is an MCP server that lets an assistant, such as a language model in a chat
// program, search and read the tickets of a help desk, and write drafts, comments and, if that is
// allowed, replies. See its README.
package main

import (
	"context"
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
)

func main() { supportbeeservice.Main("assistant", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 && !supportbeeservice.HasAccount() {
		return demo(ctx, out)
	}
	flags := flag.NewFlagSet("assistant", flag.ContinueOnError) // writes to standard error: standard output carries the protocol
	httpAddr := flags.String("http", "", "serve streamable HTTP at http://`ADDR`/mcp, to clients that have ASSISTANT_TOKEN; default standard I/O")
	recipients := flags.String("allow-replies", "", "offer send_reply, which mails these `recipients`: addresses and domains with commas, or * for anyone")
	readOnly := flags.Bool("read-only", false, "offer no tool that writes, not even with -allow-replies")
	dryRun := flags.Bool("dry-run", false, "log writes instead of sending them")
	settle := flags.Duration("settle", 20*time.Second, "how long a request without a response may still take effect")
	metrics := flags.String("metrics", "", "serve /metrics and /healthz at `ADDR`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	token := os.Getenv("ASSISTANT_TOKEN")
	if *httpAddr != "" && len(token) < 16 {
		return errors.New("-http requires ASSISTANT_TOKEN, with at least 16 characters")
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := supportbee.FromEnv(
		supportbee.WithAllowedRecipients(allowRecipients(*recipients)), supportbee.WithLogger(log), supportbee.WithUserAgent("assistant"),
		// A model waits for each call, and MCP clients usually for a minute at most.
		supportbee.WithTimeout(15*time.Second), supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: 10 * time.Second}),
	)
	if err != nil {
		return err
	}
	if *dryRun {
		client = client.With(supportbee.WithDryRun(func(_ context.Context, r supportbee.PlannedRequest) {
			log.Info("dry run: not sent", "op", r.Op, "method", r.Method, "bytes", len(r.Body))
		}))
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	service := supportbeeservice.New(ctx)
	client = service.Instrument(client)
	a := newAssistant(config{client: client, settle: *settle, readOnly: *readOnly, allowReplies: *recipients != "", dryRun: *dryRun, log: log})
	service.Register(a.calls)
	monitor := service.Monitor(*metrics, func(context.Context) error { return nil }) // it is healthy without calls, too
	if *httpAddr != "" {
		log.Info("serving", "url", service.Listen(*httpAddr, handler(a, token)), "monitor", monitor)
	} else {
		service.Go(func(ctx context.Context) error {
			defer cancel() // the client has gone
			return a.Run(ctx, &mcp.StdioTransport{})
		})
		log.Info("serving", "desk", client, "monitor", monitor)
	}
	err = service.Wait()
	a.writing.Lock() // until a write whose client has not waited is completed
	return err
}

// handler serves MCP at /mcp to clients that have the token.
func handler(a *assistant, token string) http.Handler {
	verify := func(_ context.Context, given string, _ *http.Request) (*auth.TokenInfo, error) {
		if subtle.ConstantTimeCompare([]byte(given), []byte(token)) != 1 {
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
