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
	"net/url"
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
		{company: "", want: "company is required"},
		{company: "acme.example", want: `company must be the first label of a {company}.supportbee.com host name, got "acme.example"`},
		{company: "-acme", want: `got "-acme"`},
		{company: "acme-", want: `got "acme-"`},
		{company: "acmé", want: `got "acmé"`},
		{company: "evil.example/x?", want: "must be the first label"},
		{company: strings.Repeat("a", 64), want: "must be the first label"},
		{company: "acme", token: "to ken", want: "token must not have white space or characters other than ASCII"},
		{company: "acme", token: "token\n", want: "token must not have white space"},
		{company: "acme", token: "tökén", want: "token must not have white space"},
		{opts: base("https://proxy.example:8443/desk/"), url: "https://proxy.example:8443/desk"},
		{opts: base("http://127.0.0.1:1"), url: "http://127.0.0.1:1"},
		{opts: base("http://[::1]:1"), url: "http://[::1]:1"},
		{opts: base("http://localhost"), url: "http://localhost"},
		{opts: base("http://desk.localhost"), url: "http://desk.localhost"},
		{opts: base("http://acme.example"), want: "base URL must be secure: plain HTTP is allowed for loopback addresses only: use https, or WithInsecureHTTP"},
		{opts: base("http://localhost.evil.example"), want: "plain HTTP is allowed for loopback"},
		{opts: append(base("http://acme.example"), supportbee.WithInsecureHTTP()), url: "http://acme.example"},
		{opts: base("ftp://acme.example"), want: `the scheme must be https or http, got "ftp"`},
		{opts: base("acme.example"), want: "base URL must have a scheme and a host"},
		{opts: base("https://user:pass@acme.example"), want: "base URL must not have a user, a query or a fragment"},
		{opts: base("https://acme.example?x"), want: "base URL must not have"},
		{opts: base("https://acme.example#x"), want: "base URL must not have"},
		{opts: base("https://acme.example:x:pass"), want: "base URL cannot be parsed"},
		{opts: base("https://acme.example?"), url: "https://acme.example"},
		{company: "acme", url: "https://acme.supportbee.com", opts: []supportbee.Option{
			nil, supportbee.WithHTTPClient(nil), supportbee.WithTransport(nil), supportbee.WithLimiter(nil), supportbee.WithLogger(nil), supportbee.WithObserver(supportbee.Observer{}),
		}},
		{company: "acme", opts: []supportbee.Option{supportbee.WithToken("a b")}, want: "token must not have"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("authorization", "x")}, want: "header Authorization is set by the client"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("Host", "x")}, want: "header Host is set by the client"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("content-length", "x")}, want: "header Content-Length is set by the client"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("a b", "x")}, want: `header name must be a token as of RFC 9110, got "a b"`},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("", "x")}, want: "header name must be"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithHeader("X-A", "x\r\nAuthorization: y")}, want: "header X-A must not have control characters"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithTimeout(-1)}, want: "timeout must not be negative"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithRetry(supportbee.RetryPolicy{MaxWait: -1})}, want: "retry policy must not have negative fields"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithUserAgent("a\r\nb")}, want: "user agent must be printable ASCII"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithMaxResponseSize(0)}, want: "maximum response size must be positive"},
		{company: "acme", opts: []supportbee.Option{supportbee.WithPrefetch(17)}, want: "prefetch must be between 0 and 16, got 17"},
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
		assert.Equal(t, tt.url, client.String())
		assert.Equal(t, slog.StringValue(tt.url), client.LogValue())
	}
}

func base(url string) []supportbee.Option { return []supportbee.Option{supportbee.WithBaseURL(url)} }

