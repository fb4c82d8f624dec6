package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// SnippetID identifies a snippet.
type SnippetID int64

func (id SnippetID) segment() (string, error) { return idSegment(int64(id)) }

// Snippet is a prepared text for replies.
type Snippet struct {
	ID        SnippetID                  `json:"id"`
	CreatedAt time.Time                  `json:"created_at,omitzero"`
	Name      string                     `json:"name"`
	Tags      string                     `json:"tags"` // comma-separated, such as "facebook, link"
	Content   Content                    `json:"content"`
	Extra     map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (s *Snippet) usable() bool { return s.ID > 0 }

func (s *Snippet) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &s.ID)
	case "created_at":
		return readTime(r, &s.CreatedAt)
	case "name":
		return readString(r, &s.Name)
	case "tags":
		return readString(r, &s.Tags)
	case "content":
		return readObject(r, &s.Content)
	}
	return r.extra(&s.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (s Snippet) MarshalJSON() ([]byte, error) { return marshalObject(s, s.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (s *Snippet) UnmarshalJSON(data []byte) error { return unmarshalObject(data, s) }

// SnippetsService manages snippets.
type SnippetsService struct{ service }

// List returns all snippets.
//
// API: GET /snippets
func (s *SnippetsService) List(ctx context.Context) ([]*Snippet, error) {
	return doList[Snippet](ctx, s.client, operation{name: "Snippets.List", route: "/snippets", key: "snippets"})
}

// SnippetParams describes a snippet to create. Name and Content are required.
type SnippetParams struct {
	Name    string        `json:"name"`
	Tags    string        `json:"tags,omitzero"` // comma-separated
	Content ContentParams `json:"content"`       // without attachments
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p SnippetParams) Validate() error {
	return firstError(required("Name", p.Name), p.Content.Validate(), p.Content.validateSnippet())
}

// validateSnippet rejects what the content of a snippet cannot have.
func (p ContentParams) validateSnippet() error {
	if len(p.AttachmentIDs) > 0 {
		return invalid("Content.AttachmentIDs", "must be empty for a snippet")
	}
	return nil
}

// Create creates a snippet. It is never sent twice: if it may have been created, the error is
// [ErrOutcomeUnknown].
//
// API: POST /snippets
func (s *SnippetsService) Create(ctx context.Context, params SnippetParams) (*Snippet, error) {
	return do[Snippet](ctx, s.client, operation{
		name: "Snippets.Create", method: http.MethodPost, route: "/snippets",
		invalid: params.Validate(), wrap: "snippet", body: &params, key: "snippet",
	})
}

// SnippetUpdateParams describes changes to a snippet. Nil fields are not sent; whether the server
// then keeps them is not documented.
type SnippetUpdateParams struct {
	Name    *string        `json:"name,omitzero"`
	Tags    *string        `json:"tags,omitzero"` // comma-separated
	Content *ContentParams `json:"content,omitzero"`
}

// Validate returns an [*ArgumentError] if p changes nothing or the server would reject it.
func (p SnippetUpdateParams) Validate() error {
	if p == (SnippetUpdateParams{}) {
		return invalid("SnippetUpdateParams", "must set at least one field")
	}
	if p.Name != nil {
		if err := required("Name", *p.Name); err != nil {
			return err
		}
	}
	if p.Content != nil {
		return p.Content.validateSnippet()
	}
	return nil
}

// Update changes a snippet.
//
// API: PUT /snippets/{id}
func (s *SnippetsService) Update(ctx context.Context, id SnippetID, params SnippetUpdateParams) (*Snippet, error) {
	return do[Snippet](ctx, s.client, operation{
		name: "Snippets.Update", method: http.MethodPut, route: "/snippets/{id}", args: []segment{id},
		invalid: params.Validate(), wrap: "snippet", body: &params, key: "snippet",
	})
}

// Delete deletes a snippet.
//
// API: DELETE /snippets/{id}
func (s *SnippetsService) Delete(ctx context.Context, id SnippetID) error {
	return exec(ctx, s.client, operation{
		name: "Snippets.Delete", method: http.MethodDelete, route: "/snippets/{id}", args: []segment{id},
		isGone: func(context.Context) bool { return true },
	})
}
