package supportbeetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// transports are the ways to a desk.
var transports = map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}}

func TestFaultsOfReads(t *testing.T) {
	t.Parallel()
	none := func(t *testing.T, err error) { t.Helper(); require.NoError(t, err) }
	tooLarge := func(t *testing.T, err error) { t.Helper(); require.ErrorIs(t, err, supportbee.ErrResponseTooLarge) }
	tests := []struct {
		faults []supportbeetest.Fault
		name   string // of the faults, as the desk shows them
		check  func(t *testing.T, err error)
	}{
		{faults: []supportbeetest.Fault{supportbeetest.Status(http.StatusTeapot)}, name: "status 418", check: says("418 I'm a teapot: I'm a teapot")},
		{
			faults: []supportbeetest.Fault{supportbeetest.Header("x-request-id", "the-id"), supportbeetest.Status(http.StatusInternalServerError)},
			name:   "header x-request-id, status 500", check: says("the-id"),
		},
		{faults: []supportbeetest.Fault{supportbeetest.Header("Content-Type", "text/html")}, name: "header Content-Type", check: isMalformed},
		{faults: []supportbeetest.Fault{supportbeetest.Respond(http.NotFoundHandler())}, name: "respond", check: says("404 Not Found")},
		{faults: []supportbeetest.Fault{supportbeetest.Drop()}, name: "drop", check: isDropped},
		{faults: []supportbeetest.Fault{supportbeetest.AfterHandling(supportbeetest.Drop())}, name: "drop after handling", check: isDropped},
		{faults: []supportbeetest.Fault{supportbeetest.DropBody()}, name: "drop body", check: isCutOff},
		{faults: []supportbeetest.Fault{supportbeetest.SlowBody(0), supportbeetest.DropBody()}, name: "slow body 0s, drop body", check: isCutOff},
		{faults: []supportbeetest.Fault{supportbeetest.Header("A", "b"), supportbeetest.DropBody()}, name: "header A, drop body", check: isCutOff},
		{faults: []supportbeetest.Fault{supportbeetest.Pad(1 << 20), supportbeetest.DropBody()}, name: "pad 1048576, drop body", check: isCutOff},
		{faults: []supportbeetest.Fault{supportbeetest.Truncate()}, name: "truncate", check: isMalformed},
		{faults: []supportbeetest.Fault{supportbeetest.AfterHandling(supportbeetest.Truncate())}, name: "truncate after handling", check: isMalformed},
		{faults: []supportbeetest.Fault{supportbeetest.Corrupt()}, name: "corrupt", check: isMalformed},
		{faults: []supportbeetest.Fault{supportbeetest.HTMLPage(http.StatusOK)}, name: "HTML page 200", check: isMalformed},
		{faults: []supportbeetest.Fault{supportbeetest.Pad(1 << 20)}, name: "pad 1048576", check: none},
		{faults: []supportbeetest.Fault{supportbeetest.Pad(1)}, name: "pad 1", check: none},
		{faults: []supportbeetest.Fault{supportbeetest.Pad(3 << 20)}, name: "pad 3145728", check: tooLarge},
		{faults: []supportbeetest.Fault{supportbeetest.Pad(-1)}, name: "pad -1", check: tooLarge},
		{faults: []supportbeetest.Fault{supportbeetest.Redirect(http.StatusFound, "https://elsewhere.example/tickets")}, name: "redirect 302", check: says("302 Found: redirect to https://elsewhere.example not followed")},
		{faults: []supportbeetest.Fault{supportbeetest.Redirect(http.StatusTemporaryRedirect, "")}, name: "redirect 307", check: says("307 Temporary Redirect")},
		{faults: []supportbeetest.Fault{supportbeetest.Status(http.StatusTooManyRequests)}, name: "status 429", check: isLimited(0)},
		{faults: []supportbeetest.Fault{supportbeetest.RateLimited("")}, name: "rate limited", check: isLimited(0)},
		{faults: []supportbeetest.Fault{supportbeetest.RateLimited("90")}, name: "rate limited", check: isLimited(90 * time.Second)},
		{faults: []supportbeetest.Fault{supportbeetest.RateLimited(time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat))}, name: "rate limited", check: isLimited(24 * time.Hour)},
		{faults: []supportbeetest.Fault{supportbeetest.RateLimited("Sunday, 06-Nov-94 08:49:37 GMT")}, name: "rate limited", check: isLimited(0)},
		{faults: []supportbeetest.Fault{supportbeetest.RateLimited("soon")}, name: "rate limited", check: isLimited(0)},
		{faults: []supportbeetest.Fault{{Name: "no middleware"}}, name: "no middleware", check: none},
		{faults: []supportbeetest.Fault{supportbeetest.AfterHandling(supportbeetest.Fault{})}, name: "unnamed after handling", check: none},
	}
	for i, tt := range tests {
		for transport, opts := range transports {
			t.Run(fmt.Sprintf("%d %s/%s", i, tt.name, transport), func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				injection := desk.Inject(supportbeetest.Match{Times: 11}, tt.faults...) // a redirect is followed ten times
				client := desk.Client(supportbee.WithoutRetry(), supportbee.WithMaxResponseSize(2<<20))
				_, err := client.Tickets.List(t.Context(), nil)
				tt.check(t, err)
				assert.Positive(t, injection.Hits())
				assert.Equal(t, tt.name, desk.Requests()[0].Fault)
				injection.Remove()
				_, err = desk.Client().Teams.List(t.Context(), nil)
				assert.NoError(t, err)
			})
		}
	}
}

