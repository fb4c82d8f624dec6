package supportbee

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reader reads what comes in many forms, or by the hundred: tickets, replies, comments and their
// parts. The JSON library finds the field of each name and the function of each value anew, which
// takes longer than reading them; here a switch does both. All other types have their tags.
type reader struct {
	*jsontext.Decoder                  // own, or the library's where that calls a reader
	own               jsontext.Decoder // of a whole answer

	// known holds strings that were read before: people, labels and addresses come again and
	// again, and need no memory of their own then.
	known [256]string
}

// maxKnown is the longest string, in bytes, that is kept for the next one that is equal.
const maxKnown = 128

var readers = sync.Pool{New: func() any { return new(reader) }}

func (r *reader) release() {
	if r.Decoder == &r.own {
		r.own.Reset(nothing{}) // the body's memory belongs to others now
	}
	r.Decoder = nil
	readers.Put(r)
}

// nothing is an [io.Reader] at its end.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, io.EOF }

// by makes a method of a reader a function for the JSON library.
func by[T any](read func(*reader, *T) error) func(*jsontext.Decoder, *T) error {
	return func(dec *jsontext.Decoder, v *T) error {
		r := readers.Get().(*reader)
		defer r.release()
		r.Decoder = dec
		return read(r, v)
	}
}

// begin reads the start of an object or array, or null.
func begin[T any](r *reader, want jsontext.Kind) (null bool, err error) {
	switch kind := r.PeekKind(); kind {
	case want, 'n':
		_, err := r.ReadToken()
		return kind == 'n', err
	}
	return false, mismatch[T](r.Decoder)
}

// readable is an answer that is read without the JSON library's help.
type readable interface{ readFrom(*reader) error }

// read reads whatever answer is wanted, those that are wanted most without the detour.
func (r *reader) read(out any) error {
	switch out := out.(type) {
	case readable:
		return out.readFrom(r)
	case **Ticket:
		return r.ticketPointer(out)
	case **Reply:
		return readPointer(r, out, (*reader).reply)
	case **Comment:
		return readPointer(r, out, (*reader).comment)
	}
	return jsonv2.UnmarshalDecode(r.Decoder, out)
}

