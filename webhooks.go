package supportbee

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// WebhookAction says what happened. Others than the known ones may come.
type WebhookAction string

// The known actions.
const (
	WebhookTicketCreated            WebhookAction = "ticket.created"
	WebhookTicketAssignedToUser     WebhookAction = "ticket.assigned.to.user"
	WebhookTicketUnassignedFromUser WebhookAction = "ticket.unassigned.from.user"
	WebhookTicketAssignedToTeam     WebhookAction = "ticket.assigned.to.team"
	WebhookTicketUnassignedFromTeam WebhookAction = "ticket.unassigned.from.team"
	WebhookTicketAnswered           WebhookAction = "ticket.answered"
	WebhookTicketUnanswered         WebhookAction = "ticket.unanswered"
	WebhookTicketSpammed            WebhookAction = "ticket.spammed"
	WebhookTicketUnspammed          WebhookAction = "ticket.unspammed"
	WebhookTicketTrashed            WebhookAction = "ticket.trashed"
	WebhookTicketUntrashed          WebhookAction = "ticket.untrashed"
	WebhookTicketArchived           WebhookAction = "ticket.archived"
	WebhookTicketUnarchived         WebhookAction = "ticket.unarchived"
	WebhookAgentReplyCreated        WebhookAction = "agent.reply.created"
	WebhookCustomerReplyCreated     WebhookAction = "customer.reply.created"
	WebhookCommentCreated           WebhookAction = "comment.created"

	// WebhookCheck is a check of the receiver's URL: nothing happened.
	WebhookCheck WebhookAction = ""
)

// Webhook is one event that SupportBee tells a receiver of.
//
// Texts and HTML in it may be HTML-escaped. Nothing in the request proves who sent it, and the
// same event may come again: keep the receiver's URL secret, and fetch what you act upon.
type Webhook struct {
	Action         WebhookAction   `json:"action_type"`
	Company        WebhookCompany  `json:"company"`
	Ticket         *Ticket         `json:"ticket"`          // nil for WebhookCheck
	Reply          *Reply          `json:"reply"`           // with the two reply actions
	Comment        *Comment        `json:"comment"`         // with WebhookCommentCreated
	UserAssignment *UserAssignment `json:"user_assignment"` // with the actions on users; its Ticket is not told
	TeamAssignment *TeamAssignment `json:"team_assignment"` // with the actions on teams; its Ticket is not told
	Agent          *Person         `json:"agent"`           // who acted, where it is told
}

// WebhookCompany is the company whose help desk sent the event.
type WebhookCompany struct {
	Subdomain string `json:"subdomain"`
	Name      string `json:"name"`
}

// ParseWebhook reads the body of a webhook request, of at most 32 MiB. SupportBee waits 10 s for
// the answer: answer first and work later.
//
// A body that is no such event is [ErrMalformedResponse], a larger one [ErrResponseTooLarge].
func ParseWebhook(body io.Reader) (*Webhook, error) {
	var buffer bytes.Buffer
	n, err := buffer.ReadFrom(io.LimitReader(body, defaultMaxResponseSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("supportbee: ParseWebhook: reading the body: %w", err)
	case n > defaultMaxResponseSize:
		return nil, fmt.Errorf("supportbee: ParseWebhook: %w: more than %d bytes", transport.ErrTooLarge, defaultMaxResponseSize)
	}
	var payload webhookPayload
	if err := decode(&buffer, "payload", &payload); err != nil {
		if absent, ok := errors.AsType[missingError](err); ok && absent.null {
			return &Webhook{Action: WebhookCheck}, nil
		}
		return nil, fmt.Errorf("supportbee: ParseWebhook: %w: %s", ErrMalformedResponse, describe(err))
	}
	return &payload.Webhook, nil
}
