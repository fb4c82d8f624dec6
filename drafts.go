package supportbee

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DraftID identifies a draft.
type DraftID int64

// Draft is the unsent reply of a ticket; each ticket has at most one.
type Draft struct {
	ID          DraftID   `json:"id"` // 0 if none has been saved
	CC          []Person  `json:"cc"`
	BCC         []Person  `json:"bcc"`
	LastSavedBy *Person   `json:"last_saved_by"` // nil if none has been saved
	LastSavedAt time.Time `json:"last_saved_at"` // zero if none has been saved
	Content     Content   `json:"content"`
}

// DraftGetOptions says how a new draft is made where none has been saved.
type DraftGetOptions struct {
	OmitQuote bool   // does not quote the last message
	TimeZone  string // IANA name for the times in the quote, such as "Europe/Berlin"; default UTC
}

// DraftParams is a draft to keep.
type DraftParams struct {
	Content ContentParams
	CC      []string // at most 25; nil leaves the field out, empty clears it
	BCC     []string // the same
}

func (d DraftParams) validate() error {
	return firstError(d.Content.validate(), validateCopies("CC", d.CC), validateCopies("BCC", d.BCC))
}

// wire is the draft as requests take it: addresses in one string.
func (d DraftParams) wire() any {
	join := func(addresses []string) *string {
		if addresses == nil {
			return nil
		}
		return new(strings.Join(addresses, ", "))
	}
	return struct {
		Content ContentParams `json:"content"`
		CC      *string       `json:"cc,omitzero"`
		BCC     *string       `json:"bcc,omitzero"`
	}{d.Content, join(d.CC), join(d.BCC)}
}

// DraftsService reads and keeps the unsent replies of tickets.
type DraftsService struct{ service }

// Get returns the ticket's draft; if none has been saved, a new one that quotes the last
// message.
//
// API: GET /tickets/{id}/draft
func (s *DraftsService) Get(ctx context.Context, ticket TicketID, opts DraftGetOptions) (*Draft, error) {
	query := url.Values{}
	if opts.OmitQuote {
		query.Set("quote", "false")
	}
	setIf(query, "time_zone", opts.TimeZone)
	return do[*Draft](ctx, s.client, call{op: "Drafts.Get", route: "/tickets/{id}/draft", args: []segment{ticket}, query: query, key: "draft"})
}

// Create saves a draft where there is none.
//
// API: POST /tickets/{id}/draft
func (s *DraftsService) Create(ctx context.Context, ticket TicketID, draft DraftParams) (*Draft, error) {
	return s.save(ctx, "Drafts.Create", http.MethodPost, ticket, draft)
}

// Update replaces the ticket's draft.
//
// API: PUT /tickets/{id}/draft
func (s *DraftsService) Update(ctx context.Context, ticket TicketID, draft DraftParams) (*Draft, error) {
	return s.save(ctx, "Drafts.Update", http.MethodPut, ticket, draft)
}

// Delete throws the ticket's draft away.
//
// API: DELETE /tickets/{id}/draft
func (s *DraftsService) Delete(ctx context.Context, ticket TicketID) error {
	return exec(ctx, s.client, call{op: "Drafts.Delete", method: http.MethodDelete, route: "/tickets/{id}/draft", args: []segment{ticket}})
}

func (s *DraftsService) save(ctx context.Context, op, method string, ticket TicketID, draft DraftParams) (*Draft, error) {
	return do[*Draft](ctx, s.client, call{
		op: op, method: method, route: "/tickets/{id}/draft", args: []segment{ticket},
		invalid: draft.validate(), wrap: "draft", body: draft.wire(), key: "draft",
	})
}
