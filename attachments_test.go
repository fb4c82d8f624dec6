package supportbee_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// untyped is an attachment whose content type is not known.
var untyped = supportbee.Attachment{URL: photo.URL}

// got is what a server saw of an upload.
type got struct {
	length                                     int64
	field, disposition, contentType, file, end string
}

// uploads is a server that takes uploads apart.
func uploads(t *testing.T) (*supportbee.Client, *got) {
	t.Helper()
	seen := &got{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if !assert.NoError(t, err) {
			return
		}
		part, err := form.NextPart()
		if !assert.NoError(t, err) {
			return
		}
		data, err := io.ReadAll(part)
		assert.NoError(t, err)
		_, end := form.NextPart()
		*seen = got{r.ContentLength, part.FormName(), part.Header.Get("Content-Disposition"), part.Header.Get("Content-Type"), string(data), fmt.Sprint(end)}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, fixture(t, "attachment.json"))
	}))
	t.Cleanup(server.Close)
	return newClient(t, supportbee.WithBaseURL(server.URL)), seen
}

// plain hides everything of a reader but Read.
type plain struct{ io.Reader }

func TestUploadSources(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	path := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	offset, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { offset.Close() })
	_, err = offset.Seek(4, io.SeekStart)
	require.NoError(t, err)
	read := strings.NewReader("xx" + text)
	_, _ = io.CopyN(io.Discard, read, 2)
	for name, tt := range map[string]struct {
		source io.Reader
		known  bool
		want   string
	}{
		"*os.File":            {file, true, text},
		"*os.File, half read": {offset, true, text[4:]},
		"*bytes.Reader":       {bytes.NewReader([]byte(text)), true, text},
		"*strings.Reader":     {read, true, text},
		"*bytes.Buffer":       {bytes.NewBufferString(text), true, text},
		"seeker":              {struct{ io.ReadSeeker }{strings.NewReader(text)}, true, text},
		"reader":              {plain{strings.NewReader(text)}, false, text},
		"empty":               {strings.NewReader(""), true, ""},
		"empty reader":        {plain{strings.NewReader("")}, false, ""},
		"large reader":        {plain{strings.NewReader(strings.Repeat(text, 200_000))}, false, strings.Repeat(text, 200_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, seen := uploads(t)
			attachment, err := client.Attachments.Upload(t.Context(), "a", tt.source, nil)
			require.NoError(t, err)
			assert.Equal(t, &photo, attachment)
			assert.Equal(t, tt.want, seen.file)
			assert.Equal(t, "files[]", seen.field)
			assert.Equal(t, "EOF", seen.end, "one part, and a whole form")
			assert.Equal(t, tt.known, seen.length > int64(len(tt.want)), "Content-Length %d", seen.length)
		})
	}
}

// restless is a file whose length changes after it was measured.
type restless struct {
	io.Reader
	told int64
}

func (r *restless) Seek(_ int64, whence int) (int64, error) {
	if whence == io.SeekEnd {
		return r.told, nil
	}
	return 0, nil
}

// What grows meanwhile is sent as it was; what shrinks is an error, never half a file.
func TestUploadOfAFileThatChanges(t *testing.T) {
	t.Parallel()
	client, seen := uploads(t)
	_, err := client.Attachments.Upload(t.Context(), "a.txt", &restless{strings.NewReader("0123456789 and more"), 10}, nil)
	require.NoError(t, err)
	assert.Equal(t, "0123456789", seen.file)

	desk := supportbeetest.New(t)
	_, err = desk.Client().Attachments.Upload(t.Context(), "a.txt", &restless{strings.NewReader("0123"), 10}, nil)
	require.Error(t, err)
	assert.NotErrorIs(t, err, supportbee.ErrMalformedResponse)
	assert.Nil(t, desk.File(1))
}

