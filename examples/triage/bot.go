package main

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
)

const (
	// maxFailures is how often handling a ticket may fail before the bot looks whether it is the
	// ticket that fails or the help desk.
	maxFailures = 8

	// maxDenied is how many tickets in a row the bot may be denied to change before it ends, since its
	// token has lost its rights.
	maxDenied = 3
)

var results = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "triage_tickets_total", Help: "Tickets by result: replied, handled (without a reply), left alone, rejected, denied or failed.",
}, []string{"result"})

// automatic matches addresses whose mail is read by no person: replies to them could go on without
// end.
var automatic = regexp.MustCompile(`(?i)^(|mailer[-_.]?daemon|postmaster|(no|do[-_.]?not)[-_.]?reply|bounces?)(@|$)`)

// bot handles new tickets. What it has done is in the help desk alone, so that it can be killed at
// any point: a handled ticket has the label rules.Done, and CreateOnce finds a reply that was sent.
type bot struct {
	client *supportbee.Client
	rules  *rules
	watch  supportbee.WatchOptions           // tickets from before Since are left alone
	settle time.Duration                     // see supportbee.OnceOptions; 0 is its default
	save   func(supportbee.Checkpoint) error // nil in a dry run
}

// run handles the tickets with activity after the checkpoint until ctx is done.
func (b *bot) run(ctx context.Context, checkpoint supportbee.Checkpoint) error {
	denied := 0 // tickets since the last one that was changed
	for ticket, err := range b.client.Tickets.Watch(ctx, &checkpoint, &b.watch) {
		if err != nil {
			return err
		}
		result, err := b.untilDone(ctx, ticket.ID)
		if errors.Is(err, supportbee.ErrAccessDenied) {
			if denied++; denied < maxDenied {
				slog.Warn("ticket denied", "ticket", ticket.ID, "error", err)
				result, err = "denied", nil
			}
		}
		if err != nil {
			return err
		}
		if b.save == nil {
			continue
		}
		slog.Info("ticket", "id", ticket.ID, "result", result)
		results.WithLabelValues(result).Inc()
		if result == "handled" || result == "replied" {
			denied = 0
		}
		// The position stays before a denied ticket until another one shows that the token has its
		// rights: if it has not, the next run begins there.
		if denied == 0 {
			if err := b.save(checkpoint); err != nil {
				return err
			}
		}
	}
	return nil
}

// untilDone handles a ticket, and tries again after errors that can pass. It goes on without a
// ticket that the help desk rejects, or that alone keeps failing.
func (b *bot) untilDone(ctx context.Context, id supportbee.TicketID) (result string, err error) {
	wait := time.Second
	for failures := 1; ; failures++ {
		result, err := b.handle(ctx, id)
		switch {
		case err == nil, ctx.Err() != nil, errors.Is(err, supportbee.ErrAccessDenied):
			return result, err
		case errors.Is(err, supportbee.ErrNotFound), errors.Is(err, supportbee.ErrConflict),
			errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
			slog.Warn("ticket rejected", "ticket", id, "error", err)
			return "rejected", nil
		}
		slog.Warn("handling a ticket failed", "ticket", id, "error", err)
		if failures >= maxFailures {
			if _, err := b.client.Labels.List(ctx); err == nil {
				return "failed", nil
			}
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, time.Minute)
		case <-ctx.Done():
			return "", context.Cause(ctx)
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
	if ticket.Spam || ticket.Trash || ticket.Archived || ticket.CreatedAt.Before(b.watch.Since.Truncate(time.Second)) || has(ticket, b.rules.Done) {
		return "left alone", nil
	}
	action := b.rules.apply(ticket)
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
	if action.reply != "" && ticket.AgentRepliesCount == 0 && !ticket.Requester.Agent && !automatic.MatchString(ticket.Requester.Email) {
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
