package supportbee

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// UploadOptions configures an upload.
type UploadOptions struct {
	ContentType string                  // default by the file name's extension, then by content
	MaxSize     int64                   // in bytes; default no limit. A larger file is rejected
	Progress    func(done, total int64) // called as bytes are sent; total is -1 if unknown. A retry starts again at 0
}

// Upload uploads the content of r under the given file name. The ID of the result is for
// [ContentParams.AttachmentIDs]. If opts is nil, the defaults are used.
//
// The request has a Content-Length if the size is known, as that of an [*os.File], a
// [*bytes.Reader] and every other [io.Seeker]. It is retried, after status 429 or if the
// connection could not be made, only if r implements [io.ReaderAt], as those two do. A redirect is
// not followed. If r fails, ends early or exceeds MaxSize, the file was not uploaded and the error
// is not [ErrOutcomeUnknown].
//
// Upload is limited by ctx only, and returns when ctx ends even if a Read of
// r blocks. To end such a Read, it sets the read deadline of r, if r has one, as an [*os.File] of a
// pipe and a [net.Conn] have, and then removes it. It does not close r, which is the caller's, and
// which need not end a Read. A Read that goes on nevertheless, such as that of an [*io.PipeReader],
// may still be in progress when Upload returns; what it reads is lost. Close r to end it. Upload
// does not use r otherwise, and does not call Progress, after it has returned. A panic in r or
// Progress is that of Upload.
//
// API: POST /attachments
func (s *AttachmentsService) Upload(ctx context.Context, name string, r io.Reader, opts *UploadOptions) (*Attachment, error) {
	const op = "Attachments.Upload"
	up, err := newUpload(name, r, valueOf(opts))
	if err != nil {
		return nil, rejected(op, err)
	}
	out := new(Attachment)
	err = s.client.run(ctx, &roundTrip{out: result{one: out}, operation: operation{
		name: op, method: http.MethodPost, route: "/attachments", key: "attachment", alias: "attachments", bare: true,
	}}, up)
	if up.panicked != nil {
		panic(up.panicked) // in the caller's goroutine: that of the HTTP transport would end the program
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UploadFile uploads the named file, which must be a regular one, like
// [AttachmentsService.Upload]. Errors of the file system can be unwrapped.
func (s *AttachmentsService) UploadFile(ctx context.Context, path string, opts *UploadOptions) (*Attachment, error) {
	const op = "Attachments.UploadFile"
	// Opening a FIFO would block.
	if info, err := os.Stat(path); err != nil {
		return nil, &ArgumentError{Op: op, Field: "path", Reason: "cannot be opened", Err: err}
	} else if !info.Mode().IsRegular() {
		return nil, rejected(op, invalid("path", "must be that of a regular file"))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &ArgumentError{Op: op, Field: "path", Reason: "cannot be opened", Err: err}
	}
	defer file.Close()
	return s.Upload(ctx, filepath.Base(path), file, opts)
}

// upload is a multipart form with one file, which is written as it is read.
type upload struct {
	UploadOptions
	name     string
	source   io.Reader
	random   io.ReaderAt // the source, where each attempt can read it from its own place
	start    int64       // where in random the file begins
	size     int64       // -1 if it is not known
	prompt   bool        // whether a Read of the source never blocks
	boundary string
	first    []byte // what was read of the source, but for random, to find the content type

	current  atomic.Pointer[form] // the attempt that may read; nil when the upload has ended
	lock     chan struct{}        // held while an attempt reads the source or calls Progress; a mutex would stop the clock of a synctest bubble
	helper   *helper              // makes the reads that may be given up
	buffer   []byte               // of the helper
	failure  error                // why the whole file cannot be sent
	whole    bool                 // whether all of the form was read
	left     bool                 // whether a Read of the source was given up
	panicked any                  // the value of a panic in the source or Progress
}

func newUpload(name string, source io.Reader, opts UploadOptions) (*upload, error) {
	up := &upload{UploadOptions: opts, name: name, source: source, size: -1, boundary: "supportbee-" + rand.Text(), lock: make(chan struct{}, 1)}
	if up.MaxSize == 0 {
		up.MaxSize = math.MaxInt64
	}
	switch {
	case up.MaxSize < 0:
		return nil, invalid("MaxSize", "must be positive, got %d", up.MaxSize)
	case isBlank(name):
		return nil, invalid("name", "is required")
	case source == nil:
		return nil, invalid("r", "must not be nil")
	case strings.ContainsFunc(up.ContentType, isSeparator):
		return nil, invalid("ContentType", "must not have control characters")
	}
	switch source := source.(type) {
	case *bytes.Reader, *bytes.Buffer, *strings.Reader:
		up.prompt = true
	case *os.File:
		info, err := source.Stat()
		up.prompt = err == nil && info.Mode().IsRegular()
	}
	if err := up.measure(); err != nil {
		return nil, err
	}
	if up.size > up.MaxSize {
		return nil, invalid("r", "has %d bytes, MaxSize is %d", up.size, up.MaxSize)
	}
	return up, nil
}

// measure finds the size of the file, from the current position of the source to its end.
func (up *upload) measure() error {
	if buffer, ok := up.source.(*bytes.Buffer); ok {
		up.size = int64(buffer.Len())
		return nil
	}
	seeker, ok := up.source.(io.Seeker)
	if !ok {
		return nil
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil // such as a pipe: it is streamed without a length
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = seeker.Seek(start, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("finding the size of the source: %w", err)
	}
	up.start, up.size = start, max(end-start, 0)
	up.random, _ = up.source.(io.ReaderAt)
	return nil
}

// reader returns the source from where the file begins.
func (up *upload) reader() io.Reader {
	if up.random != nil {
		return io.NewSectionReader(up.random, up.start, up.size)
	}
	return up.source
}

// sniff sets the content type by name, or by the first bytes.
func (up *upload) sniff(ctx context.Context) error {
	if up.ContentType == "" {
		up.ContentType = mime.TypeByExtension(filepath.Ext(up.name))
	}
	if up.ContentType != "" {
		return nil
	}
	up.lock <- struct{}{}
	defer func() { <-up.lock }()
	source, first, n := up.reader(), make([]byte, 512), 0
	for n < len(first) {
		m, err := up.read(ctx, nil, source, first[n:])
		n += m
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	up.ContentType = http.DetectContentType(first[:n])
	if up.random == nil {
		up.first = first[:n]
	}
	return nil
}

func (up *upload) addHeader(h http.Header) {
	h["Content-Type"] = []string{"multipart/form-data; boundary=" + up.boundary}
}

// addBody makes the form the body of a request.
func (up *upload) addBody(req *http.Request) error {
	ctx := req.Context()
	if err := up.sniff(ctx); err != nil {
		return err
	}
	body := up.open(ctx)
	req.Body, req.GetBody, req.ContentLength = body, nil, -1
	if up.size >= 0 {
		req.ContentLength = int64(len(body.head)) + up.size + int64(len(body.tail))
	}
	if up.random != nil {
		req.GetBody = func() (io.ReadCloser, error) { return up.open(ctx), nil }
	}
	return nil
}

// open returns the form from its beginning. The reading by an earlier attempt ends: the HTTP
// transport may go on reading a body after the response.
func (up *upload) open(ctx context.Context) *form {
	f := &form{
		up: up, ctx: ctx, stop: make(chan struct{}), source: up.reader(),
		head: fmt.Appendf(nil, "--%s\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
			up.boundary, formFilename(up.name), up.ContentType),
		tail: fmt.Appendf(nil, "\r\n--%s--\r\n", up.boundary),
	}
	if up.random == nil {
		f.source = io.MultiReader(bytes.NewReader(up.first), up.source)
	}
	if last := up.current.Swap(f); last != nil {
		_ = last.Close()
	}
	return f
}

// close ends the reading by all attempts, and waits for what cannot be given up.
func (up *upload) close() {
	if last := up.current.Swap(nil); last != nil {
		_ = last.Close()
	}
	up.lock <- struct{}{}
	defer func() { <-up.lock }()
	if up.helper != nil {
		close(up.helper.reads)
		up.helper, up.left = nil, true
	}
}

// errGivenUp is the error of a Read that was not waited for.
var errGivenUp = fmt.Errorf("reading the source was given up: %w", fs.ErrClosed)

// read reads from r, which is the source or reads it. It returns when ctx or stop ends, whether
// the Read has returned or not. The caller must hold the lock.
func (up *upload) read(ctx context.Context, stop <-chan struct{}, r io.Reader, p []byte) (int, error) {
	switch {
	case up.failure != nil:
		return 0, up.failure
	case up.left:
		return 0, errGivenUp
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	}
	if up.prompt {
		got := readOnce(r, p)
		return got.n, up.check(got)
	}
	if up.helper == nil {
		up.helper = newHelper()
		up.buffer = make([]byte, 32<<10)
	}
	buffer, done := up.buffer[:min(len(p), len(up.buffer))], up.helper.done
	up.helper.reads <- pendingRead{r, buffer}
	var stopped error
	select {
	case got := <-done:
		return copy(p, buffer[:got.n]), up.check(got)
	case <-ctx.Done():
		stopped = context.Cause(ctx)
	case <-stop:
		stopped = errGivenUp
	}
	if up.interrupt(done) {
		return 0, stopped
	}
	up.left = true
	return 0, stopped
}

// patience is how long a Read that is in progress is waited for. Most sources do not block.
const patience = 250 * time.Millisecond

// interrupt ends the Read that sends to done, and reports whether it did.
func (up *upload) interrupt(done <-chan readResult) bool {
	if source, ok := up.source.(interface{ SetReadDeadline(t time.Time) error }); ok && source.SetReadDeadline(time.Unix(1, 0)) == nil {
		defer func() { _ = source.SetReadDeadline(time.Time{}) }()
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case got := <-done:
		_ = up.check(readResult{panicked: got.panicked})
		return true
	case <-timer.C:
		return false
	}
}

// helper is a goroutine that reads, so that a Read can be given up.
type helper struct {
	reads chan pendingRead
	done  chan readResult
}

// pendingRead is a Read to make.
type pendingRead struct {
	r io.Reader
	p []byte
}

func newHelper() *helper {
	h := &helper{reads: make(chan pendingRead, 1), done: make(chan readResult, 2)}
	go func() {
		got := readResult{err: errGoexit}
		defer func() { h.done <- got }() // for a Read that ended the goroutine
		for read := range h.reads {
			h.done <- readOnce(read.r, read.p)
		}
	}()
	return h
}

// readResult is what a Read returned.
type readResult struct {
	n        int
	err      error
	panicked any
}

func readOnce(r io.Reader, p []byte) (got readResult) {
	defer func() { got.panicked = recover() }()
	got.n, got.err = r.Read(p)
	return got
}

// check notes why the whole file cannot be sent.
func (up *upload) check(got readResult) error {
	switch {
	case got.panicked != nil:
		up.panicked, up.failure = got.panicked, errPanic
	case got.err != nil && got.err != io.EOF: //nolint:errorlint // as with io.Copy
		up.failure = fmt.Errorf("reading the source: %w", got.err)
	default:
		return got.err
	}
	return up.failure
}

var (
	errPanic  = errors.New("the source or Progress panicked")
	errGoexit = errors.New("the source ended its goroutine")
)

// report calls Progress.
func (up *upload) report(done int64) (err error) {
	if up.Progress == nil {
		return nil
	}
	defer func() { err = up.check(readResult{panicked: recover()}) }()
	up.Progress(done, up.size)
	return nil
}

// form is the body of one attempt.
type form struct {
	up         *upload
	ctx        context.Context //nolint:containedctx // of the attempt that it is the body of
	stop       chan struct{}
	stopOnce   sync.Once
	head, tail []byte // what is left of them
	source     io.Reader
	done       int64 // of the file
	ended      bool  // whether the file was read to its end
}

// Close gives up reading. It does not wait.
func (f *form) Close() error {
	f.stopOnce.Do(func() { close(f.stop) })
	return nil
}

func (f *form) Read(p []byte) (int, error) {
	f.up.lock <- struct{}{}
	defer func() { <-f.up.lock }()
	if f.up.current.Load() != f {
		return 0, fs.ErrClosed
	}
	select {
	case <-f.stop:
		return 0, fs.ErrClosed
	default:
	}
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	if !f.ended {
		if n, err := f.readFile(p); n > 0 || err != nil || !f.ended {
			return n, err
		}
	}
	n := copy(p, f.tail)
	if f.tail = f.tail[n:]; len(f.tail) == 0 {
		f.up.whole = true
		return n, io.EOF
	}
	return n, nil
}

// readFile reads from the file. A file that grows is sent as it was; one that shrinks is not sent.
func (f *form) readFile(p []byte) (int, error) {
	up := f.up
	if up.size >= 0 {
		p = p[:min(int64(len(p)), up.size-f.done)]
		if f.ended = f.done == up.size; f.ended {
			return 0, nil
		}
	}
	n, err := up.read(f.ctx, f.stop, f.source, p)
	f.done += int64(n)
	if f.done > up.MaxSize {
		up.failure = invalid("r", "is larger than MaxSize")
		return 0, up.failure
	}
	if n > 0 {
		if failed := up.report(f.done); failed != nil {
			return 0, failed
		}
	}
	switch {
	case err != io.EOF: //nolint:errorlint // read returns it as it is
		return n, err
	case f.done < up.size:
		up.failure = fmt.Errorf("the source ended after %d of %d bytes: %w", f.done, up.size, io.ErrUnexpectedEOF)
		return 0, up.failure
	}
	f.ended = true
	return n, nil
}

// formFilename returns a file name as browsers write it in the header of a form's part: in UTF-8,
// with characters that would end the quotes or the line percent-encoded. A backslash is encoded
// too, since some servers take it for the escape of what follows it.
func formFilename(name string) string {
	name = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A", `\`, "%5C").Replace(name)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
}
