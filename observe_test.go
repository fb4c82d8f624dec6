package supportbee_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

type contextKey struct{}

// journal writes down what an observer sees.
type journal struct {
	mu     sync.Mutex
	events []any
}

func (j *journal) add(events ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, events...)
}

// started, ended are what Start and End are called with.
type (
	started struct{ op supportbee.Operation }
	ended   struct {
		op       supportbee.Operation
		response supportbee.Response
		err      string
	}
)

func (j *journal) observer() supportbee.Observer {
	return supportbee.Observer{
		Start: func(ctx context.Context, op supportbee.Operation) context.Context {
			j.add(started{op})
			return context.WithValue(ctx, contextKey{}, "of Start")
		},
		Attempt: func(ctx context.Context, attempt supportbee.Attempt) {
			if ctx.Value(contextKey{}) != "of Start" {
				j.add("the context is not that of Start")
			}
			j.add(attempt)
		},
		End: func(ctx context.Context, op supportbee.Operation, response supportbee.Response, err error) {
			if ctx.Value(contextKey{}) != "of Start" {
				j.add("the context is not that of Start")
			}
			response.Header = nil
			text := ""
			if err != nil {
				text = err.Error()
			}
			j.add(ended{op, response, text})
		},
		Drift: func(_ context.Context, drift supportbee.Drift) { j.add(drift) },
	}
}

func TestObserversSeeOperationsAndAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen journal
		turn := 0
		client := newClient(t,
			supportbee.WithObserver(supportbee.Observer{}), // nil functions are skipped
			supportbee.WithObserver(supportbee.Observer{Start: func(context.Context, supportbee.Operation) context.Context { return nil }}),
			supportbee.WithObserver(seen.observer()),
			supportbee.WithLimiter(limiterFunc(func(context.Context) error { <-time.After(time.Second); return nil })),
			supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				<-time.After(time.Millisecond)
				switch turn++; turn {
				case 1:
					res := respond(req, http.StatusServiceUnavailable, "")
					res.Header.Set("Retry-After", "3")
					return res, nil
				case 3:
					return nil, errors.New("broken pipe")
				}
				return respond(req, http.StatusOK, `{"ticket":{"id":7,"new":1,"cc":7}}`), nil
			})))
		get := supportbee.Operation{Name: "Tickets.Get", Method: "GET", Route: "/tickets/{id}"}
		_, err := client.Tickets.Get(t.Context(), 7)
		require.NoError(t, err)
		_, err = client.With(supportbee.WithoutRetry()).Tickets.Get(t.Context(), 7)
		require.Error(t, err)
		_, err = client.Tickets.Get(t.Context(), 0)
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		for _, attempt := range seen.events {
			if a, ok := attempt.(supportbee.Attempt); ok && a.Err != nil {
				assert.EqualError(t, a.Err, "broken pipe")
			}
		}
		for i, event := range seen.events {
			if a, ok := event.(supportbee.Attempt); ok {
				a.Err = nil
				seen.events[i] = a
			}
		}
		assert.Equal(t, []any{
			started{get},
			supportbee.Attempt{Op: "Tickets.Get", Method: "GET", Route: "/tickets/{id}", Number: 1, StatusCode: 503, RequestID: "the-request", Wait: time.Second, Duration: time.Millisecond},
			supportbee.Drift{Op: "Tickets.Get", Pointer: "/ticket/new", Found: "number"},
			supportbee.Drift{Op: "Tickets.Get", Pointer: "/ticket/cc", Found: "number", Expected: "object"},
			supportbee.Attempt{Op: "Tickets.Get", Method: "GET", Route: "/tickets/{id}", Number: 2, StatusCode: 200, RequestID: "the-request", Wait: 4 * time.Second, Duration: time.Millisecond},
			ended{get, supportbee.Response{StatusCode: 200, RequestID: "the-request", Attempts: 2, Duration: 5*time.Second + 2*time.Millisecond}, ""},
			started{get},
			supportbee.Attempt{Op: "Tickets.Get", Method: "GET", Route: "/tickets/{id}", Number: 1, Wait: time.Second, Duration: time.Millisecond},
			ended{get, supportbee.Response{Attempts: 1, Duration: time.Second + time.Millisecond}, "supportbee: Tickets.Get: GET /tickets/7: broken pipe"},
		}, seen.events, "what is rejected is not observed")
	})
}