func TestUploadNamesAndTypes(t *testing.T) {
	t.Parallel()
	png := "\x89PNG\r\n\x1a\n0000"
	for _, tt := range []struct {
		name, content     string
		contentType       string
		filename, typeSet string
	}{
		{"a.html", "x", "", "a.html", "text/html; charset=utf-8"},
		{"picture", png, "", "picture", "image/png"},
		{"picture.unknown", png, "", "picture.unknown", "image/png"},
		{"nothing", "", "", "nothing", "text/plain; charset=utf-8"},
		{"a.html", "x", "application/x-own", "a.html", "application/x-own"},
		{`say "hi".txt`, "x", "", "say %22hi%22.txt", "text/plain; charset=utf-8"},
		{"two\r\nlines\n.txt", "x", "", "two%0D%0Alines%0A.txt", "text/plain; charset=utf-8"},
		{"a\"\r\nX-Evil: 1\r\n\r\nbody.txt", "x", "", "a%22%0D%0AX-Evil: 1%0D%0A%0D%0Abody.txt", "text/plain; charset=utf-8"},
		{"Größe 日本.txt", "x", "", "Größe 日本.txt", "text/plain; charset=utf-8"},
		{"bell\x07nul\x00del\x7f.txt", "x", "", "bell_nul_del_.txt", "text/plain; charset=utf-8"},
		{"bad\xffbytes.txt", "x", "", "bad�bytes.txt", "text/plain; charset=utf-8"},
		{`back\slash.txt`, "x", "", `back%5Cslash.txt`, "text/plain; charset=utf-8"},
	} {
		for _, source := range []io.Reader{strings.NewReader(tt.content), plain{strings.NewReader(tt.content)}} {
			client, seen := uploads(t)
			_, err := client.Attachments.Upload(t.Context(), tt.name, source, &supportbee.UploadOptions{ContentType: tt.contentType})
			require.NoError(t, err)
			assert.Equal(t, `form-data; name="files[]"; filename="`+tt.filename+`"`, seen.disposition)
			assert.Equal(t, tt.typeSet, seen.contentType)
			assert.Equal(t, tt.content, seen.file, "the bytes that told the type are sent, too")
		}
	}
}

func TestUploadAnswers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"attachment.json", "attachment_wrapped.json", "attachment_list.json"} {
		attachment, err := always(t, http.StatusCreated, fixture(t, name)).Attachments.Upload(t.Context(), "a", strings.NewReader("x"), nil)
		require.NoError(t, err, name)
		assert.Equal(t, &photo, attachment)
	}
}

func TestUploadRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	client := offline(t, "the-token")
	folder := t.TempDir()
	for want, err := range map[string]error{
		"Attachments.Upload: invalid argument: name is required":                             second(client.Attachments.Upload(t.Context(), " ", strings.NewReader("x"), nil)),
		"Attachments.Upload: invalid argument: r must not be nil":                            second(client.Attachments.Upload(t.Context(), "a", nil, nil)),
		"Attachments.Upload: invalid argument: r has 3 bytes, MaxSize is 2":                  second(client.Attachments.Upload(t.Context(), "a", strings.NewReader("xxx"), &supportbee.UploadOptions{MaxSize: 2})),
		"Attachments.Upload: invalid argument: MaxSize must be positive, got -1":             second(client.Attachments.Upload(t.Context(), "a", strings.NewReader("x"), &supportbee.UploadOptions{MaxSize: -1})),
		"Attachments.Upload: invalid argument: ContentType must not have control characters": second(client.Attachments.Upload(t.Context(), "a", strings.NewReader("x"), &supportbee.UploadOptions{ContentType: "a\r\nb"})),
		"Attachments.UploadFile: invalid argument: path must be that of a regular file":      second(client.Attachments.UploadFile(t.Context(), folder, nil)),
	} {
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		require.EqualError(t, err, "supportbee: "+want)
	}
	_, err := client.Attachments.UploadFile(t.Context(), filepath.Join(folder, "none"), nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = client.Attachments.Upload(t.Context(), "a", plain{&failing{}}, nil)
	require.ErrorContains(t, err, "supportbee: Attachments.Upload: POST /attachments: reading the source: the disk is gone")
}

func second[T any](_ T, err error) error { return err }

// failing is a source that breaks after some bytes.
type failing struct{ left int }

func (f *failing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errors.New("the disk is gone")
	}
	n := min(len(p), f.left)
	f.left -= n
	return n, nil
}

