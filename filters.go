package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
)

// FilterID identifies a filter.
type FilterID string

// RuleID identifies a rule, such as "5_20130430051603".
type RuleID string

// ConsequenceID identifies a consequence, such as "5_20130430051604".
type ConsequenceID string

// Filter applies a consequence to the incoming tickets that match a rule.
type Filter struct {
	ID            FilterID                   `json:"id,omitzero"` // empty if not given
	RuleID        RuleID                     `json:"rule_id"`
	ConsequenceID ConsequenceID              `json:"consequence_id"`
	Extra         map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (f *Filter) usable() bool { return f.ID != "" }

func (f *Filter) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readID(r, &f.ID)
	case "rule_id":
		return readID(r, &f.RuleID)
	case "consequence_id":
		return readID(r, &f.ConsequenceID)
	}
	return r.extra(&f.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (f Filter) MarshalJSON() ([]byte, error) { return marshalObject(f, f.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (f *Filter) UnmarshalJSON(data []byte) error { return unmarshalObject(data, f) }

// Rule is the condition of a filter.
type Rule struct {
	ID    RuleID                     `json:"id"`
	Extra map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (u *Rule) usable() bool { return u.ID != "" }

func (u *Rule) readMember(r *reader, name []byte) error {
	if string(name) == "id" {
		return readID(r, &u.ID)
	}
	return r.extra(&u.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (u Rule) MarshalJSON() ([]byte, error) { return marshalObject(u, u.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (u *Rule) UnmarshalJSON(data []byte) error { return unmarshalObject(data, u) }

// Consequence is the action of a filter.
type Consequence struct {
	ID    ConsequenceID              `json:"id"`
	Extra map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (c *Consequence) usable() bool { return c.ID != "" }

func (c *Consequence) readMember(r *reader, name []byte) error {
	if string(name) == "id" {
		return readID(r, &c.ID)
	}
	return r.extra(&c.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (c Consequence) MarshalJSON() ([]byte, error) { return marshalObject(c, c.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (c *Consequence) UnmarshalJSON(data []byte) error { return unmarshalObject(data, c) }

// FiltersService creates filters. The API can neither list nor delete them.
type FiltersService struct{ service }

// FilterParams describes a filter to create. Both fields are required.
type FilterParams struct {
	RuleID        RuleID        `json:"rule_id"`
	ConsequenceID ConsequenceID `json:"consequence_id"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p FilterParams) Validate() error {
	return firstError(required("RuleID", p.RuleID), required("ConsequenceID", p.ConsequenceID))
}

// Create creates a filter of an existing rule and an existing consequence. It is never sent twice:
// if it may have been created, the error is [ErrOutcomeUnknown].
//
// The server may respond without the filter's ID, which is then empty.
//
// API: POST /filters
func (s *FiltersService) Create(ctx context.Context, params FilterParams) (*Filter, error) {
	filter, err := do[Filter](ctx, s.client, operation{
		name: "Filters.Create", method: http.MethodPost, route: "/filters", invalid: params.Validate(),
		body: &params, key: "filter", bare: true, mayBeHollow: true,
	})
	if err != nil {
		return nil, err
	}
	if filter.RuleID == "" {
		filter.RuleID = params.RuleID
	}
	if filter.ConsequenceID == "" {
		filter.ConsequenceID = params.ConsequenceID
	}
	return filter, nil
}

// RuleParams describes a rule to create: what an incoming ticket is compared with. At least one
// field is required.
type RuleParams struct {
	RequesterEmail string `json:"requester_email,omitzero"`
	DeliveredTo    string `json:"delivered_to,omitzero"`
	Subject        string `json:"subject,omitzero"`
	Body           string `json:"body,omitzero"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p RuleParams) Validate() error {
	if p == (RuleParams{}) {
		return invalid("RuleParams", "must set at least one field")
	}
	return nil
}

// CreateRule creates a rule. It is never sent twice: if it may have been created, the error is
// [ErrOutcomeUnknown].
//
// API: POST /rules
func (s *FiltersService) CreateRule(ctx context.Context, params RuleParams) (*Rule, error) {
	return do[Rule](ctx, s.client, operation{
		name: "Filters.CreateRule", method: http.MethodPost, route: "/rules", invalid: params.Validate(), wrap: "rule", body: &params, key: "rule",
	})
}

// ConsequenceParams describes a consequence to create. At least one field is required.
type ConsequenceParams struct {
	Archive      bool   `json:"archive,omitzero"`
	Spam         bool   `json:"spam,omitzero"`
	Trash        bool   `json:"trash,omitzero"`
	Label        string `json:"label,omitzero"`              // an existing label
	AssignUserID UserID `json:"assign_user,omitzero,string"` // sent as a string
	AssignTeamID TeamID `json:"assign_team,omitzero,string"` // sent as a string
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p ConsequenceParams) Validate() error {
	if p == (ConsequenceParams{}) {
		return invalid("ConsequenceParams", "must set at least one field")
	}
	return firstError(notNegative("AssignUserID", p.AssignUserID), notNegative("AssignTeamID", p.AssignTeamID))
}

// CreateConsequence creates a consequence. It is never sent twice: if it may have been created,
// the error is [ErrOutcomeUnknown].
//
// API: POST /consequences
func (s *FiltersService) CreateConsequence(ctx context.Context, params ConsequenceParams) (*Consequence, error) {
	return do[Consequence](ctx, s.client, operation{
		name: "Filters.CreateConsequence", method: http.MethodPost, route: "/consequences",
		invalid: params.Validate(), wrap: "consequence", body: &params, key: "consequence",
	})
}