// What observers are given can be stored, whatever fails: of the end of an operation, that is the
// error's LogValue.
func TestObserversGetNothingPersonal(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle", Text: "It leaks.", RequesterEmail: "ann@example.com", RequesterName: "Ann"})
	var seen journal
	client := desk.Client(supportbee.WithoutRetry(), supportbee.WithHeader("X-Secret", "secret"), supportbee.WithObserver(supportbee.Observer{
		Start:   func(ctx context.Context, op supportbee.Operation) context.Context { seen.add(op); return ctx },
		Attempt: func(_ context.Context, attempt supportbee.Attempt) { seen.add(fmt.Sprintf("%+v", attempt)) },
		End: func(_ context.Context, op supportbee.Operation, response supportbee.Response, err error) {
			seen.add(op)
			seen.add(response.RequestID)
			if failed, ok := errors.AsType[*supportbee.Error](err); ok {
				seen.add(failed.LogValue().String())
			}
		},
		Drift: func(_ context.Context, drift supportbee.Drift) { seen.add(drift) },
	}))
	ctx := t.Context()
	calls := func() {
		_, _ = client.Tickets.List(ctx, &supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}, Label: "hush"})
		_, _ = client.Tickets.Search(ctx, "kettle", nil)
		_, _ = client.Tickets.Get(ctx, id)
		_, _ = client.Tickets.Create(ctx, supportbee.TicketParams{Subject: "Kettle", RequesterEmail: "ann@example.com", Content: supportbee.Text("It leaks.")})
		_, _ = client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("It leaks.")})
		_ = client.Labels.Remove(ctx, id, "hush")
		_ = client.Do(ctx, http.MethodGet, "/users/ann@example.com?secret=1", nil, nil)
		_, _ = client.Attachments.Upload(ctx, "secret.txt", strings.NewReader("secret"), nil)
	}
	calls()
	respond := func(status int, body string) supportbeetest.Fault {
		return supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
	}
	for _, fault := range []supportbeetest.Fault{
		respond(http.StatusUnprocessableEntity, `{"error":"ann@example.com is Ann, with `+desk.Token+`"}`),
		respond(http.StatusOK, `{"error":"ann@example.com"}`),
		respond(http.StatusOK, `{"tickets":[{"new":"ann@example.com","cc":"secret"}],"ticket":{"new":"ann@example.com","id":"secret"}}`),
		respond(http.StatusOK, "<html>ann@example.com"),
		supportbeetest.Drop(), supportbeetest.Corrupt(), supportbeetest.Truncate(), supportbeetest.Redirect(http.StatusFound, "https://secret.example.com/ann"),
	} {
		injection := desk.Inject(supportbeetest.Match{}, fault)
		calls()
		injection.Remove()
	}
	text := strings.ToLower(fmt.Sprintf("%+v", seen.events))
	for _, private := range []string{"ann", "hush", "kettle", "leaks", "secret", desk.Token} {
		assert.NotContains(t, text, strings.ToLower(private))
	}
	assert.Contains(t, text, "/tickets/*/new")
}