func TestUploadOfASourceThatBreaks(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	_, err := desk.Client().Attachments.Upload(t.Context(), "a.bin", plain{&failing{left: 100_000}}, nil)
	require.ErrorContains(t, err, "the disk is gone")
	_, err = desk.Client().Attachments.Upload(t.Context(), "a.bin", plain{strings.NewReader(strings.Repeat("x", 100_000))}, &supportbee.UploadOptions{MaxSize: 99_999})
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	_, err = desk.Client().Attachments.Upload(t.Context(), "a.bin", plain{strings.NewReader(strings.Repeat("x", 100_000))}, &supportbee.UploadOptions{MaxSize: 100_000})
	require.NoError(t, err)
}

func TestUploadFileAndProgress(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	path := filepath.Join(t.TempDir(), "notes.txt")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	var mu sync.Mutex
	var steps []int64
	file, err := desk.Client().Attachments.UploadFile(t.Context(), path, &supportbee.UploadOptions{Progress: func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, done)
		assert.EqualValues(t, len(content), total)
	}})
	require.NoError(t, err)
	assert.Equal(t, "notes.txt", file.Filename)
	data := desk.File(file.ID)
	assert.True(t, bytes.Equal(content, data))
	assert.True(t, slices.IsSorted(steps))
	assert.EqualValues(t, len(content), steps[len(steps)-1])
	assert.Greater(t, len(steps), 5)
}

// A file is sent again whole, where it can be read again; and only after a 429.
func TestUploadsAreRepeatedWhole(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("x", 300_000)
	for name, tt := range map[string]struct {
		source   io.Reader
		fault    supportbeetest.Fault
		requests int
		want     error
	}{
		"429, seekable":     {strings.NewReader(content), supportbeetest.AfterHandling(supportbeetest.Status(429)), 2, nil},
		"429, early answer": {strings.NewReader(content), supportbeetest.Status(429), 2, nil},
		"429, stream":       {plain{strings.NewReader(content)}, supportbeetest.Status(429), 1, supportbee.ErrRateLimited},
		"502":               {strings.NewReader(content), supportbeetest.Status(502), 1, supportbee.ErrOutcomeUnknown},
		"cut":               {strings.NewReader(content), supportbeetest.AfterHandling(supportbeetest.Drop()), 1, supportbee.ErrOutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t)
			desk.Inject(supportbeetest.Match{Op: "Attachments.Upload", Times: 1}, tt.fault)
			file, err := desk.Client().Attachments.Upload(t.Context(), "a.bin", tt.source, nil)
			require.ErrorIs(t, err, tt.want)
			desk.AssertRequests(t, "Attachments.Upload", tt.requests)
			if err == nil {
				data := desk.File(file.ID)
				assert.Equal(t, content, string(data))
			}
		})
	}
}

// What is sent again is counted again.
func TestProgressBeginsAnewWithEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := &flaky{turns: []int{429, 201}}
		var steps []int64
		for _, source := range []io.Reader{strings.NewReader("0123456789"), plain{strings.NewReader("0123456789")}} {
			_, err := newClient(t, supportbee.WithTransport(fake)).Attachments.Upload(t.Context(), "a.txt", source,
				&supportbee.UploadOptions{Progress: func(done, total int64) { steps = append(steps, done, total) }})
			require.ErrorIs(t, err, supportbee.ErrMalformedResponse, "the answer is no attachment")
		}
		assert.Equal(t, []int64{10, 10, 10, 10, 10, -1}, steps)
	})
}

// lateReader is a transport that answers at once and reads the body later, as HTTP/1 may.
type lateReader struct{ body io.ReadCloser }

func (l *lateReader) RoundTrip(req *http.Request) (*http.Response, error) {
	l.body = req.Body
	return respond(req, http.StatusBadRequest, ""), nil
}

// When Upload has returned, the source is the caller's again.
func TestNothingReadsTheSourceAfterAnUpload(t *testing.T) {
	t.Parallel()
	late := &lateReader{}
	source := strings.NewReader("0123456789")
	_, err := newClient(t, supportbee.WithTransport(late)).Attachments.Upload(t.Context(), "a.txt", plain{source}, nil)
	require.ErrorIs(t, err, supportbee.ErrValidation)
	_, err = io.ReadAll(late.body)
	require.ErrorIs(t, err, fs.ErrClosed)
	assert.Equal(t, 10, source.Len())
}

