package supportbee_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

var sentinels = []error{
	supportbee.ErrInvalidArgument, supportbee.ErrTokenRequired, supportbee.ErrNotFound, supportbee.ErrAccessDenied, supportbee.ErrValidation,
	supportbee.ErrConflict, supportbee.ErrRateLimited, supportbee.ErrServer, supportbee.ErrOutcomeUnknown, supportbee.ErrMalformedResponse,
	supportbee.ErrResponseTooLarge, supportbee.ErrIncomplete,
}

func TestStatusesAreSentinels(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][]error{
		400: {supportbee.ErrValidation}, 401: {supportbee.ErrAccessDenied}, 403: {supportbee.ErrAccessDenied}, 404: {supportbee.ErrNotFound},
		408: nil, 409: {supportbee.ErrConflict}, 418: nil, 422: {supportbee.ErrValidation}, 429: {supportbee.ErrRateLimited}, 500: {supportbee.ErrServer},
		502: {supportbee.ErrServer}, 503: {supportbee.ErrServer}, 504: {supportbee.ErrServer}, 599: {supportbee.ErrServer}, 300: nil,
	} {
		for name, call := range map[string]func(*supportbee.Client) error{
			"read":       func(c *supportbee.Client) error { _, err := c.Labels.List(t.Context()); return err },
			"repeatable": func(c *supportbee.Client) error { return c.Tickets.Archive(t.Context(), 7) },
			"create":     func(c *supportbee.Client) error { _, err := create(c); return err },
		} {
			err := call(always(t, status, `{"error":"No."}`, supportbee.WithoutRetry()))
			want := want
			if name == "create" && (status >= 500 || status == 408) {
				want = append(slices.Clip(want), supportbee.ErrOutcomeUnknown)
			}
			for _, sentinel := range sentinels {
				assert.Equal(t, slices.Contains(want, sentinel), errors.Is(err, sentinel), "%s %d %v", name, status, sentinel)
			}
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, status, apiErr.StatusCode)
			assert.Equal(t, "No.", apiErr.Message)
		}
	}
}

func TestErrorsKeepTheResponse(t *testing.T) {
	t.Parallel()
	_, err := always(t, http.StatusNotFound, `{"error":"Couldn't find Ticket"}`).Tickets.Get(t.Context(), 7)
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, &supportbee.Error{
		Op: "Tickets.Get", Method: "GET", Path: "/tickets/7", StatusCode: 404, Message: "Couldn't find Ticket", RequestID: "the-request",
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}},
		Body:   []byte(`{"error":"Couldn't find Ticket"}`), Attempts: 1,
	}, apiErr)
	assert.EqualError(t, err, "supportbee: Tickets.Get: GET /tickets/7: 404 Not Found: Couldn't find Ticket (request the-request)")
}

func TestErrorMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("very long ", 5_000)
	for body, want := range map[string]string{
		`{"error":"Validation failed: Requester can't be blank"}`: ": Validation failed: Requester can't be blank",
		`{"errors":["one","two"]}`:                                ": one, two",
		`{"errors":{"email":["is taken","is bad"],"name":"too"}}`: ": email is taken, is bad, name too",
		`{"errors":[{"message":"m","code":7}]}`:                   ": message m",
		`["one","two"]`:                                           ": one, two",
		`"one"`:                                                   ": one",
		"Too many requests":                                       ": Too many requests",
		`{"error":false,"message":"hello"}`:                       ": hello",
		`{"message":"hello"}`:                                     ": hello",
		`{"error":"","message":"hello"}`:                          ": hello",
		`{"error":null}`:                                          "",
		`{"error":7}`:                                             "",
		"":                                                        "",
		" ":                                                       "",
		"<html><body>Bad gateway</body></html>":                   "",
		`{"error":`:                                               "",
		`{"error":"two\nlines\ttab \u001b[31mred\u0007 \u202eltr \u0000 end"}`: ": two lines tab [31mred ltr end",
		`{"error":"` + strings.Repeat("é", 400) + `x"}`:                        ": " + strings.Repeat("é", 256) + "…",
		`{"error":"x` + strings.Repeat("é", 400) + `"}`:                        ": x" + strings.Repeat("é", 255) + "…",
		"{\"error\":\"bad \xff bytes\"}":                                       ": bad bytes",
		`{"error":"` + long + `"}`:                                             ": " + long[:512] + "…",
		`{"message":"and more"}` + strings.Repeat(" ", 100_000):                ": and more",
	} {
		_, err := always(t, http.StatusBadRequest, body).Labels.List(t.Context())
		require.EqualError(t, err, "supportbee: Labels.List: GET /labels: 400 Bad Request"+want+" (request the-request)", body)
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, body[:min(len(body), 64<<10)], string(apiErr.Body))
	}
}

