package supportbee

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// defaultMaxDownload is the size in bytes of the largest download by default.
const defaultMaxDownload = 1 << 30

// DownloadOptions configures a download.
type DownloadOptions struct {
	MaxSize  int64                   // in bytes; default 1 GiB. A larger file is [ErrResponseTooLarge]
	Progress func(done, total int64) // called as bytes are received; total is -1 if unknown. A retry may start again at 0
	Hash     hash.Hash               // if not nil, it has the sum of the content if the download succeeds
}

// Download writes the content of an attachment to w. If it fails, w may have received a part. If
// opts is nil, the defaults are used.
//
// The token is sent to the scheme, host and port of the base URL only: a redirect to a storage
// host is followed without it. A retry begins at the attachment's URL, since that of the storage
// host may work only once. After w has received a part, there is no retry; see
// [AttachmentsService.DownloadFile]. Download is limited by ctx only.
//
// Only status 200 is the file. An HTML page or JSON in place of a file of another type, and a file
// shorter than announced, are errors. A file that is stored with Content-Encoding gzip is unpacked.
//
// If the attachment's URL has no host, it is taken to be below the path of the base URL, unless it
// begins with that path: a proxy that serves the API below a path does not rewrite URLs in
// responses, and what it serves elsewhere must not get the token.
func (s *AttachmentsService) Download(ctx context.Context, attachment Attachment, w io.Writer, opts *DownloadOptions) error {
	d := newDownload("Attachments.Download", attachment, valueOf(opts))
	if d.w = w; w == nil {
		d.invalid = invalid("w", "must not be nil")
	}
	ctx, err := d.begin(ctx, s.client)
	if err != nil {
		return err
	}
	return s.client.end(ctx, &d.roundTrip, d.run(ctx))
}

// DownloadFile writes the content of an attachment to the named file, which is replaced as a whole
// or not at all. The attachment's own file name is not used. Only the owner can read the file. See
// [AttachmentsService.Download].
//
// The path must be that of a regular file, of a symbolic link to nothing, which is replaced, or of
// nothing. A symbolic link to a file is rejected: replacing the link would leave the file as it
// was, and replacing the file would write wherever the link leads.
//
// A download that is cut is retried, from where it ended if the server can do that. DownloadFile
// writes to a temporary file in the same directory and renames it. If the program is killed, the
// temporary file remains; the next download to the same path deletes it, unless another download
// still uses it, which is known where the system locks files. When DownloadFile returns, the file and,
// where the system can do that, its name are on the disk.
func (s *AttachmentsService) DownloadFile(ctx context.Context, attachment Attachment, path string, opts *DownloadOptions) (err error) {
	d := newDownload("Attachments.DownloadFile", attachment, valueOf(opts))
	if err := checkTarget(path); err != nil {
		d.invalid = err
	}
	ctx, err = d.begin(ctx, s.client)
	if err != nil {
		return err
	}
	return s.client.end(ctx, &d.roundTrip, d.runFile(ctx, path))
}

func (d *download) runFile(ctx context.Context, path string) error {
	file, err := createTemp(path)
	if err != nil {
		return &ArgumentError{Op: d.name, Field: "path", Reason: "cannot be written", Err: err}
	}
	defer file.discard() // even if Progress panics
	d.w, d.file = file, file.File
	if err := d.run(ctx); err != nil {
		return err
	}
	if err := file.commit(path); err != nil {
		return d.failed(err)
	}
	return nil
}

// checkTarget rejects a path that a download must not replace.
func checkTarget(path string) error {
	if isBlank(path) {
		return invalid("path", "is required")
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil // creating the temporary file tells more
	}
	if info.Mode()&os.ModeSymlink != 0 {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return invalid("path", "must not be that of a symbolic link: name the file itself")
	}
	if !info.Mode().IsRegular() {
		return invalid("path", "must be that of a regular file or a new one")
	}
	return nil
}

// attachmentPath stands for the URL of a download, which can be signed and hold a name.
const attachmentPath = "(attachment)"