// 64 MiB go through without being held: all that is allocated for them is a small part.
func TestUploadTakesConstantMemory(t *testing.T) { //nolint:paralleltest // it counts the whole program's allocations
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		if n < 64<<20 || r.ContentLength != n {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	defer server.Close()
	client := newClient(t, supportbee.WithBaseURL(server.URL))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := client.Attachments.Upload(t.Context(), "a.bin", bytes.NewReader(make([]byte, 64<<20)), nil)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20+4<<20), "64 MiB are the source itself")
}

// storage is a desk's server and the host that its files are on.
func storage(t *testing.T, file http.HandlerFunc) (client *supportbee.Client, attachment supportbee.Attachment, direct supportbee.Attachment) {
	t.Helper()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Authorization", "Cookie", "Referer"} {
			assert.Empty(t, r.Header.Get(name), name)
		}
		assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"), "the file's own bytes and length")
		file(w, r)
	}))
	t.Cleanup(host.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer the-token", r.Header.Get("Authorization"))
		http.SetCookie(w, &http.Cookie{Name: "secure_code_session", Value: "x"})
		http.Redirect(w, r, host.URL+"/bucket/key?signature=abc", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	return newClient(t, supportbee.WithBaseURL(server.URL)),
		supportbee.Attachment{Filename: "../../evil", URL: supportbee.AttachmentURL{Original: server.URL + "/attachments/1"}},
		supportbee.Attachment{URL: supportbee.AttachmentURL{Original: host.URL + "/direct"}}
}

func serveText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

func TestDownload(t *testing.T) {
	t.Parallel()
	client, attachment, direct := storage(t, serveText("the file"))
	relative := supportbee.Attachment{URL: supportbee.AttachmentURL{Original: "/attachments/1"}}
	for _, a := range []supportbee.Attachment{attachment, direct, relative} {
		var out bytes.Buffer
		var steps []int64
		require.NoError(t, client.Attachments.Download(t.Context(), a, &out, &supportbee.DownloadOptions{Progress: func(done, total int64) {
			steps = append(steps, done, total)
		}}))
		assert.Equal(t, "the file", out.String())
		assert.Equal(t, []int64{8, 8}, steps)
	}
}

// The largest number there is must not come round to the smallest.
func TestTheLargestSizeIsNoLimit(t *testing.T) {
	t.Parallel()
	client := always(t, http.StatusOK, `{"labels":[{"name":"x"}]}`, supportbee.WithMaxResponseSize(math.MaxInt64))
	var out bytes.Buffer
	require.NoError(t, client.Attachments.Download(t.Context(), untyped, &out, &supportbee.DownloadOptions{MaxSize: math.MaxInt64}))
	assert.Equal(t, 25, out.Len())
	labels, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, labels, 1)
	uploader, seen := uploads(t)
	_, err = uploader.Attachments.Upload(t.Context(), "a", plain{strings.NewReader("x")}, &supportbee.UploadOptions{MaxSize: math.MaxInt64})
	require.NoError(t, err)
	assert.Equal(t, "x", seen.file)
}

func TestDownloadRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	client := offline(t, "the-token")
	for want, err := range map[string]error{
		"invalid argument: w must not be nil":                client.Attachments.Download(t.Context(), photo, nil, nil),
		"invalid argument: MaxSize must be positive, got -2": client.Attachments.Download(t.Context(), photo, io.Discard, &supportbee.DownloadOptions{MaxSize: -2}),
	} {
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		require.EqualError(t, err, "supportbee: Attachments.Download: "+want)
	}
}

// watched counts what is read of a body, and whether it was closed.
type watched struct {
	io.Reader
	read   int64
	closed bool
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	return n, err
}

func (w *watched) Close() error { w.closed = true; return nil }

