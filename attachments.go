package supportbee

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
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
	"sync/atomic"
	"time"
)

// AttachmentID identifies an attachment.
type AttachmentID int64

// Attachment is a file of a ticket, reply or comment.
type Attachment struct {
	ID          AttachmentID               `json:"id"`
	CreatedAt   time.Time                  `json:"created_at,omitzero"`
	Filename    string                     `json:"filename"`     // chosen by the sender; do not use it as a path
	ContentType string                     `json:"content_type"` // may have parameters
	URL         AttachmentURL              `json:"url,omitzero"`
	Extra       map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (a *Attachment) usable() bool { return a.ID > 0 }

func (a *Attachment) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &a.ID)
	case "created_at":
		return readTime(r, &a.CreatedAt)
	case "filename":
		return readString(r, &a.Filename)
	case "content_type":
		return readString(r, &a.ContentType)
	case "url":
		return readObject(r, &a.URL)
	}
	return r.extra(&a.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a Attachment) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *Attachment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }

// AttachmentURL holds the URLs of an attachment. Requests to them require the token; see
// [AttachmentsService.Download].
type AttachmentURL struct {
	Original string                     `json:"original"`
	Thumb    string                     `json:"thumb,omitzero"` // a preview of an image; may be empty
	Extra    map[string]json.RawMessage `json:"-"`
}

func (u *AttachmentURL) readText(text string) { u.Original = text }

