package supportbee

import (
	"context"
	"net/http"
	"time"
)

// CommentID identifies a comment.
type CommentID int64

// Comment is a note in a ticket that only the help desk sees.
type Comment struct {
	ID        CommentID    `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Merged    bool         `json:"merged"`
	Ticket    TicketCounts `json:"ticket"`
	Commenter Person       `json:"commenter"`
	Content   Content      `json:"content"`
}

// CommentParams is a comment to make. Content is required.
type CommentParams struct {
	Content ContentParams `json:"content"`
}

// CommentsService reads and makes comments. They can be neither changed nor deleted.
type CommentsService struct{ service }

// List returns all comments of the ticket, oldest first.
//
// API: GET /tickets/{id}/comments
func (s *CommentsService) List(ctx context.Context, ticket TicketID) ([]*Comment, error) {
	return do[[]*Comment](ctx, s.client, call{op: "Comments.List", route: "/tickets/{id}/comments", args: []segment{ticket}, key: "comments"})
}

// Create comments on the ticket. The customer does not see it.
//
// API: POST /tickets/{id}/comments
func (s *CommentsService) Create(ctx context.Context, ticket TicketID, comment CommentParams) (*Comment, error) {
	return do[*Comment](ctx, s.client, call{
		op: "Comments.Create", method: http.MethodPost, route: "/tickets/{id}/comments", args: []segment{ticket},
		invalid: comment.Content.validate(), wrap: "comment", body: &comment, key: "comment",
	})
}