func says(text string) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		assert.ErrorContains(t, err, text)
	}
}

func isDropped(t *testing.T, err error) {
	t.Helper()
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Zero(t, apiErr.StatusCode)
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF), err)
}

func isCutOff(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.ErrorContains(t, err, "200 OK")
}

func isMalformed(t *testing.T, err error) {
	t.Helper()
	assert.ErrorIs(t, err, supportbee.ErrMalformedResponse)
	assert.NotErrorIs(t, err, supportbee.ErrResponseTooLarge)
}

func isLimited(want time.Duration) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var limited *supportbee.Error
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		require.ErrorAs(t, err, &limited)
		assert.InDelta(t, want, limited.RetryAfter, float64(time.Hour))
	}
}

func TestFaultsOfWrites(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault   supportbeetest.Fault
		written int
	}{
		"drop":                    {fault: supportbeetest.Drop(), written: 0},
		"drop after handling":     {fault: supportbeetest.AfterHandling(supportbeetest.Drop()), written: 1},
		"gateway timeout":         {fault: supportbeetest.Status(http.StatusGatewayTimeout), written: 0},
		"gateway timeout, late":   {fault: supportbeetest.AfterHandling(supportbeetest.Status(http.StatusGatewayTimeout)), written: 1},
		"handled twice by custom": {fault: twice, written: 2},
	} {
		for transport, opts := range transports {
			t.Run(name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x", Text: "y"})
				desk.Inject(supportbeetest.Match{Op: "Replies.Create"}, tt.fault)
				_, err := desk.Client().Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("Hi")})
				require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
				desk.AssertRequests(t, "Replies.Create", 1)
				assert.Len(t, desk.Replies(id), tt.written)
			})
		}
	}
}

// twice is a custom fault: a proxy that sends the request again and then gives up.
var twice = supportbeetest.Fault{Name: "twice", Wrap: func(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(err)
		}
		for range 2 {
			r.Body = io.NopCloser(bytes.NewReader(body))
			supportbeetest.AfterHandling(supportbeetest.Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).Wrap(next).ServeHTTP(discard{}, r)
		}
		w.WriteHeader(http.StatusBadGateway)
	})
}}

