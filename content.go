package supportbee

import (
	"encoding/json"
	"slices"
)

// Content is the body of a ticket, reply, comment, draft or snippet.
type Content struct {
	HTML        string                     `json:"html,omitzero"`
	Text        string                     `json:"text" alias:"body"`
	Truncated   bool                       `json:"truncated"` // whether the server shortened it
	Attachments []Attachment               `json:"attachments,omitzero"`
	Extra       map[string]json.RawMessage `json:"-"` // members that this version cannot read
}

func (c *Content) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "html":
		return readString(r, &c.HTML)
	case "text", "body": // older responses have the text under "body"
		isText := name[0] == 't'
		var text string
		err := readString(r, &text)
		if text != "" && (isText || c.Text == "") {
			c.Text = text
		}
		return err
	case "truncated":
		return readBool(r, &c.Truncated)
	case "attachments":
		return readList(r, &c.Attachments)
	}
	return r.extra(&c.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. It writes the API's own form, with Extra among the
// other members.
func (c Content) MarshalJSON() ([]byte, error) { return marshalObject(c, c.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (c *Content) UnmarshalJSON(data []byte) error { return unmarshalObject(data, c) }

// ContentParams describes a body to send. [Text] and [HTML] return the simple ones.
//
// The server uses Text for both forms if HTML is empty.
type ContentParams struct {
	Text          string         `json:"text,omitzero"`
	HTML          string         `json:"html,omitzero"`           // sent as is
	AttachmentIDs []AttachmentID `json:"attachment_ids,omitzero"` // see [AttachmentsService.Upload]
}

// Text returns a plain-text body.
func Text(text string) ContentParams { return ContentParams{Text: text} }

// HTML returns an HTML body. The HTML is sent as is: escape text that is not your own with
// [html.EscapeString].
func HTML(html string) ContentParams { return ContentParams{HTML: html} }

// Attach returns a copy of p with attachments added.
func (p ContentParams) Attach(ids ...AttachmentID) ContentParams {
	p.AttachmentIDs = slices.Concat(p.AttachmentIDs, ids)
	return p
}

// Validate returns an [*ArgumentError] if p is empty or names an attachment that cannot exist.
func (p ContentParams) Validate() error {
	if isBlank(p.Text) && isBlank(p.HTML) && len(p.AttachmentIDs) == 0 {
		return invalid("Content", "must have Text, HTML or AttachmentIDs")
	}
	return p.validateAttachments()
}

func (p ContentParams) validateAttachments() error {
	return allPositive("Content.AttachmentIDs", p.AttachmentIDs)
}