// download is a run of Download or DownloadFile, which takes several requests.
type download struct {
	roundTrip
	attachment Attachment
	limit      int64
	progress   func(done, total int64)
	hash       hash.Hash // nil if none is wanted
	w          io.Writer
	file       *os.File // w, if what was written to it can be taken back

	done, total int64  // of the file, total is -1 if unknown
	validator   string // the entity tag or the date that tells whether the rest is of the same file
	resumes     bool   // whether the request is for the rest
	renewed     bool   // whether a storage link that was rejected was replaced by a new one
}

func newDownload(name string, attachment Attachment, opts DownloadOptions) *download {
	d := &download{
		roundTrip:  roundTrip{operation: operation{name: name, route: attachmentPath, stream: true}, path: attachmentPath},
		attachment: attachment, limit: opts.MaxSize, progress: opts.Progress, hash: opts.Hash,
	}
	if d.limit == 0 {
		d.limit = defaultMaxDownload
	}
	if d.limit < 0 {
		d.invalid = invalid("MaxSize", "must be positive, got %d", d.limit)
	}
	return d
}

func (d *download) begin(ctx context.Context, c *Client) (context.Context, error) {
	d.client = c
	// In a dry run, an uploaded file has neither an ID nor a URL.
	d.zeroID = c != nil && c.config.dryRun != nil && d.attachment.ID == 0 && d.attachment.URL.Original == ""
	if c != nil && c.chain != nil && !d.zeroID {
		target, err := c.attachmentURL(d.attachment.URL.Original)
		if err == nil {
			d.url = *target
		} else if d.invalid == nil {
			d.invalid = err
		}
	}
	return c.begin(ctx, &d.roundTrip)
}

// run makes attempts until one succeeds or another would not help.
func (d *download) run(ctx context.Context) error {
	policy := transport.Policy(d.client.config.retry)
	for d.report.Round = 1; ; d.report.Round++ {
		err, again := d.attempt(ctx)
		if err == nil {
			return nil
		}
		wait, ok := d.report.Wait, d.report.Again
		if again && !ok {
			wait, ok = policy.Next(d.report.Round)
		}
		if deadline, has := ctx.Deadline(); !ok || ctx.Err() != nil || has && time.Until(deadline) <= wait {
			return err
		}
		if stopped := d.report.Pause(ctx, wait); stopped != nil {
			return d.failed(fmt.Errorf("%w while waiting to retry", stopped))
		}
	}
}

// attempt makes one attempt. It reports whether another may help although the response had come.
func (d *download) attempt(ctx context.Context) (err error, again bool) {
	d.resumes = d.done > 0 && d.validator != ""
	d.res = nil
	if err := d.client.send(ctx, &d.roundTrip, d); err != nil {
		return err, d.mayRenew()
	}
	defer d.res.Body.Close()
	if page := d.check(); page != nil {
		return d.failed(&transport.ResponseError{StatusCode: d.status, Header: d.header, Err: page}), errors.Is(page, errPage)
	}
	return d.receive()
}

// addHeader asks for the file as it is, with its length, or for the rest of it.
func (d *download) addHeader(h http.Header) {
	h["Accept-Encoding"] = []string{"identity"}
	if d.resumes {
		h["Range"], h["If-Range"] = []string{fmt.Sprintf("bytes=%d-", d.done)}, []string{d.validator}
	}
}

func (d *download) addBody(req *http.Request) error { return noContent{}.addBody(req) }

// mayRenew reports whether the request can be made again in another way.
func (d *download) mayRenew() bool {
	switch d.status {
	case http.StatusRequestedRangeNotSatisfiable:
		again := d.resumes
		d.validator = ""
		return again
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		// The link that a storage host rejects may have been used up by a lost response.
		again := !d.renewed && d.res.Request != nil && d.res.Request.Response != nil
		d.renewed = true
		return again
	}
	return false
}

// errPage is wrapped by the error of a page in place of the file.
var errPage = errors.New("the response is not the file")