func TestRequestIDsArePrintable(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		res := respond(req, http.StatusNotFound, "")
		res.Header["X-Request-Id"] = []string{"a\x1b[2J\nb" + strings.Repeat("c", 1000)}
		return res, nil
	})))
	_, err := client.Labels.List(t.Context())
	require.ErrorContains(t, err, "(request a [2J bccc")
	assert.Less(t, len(err.Error()), 300)
}

// Whatever a transport returns or a path holds, an error is one line of limited length.
func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("first\r\nsecond \x1b[31mred\u2066 " + strings.Repeat("long ", 1000))
	})))
	err := client.Do(t.Context(), http.MethodGet, "/a%0Ab/"+strings.Repeat("x", 5000), nil, nil)
	require.ErrorContains(t, err, "supportbee: Do: GET /a%0Ab/xxx")
	require.ErrorContains(t, err, "x…: first second [31mred long long ")
	assert.Less(t, len(err.Error()), 1200)
}

func TestQueriesAreNotInErrors(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(*http.Request) (*http.Response, error) {
		return nil, &net.OpError{Op: "read", Err: errors.New("broken pipe")}
	})))
	_, err := client.Tickets.List(t.Context(), &supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}})
	require.EqualError(t, err, "supportbee: Tickets.List: GET /tickets: read: broken pipe")
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)
	err = client.Do(t.Context(), http.MethodGet, "/tickets?secret=1", nil, nil)
	require.EqualError(t, err, "supportbee: Do: GET /tickets: read: broken pipe")
}

// An error whose text held the token loses that text, not what kind of error it is.
func TestRedactedErrorsStayRecognisable(t *testing.T) {
	t.Parallel()
	for _, want := range []error{context.Canceled, context.DeadlineExceeded} {
		client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%w: %w: sending %s", want, io.ErrUnexpectedEOF, req.Header.Get("Authorization"))
		})))
		_, err := client.Labels.List(t.Context())
		require.ErrorIs(t, err, want)
		require.NotErrorIs(t, err, io.ErrUnexpectedEOF, "what was hidden cannot be reached")
		assert.NotEqual(t, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded))
		require.EqualError(t, err, "supportbee: Labels.List: GET /labels: "+want.Error()+": unexpected EOF: sending Bearer [redacted]")
	}
}

// A text is shortened after the token is removed: a part of it would not be found.
func TestShortenedTextsHaveNoPartOfTheToken(t *testing.T) {
	t.Parallel()
	const token = "s3cr3tTokenABCDEFGHIJ"
	for _, tt := range []struct{ contentType, body string }{
		{contentType: "text/html", body: "<title>%sBearer " + token + "</title>"},
		{contentType: "text/%s" + token, body: "no JSON"},
		{contentType: "application/json", body: `{"ticket":{"%s` + token + `":[}}`},
		{contentType: "application/json", body: `{"ticket":{"id":1,"%s` + token + `":1}}`},
	} {
		for before := range 140 {
			var pointers []string
			client, err := supportbee.New("acme", token, supportbee.WithoutRetry(),
				supportbee.WithObserver(supportbee.Observer{Drift: func(_ context.Context, d supportbee.Drift) { pointers = append(pointers, d.Pointer) }}),
				supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
					fill := func(text string) string { return strings.ReplaceAll(text, "%s", strings.Repeat("x", before)) }
					res := respond(req, http.StatusOK, fill(tt.body))
					res.Header.Set("Content-Type", fill(tt.contentType))
					return res, nil
				})))
			require.NoError(t, err)
			_, err = client.Tickets.Get(t.Context(), 1)
			text := fmt.Sprint(err, pointers)
			require.NotContains(t, text, "s3c", tt)
			err = client.Do(t.Context(), http.MethodGet, "/x", nil, new(struct{ Ticket []int }))
			require.NotContains(t, fmt.Sprint(err), "s3c", tt)
		}
	}
}