// Each part that differs is reported once for a client and its copies, and at most 1,000 of them.
func TestDriftIsReportedOnce(t *testing.T) {
	t.Parallel()
	var seen journal
	observer := supportbee.WithObserver(supportbee.Observer{Drift: func(_ context.Context, drift supportbee.Drift) { seen.add(drift) }})
	body := `{"total":2,"tickets":[{"id":1,"a":1,"123":{},"requester":{"b/c":"x"}},{"id":2,"a":2,"spam":"true"}],"new":[]}`
	client := always(t, http.StatusOK, body, observer)
	for range 3 {
		_, err := client.With().Tickets.List(t.Context(), nil)
		require.NoError(t, err)
	}
	op := "Tickets.List"
	assert.Equal(t, []any{
		supportbee.Drift{Op: op, Pointer: "/tickets/*/a", Found: "number"},
		supportbee.Drift{Op: op, Pointer: "/tickets/*/123", Found: "object"},
		supportbee.Drift{Op: op, Pointer: "/tickets/*/requester/b~1c", Found: "string"},
		supportbee.Drift{Op: op, Pointer: "/tickets/*/spam", Found: "string", Expected: "boolean"},
		supportbee.Drift{Op: op, Pointer: "/new", Found: "array"},
	}, seen.events)

	seen.events = nil
	var many strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&many, `,"new%d":1`, i)
	}
	_, err := always(t, http.StatusOK, `{"ticket":{"id":7`+many.String()+`}}`, observer).Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	assert.Len(t, seen.events, 1000)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	var logs bytes.Buffer
	client := desk.Client(
		supportbee.WithLogger(slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}),
	)
	desk.Inject(supportbeetest.Match{Op: "Tickets.List", Times: 1}, supportbeetest.Status(http.StatusBadGateway))
	_, err := client.Tickets.List(t.Context(), &supportbee.TicketListOptions{RequesterEmails: []string{"ann@example.com"}, Label: "hush"})
	require.NoError(t, err)
	_, err = client.Tickets.Get(t.Context(), 7)
	require.Error(t, err)
	_, err = create(client)
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(logs.String()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		lines = append(lines, fmt.Sprint(record["level"], " ", record["op"], " ", record["status"], " ", record["attempt"]))
	}
	assert.Equal(t, []string{"WARN Tickets.List 502 1", "DEBUG Tickets.List 200 2", "INFO Tickets.Get 404 1", "DEBUG Tickets.Create 201 1"}, lines)
	for _, private := range []string{"ann@example.com", "hush", "a@b.c", "/tickets/7"} {
		assert.NotContains(t, logs.String(), private)
	}
}

// Drift is logged once, without values.
func TestDriftIsLogged(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	client := always(t, http.StatusOK, `{"labels":[{"name":"x","new":"secret"},{"name":"y","new":"secret"}]}`,
		supportbee.WithLogger(slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))))
	for range 2 {
		_, err := client.Labels.List(t.Context())
		require.NoError(t, err)
	}
	assert.Equal(t, `level=WARN msg="response differs from the SDK's types" op=Labels.List pointer=/labels/*/new found=string expected=""`+"\n", logs.String())
}

// Transports, limiters and observers of attempts see the operation of a request.
func TestOperationFrom(t *testing.T) {
	t.Parallel()
	var seen []supportbee.Operation
	look := func(ctx context.Context) {
		op, ok := supportbee.OperationFrom(ctx)
		assert.True(t, ok)
		seen = append(seen, op)
	}
	client := newClient(t, supportbee.WithLimiter(limiterFunc(func(ctx context.Context) error { look(ctx); return nil })),
		supportbee.WithObserver(supportbee.Observer{Attempt: func(ctx context.Context, _ supportbee.Attempt) { look(ctx) }}),
		supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			look(req.Context())
			return respond(req, http.StatusNoContent, ""), nil
		})))
	require.NoError(t, client.Labels.Remove(t.Context(), 7, "x"))
	require.NoError(t, client.Do(t.Context(), http.MethodPatch, "/users/ann@example.com", nil, nil))
	remove := supportbee.Operation{Name: "Labels.Remove", Method: "DELETE", Route: "/tickets/{id}/labels/{name}"}
	do := supportbee.Operation{Name: "Do", Method: "PATCH"}
	assert.Equal(t, []supportbee.Operation{remove, remove, remove, do, do, do}, seen)

	_, ok := supportbee.OperationFrom(t.Context())
	assert.False(t, ok)
	_, ok = supportbee.OperationFrom(nil) //nolint:staticcheck // that is the point
	assert.False(t, ok)
}

