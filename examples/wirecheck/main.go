// Command wirecheck compares the responses of a help desk with openapi.yaml and with the SDK's types.
// It prints a report to paste into an issue, which holds no values of responses.
//
// It only reads. With -write it also creates a ticket of its own, which it deletes in the end. Without
// an account, it checks an embedded help desk with a few planted differences.
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
	"strings"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeecheck"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() { supportbeeservice.Main("wirecheck", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("wirecheck", flag.ContinueOnError)
	tickets := flags.Int("tickets", 25, "`number` of tickets whose replies, comments, audit trail and draft are read")
	write := flags.Bool("write", false, "also create a ticket, reply to it and delete it; this sends mail to -requester, and may notify agents")
	requester := flags.String("requester", "", "`address` of yours for -write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	checker := supportbeecheck.New(nil)
	isOwn := func(address string) bool { return strings.EqualFold(address, *requester) }
	opts := append(checker.Options(), supportbee.WithUserAgent("wirecheck"), supportbee.WithAllowedRecipients(isOwn), supportbee.WithObserver(supportbee.Observer{
		End: func(_ context.Context, _ supportbee.Operation, response supportbee.Response, err error) {
			if err != nil && (response.StatusCode == 0 || errors.Is(err, supportbee.ErrRateLimited)) {
				stop(err) // the next operations would fail, too
			}
		},
	}))
	client, err := supportbee.FromEnv(opts...)
	if !supportbeeservice.HasAccount() {
		desk, startErr := embedded()
		if startErr != nil {
			return startErr
		}
		defer desk.Close()
		slog.Info("SUPPORTBEE_TOKEN is not set: using an embedded help desk with four planted differences")
		*write, *requester = true, cmp.Or(*requester, supportbeetest.CustomerEmail)
		client, err = desk.Client(opts...), nil
	}
	if err != nil {
		return err
	}
	if *write && *requester == "" {
		return errors.New("-write requires -requester, an address of yours")
	}

	w := &walk{Client: client, tickets: max(*tickets, 0)}
	ctx = supportbee.WithResponse(ctx, &w.last)
	if _, err := w.Labels.List(ctx); errors.Is(err, supportbee.ErrAccessDenied) || ctx.Err() != nil {
		return cmp.Or(context.Cause(ctx), err) // all else would fail, too
	}
	mode := "read-only"
	slog.Info("reading", "tickets", *tickets)
	err = w.read(ctx)
	if *write && err == nil {
		mode = "with a ticket of its own"
		slog.Info("writing")
		err = w.write(ctx, *requester)
	}
	if err != nil {
		mode += ", incomplete"
	}
	var report bytes.Buffer
	fmt.Fprintf(&report, "# Report of wirecheck\n\n- Walk: %s\n", mode)
	reportErr := checker.Report(&report)
	fmt.Fprintf(&report, "\n## Questions\n\n| question | answer |\n|---|---|\n%s\n", strings.Join(w.answers, "\n"))
	_, writeErr := report.WriteTo(out)
	return errors.Join(err, reportErr, writeErr)
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
	desk.Inject(supportbeetest.Match{Op: "Tickets.Get"}, each("ticket", func(t map[string]any) { t["priority"] = "high" }))
	desk.Inject(supportbeetest.Match{Op: "Comments.List"}, each("comments", func(c map[string]any) { c["author"] = c["commenter"]; delete(c, "commenter") }))
	desk.Inject(supportbeetest.Match{Op: "Snippets.List"}, each("snippets", func(s map[string]any) { s["tags"], s["old_tags"] = 7, s["tags"] }))
	desk.Inject(supportbeetest.Match{Op: "Users.Members", Times: 1}, supportbeetest.RateLimited("1"))
	return desk, nil
}

// each is a fault that changes the resource or the resources below a key of responses.
func each(key string, change func(resource map[string]any)) supportbeetest.Fault {
	return supportbeetest.EditJSON(func(response map[string]any) {
		resources, _ := response[key].([]any)
		for _, r := range append(resources, response[key]) {
			if resource, ok := r.(map[string]any); ok {
				change(resource)
			}
		}
	})
}
