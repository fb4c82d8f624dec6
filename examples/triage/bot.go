package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/supportbee-go/supportbee"
)

// bot handles new tickets. What it has done is in the help desk alone, so that it can be killed at
// any point: a handled ticket has the label rules.Done, and CreateOnce finds a reply that was sent.
type bot struct {
	client   *supportbee.Client
	rules    *rules
	since    time.Time     // where to begin without a checkpoint; now if zero
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

// untilDone handles a ticket, and tries again after errors that can pass. It goes on without a
// ticket that the help desk does not let it change.
func (b *bot) untilDone(ctx context.Context, id supportbee.TicketID) error {
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		result, err := b.handle(ctx, id)
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
	if ticket.Spam || ticket.Trash || ticket.Archived || has(ticket, b.rules.Done) {
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
	switch {
	case ticket.AssignedUser != nil || ticket.AssignedTeam != nil: // an agent knows better
	case action.user != 0:
		_, err = b.client.Tickets.AssignUser(ctx, id, action.user)
	case action.team != 0:
		_, err = b.client.Tickets.AssignTeam(ctx, id, action.team)
	}
	if err != nil {
		return "", err
	}
	result = "handled"
	if action.reply != "" && ticket.AgentRepliesCount == 0 {
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

// warn logs an error without the message of the server, which can have personal data.
func (b *bot) warn(what string, err error, args ...any) {
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
		b.log.Warn(what, append(args, "error", apiErr)...)
		return
	}
	b.log.Warn(what, append(args, "error", err)...)
}
