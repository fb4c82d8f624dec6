package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// bot handles new tickets. What it has done is in the help desk alone, so that it can be killed at
// any point: a handled ticket has the label rules.Done, and CreateOnce finds a reply that was sent.
type bot struct {
	client   *supportbee.Client
	rules    *rules
	since    time.Time     // by the help desk's clock; older tickets are left alone
	interval time.Duration // between polls, at least
	settle   time.Duration // see supportbee.OnceOptions; 0 is its default
	save     func(supportbee.Checkpoint) error
	handled  func(ticket supportbee.TicketID, result string)
	log      *slog.Logger
}

// run handles the tickets with activity after the checkpoint until ctx is done.
func (b *bot) run(ctx context.Context, checkpoint supportbee.Checkpoint) error {
	opts := &supportbee.WatchOptions{Since: b.since, MinInterval: b.interval, OnError: func(err error) { b.warn("poll failed", err) }}
	for ticket, err := range b.client.Tickets.Watch(ctx, &checkpoint, opts) {
		if err == nil {
			err = b.untilDone(ctx, ticket.ID)
		}
		if err == nil {
			err = b.save(checkpoint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxFailures is how often handling a ticket may fail before the bot looks whether it is the ticket
// that fails or the help desk.
const maxFailures = 8

// untilDone handles a ticket, and tries again after errors that can pass. It goes on without a
// ticket that the help desk does not let it change, or that alone keeps failing.
func (b *bot) untilDone(ctx context.Context, id supportbee.TicketID) error {
	wait := time.Second
	for failures := 1; ; failures++ {
		result, err := b.handle(ctx, id)
		if err != nil && failures >= maxFailures && ctx.Err() == nil {
			if _, other := b.client.Labels.List(ctx); other == nil {
				b.warn("ticket given up", err, "ticket", id)
				b.handled(id, "failed")
				return nil
			}
		}
		switch {
		case err == nil:
			b.handled(id, result)
			return nil
		case errors.Is(err, supportbee.ErrNotFound), errors.Is(err, supportbee.ErrConflict), errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
			b.warn("ticket not handled", err, "ticket", id)
			b.handled(id, "rejected")
			return nil
		case errors.Is(err, supportbee.ErrAccessDenied), ctx.Err() != nil:
			return err
		}
		b.warn("handling a ticket failed", err, "ticket", id, "retry_after", wait)
		select {
		case <-time.After(wait):
			wait = min(2*wait, time.Minute)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// handle handles a ticket. The label that marks it comes last. What was done before a kill is not
// done again: the ticket shows it.
func (b *bot) handle(ctx context.Context, id supportbee.TicketID) (result string, err error) {
	ticket, err := b.client.Tickets.Get(ctx, id) // it may have changed since it was listed
	if err != nil {
		return "", err
	}
	if ticket.Spam || ticket.Trash || ticket.Archived || ticket.CreatedAt.Before(b.since.Truncate(time.Second)) || has(ticket, b.rules.Done) {
		return "left alone", nil
	}
	action, err := b.rules.apply(ticket)
	if err != nil {
		return "", err
	}
	for _, label := range action.labels {
		if !has(ticket, label) {
			if _, err := b.client.Labels.Add(ctx, id, label); err != nil {
				return "", err
			}
		}
	}
	// An assignment is left as it is: an agent knows better. The user must be in the team, and comes
	// second.
	if action.team != 0 && ticket.AssignedTeam == nil && ticket.AssignedUser == nil {
		if _, err := b.client.Tickets.AssignTeam(ctx, id, action.team); err != nil {
			return "", err
		}
	}
	if action.user != 0 && ticket.AssignedUser == nil && (ticket.AssignedTeam == nil || ticket.AssignedTeam.ID == action.team) {
		if _, err := b.client.Tickets.AssignUser(ctx, id, action.user); err != nil {
			return "", err
		}
	}
	result = "handled"
	if action.reply != "" && ticket.AgentRepliesCount == 0 && !ticket.Requester.Agent && !isAutomatic(ticket.Requester.Email) {
		params := supportbee.ReplyParams{Content: supportbee.Text(action.reply)}
		if _, err := b.client.Replies.CreateOnce(ctx, id, params, &supportbee.OnceOptions{Since: ticket.CreatedAt, Settle: b.settle}); err != nil {
			return "", err
		}
		result = "replied"
	}
	_, err = b.client.Labels.Add(ctx, id, b.rules.Done)
	return result, err
}

func has(t *supportbee.Ticket, label string) bool {
	return slices.ContainsFunc(t.Labels, func(l supportbee.Label) bool { return l.Name == label })
}

// isAutomatic reports whether the mail of an address is read by no person: replies to it could go on
// without end.
func isAutomatic(address string) bool {
	name, _, _ := strings.Cut(strings.ToLower(address), "@")
	name = strings.NewReplacer("-", "", "_", "", ".", "").Replace(name)
	return name == "" || slices.Contains([]string{"mailerdaemon", "postmaster", "noreply", "donotreply", "bounce", "bounces"}, name)
}

// warn logs an error without the message of the server, which can have personal data.
func (b *bot) warn(what string, err error, args ...any) {
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
		b.log.Warn(what, append(args, "error", apiErr)...)
		return
	}
	b.log.Warn(what, append(args, "error", err)...)
}
