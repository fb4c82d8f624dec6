package supportbeeservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/google/renameio/v2/maybe"

	"github.com/supportbee-go/supportbee"
)

const (
	maxFailures = 8 // of a ticket, while the help desk responds
	maxDenied   = 3 // tickets
)

// TicketOptions configures [HandleTickets].
type TicketOptions struct {
	// State is the path of the file that holds the position. If it is empty, each run is the first.
	State string

	// ReadOnly leaves the file unchanged, for a dry run.
	ReadOnly bool

	// Watch configures the polls. Its field Since is used in the first run only, as the time at which
	// it begins; the default is the time of the help desk.
	Watch supportbee.WatchOptions
}

// HandleTickets calls handle for each ticket that is created at or after the beginning of the first
// run, one after the other, and again when it is replied to or commented on, until ctx is done. See
// [supportbee.TicketsService.Watch].
//
// The position is stored after each ticket, and the next run begins there. If the program is killed
// before that, handle is called again. It should get the ticket, which may have changed since it was
// listed, and find in it what was done before, such as a label or AgentRepliesCount. A reply that was
// sent just before a kill is found by [supportbee.RepliesService.CreateOnce], but only by a new
// client: a second call with the same one sends a second reply. Handle reports whether it has changed
// the ticket.
//
// After an error, handle is called again, with growing intervals of a second to a minute. Some
// tickets are skipped instead:
//
//   - one that the help desk rejects, by [supportbee.ErrNotFound], [supportbee.ErrConflict],
//     [supportbee.ErrValidation] or [supportbee.ErrInvalidArgument];
//   - one that has failed 8 times while the help desk responds to other requests;
//   - one that fails with [supportbee.ErrAccessDenied]. After the third of these without one that
//     was changed, HandleTickets returns the error, since the token has lost its rights. The next run
//     begins at the first of them.
//
// Errors of handle are logged by [slog.Warn], those of the help desk without their message, which can
// have personal data. HandleTickets returns the other errors: those of ctx, the file and Watch.
func HandleTickets(
	ctx context.Context, client *supportbee.Client, opts TicketOptions,
	handle func(ctx context.Context, ticket *supportbee.Ticket) (changed bool, err error),
) error {
	if client == nil || handle == nil {
		return errors.New("supportbeeservice: HandleTickets needs a client and a function")
	}
	p, err := loadPosition(ctx, client, opts)
	if err != nil {
		return err
	}
	// Stored before the first ticket too: if the program ends until then, the next run begins here.
	if err := p.store(opts); err != nil {
		return err
	}
	denied := make(map[supportbee.TicketID]bool) // since the last ticket that was changed
	watch := opts.Watch
	watch.Since = p.Since
	for ticket, err := range client.Tickets.Watch(ctx, &p.Checkpoint, &watch) {
		if err != nil {
			return err
		}
		var changed bool
		if !ticket.CreatedAt.Before(p.Since.Truncate(time.Second)) {
			changed, err = untilHandled(ctx, client, ticket, handle)
		}
		switch {
		case errors.Is(err, supportbee.ErrAccessDenied):
			if denied[ticket.ID] = true; len(denied) >= maxDenied {
				return err
			}
		case err != nil:
			return err
		case changed:
			clear(denied)
		}
		// The position stays before a denied ticket until another one shows that the token has its rights.
		if len(denied) == 0 {
			if err := p.store(opts); err != nil {
				return err
			}
		}
	}
	return nil
}

// untilHandled calls handle until it succeeds or the ticket is to be skipped. It returns an error if
// ctx is done, that of ctx, or if access is denied.
func untilHandled(
	ctx context.Context, client *supportbee.Client, ticket *supportbee.Ticket,
	handle func(ctx context.Context, ticket *supportbee.Ticket) (changed bool, err error),
) (changed bool, err error) {
	wait, alone := time.Second, 0 // failures of the ticket while the help desk responds to another request
	for {
		changed, err := handle(ctx, ticket)
		if err == nil {
			return changed, nil
		}
		ended := ctx.Err() != nil
		if !ended || !errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)) { // the end is no failure
			slog.Warn("ticket failed", "ticket", ticket.ID, "err", withoutMessage(err))
		}
		switch {
		case ended:
			return false, context.Cause(ctx)
		case errors.Is(err, supportbee.ErrAccessDenied):
			return false, err
		case errors.Is(err, supportbee.ErrNotFound), errors.Is(err, supportbee.ErrConflict),
			errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
			return false, nil
		}
		if _, err := client.Labels.List(ctx); err == nil {
			if alone++; alone >= maxFailures {
				return false, nil
			}
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, time.Minute)
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// withoutMessage returns the error of the help desk that err wraps, which is logged without its
// message, or err.
func withoutMessage(err error) error {
	if e, ok := errors.AsType[*supportbee.Error](err); ok {
		return e
	}
	return err
}

// position is the content of the file.
type position struct {
	Since      time.Time             `json:"since"` // when the first run began
	Checkpoint supportbee.Checkpoint `json:"checkpoint"`
}

func loadPosition(ctx context.Context, client *supportbee.Client, opts TicketOptions) (p position, err error) {
	data, err := os.ReadFile(opts.State)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("position in %s: %w", opts.State, err)
	}
	if p.Since.IsZero() {
		p.Since = opts.Watch.Since
	}
	if p.Since.IsZero() {
		var response supportbee.Response
		if _, err := client.Labels.List(supportbee.WithResponse(ctx, &response)); err != nil {
			return p, err
		}
		if p.Since, err = response.Date(); err != nil {
			return p, fmt.Errorf("the time of the help desk is not known: %w", err)
		}
	}
	return p, nil
}

// store replaces the file as a whole or, if the program is killed, not at all.
func (p position) store(opts TicketOptions) error {
	if opts.ReadOnly || opts.State == "" {
		return nil
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return maybe.WriteFile(opts.State, data, 0o600)
}