// Each attempt has the whole timeout, which includes the body of the response.
func TestTheTimeoutIsPerAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		start := time.Now()
		client := newClient(t, supportbee.WithTimeout(3*time.Second), supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: 1, MaxBackoff: 1}),
			supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				switch attempts++; attempts {
				case 1:
					<-req.Context().Done()
					return nil, req.Context().Err()
				case 2:
					res := respond(req, http.StatusOK, "")
					res.Body, res.ContentLength = io.NopCloser(stuck{req.Context()}), -1
					return res, nil
				}
				<-time.After(2 * time.Second)
				return respond(req, http.StatusOK, `{"labels":[]}`), nil
			})))
		_, err := client.Labels.List(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3, attempts)
		assert.Equal(t, 8*time.Second, time.Since(start).Truncate(time.Second), "3 s, 3 s and 2 s")
	})
}

// A file takes as long as it takes.
func TestTheTimeoutSparesFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTimeout(time.Second), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			select {
			case <-time.After(time.Hour):
				return respond(req, http.StatusOK, `{"id":1}`), nil
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
		})))
		_, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"), nil)
		require.NoError(t, err)
		require.NoError(t, client.Attachments.Download(t.Context(), supportbee.Attachment{URL: photo.URL}, io.Discard, nil))
		_, err = client.Labels.List(t.Context())
		require.ErrorContains(t, err, "no complete response within 1s")
	})
}

// stuck is a body that never comes.
type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestContextsEndCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := transportFunc(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		client := newClient(t, supportbee.WithTransport(hang))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := client.Labels.List(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = client.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("x")})
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "outcome unknown: the server may have processed the request: context canceled")

		start := time.Now()
		_, err = client.With(supportbee.WithoutRetry(), supportbee.WithTimeout(3*time.Second)).Labels.List(t.Context())
		require.ErrorContains(t, err, "no complete response within 3s")
		require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's context has not ended")
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

// flaky responds to requests in turn, each with a status, or with a failure for 0 and less.
type flaky struct {
	mu     sync.Mutex
	turns  []int
	header http.Header
	bodies []string
	times  []time.Duration
	start  time.Time
}

func (f *flaky) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	f.bodies, f.times = append(f.bodies, string(body)), append(f.times, time.Since(f.start))
	turn := f.turns[min(len(f.bodies), len(f.turns))-1]
	if turn == 0 {
		return nil, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
	}
	if turn < 0 {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	reply := `{"labels":[],"ticket":{"id":7},"reply":{"id":7},"label":{"id":7},"snippet":{"id":7}}`
	if turn/100 == 3 || turn == http.StatusNoContent {
		reply = ""
	}
	res := respond(req, turn, reply)
	if turn == http.StatusTooManyRequests || turn == http.StatusServiceUnavailable {
		maps.Copy(res.Header, f.header)
	}
	return res, nil
}

