package supportbee_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"reflect"
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

func TestNewChecksItsArguments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		company, token string
		opts           []supportbee.Option
		want           string // of the error; empty for none
		url            string // of the client
	}{
		{company: "acme", url: "https://acme.supportbee.com"},
		{company: "ACME-2", url: "https://acme-2.supportbee.com"},
		{company: "", want: "company is missing"},
		{company: "acme.example", want: `company "acme.example" is not the first part of a {company}.supportbee.com host name`},
		{company: "-acme", want: `company "-acme" is not`},
		{company: "acme-", want: `company "acme-" is not`},
		{company: "acmé", want: `company "acmé" is not`},
		{company: "evil.example/x?", want: "is not the first part"},
		{company: strings.Repeat("a", 64), want: "is not the first part"},
		{company: "acme", token: "to ken", want: "token has white space or characters that no token has"},
		{company: "acme", token: "token\n", want: "token has white space"},
		{company: "acme", token: "tökén", want: "token has white space"},
		{opts: base("https://proxy.example:8443/desk/"), url: "https://proxy.example:8443/desk"},
		{opts: base("http://127.0.0.1:1"), url: "http://127.0.0.1:1"},
		{opts: base("http://[::1]:1"), url: "http://[::1]:1"},
		{opts: base("http://localhost"), url: "http://localhost"},
		{opts: base("http://desk.localhost"), url: "http://desk.localhost"},
		{opts: base("http://acme.example"), want: "base URL is refused: plain http is for loopback addresses only: use https, or allow it with WithInsecureHTTP"},
		{opts: base("http://localhost.evil.example"), want: "plain http is for loopback"},
		{opts: append(base("http://acme.example"), supportbee.WithInsecureHTTP()), url: "http://acme.example"},
		{opts: base("ftp://acme.example"), want: `scheme "ftp" is neither https nor http`},
		{opts: base("acme.example"), want: "base URL needs a scheme and a host"},
		{opts: base("https://user:pass@acme.example"), want: "base URL must not hold a user, a query or a fragment"},
		{opts: base("https://acme.example?x"), want: "base URL must not hold"},
		{opts: base("https://acme.example#x"), want: "base URL must not hold"},
		{opts: base("https://acme.example:x:pass"), want: "base URL cannot be parsed"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHTTPClient(nil)}, want: "HTTP client is nil"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithTransport(nil)}, want: "transport is nil"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithTimeout(-1)}, want: "timeout must not be negative"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: -1})}, want: "retry policy must not hold negative values"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithObserver(nil)}, want: "observer is nil"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithUserAgent("a\r\nb")}, want: "user agent must be printable ASCII"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithMaxResponseSize(0)}, want: "maximum response size must be positive"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithPrefetch(17)}, want: "prefetch must be 0 to 16, got 17"},
	} {
		client, err := supportbee.New(tt.company, tt.token, tt.opts...)
		if tt.want != "" {
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument, tt.want)
			require.ErrorContains(t, err, "supportbee: New: invalid argument: ")
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "pass@")
			assert.Nil(t, client)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, "supportbee.Client("+tt.url+")", client.String())
	}
}

func base(url string) []supportbee.Option { return []supportbee.Option{supportbee.WithBaseURL(url)} }

func TestFromEnv(t *testing.T) { //nolint:paralleltest // it sets the environment
	for _, tt := range []struct{ company, token, base, want string }{
		{"", "", "", "supportbee: FromEnv: an API token is required: set SUPPORTBEE_TOKEN"},
		{"", "x", "", "supportbee: FromEnv: invalid argument: SUPPORTBEE_COMPANY is not set"},
		{"a b", "x", "", `supportbee: New: invalid argument: company "a b" is not the first part of a {company}.supportbee.com host name`},
		{"acme", "x", "", "https://acme.supportbee.com"},
		{"", "x", "http://127.0.0.1:1", "http://127.0.0.1:1"},
		{"acme", "x", "https://proxy.example", "https://proxy.example"},
	} {
		t.Setenv("SUPPORTBEE_COMPANY", tt.company)
		t.Setenv("SUPPORTBEE_TOKEN", tt.token)
		t.Setenv("SUPPORTBEE_BASE_URL", tt.base)
		client, err := supportbee.FromEnv()
		if strings.HasPrefix(tt.want, "supportbee:") {
			require.EqualError(t, err, tt.want)
			continue
		}
		require.NoError(t, err)
		assert.Contains(t, client.String(), tt.want)
	}
}

