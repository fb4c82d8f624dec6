package supportbee_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestFiltersCreate(t *testing.T) {
	t.Parallel()
	params := supportbee.FilterParams{RuleID: "5_20130430051603", ConsequenceID: "6"}
	create := func(ctx context.Context, c *supportbee.Client) (*supportbee.Filter, error) {
		return c.Filters.Create(ctx, params)
	}
	const body = `{"rule_id":"5_20130430051603","consequence_id":"6"}`
	for _, tt := range []struct {
		reply string
		want  supportbee.Filter
	}{
		{reply: `{"filter":{"id":"8_2026","rule_id":"5","consequence_id":"7"}}`, want: supportbee.Filter{ID: "8_2026", RuleID: "5", ConsequenceID: "7"}},
		{reply: `{"filter":{"id":8}}`, want: supportbee.Filter{ID: "8", RuleID: "5_20130430051603", ConsequenceID: "6"}},
		{reply: `{"id":8}`, want: supportbee.Filter{ID: "8", RuleID: "5_20130430051603", ConsequenceID: "6"}},
		{reply: `{"id":8,"rule_id":5,"consequence_id":7}`, want: supportbee.Filter{ID: "8", RuleID: "5", ConsequenceID: "7"}},
		{reply: `{"filter":{}}`, want: supportbee.Filter{RuleID: "5_20130430051603", ConsequenceID: "6"}},
		{reply: `{}`, want: supportbee.Filter{RuleID: "5_20130430051603", ConsequenceID: "6"}},
		{reply: ``, want: supportbee.Filter{RuleID: "5_20130430051603", ConsequenceID: "6"}},
		{
			reply: `{"filter":{"id":8,"position":1}}`,
			want: supportbee.Filter{
				ID: "8", RuleID: "5_20130430051603", ConsequenceID: "6", Extra: map[string]json.RawMessage{"position": json.RawMessage(`1`)},
			},
		},
	} {
		check(t, "Filters.Create", exchange{method: "POST", uri: "/filters", body: body, status: 201, reply: tt.reply}, create, &tt.want)
	}
	for _, tt := range unproven {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t, "Filters.Create", "POST", "/filters", func(ctx context.Context, c *supportbee.Client) error { return errorOf(create(ctx, c)) })
		})
	}
	checkParams(t, "Filters.Create", func(ctx context.Context, c *supportbee.Client, p supportbee.FilterParams) error {
		return errorOf(c.Filters.Create(ctx, p))
	}, params, []invalidParams[supportbee.FilterParams]{
		{params: supportbee.FilterParams{ConsequenceID: "6"}, field: "RuleID", reason: "is required"},
		{params: supportbee.FilterParams{RuleID: "5"}, field: "ConsequenceID", reason: "is required"},
	})
}

func TestFiltersCreateRule(t *testing.T) {
	t.Parallel()
	type params = supportbee.RuleParams
	for _, tt := range []struct {
		params params
		body   string
	}{
		{
			params: params{RequesterEmail: "a", DeliveredTo: "b", Subject: "c", Body: "d"},
			body:   `{"rule":{"requester_email":"a","delivered_to":"b","subject":"c","body":"d"}}`,
		},
		{params: params{Body: "d"}, body: `{"rule":{"body":"d"}}`},
	} {
		for reply, id := range map[string]supportbee.RuleID{`{"rule":{"id":"5_20130430051603"}}`: "5_20130430051603", `{"rule":{"id":5}}`: "5"} {
			check(t, "Filters.CreateRule", exchange{method: "POST", uri: "/rules", body: tt.body, status: 201, reply: reply},
				func(ctx context.Context, c *supportbee.Client) (*supportbee.Rule, error) {
					return c.Filters.CreateRule(ctx, tt.params)
				},
				&supportbee.Rule{ID: id})
		}
	}
	checkParams(t, "Filters.CreateRule", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Filters.CreateRule(ctx, p))
	}, params{Subject: "x"}, []invalidParams[params]{{params: params{}, field: "RuleParams", reason: "must set at least one field"}})
}

func TestFiltersCreateConsequence(t *testing.T) {
	t.Parallel()
	type params = supportbee.ConsequenceParams
	for _, tt := range []struct {
		params params
		body   string
	}{
		{
			params: params{Archive: true, Spam: true, Trash: true, Label: "refund", AssignUserID: 12, AssignTeamID: 21},
			body:   `{"consequence":{"archive":true,"spam":true,"trash":true,"label":"refund","assign_user":"12","assign_team":"21"}}`,
		},
		{params: params{Label: "refund"}, body: `{"consequence":{"label":"refund"}}`},
		{params: params{AssignTeamID: 21}, body: `{"consequence":{"assign_team":"21"}}`},
	} {
		for reply, id := range map[string]supportbee.ConsequenceID{`{"consequence":{"id":"6_2013"}}`: "6_2013", `{"consequence":{"id":6}}`: "6"} {
			check(t, "Filters.CreateConsequence", exchange{method: "POST", uri: "/consequences", body: tt.body, status: 201, reply: reply},
				func(ctx context.Context, c *supportbee.Client) (*supportbee.Consequence, error) {
					return c.Filters.CreateConsequence(ctx, tt.params)
				}, &supportbee.Consequence{ID: id})
		}
	}
	checkParams(t, "Filters.CreateConsequence", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Filters.CreateConsequence(ctx, p))
	}, params{Trash: true}, []invalidParams[params]{
		{params: params{}, field: "ConsequenceParams", reason: "must set at least one field"},
		{params: params{AssignUserID: -1}, field: "AssignUserID", reason: "must not be negative, got -1"},
		{params: params{AssignTeamID: -1}, field: "AssignTeamID", reason: "must not be negative, got -1"},
	})
}
