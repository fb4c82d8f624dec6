package supportbee_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// quick is a policy that hardly waits.
var quick = supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Microsecond, MaxBackoff: time.Microsecond})

// Only status 200 is the file, and only if it can be one. What was there before stays.
func TestDownloadTakesOnlyTheFile(t *testing.T) {
	t.Parallel()
	text := supportbee.Attachment{Filename: "a.bin", ContentType: "application/pdf", URL: photo.URL}
	page := supportbee.Attachment{Filename: "a.html", ContentType: "application/octet-stream", URL: photo.URL}
	data := supportbee.Attachment{Filename: "a", ContentType: "application/problem+json; charset=utf-8", URL: photo.URL}
	for name, tt := range map[string]struct {
		attachment supportbee.Attachment
		status     int
		header     map[string]string
		body       string
		length     int64
		want       string // of the error; empty for none
		requests   int
	}{
		"200":               {attachment: text, status: 200, body: "file", length: 4, requests: 1},
		"empty":             {attachment: text, status: 200, requests: 1},
		"201":               {attachment: text, status: 201, body: "file", length: 4, want: "status 201 is not a file", requests: 1},
		"202":               {attachment: text, status: 202, body: "file", length: 4, want: "status 202 is not a file", requests: 1},
		"204":               {attachment: text, status: 204, want: "status 204 is not a file", requests: 1},
		"205":               {attachment: text, status: 205, want: "status 205 is not a file", requests: 1},
		"206":               {attachment: text, status: 206, body: "file", length: 4, want: "status 206 is not a file", requests: 1},
		"HTML":              {attachment: text, status: 200, header: map[string]string{"Content-Type": "text/html; charset=utf-8"}, body: "<p>", length: 3, want: "the response is not the file but an HTML page", requests: 4},
		"HTML as JSON":      {attachment: data, status: 200, header: map[string]string{"Content-Type": "text/html"}, body: "<p>", length: 3, want: "the response is not the file but an HTML page", requests: 4},
		"HTML file":         {attachment: page, status: 200, header: map[string]string{"Content-Type": "Text/HTML"}, body: "<p>", length: 3, requests: 1},
		"HTML of no type":   {attachment: untyped, status: 200, header: map[string]string{"Content-Type": "text/html"}, body: "<p>", length: 3, requests: 1},
		"JSON":              {attachment: text, status: 200, header: map[string]string{"Content-Type": "application/json"}, body: "{}", length: 2, want: "the response is not the file but JSON", requests: 1},
		"JSON file":         {attachment: data, status: 200, header: map[string]string{"Content-Type": "application/json"}, body: "{}", length: 2, requests: 1},
		"short":             {attachment: text, status: 200, body: "file", length: 9, want: "unexpected EOF", requests: 4},
		"unknown encoding":  {attachment: text, status: 200, header: map[string]string{"Content-Encoding": "br"}, body: "file", length: 4, want: `unknown Content-Encoding "br"`, requests: 1},
		"identity encoding": {attachment: text, status: 200, header: map[string]string{"Content-Encoding": "identity"}, body: "file", length: 4, requests: 1},
		"not gzip":          {attachment: text, status: 200, header: map[string]string{"Content-Encoding": "gzip"}, body: "file", length: 4, want: "unpacking the file", requests: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			client := newClient(t, quick, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				requests.Add(1)
				res := respond(req, tt.status, tt.body)
				res.Header.Set("Content-Type", "application/pdf")
				for key, value := range tt.header {
					res.Header.Set(key, value)
				}
				res.ContentLength = tt.length
				return res, nil
			})))
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
			err := client.Attachments.DownloadFile(t.Context(), tt.attachment, path, nil)
			assert.EqualValues(t, tt.requests, requests.Load())
			if tt.want == "" {
				require.NoError(t, err)
				assertFiles(t, dir, "file="+tt.body)
				return
			}
			require.ErrorContains(t, err, tt.want)
			assertFiles(t, dir, "file=old")
			require.ErrorContains(t, client.Attachments.Download(t.Context(), tt.attachment, io.Discard, nil), tt.want)
			if tt.status != http.StatusOK || tt.header["Content-Type"] != "" {
				require.ErrorIs(t, err, supportbee.ErrMalformedResponse)
			}
		})
	}
}