// Each class of operation is retried exactly where that is safe. After a DELETE whose response was
// lost, one read decides what 404 means.
func TestRetries(t *testing.T) {
	t.Parallel()
	type client = *supportbee.Client
	read := func(ctx context.Context, c client) error { _, err := c.Labels.List(ctx); return err }
	action := func(ctx context.Context, c client) error { return c.Tickets.Archive(ctx, 7) }
	label := func(ctx context.Context, c client) error { _, err := c.Labels.Add(ctx, 7, "x"); return err }
	put := func(ctx context.Context, c client) error {
		_, err := c.Snippets.Update(ctx, 7, supportbee.SnippetUpdateParams{Name: new("n")})
		return err
	}
	remove := func(ctx context.Context, c client) error { return c.Tickets.Delete(ctx, 7) }
	create := func(ctx context.Context, c client) error {
		_, err := c.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("x")})
		return err
	}
	unmark := func(ctx context.Context, c client) error { return c.Tickets.UnmarkSpam(ctx, 7) }
	unlabel := func(ctx context.Context, c client) error { return c.Labels.Remove(ctx, 7, "x") }
	undraft := func(ctx context.Context, c client) error { return c.Drafts.Delete(ctx, 7) }
	unsnippet := func(ctx context.Context, c client) error { return c.Snippets.Delete(ctx, 7) }
	do := func(ctx context.Context, c client) error {
		return c.Do(ctx, http.MethodPost, "/tickets/7/star", nil, nil)
	}
	const lost, unreachable = 0, -1
	for _, tt := range []struct {
		name     string
		call     func(context.Context, client) error
		turns    []int
		requests int
		want     error // nil for success
	}{
		{"read", read, []int{502, 503, 504, 200}, 4, nil},
		{"read", read, []int{lost, unreachable, 429, 200}, 4, nil},
		{"read", read, []int{500, 200}, 2, nil},
		{"read", read, []int{500, 502, 500, 200}, 3, supportbee.ErrServer},
		{"read", read, []int{502}, 4, supportbee.ErrServer},
		{"read", read, []int{404, 200}, 1, supportbee.ErrNotFound},
		{"read", read, []int{401, 200}, 1, supportbee.ErrAccessDenied},
		{"read", read, []int{408, 425, 520, 200}, 4, nil},
		{"read", read, []int{524, 529, 530, 200}, 4, nil},
		{"action", action, []int{lost, 502, 503, 204}, 4, nil},
		{"action", action, []int{429, 204}, 2, nil},
		{"action", action, []int{500, 204}, 1, supportbee.ErrServer},
		{"label", label, []int{lost, 503, 201}, 3, nil},
		{"put", put, []int{lost, 504, 200}, 3, nil},
		{"put", put, []int{500, 200}, 1, supportbee.ErrServer},
		{"delete", remove, []int{lost, 404}, 2, nil},
		{"delete", remove, []int{502, 404}, 2, nil},
		{"unmark", unmark, []int{502, 404, 200}, 3, nil},
		{"unmark", unmark, []int{502, 404, 404}, 3, supportbee.ErrNotFound},
		{"unmark", unmark, []int{502, 404, 401}, 3, supportbee.ErrNotFound},
		{"unmark", unmark, []int{404}, 1, supportbee.ErrNotFound},
		{"unlabel", unlabel, []int{lost, 404, 200}, 3, nil},
		{"unlabel", unlabel, []int{lost, 404, 404}, 3, supportbee.ErrNotFound},
		{"undraft", undraft, []int{lost, 404, 200}, 3, nil},
		{"undraft", undraft, []int{lost, 404, 404}, 3, supportbee.ErrNotFound},
		{"delete snippet", unsnippet, []int{lost, 404}, 2, nil},
		{"delete", remove, []int{503, 404}, 2, supportbee.ErrNotFound},
		{"delete", remove, []int{429, 404}, 2, supportbee.ErrNotFound},
		{"delete", remove, []int{404}, 1, supportbee.ErrNotFound},
		{"create", create, []int{429, unreachable, 201}, 3, nil},
		{"create", create, []int{lost, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{500, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{502, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{503, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{504, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{302, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{307, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{202, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"create", create, []int{400, 201}, 1, supportbee.ErrValidation},
		{"do", do, []int{lost, 201}, 1, supportbee.ErrOutcomeUnknown},
		{"do", do, []int{429, 201}, 2, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			fake := &flaky{turns: tt.turns, start: time.Now()}
			err := tt.call(t.Context(), newClient(t, supportbee.WithTransport(fake)))
			require.ErrorIs(t, err, tt.want, "%s %v", tt.name, tt.turns)
			assert.Len(t, fake.bodies, tt.requests, "%s %v", tt.name, tt.turns)
			for _, body := range fake.bodies {
				assert.Equal(t, fake.bodies[0], body, "each attempt sends the whole body")
			}
			if tt.name == "create" {
				assert.NotEmpty(t, fake.bodies[0])
			}
			if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
				assert.LessOrEqual(t, apiErr.Attempts, tt.requests)
				if tt.want != supportbee.ErrOutcomeUnknown { //nolint:errorlint // the sentinel itself
					require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
				}
			}
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value func() string
		want  time.Duration
	}{
		"seconds": {func() string { return "7" }, 7 * time.Second},
		"date":    {func() string { return time.Now().Add(7 * time.Second).UTC().Format(http.TimeFormat) }, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := &flaky{turns: []int{429, 200}, header: http.Header{"Retry-After": {tt.value()}}, start: time.Now()}
				client := newClient(t, supportbee.WithTransport(fake))
				_, err := client.Labels.List(t.Context())
				require.NoError(t, err)
				assert.InDelta(t, tt.want, fake.times[1], float64(time.Second))
			})
		})
	}
}

func TestAWaitPastTheDeadlineFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &flaky{turns: []int{429}, header: http.Header{"Retry-After": {"30"}}, start: time.Now()}
		client := newClient(t, supportbee.WithTransport(fake))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := client.Labels.List(ctx)
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		require.EqualError(t, err, "supportbee: Labels.List: GET /labels: 429 Too Many Requests (request the-request, retry after 30s)")
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, http.StatusTooManyRequests, apiErr.StatusCode)
		assert.Equal(t, 30*time.Second, apiErr.RetryAfter)
		assert.Zero(t, time.Since(fake.start))

		// Another call cannot wait so long either, and is not sent; not even by a copy.
		_, err = client.With(supportbee.WithoutRetry()).Labels.List(ctx)
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		require.ErrorAs(t, err, &apiErr)
		assert.Zero(t, apiErr.Attempts)
		assert.Equal(t, 30*time.Second, apiErr.RetryAfter)
		_, err = create(client.With(supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: time.Second})))
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		assert.Len(t, fake.bodies, 1)
	})
}

