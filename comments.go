package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// CommentID identifies a comment.
type CommentID int64

// Comment is an internal note on a ticket, which the customer does not see.
type Comment struct {
	ID        CommentID                  `json:"id"`
	CreatedAt time.Time                  `json:"created_at,omitzero"`
	Content   Content                    `json:"content"`
	Commenter Person                     `json:"commenter,omitzero"`
	Ticket    TicketCounts               `json:"ticket,omitzero"`
	Merged    bool                       `json:"merged"`
	Extra     map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (c *Comment) usable() bool { return c.ID > 0 }

func (c *Comment) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &c.ID)
	case "created_at":
		return readTime(r, &c.CreatedAt)
	case "content":
		return readObject(r, &c.Content)
	case "commenter":
		return readObject(r, &c.Commenter)
	case "ticket":
		return readObject(r, &c.Ticket)
	case "merged":
		return readBool(r, &c.Merged)
	}
	return r.extra(&c.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (c Comment) MarshalJSON() ([]byte, error) { return marshalObject(c, c.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (c *Comment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, c) }

// CommentParams describes a comment to create. Content is required.
type CommentParams struct {
	Content ContentParams `json:"content"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p CommentParams) Validate() error { return p.Content.Validate() }

// CommentsService manages the comments of tickets. The API can neither change nor delete them.
type CommentsService struct{ service }

// List returns all comments of a ticket, oldest first.
//
// API: GET /tickets/{id}/comments
func (s *CommentsService) List(ctx context.Context, ticket TicketID) ([]*Comment, error) {
	return doList[Comment](ctx, s.client, operation{name: "Comments.List", route: "/tickets/{id}/comments", args: []segment{ticket}, key: "comments"})
}

// Create creates a comment on a ticket. It is never sent twice: if it may have been created, the
// error is [ErrOutcomeUnknown].
//
// API: POST /tickets/{id}/comments
func (s *CommentsService) Create(ctx context.Context, ticket TicketID, params CommentParams) (*Comment, error) {
	return do[Comment](ctx, s.client, operation{
		name: "Comments.Create", method: http.MethodPost, route: "/tickets/{id}/comments", args: []segment{ticket},
		invalid: params.Validate(), wrap: "comment", body: &params, key: "comment",
	})
}