func TestDownloadUnpacks(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zip, strings.Repeat("the file ", 1000))
	require.NoError(t, zip.Close())
	client, attachment, _ := storage(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	var out bytes.Buffer
	require.NoError(t, client.Attachments.Download(t.Context(), attachment, &out, nil))
	assert.Equal(t, strings.Repeat("the file ", 1000), out.String())
	err := client.Attachments.Download(t.Context(), attachment, &out, &supportbee.DownloadOptions{MaxSize: 8999})
	require.ErrorIs(t, err, supportbee.ErrResponseTooLarge, "the limit is that of the unpacked file")
}

// A storage link works once: a retry must begin at the API.
func TestDownloadStartsAgainAtTheAPI(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault supportbeetest.Fault
		file  bool // whether only DownloadFile can retry
	}{
		"lost":      {fault: supportbeetest.AfterHandling(supportbeetest.Drop())},
		"502":       {fault: supportbeetest.AfterHandling(supportbeetest.Status(502))},
		"expired":   {fault: supportbeetest.Status(403)},
		"HTML page": {fault: supportbeetest.AfterHandling(supportbeetest.HTMLPage(200))},
		"cut":       {fault: supportbeetest.DropBody(), file: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t)
			client := desk.Client(quick)
			file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader(strings.Repeat("x", 100_000)), nil)
			require.NoError(t, err)
			desk.Inject(supportbeetest.Match{Op: "Attachments.Storage", Times: 1}, tt.fault)
			var out bytes.Buffer
			if tt.file {
				require.Error(t, client.Attachments.Download(t.Context(), *file, &out, nil), "what was written cannot be taken back")
				desk.AssertRequests(t, "Attachments.Storage", 1)
				desk.Inject(supportbeetest.Match{Op: "Attachments.Storage", Times: 1}, tt.fault)
				path := filepath.Join(t.TempDir(), "file")
				require.NoError(t, client.Attachments.DownloadFile(t.Context(), *file, path, nil))
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.Equal(t, strings.Repeat("x", 100_000), string(data))
				desk.AssertRequests(t, "Attachments.Storage", 3)
				desk.AssertRequests(t, "Attachments.Download", 3)
				return
			}
			require.NoError(t, client.Attachments.Download(t.Context(), *file, &out, nil))
			assert.Equal(t, 100_000, out.Len())
			desk.AssertRequests(t, "Attachments.Storage", 2)
			desk.AssertRequests(t, "Attachments.Download", 2)
		})
	}
}

// A download makes as many attempts as the policy allows, and waits between them.
func TestDownloadKeepsToTheRetryPolicy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		start := time.Now()
		client := newClient(t, supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 3, MinBackoff: time.Second}), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			times = append(times, time.Since(start))
			res := respond(req, http.StatusOK, "half")
			res.ContentLength = 8
			return res, nil
		})))
		path := filepath.Join(t.TempDir(), "file")
		err := client.Attachments.DownloadFile(t.Context(), untyped, path, nil)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, "(request the-request, 3 attempts)")
		require.Len(t, times, 3)
		assert.GreaterOrEqual(t, times[1], time.Second/8)
		assert.GreaterOrEqual(t, times[2]-times[1], 2*time.Second/8)

		times, start = nil, time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/16)
		defer cancel()
		require.ErrorIs(t, client.Attachments.DownloadFile(ctx, untyped, path, nil), io.ErrUnexpectedEOF)
		assert.Len(t, times, 1, "no wait beyond the deadline")
	})
}

