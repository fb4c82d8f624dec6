package supportbee_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// What was read of a response that breaks off is not in the result of the next attempt.
func TestDoReadsOneResponse(t *testing.T) {
	t.Parallel()
	client := newScript(t,
		exchange{method: "GET", uri: "/x", status: 200, reply: `{"m":{"a":1},"old":"x",`},
		exchange{method: "GET", uri: "/x", status: 200, reply: `{"m":{"b":2}}`},
	).With(quick)
	out := struct {
		M    map[string]int `json:"m"`
		Old  string         `json:"old"`
		Kept int
	}{Kept: 7}
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/x", nil, &out))
	assert.Equal(t, map[string]int{"b": 2}, out.M)
	assert.Empty(t, out.Old)
	assert.Equal(t, 7, out.Kept, "what is not in the response is left as it was")
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

// A write without a body has a length: some proxies reject a chunked one.
func TestWritesWithoutABodyHaveALength(t *testing.T) {
	t.Parallel()
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, fmt.Sprint(r.Method, " ", r.Header["Content-Length"], " ", r.ContentLength, " ", r.TransferEncoding))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"label":{"id":1}}`)
	}))
	defer server.Close()
	client := newClient(t, supportbee.WithBaseURL(server.URL))
	require.NoError(t, client.Tickets.Archive(t.Context(), 7))
	_, err := client.Labels.Add(t.Context(), 7, "x")
	require.NoError(t, err)
	require.NoError(t, client.Do(t.Context(), http.MethodPut, "/x", nil, nil))
	assert.Equal(t, []string{"POST [0] 0 []", "POST [0] 0 []", "PUT [0] 0 []"}, seen)
}

// Interim responses without end do not keep a call from ending in time.
func TestAFloodOfInterimResponses(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.WriteHeader(http.StatusEarlyHints)
		}
	}))
	defer server.Close()
	client := newClient(t, supportbee.WithBaseURL(server.URL), supportbee.WithoutRetry(), supportbee.WithTimeout(100*time.Millisecond))
	_, err := client.Labels.List(t.Context())
	require.Error(t, err)
	_, err = create(client)
	require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
}

// A response that is too slow is late, and not malformed.
func TestASlowBodyIsNotMalformed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusOK, "")
			res.Body, res.ContentLength = io.NopCloser(stuck{req.Context()}), -1
			return res, nil
		})))
		_, err := client.Labels.List(t.Context())
		require.EqualError(t, err, "supportbee: Labels.List: GET /labels: 200 OK: no complete response within 30s (request the-request)")
		require.NotErrorIs(t, err, supportbee.ErrMalformedResponse)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Labels.List(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, supportbee.ErrMalformedResponse)
	})
}

func TestDoEscapesSpacesInTheQuery(t *testing.T) {
	t.Parallel()
	client := newScript(t, exchange{method: "GET", uri: "/tickets/search?query=a%20b+c", status: 200, reply: `{}`})
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/tickets/search?query=a b+c", nil, nil))
}

// A signed URL in a Location header that cannot be parsed is not shown.
func TestALocationThatCannotBeParsed(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		res := respond(req, http.StatusFound, "")
		res.Header.Set("Location", "https://storage.example/%zz?signature=secret")
		return res, nil
	})))
	_, err := client.Labels.List(t.Context())
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
	assert.NotContains(t, fmt.Sprintf("%+v", errors.Unwrap(err)), "secret")
}

// An error of a wrapping transport that has the URL loses it, and can still be unwrapped.
func TestErrorsOfTransportsLoseTheURL(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		return nil, fmt.Errorf("wrapped: %w", &url.Error{Op: "Get", URL: req.URL.String(), Err: &net.OpError{Op: "read", Err: errors.New("broken pipe")}})
	})))
	_, err := client.Tickets.List(t.Context(), &supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}})
	require.EqualError(t, err, "supportbee: Tickets.List: GET /tickets: wrapped: read: broken pipe")
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)
}

// Wherever a redirect leads, the token stays at the origin of the base URL, a create is sent once,
// and errors are one line without the token.
func FuzzRedirects(f *testing.F) {
	for i, location := range []string{
		"", "/", "/tickets/8", "?x", "#x", "//elsewhere.example/x", "http://acme.supportbee.com/", "https://acme.supportbee.com:443/", "https://acme.supportbee.com:8443/",
		"https://ACME.supportbee.com./x", "https://acme.supportbee.com@elsewhere.example/", "https://the-token@acme.supportbee.com/", "https://elsewhere.example/?t=the-token",
		"HTTPS:acme.supportbee.com", `\\elsewhere.example`, "javascript:alert(1)", "file:///etc/passwd", "https://[::1", "https://%00/", "\x1b[2J", "%zz", "http://127.0.0.1/",
	} {
		for _, status := range []int{301, 302, 303, 307, 308, 300 + i} {
			f.Add(status, location)
		}
	}
	f.Fuzz(func(t *testing.T, status int, location string) {
		if status < 300 || status > 399 {
			return
		}
		for name, call := range map[string]func(*supportbee.Client) error{
			"Get": func(c *supportbee.Client) error { return errorOf(c.Tickets.Get(t.Context(), 7)) },
			"Create": func(c *supportbee.Client) error {
				return errorOf(c.Comments.Create(t.Context(), 7, supportbee.CommentParams{Content: supportbee.Text("x")}))
			},
			"Archive": func(c *supportbee.Client) error { return c.Tickets.Archive(t.Context(), 7) },
			"Download": func(c *supportbee.Client) error {
				file := supportbee.Attachment{ID: 1, URL: supportbee.AttachmentURL{Original: "https://acme.supportbee.com/attachments/1/original/a"}}
				return c.Attachments.Download(t.Context(), file, io.Discard, nil)
			},
		} {
			sent := 0
			err := call(newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				sent++
				if req.URL.Scheme != "https" || strings.ToLower(req.URL.Hostname()) != "acme.supportbee.com" || req.URL.Port() != "" && req.URL.Port() != "443" {
					assert.Equal(t, "Download", name, "a request to %s", req.URL)
					assert.NotEqual(t, "Bearer the-token", req.Header.Get("Authorization"), "sent to %s", req.URL)
				}
				assert.Empty(t, req.Header.Values("Referer"))
				res := respond(req, status, "")
				res.Header.Set("Location", location)
				return res, nil
			}))))
			require.Error(t, err, name)
			assert.False(t, strings.ContainsAny(err.Error(), "\n\r\x1b\x00"), "%s: %q", name, err)
			assert.NotContains(t, err.Error(), "the-token", name)
			assert.LessOrEqual(t, sent, 11, name)
			if name == "Create" {
				assert.Equal(t, 1, sent)
			}
		}
	})
}
