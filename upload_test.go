package supportbee_test

import (
	"context"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// readsBody is a transport that reads the whole body before anything else, whatever the context.
var readsBody = transportFunc(func(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	return respond(req, http.StatusCreated, `{"id":1}`), nil
})

// An upload ends with its context even if the source blocks.
func TestUploadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(server.Close)
	for name, client := range map[string]*supportbee.Client{
		"net/http":  newClient(t, supportbee.WithBaseURL(server.URL)),
		"transport": newClient(t, supportbee.WithTransport(readsBody)),
	} {
		for file, contentType := range map[string]string{"sniffed": "", "typed": "text/plain"} {
			for kind, open := range map[string]func(t *testing.T) (io.ReadCloser, io.WriteCloser){
				"io.Pipe": func(*testing.T) (io.ReadCloser, io.WriteCloser) { return io.Pipe() },
				"net.Conn": func(*testing.T) (io.ReadCloser, io.WriteCloser) {
					return net.Pipe()
				},
				"os.File": func(t *testing.T) (io.ReadCloser, io.WriteCloser) {
					r, w, err := os.Pipe()
					require.NoError(t, err)
					return r, w
				},
			} {
				t.Run(name+" "+file+" "+kind, func(t *testing.T) {
					t.Parallel()
					r, w := open(t)
					defer w.Close()
					defer r.Close()
					ctx, cancel := context.WithCancel(t.Context())
					go func() {
						_, _ = io.WriteString(w, "some bytes")
						cancel()
					}()
					_, err := client.Attachments.Upload(ctx, file, r, &supportbee.UploadOptions{ContentType: contentType})
					require.ErrorIs(t, err, context.Canceled)
					require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown, "the file was not sent to its end")
					if kind == "io.Pipe" {
						return // its Read is still in progress
					}
					go func() { _, _ = io.WriteString(w, "|more") }()
					next := make([]byte, 16)
					for text := ""; !strings.HasSuffix(text, "|more"); {
						n, err := r.Read(next)
						require.NoError(t, err, "the deadline is removed")
						text += string(next[:n])
					}
				})
			}
		}
	}
}

// gated is a source whose reads wait.
type gated struct {
	gate  chan struct{}
	reads atomic.Int32
}

func (g *gated) Read(p []byte) (int, error) {
	g.reads.Add(1)
	<-g.gate
	return copy(p, "late"), nil
}

// After an upload, a Read that was in progress is the last use of the source.
func TestUploadHandsTheSourceBack(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"canceled": false, "early response": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				source := &gated{gate: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
					go func() { _, _ = io.Copy(io.Discard, req.Body) }()
					synctest.Wait()
					if early {
						return respond(req, http.StatusRequestEntityTooLarge, ""), nil
					}
					cancel()
					return nil, ctx.Err()
				})))
				calls := 0
				_, err := client.Attachments.Upload(ctx, "a.txt", source, &supportbee.UploadOptions{Progress: func(int64, int64) { calls++ }})
				if early {
					require.ErrorContains(t, err, "413")
				} else {
					require.ErrorIs(t, err, context.Canceled)
				}
				close(source.gate)
				synctest.Wait()
				assert.EqualValues(t, 1, source.reads.Load())
				assert.Zero(t, calls)
				cancel()
			})
		})
	}
}

// countingReader is a source that is no use to two goroutines.
type countingReader struct{ n int }

func (c *countingReader) Read(p []byte) (int, error) {
	c.n++
	return len(p), nil
}

// The race detector tells whether anything still reads the source or calls Progress.
func TestUploadDoesNotRace(t *testing.T) {
	t.Parallel()
	client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		started := make(chan struct{})
		go func() {
			_, _ = req.Body.Read(make([]byte, 1<<10))
			close(started)
			_, _ = io.Copy(io.Discard, req.Body)
		}()
		<-started
		return respond(req, http.StatusRequestEntityTooLarge, ""), nil
	})))
	for range 200 {
		source, calls := &countingReader{}, 0
		_, err := client.Attachments.Upload(t.Context(), "a.txt", source, &supportbee.UploadOptions{Progress: func(int64, int64) { calls++ }})
		require.Error(t, err)
		source.n, calls = 0, 0
		_ = calls
	}
}

