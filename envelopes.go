package supportbee

import (
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Answers of which more than one form is on record. Each is decoded in one pass: the envelope's
// key and the bare object's fields are members of one struct.

// ticketPage is a TicketPage. A list has thousands of values, and a function looked up for each
// would cost more than the decoding of its tickets by a method.
type ticketPage struct {
	Fields  TicketPage    `json:",embed"`
	Tickets []*ticketItem `json:"tickets"`
}

func (p *ticketPage) methodical() {}

func (p *ticketPage) missingKey() string {
	if p.Tickets == nil {
		return "tickets"
	}
	return ""
}

func (p *ticketPage) page() TicketPage {
	page := p.Fields
	page.Tickets = make([]*Ticket, len(p.Tickets))
	for i, ticket := range p.Tickets {
		page.Tickets[i] = (*Ticket)(ticket)
	}
	return page
}

// ticketAnswer is {"ticket": Ticket} or a bare Ticket.
type ticketAnswer struct{ ticket *Ticket }

func decodeTicketAnswer(dec *jsontext.Decoder, a *ticketAnswer) error {
	var bare Ticket
	wire := struct {
		Wrapped *Ticket    `json:"ticket"`
		Bare    ticketWire `json:",embed"`
	}{Bare: wireOf(&bare)}
	if err := jsonv2.UnmarshalDecode(dec, &wire); err != nil {
		return err
	}
	wire.Bare.finish(&bare)
	if a.ticket = wire.Wrapped; a.ticket == nil && bare.ID != 0 {
		a.ticket = &bare
	}
	return nil
}

func (a *ticketAnswer) missingKey() string {
	if a.ticket == nil {
		return "ticket"
	}
	return ""
}

// replyAnswer is {"reply": Reply} or a bare Reply.
type replyAnswer struct {
	Wrapped *Reply `json:"reply"`
	Bare    *Reply `json:",embed"`
}

func (a *replyAnswer) reply() *Reply {
	if a.Wrapped != nil {
		return a.Wrapped
	}
	return a.Bare
}

func (a *replyAnswer) missingKey() string {
	if r := a.reply(); a.Wrapped == nil && (r == nil || r.ID == 0) {
		return "reply"
	}
	return ""
}

// attachmentAnswer is a bare Attachment, {"attachment": Attachment} or {"attachments": [Attachment]}.
type attachmentAnswer struct {
	Wrapped *Attachment   `json:"attachment"`
	List    []*Attachment `json:"attachments"`
	Bare    *Attachment   `json:",embed"`
}

func (a *attachmentAnswer) attachment() *Attachment {
	switch {
	case a.Wrapped != nil:
		return a.Wrapped
	case len(a.List) > 0:
		return a.List[0]
	}
	return a.Bare
}

func (a *attachmentAnswer) missingKey() string {
	if f := a.attachment(); f == nil || f.ID == 0 {
		return "attachment"
	}
	return ""
}

// filterAnswer is {"filter": Filter}, a bare Filter, or nothing that tells the ID.
type filterAnswer struct {
	Wrapped *Filter `json:"filter"`
	Bare    *Filter `json:",embed"`
}

// filter returns the filter as made, with what the server tells of it.
func (a *filterAnswer) filter(made FilterCreate) *Filter {
	filter := Filter{RuleID: made.RuleID, ConsequenceID: made.ConsequenceID}
	switch {
	case a.Wrapped != nil:
		filter.ID = a.Wrapped.ID
	case a.Bare != nil:
		filter.ID = a.Bare.ID
	}
	return &filter
}

// userAnswer is {"user": User}, with the recent tickets in the user or beside it.
type userAnswer struct {
	Wrapped *User     `json:"user"`
	Tickets []*Ticket `json:"tickets"`
}

func (a *userAnswer) user() *User {
	if a.Wrapped != nil && a.Wrapped.Tickets == nil {
		a.Wrapped.Tickets = a.Tickets
	}
	return a.Wrapped
}

func (a *userAnswer) missingKey() string {
	if a.Wrapped == nil {
		return "user"
	}
	return ""
}

// userAssignmentAnswer holds the assignee in the envelope; the vendor's page shows a misspelt
// one beside it.
type userAssignmentAnswer struct {
	Wrapped *struct {
		UserAssignment
		User    userAssignee `json:"assignee"`
		Asignee userAssignee `json:"asignee"`
	} `json:"user_assignment"`
	Asignee userAssignee `json:"asignee"`
}

func (a *userAssignmentAnswer) assignment() *UserAssignment {
	if a.Wrapped == nil {
		return nil
	}
	made := a.Wrapped.UserAssignment
	for _, assignee := range []userAssignee{a.Wrapped.User, a.Wrapped.Asignee, a.Asignee} {
		if made.User == nil {
			made.User = assignee.person
		}
	}
	return &made
}

func (a *userAssignmentAnswer) missingKey() string {
	if a.Wrapped == nil {
		return "user_assignment"
	}
	return ""
}

// teamAssignmentAnswer is the same for teams.
type teamAssignmentAnswer struct {
	Wrapped *struct {
		TeamAssignment
		Team    *teamAssignee `json:"assignee"`
		Asignee *teamAssignee `json:"asignee"`
	} `json:"team_assignment"`
	Asignee *teamAssignee `json:"asignee"`
}

func (a *teamAssignmentAnswer) assignment() *TeamAssignment {
	if a.Wrapped == nil {
		return nil
	}
	made := a.Wrapped.TeamAssignment
	for _, assignee := range []*teamAssignee{a.Wrapped.Team, a.Wrapped.Asignee, a.Asignee} {
		if made.Team == nil {
			made.Team = assignee.team()
		}
	}
	return &made
}

func (a *teamAssignmentAnswer) missingKey() string {
	if a.Wrapped == nil {
		return "team_assignment"
	}
	return ""
}

// forwardingAddressesAnswer has one of two keys; which is not documented.
type forwardingAddressesAnswer struct {
	Emails    []*ForwardingAddress `json:"emails"`
	Addresses []*ForwardingAddress `json:"forwarding_addresses"`
}

func (a *forwardingAddressesAnswer) addresses() []*ForwardingAddress {
	if a.Emails != nil {
		return a.Emails
	}
	return a.Addresses
}

func (a *forwardingAddressesAnswer) missingKey() string {
	if a.addresses() == nil {
		return "emails"
	}
	return ""
}

// webhookPayload is a Webhook whose assignments hold their assignees in either form.
type webhookPayload struct {
	Webhook
	UserAssignment *webhookUserAssignment `json:"user_assignment"`
	TeamAssignment *webhookTeamAssignment `json:"team_assignment"`
}

type (
	webhookUserAssignment struct {
		UserAssignment
		User userAssignee `json:"assignee"`
	}
	webhookTeamAssignment struct {
		TeamAssignment
		Team *teamAssignee `json:"assignee"`
	}
)

func (p *webhookPayload) missingKey() string {
	if p.Action == "" {
		return "action_type"
	}
	return ""
}

func (p *webhookPayload) webhook() *Webhook {
	event := p.Webhook
	if a := p.UserAssignment; a != nil {
		event.UserAssignment = &a.UserAssignment
		event.UserAssignment.User = a.User.person
	}
	if a := p.TeamAssignment; a != nil {
		event.TeamAssignment = &a.TeamAssignment
		event.TeamAssignment.Team = a.Team.team()
	}
	return &event
}
