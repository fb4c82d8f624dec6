package supportbee_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

// What is true of operations without a result is true of Do without one.
func TestDoWithoutAResult(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		do := func(ctx context.Context, c *supportbee.Client) error {
			return c.Do(ctx, method, "/tickets/7/star", nil, nil)
		}
		for _, tt := range unproven {
			t.Run(method+" gets "+tt.name, func(t *testing.T) {
				t.Parallel()
				tt.check(t, "Do", method, "/tickets/7/star", do)
			})
		}
		for status, body := range map[int]string{http.StatusNoContent: "", http.StatusOK: `{}`, http.StatusCreated: `{"star":{"id":1}}`} {
			assert.NoError(t, do(t.Context(), newScript(t, exchange{method: method, uri: "/tickets/7/star", status: status, reply: body})))
		}
	}
}

// A DELETE whose response was lost gets status 404 when it is retried. That is success if what it
// deletes is gone, which for a part of a ticket requires that the ticket exists.
func TestDeletesWhoseResponseWasLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		op   string
		uri  string
		call func(context.Context, *supportbee.Client) error
		asks bool // whether it asks for the ticket
	}{
		{op: "Tickets.Delete", uri: "/tickets/7", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Delete(ctx, 7) }},
		{op: "Snippets.Delete", uri: "/snippets/71", call: func(ctx context.Context, c *supportbee.Client) error { return c.Snippets.Delete(ctx, 71) }},
		{op: "Drafts.Delete", uri: "/tickets/7/draft", call: func(ctx context.Context, c *supportbee.Client) error { return c.Drafts.Delete(ctx, 7) }, asks: true},
		{op: "Labels.Remove", uri: "/tickets/7/labels/x", call: func(ctx context.Context, c *supportbee.Client) error { return c.Labels.Remove(ctx, 7, "x") }, asks: true},
		{op: "Tickets.Unarchive", uri: "/tickets/7/archive", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Unarchive(ctx, 7) }, asks: true},
		{op: "Tickets.MarkUnanswered", uri: "/tickets/7/answered", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.MarkUnanswered(ctx, 7) }, asks: true},
		{op: "Tickets.UnmarkSpam", uri: "/tickets/7/spam", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnmarkSpam(ctx, 7) }, asks: true},
		{op: "Tickets.Untrash", uri: "/tickets/7/trash", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Untrash(ctx, 7) }, asks: true},
		{op: "Tickets.UnassignUser", uri: "/tickets/7/user_assignment", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnassignUser(ctx, 7) }, asks: true},
		{op: "Tickets.UnassignTeam", uri: "/tickets/7/team_assignment", call: func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnassignTeam(ctx, 7) }, asks: true},
	} {
		lost := exchange{method: "DELETE", uri: tt.uri, status: http.StatusBadGateway}
		gone := exchange{method: "DELETE", uri: tt.uri, status: http.StatusNotFound}
		fast := supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: 1, MaxBackoff: 1})
		t.Run(tt.op, func(t *testing.T) {
			t.Parallel()
			script := []exchange{lost, gone}
			if tt.asks {
				script = append(script, exchange{method: "GET", uri: "/tickets/7", status: 200, reply: `{"ticket":{"id":7}}`})
			}
			assert.NoError(t, tt.call(t.Context(), newScript(t, script...).With(fast)))
		})
		t.Run(tt.op+" of nothing", func(t *testing.T) {
			t.Parallel()
			err := tt.call(t.Context(), newScript(t, gone).With(fast))
			assert.ErrorIs(t, err, supportbee.ErrNotFound, "no response was lost")
		})
		if !tt.asks {
			continue
		}
		t.Run(tt.op+" of an unknown ticket", func(t *testing.T) {
			t.Parallel()
			err := tt.call(t.Context(), newScript(t, lost, gone, exchange{method: "GET", uri: "/tickets/7", status: http.StatusNotFound}).With(fast))
			assert.ErrorIs(t, err, supportbee.ErrNotFound)
			assert.True(t, strings.HasPrefix(err.Error(), "supportbee: "+tt.op+": DELETE "), err)
		})
	}
}