// readAt reads the value of key in an object, or the whole value if key is "".
func (r *reader) readAt(key string, out any) error {
	if key == "" {
		return r.read(out)
	}
	token, err := r.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '{' {
		return fmt.Errorf("want a JSON object with key %q, got %s", key, kindName(token.Kind()))
	}
	found, null := false, false
	for r.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		switch wanted := string(name) == key; {
		case wanted && r.PeekKind() != 'n':
			found = true
			err = r.read(out)
		default:
			null = null || wanted
			err = r.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	if !found {
		return missingError{key, null}
	}
	return nil
}

// readObject reads an object and hands the name of each member to member, which reads or skips
// the value. Null is the zero value.
func readObject[T any](r *reader, v *T, member func(r *reader, v *T, name []byte) error) error {
	*v = *new(T)
	if null, err := begin[T](r, '{'); null || err != nil {
		return err
	}
	for r.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		if err := member(r, v, name); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// readArray reads an array, whose values element reads. Null is nil.
func readArray[T any](r *reader, list *[]T, element func(*reader, *T) error) error {
	*list = nil
	if null, err := begin[[]T](r, '['); null || err != nil {
		return err
	}
	*list = []T{}
	for r.PeekKind() != ']' {
		*list = append(*list, *new(T))
		if err := element(r, &(*list)[len(*list)-1]); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// readPointer reads a value into new memory. Null is nil.
func readPointer[T any](r *reader, p **T, read func(*reader, *T) error) error {
	if r.PeekKind() == 'n' {
		*p = nil
		return r.SkipValue()
	}
	*p = new(T)
	return read(r, *p)
}

// readEither reads an object that has the value under key, or is the value itself. Both are nil if
// there is none, and the second is zero if only keys came that it does not have.
func readEither[T any](r *reader, key string, read func(*reader, *T) error, member func(*reader, *T, []byte) error) (under, itself *T, err error) {
	err = readObject(r, new(struct{}), func(r *reader, _ *struct{}, name []byte) error {
		if string(name) == key {
			return readPointer(r, &under, read)
		}
		if itself == nil {
			itself = new(T)
		}
		return member(r, itself, name)
	})
	return under, itself, err
}

// name reads the name of a member. It is good until the next read.
func (r *reader) name() ([]byte, error) {
	quoted, err := r.ReadValue()
	if err != nil {
		return nil, err
	}
	return unquote(quoted)
}

// unquote returns what a JSON string says, in the same memory unless it has escapes.
func unquote(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return jsontext.AppendUnquote(nil, quoted)
	}
	return quoted[1 : len(quoted)-1], nil
}

func readString[T ~string](r *reader, s *T) error {
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	switch value[0] {
	case '"':
		text, err := unquote(value)
		*s = T(r.keep(text))
		return err
	case 'n':
		*s = ""
		return nil
	}
	return misread[string](r, value)
}

// keep returns the text as a string, which is one that was read before where it can be.
func (r *reader) keep(text []byte) string {
	if len(text) > maxKnown {
		return string(text)
	}
	known := &r.known[slot(text)]
	if *known != string(text) {
		*known = string(text)
	}
	return *known
}

// slot is where a text is kept. It looks at both ends, where addresses and names differ.
func slot(text []byte) byte {
	var first, last uint64
	if n := len(text); n >= 8 {
		first, last = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	} else {
		for _, c := range text {
			last = last<<8 | uint64(c)
		}
	}
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f // spread the bits to the top
	return byte((first*odd1 ^ last*odd2) >> 56)
}

func readInt[T ~int | ~int64](r *reader, n *T) error {
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	if value[0] == 'n' {
		*n = 0
		return nil
	}
	whole, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || int64(T(whole)) != whole {
		return misread[T](r, value)
	}
	*n = T(whole)
	return nil
}

func readBool(r *reader, b *bool) error {
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	switch value[0] {
	case 't', 'f', 'n':
		*b = value[0] == 't'
		return nil
	}
	return misread[bool](r, value)
}

func readTime(r *reader, t *time.Time) error {
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	switch value[0] {
	case 'n':
		*t = time.Time{}
		return nil
	case '"':
		text, err := unquote(value)
		if err == nil && t.UnmarshalText(text) == nil {
			return nil
		}
	}
	return misread[time.Time](r, value)
}

// mismatch is the error of a value, which is next, of a kind that none of the known forms has.
func mismatch[T any](dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if err := dec.SkipValue(); err != nil { // no value at all: the decoder knows why
		return err
	}
	return &jsonv2.SemanticError{JSONPointer: dec.StackPointer(), JSONKind: kind, GoType: reflect.TypeFor[T]()}
}

// misread is the same for a value that was read.
func misread[T any](r *reader, value jsontext.Value) error {
	return &jsonv2.SemanticError{JSONPointer: r.StackPointer(), JSONKind: value.Kind(), GoType: reflect.TypeFor[T]()}
}

func (p *ticketPage) readFrom(r *reader) error { return readObject(r, p, (*reader).ticketPageMember) }

func (r *reader) ticketPageMember(p *ticketPage, name []byte) error {
	switch string(name) {
	case "total":
		return readInt(r, &p.Total)
	case "current_page":
		return readInt(r, &p.Page)
	case "per_page":
		return readInt(r, &p.PerPage)
	case "total_pages":
		return readInt(r, &p.TotalPages)
	case "tickets":
		return readArray(r, &p.Tickets, (*reader).ticketPointer)
	}
	return r.SkipValue()
}

func (r *reader) ticketPointer(t **Ticket) error { return readPointer(r, t, (*reader).ticket) }

func (r *reader) ticket(t *Ticket) error { return readObject(r, t, (*reader).ticketMember) }

func (r *reader) ticketMember(t *Ticket, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &t.ID)
	case "subject":
		return readString(r, &t.Subject)
	case "replies_count":
		return readInt(r, &t.RepliesCount)
	case "agent_replies_count":
		return readInt(r, &t.AgentRepliesCount)
	case "comments_count":
		return readInt(r, &t.CommentsCount)
	case "last_activity_at":
		return readTime(r, &t.LastActivityAt)
	case "created_at":
		return readTime(r, &t.CreatedAt)
	case "unanswered":
		return readBool(r, &t.Unanswered)
	case "archived":
		return readBool(r, &t.Archived)
	case "spam":
		return readBool(r, &t.Spam)
	case "private":
		return readBool(r, &t.Private)
	case "trash":
		return readBool(r, &t.Trash)
	case "draft":
		return readBool(r, &t.Draft)
	case "starred":
		return readBool(r, &t.Starred)
	case "summary":
		return readString(r, &t.Summary)
	case "url":
		return readString(r, &t.URL)
	case "source":
		return r.source(&t.Source)
	case "cc":
		return r.recipients(&t.CC)
	case "bcc":
		return r.recipients(&t.BCC)
	case "labels":
		return readArray(r, &t.Labels, (*reader).label)
	case "customer_rating":
		return r.rating(&t.CustomerRating)
	case "requester":
		return r.person(&t.Requester)
	case "content":
		return r.content(&t.Content)
	case "current_user_assignee", "current_user_asignee":
		return r.assignedUser(&t.AssignedUser)
	case "current_team_assignee", "current_team_asignee":
		return r.assignedTeam(&t.AssignedTeam)
	}
	return r.SkipValue()
}

// source reads the one key that the object has, whatever it is called.
func (r *reader) source(s *Source) error { return readObject(r, s, (*reader).sourceMember) }

func (r *reader) sourceMember(s *Source, name []byte) error {
	if s.Channel != "" {
		return r.SkipValue()
	}
	s.Channel = r.keep(name)
	if r.PeekKind() != '"' {
		return r.SkipValue()
	}
	return readString(r, &s.Address)
}

func (r *reader) label(l *Label) error { return readObject(r, l, (*reader).labelMember) }

func (r *reader) labelMember(l *Label, name []byte) error {
	switch string(name) {
	case "name":
		return readString(r, &l.Name)
	case "color":
		return readString(r, &l.Color)
	}
	return r.SkipValue()
}

// rating reads whatever there is; mostly that is nothing.
func (r *reader) rating(rating *map[string]any) error {
	null := r.PeekKind() == 'n'
	err := readObject(r, rating, (*reader).ratingMember)
	if *rating == nil && !null {
		*rating = map[string]any{}
	}
	return err
}

func (r *reader) ratingMember(rating *map[string]any, name []byte) error {
	if *rating == nil {
		*rating = map[string]any{}
	}
	key := string(name)
	var value any
	err := jsonv2.UnmarshalDecode(r.Decoder, &value)
	(*rating)[key] = value
	return err
}

func (r *reader) person(p *Person) error { return readObject(r, p, (*reader).personMember) }

func (r *reader) personMember(p *Person, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &p.ID)
	case "email":
		return readString(r, &p.Email)
	case "name":
		return readString(r, &p.Name)
	case "first_name":
		return readString(r, &p.FirstName)
	case "last_name":
		return readString(r, &p.LastName)
	case "role":
		return readString(r, &p.Role)
	case "agent":
		return readBool(r, &p.Agent)
	case "active_tickets_count":
		return readInt(r, &p.ActiveTicketsCount)
	case "picture":
		return r.picture(&p.Picture)
	}
	return r.SkipValue()
}

