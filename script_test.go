package supportbee_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// transportFunc is an [http.RoundTripper], for what a script cannot express.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// respond returns a response with the given body.
func respond(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Request: req, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}},
	}
}

// newClient returns a client of acme with the token "the-token".
func newClient(t testing.TB, opts ...supportbee.Option) *supportbee.Client {
	t.Helper()
	client, err := supportbee.New("acme", "the-token", opts...)
	require.NoError(t, err)
	return client
}

// always returns a client that gets the same response to every request.
func always(t *testing.T, status int, body string, opts ...supportbee.Option) *supportbee.Client {
	t.Helper()
	return newClient(t, append(opts, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		return respond(req, status, body), nil
	})))...)
}

// offline returns a client that must not send anything.
func offline(t *testing.T, token string) *supportbee.Client {
	t.Helper()
	client, err := supportbee.New("acme", token, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		t.Errorf("unexpected request %s %s", req.Method, req.URL)
		return respond(req, http.StatusTeapot, ""), nil
	})))
	require.NoError(t, err)
	return client
}

// exchange is a request that a test expects, and the response to it.
type exchange struct {
	method string
	uri    string // path and query, as on the wire
	body   string // JSON; empty for no body
	status int
	reply  string            // JSON, or the name of a file in testdata
	header map[string]string // of the response
}

// newScript returns a client whose requests must be those of the script, in its order. A request
// that is not expected fails the test, and so does one that is never sent.
func newScript(t *testing.T, script ...exchange) *supportbee.Client {
	t.Helper()
	var mu sync.Mutex
	next := 0
	t.Cleanup(func() {
		if next < len(script) {
			t.Errorf("%d requests were not sent, the first: %s %s", len(script)-next, script[next].method, script[next].uri)
		}
	})
	mock := httpmock.NewMockTransport()
	mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(script) {
			t.Errorf("unexpected request %s %s", req.Method, req.URL.RequestURI())
			return respond(req, http.StatusTeapot, ""), nil
		}
		x := script[next]
		next++
		return x.respond(t, req), nil
	})
	return newClient(t, supportbee.WithTransport(mock))
}

// respond checks the request and returns the response to it.
func (x exchange) respond(t *testing.T, req *http.Request) *http.Response {
	t.Helper()
	assert.Equal(t, x.method+" "+x.uri, req.Method+" "+req.URL.RequestURI())
	assert.Equal(t, "https://acme.supportbee.com", req.URL.Scheme+"://"+req.URL.Host)
	assert.Equal(t, "application/json", req.Header.Get("Accept"))
	assert.Equal(t, "Bearer the-token", req.Header.Get("Authorization"))
	assert.Equal(t, "supportbee-go/"+supportbee.Version, req.Header.Get("User-Agent"))
	assert.Empty(t, req.Header.Values("Cookie"))
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	if x.body == "" {
		assert.Empty(t, string(body))
		assert.Empty(t, req.Header.Values("Content-Type"))
	} else {
		assert.JSONEq(t, x.body, string(body))
		assert.Equal(t, "application/json", req.Header.Get("Content-Type"))
	}
	res := respond(req, x.status, fixture(t, x.reply))
	res.Header.Set("Set-Cookie", "secure_code_session=secret; path=/")
	for name, value := range x.header {
		res.Header.Set(name, value)
	}
	return res
}

// fixture returns the text, or the content of the file in testdata that it names.
func fixture(t *testing.T, text string) string {
	t.Helper()
	if !strings.HasSuffix(text, ".json") {
		return text
	}
	data, err := os.ReadFile("testdata/" + text)
	require.NoError(t, err)
	return string(data)
}

// bare returns the resource in a file of testdata, without its envelope.
func bare(t *testing.T, name string) string {
	t.Helper()
	var envelope map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(fixture(t, name)), &envelope))
	require.Len(t, envelope, 1)
	for _, resource := range envelope {
		return string(resource)
	}
	return ""
}

// listOf returns a response with a list of the only resource in a file of testdata.
func listOf(t *testing.T, key, name string) string {
	t.Helper()
	return `{"` + key + `":[` + bare(t, name) + `]}`
}

// check checks an operation: it sends the request of x and returns want, and it returns no result
// but the error if the response has another status.
func check[T any](t *testing.T, op string, x exchange, call func(context.Context, *supportbee.Client) (T, error), want T) {
	t.Helper()
	t.Run(op, func(t *testing.T) {
		t.Parallel()
		got, err := call(t.Context(), newScript(t, x))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
	t.Run(op+" fails", func(t *testing.T) {
		t.Parallel()
		x := x
		x.status, x.reply, x.header = http.StatusConflict, `{"error":"No."}`, nil
		got, err := call(t.Context(), newScript(t, x))
		path, _, _ := strings.Cut(x.uri, "?")
		assert.Equal(t, &supportbee.Error{
			Op: op, Method: x.method, Path: path, StatusCode: http.StatusConflict, Message: "No.", RequestID: "the-request", Attempts: 1,
			Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}},
			Body:   []byte(`{"error":"No."}`),
		}, err)
		assert.ErrorIs(t, err, supportbee.ErrConflict)
		assert.Zero(t, got)
	})
}

