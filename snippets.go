package supportbee

import (
	"context"
	"net/http"
	"time"
)

// SnippetID identifies a snippet.
type SnippetID int64

func (id SnippetID) segment() (string, error) { return idSegment(int64(id)) }

// Snippet is a prepared text for replies.
type Snippet struct {
	ID        SnippetID `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	Name      string    `json:"name"`
	Tags      string    `json:"tags"` // separated by commas, such as "facebook, link"
	Content   Content   `json:"content"`
}

// SnippetParams is a snippet to make, or what one is to become. Name and Content are required.
type SnippetParams struct {
	Name    string        `json:"name"`
	Tags    string        `json:"tags,omitzero"` // separated by commas
	Content ContentParams `json:"content"`
}

func (s SnippetParams) validate() error {
	if isBlank(s.Name) {
		return invalid("Name", "is required")
	}
	return s.Content.validate()
}

// SnippetsService manages snippets.
type SnippetsService struct{ service }

// List returns all snippets.
//
// API: GET /snippets
func (s *SnippetsService) List(ctx context.Context) ([]*Snippet, error) {
	return do[[]*Snippet](ctx, s.client, call{op: "Snippets.List", route: "/snippets", key: "snippets"})
}

// Create makes a snippet.
//
// API: POST /snippets
func (s *SnippetsService) Create(ctx context.Context, snippet SnippetParams) (*Snippet, error) {
	return do[*Snippet](ctx, s.client, call{
		op: "Snippets.Create", method: http.MethodPost, route: "/snippets",
		invalid: snippet.validate(), wrap: "snippet", body: &snippet, key: "snippet",
	})
}

// Update replaces a snippet.
//
// API: PUT /snippets/{id}
func (s *SnippetsService) Update(ctx context.Context, id SnippetID, snippet SnippetParams) (*Snippet, error) {
	return do[*Snippet](ctx, s.client, call{
		op: "Snippets.Update", method: http.MethodPut, route: "/snippets/{id}", args: []segment{id},
		invalid: snippet.validate(), wrap: "snippet", body: &snippet, key: "snippet",
	})
}

// Delete removes a snippet.
//
// API: DELETE /snippets/{id}
func (s *SnippetsService) Delete(ctx context.Context, id SnippetID) error {
	return exec(ctx, s.client, call{op: "Snippets.Delete", method: http.MethodDelete, route: "/snippets/{id}", args: []segment{id}})
}
