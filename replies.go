package supportbee

import (
	"context"
	"net/http"
	"time"
)

// ReplyID identifies a reply.
type ReplyID int64

func (id ReplyID) segment() (string, error) { return idSegment(int64(id)) }

// Reply is a message in a ticket that the customer sees, by an agent or by the customer.
type Reply struct {
	ID        ReplyID      `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Summary   string       `json:"summary"`
	Merged    bool         `json:"merged"`
	CC        []Person     `json:"cc"`
	BCC       []Person     `json:"bcc"`
	Ticket    TicketCounts `json:"ticket"`
	Replier   Person       `json:"replier"`
	Content   Content      `json:"content"`
}

// TicketCounts is what replies and comments tell of their ticket; the server leaves out its ID.
type TicketCounts struct {
	RepliesCount      int `json:"replies_count"`
	AgentRepliesCount int `json:"agent_replies_count"`
	CommentsCount     int `json:"comments_count"`
}

// ReplyParams is a reply to send. Content is required.
type ReplyParams struct {
	Content ContentParams `json:"content"`
	CC      []string      `json:"cc,omitzero"`  // "a@b.c" or "Name <a@b.c>", at most 25
	BCC     []string      `json:"bcc,omitzero"` // the same

	// OnBehalfOf names the agent whose reply it is to be, by ID or e-mail. For admins only.
	OnBehalfOf *AgentRef `json:"on_behalf_of,omitzero"`
}

// AgentRef names an agent by ID or by e-mail; exactly one is set.
type AgentRef struct {
	ID    UserID `json:"id,omitzero"`
	Email string `json:"email,omitzero"`
}

func (r ReplyParams) validate() error {
	if r.OnBehalfOf != nil {
		if (r.OnBehalfOf.ID > 0) == (r.OnBehalfOf.Email != "") || r.OnBehalfOf.ID < 0 {
			return invalid("OnBehalfOf", "needs either a positive ID or an Email")
		}
	}
	return firstError(r.Content.validate(), validateCopies("CC", r.CC), validateCopies("BCC", r.BCC))
}

// RepliesService reads and sends replies. They can be neither changed nor deleted.
type RepliesService struct{ service }

// List returns all replies of the ticket.
//
// API: GET /tickets/{id}/replies
func (s *RepliesService) List(ctx context.Context, ticket TicketID) ([]*Reply, error) {
	return do[[]*Reply](ctx, s.client, call{op: "Replies.List", route: "/tickets/{id}/replies", args: []segment{ticket}, key: "replies"})
}

// Create replies to the ticket. This mails the customer.
//
// When the connection fails after the reply was sent, it may have been mailed: the error is
// [ErrOutcomeUnknown], and the SDK does not send it again.
//
// API: POST /tickets/{id}/replies
func (s *RepliesService) Create(ctx context.Context, ticket TicketID, reply ReplyParams) (*Reply, error) {
	return do[*Reply](ctx, s.client, call{
		op: "Replies.Create", method: http.MethodPost, route: "/tickets/{id}/replies", args: []segment{ticket},
		invalid: reply.validate(), wrap: "reply", body: &reply, key: "reply",
	})
}

// Get returns one reply of the ticket.
//
// API: GET /tickets/{id}/replies/{reply_id}
func (s *RepliesService) Get(ctx context.Context, ticket TicketID, reply ReplyID) (*Reply, error) {
	answer, err := do[replyAnswer](ctx, s.client, call{op: "Replies.Get", route: "/tickets/{id}/replies/{reply_id}", args: []segment{ticket, reply}})
	return answer.reply, err
}