// A cut download goes on where it was cut, if the server says that it can and the file is the same.
func TestDownloadFileContinues(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	type reply struct {
		status int
		header map[string]string
		body   string
		length int64
	}
	whole := func(h map[string]string) reply { return reply{200, h, text[:4], 10} }
	strong := map[string]string{"Accept-Ranges": "bytes", "Etag": `"1"`}
	dated := map[string]string{"Accept-Ranges": "bytes", "Last-Modified": "Sun, 01 Mar 2026 10:00:00 GMT", "Date": "Sun, 01 Mar 2026 10:00:01 GMT"}
	part := func(contentRange, body string) reply {
		return reply{206, map[string]string{"Content-Range": contentRange, "Etag": `"1"`}, body, int64(len(body))}
	}
	full := reply{200, nil, text, 10}
	for name, tt := range map[string]struct {
		replies []reply
		ranges  []string
		want    string
	}{
		"entity tag":     {[]reply{whole(strong), part("bytes 4-9/10", text[4:])}, []string{"", `bytes=4- "1"`}, text},
		"twice":          {[]reply{whole(strong), {206, map[string]string{"Content-Range": "bytes 4-9/10"}, "45", 6}, part("bytes 6-9/*", text[6:])}, []string{"", `bytes=4- "1"`, `bytes=6- "1"`}, text},
		"date":           {[]reply{whole(dated), part("bytes 4-9/10", text[4:])}, []string{"", "bytes=4- Sun, 01 Mar 2026 10:00:00 GMT"}, text},
		"recent date":    {[]reply{whole(map[string]string{"Accept-Ranges": "bytes", "Last-Modified": dated["Date"], "Date": dated["Date"]}), full}, []string{"", ""}, text},
		"weak tag":       {[]reply{whole(map[string]string{"Accept-Ranges": "bytes", "Etag": `W/"1"`}), full}, []string{"", ""}, text},
		"no ranges":      {[]reply{whole(map[string]string{"Etag": `"1"`}), full}, []string{"", ""}, text},
		"another file":   {[]reply{whole(strong), {200, nil, "new", 3}}, []string{"", `bytes=4- "1"`}, "new"},
		"another part":   {[]reply{whole(strong), part("bytes 5-9/10", text[5:]), full}, []string{"", `bytes=4- "1"`, ""}, text},
		"another length": {[]reply{whole(strong), part("bytes 4-9/11", text[4:]), full}, []string{"", `bytes=4- "1"`, ""}, text},
		"another tag":    {[]reply{whole(strong), {206, map[string]string{"Content-Range": "bytes 4-9/10", "Etag": `"2"`}, text[4:], 6}, full}, []string{"", `bytes=4- "1"`, ""}, text},
		"another date": {
			[]reply{whole(dated), {206, map[string]string{"Content-Range": "bytes 4-9/10", "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"}, text[4:], 6}, full},
			[]string{"", "bytes=4- Sun, 01 Mar 2026 10:00:00 GMT", ""},
			text,
		},
		"unknown length":   {[]reply{{200, strong, text[:4], -1}, part("bytes 4-5/10", "45"), part("bytes 6-9/10", text[6:])}, []string{"", `bytes=4- "1"`, `bytes=6- "1"`}, text},
		"beyond its end":   {[]reply{{200, strong, text[:4], -1}, part("bytes 4-9/9", text[4:]), full}, []string{"", `bytes=4- "1"`, ""}, text},
		"odd length":       {[]reply{{200, strong, text[:4], -1}, part("bytes 4-9/ten", text[4:]), full}, []string{"", `bytes=4- "1"`, ""}, text},
		"not satisfiable":  {[]reply{whole(strong), {416, nil, "", 0}, full}, []string{"", `bytes=4- "1"`, ""}, text},
		"failed meanwhile": {[]reply{whole(strong), {502, nil, "", 0}, part("bytes 4-9/10", text[4:])}, []string{"", `bytes=4- "1"`, `bytes=4- "1"`}, text},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ranges []string
			client := newClient(t, quick, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				ranges = append(ranges, strings.TrimSpace(req.Header.Get("Range")+" "+req.Header.Get("If-Range")))
				if len(ranges) > len(tt.replies) {
					return respond(req, http.StatusTeapot, ""), nil
				}
				reply := tt.replies[len(ranges)-1]
				res := respond(req, reply.status, reply.body)
				res.ContentLength = reply.length
				if reply.length < 0 {
					res.Body = io.NopCloser(io.MultiReader(res.Body, iotest.ErrReader(io.ErrUnexpectedEOF)))
				}
				for key, value := range reply.header {
					res.Header.Set(key, value)
				}
				return res, nil
			})))
			dir := t.TempDir()
			var last int64
			sum := sha256.New()
			_, _ = sum.Write([]byte("of something else"))
			err := client.Attachments.DownloadFile(t.Context(), untyped, filepath.Join(dir, "file"), &supportbee.DownloadOptions{
				Progress: func(done, _ int64) { last = done }, Hash: sum,
			})
			require.NoError(t, err)
			assertFiles(t, dir, "file="+tt.want)
			assert.Equal(t, sha256.Sum256([]byte(tt.want)), [sha256.Size]byte(sum.Sum(nil)))
			assert.Equal(t, tt.ranges, ranges)
			assert.EqualValues(t, len(tt.want), last)
		})
	}
}

