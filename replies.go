package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// ReplyID identifies a reply.
type ReplyID int64

func (id ReplyID) segment() (string, error) { return idSegment(int64(id)) }

// Reply is a message between agents and the customer.
type Reply struct {
	ID               ReplyID                    `json:"id"`
	CreatedAt        time.Time                  `json:"created_at,omitzero"`
	Summary          string                     `json:"summary"`
	Content          Content                    `json:"content"`
	Replier          Person                     `json:"replier,omitzero"`
	CC               []Person                   `json:"cc,omitzero"`
	BCC              []Person                   `json:"bcc,omitzero"`
	Ticket           TicketCounts               `json:"ticket,omitzero"`
	AttachmentsCount int                        `json:"attachments_count,omitzero"`
	Merged           bool                       `json:"merged"`
	HistoricalImport bool                       `json:"historical_import,omitzero"`
	Extra            map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (a *Reply) usable() bool { return a.ID > 0 }

func (a *Reply) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &a.ID)
	case "created_at":
		return readTime(r, &a.CreatedAt)
	case "summary":
		return readString(r, &a.Summary)
	case "content":
		return readObject(r, &a.Content)
	case "replier":
		return readObject(r, &a.Replier)
	case "cc":
		return readPeople(r, &a.CC)
	case "bcc":
		return readPeople(r, &a.BCC)
	case "ticket":
		return readObject(r, &a.Ticket)
	case "attachments_count":
		return readInt(r, &a.AttachmentsCount)
	case "merged":
		return readBool(r, &a.Merged)
	case "historical_import":
		return readTruth(r, &a.HistoricalImport)
	}
	return r.extra(&a.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a Reply) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *Reply) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }

// ReplyParams describes a reply to create. Content is required.
type ReplyParams struct {
	Content    ContentParams `json:"content"`
	CC         []string      `json:"cc,omitzero"`           // as in [TicketParams]
	BCC        []string      `json:"bcc,omitzero"`          // the same
	OnBehalfOf AgentRef      `json:"on_behalf_of,omitzero"` // the agent to reply as; requires an admin token
}

// AgentRef names an agent by ID or by e-mail address. Exactly one field is set.
type AgentRef struct {
	ID    UserID `json:"id,omitzero"`
	Email string `json:"email,omitzero"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p ReplyParams) Validate() error {
	if agent := p.OnBehalfOf; agent.ID < 0 || agent.ID > 0 && agent.Email != "" {
		return invalid("OnBehalfOf", "must have either a positive ID or an Email")
	}
	if p.OnBehalfOf.Email != "" {
		if err := validateEmail("OnBehalfOf.Email", p.OnBehalfOf.Email); err != nil {
			return err
		}
	}
	return firstError(p.Content.Validate(), validateCopies("CC", p.CC), validateCopies("BCC", p.BCC))
}

// RepliesService manages the replies of tickets. The API can neither change nor delete them.
type RepliesService struct{ service }

// List returns all replies of a ticket.
//
// API: GET /tickets/{id}/replies
func (s *RepliesService) List(ctx context.Context, ticket TicketID) ([]*Reply, error) {
	return doList[Reply](ctx, s.client, operation{name: "Replies.List", route: "/tickets/{id}/replies", args: []segment{ticket}, key: "replies"})
}

// Get returns a reply of a ticket.
//
// API: GET /tickets/{id}/replies/{reply_id}
func (s *RepliesService) Get(ctx context.Context, ticket TicketID, id ReplyID) (*Reply, error) {
	return do[Reply](ctx, s.client, operation{
		name: "Replies.Get", route: "/tickets/{id}/replies/{reply_id}", args: []segment{ticket, id}, key: "reply", bare: true,
	})
}

// Create creates a reply, which sends mail to the customer. It is never sent twice: if it may have
// been created, the error is [ErrOutcomeUnknown].
//
// API: POST /tickets/{id}/replies
func (s *RepliesService) Create(ctx context.Context, ticket TicketID, params ReplyParams) (*Reply, error) {
	return do[Reply](ctx, s.client, operation{
		name: "Replies.Create", method: http.MethodPost, route: "/tickets/{id}/replies", args: []segment{ticket},
		invalid: params.Validate(), wrap: "reply", body: &params, key: "reply",
	})
}
