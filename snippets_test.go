package supportbee_test

import (
	"context"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestSnippetsList(t *testing.T) {
	t.Parallel()
	check(t, "Snippets.List", exchange{method: "GET", uri: "/snippets", status: 200, reply: listOf(t, "snippets", "snippet.json")},
		func(ctx context.Context, c *supportbee.Client) ([]*supportbee.Snippet, error) {
			return c.Snippets.List(ctx)
		}, []*supportbee.Snippet{&theSnippet})
}

func TestSnippetsCreate(t *testing.T) {
	t.Parallel()
	type params = supportbee.SnippetParams
	for _, tt := range []struct {
		params params
		body   string
	}{
		{
			params: params{Name: "Thanks", Tags: "a, b", Content: supportbee.ContentParams{Text: "Hi", HTML: "<p>Hi</p>"}},
			body:   `{"snippet":{"name":"Thanks","tags":"a, b","content":{"text":"Hi","html":"<p>Hi</p>"}}}`,
		},
		{params: params{Name: "Thanks", Content: supportbee.HTML("<p>")}, body: `{"snippet":{"name":"Thanks","content":{"html":"<p>"}}}`},
	} {
		check(t, "Snippets.Create", exchange{method: "POST", uri: "/snippets", body: tt.body, status: 201, reply: "snippet.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Snippet, error) {
				return c.Snippets.Create(ctx, tt.params)
			}, &theSnippet)
	}
	checkParams(t, "Snippets.Create", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Snippets.Create(ctx, p))
	}, params{Name: "x", Content: supportbee.Text("x")}, []invalidParams[params]{
		{params: params{Content: supportbee.Text("x")}, field: "Name", reason: "is required"},
		{params: params{Name: " ", Content: supportbee.Text("x")}, field: "Name", reason: "is required"},
		{params: params{Name: "x"}, field: "Content", reason: "must have Text, HTML or AttachmentIDs"},
		{params: params{Name: "x", Content: supportbee.Text("x").Attach(31)}, field: "Content.AttachmentIDs", reason: "must be empty for a snippet"},
	})
}

func TestSnippetsUpdate(t *testing.T) {
	t.Parallel()
	type params = supportbee.SnippetUpdateParams
	for _, tt := range []struct {
		params params
		body   string
	}{
		{
			params: params{Name: new("Thanks"), Tags: new("a"), Content: &supportbee.ContentParams{Text: "Hi", HTML: "<p>Hi</p>"}},
			body:   `{"snippet":{"name":"Thanks","tags":"a","content":{"text":"Hi","html":"<p>Hi</p>"}}}`,
		},
		{params: params{Name: new("Thanks")}, body: `{"snippet":{"name":"Thanks"}}`},
		{params: params{Tags: new("")}, body: `{"snippet":{"tags":""}}`},
		{params: params{Content: &supportbee.ContentParams{}}, body: `{"snippet":{"content":{"text":""}}}`},
	} {
		check(t, "Snippets.Update", exchange{method: "PUT", uri: "/snippets/71", body: tt.body, status: 200, reply: "snippet.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Snippet, error) {
				return c.Snippets.Update(ctx, 71, tt.params)
			}, &theSnippet)
	}
	checkParams(t, "Snippets.Update", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Snippets.Update(ctx, 71, p))
	}, params{Tags: new("")}, []invalidParams[params]{
		{params: params{}, field: "SnippetUpdateParams", reason: "must set at least one field"},
		{params: params{Name: new("")}, field: "Name", reason: "is required"},
		{params: params{Content: &supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{31}}}, field: "Content.AttachmentIDs", reason: "must be empty for a snippet"},
	})
}

func TestSnippetsDelete(t *testing.T) {
	t.Parallel()
	checkDone(t, "Snippets.Delete", "DELETE", "/snippets/71", func(ctx context.Context, c *supportbee.Client) error { return c.Snippets.Delete(ctx, 71) })
}
