package supportbee_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	hookSecret = "s3cret-of-the-url"

	// createdTicket and repliedTo are bodies of events with personal data.
	createdTicket  = `{"payload":{"action_type":"ticket.created","company":{"subdomain":"acme"},"ticket":{"id":7,"subject":"private subject","requester":{"id":11,"email":"ann@example.com"}}}}`
	repliedTo      = `{"payload":{"action_type":"customer.reply.created","company":{"subdomain":"acme"},"ticket":{"id":7},"reply":{"id":41,"content":{"text":"private text"}}}}`
	archivedTicket = `{"payload":{"action_type":"ticket.archived","company":{"subdomain":"acme"},"ticket":{"id":7}}}`
)

// hookLog is a log without times.
type hookLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *hookLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *hookLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *hookLog) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// newHook returns the request that delivers body.
func newHook(ctx context.Context, body string) *http.Request {
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	return r
}

// sendHook delivers body and returns the status of the response.
func sendHook(ctx context.Context, h http.Handler, body string) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, newHook(ctx, body))
	return w.Code
}

func succeed(context.Context, *supportbee.Webhook) error { return nil }

// counting returns a Handle that succeeds, and the number of its calls.
func countingHook() (handle func(context.Context, *supportbee.Webhook) error, calls *int) {
	calls = new(int)
	return func(context.Context, *supportbee.Webhook) error { *calls++; return nil }, calls
}

func TestWebhookHandlerResponds(t *testing.T) {
	t.Parallel()
	const internal = "Internal Server Error\n"
	type response struct {
		Status int
		Allow  string
		Text   string
		Calls  int
		Log    string
	}
	for _, tt := range []struct {
		name          string
		secret        string
		anyone        *bool // default: if there is no secret
		maxSize       int64
		withoutHandle bool
		request       func(r *http.Request) // modifies the request
		body          string
		want          response
	}{
		{name: "an event", body: createdTicket, want: response{Status: 200, Calls: 1}},
		{name: "a check", body: `{"payload": null}`, want: response{Status: 200}},
		{
			name: "no charset", body: createdTicket,
			request: func(r *http.Request) { r.Header.Set("Content-Type", "Application/JSON") },
			want:    response{Status: 200, Calls: 1},
		},
		{
			name: "odd parameters", body: createdTicket,
			request: func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset") },
			want:    response{Status: 200, Calls: 1},
		},
		{
			name: "not configured", anyone: new(false), body: createdTicket,
			want: response{Status: 500, Text: internal, Log: `level=ERROR msg="webhook handler is not configured" reason="neither Secret nor AllowAnyone is set"` + "\n"},
		},
		{
			name: "not configured, whatever the request", anyone: new(false), body: "x",
			request: func(r *http.Request) { r.Method = http.MethodGet },
			want:    response{Status: 500, Text: internal, Log: `level=ERROR msg="webhook handler is not configured" reason="neither Secret nor AllowAnyone is set"` + "\n"},
		},
		{
			name: "without Handle", withoutHandle: true, body: createdTicket,
			want: response{Status: 500, Text: internal, Log: `level=ERROR msg="webhook handler is not configured" reason="Handle is nil"` + "\n"},
		},
		{
			name: "another method", body: createdTicket,
			request: func(r *http.Request) { r.Method = http.MethodPut },
			want: response{
				Status: 405, Allow: "POST", Text: "the method must be POST\n",
				Log: `level=WARN msg="webhook rejected" status=405 reason="the method must be POST"` + "\n",
			},
		},
		{
			name: "a form", body: "payload=%7B%7D",
			request: func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") },
			want: response{
				Status: 415, Text: "the content type must be application/json\n",
				Log: `level=WARN msg="webhook rejected" status=415 reason="the content type must be application/json"` + "\n",
			},
		},
		{
			name: "no content type", body: createdTicket,
			request: func(r *http.Request) { r.Header.Del("Content-Type") },
			want: response{
				Status: 415, Text: "the content type must be application/json\n",
				Log: `level=WARN msg="webhook rejected" status=415 reason="the content type must be application/json"` + "\n",
			},
		},
		{name: "the largest body", maxSize: int64(len(createdTicket)), body: createdTicket, want: response{Status: 200, Calls: 1}},
		{
			name: "a body that is too large", maxSize: 16, body: `{"payload":  null}`,
			want: response{
				Status: 413, Text: "the body is larger than 16 bytes\n",
				Log: `level=WARN msg="webhook rejected" status=413 reason="the body is larger than 16 bytes"` + "\n",
			},
		},
		{
			name: "larger than the default",
			request: func(r *http.Request) {
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(createdTicket), strings.NewReader(strings.Repeat(" ", 32<<20))))
			},
			want: response{
				Status: 413, Text: "the body is larger than 33554432 bytes\n",
				Log: `level=WARN msg="webhook rejected" status=413 reason="the body is larger than 33554432 bytes"` + "\n",
			},
		},
		{
			name: "a body that breaks off",
			request: func(r *http.Request) {
				r.Body = io.NopCloser(iotest.ErrReader(errors.New("read tcp 192.0.2.7:443: broken")))
			},
			want: response{
				Status: 400, Text: "the body cannot be read\n",
				Log: `level=WARN msg="webhook rejected" status=400 reason="the body cannot be read"` + "\n",
			},
		},
		{
			name: "no JSON", body: "",
			want: response{
				Status: 400, Text: "invalid event: the JSON ends too early\n",
				Log: `level=WARN msg="webhook rejected" status=400 reason="invalid event: the JSON ends too early"` + "\n",
			},
		},
		{
			name:    "nil values",
			request: func(r *http.Request) { r.Body, r.URL = nil, nil },
			want: response{
				Status: 400, Text: "invalid event: the JSON ends too early\n",
				Log: `level=WARN msg="webhook rejected" status=400 reason="invalid event: the JSON ends too early"` + "\n",
			},
		},
		{
			name: "a part is missing",
			body: `{"payload":{"action_type":"comment.created","ticket":{"id":7,"subject":"private"}}}`,
			want: response{
				Status: 400, Text: "invalid event: the event has no comment\n",
				Log: `level=WARN msg="webhook rejected" status=400 reason="invalid event: the event has no comment"` + "\n",
			},
		},
		{
			name: "no URL and no secret", secret: hookSecret, body: createdTicket,
			request: func(r *http.Request) { r.URL = nil },
			want: response{
				Status: 403, Text: "the secret is missing or wrong\n",
				Log: `level=WARN msg="webhook rejected" status=403 reason="the secret is missing or wrong"` + "\n",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, logs := range []bool{true, false} {
				handle, calls := countingHook()
				h := &supportbee.WebhookHandler{Handle: handle, Secret: tt.secret, AllowAnyone: tt.secret == "", MaxSize: tt.maxSize}
				if tt.withoutHandle {
					h.Handle = nil
				}
				if tt.anyone != nil {
					h.AllowAnyone = *tt.anyone
				}
				var log hookLog
				want := tt.want
				if logs {
					h.Logger = log.logger()
				} else {
					want.Log = ""
				}
				r := newHook(t.Context(), tt.body)
				if tt.request != nil {
					tt.request(r)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				assert.Equal(t, want, response{w.Code, w.Header().Get("Allow"), w.Body.String(), *calls, log.String()})
			}
		})
	}
}

func TestWebhookHandlerChecksTheSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		anyone bool
		path   string
		want   int
	}{
		{name: "in the path", path: "/supportbee/" + hookSecret, want: 200},
		{name: "in the path, escaped", path: "/supportbee/%73" + hookSecret[1:], want: 200},
		{name: "in the query", path: "/plain?secret=" + hookSecret, want: 200},
		{name: "in the query, beside a wrong path value", path: "/supportbee/x?secret=" + hookSecret, want: 200},
		{name: "in the path, beside a wrong query parameter", path: "/supportbee/" + hookSecret + "?secret=x", want: 200},
		{name: "missing", path: "/plain", want: 403},
		{name: "empty", path: "/plain?secret=", want: 403},
		{name: "the beginning", path: "/supportbee/" + hookSecret[:5], want: 403},
		{name: "too long", path: "/supportbee/" + hookSecret + "x", want: 403},
		{name: "another case", path: "/supportbee/" + strings.ToUpper(hookSecret), want: 403},
		{name: "another parameter", path: "/plain?token=" + hookSecret, want: 403},
		{name: "AllowAnyone does not replace the secret", anyone: true, path: "/plain", want: 403},
		{name: "AllowAnyone with the secret", anyone: true, path: "/supportbee/" + hookSecret, want: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log hookLog
			handle, calls := countingHook()
			h := &supportbee.WebhookHandler{Handle: handle, Secret: hookSecret, AllowAnyone: tt.anyone, Logger: log.logger()}
			mux := http.NewServeMux()
			mux.Handle("POST /supportbee/{secret}", h)
			mux.Handle("POST /plain", h)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, tt.path, strings.NewReader(createdTicket))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			assert.Equal(t, tt.want, w.Code)
			assert.Equal(t, tt.want == 200, *calls == 1)
			assert.NotContains(t, log.String()+w.Body.String(), hookSecret[:5])
		})
	}
}