// recipients reads people, of whom some may be bare addresses.
func (r *reader) recipients(people *[]Person) error {
	return readArray(r, people, (*reader).recipient)
}

func (r *reader) recipient(p *Person) error {
	if r.PeekKind() == '"' {
		return readString(r, &p.Email)
	}
	return r.person(p)
}

// picture reads an object, an array of which the first counts, or "", which is none.
func (r *reader) picture(p *Picture) error {
	switch r.PeekKind() {
	case '[':
		var all []Picture
		err := readArray(r, &all, (*reader).picture)
		*p = Picture{}
		if len(all) > 0 {
			*p = all[0]
		}
		return err
	case '"':
		*p = Picture{}
		return r.SkipValue()
	}
	return readObject(r, p, (*reader).pictureMember)
}

func (r *reader) pictureMember(p *Picture, name []byte) error {
	switch string(name) {
	case "thumb20":
		return readString(r, &p.Thumb20)
	case "thumb24":
		return readString(r, &p.Thumb24)
	case "thumb32":
		return readString(r, &p.Thumb32)
	case "thumb48":
		return readString(r, &p.Thumb48)
	case "thumb64":
		return readString(r, &p.Thumb64)
	case "thumb128":
		return readString(r, &p.Thumb128)
	case "thumb256":
		return readString(r, &p.Thumb256)
	}
	return r.SkipValue()
}

func (r *reader) team(t *Team) error { return readObject(r, t, (*reader).teamMember) }

func (r *reader) teamMember(t *Team, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &t.ID)
	case "name":
		return readString(r, &t.Name)
	case "private":
		return readBool(r, &t.Private)
	case "picture":
		return r.picture(&t.Picture)
	}
	return r.SkipValue()
}

func (r *reader) assignedUser(p **Person) error {
	return readAssignee(r, p, "user", (*reader).person, (*reader).personMember)
}

func (r *reader) assignedTeam(p **Team) error {
	return readAssignee(r, p, "team", (*reader).team, (*reader).teamMember)
}