// check returns why the response is not the file, or the part of it that was asked for.
func (d *download) check() error {
	switch {
	case d.status == http.StatusPartialContent && d.resumes:
		if !d.continues() {
			d.validator = "" // the next attempt begins anew
			return fmt.Errorf("%w: it is not the part that was requested", errPage)
		}
		return nil
	case d.status != http.StatusOK:
		return fmt.Errorf("status %d is not a file", d.status)
	}
	d.done, d.total, d.validator = 0, d.res.ContentLength, ""
	mediaType := mediaType(d.header.Get("Content-Type"))
	if kind := pageKind(mediaType); kind != "" && !d.expects(kind) {
		if kind == "HTML" {
			return fmt.Errorf("%w but an HTML page", errPage)
		}
		return fmt.Errorf("the response is not the file but %s", kind)
	}
	switch encoding := strings.ToLower(strings.TrimSpace(d.header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		d.validator = validatorOf(d.header)
	case "gzip", "x-gzip":
		d.total = -1
	default:
		return fmt.Errorf("the file has the unknown Content-Encoding %q", printable(d.redact(encoding), 64))
	}
	return nil
}

// continues reports whether a response with status 206 begins where the file ended.
func (d *download) continues() bool {
	var first, last int64
	var size string
	_, err := fmt.Sscanf(d.header.Get("Content-Range"), "bytes %d-%d/%s", &first, &last, &size)
	if err != nil || first != d.done || last < first || d.header.Get("Content-Encoding") != "" {
		return false
	}
	total := d.total
	if size != "*" {
		if total, err = strconv.ParseInt(size, 10, 64); err != nil || d.total >= 0 && total != d.total {
			return false
		}
	}
	if total >= 0 && last >= total {
		return false
	}
	name := "Last-Modified"
	if strings.HasPrefix(d.validator, `"`) {
		name = "Etag"
	}
	if now := d.header.Get(name); now != "" && now != d.validator {
		return false
	}
	d.total = total
	return true
}

// validatorOf returns the value for If-Range that makes sure that the rest is of the same file. It
// returns "" if the server does not offer ranges.
func validatorOf(h http.Header) string {
	if !strings.EqualFold(strings.TrimSpace(h.Get("Accept-Ranges")), "bytes") {
		return ""
	}
	if etag := h.Get("Etag"); strings.HasPrefix(etag, `"`) { // a weak one does not identify bytes
		return etag
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	// A file can change twice within the second that the date says.
	if sent, err := http.ParseTime(h.Get("Date")); err != nil || sent.Sub(modified) < time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}

// receive copies the body of the response.
func (d *download) receive() (err error, again bool) {
	if d.total > d.limit {
		return d.failed(fmt.Errorf("%w: %d bytes, the limit is %d", ErrResponseTooLarge, d.total, d.limit)), false
	}
	to := &fileWriter{Writer: d.w}
	if d.file != nil {
		if _, err := d.file.Seek(d.done, io.SeekStart); err != nil {
			return d.failed(err), false
		}
		if err := d.file.Truncate(d.done); err != nil {
			return d.failed(err), false
		}
	}
	if d.hash != nil {
		if d.done == 0 {
			d.hash.Reset()
		}
		to.Writer = io.MultiWriter(d.w, d.hash)
	}
	body := io.Reader(d.res.Body)
	if d.status == http.StatusOK && strings.HasSuffix(strings.ToLower(d.header.Get("Content-Encoding")), "gzip") {
		body = &unpacker{body: d.res.Body}
	}
	start := d.done
	left := d.limit - d.done
	meter := &meter{Reader: body, done: d.done, total: d.total, progress: d.progress}
	n, err := io.Copy(to, io.LimitReader(meter, max(left, left+1))) // the largest number has no successor
	d.done += n
	if err == nil && d.done <= d.limit && d.total >= 0 && d.done < d.total {
		err = io.ErrUnexpectedEOF
	}
	switch {
	case to.err != nil:
		return d.failed(to.err), false
	case err != nil:
		return d.failed(err), d.file != nil || start == 0 && n == 0
	case d.done > d.limit:
		return d.failed(fmt.Errorf("%w: more than %d bytes", ErrResponseTooLarge, d.limit)), false
	}
	return nil, false
}

// mediaType returns a Content-Type without its parameters.
func mediaType(contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// pageKind returns the kind of a media type that servers use for errors and sign-in pages, or "".
func pageKind(mediaType string) string {
	switch {
	case mediaType == "text/html", mediaType == "application/xhtml+xml":
		return "HTML"
	case mediaType == "application/json", strings.HasSuffix(mediaType, "+json"):
		return "JSON"
	}
	return ""
}

// expects reports whether the attachment may be of the given kind, by its content type and its
// file name. One without both may be anything.
func (d *download) expects(kind string) bool {
	a, known := d.attachment, false
	byName := ""
	if i := strings.LastIndexByte(a.Filename, '.'); i >= 0 {
		byName = mime.TypeByExtension(a.Filename[i:])
	}
	for _, contentType := range []string{a.ContentType, byName} {
		if mediaType := mediaType(contentType); mediaType != "" {
			if known = true; pageKind(mediaType) == kind {
				return true
			}
		}
	}
	return !known
}

// unpacker unpacks a gzip file. The header of gzip is read with the first byte, as the file is.
type unpacker struct {
	body io.Reader
	zip  *gzip.Reader
}

func (u *unpacker) Read(p []byte) (int, error) {
	if u.zip == nil {
		zip, err := gzip.NewReader(u.body)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // an empty body is no gzip file
		}
		if err != nil {
			return 0, fmt.Errorf("unpacking the file: %w", err)
		}
		u.zip = zip
	}
	n, err := u.zip.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as with io.Copy
		err = fmt.Errorf("unpacking the file: %w", err)
	}
	return n, err
}

// fileWriter notes the error of a writer. It hides the other methods, so that a download is copied
// through the meter.
type fileWriter struct {
	io.Writer
	err error
}

func (w *fileWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
	return n, err
}

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

// attachmentURL checks and completes the URL of an attachment.
func (c *Client) attachmentURL(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, invalid("attachment", "has no URL")
	}
	u, err := url.Parse(repairURL(raw))
	if err != nil {
		return nil, invalid("attachment", "has a URL that cannot be parsed")
	}
	if u.User != nil {
		return nil, invalid("attachment", "has a URL with a user name")
	}
	base := c.config.base
	if u.Scheme == "" && u.Host == "" {
		prefix := base.EscapedPath()
		below := "/" + strings.TrimLeft(u.EscapedPath(), "/")
		if !isBelow(below, prefix) {
			below = prefix + below
		}
		if u.Path, err = url.PathUnescape(below); err != nil {
			return nil, invalid("attachment", "has a URL that cannot be parsed")
		}
		u.RawPath = below
		u = base.ResolveReference(u) // which resolves ".." too
		if !isBelow(u.EscapedPath(), prefix) {
			return nil, invalid("attachment", "has a URL outside the path of the base URL")
		}
	}
	u = base.ResolveReference(u)
	if err := c.config.checkScheme(u); err != nil {
		return nil, &ArgumentError{Field: "attachment", Reason: "has a URL that is not secure", Err: err}
	}
	u.Host = strings.TrimSuffix(u.Host, ":")
	return u, nil
}

// isBelow reports whether path is prefix or below it.
func isBelow(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

// repairURL returns a URL as browsers take it: without white space around it, with "%" for itself
// where it is no escape, and with the characters escaped that a request line cannot have.
func repairURL(raw string) string {
	raw = strings.TrimSpace(raw)
	var b strings.Builder
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '%' && !(i+2 < len(raw) && isHex(raw[i+1]) && isHex(raw[i+2])):
			b.WriteString("%25")
		case c == ' ' || c == '"' || c == '<' || c == '>' || c >= 0x80:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