// discard is a [http.ResponseWriter] without a response.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) WriteHeader(int)             {}
func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestStatusHasATypicalBody(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	for status, want := range map[int]string{
		http.StatusOK:                  "",
		http.StatusNoContent:           "",
		http.StatusBadRequest:          `{"error":"Validation failed"}`,
		http.StatusUnauthorized:        " ",
		http.StatusForbidden:           `{"error":"Access denied"}`,
		http.StatusNotFound:            `{"error":"Sorry. Something seems to have gone wrong."}`,
		http.StatusConflict:            `{"error":"Conflict"}`,
		http.StatusTooManyRequests:     "",
		http.StatusInternalServerError: `{"error":"Sorry. Something seems to have gone wrong."}`,
		http.StatusServiceUnavailable:  `{"error":"Service Unavailable"}`,
	} {
		injection := desk.Inject(supportbeetest.Match{}, supportbeetest.Status(status))
		res, body, err := fetch(t, desk, "/labels")
		require.NoError(t, err)
		assert.Equal(t, status, res.StatusCode)
		assert.Equal(t, want, body, status)
		wantType := "application/json; charset=utf-8"
		if want == "" {
			wantType = ""
		}
		assert.Equal(t, wantType, res.Header.Get("Content-Type"), status)
		injection.Remove()
	}
}

// fetch gets a path of a desk, without any help by the SDK.
func fetch(t *testing.T, desk *supportbeetest.Desk, path string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, desk.URL+path, nil)
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+desk.Token)
	res, err := desk.Transport().RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func TestFaultsOfBodies(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, opts...)
			_, whole, err := fetch(t, desk, "/labels")
			require.NoError(t, err)
			with := func(faults ...supportbeetest.Fault) (*http.Response, string, error) {
				injection := desk.Inject(supportbeetest.Match{}, faults...)
				defer injection.Remove()
				return fetch(t, desk, "/labels")
			}

			res, body, err := with(supportbeetest.Truncate())
			require.NoError(t, err)
			assert.Equal(t, whole[:len(whole)/2], body)
			assert.EqualValues(t, len(body), res.ContentLength)

			res, body, err = with(supportbeetest.DropBody())
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Equal(t, whole[:len(whole)/2], body)
			assert.EqualValues(t, len(whole), res.ContentLength)

			_, body, err = with(supportbeetest.Corrupt())
			require.NoError(t, err)
			assert.Len(t, body, len(whole))
			assert.False(t, json.Valid([]byte(body)))

			res, body, err = with(supportbeetest.Pad(100_000))
			require.NoError(t, err)
			assert.Equal(t, whole+strings.Repeat(" ", 100_000-len(whole)), body)
			assert.EqualValues(t, 100_000, res.ContentLength)

			_, body, err = with(supportbeetest.Pad(1))
			require.NoError(t, err)
			assert.Equal(t, whole, body)

			_, body, err = with(supportbeetest.SlowBody(0))
			require.NoError(t, err)
			assert.Equal(t, whole, body)

			res, body, err = with(supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
				_, err := io.WriteString(w, "none is allowed")
				assert.ErrorIs(t, err, http.ErrBodyNotAllowed)
			})))
			require.NoError(t, err)
			assert.Equal(t, http.StatusNoContent, res.StatusCode)
			assert.Empty(t, body)

			res, body, err = with(supportbeetest.Header("X-A", "1"), supportbeetest.Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
			require.NoError(t, err)
			assert.Equal(t, "200 1", fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-A")))
			assert.Empty(t, body)

			// The outer fault sees the response of the inner one.
			_, body, err = with(supportbeetest.Pad(100_000), supportbeetest.Truncate())
			require.NoError(t, err)
			assert.Equal(t, whole[:len(whole)/2]+strings.Repeat(" ", 100_000-len(whole)/2), body)
			_, body, err = with(supportbeetest.Truncate(), supportbeetest.Pad(100_000))
			require.NoError(t, err)
			assert.Equal(t, whole+strings.Repeat(" ", 50_000-len(whole)), body)
		})
	}
}

// Faults are middleware, with a desk or without.
func TestFaultsWorkWithoutADesk(t *testing.T) {
	t.Parallel()
	serve := func(fault supportbeetest.Fault, handler http.HandlerFunc) string {
		w := httptest.NewRecorder()
		fault.Wrap(handler).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w.Body.String()
	}
	assert.Equal(t, "ab", serve(supportbeetest.Truncate(), func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abcd") }))
	assert.Empty(t, serve(supportbeetest.Truncate(), func(http.ResponseWriter, *http.Request) {}))
	assert.PanicsWithValue(t, "a bug", func() {
		serve(supportbeetest.Truncate(), func(http.ResponseWriter, *http.Request) { panic("a bug") })
	})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		supportbeetest.Pad(-1).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4")
			_, _ = io.WriteString(w, "abcd")
		})).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	})
	assert.Empty(t, w.Header())
	assert.Equal(t, "abcd", strings.TrimRight(w.Body.String(), " "))
}

