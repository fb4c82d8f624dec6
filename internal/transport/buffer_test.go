package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// answersBody answers with the given body; length -1 is unknown.
func answersBody(status int, length int64, content io.Reader) step {
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
		{"known length", answersBody(200, 5, strings.NewReader("hello")), "hello", nil, ""},
		{"unknown length", answersBody(201, -1, strings.NewReader("hello")), "hello", nil, ""},
		{"empty", answersBody(204, 0, strings.NewReader("")), "", nil, ""},
		{"just small enough", answersBody(200, -1, strings.NewReader("0123456789")), "0123456789", nil, ""},
		{
			"one byte too large", answersBody(200, -1, strings.NewReader("0123456789x")), "0123456789x",
			transport.ErrTooLarge, "reading the response body: response too large: more than 10 bytes",
		},
		{
			"announced too large", answersBody(200, 11, iotest.ErrReader(errors.New("was read"))), "",
			transport.ErrTooLarge, "reading the response body: response too large: 11 bytes, allowed are 10",
		},
		{"never ending", answersBody(200, -1, endless{}), strings.Repeat("\x00", 11), transport.ErrTooLarge, "reading the response body: response too large: more than 10 bytes"},
		{"broken off", answersBody(200, 8, broken("half")), "half", io.ErrUnexpectedEOF, "reading the response body: unexpected EOF"},
		{"an error may be larger", answersBody(422, -1, strings.NewReader("0123456789x")), "0123456789x", nil, ""},
		{"an error broken off", answersBody(500, 8, broken("half")), "half", nil, ""},
		{"an error without end", answersBody(500, -1, endless{}), strings.Repeat("\x00", 64<<10), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			call := &transport.Call{Body: bytes.NewBufferString("of an earlier attempt"), MaxBody: 10}
			var inner *body
			rt := &transport.Buffer{Next: roundTrip(func(req *http.Request) (*http.Response, error) {
				resp, err := tt.step(req)
				inner, _ = resp.Body.(*body)
				return resp, err
			})}
			resp, err := rt.RoundTrip(request(t, http.MethodGet, call, ""))
			assert.True(t, inner.closed.Load())
			assert.Equal(t, tt.want, call.Body.String())
			if tt.err != nil {
				assert.Nil(t, resp)
				var broken *transport.BodyError
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
	call := &transport.Call{Body: new(bytes.Buffer), MaxBody: 1 << 40}
	rt := &transport.Buffer{Next: play(t, answersBody(200, 1<<39, strings.NewReader("x")))}
	resp, err := rt.RoundTrip(request(t, http.MethodGet, call, ""))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Less(t, call.Body.Cap(), 4<<20)
}

func TestBufferStreamsWhatHasNoBuffer(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]*transport.Call{"no call": nil, "no buffer": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := (&transport.Buffer{Next: play(t, answers(200))}).RoundTrip(request(t, http.MethodGet, call, ""))
			require.NoError(t, err)
			content, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, "answer", string(content))
		})
	}
}

func TestBufferPassesOnWhatHasNoBody(t *testing.T) {
	t.Parallel()
	call := &transport.Call{Body: bytes.NewBufferString("old"), MaxBody: 10}
	_, err := (&transport.Buffer{Next: play(t, fails(errReset))}).RoundTrip(request(t, http.MethodGet, call, ""))
	assert.Equal(t, errReset, err)

	resp, err := (&transport.Buffer{Next: play(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent}, nil
	})}).RoundTrip(request(t, http.MethodGet, call, ""))
	require.NoError(t, err)
	assert.Equal(t, 204, resp.StatusCode)
	assert.Empty(t, call.Body.String())
}

// Many may wait for an answer at once; none of them holds memory for it.
func TestBufferTakesMemoryWhenTheAnswerComes(t *testing.T) {
	t.Parallel()
	call := &transport.Call{MaxBody: 10}
	_, err := (&transport.Buffer{Next: play(t, func(req *http.Request) (*http.Response, error) {
		assert.Nil(t, call.Body, "while it waits")
		return answersBody(http.StatusOK, -1, strings.NewReader("answer"))(req)
	})}).RoundTrip(request(t, http.MethodGet, call, ""))
	require.NoError(t, err)
	assert.Equal(t, "answer", call.Body.String())
	call.Release()
	assert.Nil(t, call.Body, "released")
	call.Release() // nothing is left to give back
}

// A body that breaks off fails the attempt: a read is made again, a write was carried out.
func TestChainRetriesABrokenBody(t *testing.T) {
	t.Parallel()
	half := func(req *http.Request) (*http.Response, error) { // a reader of its own each time
		return answersBody(200, 8, broken("half"))(req)
	}
	whole := answersBody(200, 5, strings.NewReader("whole"))
	for _, tt := range []struct {
		name  string
		class transport.Class
		steps []step
		want  result
		body  string
	}{
		{"read", transport.Read, []step{half, whole}, result{200, 2, false, true}, "whole"},
		{"read too large", transport.Read, []step{answersBody(200, 1000, nil)}, result{0, 1, false, false}, ""},
		{"repeatable", transport.Repeatable, []step{half}, result{0, 1, false, false}, "half"},
		{"once", transport.Once, []step{half}, result{0, 1, false, false}, "half"},
		{"once, out of time", transport.Once, []step{func(req *http.Request) (*http.Response, error) {
			resp := response(req, 201)
			resp.Body = &slowBody{ctx: req.Context(), left: 100}
			return resp, nil
		}}, result{0, 1, false, false}, strings.Repeat("x", 33)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				call := &transport.Call{Class: tt.class, Body: new(bytes.Buffer), MaxBody: 100}
				var seen []transport.Exchange
				rt := transport.Chain(play(t, tt.steps...), transport.Config{
					PerAttempt: 30 * time.Second,
					Hooks:      []transport.Hook{func(_ context.Context, e transport.Exchange) { seen = append(seen, e) }},
				})
				resp, err := rt.RoundTrip(request(t, http.MethodPut, call, "content"))
				got := result{0, call.Attempts, call.OutcomeUnknown, call.Unanswered}
				if err == nil {
					got.status = resp.StatusCode
					require.NoError(t, resp.Body.Close())
				} else {
					var cut *transport.BodyError
					require.ErrorAs(t, err, &cut)
					assert.Equal(t, 2, cut.StatusCode/100, "the status of a write that was carried out is lost")
				}
				assert.Equal(t, tt.want, got)
				assert.Equal(t, tt.body, call.Body.String())
				assert.Equal(t, 2, seen[0].StatusCode/100)
				if tt.class != transport.Once {
					assert.Equal(t, "r1", seen[0].RequestID)
				}
			})
		})
	}
}

func TestTimeoutOfABufferedBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		call := &transport.Call{Body: new(bytes.Buffer), MaxBody: 100}
		rt := &transport.Timeout{Next: &transport.Buffer{Next: slow(60)}, PerAttempt: 30 * time.Second}
		_, err := rt.RoundTrip(request(t, http.MethodGet, call, ""))
		require.EqualError(t, err, "reading the response body: no complete answer within 30s")
		require.ErrorAs(t, err, new(*transport.TimeoutError))
		require.NotErrorIs(t, err, context.Canceled)
	})
	synctest.Test(t, func(t *testing.T) {
		rt := &transport.Timeout{PerAttempt: time.Second, Next: roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, &transport.BodyError{StatusCode: 200, Err: transport.ErrTooLarge}
		})}
		_, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
		require.ErrorIs(t, err, transport.ErrTooLarge)
	})
}
