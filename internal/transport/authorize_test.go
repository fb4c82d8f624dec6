package transport_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
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
			req := &http.Request{URL: target, Header: http.Header{}}
			maps.Copy(req.Header, tt.given)

			resp, err := rt.RoundTrip(req)

			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			want := http.Header{}
			maps.Copy(want, tt.want)
			assert.Equal(t, want, got)
		})
	}
}

func TestAuthorizeWithoutTokenAddsNothing(t *testing.T) {
	t.Parallel()
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

func TestAuthorizeAddsHeadersForTheOriginOnly(t *testing.T) {
	t.Parallel()
	extra := http.Header{"X-Tenant": {"a", "b"}, "Accept": {"text/x"}, "Authorization": {"Basic abc"}}
	for _, tt := range []struct {
		name  string
		url   string
		token string
		want  http.Header
	}{
		{name: "origin", url: "https://desk.example/x", token: "t", want: http.Header{"X-Tenant": {"a", "b"}, "Accept": {"text/x"}, "Authorization": {"Bearer t"}, "X-Other": {"c"}}},
		{name: "origin without a token", url: "https://desk.example/x", want: http.Header{"X-Tenant": {"a", "b"}, "Accept": {"text/x"}, "Authorization": {"Basic abc"}, "X-Other": {"c"}}},
		{name: "elsewhere", url: "https://storage.example/x", token: "t", want: http.Header{"Accept": {"*/*"}, "X-Other": {"c"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next := play(t, responds(200))
			rt := &transport.Authorize{Next: next, Origin: origin, Token: transport.NewToken(tt.token), Header: extra}
			target, err := url.Parse(tt.url)
			require.NoError(t, err)
			req := &http.Request{URL: target, Header: http.Header{"Accept": {"*/*"}, "X-Other": {"c"}}}
			resp, err := rt.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, next.sent[0].Header)
		})
	}
}

// No printer shows the token, whether it uses methods, reflection or neither.
func TestTokenNeverPrints(t *testing.T) {
	t.Parallel()
	const secret = "hush-hush"
	token := transport.NewToken(secret)
	type hidden struct {
		token  transport.Token
		ptr    *transport.Token
		any    any
		chain  http.RoundTripper
		Public transport.Token
	}
	inside := hidden{token, &token, token, transport.Chain(http.DefaultTransport, transport.Config{Token: token}), token}
	values := []any{
		token, &token, inside, &inside,
		[]transport.Token{token},
		[]any{token, &token},
		[1]hidden{inside},
		map[string]any{"t": token, "p": &token, "in": &inside},
		map[string]transport.Token{"t": token},
	}
	leaks := []string{
		secret, "Bearer", hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
		base64.StdEncoding.EncodeToString([]byte(secret)), strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
	}
	check := func(text, how string) {
		for _, leak := range leaks {
			assert.NotContains(t, text, leak, how)
		}
	}
	for _, value := range values {
		for verb := 'A'; verb <= 'z'; verb++ {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# ", "40", ".40", "+40.40"} {
				format := "%" + flags + string(verb)
				check(fmt.Sprintf(format, value), fmt.Sprintf("%s of %T", format, value))
			}
		}
		check(fmt.Sprint(value), "Sprint")
		check(fmt.Errorf("wrapped: %w", fmt.Errorf("%v", value)).Error(), "Errorf")

		if js, err := json.Marshal(value); err == nil {
			check(string(js), "JSON")
		}
		if text, err := xml.Marshal(value); err == nil {
			check(string(text), "XML")
		}
		var out bytes.Buffer
		if err := gob.NewEncoder(&out).Encode(value); err == nil {
			check(out.String(), "gob")
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).With("with", value).WithGroup("g").Info("x", "v", value, slog.Group("h", "v", value))
			check(out.String(), fmt.Sprintf("%T", handler))
		}
		log.New(&out, "", 0).Printf("%v %+v %#v", value, value, value)
		check(out.String(), "log")
	}
	js, err := json.Marshal(inside)
	require.NoError(t, err)
	assert.JSONEq(t, `{"Public":{}}`, string(js))
}

func TestTokenRedact(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "a [redacted] b [redacted]", transport.NewToken("tok").Redact("a tok b tok"))
	assert.Equal(t, "a b", transport.NewToken("tok").Redact("a b"))
	assert.Equal(t, "a b", transport.Token{}.Redact("a b"))
	for _, escaped := range []string{"a/b~c+d==", `a\/b~c\u002Bd==`, "a~1b~0c+d==", "a%2Fb%7Ec%2Bd%3D%3d"} { // JSON, a JSON pointer, a URL
		assert.Equal(t, "x [redacted] y", transport.NewToken("a/b~c+d==").Redact("x "+escaped+" y"))
	}
}

func TestTokenIsZero(t *testing.T) {
	t.Parallel()
	assert.True(t, transport.Token{}.IsZero())
	assert.True(t, transport.NewToken("").IsZero())
	assert.False(t, transport.NewToken("x").IsZero())
}