func TestWithMakesCopies(t *testing.T) {
	t.Parallel()
	var agents []string
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		agents = append(agents, req.Header.Get("User-Agent"))
		return respond(req, http.StatusOK, `{"labels":[]}`), nil
	})))
	copied := client.With(supportbee.WithUserAgent("bot/2"))
	for _, c := range []*supportbee.Client{client, copied, copied.With(), client} {
		_, err := c.Labels.List(t.Context())
		require.NoError(t, err)
	}
	sdk := "supportbee-go/" + supportbee.Version
	assert.Equal(t, []string{sdk, "bot/2 " + sdk, "bot/2 " + sdk, sdk}, agents)

	broken := client.With(supportbee.WithTimeout(-1))
	_, err := broken.Labels.List(t.Context())
	require.EqualError(t, err, "supportbee: With: invalid argument: timeout must not be negative, got -1ns")
	for _, option := range []supportbee.Option{supportbee.WithTimeout(1), supportbee.WithPrefetch(-1)} {
		_, again := broken.With(option).Labels.List(t.Context())
		require.Equal(t, err, again, "it stays refused, for the first reason")
	}
	assert.Len(t, agents, 4)
}

// What one copy adds, another does not see.
func TestCopiesDoNotShareObservers(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	observe := func(name string) supportbee.Option {
		return supportbee.WithObserver(func(supportbee.Exchange) { seen[name]++ })
	}
	root := always(t, http.StatusOK, `{"labels":[]}`, observe("a"), observe("b"), observe("c"))
	left, right := root.With(observe("left")), root.With(observe("right"))
	for _, client := range []*supportbee.Client{left.With(), right, root} {
		_, err := client.Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, map[string]int{"a": 3, "b": 3, "c": 3, "left": 1, "right": 1}, seen)
}

// Another origin has limits of its own; the same one under another path does not.
func TestAnotherOriginIsNotHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host == "other.example" {
				return respond(req, http.StatusOK, `{"labels":[]}`), nil
			}
			res := respond(req, http.StatusTooManyRequests, "")
			res.Header.Set("Retry-After", "30")
			return res, nil
		})))
		start := time.Now()
		_, err := client.Labels.List(t.Context())
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		_, err = client.With(supportbee.WithBaseURL("https://other.example")).Labels.List(t.Context())
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))
		_, err = client.With(supportbee.WithBaseURL("https://acme.supportbee.com/proxy")).Labels.List(t.Context())
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

// A session cookie is a secret, too.
func TestErrorsKeepNoCookies(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	_, err := desk.Client().Tickets.Get(t.Context(), 7)
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.NotEmpty(t, apiErr.Header.Get("X-Request-Id"))
	assert.Empty(t, apiErr.Header.Values("Set-Cookie"))
}