func TestWithResponse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turn := 0
		client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			<-time.After(time.Second)
			status := http.StatusOK
			if turn++; turn == 2 {
				status = http.StatusNotFound
			}
			res := respond(req, status, `{"total":1,"tickets":[{"id":7}],"ticket":{"id":7}}`)
			res.Header.Set("X-Token", "the-token")
			res.Header.Set("Set-Cookie", "secret")
			return res, nil
		})))
		header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}, "X-Token": {"[redacted]"}}
		var response supportbee.Response
		ctx := supportbee.WithResponse(t.Context(), &response)
		_, err := client.Tickets.Get(ctx, 7)
		require.NoError(t, err)
		assert.Equal(t, supportbee.Response{StatusCode: 200, Header: header, RequestID: "the-request", Attempts: 1, Duration: time.Second}, response)
		_, err = client.Tickets.Get(ctx, 7)
		require.ErrorIs(t, err, supportbee.ErrNotFound)
		assert.Equal(t, supportbee.Response{StatusCode: 404, Header: header, RequestID: "the-request", Attempts: 1, Duration: time.Second}, response)

		before := response
		tickets, err := supportbee.Collect(client.Tickets.All(ctx, nil))
		require.NoError(t, err)
		assert.Len(t, tickets, 1)
		assert.Equal(t, before, response, "iterators ignore it")
	})
}

func TestResponseDate(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	var response supportbee.Response
	_, err := desk.Client().Labels.List(supportbee.WithResponse(t.Context(), &response))
	require.NoError(t, err)
	at, err := response.Date()
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), at)
	for _, response := range []supportbee.Response{{}, {Header: http.Header{"Date": {"yesterday"}}}} {
		at, err := response.Date()
		require.EqualError(t, err, "supportbee: the response has no Date header, or one that cannot be read")
		assert.Zero(t, at)
	}
}

// Headers of the user are sent to the base URL's origin only.
func TestWithHeader(t *testing.T) {
	t.Parallel()
	var seen []string
	client := newClient(t, supportbee.WithHeader("x-trace", "1"), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, fmt.Sprint(req.URL.Host, " ", req.Header["X-Trace"], " ", req.Header.Get("Accept")))
		if req.URL.Host == "acme.supportbee.com" && strings.Contains(req.URL.Path, "attachments") {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", "https://storage.example/x")
			return res, nil
		}
		return respond(req, http.StatusOK, `{"labels":[]}`), nil
	})))
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	_, err = client.With(supportbee.WithHeader("X-Trace", "2"), supportbee.WithHeader("Accept", "application/vnd.x+json")).Labels.List(t.Context())
	require.NoError(t, err)
	_, err = client.Labels.List(t.Context())
	require.NoError(t, err)
	require.NoError(t, client.Attachments.Download(t.Context(), supportbee.Attachment{URL: photo.URL}, new(bytes.Buffer), nil))
	assert.Equal(t, []string{
		"acme.supportbee.com [1] application/json",
		"acme.supportbee.com [2] application/vnd.x+json",
		"acme.supportbee.com [1] application/json",
		"acme.supportbee.com [1] application/json",
		"storage.example [] application/json",
	}, seen)
}

// An error in a log shows what happened, and nothing personal.
func TestErrorLogValue(t *testing.T) {
	t.Parallel()
	show := func(err error) string {
		var logs bytes.Buffer
		slog.New(slog.NewTextHandler(&logs, nil)).Info("x", "err", err)
		_, text, _ := strings.Cut(strings.TrimSpace(logs.String()), "msg=x ")
		return text
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{
			err: &supportbee.Error{
				Op: "Users.Get", Method: "GET", Path: "/users/7", StatusCode: 404, Message: "ann@example.com", RequestID: "r", Attempts: 2,
				RetryAfter: time.Second, Page: 3, Header: http.Header{"X": {"ann@example.com"}}, Body: []byte("ann@example.com"),
			},
			want: "err.op=Users.Get err.method=GET err.attempts=2 err.status=404 err.request_id=r err.retry_after=1s err.page=3",
		},
		{
			err:  &supportbee.Error{Op: "Do", Method: "POST", Path: "/users/ann@example.com", Attempts: 1, Err: fmt.Errorf("%w: %w: ann@example.com", supportbee.ErrOutcomeUnknown, context.Canceled)},
			want: `err.op=Do err.method=POST err.attempts=1 err.error="outcome unknown, context canceled"`,
		},
		{err: &supportbee.Error{Err: errors.New("ann@example.com")}, want: `err.op="" err.method="" err.attempts=0 err.error="no response"`},
		{err: (*supportbee.Error)(nil), want: "err=<nil>"},
	} {
		assert.Equal(t, tt.want, show(tt.err))
	}
}

