package supportbee

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// RuleID identifies a rule, such as "5_20130430051603".
type RuleID string

// ConsequenceID identifies a consequence.
type ConsequenceID string

// FilterID identifies a filter.
type FilterID string

// Rule is the condition of a filter.
type Rule struct {
	ID RuleID `json:"id"`
}

// RuleParams is a rule to make: what an incoming ticket is compared with. At least one field is
// required.
type RuleParams struct {
	RequesterEmail string `json:"requester_email,omitzero"`
	DeliveredTo    string `json:"delivered_to,omitzero"`
	Subject        string `json:"subject,omitzero"`
	Body           string `json:"body,omitzero"`
}

func (r RuleParams) validate() error {
	if r == (RuleParams{}) {
		return invalid("RuleParams", "needs at least one field")
	}
	return nil
}

// Consequence is what a filter does.
type Consequence struct {
	ID ConsequenceID `json:"id"`
}

// ConsequenceParams is a consequence to make: what happens to the tickets that a rule fits. At
// least one field is required; the label must exist.
type ConsequenceParams struct {
	Archive    bool
	Spam       bool
	Trash      bool
	Label      string
	AssignUser UserID
	AssignTeam TeamID
}

func (c ConsequenceParams) validate() error {
	switch {
	case c == (ConsequenceParams{}):
		return invalid("ConsequenceParams", "needs at least one field")
	case c.AssignUser < 0:
		return invalid("AssignUser", "must be positive, got %d", c.AssignUser)
	case c.AssignTeam < 0:
		return invalid("AssignTeam", "must be positive, got %d", c.AssignTeam)
	}
	return nil
}

// wire is the consequence as requests take it: IDs as strings.
func (c ConsequenceParams) wire() any {
	return struct {
		Archive    bool   `json:"archive,omitzero"`
		Spam       bool   `json:"spam,omitzero"`
		Trash      bool   `json:"trash,omitzero"`
		Label      string `json:"label,omitzero"`
		AssignUser string `json:"assign_user,omitzero"`
		AssignTeam string `json:"assign_team,omitzero"`
	}{c.Archive, c.Spam, c.Trash, c.Label, decimalOrNone(c.AssignUser), decimalOrNone(c.AssignTeam)}
}

// Filter joins a rule and a consequence.
type Filter struct {
	ID            FilterID      `json:"id"` // empty where the server does not tell it
	RuleID        RuleID        `json:"rule_id"`
	ConsequenceID ConsequenceID `json:"consequence_id"`
}

// FilterParams is a filter to make. Both fields are required.
type FilterParams struct {
	RuleID        RuleID        `json:"rule_id"`
	ConsequenceID ConsequenceID `json:"consequence_id"`
}

func (f FilterParams) validate() error {
	switch {
	case isBlank(string(f.RuleID)):
		return invalid("RuleID", "is required")
	case isBlank(string(f.ConsequenceID)):
		return invalid("ConsequenceID", "is required")
	}
	return nil
}

// FilterError says that [FiltersService.CreateWith] stopped half-way, and what exists already,
// to go on with or to give to the help desk's admins: the API can delete neither.
type FilterError struct {
	RuleID        RuleID        // empty if the rule could not be made
	ConsequenceID ConsequenceID // empty if the consequence could not be made
	Err           error
}

// Error names what exists and the cause.
func (e *FilterError) Error() string {
	exists := ""
	if e.RuleID != "" {
		exists = " (rule " + strconv.Quote(string(e.RuleID)) + " exists)"
	}
	if e.ConsequenceID != "" {
		exists = fmt.Sprintf(" (rule %q and consequence %q exist)", e.RuleID, e.ConsequenceID)
	}
	return fmt.Sprintf("supportbee: Filters.CreateWith: filter not made%s: %v", exists, e.Err)
}

// Unwrap returns the error of the call that failed.
func (e *FilterError) Unwrap() error { return e.Err }

// FiltersService makes the filters that sort incoming tickets.
type FiltersService struct{ service }

// CreateRule makes a rule.
//
// API: POST /rules
func (s *FiltersService) CreateRule(ctx context.Context, rule RuleParams) (*Rule, error) {
	return do[*Rule](ctx, s.client, call{
		op: "Filters.CreateRule", method: http.MethodPost, route: "/rules", invalid: rule.validate(), wrap: "rule", body: &rule, key: "rule",
	})
}

// CreateConsequence makes a consequence.
//
// API: POST /consequences
func (s *FiltersService) CreateConsequence(ctx context.Context, consequence ConsequenceParams) (*Consequence, error) {
	return do[*Consequence](ctx, s.client, call{
		op: "Filters.CreateConsequence", method: http.MethodPost, route: "/consequences",
		invalid: consequence.validate(), wrap: "consequence", body: consequence.wire(), key: "consequence",
	})
}

// Create makes a filter of a rule and a consequence. CreateWith makes all three.
//
// The server may answer with nothing; the filter returned then holds no ID.
//
// API: POST /filters
func (s *FiltersService) Create(ctx context.Context, filter FilterParams) (*Filter, error) {
	answer, err := do[filterAnswer](ctx, s.client, call{
		op: "Filters.Create", method: http.MethodPost, route: "/filters", invalid: filter.validate(), body: &filter, mayBeEmpty: true,
	})
	if err != nil {
		return nil, err
	}
	return answer.filter(filter), nil
}

// CreateWith makes a rule, a consequence and the filter that joins them, in three calls. When a
// later one fails, the error is a [*FilterError] with the IDs of what exists already.
func (s *FiltersService) CreateWith(ctx context.Context, rule RuleParams, consequence ConsequenceParams) (*Filter, error) {
	if err := firstError(rule.validate(), consequence.validate()); err != nil {
		return nil, refuse("Filters.CreateWith", err)
	}
	made, err := s.CreateRule(ctx, rule)
	if err != nil {
		return nil, &FilterError{Err: err}
	}
	does, err := s.CreateConsequence(ctx, consequence)
	if err != nil {
		return nil, &FilterError{RuleID: made.ID, Err: err}
	}
	filter, err := s.Create(ctx, FilterParams{RuleID: made.ID, ConsequenceID: does.ID})
	if err != nil {
		return nil, &FilterError{RuleID: made.ID, ConsequenceID: does.ID, Err: err}
	}
	return filter, nil
}
