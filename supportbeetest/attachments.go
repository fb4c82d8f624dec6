package supportbeetest

import (
	"crypto/rand"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// maxUpload is the size of the largest file that the desk accepts, in bytes.
const maxUpload = 256 << 20

// upload adds the file that [call.readFile] has read before the state was locked.
func upload(s *Desk, c *call) response {
	if c.file == nil {
		return c.rejected
	}
	c.file.ID, c.file.CreatedAt = c.desk.id(), c.now
	c.desk.Attachments[c.file.ID] = c.file
	out := c.attachment(c.file.ID)
	if c.dialect == DialectRecorded {
		return created(object{"attachment": out})
	}
	return created(out)
}

// readFile reads the file of a form.
func (c *call) readFile() (*attachment, response) {
	form, err := c.MultipartReader()
	if err != nil {
		return nil, fail(http.StatusBadRequest, "Content-Type: multipart/form-data is required")
	}
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, invalidInput("Files can't be blank")
		}
		name := filename(part.Header.Get("Content-Disposition"))
		if part.FormName() != "files[]" || name == "" {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(part, maxUpload+1))
		switch {
		case err != nil:
			return nil, fail(http.StatusBadRequest, "The form cannot be read")
		case len(data) > maxUpload:
			return nil, fail(http.StatusRequestEntityTooLarge, "The file is too large")
		}
		contentType := part.Header.Get("Content-Type")
		if contentType == "" {
			contentType = "application/octet-stream"
		}
		return &attachment{Filename: name, ContentType: contentType, Data: data}, response{}
	}
}

// filename returns a file name. It may be unquoted, have escaped quotes and backslashes as package
// mime/multipart and older versions of curl write them, or be an extended parameter ("filename*").
// Browsers and curl percent-encode quotes and line ends, and other clients backslashes, too.
func filename(disposition string) string {
	_, parameters, err := mime.ParseMediaType(disposition)
	if err != nil {
		return ""
	}
	name := parameters["filename"]
	if strings.Contains(disposition, "filename*=") {
		return name // which is decoded already
	}
	return strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n", "%5C", `\`).Replace(name)
}

// links are the URLs of the storage origin. Each can be used once.
type links struct {
	mu   sync.Mutex
	open map[string]int64
}

func (l *links) add(id int64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[string]int64{}
	}
	key := rand.Text()
	l.open[key] = id
	return key
}

func (l *links) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = nil
}

func (l *links) take(key string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.open[key]
	delete(l.open, key)
	return id
}

// storagePath is the path of files at their origin.
const storagePath = "/files/"

// storageBase returns the URL that the paths of files are added to, for a client that reaches the
// desk at base. It is of another origin, so that clients must not send the token there. It is empty
// if the desk has none.
func (s *Desk) storageBase(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case s.storage != nil:
		addr := s.storage.addr.String()
		if own, number, err := net.SplitHostPort(addr); err == nil && net.ParseIP(own).IsUnspecified() {
			addr = net.JoinHostPort(host, number)
		}
		return "http://" + addr
	case host == "localhost":
		host = s.loopback
	case isLoopback(host):
		host = "localhost"
	case s.config.publicURL != "" && net.ParseIP(host) == nil:
		host = "storage." + host
	default:
		return ""
	}
	u.Host = host
	if strings.Contains(host, ":") {
		u.Host = "[" + host + "]"
	}
	if port != "" {
		u.Host = net.JoinHostPort(host, port)
	}
	return u.String()
}

// isLoopback reports whether the host is a name or an address of loopback.
func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// segment escapes a name as a segment of a path. Clients would remove "." and ".." from the path.
func segment(name string) string {
	if name == "." || name == ".." {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}

// download redirects to the storage origin. If there is none, it sends the file itself.
func download(s *Desk, c *call) response {
	id := c.number("id")
	file := c.desk.Attachments[id]
	if file == nil {
		return notFound("Attachment", c.PathValue("id"))
	}
	base := s.storageBase(c.base)
	if base == "" {
		return response{status: http.StatusOK, header: fileHeader(file), body: raw(file.Data)}
	}
	return response{status: http.StatusFound, header: map[string]string{
		"Location":     base + storagePath + s.links.add(id) + "/" + segment(file.Filename),
		"Content-Type": "text/html; charset=utf-8",
	}, body: raw("<html><body>You are being redirected.</body></html>")}
}

// serveStorage serves the storage origin.
func (s *Desk) serveStorage(w http.ResponseWriter, r *http.Request) {
	s.dispatch(storage, w, r, s.sendFile)
}

// sendFile sends a file. It rejects credentials, as such hosts do.
func (s *Desk) sendFile(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != "" {
		http.Error(w, "Only one auth mechanism allowed", http.StatusBadRequest)
		return
	}
	key, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, storagePath), "/")
	id := s.links.take(key)
	s.mu.RLock()
	file := s.state.Attachments[id] // never changes
	s.mu.RUnlock()
	if file == nil {
		http.Error(w, "The link has expired", http.StatusForbidden)
		return
	}
	for name, value := range fileHeader(file) {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(file.Data)))
	_, _ = w.Write(file.Data)
}

// fileHeader returns the header of a response that is a file. The file may be a page with scripts,
// which must not act as one of the desk's own.
func fileHeader(file *attachment) map[string]string {
	return map[string]string{"Content-Type": file.ContentType, "Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
}