func TestFromEnv(t *testing.T) { //nolint:paralleltest // it sets the environment
	for _, tt := range []struct{ company, token, base, insecure, want string }{
		{want: "supportbee: FromEnv: invalid argument: SUPPORTBEE_TOKEN is not set: token required"},
		{token: "x", want: "supportbee: FromEnv: invalid argument: SUPPORTBEE_COMPANY is not set"},
		{company: "a b", token: "x", want: `supportbee: New: invalid argument: company must be the first label of a {company}.supportbee.com host name, got "a b"`},
		{company: "acme", token: "x", want: "https://acme.supportbee.com"},
		{token: "x", base: "http://127.0.0.1:1", want: "http://127.0.0.1:1"},
		{company: "acme", token: "x", base: "https://proxy.example", want: "https://proxy.example"},
		{token: "x", base: "http://desk:8080", want: "supportbee: New: invalid argument: base URL must be secure: plain HTTP is allowed for loopback addresses only: use https, or WithInsecureHTTP"},
		{token: "x", base: "http://desk:8080", insecure: "false", want: "supportbee: New: invalid argument: base URL must be secure: plain HTTP is allowed for loopback addresses only: use https, or WithInsecureHTTP"},
		{token: "x", base: "http://desk:8080", insecure: "true", want: "http://desk:8080"},
		{token: "x", base: "http://desk:8080", insecure: "maybe", want: `supportbee: FromEnv: invalid argument: SUPPORTBEE_INSECURE_HTTP must be true or false, got "maybe"`},
	} {
		t.Setenv("SUPPORTBEE_INSECURE_HTTP", tt.insecure)
		t.Setenv("SUPPORTBEE_COMPANY", tt.company)
		t.Setenv("SUPPORTBEE_TOKEN", tt.token)
		t.Setenv("SUPPORTBEE_BASE_URL", tt.base)
		client, err := supportbee.FromEnv()
		if strings.HasPrefix(tt.want, "supportbee:") {
			require.EqualError(t, err, tt.want)
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
			assert.Equal(t, tt.token == "", errors.Is(err, supportbee.ErrTokenRequired))
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
		require.Equal(t, err, again, "it is still rejected, for the first reason")
	}
	assert.Len(t, agents, 4)
}

// An observer of one copy is not called by another.
func TestCopiesDoNotShareObservers(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	observe := func(name string) supportbee.Option {
		return supportbee.WithObserver(supportbee.Observer{Attempt: func(context.Context, supportbee.Attempt) { seen[name]++ }})
	}
	root := always(t, http.StatusOK, `{"labels":[]}`, observe("a"), observe("b"), observe("c"))
	left, right := root.With(observe("left")), root.With(observe("right"))
	for _, client := range []*supportbee.Client{left.With(), right, root} {
		_, err := client.Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, map[string]int{"a": 3, "b": 3, "c": 3, "left": 1, "right": 1}, seen)
}

// Another origin has rate limits of its own; the same one under another path does not.
func TestAnotherOriginIsNotPaused(t *testing.T) {
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

// A session cookie is a secret.
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
	file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"), nil)
	require.NoError(t, err)
	require.NoError(t, client.Attachments.Download(t.Context(), *file, new(bytes.Buffer), nil))
	for range 3 {
		_, err = client.Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.Nil(t, given.Transport)
	assert.Equal(t, time.Minute, given.Timeout)
	assert.Same(t, jar, given.Jar)
	assert.Equal(t, reflect.ValueOf(redirected).Pointer(), reflect.ValueOf(given.CheckRedirect).Pointer())
	for _, request := range desk.Requests() {
		assert.Empty(t, request.Header.Values("Cookie"), "the session cookie was sent")
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
				c = client.With(supportbee.WithUserAgent(fmt.Sprint("bot/", i)), supportbee.WithObserver(supportbee.Observer{Attempt: func(context.Context, supportbee.Attempt) {}}))
			}
			ticket, err := c.Tickets.Create(t.Context(), supportbee.TicketParams{Subject: fmt.Sprint(i), RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
			if !assert.NoError(t, err) {
				return
			}
			got, err := c.Tickets.Get(t.Context(), ticket.ID)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprint(i), got.Subject)
			for _, err := range c.Tickets.All(t.Context(), &supportbee.TicketListOptions{PerPage: 5}) {
				if !errors.Is(err, supportbee.ErrIncomplete) { // others create tickets meanwhile
					assert.NoError(t, err)
				}
			}
			_, err = c.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"), nil)
			assert.NoError(t, err)
		})
	}
	all.Wait()
}