// Zero and nil values of errors can be used.
func TestZeroErrors(t *testing.T) {
	t.Parallel()
	var nilError *supportbee.Error
	var nilArgument *supportbee.ArgumentError
	for _, err := range []error{new(supportbee.Error), nilError, new(supportbee.ArgumentError), nilArgument} {
		assert.NotEmpty(t, err.Error())
		assert.NotErrorIs(t, err, supportbee.ErrNotFound)
		assert.NoError(t, errors.Unwrap(err))
	}
	assert.ErrorIs(t, &supportbee.Error{StatusCode: 429}, supportbee.ErrRateLimited, "for fakes")
	assert.ErrorIs(t, new(supportbee.ArgumentError), supportbee.ErrInvalidArgument)
	var client *supportbee.Client
	assert.Equal(t, "<nil>", client.String())
	for _, unusable := range []*supportbee.Client{nil, new(supportbee.Client)} {
		err := unusable.Do(t.Context(), http.MethodGet, "/x", nil, nil)
		require.Equal(t, &supportbee.ArgumentError{Op: "Do", Field: "client", Reason: "must be made by New"}, err)
	}
}

// limiterFunc is a [supportbee.Limiter].
type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// pacer lets one operation pass at regular times, and all others at once.
type pacer struct {
	op    string
	every time.Duration

	mu   sync.Mutex
	next time.Time
}

func (p *pacer) Wait(ctx context.Context) error {
	if op, ok := supportbee.OperationFrom(ctx); !ok || op.Name != p.op {
		return nil
	}
	p.mu.Lock()
	wait := max(0, time.Until(p.next))
	p.next = time.Now().Add(wait + p.every)
	p.mu.Unlock()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A limiter that several clients share, as those of several processes do, keeps them within the
// rate limit of one operation. It does not delay the others.
func TestALimiterCanPaceOneOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithRateLimits())
		shared := &pacer{op: "Tickets.Create", every: time.Minute / 8}
		begin := time.Now()
		var clients sync.WaitGroup
		for range 3 {
			client := desk.Client(supportbee.WithLimiter(shared))
			clients.Go(func() {
				for range 8 {
					_, err := create(client)
					assert.NoError(t, err)
				}
			})
			for range 100 {
				_, err := client.Labels.List(t.Context())
				assert.NoError(t, err)
			}
			assert.Equal(t, begin, time.Now())
		}
		clients.Wait()
		assert.Equal(t, 23*time.Minute/8, time.Since(begin))
		desk.AssertRequests(t, "Tickets.Create", 24)
		for _, request := range desk.Requests("Tickets.Create") {
			assert.Equal(t, http.StatusCreated, request.Status)
		}
	})
}

func TestTheLimiterIsCalledBeforeEachAttempt(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Times: 2}, supportbeetest.Status(http.StatusBadGateway))
	calls := 0
	client := desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}), supportbee.WithLimiter(limiterFunc(func(context.Context) error { calls++; return nil })))
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 3, calls)

	full := errors.New("the budget is used up")
	desk.ClearHistory()
	_, err = create(client.With(supportbee.WithLimiter(limiterFunc(func(context.Context) error { return full }))))
	require.ErrorIs(t, err, full)
	require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	assert.Empty(t, desk.Requests())
}
