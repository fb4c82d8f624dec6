package supportbee_test

import (
	"context"
	"slices"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestRepliesList(t *testing.T) {
	t.Parallel()
	list := func(ctx context.Context, c *supportbee.Client) ([]*supportbee.Reply, error) {
		return c.Replies.List(ctx, 7)
	}
	check(t, "Replies.List", exchange{method: "GET", uri: "/tickets/7/replies", status: 200, reply: listOf(t, "replies", "reply.json")}, list, []*supportbee.Reply{&theReply})
	check(t, "Replies.List", exchange{method: "GET", uri: "/tickets/7/replies", status: 200, reply: `{"replies":[]}`}, list, []*supportbee.Reply{})
}

func TestRepliesGet(t *testing.T) {
	t.Parallel()
	for _, reply := range []string{fixture(t, "reply.json"), bare(t, "reply.json")} {
		check(t, "Replies.Get", exchange{method: "GET", uri: "/tickets/7/replies/41", status: 200, reply: reply},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Reply, error) {
				return c.Replies.Get(ctx, 7, 41)
			}, &theReply)
	}
}

func TestRepliesCreate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		params supportbee.ReplyParams
		body   string
	}{
		{
			params: supportbee.ReplyParams{Content: longContent, CC: []string{"a@b.c"}, BCC: []string{"Bo <b@b.c>"}, OnBehalfOf: supportbee.AgentRef{ID: 12}},
			body:   `{"reply":{"content":` + longContentJSON + `,"cc":["a@b.c"],"bcc":["Bo <b@b.c>"],"on_behalf_of":{"id":12}}}`,
		},
		{
			params: supportbee.ReplyParams{Content: supportbee.Text("x"), OnBehalfOf: supportbee.AgentRef{Email: "ben@acme.example"}},
			body:   `{"reply":{"content":{"text":"x"},"on_behalf_of":{"email":"ben@acme.example"}}}`,
		},
		{
			params: supportbee.ReplyParams{Content: supportbee.ContentParams{}.Attach(31)},
			body:   `{"reply":{"content":{"attachment_ids":[31]}}}`,
		},
	} {
		check(t, "Replies.Create", exchange{method: "POST", uri: "/tickets/7/replies", body: tt.body, status: 201, reply: "reply.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Reply, error) {
				return c.Replies.Create(ctx, 7, tt.params)
			}, &theReply)
	}
}

func TestReplyParamsAreRejected(t *testing.T) {
	t.Parallel()
	text, many := supportbee.Text("x"), slices.Repeat([]string{"a@b.c"}, 26)
	checkParams(t, "Replies.Create", func(ctx context.Context, c *supportbee.Client, p supportbee.ReplyParams) error {
		return errorOf(c.Replies.Create(ctx, 7, p))
	}, supportbee.ReplyParams{Content: text}, []invalidParams[supportbee.ReplyParams]{
		{params: supportbee.ReplyParams{}, field: "Content", reason: "must have Text, HTML or AttachmentIDs"},
		{params: supportbee.ReplyParams{Content: text.Attach(-1)}, field: "Content.AttachmentIDs", reason: "must be positive, got -1"},
		{params: supportbee.ReplyParams{Content: text, CC: many}, field: "CC", reason: "must have at most 25 addresses, got 26"},
		{params: supportbee.ReplyParams{Content: text, BCC: []string{""}}, field: "BCC", reason: `[0] must be of the form "a@example.com" or "Name <a@example.com>"`},
		{
			params: supportbee.ReplyParams{Content: text, OnBehalfOf: supportbee.AgentRef{ID: -1}},
			field:  "OnBehalfOf", reason: "must have either a positive ID or an Email",
		},
		{
			params: supportbee.ReplyParams{Content: text, OnBehalfOf: supportbee.AgentRef{ID: 12, Email: "a@b.c"}},
			field:  "OnBehalfOf", reason: "must have either a positive ID or an Email",
		},
		{
			params: supportbee.ReplyParams{Content: text, OnBehalfOf: supportbee.AgentRef{Email: "ben"}},
			field:  "OnBehalfOf.Email", reason: "must be an e-mail address",
		},
	})
}