// However a download ends, its connection is given back; and an error without end is not read on.
func TestDownloadsCloseTheBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		size   int64
		w      io.Writer
		opts   *supportbee.DownloadOptions
	}{
		"success":            {http.StatusOK, 10, io.Discard, nil},
		"too large":          {http.StatusOK, 10, io.Discard, &supportbee.DownloadOptions{MaxSize: 9}},
		"no room":            {http.StatusOK, 10, full{}, nil},
		"refused":            {http.StatusForbidden, 10, io.Discard, nil},
		"refused at length":  {http.StatusForbidden, 1 << 30, io.Discard, nil},
		"redirected nowhere": {http.StatusFound, 10, io.Discard, nil},
	} {
		body := &watched{Reader: &endless{left: tt.size}}
		client := newClient(t, supportbee.WithoutRetry(), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			res := respond(req, tt.status, "")
			res.Body, res.ContentLength = body, -1
			return res, nil
		})))
		err := client.Attachments.Download(t.Context(), untyped, tt.w, tt.opts)
		assert.Equal(t, name == "success", err == nil, name)
		assert.True(t, body.closed, name)
		assert.LessOrEqual(t, body.read, int64(64<<10), name)
	}
}

// full is a writer on a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errNoRoom }

var errNoRoom = errors.New("no room")

func TestDownloadsEndWithTheirWriterAndContext(t *testing.T) {
	t.Parallel()
	client, attachment, _ := storage(t, serveText("the file"))
	require.ErrorIs(t, client.Attachments.Download(t.Context(), attachment, full{}, nil), errNoRoom)

	ctx, cancel := context.WithCancel(t.Context())
	client, attachment, _ = storage(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	var steps []int64
	err := client.Attachments.Download(ctx, attachment, io.Discard, &supportbee.DownloadOptions{Progress: func(done, total int64) {
		steps = append(steps, done, total)
		cancel()
	}})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, []int64{4, -1}, steps, "its length is not known")
}

func TestDownloadsThatFail(t *testing.T) {
	t.Parallel()
	chunked := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, text)
		}
	}
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	refused := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":"The link has expired"}`)
	}
	for name, tt := range map[string]struct {
		file http.HandlerFunc
		want error
		text string
	}{
		"too large":           {serveText("0123456789"), supportbee.ErrResponseTooLarge, "200 OK: response too large: 10 bytes, the limit is 9"},
		"too large, not told": {chunked("0123456789"), supportbee.ErrResponseTooLarge, "200 OK: response too large: more than 9 bytes"},
		"cut":                 {cut, io.ErrUnexpectedEOF, "unexpected EOF"},
		"refused":             {refused, supportbee.ErrAccessDenied, "403 Forbidden: The link has expired"},
		"gone":                {http.NotFound, supportbee.ErrNotFound, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, attachment, _ := storage(t, tt.file)
			opts := &supportbee.DownloadOptions{MaxSize: 9}
			if name == "cut" {
				opts = nil
			}
			err := client.Attachments.Download(t.Context(), attachment, io.Discard, opts)
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, "supportbee: Attachments.Download: GET (attachment): ")
			require.ErrorContains(t, err, tt.text)
			require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)

			folder := t.TempDir()
			path := filepath.Join(folder, "file")
			require.ErrorIs(t, client.Attachments.DownloadFile(t.Context(), attachment, path, opts), tt.want)
			assertFiles(t, folder)
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
			require.ErrorIs(t, client.Attachments.DownloadFile(t.Context(), attachment, path, opts), tt.want)
			assertFiles(t, folder, "file=old")
		})
	}
}

// assertFiles checks what is in a folder.
func assertFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	var have []string
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
		have = append(have, entry.Name()+"="+string(data))
	}
	assert.Equal(t, want, have)
}

func TestDownloadFile(t *testing.T) {
	t.Parallel()
	client, attachment, _ := storage(t, serveText("new"))
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	for range 2 { // a new one, then in place of one
		require.NoError(t, client.Attachments.DownloadFile(t.Context(), attachment, path, nil))
		assertFiles(t, folder, "file=new")
		require.NoError(t, os.WriteFile(path, []byte("a longer, older one"), 0o600))
	}
	require.NoError(t, client.Attachments.DownloadFile(t.Context(), attachment, path, nil))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())

	err = client.Attachments.DownloadFile(t.Context(), attachment, folder, nil)
	require.EqualError(t, err, "supportbee: Attachments.DownloadFile: invalid argument: path must be that of a regular file or a new one")
	require.ErrorIs(t, client.Attachments.DownloadFile(t.Context(), attachment, "", nil), supportbee.ErrInvalidArgument)
	require.ErrorIs(t, client.Attachments.DownloadFile(t.Context(), attachment, filepath.Join(folder, "none", "file"), nil), fs.ErrNotExist)
}

