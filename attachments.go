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
	"sync/atomic"
)

// defaultMaxDownload is the largest download unless [MaxSize] says otherwise.
const defaultMaxDownload = 1 << 30

// TransferOption changes an upload or a download.
type TransferOption func(*transfer)

type transfer struct {
	progress    func(done, total int64)
	maxSize     int64
	contentType string
}

// OnProgress calls f after every piece of the file that was sent or received, with the bytes so
// far and in all; the total is -1 where it is not known. A request that is sent again starts
// from 0. f must be quick: the transfer waits for it.
func OnProgress(f func(done, total int64)) TransferOption {
	return func(t *transfer) { t.progress = f }
}

// MaxSize sets the largest file to transfer, in bytes, at least 1. The default is no limit for
// uploads and 1 GiB for downloads. A larger file is [ErrInvalidArgument] in an upload, before the
// network where its size is known, and [ErrResponseTooLarge] in a download.
func MaxSize(bytes int64) TransferOption {
	return func(t *transfer) { t.maxSize = bytes }
}

// ContentType sets the type of an uploaded file. The default is what its name's extension or its
// first bytes tell.
func ContentType(contentType string) TransferOption {
	return func(t *transfer) { t.contentType = contentType }
}

// AttachmentsService sends and fetches files.
type AttachmentsService struct{ service }

// Upload sends a file under the given name. The ID of the result goes into
// [ContentParams.AttachmentIDs].
//
// The file is streamed: it is never held in memory. The request has a Content-Length if the
// source's length is known, as with *os.File, *bytes.Reader and every other [io.Seeker]. It can
// be sent again, after 429 or where no connection was made, only if the source is also an
// [io.ReaderAt], as those two are. Upload does not close the source, and has no timeout but the
// context's.
//
// API: POST /attachments
func (s *AttachmentsService) Upload(ctx context.Context, name string, source io.Reader, opts ...TransferOption) (*Attachment, error) {
	const op = "Attachments.Upload"
	up, err := newUpload(name, source, opts)
	if err != nil {
		return nil, refuse(op, err)
	}
	defer up.close()
	ex := exchange{call: call{op: op, method: http.MethodPost, route: "/attachments"}}
	defer ex.report.Release()
	if err := s.client.send(ctx, &ex, up, up.formType()); err != nil {
		return nil, err
	}
	var answer attachmentAnswer
	if err := ex.decode("", &answer); err != nil {
		return nil, err
	}
	return answer.attachment(), nil
}

// UploadFile sends the file at path under its own name, as [AttachmentsService.Upload] does.
// Errors of the file system unwrap.
func (s *AttachmentsService) UploadFile(ctx context.Context, path string, opts ...TransferOption) (*Attachment, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, refuse("Attachments.UploadFile", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, refuse("Attachments.UploadFile", err)
	} else if !info.Mode().IsRegular() {
		return nil, refuse("Attachments.UploadFile", invalid("path", "is not a regular file"))
	}
	return s.Upload(ctx, filepath.Base(path), file, opts...)
}

// Download writes the attachment's file to w.
//
// The token goes to the base URL's origin only: where the server redirects to a storage host,
// that is followed without it. When Download fails, w may have got a part of the file. It has no
// timeout but the context's.
func (s *AttachmentsService) Download(ctx context.Context, attachment Attachment, w io.Writer, opts ...TransferOption) error {
	return s.download(ctx, "Attachments.Download", attachment, w, opts)
}

// DownloadFile writes the attachment's file to path, which is yours to choose: the attachment's
// own name plays no part in it. A file that exists is replaced.
//
// It writes a temporary file beside it, syncs it and renames it: path holds the whole file or
// what it held before. Nothing is left behind on failure. Only the owner may read the file.
func (s *AttachmentsService) DownloadFile(ctx context.Context, attachment Attachment, path string, opts ...TransferOption) (err error) {
	const op = "Attachments.DownloadFile"
	if isBlank(path) {
		return refuse(op, invalid("path", "is required"))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return refuse(op, invalid("path", "is a directory: name the file in it"))
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".supportbee-*.tmp")
	if err != nil {
		return refuse(op, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // closed already, or of no use any more
			_ = os.Remove(file.Name())
		}
	}()
	if err := s.download(ctx, op, attachment, file, opts); err != nil {
		return err
	}
	for _, finish := range []func() error{file.Sync, file.Close, func() error { return os.Rename(file.Name(), path) }} {
		if err := finish(); err != nil {
			return refuse(op, err)
		}
	}
	return nil
}

