package supportbee_test

import (
	"context"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestCommentsList(t *testing.T) {
	t.Parallel()
	list := func(ctx context.Context, c *supportbee.Client) ([]*supportbee.Comment, error) {
		return c.Comments.List(ctx, 7)
	}
	check(t, "Comments.List", exchange{method: "GET", uri: "/tickets/7/comments", status: 200, reply: listOf(t, "comments", "comment.json")}, list, []*supportbee.Comment{&theComment})
	check(t, "Comments.List", exchange{method: "GET", uri: "/tickets/7/comments", status: 200, reply: `{"comments":[]}`}, list, []*supportbee.Comment{})
}

func TestCommentsCreate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		content supportbee.ContentParams
		body    string
	}{
		{content: longContent, body: `{"comment":{"content":` + longContentJSON + `}}`},
		{content: supportbee.Text("x"), body: `{"comment":{"content":{"text":"x"}}}`},
		{content: supportbee.ContentParams{}.Attach(31), body: `{"comment":{"content":{"attachment_ids":[31]}}}`},
	} {
		check(t, "Comments.Create", exchange{method: "POST", uri: "/tickets/7/comments", body: tt.body, status: 201, reply: "comment.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Comment, error) {
				return c.Comments.Create(ctx, 7, supportbee.CommentParams{Content: tt.content})
			}, &theComment)
	}
	checkParams(t, "Comments.Create", func(ctx context.Context, c *supportbee.Client, p supportbee.CommentParams) error {
		return errorOf(c.Comments.Create(ctx, 7, p))
	}, supportbee.CommentParams{Content: supportbee.Text("x")}, []invalidParams[supportbee.CommentParams]{
		{params: supportbee.CommentParams{}, field: "Content", reason: "must have Text, HTML or AttachmentIDs"},
		{params: supportbee.CommentParams{Content: supportbee.Text("x").Attach(0)}, field: "Content.AttachmentIDs", reason: "must be positive, got 0"},
	})
}
