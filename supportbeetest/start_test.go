package supportbeetest_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestStartChecksItsOptions(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	for want, opts := range map[string][]supportbeetest.Option{
		"a desk in memory cannot have a listener":                                        {supportbeetest.InMemory(), supportbeetest.WithListener(listener)},
		"creating tickets cannot be limited to 0 in 1m0s":                                {supportbeetest.WithCreateLimit(0, time.Minute)},
		"the history cannot be limited to -1 bytes":                                      {supportbeetest.WithHistoryLimit(-1)},
		"the token has white space or characters that no token has":                      {supportbeetest.WithToken("to ken")},
		"the status for an invalid token must be 401 or 403, got 404":                    {supportbeetest.WithDeniedStatus(404)},
		`unknown dialect "klingon"`:                                                      {supportbeetest.WithDialect("klingon")},
		`unknown form "soon" of the Retry-After header`:                                  {supportbeetest.WithRetryAfter("soon")},
		`the public URL "desk.example" must consist of http or https, a host and a path`: {supportbeetest.WithPublicURL("desk.example")},
	} {
		desk, err := supportbeetest.Start(opts...)
		require.EqualError(t, err, "supportbeetest: "+want)
		assert.Nil(t, desk)
	}
}

func TestADeskOnAListener(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var logs bytes.Buffer
	desk := supportbeetest.New(t,
		supportbeetest.WithListener(listener), supportbeetest.WithToken("secret-token"), supportbeetest.WithLogger(slog.New(slog.NewTextHandler(&logs, nil))))
	assert.Equal(t, "http://"+listener.Addr().String(), desk.URL)
	assert.Equal(t, "secret-token", desk.Token)
	assert.Equal(t, http.StatusOK, send(t, desk, "GET", "/labels?auth_token=hidden", "").StatusCode)
	desk.Close() // the last line of the log has been written
	assert.Contains(t, logs.String(), "method=GET path=/labels op=Labels.List status=200")
	assert.NotContains(t, logs.String(), "secret-token")
	assert.NotContains(t, logs.String(), "hidden")
	_, err = net.Dial("tcp", listener.Addr().String())
	require.Error(t, err, "the desk has closed the listener")
}

func TestADeskBehindAnotherServer(t *testing.T) {
	t.Parallel()
	var desk *supportbeetest.Desk
	front := httptest.NewServer(http.StripPrefix("/desk", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { desk.ServeHTTP(w, r) })))
	defer front.Close()
	desk = supportbeetest.New(t, supportbeetest.WithPublicURL(front.URL+"/desk/"))
	assert.Equal(t, front.URL+"/desk", desk.URL)
	file, err := desk.Client().Attachments.Upload(t.Context(), "a.txt", strings.NewReader("abc"), nil)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(file.URL.Original, front.URL+"/desk/attachments/"))
	var back bytes.Buffer
	require.NoError(t, desk.Client().Attachments.Download(t.Context(), *file, &back, nil))
	assert.Equal(t, "abc", back.String())
}

func TestClientsOfADesk(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	_, err := desk.Client(supportbee.WithToken("")).Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrTokenRequired)
	_, err = desk.Client(supportbee.WithToken("wrong")).Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	_, err = desk.Client().Labels.List(t.Context())
	require.NoError(t, err)
	assert.Panics(t, func() { desk.Client(supportbee.WithToken("to ken")) })
}

func TestResetRestoresANewDesk(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithRateLimits())
	desk.Clock.Set(noon)
	desk.Reset()
	before, users, labels := desk.Tickets(), desk.Users(), desk.Labels()
	url, token := desk.URL, desk.Token

	desk.AddWebhook(supportbeetest.Webhook{Handler: http.NotFoundHandler()})
	client := desk.Client(supportbee.WithoutRetry())
	for range 8 {
		open(t, client, "x")
	}
	desk.AddLabel("new", "#000000")
	seeded := desk.AddToken(desk.User(supportbeetest.AgentEmail).ID)
	added := desk.AddToken(desk.AddUser(supportbeetest.UserSeed{Email: "kim@acme.example", Role: supportbee.RoleAgent}))
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Len(t, desk.Deliveries(), 8)
	fault := desk.Inject(supportbeetest.Match{}, supportbeetest.Status(http.StatusBadGateway))

	desk.Reset()
	assert.Equal(t, before, desk.Tickets())
	assert.Equal(t, users, desk.Users())
	assert.Equal(t, labels, desk.Labels())
	assert.Empty(t, desk.Requests())
	assert.Empty(t, desk.Deliveries())
	assert.Empty(t, desk.Outbox())
	assert.Equal(t, []any{url, token, noon}, []any{desk.URL, desk.Token, desk.Clock.Now()})
	open(t, client, "the rate limit starts anew")
	assert.Zero(t, fault.Hits())
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Empty(t, desk.Deliveries())
	_, err := desk.Client(supportbee.WithToken(added)).Labels.List(t.Context())
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	assert.Equal(t, seeded, desk.AddToken(desk.User(supportbeetest.AgentEmail).ID), "the first users keep their tokens")
}

func TestClearHistoryKeepsTheState(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.NotFoundHandler()})
	ticket := open(t, desk.Client(), "x")
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []int{1, 1, 1}, []int{len(desk.Requests()), len(desk.Outbox()), len(desk.Deliveries())})
	desk.ClearHistory()
	assert.Equal(t, []int{0, 0, 0}, []int{len(desk.Requests()), len(desk.Outbox()), len(desk.Deliveries())})
	assert.NotNil(t, desk.Ticket(ticket.ID))
	desk.AddCustomerReply(ticket.ID, "x")
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Len(t, desk.Deliveries(), 1, "webhooks stay")
}

func TestCloseEndsRequests(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			desk := supportbeetest.New(t, supportbeetest.InMemory())
			desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Delay(time.Hour))
			desk.Inject(supportbeetest.Match{Op: "Teams.List"}, supportbeetest.SlowBody(time.Hour))
			closesDuringRequests(t, desk, func() { synctest.Wait() })
		})
	})
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		desk := supportbeetest.New(t)
		desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Delay(time.Hour))
		desk.Inject(supportbeetest.Match{Op: "Teams.List"}, supportbeetest.SlowBody(time.Hour))
		closesDuringRequests(t, desk, func() {
			for len(desk.Requests()) < 2 {
				runtime.Gosched()
			}
		})
	})
}

// closesDuringRequests closes a desk while it handles a request and sends the body of another.
func closesDuringRequests(t *testing.T, desk *supportbeetest.Desk, arrived func()) {
	t.Helper()
	client := &http.Client{Transport: desk.Transport()}
	get := func(path string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, desk.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", "Bearer "+desk.Token)
		return client.Do(req)
	}
	delayed := make(chan error, 1)
	go func() {
		res, err := get("/labels")
		if err == nil {
			_ = res.Body.Close()
		}
		delayed <- err
	}()
	body := make(chan error, 1)
	go func() {
		res, err := get("/teams")
		if err == nil {
			_, err = io.ReadAll(res.Body)
			_ = res.Body.Close()
		}
		body <- err
	}()
	arrived()
	desk.Close()
	require.Error(t, <-delayed)
	require.Error(t, <-body)
	res, err := get("/labels")
	if err == nil {
		_ = res.Body.Close()
	}
	require.Error(t, err)
}
