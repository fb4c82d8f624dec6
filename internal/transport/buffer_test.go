package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// respondsBody responds with the given body. A length of -1 is unknown.
func respondsBody(status int, length int64, content io.Reader) step {
	return func(req *http.Request) (*http.Response, error) {
		resp := response(req, status, "X-Request-Id", "r1")
		resp.ContentLength = length
		resp.Body = &body{r: content}
		return resp, nil
	}
}

func broken(begin string) io.Reader {
	return io.MultiReader(strings.NewReader(begin), iotest.ErrReader(io.ErrUnexpectedEOF))
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	header := http.Header{"X-Request-Id": {"r1"}}
	for _, tt := range []struct {
		name string
		step step
		want string
		err  error
		text string
	}{
		{"known length", respondsBody(200, 5, strings.NewReader("hello")), "hello", nil, ""},
		{"unknown length", respondsBody(201, -1, strings.NewReader("hello")), "hello", nil, ""},
		{"empty", respondsBody(204, 0, strings.NewReader("")), "", nil, ""},
		{"just small enough", respondsBody(200, -1, strings.NewReader("0123456789")), "0123456789", nil, ""},
		{
			"one byte too large", respondsBody(200, -1, strings.NewReader("0123456789x")), "0123456789x",
			transport.ErrTooLarge, "reading the response body: response too large: more than 10 bytes",
		},
		{
			"announced too large", respondsBody(200, 11, iotest.ErrReader(errors.New("was read"))), "",
			transport.ErrTooLarge, "response too large: 11 bytes, the maximum is 10",
		},
		{"never ending", respondsBody(200, -1, endless{}), strings.Repeat("\x00", 11), transport.ErrTooLarge, "reading the response body: response too large: more than 10 bytes"},
		{"broken off", respondsBody(200, 8, broken("half")), "half", io.ErrUnexpectedEOF, "reading the response body: unexpected EOF"},
		{"an error may be larger", respondsBody(422, -1, strings.NewReader("0123456789x")), "0123456789x", nil, ""},
		{"an error broken off", respondsBody(500, 8, broken("half")), "half", nil, ""},
		{"an error without end", respondsBody(500, -1, endless{}), strings.Repeat("\x00", 64<<10), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := &transport.Report{Body: bytes.NewBufferString("of an earlier attempt"), MaxBody: 10}
			var inner *body
			rt := &transport.Buffer{Next: roundTrip(func(req *http.Request) (*http.Response, error) {
				resp, err := tt.step(req)
				inner, _ = resp.Body.(*body)
				return resp, err
			})}
			resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
			assert.True(t, inner.closed.Load())
			assert.Equal(t, tt.want, report.Body.String())
			if tt.err != nil {
				assert.Nil(t, resp)
				var broken *transport.ResponseError
				require.ErrorAs(t, err, &broken)
				assert.Equal(t, 200, broken.StatusCode)
				assert.Equal(t, header, broken.Header)
				require.ErrorIs(t, err, tt.err)
				require.EqualError(t, err, tt.text)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, http.NoBody, resp.Body)
		})
	}
}

func TestBufferDoesNotBelieveAHugeLength(t *testing.T) {
	t.Parallel()
	report := &transport.Report{Body: new(bytes.Buffer), MaxBody: 1 << 40}
	rt := &transport.Buffer{Next: play(t, respondsBody(200, 1<<39, strings.NewReader("x")))}
	resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Less(t, report.Body.Cap(), 4<<20)
}

func TestBufferStreamsWithoutMaxBody(t *testing.T) {
	t.Parallel()
	resp, err := (&transport.Buffer{Next: play(t, responds(200))}).RoundTrip(request(t, http.MethodGet, nil, ""))
	require.NoError(t, err)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "payload", string(content))
}

// What a transport that is not net/http's may return.
func TestBufferOfOddTransports(t *testing.T) {
	t.Parallel()
	noBody := func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent}, nil
	}
	for _, tt := range []struct {
		name    string
		maxBody int64
		step    step
		err     string
	}{
		{name: "error", maxBody: 10, step: fails(errReset), err: "read tcp: connection reset by peer"},
		{name: "neither response nor error", maxBody: 10, step: fails(nil), err: "the transport returned neither a response nor an error"},
		{name: "nil body", maxBody: 10, step: noBody},
		{name: "nil body, streaming", step: noBody},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := &transport.Report{MaxBody: tt.maxBody}
			resp, err := (&transport.Buffer{Next: play(t, tt.step)}).RoundTrip(request(t, http.MethodGet, report, ""))
			if tt.err != "" {
				require.EqualError(t, err, tt.err)
				assert.Nil(t, resp)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, http.NoBody, resp.Body)
		})
	}
}