func TestWebhookHandlerPassesTheEvent(t *testing.T) {
	t.Parallel()
	type key struct{}
	body := fixture(t, "webhook.json")
	want, err := supportbee.ParseWebhook(strings.NewReader(body))
	require.NoError(t, err)
	var got *supportbee.Webhook
	h := &supportbee.WebhookHandler{AllowAnyone: true, Handle: func(ctx context.Context, event *supportbee.Webhook) error {
		assert.Equal(t, "value", ctx.Value(key{}))
		got = event
		return nil
	}}
	assert.Equal(t, 200, sendHook(context.WithValue(t.Context(), key{}, "value"), h, body))
	assert.Equal(t, want, got)
}

func TestWebhookHandlerDropsRepeatsOfNewThings(t *testing.T) {
	t.Parallel()
	dropped := []supportbee.WebhookAction{
		supportbee.WebhookTicketCreated, supportbee.WebhookAgentReplyCreated, supportbee.WebhookCustomerReplyCreated, supportbee.WebhookCommentCreated,
	}
	actions := []supportbee.WebhookAction{"unknown.action"}
	for action := range webhookActions {
		actions = append(actions, action)
	}
	for _, action := range actions {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			body := func(company string, ticket, part int) string {
				return fmt.Sprintf(`{"payload":{"action_type":%q,"company":{"subdomain":%q},"ticket":{"id":%d},"reply":{"id":%[4]d},"comment":{"id":%[4]d},`+
					`"user_assignment":{"id":%[4]d,"assignee":{"user":{"id":12}}},"team_assignment":{"id":%[4]d,"assignee":{"team":{"id":21}}}}}`, action, company, ticket, part)
			}
			handle, calls := countingHook()
			h := &supportbee.WebhookHandler{Handle: handle, AllowAnyone: true}
			for range 3 {
				assert.Equal(t, 200, sendHook(t.Context(), h, body("acme", 7, 1)))
			}
			want := 3
			if slices.Contains(dropped, action) {
				want = 1
			}
			assert.Equal(t, want, *calls)
			assert.Equal(t, 200, sendHook(t.Context(), h, body("acme", 8, 2)))
			assert.Equal(t, 200, sendHook(t.Context(), h, body("other", 7, 1)))
			assert.Equal(t, want+2, *calls, "another event is handled")
		})
	}
}

func TestWebhookHandlerKeepsKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		keep time.Duration
		wait []time.Duration // before each repeat
		want int
	}{
		{name: "24 hours by default", wait: []time.Duration{24*time.Hour - 1}, want: 1},
		{name: "24 hours from the first delivery", wait: []time.Duration{12 * time.Hour, 12 * time.Hour}, want: 2},
		{name: "again after that", wait: []time.Duration{24 * time.Hour, 24*time.Hour - 1, 1}, want: 3},
		{name: "as long as KeepKeys", keep: time.Minute, wait: []time.Duration{time.Minute - 1, 1, time.Minute - 1}, want: 2},
		{name: "never", keep: -1, wait: []time.Duration{0, 0}, want: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				handle, calls := countingHook()
				h := &supportbee.WebhookHandler{Handle: handle, AllowAnyone: true, KeepKeys: tt.keep}
				assert.Equal(t, 200, sendHook(t.Context(), h, createdTicket))
				for _, wait := range tt.wait {
					<-time.After(wait) // of the bubble's clock
					assert.Equal(t, 200, sendHook(t.Context(), h, createdTicket))
				}
				assert.Equal(t, tt.want, *calls)
			})
		})
	}
}

