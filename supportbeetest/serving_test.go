package supportbeetest_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func listen(t *testing.T, addr string) (l net.Listener, port int) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// serveAs sends a request with a Host to a desk, and returns the response.
func serveAs(t *testing.T, desk *supportbeetest.Desk, host, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	r.Host = host
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+desk.Token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	desk.ServeHTTP(w, r)
	return w
}

func TestAllAddressesAreReachedAsLocalhost(t *testing.T) {
	t.Parallel()
	l, port := listen(t, ":0")
	desk := supportbeetest.New(t, supportbeetest.WithListener(l))
	assert.Equal(t, fmt.Sprintf("http://localhost:%d", port), desk.URL)
	_, err := desk.Client().Labels.List(t.Context())
	require.NoError(t, err)
}

func TestDownloadsAreOfAnotherOrigin(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		public  string
		storage string // address of a listener
		host    string
		want    string // "" if the download is not redirected; PORT is the listener's
	}{
		"localhost":               {host: "localhost:8080", want: "http://127.0.0.1:8080/files/"},
		"address of loopback":     {host: "127.0.0.1:8080", want: "http://localhost:8080/files/"},
		"IPv6":                    {host: "[::1]:8080", want: "http://localhost:8080/files/"},
		"name of loopback":        {host: "desk.localhost", want: "http://localhost/files/"},
		"address":                 {host: "192.0.2.7:8080", want: ""},
		"name":                    {host: "desk:8080", want: ""},
		"public name":             {public: "https://desk.example/sub/", host: "desk:8080", want: "https://storage.desk.example/sub/files/"},
		"public address":          {public: "http://192.0.2.7:8080", host: "localhost", want: ""},
		"public name of loopback": {public: "http://localhost:8080", host: "10.0.0.1", want: "http://127.0.0.1:8080/files/"},
		"listener":                {storage: "127.0.0.1:0", host: "desk:8080", want: "http://127.0.0.1:PORT/files/"},
		"listener of all":         {storage: ":0", host: "desk:8080", want: "http://desk:PORT/files/"},
		"listener, public name":   {storage: ":0", public: "http://desk.example:8080", host: "desk:8080", want: "http://desk.example:PORT/files/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := []supportbeetest.Option{supportbeetest.WithPublicURL(tt.public)}
			want := tt.want
			if tt.storage != "" {
				l, port := listen(t, tt.storage)
				opts = append(opts, supportbeetest.WithStorageListener(l))
				want = strings.Replace(want, "PORT", fmt.Sprint(port), 1)
			}
			desk := supportbeetest.New(t, opts...)
			id := desk.AddFile("a b.html", "text/html", []byte("<script>"))
			w := serveAs(t, desk, tt.host, http.MethodGet, fmt.Sprintf("/attachments/%d/original/a%%20b.html", id))
			if want == "" {
				assert.Equal(t, []any{http.StatusOK, "<script>", "text/html", "sandbox"}, []any{w.Code, w.Body.String(), w.Header().Get("Content-Type"), w.Header().Get("Content-Security-Policy")})
				return
			}
			require.Equal(t, http.StatusFound, w.Code)
			location := w.Header().Get("Location")
			require.True(t, strings.HasPrefix(location, want) && strings.HasSuffix(location, "/a%20b.html"), location)
			if tt.public == "" && tt.storage == "" {
				path := strings.TrimPrefix(location, strings.TrimSuffix(want, "/files/"))
				w = serveAs(t, desk, "127.0.0.1", http.MethodGet, path)
				assert.Equal(t, http.StatusBadRequest, w.Code, "the token must not be sent there")
				w = serveAs(t, desk, "127.0.0.1", http.MethodGet, path, "Authorization", "")
				assert.Equal(t, []any{http.StatusOK, "<script>", "sandbox"}, []any{w.Code, w.Body.String(), w.Header().Get("Content-Security-Policy")})
				w = serveAs(t, desk, "127.0.0.1", http.MethodGet, path, "Authorization", "")
				assert.Equal(t, http.StatusForbidden, w.Code, "a link works once")
			}
		})
	}
}

func TestClientsDownloadUnderEachName(t *testing.T) {
	t.Parallel()
	l, port := listen(t, ":0")
	desk := supportbeetest.New(t, supportbeetest.WithListener(l))
	for _, host := range []string{"localhost", "127.0.0.1"} {
		base := fmt.Sprintf("http://%s:%d", host, port)
		client := desk.Client(supportbee.WithBaseURL(base))
		file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("abc"), nil)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(file.URL.Original, base+"/attachments/"), file.URL.Original)
		var back bytes.Buffer
		require.NoError(t, client.Attachments.Download(t.Context(), *file, &back, nil))
		assert.Equal(t, "abc", back.String())
	}
	assert.Len(t, desk.Requests("Attachments.Storage"), 2)
}