func TestEditJSON(t *testing.T) {
	t.Parallel()
	for transport, opts := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, opts...)
			client := desk.Client(supportbee.WithoutRetry())
			file := desk.AddFile("list.json", "application/json", []byte("[1]"))
			id := desk.AddTicket(supportbeetest.TicketSeed{AttachmentIDs: []supportbee.AttachmentID{file}})
			edit := desk.Inject(supportbeetest.Match{}, supportbeetest.EditJSON(func(object map[string]any) {
				ticket := object["ticket"].(map[string]any)
				assert.IsType(t, json.Number(""), ticket["id"])
				ticket["priority"] = strings.Repeat("high", 1000)
			}))
			ticket, err := client.Tickets.Get(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, map[string]json.RawMessage{"priority": json.RawMessage(`"` + strings.Repeat("high", 1000) + `"`)}, ticket.Extra)
			assert.Equal(t, "edit JSON", desk.Requests()[0].Fault)
			assert.Equal(t, 1, edit.Hits())

			var content bytes.Buffer
			require.NoError(t, client.Attachments.Download(t.Context(), ticket.Content.Attachments[0], &content, nil))
			require.NoError(t, client.Tickets.Archive(t.Context(), id))
			assert.Equal(t, "[1]", content.String())
			assert.Equal(t, 1, edit.Hits(), "these responses are no objects")

			edit.Remove()
			desk.Inject(supportbeetest.Match{}, supportbeetest.EditJSON(func(map[string]any) {}), supportbeetest.Pad(10_000))
			_, err = client.Tickets.Get(t.Context(), id)
			require.NoError(t, err, "the Content-Length of another fault is replaced")
		})
	}
}

// A fault that had nothing to do is not used up.
func TestFaultsOfBodiesMissResponsesWithoutOne(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]supportbeetest.Fault{
		"truncate": supportbeetest.Truncate(), "corrupt": supportbeetest.Corrupt(), "drop body": supportbeetest.DropBody(),
		"slow body": supportbeetest.SlowBody(0), "pad": supportbeetest.Pad(3 << 20), "late": supportbeetest.AfterHandling(supportbeetest.DropBody()),
	} {
		for transport, opts := range transports {
			t.Run(name+"/"+transport, func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				client := desk.Client(supportbee.WithoutRetry())
				id := desk.AddTicket(supportbeetest.TicketSeed{})
				injection := desk.Inject(supportbeetest.Match{TicketID: id, Times: 1}, fault)
				require.NoError(t, client.Tickets.Archive(t.Context(), id))
				assert.Zero(t, injection.Hits())
				assert.Empty(t, desk.Requests()[0].Fault)
				_, err := client.Tickets.Get(t.Context(), id)
				assert.Equal(t, name != "slow body" && name != "pad", err != nil, err)
				assert.Equal(t, 1, injection.Hits())
				assert.NotEmpty(t, desk.Requests()[1].Fault)
				injection.Remove()

				both := desk.Inject(supportbeetest.Match{}, supportbeetest.Delay(0), fault)
				require.NoError(t, client.Tickets.Unarchive(t.Context(), id))
				assert.Equal(t, 1, both.Hits(), "the delay was applied")
			})
		}
	}
}

func TestFaultsSelectRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		client := desk.Client(supportbee.WithoutRetry())
		list := func() error { _, err := client.Teams.List(t.Context(), nil); return err }
		badGateway := supportbeetest.Status(http.StatusBadGateway)

		some := desk.Inject(supportbeetest.Match{Op: "Teams.List", Skip: 1, Times: 2}, badGateway)
		var failed []bool
		for range 5 {
			failed = append(failed, list() != nil)
		}
		assert.Equal(t, []bool{false, true, true, false, false}, failed)
		assert.Equal(t, 2, some.Hits())

		var byFunc *supportbeetest.Injection
		byFunc = desk.Inject(supportbeetest.Match{Func: func(r *http.Request) bool { return byFunc.Hits() == 0 && r.URL.Path == "/labels" }}, badGateway)
		require.NoError(t, list())
		_, err := client.Labels.List(t.Context())
		require.ErrorIs(t, err, supportbee.ErrServer)
		_, err = client.Labels.List(t.Context())
		require.NoError(t, err)

		one, other := desk.AddTicket(supportbeetest.TicketSeed{}), desk.AddTicket(supportbeetest.TicketSeed{})
		user := desk.User(supportbeetest.AgentEmail)
		byTicket := desk.Inject(supportbeetest.Match{TicketID: one}, badGateway)
		byNumber := desk.Inject(supportbeetest.Match{TicketID: supportbee.TicketID(user.ID)}, badGateway)
		_, err = client.Replies.List(t.Context(), one)
		require.ErrorIs(t, err, supportbee.ErrServer)
		_, err = client.Replies.List(t.Context(), other)
		require.NoError(t, err)
		_, err = client.Users.Get(t.Context(), user.ID, nil)
		require.NoError(t, err)
		assert.Zero(t, byNumber.Hits())

		second := desk.Inject(supportbeetest.Match{}, supportbeetest.Drop())
		_, err = client.Replies.List(t.Context(), one)
		require.ErrorIs(t, err, supportbee.ErrServer)
		assert.Equal(t, []int{2, 0}, []int{byTicket.Hits(), second.Hits()}, "the first that matches applies")
		byTicket.Remove()
		_, err = client.Replies.List(t.Context(), one)
		isDropped(t, err)
		second.Remove()
		second.Remove()

		plain := desk.Inject(supportbeetest.Match{})
		require.NoError(t, list())
		assert.Equal(t, 1, plain.Hits(), "without faults, requests are counted")
	})
}

func TestUnknownOperationsFailTheTest(t *testing.T) {
	t.Parallel()
	for op, nearest := range map[string]string{
		"Ticket.Create": "Tickets.Create", "tickets.get": "Tickets.Get", "Replies.Creat": "Replies.Create", "Attachment.Storage": "Attachments.Storage",
		"Attachments.Downloads": "Attachments.Download", "Label.Remove": "Labels.Remove",
	} {
		message := func(method string) string {
			return fmt.Sprintf("supportbeetest: %s: unknown operation %q; did you mean %q?", method, op, nearest)
		}
		tb := &fakeTB{TB: t}
		desk := supportbeetest.New(tb, supportbeetest.InMemory())
		injection := desk.Inject(supportbeetest.Match{Op: op}, supportbeetest.Drop())
		assert.Empty(t, desk.Requests(op))
		assert.Equal(t, []string{message("Inject"), message("Requests")}, tb.reports)
		_, err := desk.Client().Labels.List(t.Context())
		require.NoError(t, err)
		assert.Zero(t, injection.Hits())
		injection.Remove()

		program, err := supportbeetest.Start(supportbeetest.InMemory())
		require.NoError(t, err)
		assert.PanicsWithValue(t, message("Inject"), func() { program.Inject(supportbeetest.Match{Op: op}) })
		assert.PanicsWithValue(t, message("Requests"), func() { program.Requests(op) })
		program.Inject(supportbeetest.Match{Op: nearest})
		program.Close()
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		client := desk.Client(supportbee.WithoutRetry())
		for _, tt := range []struct {
			fault supportbeetest.Fault
			takes time.Duration
			err   string
		}{
			{fault: supportbeetest.Delay(20 * time.Second), takes: 20 * time.Second},
			{fault: supportbeetest.Delay(time.Hour), takes: 30 * time.Second, err: "within 30s"},
			{fault: supportbeetest.AfterHandling(supportbeetest.Delay(time.Minute)), takes: 30 * time.Second, err: "within 30s"},
			{fault: supportbeetest.SlowBody(time.Second), takes: 8 * time.Second},
			{fault: supportbeetest.SlowBody(10 * time.Second), takes: 30 * time.Second, err: "within 30s"},
		} {
			desk.Inject(supportbeetest.Match{Times: 1}, tt.fault)
			start := time.Now()
			_, err := client.Teams.List(t.Context(), nil)
			assert.Equal(t, tt.takes, time.Since(start), tt.fault.Name)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
			synctest.Wait() // the handler has ended, or the bubble fails
		}

		id := desk.AddTicket(supportbeetest.TicketSeed{})
		desk.Inject(supportbeetest.Match{Op: "Comments.Create", Times: 1}, supportbeetest.Delay(time.Hour))
		_, err := client.Comments.Create(t.Context(), id, supportbee.CommentParams{Content: supportbee.Text("x")})
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		<-time.After(2 * time.Hour)
		assert.Empty(t, desk.Comments(id), "the request was canceled before it was handled")
	})
}