func (u *AttachmentURL) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "original":
		return readString(r, &u.Original)
	case "thumb":
		return readString(r, &u.Thumb)
	}
	return r.extra(&u.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (u AttachmentURL) MarshalJSON() ([]byte, error) { return marshalObject(u, u.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (u *AttachmentURL) UnmarshalJSON(data []byte) error { return unmarshalObject(data, u) }

// defaultMaxDownload is the size in bytes of the largest download by default.
const defaultMaxDownload = 1 << 30

// AttachmentsService uploads and downloads files. Files are streamed and never held in memory.
type AttachmentsService struct{ service }

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
// connection could not be made, only if r implements [io.ReaderAt], as those two do. Upload does
// not close r. It is limited by ctx only.
//
// API: POST /attachments
func (s *AttachmentsService) Upload(ctx context.Context, name string, r io.Reader, opts *UploadOptions) (*Attachment, error) {
	const op = "Attachments.Upload"
	up, err := newUpload(name, r, valueOf(opts))
	if err != nil {
		return nil, rejected(op, err)
	}
	defer up.close()
	out := new(Attachment)
	err = s.client.run(ctx, &roundTrip{out: result{one: out}, operation: operation{
		name: op, method: http.MethodPost, route: "/attachments", key: "attachment", alias: "attachments", bare: true,
	}}, up)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UploadFile uploads the named file, which must be a regular one, like
// [AttachmentsService.Upload]. Errors of the file system can be unwrapped.
func (s *AttachmentsService) UploadFile(ctx context.Context, path string, opts *UploadOptions) (*Attachment, error) {
	const op = "Attachments.UploadFile"
	file, err := os.Open(path)
	if err != nil {
		return nil, &ArgumentError{Op: op, Field: "path", Reason: "cannot be opened", Err: err}
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, &ArgumentError{Op: op, Field: "path", Reason: "cannot be read", Err: err}
	} else if !info.Mode().IsRegular() {
		return nil, rejected(op, invalid("path", "must be that of a regular file"))
	}
	return s.Upload(ctx, filepath.Base(path), file, opts)
}

// DownloadOptions configures a download.
type DownloadOptions struct {
	MaxSize  int64                   // in bytes; default 1 GiB. A larger file is [ErrResponseTooLarge]
	Progress func(done, total int64) // called as bytes are received; total is -1 if unknown
}

// Download writes the content of an attachment to w. If it fails, w may have received a part. If
// opts is nil, the defaults are used.
//
// The token is sent to the scheme, host and port of the base URL only: a redirect to a storage
// host is followed without it. Download is limited by ctx only.
func (s *AttachmentsService) Download(ctx context.Context, attachment Attachment, w io.Writer, opts *DownloadOptions) error {
	return s.download(ctx, "Attachments.Download", attachment, w, valueOf(opts))
}

// DownloadFile writes the content of an attachment to the named file, which is replaced as a whole
// or not at all. The attachment's own file name is not used. Only the owner can read the file.
//
// It writes to a temporary file in the same directory and renames it.
func (s *AttachmentsService) DownloadFile(ctx context.Context, attachment Attachment, path string, opts *DownloadOptions) (err error) {
	const op = "Attachments.DownloadFile"
	if isBlank(path) {
		return rejected(op, invalid("path", "is required"))
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return rejected(op, invalid("path", "must be that of a regular file or a new one"))
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".supportbee-*.tmp")
	if err != nil {
		return &ArgumentError{Op: op, Field: "path", Reason: "cannot be written", Err: err}
	}
	defer func() {
		if err != nil {
			_ = file.Close() // it may be closed already
			_ = os.Remove(file.Name())
		}
	}()
	if err := s.download(ctx, op, attachment, file, valueOf(opts)); err != nil {
		return err
	}
	for _, finish := range []func() error{file.Sync, file.Close, func() error { return os.Rename(file.Name(), path) }} {
		if err := finish(); err != nil {
			return &Error{Op: op, Method: http.MethodGet, Path: attachmentPath, StatusCode: http.StatusOK, Attempts: 1, Err: err}
		}
	}
	return nil
}

// attachmentPath stands for the URL of a download, which can be signed and hold a name.
const attachmentPath = "(attachment)"

func (s *AttachmentsService) download(ctx context.Context, name string, attachment Attachment, w io.Writer, opts DownloadOptions) error {
	c := s.client
	limit := opts.MaxSize
	if limit == 0 {
		limit = defaultMaxDownload
	}
	rt := roundTrip{operation: operation{name: name, route: attachmentPath}, path: attachmentPath, stream: true}
	// In a dry run, an uploaded file has neither an ID nor a URL.
	rt.zeroID = c.config.dryRun != nil && attachment.ID == 0 && attachment.URL.Original == ""
	if !rt.zeroID {
		rt.target, rt.invalid = c.attachmentURL(attachment.URL.Original)
	}
	switch {
	case w == nil:
		rt.invalid = invalid("w", "must not be nil")
	case limit < 0:
		rt.invalid = invalid("MaxSize", "must be positive, got %d", limit)
	}
	ctx, err := c.begin(ctx, &rt)
	if err != nil {
		return err
	}
	if err = c.send(ctx, &rt, nil); err == nil {
		err = rt.copyTo(w, limit, opts.Progress)
	}
	return c.end(ctx, &rt, err)
}

// copyTo copies the body of the response.
func (rt *roundTrip) copyTo(w io.Writer, limit int64, progress func(done, total int64)) error {
	res := rt.res
	defer res.Body.Close()
	if res.ContentLength > limit {
		return rt.failed(fmt.Errorf("%w: %d bytes, the limit is %d", ErrResponseTooLarge, res.ContentLength, limit))
	}
	body := &meter{Reader: res.Body, total: res.ContentLength, progress: progress}
	n, err := io.Copy(writerOnly{w}, io.LimitReader(body, max(limit, limit+1))) // the largest number has no successor
	switch {
	case err != nil:
		return rt.failed(err)
	case n > limit:
		return rt.failed(fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, limit))
	}
	return nil
}

// attachmentURL checks and completes the URL of an attachment.
func (c *Client) attachmentURL(raw string) (string, error) {
	if raw == "" {
		return "", invalid("attachment", "has no URL")
	}
	u, err := c.config.base.Parse(raw)
	if err != nil {
		return "", invalid("attachment", "has a URL that cannot be parsed")
	}
	if u.User != nil {
		return "", invalid("attachment", "has a URL with a user name")
	}
	if err := c.config.checkScheme(u); err != nil {
		return "", &ArgumentError{Field: "attachment", Reason: "has a URL that is not secure", Err: err}
	}
	return u.String(), nil
}

// writerOnly hides the other methods of a writer, so that a download is copied through the meter.
type writerOnly struct{ io.Writer }

// meter counts the bytes that are read through it.
type meter struct {
	io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.done += int64(n)
	if n > 0 && m.progress != nil {
		m.progress(m.done, m.total)
	}
	return n, err
}

// upload is a multipart form with one file, which is written as it is read.
type upload struct {
	UploadOptions
	name       string
	source     io.Reader
	random     io.ReaderAt // the source, where each attempt can read it from its own place
	start      int64       // where in random the file begins
	size       int64       // -1 if it is not known
	boundary   string
	head, tail []byte
	turns      atomic.Int32 // counts the attempts; only the last may read
}

func newUpload(name string, source io.Reader, opts UploadOptions) (*upload, error) {
	up := &upload{UploadOptions: opts, name: name, source: source, size: -1, boundary: "supportbee-" + rand.Text()}
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
	if err := up.measure(); err != nil {
		return nil, err
	}
	if up.size > up.MaxSize {
		return nil, invalid("r", "has %d bytes, MaxSize is %d", up.size, up.MaxSize)
	}
	if err := up.sniff(name); err != nil {
		return nil, err
	}
	up.head = fmt.Appendf(nil, "--%s\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
		up.boundary, formFilename(name), up.ContentType)
	up.tail = fmt.Appendf(nil, "\r\n--%s--\r\n", up.boundary)
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

// sniff sets the content type by name, or by the first bytes.
func (up *upload) sniff(name string) error {
	if up.ContentType == "" {
		up.ContentType = mime.TypeByExtension(filepath.Ext(name))
	}
	if up.ContentType != "" {
		return nil
	}
	first := make([]byte, 512)
	source := up.source
	if up.random != nil {
		source = io.NewSectionReader(up.random, up.start, up.size)
	}
	n, err := io.ReadFull(source, first)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("reading the source: %w", err)
	}
	up.ContentType = http.DetectContentType(first[:n])
	if up.random != nil {
		return nil
	}
	up.source = io.MultiReader(bytes.NewReader(first[:n]), up.source)
	return nil
}

// contentType returns the content type of the whole form.
func (up *upload) contentType() string { return "multipart/form-data; boundary=" + up.boundary }

// attach makes the form the body of a request.
func (up *upload) attach(req *http.Request) error {
	body, err := up.open()
	if err != nil {
		return err
	}
	req.Body, req.GetBody, req.ContentLength = body, nil, -1
	if up.size >= 0 {
		req.ContentLength = int64(len(up.head)) + up.size + int64(len(up.tail))
	}
	if up.random != nil {
		req.GetBody = up.open
	}
	return nil
}

// open returns the form from its beginning. The reading by an earlier attempt ends: the HTTP
// transport may go on reading a body after the response.
func (up *upload) open() (io.ReadCloser, error) {
	source := up.source
	if up.random != nil {
		source = io.NewSectionReader(up.random, up.start, up.size)
	}
	file := io.Reader(&meter{Reader: source, total: up.size, progress: up.Progress})
	if up.size >= 0 {
		file = io.LimitReader(file, up.size) // a file that grows is sent as it was
	} else {
		file = &capped{file, up.MaxSize}
	}
	turn := up.turns.Add(1)
	current := readerFunc(func(p []byte) (int, error) {
		if up.turns.Load() != turn {
			return 0, fs.ErrClosed
		}
		return file.Read(p)
	})
	return io.NopCloser(io.MultiReader(bytes.NewReader(up.head), current, bytes.NewReader(up.tail))), nil
}

// close ends the reading by all attempts: the source is the caller's again.
func (up *upload) close() { up.turns.Add(1) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// capped fails if more is read than is left.
type capped struct {
	io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, invalid("r", "is larger than MaxSize")
	}
	return n, err
}

// formFilename returns a file name as browsers write it in the header of a form's part: in UTF-8,
// with characters that would end the quotes or the line percent-encoded.
func formFilename(name string) string {
	name = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A", `\`, "%5C").Replace(name)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
}