// A 429 pauses the client and its copies, except that of Tickets.Create, which has a limit of its
// own and pauses Tickets.Create only.
func TestA429PausesTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &flaky{turns: []int{429, 200}, header: http.Header{"Retry-After": {"10"}}, start: time.Now()}
		client := newClient(t, supportbee.WithTransport(fake))
		var all sync.WaitGroup
		all.Go(func() { _, err := create(client); assert.NoError(t, err) })
		synctest.Wait()
		all.Go(func() { _, err := create(client.With()); assert.NoError(t, err) })
		all.Go(func() { _, err := client.Labels.List(t.Context()); assert.NoError(t, err) })
		all.Wait()
		assert.Equal(t, []time.Duration{0, 0, 10 * time.Second, 10 * time.Second}, fake.times)
	})
	synctest.Test(t, func(t *testing.T) {
		fake := &flaky{turns: []int{429, 200}, header: http.Header{"Retry-After": {"10"}}, start: time.Now()}
		client := newClient(t, supportbee.WithTransport(fake))
		var all sync.WaitGroup
		all.Go(func() { _, err := client.Labels.List(t.Context()); assert.NoError(t, err) })
		synctest.Wait()
		for _, c := range []*supportbee.Client{client, client.With(supportbee.WithoutRetry())} {
			all.Go(func() { _, err := c.Labels.List(t.Context()); assert.NoError(t, err) })
		}
		all.Wait()
		assert.Equal(t, []time.Duration{0, 10 * time.Second, 10 * time.Second, 10 * time.Second}, fake.times)
	})
}

// A create whose response breaks off may have happened.
func TestABrokenResponseToACreate(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create"}, supportbeetest.DropBody())
	before := len(desk.Tickets())
	_, err := create(desk.Client())
	require.ErrorIs(t, err, supportbee.ErrMalformedResponse)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, http.StatusCreated, apiErr.StatusCode)
	assert.Len(t, desk.Tickets(), before+1)
	desk.AssertRequests(t, "Tickets.Create", 1)

	desk.Inject(supportbeetest.Match{Op: "Labels.List", Times: 1}, supportbeetest.DropBody())
	_, err = desk.Client().Labels.List(t.Context())
	require.NoError(t, err, "a read is retried")
}

