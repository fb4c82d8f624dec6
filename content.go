package supportbee

import (
	"net/mail"
	"strings"
	"time"
)

// UserID identifies a user, an agent or a customer; a requester is a user, too.
type UserID int64

func (id UserID) segment() (string, error) { return idSegment(int64(id)) }

// Role is what a person may do in the help desk.
//
// The server answers with the words below and takes numbers in requests; the SDK writes the
// number. Roles that it does not know pass through in answers.
type Role string

// The known roles.
const (
	RoleAdmin        Role = "admin"
	RoleAgent        Role = "agent"
	RoleCollaborator Role = "collaborator"
	RoleCustomer     Role = "customer" // in answers only: no request can set it
)

// roleNumbers are the numbers that requests take.
var roleNumbers = map[Role]int64{RoleAdmin: 20, RoleAgent: 10, RoleCollaborator: 9}

// Person is somebody in a ticket: a requester, an agent, a commenter, a recipient of a copy.
type Person struct {
	ID                 UserID  `json:"id"` // 0 for a bare address
	Email              string  `json:"email"`
	Name               string  `json:"name"`
	FirstName          string  `json:"first_name"`
	LastName           string  `json:"last_name"`
	Role               Role    `json:"role"`
	Agent              bool    `json:"agent"`                // works in the help desk
	ActiveTicketsCount int     `json:"active_tickets_count"` // 0 also where the server leaves it out
	Picture            Picture `json:"picture"`
}

// Picture holds the addresses of a person's or a team's picture, by width in pixels. A person's
// are absolute URLs; a team's are paths at the base URL. Sizes that do not exist are empty.
type Picture struct {
	Thumb20  string `json:"thumb20"`
	Thumb24  string `json:"thumb24"`
	Thumb32  string `json:"thumb32"`
	Thumb48  string `json:"thumb48"`
	Thumb64  string `json:"thumb64"`  // people only
	Thumb128 string `json:"thumb128"` // people only
	Thumb256 string `json:"thumb256"` // teams only
}

// Content is the body of a ticket, reply, comment, draft or snippet.
type Content struct {
	HTML        string       `json:"html"`
	Text        string       `json:"text"`
	Truncated   bool         `json:"truncated"` // the server has cut it
	Attachments []Attachment `json:"attachments"`
}

// AttachmentID identifies an attachment.
type AttachmentID int64

// Attachment is a file at a ticket, reply or comment. [AttachmentsService.Download] fetches it.
type Attachment struct {
	ID          AttachmentID  `json:"id"`
	CreatedAt   time.Time     `json:"created_at"`
	Filename    string        `json:"filename"`     // as the sender named it: never use it as a path
	ContentType string        `json:"content_type"` // may hold parameters
	URL         AttachmentURL `json:"url"`
}

// AttachmentURL holds the addresses of an attachment. Fetching them needs the token.
type AttachmentURL struct {
	Original string `json:"original"`
	Thumb    string `json:"thumb"` // a small picture, where there is one
}

// ContentParams is a body to send. [Text] and [HTML] make the simple ones.
//
// Text or HTML is required; the server uses the text for both when only text is sent.
type ContentParams struct {
	Text          string         `json:"text,omitzero"`
	HTML          string         `json:"html,omitzero"`
	AttachmentIDs []AttachmentID `json:"attachment_ids,omitzero"` // from [AttachmentsService.Upload]
}

// Text returns a plain-text body.
func Text(text string) ContentParams { return ContentParams{Text: text} }

// HTML returns an HTML body. The server sends it as it is: escape what comes from others.
func HTML(html string) ContentParams { return ContentParams{HTML: html} }

func (c ContentParams) validate() error {
	if isBlank(c.Text) && isBlank(c.HTML) {
		return invalid("Content", "needs Text or HTML")
	}
	for _, id := range c.AttachmentIDs {
		if id <= 0 {
			return invalid("Content.AttachmentIDs", "must be positive, got %d", id)
		}
	}
	return nil
}

// maxCopies is how many addresses the server takes in cc, and as many in bcc.
const maxCopies = 25

func validateCopies(field string, addresses []string) error {
	if len(addresses) > maxCopies {
		return invalid(field, "takes at most %d addresses, got %d", maxCopies, len(addresses))
	}
	for i, address := range addresses {
		if _, err := mail.ParseAddress(address); err != nil {
			return invalid(field, "[%d] is neither \"a@b.c\" nor \"Name <a@b.c>\"", i)
		}
	}
	return nil
}

// validateEmail refuses what cannot be an address; whether it exists only the mail tells.
func validateEmail(field, email string) error {
	switch {
	case isBlank(email):
		return invalid(field, "is required")
	case !strings.Contains(email, "@") || strings.ContainsAny(email, " \t\r\n<>,"):
		return invalid(field, "is not an e-mail address")
	}
	return nil
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// firstError returns the first reason to refuse the input, nil if there is none.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