func TestClientsDownloadWhereThereIsNoOtherOrigin(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithPublicURL("http://192.0.2.7"))
	content := strings.Repeat("0123456789", 10_000)
	file, err := desk.Client().Attachments.Upload(t.Context(), "a.txt", strings.NewReader(content), nil)
	require.NoError(t, err)
	var back bytes.Buffer
	require.NoError(t, desk.Client().Attachments.Download(t.Context(), *file, &back, nil))
	assert.Equal(t, content, back.String())
	assert.Empty(t, desk.Requests("Attachments.Storage"))
}

func TestHostsAreCheckedOnLoopback(t *testing.T) {
	t.Parallel()
	l, port := listen(t, "127.0.0.1:0")
	supportbeetest.New(t, supportbeetest.WithListener(l), supportbeetest.WithControl(""), supportbeetest.WithPublicURL("https://desk.example/x"))
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:80": 200, "a.localhost": 200, "127.0.0.9": 200, "[::1]:80": 200, "desk.example": 200, "storage.desk.example:443": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "10.0.0.1": 403,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/openapi.yaml", port), nil)
		require.NoError(t, err)
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		res.Body.Close()
		assert.Equal(t, want, res.StatusCode, host)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	with := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithCORS())
	without := supportbeetest.New(t, supportbeetest.InMemory())
	preflight := []string{"Origin", "https://shop.example", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type"}
	w := serveAs(t, with, "localhost", http.MethodOptions, "/tickets", preflight...)
	assert.Equal(t, http.StatusNoContent, w.Code)
	assert.Equal(t, http.Header{
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"POST"},
		"Access-Control-Allow-Headers": {"Accept, Authorization, Content-Type"}, "Access-Control-Max-Age": {"600"},
	}, w.Header())
	assert.Equal(t, "*", serveAs(t, with, "localhost", http.MethodPost, "/tickets", "Origin", "https://shop.example").Header().Get("Access-Control-Allow-Origin"))
	for name, header := range map[string]http.Header{
		"a list":           serveAs(t, with, "localhost", http.MethodGet, "/tickets", "Origin", "https://shop.example").Header(),
		"another path":     serveAs(t, with, "localhost", http.MethodOptions, "/users", preflight...).Header(),
		"another method":   serveAs(t, with, "localhost", http.MethodOptions, "/tickets", "Origin", "https://shop.example", "Access-Control-Request-Method", "DELETE").Header(),
		"the same origin":  serveAs(t, with, "localhost", http.MethodPost, "/tickets").Header(),
		"without CORS":     serveAs(t, without, "localhost", http.MethodPost, "/tickets", "Origin", "https://shop.example").Header(),
		"without, prelude": serveAs(t, without, "localhost", http.MethodOptions, "/tickets", preflight...).Header(),
	} {
		assert.Empty(t, header.Get("Access-Control-Allow-Origin"), name)
	}
}

func TestWebhooksHaveThePublicURL(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithPublicURL("https://desk.example"))
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.NotFoundHandler()})
	open(t, desk.Client(supportbee.WithBaseURL("http://localhost")), "x")
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	require.Len(t, desk.Deliveries(), 1)
	assert.Contains(t, string(desk.Deliveries()[0].Body), `"url":"https://desk.example/tickets/`)
}

func TestNamesThatLookLikePaths(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, opts...)
			client, ctx := desk.Client(), t.Context()
			for _, name := range []string{"a.txt", "a b/c.txt", "a//b.txt", "x/../y.txt", ".", "..", "..."} {
				file, err := client.Attachments.Upload(ctx, name, strings.NewReader("abc"), nil)
				require.NoError(t, err, name)
				var back bytes.Buffer
				require.NoError(t, client.Attachments.Download(ctx, *file, &back, nil), name)
				assert.Equal(t, "abc", back.String(), name)
			}
			ticket := desk.AddTicket(supportbeetest.TicketSeed{})
			path := fmt.Sprintf("/tickets/%d/labels/", ticket)
			for _, escaped := range []string{"a%2F%2Fb", "x%2F..%2Fy", "%2E", "%2E%2E"} {
				label, err := url.PathUnescape(escaped)
				require.NoError(t, err)
				desk.AddLabel(label, "#000000")
				assert.Equal(t, http.StatusCreated, send(t, desk, "POST", path+escaped, "").StatusCode, label)
			}
			desk.AssertLabels(t, ticket, "a//b", "x/../y", ".", "..")
			for _, unclean := range []string{path + "../labels/bug", "/" + path + "bug"} {
				assert.Equal(t, http.StatusNotFound, send(t, desk, "POST", unclean, "").StatusCode, unclean)
			}
		})
	}
}