func TestConnectionsThatWereNeverMade(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	client := newClient(t, supportbee.WithBaseURL(gone.URL), supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}))
	_, err := create(client)
	require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	var opErr *net.OpError
	require.ErrorAs(t, err, &opErr)
	assert.Equal(t, "dial", opErr.Op)
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Equal(t, 4, apiErr.Attempts)
	assert.ErrorContains(t, err, "(4 attempts)")
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	var mu sync.Mutex
	var got []string
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		mu.Unlock()
		switch r.URL.Path {
		case "/moved":
			_, _ = w.Write([]byte(`{}`))
		case "/here":
			http.Redirect(w, r, "/moved", http.StatusFound)
		case "/kept":
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			http.Redirect(w, r, other.URL+"/secret/path?token=x", http.StatusTemporaryRedirect)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	client := newClient(t, supportbee.WithBaseURL(server.URL))
	for _, tt := range []struct {
		method, path string
		in           any
		want         string // of the error
		got          []string
	}{
		{"GET", "/here", nil, "", []string{"GET /here Bearer the-token ", "GET /moved Bearer the-token "}},
		{"PUT", "/kept", 7, "", []string{"PUT /kept Bearer the-token 7", "PUT /moved Bearer the-token 7"}},
		{"PUT", "/here", 7, ": 302 Found: redirect to " + server.URL + " not followed: it changes the method", []string{"PUT /here Bearer the-token 7"}},
		{"POST", "/kept", 7, ": 307 Temporary Redirect: outcome unknown: the server may have processed the request: redirect to " + server.URL + " not followed: a create must not be sent twice", []string{"POST /kept Bearer the-token 7"}},
		{"POST", "/here", 7, ": 302 Found: outcome unknown: ", []string{"POST /here Bearer the-token 7"}},
		{"GET", "/away", nil, ": 307 Temporary Redirect: redirect to " + other.URL + " not followed: it leaves the scheme, host and port of the base URL", []string{"GET /away Bearer the-token "}},
		{"POST", "/away", 7, ": 307 Temporary Redirect: outcome unknown: the server may have processed the request: redirect to " + other.URL + " not followed", []string{"POST /away Bearer the-token 7"}},
	} {
		got = nil
		err := client.Do(t.Context(), tt.method, tt.path, tt.in, nil)
		if tt.want == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "secret")
		}
		assert.Equal(t, tt.got, got)
	}
	got = nil
	require.ErrorContains(t, client.Do(t.Context(), http.MethodGet, "/loop", nil, nil), ": 302 Found")
	assert.Len(t, got, 10)
	assert.Zero(t, elsewhere.Load(), "nothing went to the other origin")
}

// The token is sent to its scheme, host and port only, whatever a response says.
func TestTheTokenStaysAtItsOrigin(t *testing.T) {
	t.Parallel()
	for _, to := range []string{
		"https://evil.example/x", "https://acme.supportbee.com:8443/x", "https://files.acme.supportbee.com/x", "https://supportbee.com/x",
		"https://acme.supportbee.com.evil.example/x", "//evil.example/x", "http://localhost/x", "http://acme.supportbee.com:443/x", "https://ACME.supportbee.com:443/x",
	} {
		same := strings.HasPrefix(to, "https://ACME")
		var asked []string
		client := newClient(t, supportbee.WithInsecureHTTP(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			asked = append(asked, req.URL.String())
			if len(asked) == 1 {
				assert.Equal(t, "Bearer the-token", req.Header.Get("Authorization"))
				res := respond(req, http.StatusTemporaryRedirect, "")
				res.Header.Set("Location", to)
				return res, nil
			}
			assert.Equal(t, same, req.Header.Get("Authorization") != "", to)
			return respond(req, http.StatusOK, `{"labels":[]}`), nil
		})))
		_, err := client.Labels.List(t.Context())
		if same {
			require.NoError(t, err)
			assert.Len(t, asked, 2)
		} else {
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr, to)
			assert.Equal(t, http.StatusTemporaryRedirect, apiErr.StatusCode)
			assert.Len(t, asked, 1, to)
		}
		asked = nil
		require.NoError(t, client.Attachments.Download(t.Context(), supportbee.Attachment{URL: photo.URL}, io.Discard, nil), "a download goes there, without the token")
		assert.Len(t, asked, 2)
	}

	// From http to https is another origin.
	var asked []string
	client := newClient(t, supportbee.WithBaseURL("http://localhost"), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		asked = append(asked, req.URL.Scheme+" "+req.Header.Get("Authorization"))
		if len(asked) == 1 {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", "https://localhost/x")
			return res, nil
		}
		return respond(req, http.StatusOK, ""), nil
	})))
	file := supportbee.Attachment{URL: supportbee.AttachmentURL{Original: "/x"}}
	require.NoError(t, client.Attachments.Download(t.Context(), file, io.Discard, nil))
	assert.Equal(t, []string{"http Bearer the-token", "https "}, asked)
}