func TestWebhookHandlerRecordsAfterSuccess(t *testing.T) {
	t.Parallel()
	var log hookLog
	calls := 0
	h := &supportbee.WebhookHandler{AllowAnyone: true, Logger: log.logger(), Handle: func(context.Context, *supportbee.Webhook) error {
		calls++
		switch calls {
		case 1:
			return errors.New("queue is full")
		case 2:
			return fmt.Errorf("ann@example.com: %w", &supportbee.Error{Op: "Tickets.Get", Method: "GET", Path: "/tickets/7", StatusCode: 404, Message: "no ticket of ann@example.com"})
		}
		return nil
	}}
	var statuses []int
	for range 5 {
		statuses = append(statuses, sendHook(t.Context(), h, createdTicket))
	}
	assert.Equal(t, []int{500, 500, 200, 200, 200}, statuses)
	assert.Equal(t, 3, calls)
	assert.Equal(t, `level=ERROR msg="webhook failed" action=ticket.created error="queue is full"`+"\n"+
		`level=ERROR msg="webhook failed" action=ticket.created error.op=Tickets.Get error.method=GET error.attempts=0 error.status=404`+"\n", log.String())
}

func TestWebhookHandlerRecovers(t *testing.T) {
	t.Parallel()
	const text = "private subject"
	for _, tt := range []struct {
		name  string
		panic func(event *supportbee.Webhook)
		want  string
	}{
		{name: "a string", panic: func(event *supportbee.Webhook) { panic(event.Ticket.Subject) }, want: `panic="a value of type string"`},
		{name: "an error", panic: func(event *supportbee.Webhook) { panic(errors.New(event.Ticket.Subject)) }, want: `panic="a value of type *errors.errorString"`},
		{name: "the event", panic: func(event *supportbee.Webhook) { panic(event) }, want: `panic="a value of type *supportbee.Webhook"`},
		{name: "a missing part", panic: func(event *supportbee.Webhook) { _ = event.Reply.ID }, want: `panic="runtime error: invalid memory address or nil pointer dereference"`},
		{name: "an index", panic: func(event *supportbee.Webhook) { _ = event.Ticket.CC[len(event.Ticket.CC)] }, want: `panic="runtime error: index out of range [0] with length 0"`},
		{name: "an aborted handler", panic: func(*supportbee.Webhook) { panic(http.ErrAbortHandler) }, want: `panic="a value of type *errors.errorString"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, respondAfter := range []time.Duration{0, time.Hour} {
				var log hookLog
				calls := 0
				h := &supportbee.WebhookHandler{AllowAnyone: true, Logger: log.logger(), RespondAfter: respondAfter, Handle: func(_ context.Context, event *supportbee.Webhook) error {
					calls++
					if calls == 1 {
						tt.panic(event)
					}
					return nil
				}}
				assert.Equal(t, 500, sendHook(t.Context(), h, createdTicket))
				assert.Contains(t, log.String(), `level=ERROR msg="webhook failed" action=ticket.created `+tt.want+" stack=")
				assert.Contains(t, log.String(), "TestWebhookHandlerRecovers.func")
				assert.Contains(t, log.String(), "webhook_handler_test.go:")
				assert.NotContains(t, log.String(), text)
				assert.NotContains(t, log.String(), "0x")

				assert.Equal(t, 200, sendHook(t.Context(), h, createdTicket))
				assert.Equal(t, 2, calls, "a repeat is handled")
				require.NoError(t, h.Shutdown(t.Context()))
			}
		})
	}
}

// hookStore is a store that records its calls and can fail.
type hookStore struct {
	mu     sync.Mutex
	calls  []string
	keys   map[string]bool
	hasErr error
	addErr error
	addCtx error // of the context of Add
}

func (s *hookStore) Has(_ context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, "has "+key)
	return s.keys[key], s.hasErr
}

func (s *hookStore) Add(ctx context.Context, key string, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf("add %s for %v", key, d))
	s.addCtx = ctx.Err()
	if s.addErr == nil {
		s.keys[key] = true
	}
	return s.addErr
}

func TestWebhookHandlerUsesTheStore(t *testing.T) {
	t.Parallel()
	const key = "acme ticket.created ticket 7"
	for _, tt := range []struct {
		name     string
		hasErr   error
		addErr   error
		keep     time.Duration
		body     string
		statuses []int // of two deliveries
		calls    []string
		handled  int
		log      string // of each
	}{
		{
			name: "records", body: createdTicket, statuses: []int{200, 200}, handled: 1,
			calls: []string{"has " + key, "add " + key + " for 24h0m0s", "has " + key},
		},
		{
			name: "records for KeepKeys", body: createdTicket, keep: time.Minute, statuses: []int{200, 200}, handled: 1,
			calls: []string{"has " + key, "add " + key + " for 1m0s", "has " + key},
		},
		{name: "is not used without KeepKeys", body: createdTicket, keep: -1, statuses: []int{200, 200}, handled: 2},
		{name: "is not used for other events", body: archivedTicket, statuses: []int{200, 200}, handled: 2},
		{
			name: "Has fails", hasErr: errors.New("down"), body: createdTicket, statuses: []int{500, 500},
			calls: []string{"has " + key, "has " + key},
			log:   `level=ERROR msg="webhook failed" action=ticket.created error="supportbee: WebhookStore.Has: down"` + "\n",
		},
		{
			name: "Add fails", addErr: errors.New("down"), body: createdTicket, statuses: []int{500, 500}, handled: 2,
			calls: []string{"has " + key, "add " + key + " for 24h0m0s", "has " + key, "add " + key + " for 24h0m0s"},
			log:   `level=ERROR msg="webhook failed" action=ticket.created error="supportbee: WebhookStore.Add: down"` + "\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log hookLog
			handle, handled := countingHook()
			store := &hookStore{keys: make(map[string]bool), hasErr: tt.hasErr, addErr: tt.addErr}
			h := &supportbee.WebhookHandler{Handle: handle, AllowAnyone: true, Store: store, KeepKeys: tt.keep, Logger: log.logger()}
			statuses := []int{sendHook(t.Context(), h, tt.body), sendHook(t.Context(), h, tt.body)}
			assert.Equal(t, tt.statuses, statuses)
			assert.Equal(t, tt.calls, store.calls)
			assert.Equal(t, tt.handled, *handled)
			assert.Equal(t, tt.log+tt.log, log.String())
		})
	}
}

// The sender may have closed the connection when Handle returns.
func TestWebhookHandlerRecordsAlthoughTheSenderIsGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	store := &hookStore{keys: make(map[string]bool)}
	h := &supportbee.WebhookHandler{AllowAnyone: true, Store: store, Handle: func(handling context.Context, _ *supportbee.Webhook) error {
		cancel()
		assert.ErrorIs(t, handling.Err(), context.Canceled)
		return nil
	}}
	assert.Equal(t, 200, sendHook(ctx, h, createdTicket))
	assert.Equal(t, map[string]bool{"acme ticket.created ticket 7": true}, store.keys)
	assert.NoError(t, store.addCtx)
}

func TestWebhookHandlerPanicsOfTheStoreAreErrors(t *testing.T) {
	t.Parallel()
	var none *hookStore // whose methods panic
	h := &supportbee.WebhookHandler{Handle: succeed, AllowAnyone: true, Store: none}
	assert.Equal(t, 500, sendHook(t.Context(), h, createdTicket))
	assert.Equal(t, 200, sendHook(t.Context(), h, archivedTicket))
}

func TestRepeatsWaitForTheFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		first error // of Handle
		want  []int
		calls int
	}{
		{name: "and are dropped if it succeeds", want: []int{200, 200, 200}, calls: 1},
		{name: "and are handled if it fails", first: errors.New("failed"), want: []int{200, 200, 500}, calls: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				finish := make(chan error)
				var mu sync.Mutex
				calls := 0
				h := &supportbee.WebhookHandler{AllowAnyone: true, Handle: func(_ context.Context, event *supportbee.Webhook) error {
					mu.Lock()
					calls++
					first := calls == 1
					mu.Unlock()
					if first {
						return <-finish
					}
					return nil
				}}
				var statuses []int
				send := func(body string) {
					status := sendHook(t.Context(), h, body)
					mu.Lock()
					defer mu.Unlock()
					statuses = append(statuses, status)
				}
				for range 3 {
					go send(createdTicket)
				}
				synctest.Wait()
				assert.Equal(t, 1, calls)
				assert.Empty(t, statuses)

				// One that stops waiting is not handled, and others do not wait.
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				assert.Equal(t, 500, sendHook(ctx, h, createdTicket))
				assert.Equal(t, 200, sendHook(t.Context(), h, repliedTo))
				assert.Equal(t, 2, calls)

				finish <- tt.first
				synctest.Wait()
				slices.Sort(statuses)
				assert.Equal(t, tt.want, statuses)
				assert.Equal(t, tt.calls+1, calls)
			})
		})
	}
}

func TestRecordedKeysAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := new(supportbee.RecordedKeys)
		has := func(i int) bool {
			recorded, err := store.Has(t.Context(), strconv.Itoa(i))
			require.NoError(t, err)
			return recorded
		}
		assert.False(t, has(0))
		for i := range supportbee.MaxRecordedKeys + 1 {
			require.NoError(t, store.Add(t.Context(), strconv.Itoa(i), time.Hour))
		}
		assert.Equal(t, []bool{false, true, true}, []bool{has(0), has(1), has(supportbee.MaxRecordedKeys)})
		<-time.After(time.Hour)
		assert.False(t, has(supportbee.MaxRecordedKeys))

		// A key that has expired and was added again is as new as the others.
		store = new(supportbee.RecordedKeys)
		require.NoError(t, store.Add(t.Context(), "0", time.Hour))
		<-time.After(time.Hour)
		for i := range supportbee.MaxRecordedKeys {
			require.NoError(t, store.Add(t.Context(), strconv.Itoa(i), time.Hour))
		}
		assert.Equal(t, []bool{true, true}, []bool{has(0), has(supportbee.MaxRecordedKeys - 1)})
	})
}

func TestWebhookHandlerRespondsAfter(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, tt := range []struct {
		name    string
		takes   time.Duration
		err     error
		want    int
		after   time.Duration
		repeat  int // status of a delivery a minute later
		handled int
		log     string
	}{
		{name: "quick", takes: time.Second, want: 200, after: time.Second, repeat: 200, handled: 1},
		{
			name: "quick and fails", takes: time.Second, err: failed, want: 500, after: time.Second, repeat: 500, handled: 2,
			log: strings.Repeat(`level=ERROR msg="webhook failed" action=ticket.created error=failed`+"\n", 2),
		},
		{name: "slow", takes: 20 * time.Second, want: 202, after: 5 * time.Second, repeat: 200, handled: 1},
		{
			name: "slow and fails", takes: 20 * time.Second, err: failed, want: 202, after: 5 * time.Second, repeat: 202, handled: 2,
			log: strings.Repeat(`level=ERROR msg="webhook failed" action=ticket.created error=failed`+"\n", 2),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log hookLog
				handled := 0
				h := &supportbee.WebhookHandler{AllowAnyone: true, RespondAfter: 5 * time.Second, Logger: log.logger(), Handle: func(ctx context.Context, _ *supportbee.Webhook) error {
					handled++
					<-time.After(tt.takes)
					assert.NoError(t, ctx.Err())
					return tt.err
				}}
				send := func() int {
					ctx, cancel := context.WithCancel(t.Context()) // as net/http cancels it when the handler returns
					defer cancel()
					return sendHook(ctx, h, createdTicket)
				}
				start := time.Now()
				assert.Equal(t, tt.want, send())
				assert.Equal(t, tt.after, time.Since(start))
				<-time.After(time.Minute)
				assert.Equal(t, tt.repeat, send())
				require.NoError(t, h.Shutdown(t.Context()))
				assert.Equal(t, tt.handled, handled)
				assert.Equal(t, tt.log, log.String())
			})
		})
	}
}

// A repeat of an event that takes long is neither lost nor handled twice.
func TestRepeatsOfSlowEventsAreRespondedToInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		h := &supportbee.WebhookHandler{AllowAnyone: true, RespondAfter: time.Second, Handle: func(context.Context, *supportbee.Webhook) error {
			handled++
			<-time.After(time.Minute)
			return nil
		}}
		for range 3 {
			start := time.Now()
			assert.Equal(t, 202, sendHook(t.Context(), h, createdTicket))
			assert.Equal(t, time.Second, time.Since(start))
		}
		require.NoError(t, h.Shutdown(t.Context()))
		assert.Equal(t, 1, handled)
	})
}

// Tests that fail in Handle end its goroutine.
func TestWebhookHandlerSurvivesGoexit(t *testing.T) {
	t.Parallel()
	h := &supportbee.WebhookHandler{AllowAnyone: true, RespondAfter: time.Hour, Handle: func(context.Context, *supportbee.Webhook) error {
		runtime.Goexit()
		return nil
	}}
	assert.Equal(t, 500, sendHook(t.Context(), h, createdTicket))
	require.NoError(t, h.Shutdown(t.Context()))
}

func TestWebhookHandlerShutdown(t *testing.T) {
	t.Parallel()
	for _, respondAfter := range []time.Duration{0, time.Second} {
		t.Run(respondAfter.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log hookLog
				h := &supportbee.WebhookHandler{AllowAnyone: true, RespondAfter: respondAfter, Logger: log.logger(), Handle: func(context.Context, *supportbee.Webhook) error {
					<-time.After(time.Minute)
					return nil
				}}
				statuses := make(chan int, 2)
				start := time.Now()
				go func() { statuses <- sendHook(t.Context(), h, createdTicket) }()
				go func() { statuses <- sendHook(t.Context(), h, createdTicket) }() // which waits for the other
				synctest.Wait()

				cause := errors.New("out of time")
				ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, cause)
				defer cancel()
				assert.Equal(t, fmt.Errorf("%w: %w", context.DeadlineExceeded, cause), h.Shutdown(ctx))
				assert.Equal(t, 503, sendHook(t.Context(), h, repliedTo))
				assert.Equal(t, 200, sendHook(t.Context(), h, `{"payload":null}`))
				assert.Equal(t, `level=WARN msg="webhook rejected" status=503 reason="the receiver is shutting down"`+"\n", log.String())

				require.NoError(t, h.Shutdown(t.Context()))
				assert.Equal(t, time.Minute, time.Since(start))
				want := 200
				if respondAfter > 0 {
					want = 202
				}
				assert.Equal(t, []int{want, want}, []int{<-statuses, <-statuses})
				require.NoError(t, h.Shutdown(ctx), "which is done, but there is nothing to wait for")
			})
		})
	}

	var unused supportbee.WebhookHandler
	require.NoError(t, unused.Shutdown(t.Context()))
}

func TestTheDeskDeliversToAWebhookHandler(t *testing.T) {
	t.Parallel()
	type delivery struct {
		Action supportbee.WebhookAction
		Status int
	}
	run := func(t *testing.T, desk *supportbeetest.Desk, receive func(h *supportbee.WebhookHandler) supportbeetest.Webhook) {
		t.Helper()
		var mu sync.Mutex
		var handled []string
		failures := 2
		h := &supportbee.WebhookHandler{Secret: hookSecret, Handle: func(_ context.Context, event *supportbee.Webhook) error {
			mu.Lock()
			defer mu.Unlock()
			if event.Action == supportbee.WebhookCustomerReplyCreated && failures > 0 {
				failures--
				return errors.New("not now")
			}
			handled = append(handled, fmt.Sprintf("%s: %s", event.Action, event.Unescaped().Ticket.Subject))
			return nil
		}}
		webhook := receive(h)
		webhook.Check, webhook.EscapeHTML, webhook.MaxAttempts = true, true, 3
		desk.AddWebhook(webhook)
		id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Tea & <coffee>"})
		desk.AddCustomerReply(id, "Hello?")
		require.NoError(t, desk.Client().Tickets.Archive(t.Context(), id))
		require.NoError(t, desk.FlushWebhooks(t.Context()))
		require.NoError(t, h.Shutdown(t.Context()))
		desk.AddTicket(supportbeetest.TicketSeed{})
		require.NoError(t, desk.FlushWebhooks(t.Context()))

		assert.Equal(t, []string{"ticket.created: Tea & <coffee>", "customer.reply.created: Tea & <coffee>", "ticket.archived: Tea & <coffee>"}, handled)
		var got []delivery
		for _, d := range desk.Deliveries() {
			assert.NoError(t, d.Err)
			got = append(got, delivery{d.Action, d.Status})
		}
		assert.Equal(t, []delivery{
			{supportbee.WebhookCheck, 200},
			{supportbee.WebhookTicketCreated, 200},
			{supportbee.WebhookCustomerReplyCreated, 500},
			{supportbee.WebhookCustomerReplyCreated, 500},
			{supportbee.WebhookCustomerReplyCreated, 200},
			{supportbee.WebhookTicketArchived, 200},
			{supportbee.WebhookTicketCreated, 503},
			{supportbee.WebhookTicketCreated, 503},
			{supportbee.WebhookTicketCreated, 503},
		}, got)
	}
	t.Run("without a socket", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			run(t, supportbeetest.New(t, supportbeetest.InMemory()), func(h *supportbee.WebhookHandler) supportbeetest.Webhook {
				return supportbeetest.Webhook{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.SetPathValue("secret", hookSecret)
					h.ServeHTTP(w, r)
				})}
			})
		})
	})
	t.Run("over a socket", func(t *testing.T) {
		t.Parallel()
		run(t, supportbeetest.New(t), func(h *supportbee.WebhookHandler) supportbeetest.Webhook {
			mux := http.NewServeMux()
			mux.Handle("POST /supportbee/{secret}", h)
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			return supportbeetest.Webhook{URL: server.URL + "/supportbee/" + hookSecret}
		})
	})
}

// However events arrive, each succeeds once.
func TestWebhookHandlerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	const events, senders = 40, 4
	for _, respondAfter := range []time.Duration{0, time.Hour} {
		var mu sync.Mutex
		attempts, handled := map[supportbee.TicketID]int{}, map[supportbee.TicketID]int{}
		h := &supportbee.WebhookHandler{AllowAnyone: true, RespondAfter: respondAfter, Handle: func(_ context.Context, event *supportbee.Webhook) error {
			mu.Lock()
			defer mu.Unlock()
			id := event.Ticket.ID
			switch attempts[id]++; {
			case attempts[id] == 1 && id%3 == 0:
				return errors.New("failed")
			case attempts[id] == 1 && id%3 == 1:
				panic("failed")
			}
			handled[id]++
			return nil
		}}
		var running sync.WaitGroup
		for range senders {
			running.Go(func() {
				for id := range events {
					body := fmt.Sprintf(`{"payload":{"action_type":"ticket.created","ticket":{"id":%d}}}`, id+1)
					for sendHook(t.Context(), h, body) != 200 {
					}
				}
			})
		}
		running.Wait()
		require.NoError(t, h.Shutdown(t.Context()))
		want := map[supportbee.TicketID]int{}
		for id := range events {
			want[supportbee.TicketID(id+1)] = 1
		}
		assert.Equal(t, want, handled)
	}
}

// FuzzWebhookHandler checks that no request makes the handler panic, that only events with the
// secret are handled, and that logs and responses hold neither the secret nor a text of an event.
func FuzzWebhookHandler(f *testing.F) {
	const private = "qzprivateqz"
	for _, body := range []string{createdTicket, repliedTo, archivedTicket, `{"payload":null}`, "payload=x", `{"payload":{"action_type":"x","ticket":{"id":7,"subject":"` + private + `"}}}`, `{"payload":{"ticket":"` + private, "\xff"} {
		for _, secret := range []string{hookSecret, "x", ""} {
			f.Add(http.MethodPost, "application/json", secret, "secret="+secret, body)
		}
	}
	f.Add(http.MethodGet, "text/plain", "", ";%", "")
	f.Fuzz(func(t *testing.T, method, contentType, pathValue, query, body string) {
		var log hookLog
		handled := 0
		h := &supportbee.WebhookHandler{Secret: hookSecret, MaxSize: 4096, Logger: log.logger(), Handle: func(_ context.Context, event *supportbee.Webhook) error {
			handled++
			if event.Action == supportbee.WebhookCheck || event.Ticket == nil {
				t.Error("handled:", event)
			}
			if event.Ticket.ID%2 == 0 {
				panic(event)
			}
			return nil
		}}
		r := newHook(t.Context(), body)
		r.Method, r.URL.RawQuery = method, query
		r.Header.Set("Content-Type", contentType)
		r.SetPathValue("secret", pathValue)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if !slices.Contains([]int{200, 400, 403, 405, 413, 415, 500}, w.Code) {
			t.Error("status", w.Code)
		}
		authorized := method == http.MethodPost && (pathValue == hookSecret || r.URL.Query().Get("secret") == hookSecret)
		if !authorized && (handled > 0 || w.Code != 403 && w.Code != 405) {
			t.Error("without the secret:", w.Code, handled)
		}
		if event, err := supportbee.ParseWebhook(strings.NewReader(body)); handled != 0 && (err != nil || event.Action == supportbee.WebhookCheck) {
			t.Error("handled what is not an event:", err)
		}
		shown := log.String() + w.Body.String()
		if strings.Contains(shown, hookSecret) && !strings.Contains(body, hookSecret) {
			t.Error("the secret is shown:", shown)
		}
		if event, err := supportbee.ParseWebhook(strings.NewReader(body)); err == nil && event.Ticket != nil && strings.Contains(event.Ticket.Subject, private) && !strings.Contains(string(event.Action), private) && strings.Contains(shown, private) {
			t.Error("the subject is shown:", shown)
		}
		if (w.Code == 200) != (log.String() == "") {
			t.Error(w.Code, log.String())
		}
	})
}
