package supportbee_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// exchange is one request that a test expects, and the answer to it.
type exchange struct {
	method string
	uri    string // path and query, as on the wire
	body   string // JSON; empty for no body
	status int
	reply  string            // JSON, or the name of a file in testdata
	header map[string]string // of the answer
}

// newScript returns a client whose requests must be those of the script, in its order. A request
// that is not expected fails the test, and so does one that never comes.
func newScript(t *testing.T, script ...exchange) *supportbee.Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	var mu sync.Mutex
	next := 0
	mock.RegisterNoResponder(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(script) {
			t.Errorf("unexpected request %s %s", req.Method, req.URL.RequestURI())
			return httpmock.NewStringResponse(http.StatusTeapot, ""), nil
		}
		x := script[next]
		next++
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
		res := httpmock.NewStringResponse(x.status, fixture(t, x.reply))
		res.Header.Set("Content-Type", "application/json; charset=utf-8")
		res.Header.Set("X-Request-Id", "the-request")
		res.Header.Set("Set-Cookie", "secure_code_session=secret; path=/")
		for name, value := range x.header {
			res.Header.Set(name, value)
		}
		return res, nil
	})
	t.Cleanup(func() {
		if next < len(script) {
			t.Errorf("%d requests never came, the first: %s %s", len(script)-next, script[next].method, script[next].uri)
		}
	})
	return newClient(t, supportbee.WithTransport(mock))
}

// newClient returns a client of acme with the token "the-token".
func newClient(t testing.TB, opts ...supportbee.Option) *supportbee.Client {
	t.Helper()
	client, err := supportbee.New("acme", "the-token", opts...)
	require.NoError(t, err)
	return client
}

// fixture returns the text, or what is in the file of testdata that it names.
func fixture(t *testing.T, text string) string {
	t.Helper()
	if !strings.HasSuffix(text, ".json") {
		return text
	}
	data, err := os.ReadFile("testdata/" + text)
	require.NoError(t, err)
	return string(data)
}

// transportFunc is a [http.RoundTripper].
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// respond is an answer with the given body.
func respond(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Request: req, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}},
	}
}

// always is a client whose every request is answered alike.
func always(t *testing.T, status int, body string, opts ...supportbee.Option) *supportbee.Client {
	t.Helper()
	return newClient(t, append(opts, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		return respond(req, status, body), nil
	})))...)
}

// offline is a client that must not send anything.
func offline(t *testing.T, token string) *supportbee.Client {
	t.Helper()
	client, err := supportbee.New("acme", token, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		t.Errorf("a request went out: %s %s", req.Method, req.URL)
		return respond(req, http.StatusTeapot, ""), nil
	})))
	require.NoError(t, err)
	return client
}