func TestDo(t *testing.T) {
	t.Parallel()
	var out struct {
		Star struct{ ID int64 }
	}
	client := newScript(t,
		exchange{method: "POST", uri: "/tickets/7/star?x=%2F&y", body: `{"a":1}`, status: 201, reply: `{"Star":{"ID":9}}`},
		exchange{method: "PUT", uri: "/tickets/7/requester", status: 200},
		exchange{method: "GET", uri: "/tickets/7", status: 200, reply: "ticket.json"},
		exchange{method: "GET", uri: "/x", status: 200, reply: `{"Star":7}`},
		exchange{method: "PUT", uri: "/x", body: `{"content":{"text":"Hello"}}`, status: 200},
		exchange{method: "PUT", uri: "/x", body: `{"content":{"text":"Hello"}}`, status: 200},
		exchange{method: "PUT", uri: "/x", body: `{"content":{"text":"Hello"}}`, status: 200},
		exchange{method: "PUT", uri: "/x", body: "null", status: 200},
		exchange{method: "PUT", uri: "/x", body: "null", status: 200},
		exchange{method: "PATCH", uri: "/x", body: "[7]", status: 200},
		exchange{method: "DELETE", uri: "/x", body: "[7]", status: 204},
	)
	require.NoError(t, client.Do(t.Context(), http.MethodPost, "/tickets/7/star?x=%2F&y", map[string]int{"a": 1}, &out))
	assert.EqualValues(t, 9, out.Star.ID)
	require.NoError(t, client.Do(t.Context(), http.MethodPut, "/tickets/7/requester", nil, &out))
	assert.EqualValues(t, 9, out.Star.ID, "an empty response changes nothing")
	var ticket struct {
		Ticket *supportbee.Ticket `json:"ticket"`
	}
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/tickets/7", nil, &ticket))
	assert.Equal(t, &theTicket, ticket.Ticket)
	require.ErrorIs(t, client.Do(t.Context(), http.MethodGet, "/x", nil, &out), supportbee.ErrMalformedResponse)
	for _, body := range []any{supportbee.ReplyParams{Content: supportbee.Text("Hello")}, &supportbee.ReplyParams{Content: supportbee.Text("Hello")}, &supportbee.CommentParams{Content: supportbee.Text("Hello")}} {
		require.NoError(t, client.Do(t.Context(), http.MethodPut, "/x", body, nil))
	}
	for _, body := range []any{(*supportbee.ReplyParams)(nil), (*supportbee.CommentParams)(nil)} {
		require.NoError(t, client.Do(t.Context(), http.MethodPut, "/x", body, nil))
	}
	require.NoError(t, client.Do(t.Context(), http.MethodPatch, "/x", []int{7}, nil))
	require.NoError(t, client.Do(t.Context(), http.MethodDelete, "/x", []int{7}, nil))

	for _, tt := range []struct{ method, path, want string }{
		{"GET", "", `path must begin with one "/"`},
		{"GET", "tickets", `path must begin with one "/"`},
		{"GET", "//evil.example/x", `path must begin with one "/"`},
		{"GET", "https://evil.example/x", `path must begin with one "/"`},
		{"GET", "/x#y", `path must begin with one "/"`},
		{"GET", "/%zz", `path must begin with one "/"`},
		{"GET", "/a/../b", `path must not have "." or ".." segments`},
		{"GET", "/a/%2e%2e", `path must not have "." or ".." segments`},
		{"GET", "/.", `path must not have "." or ".." segments`},
		{"get", "/x", `method must be an HTTP method, got "get"`},
		{"", "/x", `method must be an HTTP method, got ""`},
		{"GET X", "/x", `method must be an HTTP method, got "GET X"`},
	} {
		err := offline(t, "x").Do(t.Context(), tt.method, tt.path, nil, nil)
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument, tt.path)
		require.ErrorContains(t, err, "supportbee: Do: invalid argument: "+tt.want)
	}
	err := offline(t, "x").Do(t.Context(), http.MethodPost, "/x", func() {}, nil)
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	require.ErrorContains(t, err, "in cannot be written as JSON")
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		err = offline(t, "x").Do(t.Context(), method, "/x", 7, nil)
		require.EqualError(t, err, "supportbee: Do: invalid argument: in must be nil with "+method+", which has no body")
	}
	var none *int
	for out, want := range map[any]string{none: "*int", 7: "int", struct{}{}: "struct {}"} {
		err = offline(t, "x").Do(t.Context(), http.MethodPost, "/x", nil, out)
		require.EqualError(t, err, "supportbee: Do: invalid argument: out must be a pointer that is not nil, got "+want)
	}
}
