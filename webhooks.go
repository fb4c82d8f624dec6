package supportbee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Webhook is an event that SupportBee posts. Nothing proves who sent it: use a secret URL, and
// fetch what you act on. The parts that an action has are never nil.
type Webhook struct {
	Action         WebhookAction              `json:"action_type"`
	Company        WebhookCompany             `json:"company,omitzero"`
	Ticket         *Ticket                    `json:"ticket,omitzero"`          // nil for WebhookCheck only
	Reply          *Reply                     `json:"reply,omitzero"`           // for the two reply actions
	Comment        *Comment                   `json:"comment,omitzero"`         // for WebhookCommentCreated
	UserAssignment *UserAssignment            `json:"user_assignment,omitzero"` // for the two user actions
	TeamAssignment *TeamAssignment            `json:"team_assignment,omitzero"` // for the two team actions
	Agent          *Person                    `json:"agent,omitzero"`           // who acted; nil if not given
	Extra          map[string]json.RawMessage `json:"-"`                        // see Ticket.Extra
	Raw            json.RawMessage            `json:"-"`                        // the body as received
}

func (w *Webhook) usable() bool { return w.Action != "" }

func (w *Webhook) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "action_type":
		return readString(r, &w.Action)
	case "company":
		return readObject(r, &w.Company)
	case "ticket":
		return readPointer(r, &w.Ticket)
	case "reply":
		return readPointer(r, &w.Reply)
	case "comment":
		return readPointer(r, &w.Comment)
	case "user_assignment":
		return readPointer(r, &w.UserAssignment)
	case "team_assignment":
		return readPointer(r, &w.TeamAssignment)
	case "agent":
		return readPointer(r, &w.Agent)
	}
	return r.extra(&w.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. It writes the form in which SupportBee posts the event,
// without Raw.
func (w Webhook) MarshalJSON() ([]byte, error) {
	if w.Action == WebhookCheck {
		return []byte(`{"payload":null}`), nil
	}
	type payload struct {
		Payload json.RawMessage `json:"payload"`
	}
	event, err := marshalObject(w, w.Extra)
	if err != nil {
		return nil, err
	}
	return json.Marshal(payload{event})
}

// UnmarshalJSON implements [json.Unmarshaler]. It is [ParseWebhook] for a body that was read.
func (w *Webhook) UnmarshalJSON(data []byte) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	event, err := ParseWebhook(bytes.NewReader(data))
	if err == nil {
		*w = *event
	}
	return err
}

// WebhookCompany is the company that sent an event.
type WebhookCompany struct {
	Subdomain string                     `json:"subdomain"`
	Name      string                     `json:"name"`
	Extra     map[string]json.RawMessage `json:"-"`
}