// Close waits for no fault, and no goroutine is left behind.
func TestCloseEndsFaults(t *testing.T) {
	t.Parallel()
	slow := map[string]supportbeetest.Fault{
		"delay": supportbeetest.Delay(1000 * time.Hour), "slow body": supportbeetest.SlowBody(1000 * time.Hour), "endless": supportbeetest.Pad(-1),
		"late": supportbeetest.AfterHandling(supportbeetest.Delay(1000 * time.Hour)),
		"custom": {Wrap: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			})
		}},
	}
	test := func(t *testing.T, fault supportbeetest.Fault, opts ...supportbeetest.Option) {
		t.Helper()
		desk := supportbeetest.New(t, opts...)
		began := make(chan struct{})
		desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.Fault{Name: "signal", Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				close(began)
				next.ServeHTTP(w, r)
			})
		}}, fault)
		id := desk.AddTicket(supportbeetest.TicketSeed{})
		result := make(chan error)
		go func() { // a write, since the transport may retry a read
			client := desk.Client(supportbee.WithMaxResponseSize(1<<40), supportbee.WithTimeout(0))
			_, err := client.Comments.Create(context.WithoutCancel(t.Context()), id, supportbee.CommentParams{Content: supportbee.Text("x")})
			result <- err
		}()
		<-began
		desk.Close()
		require.Error(t, <-result)
		_, err := desk.Client(supportbee.WithoutRetry()).Labels.List(t.Context())
		require.ErrorContains(t, err, "dial ")
	}
	for name, fault := range slow {
		t.Run(name+"/http", func(t *testing.T) {
			t.Parallel()
			test(t, fault)
		})
		t.Run(name+"/memory", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, fault, supportbeetest.InMemory()) })
		})
	}
}

// A client that neither reads a response nor closes it does not keep the desk's goroutine alive.
func TestCloseEndsUnreadResponses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		request := func(ctx context.Context, body io.Reader) (*http.Response, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, desk.URL+"/tickets", body)
			require.NoError(t, err)
			req.Header.Set("Accept", "application/json")
			return desk.Transport().RoundTrip(req)
		}
		res, err := request(t.Context(), nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(t.Context())
		canceled, err := request(ctx, nil)
		require.NoError(t, err)
		cause := errors.New("enough")
		cancel(cause)
		synctest.Wait()
		_, err = io.ReadAll(canceled.Body)
		require.ErrorIs(t, err, cause)

		ended := make(chan struct{})
		empty := desk.Inject(supportbeetest.Match{}, supportbeetest.Fault{Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r)
				close(ended)
			})
		}}, supportbeetest.Status(http.StatusTooManyRequests))
		_, err = request(t.Context(), nil) //nolint:bodyclose // nobody reads it
		require.NoError(t, err)
		<-ended // without a body, there is nothing to read
		empty.Remove()

		stalled, _ := io.Pipe() // a body that never comes
		done := make(chan error)
		go func() {
			_, err := request(context.WithoutCancel(t.Context()), stalled) //nolint:bodyclose // there is none
			done <- err
		}()
		synctest.Wait()
		desk.Close()
		require.ErrorIs(t, <-done, io.ErrUnexpectedEOF)
		_, err = io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	})
}

