package supportbee_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

func TestLabelsList(t *testing.T) {
	t.Parallel()
	check(t, "Labels.List", exchange{method: "GET", uri: "/labels", status: 200, reply: "labels.json"},
		func(ctx context.Context, c *supportbee.Client) ([]*supportbee.Label, error) {
			return c.Labels.List(ctx)
		}, theLabels)
}

// labelSegments are names of labels, and the segments of paths that they become.
var labelSegments = map[string]string{
	"refund":             "refund",
	"very important":     "very%20important",
	"a/b":                "a%2Fb",
	"100% ünique?#":      "100%25%20%C3%BCnique%3F%23",
	"...":                "...",
	"../../users":        "..%2F..%2Fusers",
	"a+b&c=d;e":          "a+b&c=d%3Be",
	"\"<script>\x00\r\n": "%22%3Cscript%3E%00%0D%0A",
}

func TestLabelsAdd(t *testing.T) {
	t.Parallel()
	for name, segment := range labelSegments {
		check(t, "Labels.Add", exchange{
			method: "POST", uri: "/tickets/7/labels/" + segment, status: 201, reply: `{"label":{"id":9,"label":"very important","ticket":7}}`,
		}, func(ctx context.Context, c *supportbee.Client) (*supportbee.Labeling, error) {
			return c.Labels.Add(ctx, 7, name)
		},
			&supportbee.Labeling{ID: 9, Label: "very important", TicketID: 7})
	}
}

func TestLabelsRemove(t *testing.T) {
	t.Parallel()
	for name, segment := range labelSegments {
		checkDone(t, "Labels.Remove", "DELETE", "/tickets/7/labels/"+segment, func(ctx context.Context, c *supportbee.Client) error { return c.Labels.Remove(ctx, 7, name) })
	}
}

func TestLabelNamesAreRejected(t *testing.T) {
	t.Parallel()
	for name, reason := range map[string]string{
		"": "is required", " \t": "is required",
		".": `must not be ".", which is removed from a path`, "..": `must not be "..", which is removed from a path`,
	} {
		checkRejected(t, supportbee.ArgumentError{Op: "Labels.Add", Field: "name", Reason: reason}, func(ctx context.Context, c *supportbee.Client) error {
			return errorOf(c.Labels.Add(ctx, 7, name))
		})
		checkRejected(t, supportbee.ArgumentError{Op: "Labels.Remove", Field: "name", Reason: reason}, func(ctx context.Context, c *supportbee.Client) error {
			return c.Labels.Remove(ctx, 7, name)
		})
	}
}

// Whatever the name, it is one segment of the path, or rejected.
func FuzzLabelName(f *testing.F) {
	for _, name := range []string{"refund", "very important", "a/b", "../..", ".", " .. ", "%2e%2e", "a?b#c", "ü\xff", "a\r\nb\x00", ";", "//host", `\`, "100%"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		sent := 0
		client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			sent++
			assert.Equal(t, "acme.supportbee.com", req.URL.Host)
			uri := req.URL.RequestURI()
			segment, found := strings.CutPrefix(uri, "/tickets/7/labels/")
			assert.True(t, found, uri)
			assert.False(t, strings.ContainsAny(segment, "/?#\\ \r\n"), uri)
			assert.NotContains(t, []string{".", ".."}, segment)
			got, err := url.PathUnescape(segment)
			require.NoError(t, err)
			assert.Equal(t, name, got)
			return respond(req, http.StatusNoContent, ""), nil
		})))
		err := client.Labels.Remove(t.Context(), 7, name)
		if sent == 0 {
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
			return
		}
		assert.NoError(t, err)
		assert.Equal(t, 1, sent)
	})
}