func TestDownloadsKeepToSafeAddresses(t *testing.T) {
	t.Parallel()
	client := offline(t, "the-token")
	for raw, want := range map[string]string{
		"":                              "has no URL",
		"https://acme\x7f/":             "has a URL that cannot be parsed",
		"ftp://files.example/x":         `the scheme must be https or http, got "ftp"`,
		"file:///etc/passwd":            `the scheme must be https or http, got "file"`,
		"http://files.example/x":        "plain HTTP is allowed for loopback addresses only",
		"https://user:pw@files.example": "has a URL with a user name",
	} {
		err := client.Attachments.Download(t.Context(), supportbee.Attachment{URL: supportbee.AttachmentURL{Original: raw}}, io.Discard, nil)
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument, raw)
		require.ErrorContains(t, err, want)
	}

	// The same goes for where a redirect leads.
	redirect := transportFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == "files.example" {
			return respond(req, http.StatusOK, "the file"), nil
		}
		res := respond(req, http.StatusFound, "")
		res.Header.Set("Location", "http://files.example/x")
		return res, nil
	})
	err := newClient(t, supportbee.WithTransport(redirect)).Attachments.Download(t.Context(), untyped, io.Discard, nil)
	require.ErrorContains(t, err, "plain HTTP is allowed for loopback addresses only")
	var out bytes.Buffer
	require.NoError(t, newClient(t, supportbee.WithTransport(redirect), supportbee.WithInsecureHTTP()).Attachments.Download(t.Context(), untyped, &out, nil))
	assert.Equal(t, "the file", out.String())
}

// A form that is made as it is read is the form that the standard library makes.
func TestUploadFormIsTheStandardOne(t *testing.T) {
	t.Parallel()
	var body []byte
	var contentType string
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		body, _ = io.ReadAll(req.Body)
		contentType = req.Header.Get("Content-Type")
		assert.EqualValues(t, len(body), req.ContentLength)
		return respond(req, http.StatusCreated, `{"id":1}`), nil
	})))
	_, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"), nil)
	require.NoError(t, err)
	var want bytes.Buffer
	form := multipart.NewWriter(&want)
	require.NoError(t, form.SetBoundary(strings.TrimPrefix(contentType, "multipart/form-data; boundary=")))
	part, err := form.CreatePart(map[string][]string{"Content-Disposition": {`form-data; name="files[]"; filename="a.txt"`}, "Content-Type": {"text/plain; charset=utf-8"}})
	require.NoError(t, err)
	_, _ = part.Write([]byte("x"))
	require.NoError(t, form.Close())
	assert.Equal(t, want.String(), string(body))
}

// BenchmarkUpload64MiB tells the peak of the heap above what it was at the start. The source is
// no part of it: it makes its bytes as they are read.
func BenchmarkUpload64MiB(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	defer server.Close()
	client := newClient(b, supportbee.WithBaseURL(server.URL))
	heap := func(sample []metrics.Sample) uint64 {
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	newSample := func() []metrics.Sample { return []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}} }
	mine := newSample()
	var start, peak uint64
	var last atomic.Uint64
	done := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		sample := newSample() // outside the loop: sampling must not add to what it samples
		for {
			select {
			case <-done:
				return
			default:
				last.Store(max(last.Load(), heap(sample)))
				runtime.Gosched()
			}
		}
	})
	b.SetBytes(64 << 20)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		runtime.GC() // each upload on its own, not what they leave behind together
		start = heap(mine)
		last.Store(start)
		b.StartTimer()
		source := io.NewSectionReader(zeros{}, 0, 64<<20)
		if _, err := client.Attachments.Upload(b.Context(), "a.bin", source, nil); err != nil {
			b.Fatal(err)
		}
		peak = max(peak, last.Load()-start)
	}
	close(done)
	sampler.Wait()
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// zeros is a file without end.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