func (c *WebhookCompany) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "subdomain":
		return readString(r, &c.Subdomain)
	case "name":
		return readString(r, &c.Name)
	}
	return r.extra(&c.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (c WebhookCompany) MarshalJSON() ([]byte, error) { return marshalObject(c, c.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (c *WebhookCompany) UnmarshalJSON(data []byte) error { return unmarshalObject(data, c) }

// WebhookAction is the kind of an event. Unknown actions are passed through.
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

	// WebhookCheck is a check of the receiver's URL, which has a null payload.
	WebhookCheck WebhookAction = ""
)

// ParseWebhook parses the body of a webhook request, of at most 32 MiB. SupportBee waits 10
// seconds for the response.
//
// It returns [ErrMalformedResponse] if the body is not an event or lacks a part that its action
// requires, and [ErrResponseTooLarge] if it is too large.
func ParseWebhook(body io.Reader) (*Webhook, error) {
	const op = "ParseWebhook"
	if body == nil {
		return nil, rejected(op, invalid("body", "must not be nil"))
	}
	var buffer bytes.Buffer
	n, err := buffer.ReadFrom(io.LimitReader(body, defaultMaxResponseSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("supportbee: ParseWebhook: reading the body: %w", err)
	case n > defaultMaxResponseSize:
		return nil, fmt.Errorf("supportbee: ParseWebhook: %w: more than %d bytes", ErrResponseTooLarge, defaultMaxResponseSize)
	}
	event, err := parseWebhook(buffer.Bytes())
	if err != nil {
		return nil, fmt.Errorf("supportbee: ParseWebhook: %w: %w", ErrMalformedResponse, err)
	}
	return event, nil
}

func parseWebhook(body []byte) (*Webhook, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("payload=")) {
		return nil, errors.New("the body is a form; the webhook must be sent as JSON")
	}
	r := newReader(body)
	defer r.release()
	event := new(Webhook)
	err := r.readEnvelope(&operation{key: "payload"}, result{one: event})
	missing, isCheck := errors.AsType[missingError](err)
	isCheck = isCheck && missing.null
	if err == nil || isCheck {
		err = r.end()
	}
	switch {
	case err != nil:
		return nil, errors.New(r.describe(err, transport.Token{}))
	case isCheck:
		return &Webhook{Raw: body}, nil
	}
	if part := event.missingPart(); part != "" {
		return nil, fmt.Errorf("the event has no %s", part)
	}
	event.Raw = body
	return event, nil
}

// missingPart returns the name of the first part that the action requires and the event lacks.
func (w *Webhook) missingPart() string {
	switch {
	case w.Action == "":
		return "action_type"
	case w.Ticket == nil || !w.Ticket.usable():
		return "ticket"
	}
	switch w.Action {
	case WebhookAgentReplyCreated, WebhookCustomerReplyCreated:
		if w.Reply == nil || !w.Reply.usable() {
			return "reply"
		}
	case WebhookCommentCreated:
		if w.Comment == nil || !w.Comment.usable() {
			return "comment"
		}
	case WebhookTicketAssignedToUser, WebhookTicketUnassignedFromUser:
		if w.UserAssignment == nil || !w.UserAssignment.User.usable() {
			return "user_assignment"
		}
	case WebhookTicketAssignedToTeam, WebhookTicketUnassignedFromTeam:
		if w.TeamAssignment == nil || !w.TeamAssignment.Team.usable() {
			return "team_assignment"
		}
	}
	return ""
}

// Key returns a string that is equal for repeated deliveries of the same event, and differs between
// companies.
//
// Events that name a new ticket, reply or comment have keys of their own, and so have assignments
// with an ID. All other keys are of the action, the ticket and the time of its last activity, since
// events have neither an ID nor a time: archiving a ticket, restoring it and archiving it again can
// give two events with equal keys.
func (w *Webhook) Key() string {
	switch {
	case w == nil:
		return ""
	case w.Ticket == nil:
		return string(w.Action)
	}
	key := fmt.Sprintf("%s %s ticket %d", w.Company.Subdomain, w.Action, w.Ticket.ID)
	switch {
	case w.Reply != nil:
		return fmt.Sprintf("%s reply %d", key, w.Reply.ID)
	case w.Comment != nil:
		return fmt.Sprintf("%s comment %d", key, w.Comment.ID)
	case w.Action == WebhookTicketCreated:
		return key
	case w.UserAssignment != nil && w.UserAssignment.ID > 0:
		return fmt.Sprintf("%s assignment %d", key, w.UserAssignment.ID)
	case w.TeamAssignment != nil && w.TeamAssignment.ID > 0:
		return fmt.Sprintf("%s assignment %d", key, w.TeamAssignment.ID)
	}
	return fmt.Sprintf("%s at %d", key, w.Ticket.LastActivityAt.Unix())
}

// Unescaped returns a copy of w with HTML entities in subjects, summaries and texts replaced. The
// server sometimes escapes them; nothing says whether it did. Content.HTML and Raw are not changed.
func (w *Webhook) Unescaped() *Webhook {
	if w == nil {
		return nil
	}
	event := *w
	if w.Ticket != nil {
		ticket := *w.Ticket
		ticket.Subject, ticket.Summary = html.UnescapeString(ticket.Subject), html.UnescapeString(ticket.Summary)
		ticket.Content.Text = html.UnescapeString(ticket.Content.Text)
		event.Ticket = &ticket
	}
	if w.Reply != nil {
		reply := *w.Reply
		reply.Summary, reply.Content.Text = html.UnescapeString(reply.Summary), html.UnescapeString(reply.Content.Text)
		event.Reply = &reply
	}
	if w.Comment != nil {
		comment := *w.Comment
		comment.Content.Text = html.UnescapeString(comment.Content.Text)
		event.Comment = &comment
	}
	return &event
}