// The token is in no value, error or log, whatever the server repeats of it.
func TestTheTokenIsSecret(t *testing.T) {
	t.Parallel()
	const token = "s3cr3t-t0k3n"
	var logs bytes.Buffer
	var attempts []any
	logger := slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var response func(*http.Request) (*http.Response, error)
	client, err := supportbee.New("acme", token, supportbee.WithoutRetry(), supportbee.WithLogger(logger),
		supportbee.WithObserver(supportbee.Observer{
			Start: func(ctx context.Context, op supportbee.Operation) context.Context {
				attempts = append(attempts, op)
				return ctx
			},
			Attempt: func(_ context.Context, attempt supportbee.Attempt) { attempts = append(attempts, attempt) },
			End: func(_ context.Context, _ supportbee.Operation, response supportbee.Response, err error) {
				attempts = append(attempts, response, err)
			},
			Drift: func(_ context.Context, drift supportbee.Drift) { attempts = append(attempts, drift) },
		}),
		supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) { return response(req) })))
	require.NoError(t, err)
	var values []any
	values = append(values, client, *client, client.Tickets, client.With(), []any{client}, struct{ c *supportbee.Client }{client}) //nolint:govet // copying is the point

	for _, response = range []func(*http.Request) (*http.Response, error){
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
			return respond(req, http.StatusOK, `{"`+req.Header.Get("Authorization")+`":1,"labels":{"`+req.Header.Get("Authorization")+`"`), nil
		},
		func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", "https://"+token+".example/"+token)
			res.Header.Set("X-Request-Id", token)
			res.Header["X-"+token] = []string{"a", token}
			return res, nil
		},
		func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", "https://x.example/%zz"+token)
			return res, nil
		},
		func(req *http.Request) (*http.Response, error) {
			escaped := strings.ReplaceAll(strings.ReplaceAll(token, "-", `\u002d`), "t", `\u0074`)
			return respond(req, http.StatusBadRequest, `{"error":"what is `+escaped+`?"}`), nil
		},
		func(req *http.Request) (*http.Response, error) {
			return respond(req, http.StatusBadRequest, strings.Repeat(" ", 64<<10-6)+token), nil
		},
		func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("%+v: %w", req.Header, &url.Error{Op: "Get", URL: "https://x.example?" + token, Err: errors.New(token)})
		},
	} {
		_, err := client.Labels.List(t.Context())
		require.Error(t, err)
		values = append(values, err)
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		values = append(values, *apiErr, string(apiErr.Body), apiErr.Err, errors.Unwrap(err))
	}
	values = append(values, attempts)
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			shown := fmt.Sprintf(verb, value)
			assert.NotContains(t, shown, token)
			assert.NotContains(t, shown, token[:6], "nor its beginning")
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
	_, err = create(anonymous)
	require.NoError(t, err)
	assert.Empty(t, desk.Requests("Tickets.Create")[0].Header.Get("Authorization"))

	_, err = client.With(supportbee.WithToken("to\nken")).Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	require.ErrorContains(t, err, "token must not have white space")
	assert.Len(t, desk.Requests(), 1)
}

// What is not made by New, or is nil, is an error of the calls and not a panic.
func TestNilAndZeroValues(t *testing.T) {
	t.Parallel()
	rejected := func(op string) error {
		return &supportbee.ArgumentError{Op: op, Field: "client", Reason: "must be made by New"}
	}
	for _, client := range []*supportbee.Client{nil, {}} {
		client.CloseIdleConnections()
		derived := client.With(supportbee.WithBaseURL("http://127.0.0.1:1"), supportbee.WithToken("x"))
		derived.CloseIdleConnections()
		_, err := derived.Tickets.Get(t.Context(), 7)
		assert.Equal(t, rejected("With"), err)
		_, err = derived.Replies.CreateOnce(t.Context(), 7, supportbee.ReplyParams{Content: supportbee.Text("Hello")}, nil)
		assert.Equal(t, rejected("With"), err)
		assert.Equal(t, rejected("Do"), client.Do(t.Context(), http.MethodGet, "/x", nil, nil))
	}
	_, err := supportbee.Collect(new(supportbee.TicketsService).All(t.Context(), nil))
	assert.Equal(t, rejected("Tickets.List"), err)
	_, err = supportbee.Collect(new(supportbee.TicketsService).SearchAll(t.Context(), "kettle", nil))
	assert.Equal(t, rejected("Tickets.Search"), err)

	var event *supportbee.Webhook
	assert.Empty(t, event.Key())
	assert.Nil(t, event.Unescaped())
	var with struct{ Event supportbee.Webhook }
	require.NoError(t, json.Unmarshal([]byte(`{"Event":null}`), &with))
	assert.Empty(t, with)
	var handler *supportbee.WebhookHandler
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
}
