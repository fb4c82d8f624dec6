package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/supportbee-go/supportbee"
)

const (
	maxFile  = 5 << 20  // bytes
	maxField = 64 << 10 // bytes
	maxForm  = 20 * maxFile
)

var (
	//go:embed form.html style.css
	files embed.FS
	form  = template.Must(template.ParseFS(files, "form.html"))

	// A file must have one of these types by its content, whatever its name says.
	fileTypes = []string{"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "text/plain; charset=utf-8"}
)

// message is what somebody has written. It is what the queue stores.
type message struct {
	ID         string // of the form that was filled in; one that is sent again unchanged is the same message
	Values     map[string]string
	FileName   string
	FileType   string
	File       []byte
	Attachment supportbee.AttachmentID // when the file is uploaded
}

// params returns the ticket for a message.
func (m message) params() supportbee.TicketParams {
	content := supportbee.Text(m.Values["text"])
	if m.Attachment != 0 {
		content = content.Attach(m.Attachment)
	}
	return supportbee.TicketParams{
		Subject: cmp.Or(m.Values["subject"], "Message from the contact form"), RequesterName: m.Values["name"], RequesterEmail: m.Values["email"],
		Content: content, NotifyRequester: true,
	}
}

// page is what the template shows.
type page struct {
	message
	Errors map[string]string // by field
	Sent   bool
}

type field struct{ Name, Label, Type, Complete, Value, Error string }

// Field returns a field for the template.
func (p page) Field(name, label, kind, complete string) field {
	return field{name, label, kind, complete, p.Values[name], p.Errors[name]}
}

// MaxMB is the size limit of files.
func (page) MaxMB() int { return maxFile >> 20 }

// newSite returns the handler of the form, which stores messages with put.
func newSite(put func(context.Context, message) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		show(w, http.StatusOK, page{message: message{ID: rand.Text()}})
	})
	mux.HandleFunc("GET /thanks", func(w http.ResponseWriter, _ *http.Request) { show(w, http.StatusOK, page{Sent: true}) })
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		m, problems, err := read(r)
		switch {
		case err != nil:
			http.Error(w, "the form cannot be read", http.StatusBadRequest)
		case m.Values["website"] != "": // only programs fill in this field
			http.Redirect(w, r, "thanks", http.StatusSeeOther)
		case len(problems) > 0:
			show(w, http.StatusUnprocessableEntity, page{message: m, Errors: problems})
		default:
			if err := put(r.Context(), m); err != nil {
				http.Error(w, "Your message could not be stored. Please go back and try again.", http.StatusServiceUnavailable)
				return
			}
			http.Redirect(w, r, "thanks", http.StatusSeeOther)
		}
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

func show(w http.ResponseWriter, status int, p page) {
	var body bytes.Buffer
	if err := form.Execute(&body, p); err != nil {
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// read reads a form part by part, so that what was typed is kept if the file, the last part, is too
// large: a browser reads no response before it has sent the request, so the rest of a part is read
// as well. The error is that of a request that is no form, or larger than maxForm.
func read(r *http.Request) (m message, problems map[string]string, err error) {
	m.Values, problems = map[string]string{}, map[string]string{}
	parts, err := r.MultipartReader()
	if err != nil {
		return m, nil, err
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return m, nil, err
		}
		name, limit := part.FormName(), maxField
		if name == "file" {
			limit = maxFile
		}
		data, err := io.ReadAll(io.LimitReader(part, int64(limit)+1))
		if err != nil {
			return m, nil, err
		}
		if len(data) > limit {
			problems[name] = fmt.Sprintf("This must have at most %d kB.", limit>>10)
			data = nil
		}
		switch name {
		case "file":
			m.FileName, m.FileType, m.File = cmp.Or(strings.TrimSpace(part.FileName()), "file"), http.DetectContentType(data), data
		case "id":
			m.ID = string(data)
		case "name", "email", "subject", "text", "website":
			m.Values[name] = strings.TrimSpace(string(data))
		}
	}
	m.ID = cmp.Or(m.ID, rand.Text())
	m.check(problems)
	return m, problems, nil
}

// check adds what is wrong with the fields to problems.
func (m *message) check(problems map[string]string) {
	if m.Values["text"] == "" && problems["text"] == "" {
		problems["text"] = "Please write a message."
	}
	fields := map[string]string{"RequesterEmail": "email", "RequesterName": "name", "Subject": "subject", "Content": "text"}
	var invalid *supportbee.ArgumentError
	if errors.As(m.params().Validate(), &invalid) && problems[fields[invalid.Field]] == "" {
		problems[cmp.Or(fields[invalid.Field], "text")] = "This " + invalid.Reason + "."
	}
	if m.Values["email"] == "" {
		problems["email"] = "Please enter your e-mail address, so that we can reply."
	} else if problems["email"] != "" {
		problems["email"] = "This is not an e-mail address. It should look like name@example.com."
	}
	if len(m.File) == 0 {
		m.FileName = ""
	} else if !slices.Contains(fileTypes, m.FileType) {
		problems["file"] = "The file must be an image, a PDF or a text file."
	}
}
