package transport_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

func TestAuthorizeGivesTheTokenToTheOriginOnly(t *testing.T) {
	t.Parallel()
	const token = "s3cret"
	for _, tt := range []struct {
		name, origin, url string
		given             http.Header
		want              http.Header
	}{
		{"same origin", "https://desk.example", "https://desk.example/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"the path of the origin does not count", "https://desk.example/api", "https://desk.example/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"case of scheme and host", "https://desk.example", "HTTPS://Desk.EXAMPLE/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"default https port", "https://desk.example", "https://desk.example:443/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"default http port", "http://desk.example:80", "http://desk.example/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"IPv6", "http://[::1]:8080", "http://[::1]:8080/x", nil, http.Header{"Authorization": {"Bearer s3cret"}}},
		{"replaces another", "https://desk.example", "https://desk.example", http.Header{"Authorization": {"Basic abc"}, "Accept": {"*/*"}}, http.Header{"Authorization": {"Bearer s3cret"}, "Accept": {"*/*"}}},
		{"keeps cookies at home", "https://desk.example", "https://desk.example", http.Header{"Cookie": {"a=b"}}, http.Header{"Cookie": {"a=b"}, "Authorization": {"Bearer s3cret"}}},

		{"other host", "https://desk.example", "https://evil.example/x", nil, nil},
		{"subdomain", "https://desk.example", "https://cdn.desk.example/x", nil, nil},
		{"suffix", "https://desk.example", "https://desk.example.evil/x", nil, nil},
		{"user info that looks like it", "https://desk.example", "https://desk.example@evil.example/x", nil, nil},
		{"downgrade", "https://desk.example", "http://desk.example/x", nil, nil},
		{"downgrade on the same port", "https://desk.example:8443", "http://desk.example:8443/x", nil, nil},
		{"other port", "https://desk.example", "https://desk.example:8443/x", nil, nil},
		{"other scheme without a port", "https://desk.example", "ftp://desk.example/x", nil, nil},
		{"a scheme of no known port", "x://desk.example", "x://desk.example:1/x", nil, nil},
		{"no origin", "", "https://desk.example/x", nil, nil},
		{
			"strips what others set", "https://desk.example", "https://evil.example/x",
			http.Header{"Authorization": {"Bearer s3cret"}, "authorization": {"x"}, "Cookie": {"session=1"}, "Accept": {"*/*"}},
			http.Header{"Accept": {"*/*"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var origin *url.URL
			if tt.origin != "" {
				var err error
				origin, err = url.Parse(tt.origin)
				require.NoError(t, err)
			}
			target, err := url.Parse(tt.url)
			require.NoError(t, err)
			var got http.Header
			rt := &transport.Authorize{
				Next: roundTrip(func(req *http.Request) (*http.Response, error) {
					got = req.Header
					return response(req, 200), nil
				}),
				Origin: origin,
				Token:  transport.NewToken(token),
			}
			req := &http.Request{URL: target, Header: tt.given}
			before := tt.given.Clone()

			resp, err := rt.RoundTrip(req)

			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, got)
			assert.Equal(t, before, req.Header, "the caller's request was changed")
		})
	}
}

func TestAuthorizeWithoutTokenAddsNothing(t *testing.T) {
	t.Parallel()
	origin, err := url.Parse("https://desk.example")
	require.NoError(t, err)
	var got *http.Request
	rt := &transport.Authorize{
		Next: roundTrip(func(req *http.Request) (*http.Response, error) {
			got = req
			return response(req, 200), nil
		}),
		Origin: origin,
		Token:  transport.NewToken(""),
	}
	req := request(t, http.MethodGet, nil, "")
	resp, err := rt.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Same(t, req, got)
	assert.Empty(t, got.Header)
}

func TestTokenNeverPrints(t *testing.T) {
	t.Parallel()
	const secret = "hush-hush"
	token := transport.NewToken(secret)
	type hidden struct {
		token transport.Token
		ptr   *transport.Token
		chain http.RoundTripper
	}
	inside := hidden{token, &token, &transport.Authorize{Token: token}}

	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%10.3s"} {
		if verb != "%p" { // which fmt never asks a type about
			assert.Equal(t, "[redacted]", fmt.Sprintf(verb, token), verb)
		}
		for _, v := range []any{token, &token, inside, &inside, []transport.Token{token}, map[string]any{"t": inside}} {
			text := fmt.Sprintf(verb, v)
			assert.NotContains(t, text, secret, verb)
			assert.NotContains(t, text, fmt.Sprintf("%x", secret), verb)
		}
	}
	assert.Equal(t, "[redacted]", token.String())
	assert.Equal(t, "[redacted]", token.GoString())
	assert.Equal(t, "[redacted]", token.LogValue().String())

	js, err := json.Marshal(map[string]any{"token": token, "more": inside})
	require.NoError(t, err)
	assert.JSONEq(t, `{"token":"[redacted]","more":{}}`, string(js))
	text, err := token.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "[redacted]", string(text))

	for _, handler := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out bytes.Buffer
		slog.New(handler(&out)).Info("x", "token", token, "ptr", &token, "in", inside)
		assert.NotContains(t, out.String(), secret)
		assert.Contains(t, out.String(), "[redacted]")
	}
}

func TestTokenRedact(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a [redacted] b [redacted]", transport.NewToken("tok").Redact("a tok b tok"))
	assert.Equal(t, "a b", transport.NewToken("tok").Redact("a b"))
	assert.Equal(t, "a b", transport.Token{}.Redact("a b"))
}

func TestTokenIsZero(t *testing.T) {
	t.Parallel()
	assert.True(t, transport.Token{}.IsZero())
	assert.True(t, transport.NewToken("").IsZero())
	assert.False(t, transport.NewToken("x").IsZero())
}