// A 101 hands over the connection, which nothing would end.
func TestBufferRejectsA101(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		class   transport.Class
		maxBody int64
		unknown bool
	}{
		{name: "read", class: transport.Read, maxBody: 10},
		{name: "download", class: transport.Read},
		{name: "repeatable", class: transport.Repeatable, maxBody: 10, unknown: true},
		{name: "create", class: transport.Create, maxBody: 10, unknown: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			report := &transport.Report{Class: tt.class, MaxBody: tt.maxBody}
			next := play(t, func(req *http.Request) (*http.Response, error) {
				resp := response(req, http.StatusSwitchingProtocols, "Upgrade", "x")
				resp.Body = &body{r: neverReads{t}}
				return resp, nil
			})
			_, err := transport.Chain(next, transport.Config{}).RoundTrip(request(t, http.MethodGet, report, "")) //nolint:bodyclose // there is none
			require.EqualError(t, err, "unexpected status 101 Switching Protocols")
			var unusable *transport.ResponseError
			require.ErrorAs(t, err, &unusable)
			assert.Equal(t, http.StatusSwitchingProtocols, unusable.StatusCode)
			assert.Equal(t, http.Header{"Upgrade": {"x"}}, unusable.Header)
			assert.True(t, next.got[0].closed.Load(), "the connection stays open")
			assert.Equal(t, result{0, 1, tt.unknown, false}, result{0, report.Attempts, report.OutcomeUnknown, report.Unanswered})
		})
	}
}

type neverReads struct{ t *testing.T }

func (r neverReads) Read([]byte) (int, error) {
	r.t.Error("the connection was read")
	return 0, io.EOF
}

// net/http itself: neither a deadline nor a cancel ends the read of a connection after a 101.
func TestA101OverLoopback(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn) // until the client closes it
		close(closed)
	}))
	t.Cleanup(server.Close)
	base := transport.NewBase()
	t.Cleanup(base.CloseIdleConnections)
	report := &transport.Report{Class: transport.Read, MaxBody: 10}
	req, err := http.NewRequestWithContext(transport.WithReport(t.Context(), report), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	_, err = transport.Chain(base, transport.Config{}).RoundTrip(req) //nolint:bodyclose // there is none
	require.EqualError(t, err, "unexpected status 101 Switching Protocols")
	<-closed
}

// Many may wait for a response at once. None of them holds memory for it.
func TestBufferAllocatesWhenTheResponseArrives(t *testing.T) {
	t.Parallel()
	report := &transport.Report{MaxBody: 10}
	_, err := (&transport.Buffer{Next: play(t, func(req *http.Request) (*http.Response, error) {
		assert.Nil(t, report.Body, "while it waits")
		return respondsBody(http.StatusOK, -1, strings.NewReader("response"))(req)
	})}).RoundTrip(request(t, http.MethodGet, report, ""))
	require.NoError(t, err)
	assert.Equal(t, "response", report.Body.String())
	report.Release()
	assert.Nil(t, report.Body, "released")
	report.Release() // nothing is left to give back
}