func TestDownloadFileChecksThePath(t *testing.T) {
	t.Parallel()
	client := offline(t, "the-token")
	dir := t.TempDir()
	file, link, dirLink := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "dirlink")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o600))
	if err := os.Symlink(file, link); err != nil {
		t.Skip("no symbolic links here")
	}
	require.NoError(t, os.Symlink(dir, dirLink))
	for _, path := range []string{link, dirLink, dir, os.DevNull} {
		err := client.Attachments.DownloadFile(t.Context(), untyped, path, nil)
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument, path)
	}
	data, err := os.ReadFile(link)
	require.NoError(t, err)
	assert.Equal(t, "old", string(data))

	dangling := filepath.Join(dir, "dangling")
	require.NoError(t, os.Symlink(filepath.Join(dir, "none"), dangling))
	require.NoError(t, always(t, http.StatusOK, "new").Attachments.DownloadFile(t.Context(), untyped, dangling, nil))
	info, err := os.Lstat(dangling)
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular())
}

func TestDownloadPanicLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	assert.PanicsWithValue(t, "the progress", func() {
		_ = always(t, http.StatusOK, "new").Attachments.DownloadFile(t.Context(), untyped, filepath.Join(dir, "file"), &supportbee.DownloadOptions{
			Progress: func(int64, int64) { panic("the progress") },
		})
	})
	assertFiles(t, dir)
}

func TestAttachmentURLs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ base, url, want string }{
		{base: "https://proxy.example/desk", url: "/attachments/1", want: "https://proxy.example/desk/attachments/1"},
		{base: "https://proxy.example/desk", url: "attachments/1?a=b", want: "https://proxy.example/desk/attachments/1?a=b"},
		{base: "https://proxy.example/desk", url: "/desk/attachments/1", want: "https://proxy.example/desk/attachments/1"},
		{base: "https://proxy.example/desk", url: "/desktop/1", want: "https://proxy.example/desk/desktop/1"},
		{base: "https://proxy.example/desk", url: "/a%2Fb/c%20d", want: "https://proxy.example/desk/a%2Fb/c%20d"},
		{base: "https://proxy.example/desk", url: "/../admin", want: "has a URL outside the path of the base URL"},
		{base: "https://proxy.example/desk", url: "/desk/../admin", want: "has a URL outside the path of the base URL"},
		{base: "https://proxy.example/desk", url: "https://proxy.example/attachments/1", want: "https://proxy.example/attachments/1"},
		{base: "https://proxy.example/desk", url: "//files.example/1", want: "https://files.example/1"},
		{base: "https://proxy.example", url: "/attachments/1", want: "https://proxy.example/attachments/1"},
		{base: "https://proxy.example", url: "/100%.pdf?q=5%&r=%zz", want: "https://proxy.example/100%25.pdf?q=5%25&r=%25zz"},
		{base: "https://proxy.example", url: "/a%20b%", want: "https://proxy.example/a%20b%25"},
		{base: "https://proxy.example", url: " /a b.pdf?name=a b ü\n", want: "https://proxy.example/a%20b.pdf?name=a%20b%20%C3%BC"},
		{base: "https://proxy.example", url: "/a\nb", want: "has a URL that cannot be parsed"},
		{base: "https://proxy.example", url: "http://127.0.0.1/x", want: "plain HTTP is not allowed with a base URL of https"},
		{base: "http://localhost", url: "http://127.0.0.1/x", want: "http://127.0.0.1/x"},
	} {
		var got string
		client := newClient(t, supportbee.WithBaseURL(tt.base), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			got = req.URL.String()
			return respond(req, http.StatusOK, "x"), nil
		})))
		err := client.Attachments.Download(t.Context(), supportbee.Attachment{URL: supportbee.AttachmentURL{Original: tt.url}}, io.Discard, nil)
		if strings.Contains(tt.want, "://") {
			require.NoError(t, err, tt.url)
			assert.Equal(t, tt.want, got)
		} else {
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument, tt.url)
			require.ErrorContains(t, err, tt.want)
		}
	}
}

func TestDownloadFollowsNoRedirectToPlainHTTP(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		assert.Equal(t, "https", req.URL.Scheme)
		res := respond(req, http.StatusFound, "")
		res.Header.Set("Location", "http://127.0.0.1/x?signature=secret")
		return res, nil
	})))
	err := client.Attachments.Download(t.Context(), untyped, io.Discard, nil)
	require.ErrorContains(t, err, "plain HTTP is not allowed with a base URL of https")
	assert.NotContains(t, fmt.Sprintf("%+v", err), "secret")
}

