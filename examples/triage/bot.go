package main

import (
	"context"
	"log/slog"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
)

var results = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "triage_tickets_total", Help: "Tickets by result: replied, handled (without a reply), left alone; and failed attempts.",
}, []string{"result"})

// automatic matches addresses whose mail is read by no person: replies to them could go on without
// end.
var automatic = regexp.MustCompile(`(?i)^(|mailer[-_.]?daemon|postmaster|(no|do[-_.]?not)[-_.]?reply|bounces?)(@|$)`)

// bot handles new tickets. What it has done is in the help desk alone, so that it can be killed at
// any point: a handled ticket has the label rules.Done, and CreateOnce finds a reply that was sent.
type bot struct {
	client *supportbee.Client
	rules  *rules
	settle time.Duration // see supportbee.OnceOptions; 0 is its default
}

// handle handles a ticket, for HandleTickets.
func (b *bot) handle(ctx context.Context, ticket *supportbee.Ticket) (changed bool, err error) {
	result, err := b.triage(ctx, ticket.ID)
	if err != nil {
		result = "failed"
	}
	slog.Info("ticket", "id", ticket.ID, "result", result)
	results.WithLabelValues(result).Inc()
	return result == "handled" || result == "replied", err
}

// triage handles a ticket. The label that marks it comes last. What was done before a kill is not
// done again: the ticket shows it.
func (b *bot) triage(ctx context.Context, id supportbee.TicketID) (result string, err error) {
	ticket, err := b.client.Tickets.Get(ctx, id) // it may have changed since it was listed
	if err != nil {
		return "", err
	}
	if ticket.Spam || ticket.Trash || ticket.Archived || ticket.HasLabel(b.rules.Done) {
		return "left alone", nil
	}
	action := b.rules.apply(ticket)
	for _, label := range action.Labels {
		if !ticket.HasLabel(label) {
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
	if action.Reply != "" && ticket.AgentRepliesCount == 0 && !ticket.Requester.Agent && !automatic.MatchString(ticket.Requester.Email) {
		params := supportbee.ReplyParams{Content: supportbee.Text(action.Reply)}
		if _, err := b.client.Replies.CreateOnce(ctx, id, params, &supportbee.OnceOptions{Since: ticket.CreatedAt, Settle: b.settle}); err != nil {
			return "", err
		}
		result = "replied"
	}
	_, err = b.client.Labels.Add(ctx, id, b.rules.Done)
	return result, err
}
