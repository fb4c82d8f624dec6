package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
)

// ForwardingAddressID identifies a forwarding address. The server sends a number and takes a
// string.
type ForwardingAddressID string

// ForwardingAddress is an address of the help desk. Mail to it becomes tickets.
type ForwardingAddress struct {
	ID    ForwardingAddressID        `json:"id,omitzero"`
	Email string                     `json:"email"`
	Name  string                     `json:"name"`
	Extra map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (a *ForwardingAddress) usable() bool { return a.ID != "" || a.Email != "" }

func (a *ForwardingAddress) readText(text string) { a.Email = text }

func (a *ForwardingAddress) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readID(r, &a.ID)
	case "email":
		return readString(r, &a.Email)
	case "name":
		return readString(r, &a.Name)
	}
	return r.extra(&a.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a ForwardingAddress) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *ForwardingAddress) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }

// ForwardingAddressesService manages forwarding addresses.
type ForwardingAddressesService struct{ service }

// List returns all forwarding addresses. The vendor does not document the form of the response:
// List accepts the keys "forwarding_addresses" and "emails", any other key that has the only list,
// and a bare list.
//
// API: GET /emails
func (s *ForwardingAddressesService) List(ctx context.Context) ([]*ForwardingAddress, error) {
	return doList[ForwardingAddress](ctx, s.client, operation{
		name: "ForwardingAddresses.List", route: "/emails", key: "forwarding_addresses", alias: "emails", anyKey: true,
	})
}

// ForwardingAddressParams describes a forwarding address to create. Email is required. The
// defaults of FilterSpam and UseAgentName are the server's.
type ForwardingAddressParams struct {
	Email        string `json:"email"`
	Name         string `json:"name,omitzero"`
	FilterSpam   *bool  `json:"filter_spam,omitzero"`
	UseAgentName *bool  `json:"use_agent_name,omitzero"` // in the From header of replies
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p ForwardingAddressParams) Validate() error { return validateEmail("Email", p.Email) }

// Create creates a forwarding address. It is never sent twice: if it may have been created, the
// error is [ErrOutcomeUnknown].
//
// API: POST /emails
func (s *ForwardingAddressesService) Create(ctx context.Context, params ForwardingAddressParams) (*ForwardingAddress, error) {
	return do[ForwardingAddress](ctx, s.client, operation{
		name: "ForwardingAddresses.Create", method: http.MethodPost, route: "/emails",
		invalid: params.Validate(), wrap: "forwarding_address", body: &params, key: "forwarding_address",
	})
}