// checkDone checks an operation without a result, which has succeeded if the response says so.
func checkDone(t *testing.T, op, method, uri string, call func(context.Context, *supportbee.Client) error) {
	t.Helper()
	check(t, op, exchange{method: method, uri: uri, status: http.StatusNoContent}, func(ctx context.Context, c *supportbee.Client) (any, error) {
		return nil, call(ctx, c)
	}, nil)
	for _, tt := range []struct {
		name   string
		status int
		body   string
	}{
		{name: "200 with an empty body", status: http.StatusOK},
		{name: "200 with a blank body", status: http.StatusOK, body: " \r\n"},
		{name: "201 with an empty body", status: http.StatusCreated},
		{name: "an empty object", status: http.StatusOK, body: `{}`},
		{name: "a resource", status: http.StatusCreated, body: `{"ticket":{"id":7}}`},
		{name: "no error", status: http.StatusOK, body: `{"error":null,"errors":[]}`},
		{name: "an empty error", status: http.StatusOK, body: `{"error":""}`},
		{name: "null", status: http.StatusOK, body: `null`},
	} {
		t.Run(op+" gets "+tt.name, func(t *testing.T) {
			t.Parallel()
			assert.NoError(t, call(t.Context(), newScript(t, exchange{method: method, uri: uri, status: tt.status, reply: tt.body})))
		})
	}
	for _, tt := range unproven {
		t.Run(op+" gets "+tt.name, func(t *testing.T) {
			t.Parallel()
			tt.check(t, op, method, uri, call)
		})
	}
}

// unproven are the responses with status 2xx that do not report success.
var unproven = []unprovenResponse{
	{name: "a titled page", status: http.StatusOK, contentType: "text/html; charset=utf-8", body: "<html><title>Sign in &amp;\n go</title>", want: `the response is an HTML page, titled "Sign in & go"`},
	{name: "a page that claims to be JSON", status: http.StatusOK, contentType: "application/json", body: "\n<!DOCTYPE html><p>Hi", want: "the response is an HTML page"},
	{name: "text", status: http.StatusOK, contentType: "text/plain", body: "Done.", message: "Done.", want: `the response is not JSON (Content-Type "text/plain")`},
	{name: "text that claims to be JSON", status: http.StatusCreated, contentType: "application/json", body: "Done.", message: "Done.", want: "the body is not JSON"},
	{name: "an error", status: http.StatusOK, contentType: "application/json", body: `{"error":"Access denied"}`, message: "Access denied", want: "the response reports an error"},
	{name: "errors", status: http.StatusCreated, contentType: "application/json", body: `{"errors":["No.",{"id":"bad"}]}`, message: "No., id bad", want: "the response reports an error"},
	{name: "202", status: http.StatusAccepted, contentType: "application/json", body: `{}`, want: "status 202 is not one of this API's"},
	{name: "206", status: http.StatusPartialContent, contentType: "application/json", body: `{}`, want: "status 206 is not one of this API's"},
}

type unprovenResponse struct {
	name        string
	status      int
	contentType string
	body        string
	message     string // of the error
	want        string // the reason
}

// check checks that a call that gets the response returns an error, which is also
// [supportbee.ErrOutcomeUnknown] for a call that may not be repeated.
func (u unprovenResponse) check(t *testing.T, op, method, path string, call func(context.Context, *supportbee.Client) error) {
	t.Helper()
	err := call(t.Context(), newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		res := respond(req, u.status, u.body)
		res.Header.Set("Content-Type", u.contentType)
		return res, nil
	}))))
	require.ErrorIs(t, err, supportbee.ErrMalformedResponse)
	reason := "malformed response: " + u.want
	if method == http.MethodPost && (op == "Do" || strings.HasSuffix(op, ".Create")) {
		assert.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		reason = "outcome unknown: the server may have processed the request: " + reason
	} else {
		assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	}
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.EqualError(t, apiErr.Err, reason)
	got := *apiErr
	got.Err = nil
	assert.Equal(t, supportbee.Error{
		Op: op, Method: method, Path: path, StatusCode: u.status, Message: u.message, RequestID: "the-request", Attempts: 1,
		Header: http.Header{"Content-Type": {u.contentType}, "X-Request-Id": {"the-request"}}, Body: []byte(u.body),
	}, got)
}

// errorOf returns the error of a call with a result.
func errorOf[T any](_ T, err error) error { return err }

// checkRejected checks that a call is rejected before any request is sent.
func checkRejected(t *testing.T, want supportbee.ArgumentError, call func(context.Context, *supportbee.Client) error) {
	t.Helper()
	t.Run(want.Op+" "+want.Field+" "+want.Reason, func(t *testing.T) {
		t.Parallel()
		err := call(t.Context(), offline(t, "the-token"))
		assert.Equal(t, &want, err)
		assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	})
}

// invalidParams are params that are rejected, and why.
type invalidParams[P any] struct {
	params P
	field  string
	reason string
}

// checkParams checks that params are rejected for the same reason by Validate and by the operation
// that takes them, before any request is sent.
func checkParams[P interface{ Validate() error }](t *testing.T, op string, call func(context.Context, *supportbee.Client, P) error, valid P, tests []invalidParams[P]) {
	t.Helper()
	assert.NoError(t, valid.Validate())
	for _, tt := range tests {
		checkRejected(t, supportbee.ArgumentError{Op: op, Field: tt.field, Reason: tt.reason}, func(ctx context.Context, c *supportbee.Client) error {
			return call(ctx, c, tt.params)
		})
		assert.Equal(t, &supportbee.ArgumentError{Field: tt.field, Reason: tt.reason}, tt.params.Validate())
	}
}

// Every operation has a call of check.
func TestEveryOperationIsChecked(t *testing.T) {
	t.Parallel()
	checked := map[string]bool{"Attachments.Upload": true} // in attachments_test.go
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	call := regexp.MustCompile(`\bcheck(?:Done)?\(t, "(\w+\.\w+)"`)
	for _, name := range names {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, found := range call.FindAllSubmatch(source, -1) {
			checked[string(found[1])] = true
		}
	}
	for _, o := range operations(t) {
		assert.True(t, checked[o.name], o.name)
	}
}