// What was certainly not sent whole was not uploaded, whatever the response.
func TestUploadOfAPartIsADefiniteFailure(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		source io.Reader
		opts   supportbee.UploadOptions
		want   string
	}{
		"breaks":    {source: plain{&failing{left: 100_000}}, want: "reading the source: the disk is gone"},
		"shrinks":   {source: &restless{strings.NewReader("0123"), 10}, want: "the source ended after 4 of 10 bytes: unexpected EOF"},
		"too large": {source: plain{strings.NewReader("0123")}, opts: supportbee.UploadOptions{MaxSize: 3}, want: "invalid argument: r is larger than MaxSize"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t)
			_, err := desk.Client().Attachments.Upload(t.Context(), "a.bin", tt.source, &tt.opts)
			require.ErrorContains(t, err, tt.want)
			require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
			assert.Nil(t, desk.File(1))
		})
	}
}

// A panic in Progress or the source is the caller's, and nothing is left behind.
func TestUploadPanics(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]io.Reader{
		"prompt": strings.NewReader("0123456789"), "other": plain{strings.NewReader("0123456789")}, "source": plain{nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
				desk := supportbeetest.New(t)
				opts := &supportbee.UploadOptions{Progress: func(int64, int64) { panic("the progress") }}
				upload := func() { _, _ = desk.Client().Attachments.Upload(t.Context(), "a.txt", source, opts) }
				if name == "source" {
					assert.Panics(t, upload)
				} else {
					assert.PanicsWithValue(t, "the progress", upload)
				}
			})
		})
	}
}

func TestUploadFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		_, _ = io.WriteString(w, `{"id":1}`)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other.URL + "/x", "/x"} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/x" {
					elsewhere.Add(1)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				http.Redirect(w, r, target, status)
			}))
			_, err := newClient(t, supportbee.WithBaseURL(server.URL)).Attachments.Upload(t.Context(), "a.txt", strings.NewReader("x"), nil)
			server.Close()
			require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
			require.ErrorContains(t, err, "a create must not be sent twice")
		}
	}
	assert.Zero(t, elsewhere.Load())
}

func TestUploadKeepsBackslashes(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	file, err := desk.Client().Attachments.Upload(t.Context(), `C:\"a"\`, strings.NewReader("x"), nil)
	require.NoError(t, err)
	assert.Equal(t, `C:\"a"\`, file.Filename)
	assert.Equal(t, "x", string(desk.File(file.ID)))
}

// Whatever the name, the form has one part with one file in it.
func FuzzUploadName(f *testing.F) {
	for _, name := range []string{`back\`, `a"\`, `\\`, `C:\dir\a.txt`, "a\x00\"; filename=b", "%5C", "a\r\n\r\nb", ";", "ü\xff", `\"`} {
		f.Add(name, "")
	}
	f.Add("a", "text/plain\r\nX: y")
	f.Add("a", "text/plain\x7f")
	f.Add("a", "text/plain; name=\"ü\"")
	f.Fuzz(func(t *testing.T, name, contentType string) {
		seen := false
		client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			seen = true
			form := multipart.NewReader(req.Body, strings.TrimPrefix(req.Header.Get("Content-Type"), "multipart/form-data; boundary="))
			part, err := form.NextPart()
			require.NoError(t, err)
			assert.Equal(t, "files[]", part.FormName())
			assert.Len(t, part.Header, 2)
			_, params, found := strings.Cut(part.Header.Get("Content-Disposition"), `filename="`)
			assert.True(t, found)
			assert.NotContains(t, strings.TrimSuffix(params, `"`), `"`)
			assert.NotContains(t, params, `\`)
			data, err := io.ReadAll(part)
			require.NoError(t, err)
			assert.Equal(t, "x", string(data))
			_, err = form.NextPart()
			require.ErrorIs(t, err, io.EOF)
			return respond(req, http.StatusCreated, `{"id":1}`), nil
		})))
		_, err := client.Attachments.Upload(t.Context(), name, strings.NewReader("x"), &supportbee.UploadOptions{ContentType: contentType})
		if !seen {
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		}
	})
}