func TestChanceIsRepeatable(t *testing.T) {
	t.Parallel()
	pattern := func(seed uint64) string {
		desk, err := supportbeetest.Start(supportbeetest.InMemory())
		require.NoError(t, err)
		defer desk.Close()
		desk.Inject(supportbeetest.Match{Probability: 0.3, Seed: seed}, supportbeetest.Status(http.StatusBadGateway))
		client := desk.Client(supportbee.WithoutRetry())
		var hits string
		for range 200 {
			_, err := client.Labels.List(t.Context())
			hits += map[bool]string{true: "x", false: "."}[err != nil]
		}
		return hits
	}
	first := pattern(1)
	assert.InDelta(t, 60, strings.Count(first, "x"), 20)
	assert.Equal(t, first, pattern(1))
	assert.NotEqual(t, first, pattern(2))
}

func TestChaosIsRepeatable(t *testing.T) {
	t.Parallel()
	faults := func(t *testing.T, share float64, seed uint64) (names []string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			desk := supportbeetest.New(t, supportbeetest.InMemory())
			injection := desk.InjectChaos(share, seed)
			for range 300 {
				_, _ = desk.Client(supportbee.WithoutRetry()).Labels.List(t.Context())
			}
			hits := 0
			for _, request := range desk.Requests() {
				names = append(names, request.Fault)
				if request.Fault != "" {
					hits++
				}
			}
			assert.Equal(t, injection.Hits(), hits)
			assert.InDelta(t, share*300, hits, 30)
		})
		return names
	}
	first := faults(t, 0.5, 7)
	assert.Equal(t, first, faults(t, 0.5, 7))
	assert.NotEqual(t, first, faults(t, 0.5, 8))
	assert.Equal(t, []string{
		"", "HTML page 502", "delay 2s", "drop", "drop after handling", "drop body", "header Retry-After, status 503", "rate limited", "status 500", "truncate",
	}, slices.Compact(slices.Sorted(slices.Values(first))))
	assert.Equal(t, []string{""}, slices.Compact(faults(t, 0, 7)))
	assert.NotContains(t, faults(t, 1, 7), "")
}

// A client has no means to tell that a file is truncated, so chaos truncates none without a sign.
func TestChaosNeverShortensAFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		content := strings.Repeat("the kettle ", 100)
		ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "A photo", AttachmentIDs: []supportbee.AttachmentID{desk.AddFile("a.jpg", "image/jpeg", []byte(content))}})
		client := desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}))
		got, err := client.Tickets.Get(t.Context(), ticket)
		require.NoError(t, err)
		desk.InjectChaos(0.6, 7)
		whole := 0
		for range 100 {
			var file strings.Builder
			if err := client.Attachments.Download(t.Context(), got.Content.Attachments[0], &file, nil); err == nil {
				assert.Equal(t, content, file.String())
				whole++
			}
		}
		assert.Positive(t, whole)
	})
}

// A client on a bad network gets its work done, and never writes twice.
func TestChaosNeverDoublesAWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
		desk.InjectChaos(0.3, 7)
		client := desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}))
		var created, unknown int
		for i := range 200 {
			subject := fmt.Sprint("ticket ", i)
			ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
				Subject: subject, RequesterEmail: "ann@example.com", Content: supportbee.Text("x"),
			})
			switch {
			case err == nil:
				created++
				if err := client.Tickets.Archive(t.Context(), ticket.ID); err != nil {
					require.ErrorIs(t, err, supportbee.ErrServer) // a write is not retried after a 500
				} else {
					assert.True(t, desk.Ticket(ticket.ID).Archived)
				}
			case errors.Is(err, supportbee.ErrOutcomeUnknown), errors.Is(err, supportbee.ErrMalformedResponse):
				unknown++
			default:
				t.Errorf("ticket %d: %v", i, err)
			}
		}
		seen := map[string]bool{}
		for _, ticket := range desk.Tickets() {
			assert.False(t, seen[ticket.Subject], "%s is there twice", ticket.Subject)
			seen[ticket.Subject] = true
		}
		assert.GreaterOrEqual(t, len(seen), created)
		assert.LessOrEqual(t, len(seen), created+unknown)
		assert.Positive(t, unknown)
	})
}
