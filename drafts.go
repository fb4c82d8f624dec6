package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DraftID identifies a draft.
type DraftID int64

// Draft is the unsent reply of a ticket. A ticket has at most one.
type Draft struct {
	ID          DraftID                    `json:"id,omitzero"` // 0 if none was saved
	Content     Content                    `json:"content"`
	CC          []Person                   `json:"cc,omitzero"`
	BCC         []Person                   `json:"bcc,omitzero"`
	LastSavedBy *Person                    `json:"last_saved_by,omitzero"` // nil if none was saved
	LastSavedAt time.Time                  `json:"last_saved_at,omitzero"` // zero if none was saved
	Extra       map[string]json.RawMessage `json:"-"`                      // see Ticket.Extra
}

// usable reports whether the draft has an ID, or a content as one that was not saved.
func (d *Draft) usable() bool {
	return d.ID > 0 || d.Content.Text != "" || d.Content.HTML != "" || d.Content.Attachments != nil || d.CC != nil
}

func (d *Draft) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &d.ID)
	case "content":
		return readObject(r, &d.Content)
	case "cc":
		return readPeople(r, &d.CC)
	case "bcc":
		return readPeople(r, &d.BCC)
	case "last_saved_by":
		return readPointer(r, &d.LastSavedBy)
	case "last_saved_at":
		return readTime(r, &d.LastSavedAt)
	}
	return r.extra(&d.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (d Draft) MarshalJSON() ([]byte, error) { return marshalObject(d, d.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (d *Draft) UnmarshalJSON(data []byte) error { return unmarshalObject(data, d) }

// DraftsService manages the drafts of tickets.
type DraftsService struct{ service }

// DraftGetOptions configures the draft that the server proposes if none was saved.
type DraftGetOptions struct {
	OmitQuote bool   // do not quote the last message
	TimeZone  string // of times in the quote, such as "Europe/Berlin"; default UTC
}

// Get returns the draft of a ticket, or a new one that quotes the last message.
//
// API: GET /tickets/{id}/draft
func (s *DraftsService) Get(ctx context.Context, ticket TicketID, opts *DraftGetOptions) (*Draft, error) {
	query, o := url.Values{}, valueOf(opts)
	if o.OmitQuote {
		query.Set("quote", "false")
	}
	setString(query, "time_zone", o.TimeZone)
	return do[Draft](ctx, s.client, operation{name: "Drafts.Get", route: "/tickets/{id}/draft", args: []segment{ticket}, query: query, key: "draft"})
}

// DraftParams describes a draft to save. Content may be empty.
type DraftParams struct {
	Content ContentParams
	CC      []string // as in [TicketParams]; nil is not sent, empty clears
	BCC     []string // the same
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p DraftParams) Validate() error {
	return firstError(p.Content.validateAttachments(), validateCopies("CC", p.CC), validateCopies("BCC", p.BCC))
}

// wire returns the draft as the server takes it: addresses in one string.
func (p DraftParams) wire() *draftBody {
	join := func(addresses []string) *string {
		if addresses == nil {
			return nil
		}
		return new(strings.Join(addresses, ", "))
	}
	return &draftBody{Content: p.Content, CC: join(p.CC), BCC: join(p.BCC), params: p}
}

type draftBody struct {
	Content ContentParams `json:"content"`
	CC      *string       `json:"cc,omitzero"`
	BCC     *string       `json:"bcc,omitzero"`
	params  DraftParams   // for dry runs
}

// Create saves the first draft of a ticket.
//
// API: POST /tickets/{id}/draft
func (s *DraftsService) Create(ctx context.Context, ticket TicketID, params DraftParams) (*Draft, error) {
	return s.save(ctx, "Drafts.Create", http.MethodPost, ticket, params)
}

// Update replaces the draft of a ticket.
//
// API: PUT /tickets/{id}/draft
func (s *DraftsService) Update(ctx context.Context, ticket TicketID, params DraftParams) (*Draft, error) {
	return s.save(ctx, "Drafts.Update", http.MethodPut, ticket, params)
}

// Delete deletes the draft of a ticket.
//
// API: DELETE /tickets/{id}/draft
func (s *DraftsService) Delete(ctx context.Context, ticket TicketID) error {
	return exec(ctx, s.client, operation{
		name: "Drafts.Delete", method: http.MethodDelete, route: "/tickets/{id}/draft", args: []segment{ticket},
		isGone: func(ctx context.Context) bool { return s.client.Tickets.exists(ctx, ticket) },
	})
}

func (s *DraftsService) save(ctx context.Context, name, method string, ticket TicketID, params DraftParams) (*Draft, error) {
	return do[Draft](ctx, s.client, operation{
		name: name, method: method, route: "/tickets/{id}/draft", args: []segment{ticket},
		invalid: params.Validate(), wrap: "draft", body: params.wire(), key: "draft",
	})
}