func TestWithSharesConnections(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"labels":[]}`) }))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := newClient(t, supportbee.WithBaseURL(server.URL))
	for range 20 {
		_, err := client.With(supportbee.WithoutRetry()).Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.EqualValues(t, 1, connections.Load())
	client.CloseIdleConnections()
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, connections.Load())
}

func TestTheCallersHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	redirected := func(*http.Request, []*http.Request) error {
		t.Error("the caller's redirect policy was asked")
		return nil
	}
	given := &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: redirected}
	client, err := supportbee.New("acme", desk.Token, supportbee.WithBaseURL(desk.URL), supportbee.WithHTTPClient(given))
	require.NoError(t, err)
	file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, client.Attachments.Download(t.Context(), *file, new(bytes.Buffer)))
	for range 3 {
		_, err = client.Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.Nil(t, given.Transport)
	assert.Equal(t, time.Minute, given.Timeout)
	assert.Same(t, jar, given.Jar)
	assert.Equal(t, reflect.ValueOf(redirected).Pointer(), reflect.ValueOf(given.CheckRedirect).Pointer())
	for _, request := range desk.Requests() {
		assert.Empty(t, request.Header.Values("Cookie"), "the session cookie came back")
	}
}

// The timeout of the caller's http.Client is over all attempts and the waits between them.
func TestTheCallersTimeoutBoundsTheWholeCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &flaky{turns: []int{503}, header: http.Header{"Retry-After": {"4"}}, start: time.Now()}
		client := newClient(t, supportbee.WithHTTPClient(&http.Client{Timeout: 10 * time.Second, Transport: fake}))
		_, err := client.Labels.List(t.Context())
		require.Error(t, err)
		assert.Equal(t, []time.Duration{0, 4 * time.Second, 8 * time.Second}, fake.times)
		assert.LessOrEqual(t, time.Since(fake.start), 10*time.Second)
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client()
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			c := client
			if i%2 == 0 {
				c = client.With(supportbee.WithUserAgent(fmt.Sprint("bot/", i)), supportbee.WithObserver(func(supportbee.Exchange) {}))
			}
			ticket, err := c.Tickets.Create(t.Context(), supportbee.TicketParams{Subject: fmt.Sprint(i), RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
			if !assert.NoError(t, err) {
				return
			}
			got, err := c.Tickets.Get(t.Context(), ticket.ID)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i), got.Subject)
			for _, err := range c.Tickets.All(t.Context(), supportbee.TicketListOptions{PerPage: 5}) {
				assert.NoError(t, err)
			}
			_, err = c.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"))
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

// The token shows nowhere: not in values, not in errors, not in logs.
func TestTheTokenIsSecret(t *testing.T) {
	t.Parallel()
	const token = "s3cr3t-t0k3n"
	var logs bytes.Buffer
	var exchanges []supportbee.Exchange
	logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var answer func(*http.Request) (*http.Response, error)
	client, err := supportbee.New("acme", token, supportbee.WithoutRetry(), supportbee.WithLogger(logger),
		supportbee.WithObserver(func(e supportbee.Exchange) { exchanges = append(exchanges, e) }),
		supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) { return answer(req) })))
	require.NoError(t, err)
	var values []any
	values = append(values, client, *client, client.Tickets, client.With(), []any{client}, struct{ c *supportbee.Client }{client}) //nolint:govet // copying is the point

	for _, answer = range []func(*http.Request) (*http.Response, error){
		func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy says no to %q", req.Header.Get("Authorization"))
		},
		func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%w: %s", context.Canceled, req.Header.Get("Authorization"))
		},
		func(req *http.Request) (*http.Response, error) {
			return respond(req, http.StatusBadRequest, `{"error":"what is `+req.Header.Get("Authorization")+`?"}`), nil
		},
		func(req *http.Request) (*http.Response, error) {
			return respond(req, http.StatusOK, `{"labels":"`+req.Header.Get("Authorization")+`"}`), nil
		},
		func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", "https://"+token+".example/"+token)
			res.Header.Set("X-Request-Id", token)
			return res, nil
		},
	} {
		_, err := client.Labels.List(t.Context())
		require.Error(t, err)
		values = append(values, err)
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		values = append(values, *apiErr, string(apiErr.Body), apiErr.Err, errors.Unwrap(err))
	}
	values = append(values, exchanges)
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			assert.NotContains(t, fmt.Sprintf(verb, value), token)
		}
		encoded, _ := json.Marshal(value)
		assert.NotContains(t, string(encoded), token)
		logger.Info("value", "value", value)
	}
	assert.NotContains(t, logs.String(), token)
	assert.False(t, assert.ObjectsAreEqual(client, client.With()), "and what tests print when they differ")
	diff := &recordingT{}
	assert.Equal(diff, client, client.With())
	assert.NotEmpty(t, diff.text)
	assert.NotContains(t, diff.text, token)
}

// recordingT keeps what assertions print.
type recordingT struct{ text string }

func (r *recordingT) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }

func TestLogsAndObserversSeeEveryAttempt(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	var logs bytes.Buffer
	var exchanges []supportbee.Exchange
	client := desk.Client(
		supportbee.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		supportbee.WithObserver(func(e supportbee.Exchange) { exchanges = append(exchanges, e) }),
		supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}),
	)
	desk.Inject(supportbeetest.Match{Op: "Tickets.List", Times: 1}, supportbeetest.Status(http.StatusBadGateway))
	_, err := client.Tickets.List(t.Context(), supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}, Label: "hush"})
	require.NoError(t, err)
	_, err = client.Tickets.Get(t.Context(), 7)
	require.Error(t, err)
	_, err = open(client)
	require.NoError(t, err)

	for i := range exchanges {
		assert.Positive(t, exchanges[i].Duration)
		assert.Equal(t, i != 0, exchanges[i].RequestID != "", "the gateway sends none")
		exchanges[i].Duration, exchanges[i].RequestID = 0, ""
	}
	assert.Equal(t, []supportbee.Exchange{
		{Op: "Tickets.List", Method: "GET", Route: "/tickets", StatusCode: 502, Attempt: 1},
		{Op: "Tickets.List", Method: "GET", Route: "/tickets", StatusCode: 200, Attempt: 2},
		{Op: "Tickets.Get", Method: "GET", Route: "/tickets/{id}", StatusCode: 404, Attempt: 1},
		{Op: "Tickets.Create", Method: "POST", Route: "/tickets", StatusCode: 201, Attempt: 1},
	}, exchanges)
	var levels []string
	for line := range strings.Lines(logs.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		levels = append(levels, fmt.Sprint(record["level"], " ", record["op"], " ", record["status"], " ", record["attempt"]))
	}
	assert.Equal(t, []string{"WARN Tickets.List 502 1", "DEBUG Tickets.List 200 2", "INFO Tickets.Get 404 1", "DEBUG Tickets.Create 201 1"}, levels)
	for _, private := range []string{"ann@example.com", "hush", "a@b.c", "/tickets/7"} {
		assert.NotContains(t, logs.String(), private)
	}
}

// limiterFunc is a [supportbee.Limiter].
type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestTheLimiterIsAskedBeforeEveryAttempt(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Times: 2}, supportbeetest.Status(http.StatusBadGateway))
	asked := 0
	client := desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}), supportbee.WithLimiter(limiterFunc(func(context.Context) error { asked++; return nil })))
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, asked)

	full := errors.New("the budget is used up")
	desk.ClearHistory()
	_, err = open(client.With(supportbee.WithLimiter(limiterFunc(func(context.Context) error { return full }))))
	require.ErrorIs(t, err, full)
	require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	assert.Empty(t, desk.Requests())
}

func TestWithTokenReplacesTheToken(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	agent := desk.AddToken(desk.User(supportbeetest.AgentEmail).ID)
	client := desk.Client(supportbee.WithToken(agent))
	require.ErrorIs(t, client.Tickets.Delete(t.Context(), desk.Tickets()[8].ID), supportbee.ErrAccessDenied)
	require.NoError(t, client.With(supportbee.WithToken(desk.Token)).Tickets.Delete(t.Context(), desk.Tickets()[8].ID))

	desk.ClearHistory()
	anonymous := client.With(supportbee.WithToken(""))
	_, err := anonymous.Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrTokenRequired)
	_, err = open(anonymous)
	require.NoError(t, err)
	assert.Empty(t, desk.Requests("Tickets.Create")[0].Header.Get("Authorization"))

	_, err = client.With(supportbee.WithToken("to\nken")).Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	require.ErrorContains(t, err, "token has white space or characters that no token has")
	assert.Len(t, desk.Requests(), 1)
}
