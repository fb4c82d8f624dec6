package supportbee

// Answers of which more than one form is on record. Each is decoded in one pass, whichever form it
// has.

// ticketPage is a TicketPage that must have tickets.
type ticketPage struct{ TicketPage }

func (p *ticketPage) missingKey() string {
	if p.Tickets == nil {
		return "tickets"
	}
	return ""
}

// ticketAnswer is {"ticket": Ticket} or a bare Ticket.
type ticketAnswer struct{ ticket *Ticket }

func (a *ticketAnswer) readFrom(r *reader) error {
	under, itself, err := readEither(r, "ticket", (*reader).ticket, (*reader).ticketMember)
	if a.ticket = under; under == nil && itself != nil && itself.ID != 0 {
		a.ticket = itself
	}
	return err
}

func (a *ticketAnswer) missingKey() string {
	if a.ticket == nil {
		return "ticket"
	}
	return ""
}

// replyAnswer is {"reply": Reply} or a bare Reply.
type replyAnswer struct{ reply *Reply }

func (a *replyAnswer) readFrom(r *reader) error {
	under, itself, err := readEither(r, "reply", (*reader).reply, (*reader).replyMember)
	if a.reply = under; under == nil && itself != nil && itself.ID != 0 {
		a.reply = itself
	}
	return err
}

func (a *replyAnswer) missingKey() string {
	if a.reply == nil {
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
func (a *filterAnswer) filter(made FilterParams) *Filter {
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
	wrapped *UserAssignment
	beside  *Person
}

func (a *userAssignmentAnswer) readFrom(r *reader) error {
	return readObject(r, a, func(r *reader, a *userAssignmentAnswer, name []byte) error {
		switch string(name) {
		case "user_assignment":
			return readPointer(r, &a.wrapped, (*reader).userAssignment)
		case "asignee":
			return r.assignedUser(&a.beside)
		}
		return r.SkipValue()
	})
}

func (a *userAssignmentAnswer) assignment() *UserAssignment {
	if a.wrapped != nil && a.wrapped.User == nil {
		a.wrapped.User = a.beside
	}
	return a.wrapped
}

func (a *userAssignmentAnswer) missingKey() string {
	if a.wrapped == nil {
		return "user_assignment"
	}
	return ""
}

// teamAssignmentAnswer is the same for teams.
type teamAssignmentAnswer struct {
	wrapped *TeamAssignment
	beside  *Team
}

func (a *teamAssignmentAnswer) readFrom(r *reader) error {
	return readObject(r, a, func(r *reader, a *teamAssignmentAnswer, name []byte) error {
		switch string(name) {
		case "team_assignment":
			return readPointer(r, &a.wrapped, (*reader).teamAssignment)
		case "asignee":
			return r.assignedTeam(&a.beside)
		}
		return r.SkipValue()
	})
}

func (a *teamAssignmentAnswer) assignment() *TeamAssignment {
	if a.wrapped != nil && a.wrapped.Team == nil {
		a.wrapped.Team = a.beside
	}
	return a.wrapped
}

func (a *teamAssignmentAnswer) missingKey() string {
	if a.wrapped == nil {
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

// webhookPayload is a Webhook that must say what happened.
type webhookPayload struct {
	Webhook Webhook `json:",embed"`
}

func (p *webhookPayload) missingKey() string {
	if p.Webhook.Action == "" {
		return "action_type"
	}
	return ""
}
