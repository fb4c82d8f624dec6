// Command wirecheck compares the responses of a help desk with openapi.yaml and with the SDK's types.
// It prints a report to paste into an issue, which holds names of members, kinds and counts, but no
// values.
//
// It only reads. With -write it also creates a ticket of its own, which it deletes in the end. If
// neither SUPPORTBEE_TOKEN nor SUPPORTBEE_COMPANY or SUPPORTBEE_BASE_URL is set, it checks an
// embedded help desk with a few planted differences.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "wirecheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, logs io.Writer) error {
	flags := flag.NewFlagSet("wirecheck", flag.ContinueOnError)
	flags.SetOutput(logs)
	tickets := flags.Int("tickets", 25, "`number` of tickets whose replies, comments, audit trail and draft are read")
	write := flags.Bool("write", false, "also create a ticket, reply to it and delete it; this sends mail to -requester, and may notify agents")
	requester := flags.String("requester", "", "`address` of yours for -write")
	verbose := flags.Bool("v", false, "log each request; this log holds the names that the report hides")
	if err := flags.Parse(args); err != nil {
		return err
	}
	level := slog.LevelInfo
	if *verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: level}))

	check, err := newCheck(supportbee.NewTransport())
	if err != nil {
		return err
	}
	opts := []supportbee.Option{supportbee.WithTransport(check), supportbee.WithObserver(check.observer()), supportbee.WithUserAgent("wirecheck")}
	if *verbose {
		opts = append(opts, supportbee.WithLogger(logger))
	}
	var client *supportbee.Client
	if accountIsSet() {
		client, err = supportbee.FromEnv(opts...)
	} else {
		desk, startErr := embedded()
		if startErr != nil {
			return startErr
		}
		defer desk.Close()
		logger.Info("SUPPORTBEE_TOKEN is not set: using an embedded help desk with four planted differences")
		*write, *requester = true, cmp.Or(*requester, supportbeetest.CustomerEmail)
		client, err = supportbee.New("", desk.Token, append(opts, supportbee.WithBaseURL(desk.URL))...)
	}
	if err != nil {
		return err
	}
	if *write && *requester == "" {
		return errors.New("-write requires -requester, an address of yours")
	}
	client = client.With(supportbee.WithAllowedRecipients(func(address string) bool { return strings.EqualFold(address, *requester) }))

	ctx, check.stop = context.WithCancelCause(ctx)
	defer check.stop(nil)
	w := &walk{Client: client, check: check, tickets: max(*tickets, 0), ended: ctx.Err, actions: map[string]int{}}
	mode := "read-only"
	logger.Info("reading", "tickets", w.tickets)
	err = w.read(ctx)
	if *write && err == nil {
		mode = "with a ticket of its own"
		logger.Info("writing")
		err = w.write(ctx, *requester)
	}
	if !w.begun {
		return err
	}
	if err != nil {
		mode += ", incomplete"
	}
	return errors.Join(err, w.report(out, mode, time.Now()))
}

// accountIsSet reports whether the environment names a help desk, even incompletely: FromEnv then
// returns what is missing, which using the embedded desk would hide.
func accountIsSet() bool {
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// embedded starts a desk whose responses differ from the description.
func embedded() (*supportbeetest.Desk, error) {
	desk, err := supportbeetest.Start()
	if err != nil {
		return nil, err
	}
	desk.AddTickets(120)
	file := desk.AddFile("kettle.txt", "text/plain", []byte("A picture of a kettle."))
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle", Text: "See the file.", AttachmentIDs: []supportbee.AttachmentID{file}})
	desk.Inject(supportbeetest.Match{Op: "Tickets.Get"}, replace(`"subject":`, `"priority":"high","subject":`))
	desk.Inject(supportbeetest.Match{Op: "Comments.List"}, replace(`"commenter":`, `"author":`))
	desk.Inject(supportbeetest.Match{Op: "Snippets.List"}, replace(`"tags":`, `"tags":7,"old_tags":`))
	desk.Inject(supportbeetest.Match{Op: "Users.Members", Times: 1}, supportbeetest.RateLimited("1"))
	return desk, nil
}

// replace is a fault that replaces a text in responses.
func replace(old, by string) supportbeetest.Fault {
	return supportbeetest.Fault{Name: "replace", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Accept-Encoding")
			res := httptest.NewRecorder()
			next.ServeHTTP(res, r)
			body := bytes.ReplaceAll(res.Body.Bytes(), []byte(old), []byte(by))
			maps.Copy(w.Header(), res.Header())
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(res.Code)
			_, _ = w.Write(body)
		})
	}}
}