// readAssignee reads an assignee in either form. Where nobody is named, what p says is left, since
// the other spelling of the key may have named somebody.
func readAssignee[T comparable](r *reader, p **T, key string, read func(*reader, *T) error, member func(*reader, *T, []byte) error) error {
	under, itself, err := readEither(r, key, read, member)
	for _, assignee := range []*T{itself, under} {
		if assignee != nil && *assignee != *new(T) {
			*p = assignee
		}
	}
	return err
}

// content reads a content, which has its text under "body" where it is an older one.
func (r *reader) content(c *Content) error { return readObject(r, c, (*reader).contentMember) }

func (r *reader) contentMember(c *Content, name []byte) error {
	switch string(name) {
	case "html":
		return readString(r, &c.HTML)
	case "text", "body":
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
		return readArray(r, &c.Attachments, (*reader).attachment)
	}
	return r.SkipValue()
}

func (r *reader) attachment(a *Attachment) error { return readObject(r, a, (*reader).attachmentMember) }

func (r *reader) attachmentMember(a *Attachment, name []byte) error {
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
		return readObject(r, &a.URL, (*reader).attachmentURLMember)
	}
	return r.SkipValue()
}

func (r *reader) attachmentURLMember(u *AttachmentURL, name []byte) error {
	switch string(name) {
	case "original":
		return readString(r, &u.Original)
	case "thumb":
		return readString(r, &u.Thumb)
	}
	return r.SkipValue()
}

func (r *reader) reply(a *Reply) error { return readObject(r, a, (*reader).replyMember) }

func (r *reader) replyMember(a *Reply, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &a.ID)
	case "created_at":
		return readTime(r, &a.CreatedAt)
	case "summary":
		return readString(r, &a.Summary)
	case "merged":
		return readBool(r, &a.Merged)
	case "cc":
		return r.recipients(&a.CC)
	case "bcc":
		return r.recipients(&a.BCC)
	case "ticket":
		return readObject(r, &a.Ticket, (*reader).countsMember)
	case "replier":
		return r.person(&a.Replier)
	case "content":
		return r.content(&a.Content)
	}
	return r.SkipValue()
}

func (r *reader) comment(c *Comment) error { return readObject(r, c, (*reader).commentMember) }

func (r *reader) commentMember(c *Comment, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &c.ID)
	case "created_at":
		return readTime(r, &c.CreatedAt)
	case "merged":
		return readBool(r, &c.Merged)
	case "ticket":
		return readObject(r, &c.Ticket, (*reader).countsMember)
	case "commenter":
		return r.person(&c.Commenter)
	case "content":
		return r.content(&c.Content)
	}
	return r.SkipValue()
}

func (r *reader) countsMember(c *TicketCounts, name []byte) error {
	switch string(name) {
	case "replies_count":
		return readInt(r, &c.RepliesCount)
	case "agent_replies_count":
		return readInt(r, &c.AgentRepliesCount)
	case "comments_count":
		return readInt(r, &c.CommentsCount)
	}
	return r.SkipValue()
}

func (r *reader) userAssignment(a *UserAssignment) error {
	return readObject(r, a, (*reader).userAssignmentMember)
}

func (r *reader) userAssignmentMember(a *UserAssignment, name []byte) error {
	switch string(name) {
	case "assignee", "asignee":
		return r.assignedUser(&a.User)
	}
	return r.assignmentMember(name, &a.ID, &a.CreatedAt, &a.Ticket)
}

func (r *reader) teamAssignment(a *TeamAssignment) error {
	return readObject(r, a, (*reader).teamAssignmentMember)
}

func (r *reader) teamAssignmentMember(a *TeamAssignment, name []byte) error {
	switch string(name) {
	case "assignee", "asignee":
		return r.assignedTeam(&a.Team)
	}
	return r.assignmentMember(name, &a.ID, &a.CreatedAt, &a.Ticket)
}

// assignmentMember reads what both kinds of assignment have.
func (r *reader) assignmentMember(name []byte, id *AssignmentID, createdAt *time.Time, ticket *TicketRef) error {
	switch string(name) {
	case "id":
		return readInt(r, id)
	case "created_at":
		return readTime(r, createdAt)
	case "ticket":
		return readObject(r, ticket, (*reader).ticketRefMember)
	}
	return r.SkipValue()
}

func (r *reader) ticketRefMember(t *TicketRef, name []byte) error {
	if string(name) == "id" {
		return readInt(r, &t.ID)
	}
	return r.SkipValue()
}
