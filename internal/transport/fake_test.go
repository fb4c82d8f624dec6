package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// roundTrip makes a function an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// origin is that of the requests here.
var origin = &url.URL{Scheme: "https", Host: "desk.example"}

var (
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
)

// step is one scripted result.
type step func(*http.Request) (*http.Response, error)

func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func responds(status int, headers ...string) step {
	return func(req *http.Request) (*http.Response, error) {
		return response(req, status, headers...), nil
	}
}

// connects fires the httptrace hooks that net/http fires, then goes on with next.
func connects(made bool, next step) step {
	return func(req *http.Request) (*http.Response, error) {
		if trace := httptrace.ContextClientTrace(req.Context()); trace != nil {
			trace.GetConn("desk.example:443")
			if made {
				trace.GotConn(httptrace.GotConnInfo{})
			}
		}
		return next(req)
	}
}

func response(req *http.Request, status int, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: newBody("payload"), Request: req, ContentLength: -1}
}

// script plays its steps in order and keeps what it saw.
type script struct {
	t      *testing.T
	steps  []step
	at     []time.Duration // when each attempt came, from the start
	bodies []string        // what each attempt sent
	sent   []*http.Request
	got    []*body // the response bodies given out
	start  time.Time
}

func play(t *testing.T, steps ...step) *script {
	t.Helper()
	return &script{t: t, steps: steps, start: time.Now()}
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	n := len(s.at)
	s.at = append(s.at, time.Since(s.start))
	s.sent = append(s.sent, req)
	text := ""
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		require.NoError(s.t, err)
		require.NoError(s.t, req.Body.Close())
		text = string(b)
	}
	s.bodies = append(s.bodies, text)
	require.Less(s.t, n, len(s.steps), "one attempt too many")
	resp, err := s.steps[n](req)
	if resp != nil {
		if b, ok := resp.Body.(*body); ok {
			s.got = append(s.got, b)
		}
	}
	return resp, err
}

// body is a body that knows how it was used.
type body struct {
	r      io.Reader
	read   atomic.Int64
	closed atomic.Bool
}

func newBody(s string) *body { return &body{r: strings.NewReader(s)} }

func (b *body) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.read.Add(int64(n))
	return n, err
}

func (b *body) Close() error {
	b.closed.Store(true)
	return nil
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// request builds a request that carries report, or one of the method's class if that is nil, with
// a body that can be sent again.
func request(t *testing.T, method string, report *transport.Report, content string) *http.Request {
	t.Helper()
	if report == nil {
		report = new(transport.Report)
		switch method {
		case http.MethodGet:
			report.Class = transport.Read
		case http.MethodPut:
			report.Class = transport.Repeatable
		}
	}
	var r io.Reader
	if content != "" {
		r = strings.NewReader(content)
	}
	req, err := http.NewRequestWithContext(carrying(t.Context(), report), method, "https://desk.example/tickets?q=secret", r)
	require.NoError(t, err)
	return req
}

// within returns req in ctx, with its report.
func within(ctx context.Context, req *http.Request) *http.Request {
	return req.WithContext(carrying(ctx, transport.ReportFrom(req.Context())))
}

func carrying(ctx context.Context, report *transport.Report) context.Context {
	carrier := new(transport.Context)
	carrier.Start(ctx, report)
	return carrier
}