func (s *AttachmentsService) download(ctx context.Context, op string, attachment Attachment, w io.Writer, opts []TransferOption) error {
	t := transfer{maxSize: defaultMaxDownload}
	for _, opt := range opts {
		opt(&t)
	}
	ex := exchange{call: call{op: op, method: http.MethodGet, route: "(attachment)"}, path: "(attachment)", stream: true}
	ex.target, ex.invalid = s.client.attachmentURL(attachment.URL.Original)
	switch {
	case w == nil:
		ex.invalid = invalid("writer", "is nil")
	case t.maxSize <= 0:
		ex.invalid = invalid("MaxSize", "must be positive, got %d", t.maxSize)
	}
	if err := s.client.send(ctx, &ex, nil, ""); err != nil {
		return err
	}
	res := ex.res
	defer res.Body.Close()
	if res.ContentLength > t.maxSize {
		return ex.failed(fmt.Errorf("%w: %d bytes, allowed are %d", ErrResponseTooLarge, res.ContentLength, t.maxSize))
	}
	body := &meter{Reader: res.Body, total: res.ContentLength, progress: t.progress}
	n, err := io.Copy(writerOnly{w}, io.LimitReader(body, max(t.maxSize, t.maxSize+1))) // the largest number has no successor
	switch {
	case err != nil:
		return ex.failed(err)
	case n > t.maxSize:
		return ex.failed(fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, t.maxSize))
	}
	return nil
}

// attachmentURL checks and completes the address that an attachment came with.
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
		return "", invalid("attachment", "has a URL that is refused: %w", err)
	}
	return u.String(), nil
}

// writerOnly hides what else a writer can do, so that a download is copied through the meter.
type writerOnly struct{ io.Writer }

// meter counts what is read through it.
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

// upload is a multipart form with one file, made as it is read. It is an [io.Reader] only to go
// through [Client.send]; [upload.attach] is what sends it.
type upload struct {
	transfer
	source     io.Reader
	random     io.ReaderAt // the source, where each attempt can read it from its own place
	start      int64       // where in random the file begins
	size       int64       // -1 if it is not known
	boundary   string
	head, tail []byte
	turns      atomic.Int32 // counts the attempts; only the last may read
}

func newUpload(name string, source io.Reader, opts []TransferOption) (*upload, error) {
	up := &upload{transfer: transfer{maxSize: math.MaxInt64}, source: source, size: -1, boundary: "supportbee-" + rand.Text()}
	for _, opt := range opts {
		opt(&up.transfer)
	}
	switch {
	case up.maxSize <= 0:
		return nil, invalid("MaxSize", "must be positive, got %d", up.maxSize)
	case isBlank(name):
		return nil, invalid("name", "is required")
	case source == nil:
		return nil, invalid("source", "is nil")
	case strings.ContainsAny(up.contentType, "\r\n"):
		return nil, invalid("ContentType", "must be one line")
	}
	if err := up.measure(); err != nil {
		return nil, err
	}
	if up.size > up.maxSize {
		return nil, invalid("source", "has %d bytes, allowed are %d", up.size, up.maxSize)
	}
	if err := up.sniff(name); err != nil {
		return nil, err
	}
	up.head = fmt.Appendf(nil, "--%s\r\nContent-Disposition: form-data; name=\"files[]\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n",
		up.boundary, formFilename(name), up.contentType)
	up.tail = fmt.Appendf(nil, "\r\n--%s--\r\n", up.boundary)
	return up, nil
}

// measure finds out the file's size, from where the source stands to its end.
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
		return nil // a pipe, say: it is streamed without a length
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = seeker.Seek(start, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("finding out the size of the source: %w", err)
	}
	up.start, up.size = start, max(end-start, 0)
	up.random, _ = up.source.(io.ReaderAt)
	return nil
}

// sniff sets the content type, by name or else by the first bytes.
func (up *upload) sniff(name string) error {
	if up.contentType == "" {
		up.contentType = mime.TypeByExtension(filepath.Ext(name))
	}
	if up.contentType != "" {
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
	up.contentType = http.DetectContentType(first[:n])
	if up.random != nil {
		return nil
	}
	up.source = io.MultiReader(bytes.NewReader(first[:n]), up.source)
	return nil
}

// formType is the content type of the whole form.
func (up *upload) formType() string { return "multipart/form-data; boundary=" + up.boundary }

// attach makes the upload the body of a request.
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

// open returns the form from its beginning. What an earlier attempt still holds of it ends: the
// HTTP transport may go on reading a body after the answer came.
func (up *upload) open() (io.ReadCloser, error) {
	source := up.source
	if up.random != nil {
		source = io.NewSectionReader(up.random, up.start, up.size)
	}
	file := io.Reader(&meter{Reader: source, total: up.size, progress: up.progress})
	if up.size >= 0 {
		file = io.LimitReader(file, up.size) // a file that grows meanwhile is sent as it was
	} else {
		file = &capped{file, up.maxSize}
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

// close ends every attempt's reading: the source is the caller's again.
func (up *upload) close() { up.turns.Add(1) }

// Read is there for the interface only: resty never gets to see the body.
func (up *upload) Read([]byte) (int, error) { return 0, fs.ErrInvalid }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// capped fails when more is read than is left.
type capped struct {
	io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, invalid("source", "is larger than MaxSize allows")
	}
	return n, err
}

// formFilename writes a file name for the header of a form's part, as browsers do: in UTF-8, with
// what would end the quotes or the line percent-encoded.
func formFilename(name string) string {
	name = strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A").Replace(name)
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, name)
}
