package supportbee

import (
	"context"
	"net/http"
)

// ForwardingAddressID identifies a forwarding address.
type ForwardingAddressID int64

// ForwardingAddress is an address of the help desk: mail to it becomes tickets.
type ForwardingAddress struct {
	ID    ForwardingAddressID `json:"id"`
	Email string              `json:"email"`
	Name  string              `json:"name"`
}

// ForwardingAddressParams is a forwarding address to make. Email is required.
type ForwardingAddressParams struct {
	Email        string `json:"email"`
	Name         string `json:"name,omitzero"`
	FilterSpam   bool   `json:"filter_spam,omitzero"`
	UseAgentName bool   `json:"use_agent_name,omitzero"` // in the From header of replies
}

// ForwardingAddressesService manages the addresses of the help desk.
type ForwardingAddressesService struct{ service }

// List returns all forwarding addresses.
//
// The vendor does not document the answer; the key "emails" and the key
// "forwarding_addresses" are both read.
//
// API: GET /emails
func (s *ForwardingAddressesService) List(ctx context.Context) ([]*ForwardingAddress, error) {
	answer, err := do[forwardingAddressesAnswer](ctx, s.client, call{op: "ForwardingAddresses.List", route: "/emails"})
	return answer.addresses(), err
}

// Create makes a forwarding address.
//
// API: POST /emails
func (s *ForwardingAddressesService) Create(ctx context.Context, address ForwardingAddressParams) (*ForwardingAddress, error) {
	return do[*ForwardingAddress](ctx, s.client, call{
		op: "ForwardingAddresses.Create", method: http.MethodPost, route: "/emails",
		invalid: validateEmail("Email", address.Email), wrap: "forwarding_address", body: &address, key: "forwarding_address",
	})
}