// The URL of a storage host is as good as the file.
func TestDownloadHidesTheStorageURL(t *testing.T) {
	t.Parallel()
	const signed = "https://storage.example/key?X-Signature=secret"
	for name, tt := range map[string]struct {
		location string
		storage  func(req *http.Request) (*http.Response, error)
	}{
		"unparsable":   {location: "https://storage.example/%zz?X-Signature=secret"},
		"other scheme": {location: "ftp://storage.example/?X-Signature=secret"},
		"net/http":     {location: signed, storage: func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") }},
		"wrapped": {location: signed, storage: func(*http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Get", URL: signed, Err: errors.New("reset")}
		}},
		"text": {location: signed, storage: func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy: GET %s: reset", req.URL)
		}},
		"query in a text": {location: signed, storage: func(req *http.Request) (*http.Response, error) {
			return nil, fmt.Errorf("proxy: %s: reset", req.URL.RequestURI())
		}},
		"body": {location: signed, storage: func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusOK, "")
			res.Body, res.ContentLength = io.NopCloser(iotestErr{fmt.Errorf("read %s: reset", req.URL)}), -1
			return res, nil
		}},
		"redirect elsewhere": {location: signed, storage: func(req *http.Request) (*http.Response, error) {
			res := respond(req, http.StatusFound, "")
			res.Header.Set("Location", signed)
			return res, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var seen []any
			client := newClient(t, supportbee.WithoutRetry(),
				supportbee.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
				supportbee.WithObserver(supportbee.Observer{
					Attempt: func(_ context.Context, a supportbee.Attempt) { seen = append(seen, a.Err) },
					End: func(_ context.Context, _ supportbee.Operation, res supportbee.Response, err error) {
						seen = append(seen, res, err)
					},
				}),
				supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
					if req.URL.Host == "storage.example" {
						return tt.storage(req)
					}
					res := respond(req, http.StatusFound, "")
					res.Header.Set("Location", tt.location)
					return res, nil
				})))
			err := client.Attachments.Download(t.Context(), untyped, io.Discard, nil)
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr)
			chain := ""
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				chain += fmt.Sprintf("%v\n%+v\n", cause, cause)
			}
			all := chain + log.String() + fmt.Sprintf("%v %+v", seen, seen) + fmt.Sprint(apiErr.Header)
			assert.NotContains(t, all, "secret")
		})
	}
}

// iotestErr is a reader that fails.
type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

// leftovers returns the temporary files in a directory.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".supportbee-*.tmp"))
	require.NoError(t, err)
	return names
}

// Killed downloads leave one temporary file, which the next one deletes; but not one in use.
func TestDownloadFileHasOneTemporaryFile(t *testing.T) {
	t.Parallel()
	started, proceed := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = io.WriteString(w, "slow ")
			_ = http.NewResponseController(w).Flush()
			started <- struct{}{}
			<-proceed
		}
		_, _ = io.WriteString(w, "file")
	}))
	t.Cleanup(server.Close)
	client := newClient(t, supportbee.WithBaseURL(server.URL))
	at := func(path string) supportbee.Attachment {
		return supportbee.Attachment{URL: supportbee.AttachmentURL{Original: path}}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	slow := make(chan error)
	go func() { slow <- client.Attachments.DownloadFile(t.Context(), at("/slow"), path, nil) }()
	<-started
	held := leftovers(t, dir)
	require.Len(t, held, 1)
	require.NoError(t, client.Attachments.DownloadFile(t.Context(), at("/fast"), path, nil))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "file", string(data))
	assert.Equal(t, held, leftovers(t, dir), "another download uses it")
	close(proceed)
	require.NoError(t, <-slow)
	assertFiles(t, dir, "file=slow file")

	// As if the program was killed: the file is there, and nobody holds it.
	require.NoError(t, os.WriteFile(held[0], []byte("half"), 0o644))
	second := strings.Replace(held[0], "-0.tmp", "-1.tmp", 1)
	require.NoError(t, os.WriteFile(second, []byte("half"), 0o600))
	other := filepath.Join(dir, ".supportbee-000000000000-0.tmp")
	require.NoError(t, os.WriteFile(other, []byte("of another target"), 0o600))
	require.NoError(t, client.Attachments.DownloadFile(t.Context(), at("/fast"), path, nil))
	assertFiles(t, dir, ".supportbee-000000000000-0.tmp=of another target", "file=file")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}
