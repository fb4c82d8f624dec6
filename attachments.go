package supportbee

import (
	"encoding/json"
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

// AttachmentsService uploads and downloads files. Files are streamed and never held in memory.
type AttachmentsService struct{ service }