// A body that breaks off fails the attempt: what can be repeated is sent again, and a create may
// have happened.
func TestChainRetriesABrokenBody(t *testing.T) {
	t.Parallel()
	half := func(req *http.Request) (*http.Response, error) { // a reader of its own each time
		return respondsBody(200, 8, broken("half"))(req)
	}
	whole := func(req *http.Request) (*http.Response, error) {
		return respondsBody(200, 5, strings.NewReader("whole"))(req)
	}
	for _, tt := range []struct {
		name  string
		class transport.Class
		steps []step
		want  result
		body  string
	}{
		{"read", transport.Read, []step{half, whole}, result{200, 2, false, true}, "whole"},
		{"read too large", transport.Read, []step{respondsBody(200, 1000, nil)}, result{0, 1, false, false}, ""},
		{"repeatable", transport.Repeatable, []step{half, whole}, result{200, 2, false, true}, "whole"},
		{"create", transport.Create, []step{half}, result{0, 1, true, false}, "half"},
		{"create, out of time", transport.Create, []step{func(req *http.Request) (*http.Response, error) {
			resp := response(req, 201)
			resp.Body = &slowBody{ctx: req.Context(), left: 100}
			return resp, nil
		}}, result{0, 1, true, false}, strings.Repeat("x", 33)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				report := &transport.Report{Class: tt.class, MaxBody: 100}
				var seen []transport.Attempt
				rt := transport.Chain(play(t, tt.steps...), transport.Config{
					PerAttempt: 30 * time.Second,
					Hooks:      []transport.Hook{func(_ context.Context, e transport.Attempt) { seen = append(seen, e) }},
				})
				resp, err := rt.RoundTrip(request(t, http.MethodPut, report, "content"))
				got := result{0, report.Attempts, report.OutcomeUnknown, report.Unanswered}
				if err == nil {
					got.status = resp.StatusCode
					require.NoError(t, resp.Body.Close())
				} else {
					var cut *transport.ResponseError
					require.ErrorAs(t, err, &cut)
					assert.Equal(t, 2, cut.StatusCode/100, "the status of the response is lost")
				}
				assert.Equal(t, tt.want, got)
				assert.Equal(t, tt.body, report.Body.String())
				assert.Equal(t, 2, seen[0].StatusCode/100)
				if tt.class != transport.Create {
					assert.Equal(t, "r1", seen[0].RequestID)
				}
			})
		})
	}
}

type readerFunc func(*http.Response) (bool, error)

func (f readerFunc) Read(resp *http.Response) (bool, error) { return f(resp) }

// A response that cannot be read fails the attempt. It is worth another one if it is broken.
func TestChainRetriesWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		class    transport.Class
		broken   bool
		attempts int
		unknown  bool
	}{
		{name: "broken read", class: transport.Read, broken: true, attempts: 2},
		{name: "other read", class: transport.Read, attempts: 1},
		{name: "broken repeatable", class: transport.Repeatable, broken: true, attempts: 2, unknown: true},
		{name: "other repeatable", class: transport.Repeatable, attempts: 1, unknown: true},
		{name: "broken create", class: transport.Create, broken: true, attempts: 1, unknown: true},
		{name: "other create", class: transport.Create, attempts: 1, unknown: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rejection := errors.New("not of this API")
				report := &transport.Report{Class: tt.class, MaxBody: 100}
				report.Reader = readerFunc(func(resp *http.Response) (bool, error) {
					assert.Equal(t, 200, resp.StatusCode)
					assert.Equal(t, "page", report.Body.String())
					return tt.broken, rejection
				})
				rt := transport.Chain(roundTrip(func(req *http.Request) (*http.Response, error) {
					return respondsBody(200, 4, strings.NewReader("page"))(req)
				}), transport.Config{Policy: transport.Policy{MaxAttempts: 2}})
				_, err := rt.RoundTrip(request(t, http.MethodPost, report, "content")) //nolint:bodyclose // there is none
				var unusable *transport.ResponseError
				require.ErrorAs(t, err, &unusable)
				require.ErrorIs(t, err, rejection)
				assert.Equal(t, 200, unusable.StatusCode)
				assert.Equal(t, tt.attempts, report.Attempts)
				assert.Equal(t, tt.unknown, report.OutcomeUnknown)
			})
		})
	}
}

func TestBodiesOutliveTheGarbageCollector(t *testing.T) { //nolint:paralleltest // others would take the body
	read := func() *transport.Report {
		report := &transport.Report{Class: transport.Read, MaxBody: 1 << 10}
		_, err := (&transport.Buffer{Next: play(t, responds(http.StatusOK))}).RoundTrip(request(t, http.MethodGet, report, ""))
		require.NoError(t, err)
		return report
	}
	var others []*transport.Report // all that may be left by other tests
	for range 8 {
		others = append(others, read())
	}
	report := read()
	body := weak.Make(report.Body)
	report.Release()
	for range 3 {
		runtime.GC()
	}
	assert.NotNil(t, body.Value())
	for _, other := range others {
		other.Release()
	}
}
