package supportbee_test

import (
	"context"
	"slices"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestDraftsGet(t *testing.T) {
	t.Parallel()
	get := func(opts *supportbee.DraftGetOptions) func(context.Context, *supportbee.Client) (*supportbee.Draft, error) {
		return func(ctx context.Context, c *supportbee.Client) (*supportbee.Draft, error) {
			return c.Drafts.Get(ctx, 7, opts)
		}
	}
	check(t, "Drafts.Get", exchange{method: "GET", uri: "/tickets/7/draft?quote=false&time_zone=Europe%2FBerlin", status: 200, reply: "draft.json"},
		get(&supportbee.DraftGetOptions{OmitQuote: true, TimeZone: "Europe/Berlin"}), &theDraft)
	check(t, "Drafts.Get", exchange{method: "GET", uri: "/tickets/7/draft", status: 200, reply: "draft.json"}, get(&supportbee.DraftGetOptions{}), &theDraft)
	// A draft that was not saved.
	check(t, "Drafts.Get", exchange{
		method: "GET", uri: "/tickets/7/draft", status: 200,
		reply: `{"draft":{"id":null,"cc":null,"bcc":null,"last_saved_by":null,"last_saved_at":null,"content":{"text":"> x"}}}`,
	}, get(nil), &supportbee.Draft{Content: supportbee.Content{Text: "> x"}})
}

func TestDraftsSave(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		params supportbee.DraftParams
		body   string
	}{
		{
			params: supportbee.DraftParams{Content: longContent, CC: []string{"a@b.c", `"Bauer, Bo" <bo@b.c>`}, BCC: []string{"b@b.c"}},
			body:   `{"draft":{"content":` + longContentJSON + `,"cc":"a@b.c, \"Bauer, Bo\" <bo@b.c>","bcc":"b@b.c"}}`,
		},
		{
			params: supportbee.DraftParams{Content: supportbee.Text("x"), CC: []string{}, BCC: []string{}},
			body:   `{"draft":{"content":{"text":"x"},"cc":"","bcc":""}}`,
		},
		{params: supportbee.DraftParams{}, body: `{"draft":{"content":{"text":""}}}`},
		{params: supportbee.DraftParams{Content: supportbee.ContentParams{}.Attach(31)}, body: `{"draft":{"content":{"attachment_ids":[31]}}}`},
	} {
		check(t, "Drafts.Create", exchange{method: "POST", uri: "/tickets/7/draft", body: tt.body, status: 201, reply: "draft.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Draft, error) {
				return c.Drafts.Create(ctx, 7, tt.params)
			}, &theDraft)
		check(t, "Drafts.Update", exchange{method: "PUT", uri: "/tickets/7/draft", body: tt.body, status: 200, reply: "draft.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.Draft, error) {
				return c.Drafts.Update(ctx, 7, tt.params)
			}, &theDraft)
	}
}

func TestDraftParamsAreRejected(t *testing.T) {
	t.Parallel()
	many := slices.Repeat([]string{"a@b.c"}, 26)
	tests := []invalidParams[supportbee.DraftParams]{
		{params: supportbee.DraftParams{Content: supportbee.ContentParams{}.Attach(0)}, field: "Content.AttachmentIDs", reason: "must be positive, got 0"},
		{params: supportbee.DraftParams{CC: []string{"a"}}, field: "CC", reason: `[0] must be of the form "a@example.com" or "Name <a@example.com>"`},
		{params: supportbee.DraftParams{BCC: many}, field: "BCC", reason: "must have at most 25 addresses, got 26"},
	}
	checkParams(t, "Drafts.Create", func(ctx context.Context, c *supportbee.Client, p supportbee.DraftParams) error {
		return errorOf(c.Drafts.Create(ctx, 7, p))
	}, supportbee.DraftParams{}, tests)
	checkParams(t, "Drafts.Update", func(ctx context.Context, c *supportbee.Client, p supportbee.DraftParams) error {
		return errorOf(c.Drafts.Update(ctx, 7, p))
	}, supportbee.DraftParams{}, tests)
}

func TestDraftsDelete(t *testing.T) {
	t.Parallel()
	checkDone(t, "Drafts.Delete", "DELETE", "/tickets/7/draft", func(ctx context.Context, c *supportbee.Client) error { return c.Drafts.Delete(ctx, 7) })
}