// restart starts a desk with a state file and closes it when f returns.
func restart(t *testing.T, path string, f func(*supportbeetest.Desk), opts ...supportbeetest.Option) {
	t.Helper()
	desk, err := supportbeetest.Start(append(opts, supportbeetest.InMemory(), supportbeetest.WithStateFile(path))...)
	require.NoError(t, err)
	defer desk.Close()
	f(desk)
}

func TestStateFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "desk.json")
	var token, agent string
	var users []*supportbee.User
	restart(t, path, func(desk *supportbeetest.Desk) {
		info, err := os.Stat(path)
		require.NoError(t, err, "the file is written at the start")
		assert.Equal(t, os.FileMode(0o600), info.Mode())
		token = desk.Token
		ben := desk.AddUser(supportbeetest.UserSeed{Email: "kim@acme.example", Role: supportbee.RoleAgent})
		agent = desk.AddToken(ben)
		users = desk.Users()
	})
	require.NoError(t, os.Chmod(path, 0o644))
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	restart(t, path, func(desk *supportbeetest.Desk) {
		assert.Equal(t, token, desk.Token)
		assert.Equal(t, users, desk.Users())
		assert.Equal(t, agent, desk.AddToken(desk.User("kim@acme.example").ID))
	})
	second, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.JSONEq(t, string(first), string(second), "nothing piles up")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	restart(t, path, func(desk *supportbeetest.Desk) {
		assert.Equal(t, "another", desk.Token)
		_, err := desk.Client().Labels.List(t.Context())
		require.NoError(t, err)
		_, err = desk.Client(supportbee.WithToken(token)).Labels.List(t.Context())
		require.ErrorIs(t, err, supportbee.ErrAccessDenied, "the old token is replaced")
	}, supportbeetest.WithToken("another"))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

func TestStateFilesKeepTheTokensOfASnapshot(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "desk.json")
	for _, own := range []string{"desk-0", "desk-z"} { // before and after the snapshot's
		other := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithToken("desk-m"))
		var snapshot bytes.Buffer
		require.NoError(t, other.Save(&snapshot))
		restart(t, path, func(desk *supportbeetest.Desk) { require.NoError(t, desk.Load(&snapshot)) }, supportbeetest.WithToken(own))
		restart(t, path, func(desk *supportbeetest.Desk) {
			assert.Equal(t, own, desk.Token)
			for _, token := range []string{own, other.Token} {
				_, err := desk.Client(supportbee.WithToken(token)).Labels.List(t.Context())
				require.NoError(t, err, token)
			}
		})
	}
}

func TestStateFilesAreWrittenAfterChanges(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "desk.json")
	require.NoError(t, os.Mkdir(dir, 0o700))
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithStateFile(path))
		written := func(label string) bool {
			desk.AddLabel(label, "#000000")
			<-time.After(time.Second)
			data, err := os.ReadFile(path)
			return err == nil && bytes.Contains(data, []byte(label))
		}
		assert.True(t, written("one"))
		require.NoError(t, os.Remove(path))
		_, err := desk.Client().Labels.List(t.Context())
		require.NoError(t, err)
		<-time.After(time.Second)
		assert.NoFileExists(t, path, "a request that only reads is no change")

		require.NoError(t, os.Rename(dir, dir+".gone"))
		assert.False(t, written("two"))
		require.NoError(t, os.Rename(dir+".gone", dir))
		<-time.After(time.Second)
		assert.FileExists(t, path, "writing is tried again")
	})
}

func TestStateFilesAreCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "desk.json")
	for want, content := range map[string]string{
		"unexpected end of JSON input": "",
		"null is no state of a desk":   "null",
		"there is no admin":            "{}",
		"ticket 7 has another ID":      `{"tickets":{"7":null}}`,
	} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err := supportbeetest.Start(supportbeetest.InMemory(), supportbeetest.WithStateFile(file))
		require.EqualError(t, err, "supportbeetest: "+file+": "+want)
		left, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, content, string(left), "the file is left alone")
	}
	for _, path := range []string{dir, filepath.Join(dir, "none", "desk.json")} {
		_, err := supportbeetest.Start(supportbeetest.InMemory(), supportbeetest.WithStateFile(path))
		require.Error(t, err)
	}
}
