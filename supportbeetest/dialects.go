package supportbeetest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dialect is a form of the service's responses. The payloads of webhooks have the same form in
// all dialects.
type Dialect string

// The dialects.
const (
	// DialectCurrent is the form seen in 2026: more members of tickets, replies and people than
	// before, null for assignees that are absent, and the tickets of a user inside the user.
	DialectCurrent Dialect = "current"

	// DialectRecorded is the form recorded in 2015 and 2016.
	DialectRecorded Dialect = "recorded"

	// DialectDocumented is the form in the vendor's reference: created tickets and fetched replies
	// without an envelope, assignees flat and under a misspelled key, pictures as arrays or empty
	// objects, and "body" for the "text" of replies.
	DialectDocumented Dialect = "documented"
)

// The wire types are the desk's own, apart from the SDK's: a mistake in one cannot hide a mistake
// in the other.
type (
	pictureJSON struct {
		Thumb20  string `json:"thumb20"`
		Thumb24  string `json:"thumb24"`
		Thumb32  string `json:"thumb32"`
		Thumb48  string `json:"thumb48"`
		Thumb64  string `json:"thumb64,omitempty"`
		Thumb128 string `json:"thumb128,omitempty"`
		Thumb256 string `json:"thumb256,omitempty"`
	}
	personJSON struct {
		ID                 int64   `json:"id"`
		Email              string  `json:"email"`
		Name               *string `json:"name"`
		FirstName          string  `json:"first_name"`
		LastName           *string `json:"last_name"`
		Role               *string `json:"role"`
		Agent              bool    `json:"agent"`
		ActiveTicketsCount *int    `json:"active_tickets_count,omitempty"`
		Picture            any     `json:"picture"`
		*accountJSON               // nil in the older dialects, except in userJSON
	}
	// accountJSON is what people have today, and what users always had.
	accountJSON struct {
		Type         string   `json:"type"`
		TwoFactor    bool     `json:"two_factor_authentication_enabled"`
		SharedGroup  *bool    `json:"can_members_access_group_tickets"`
		EmailDomains []string `json:"email_domains,omitzero"`
		MembersCount *int     `json:"members_count,omitempty"`
	}
	userJSON struct {
		personJSON
		RequestedCount *int         `json:"requested_tickets_count,omitempty"`
		Signature      *string      `json:"signature,omitempty"`
		CustomerGroups []nameJSON   `json:"customer_groups,omitzero"`
		Teams          []teamJSON   `json:"teams"`
		Tickets        []ticketJSON `json:"tickets,omitzero"`
	}
	// personCopyJSON is what drafts keep of a person.
	personCopyJSON struct {
		Email   string  `json:"email"`
		Name    *string `json:"name"`
		Picture any     `json:"picture"`
	}
	nameJSON struct {
		ID   int64  `json:"id"`
		Name string `json:"name"`
	}
	teamJSON struct {
		ID      int64  `json:"id"`
		Name    string `json:"name"`
		Agent   *bool  `json:"agent,omitempty"` // in flat assignees
		Private *bool  `json:"private,omitempty"`
		Picture any    `json:"picture"`
	}
	labelJSON struct {
		ID    int64  `json:"id,omitempty"`
		Name  string `json:"name"`
		Color string `json:"color"`
	}
	attachmentJSON struct {
		ID          int64  `json:"id"`
		CreatedAt   string `json:"created_at"`
		Filename    string `json:"filename"`
		ContentType string `json:"content_type"`
		URL         any    `json:"url"`
	}
	contentJSON struct {
		HTML        *string          `json:"html"`
		Text        *string          `json:"text,omitempty"`
		Body        *string          `json:"body,omitempty"`
		Truncated   bool             `json:"truncated"`
		Attachments []attachmentJSON `json:"attachments"`
	}
	ticketJSON struct {
		ID                  int64             `json:"id"`
		Subject             string            `json:"subject"`
		RepliesCount        int               `json:"replies_count"`
		AgentRepliesCount   int               `json:"agent_replies_count"`
		CommentsCount       int               `json:"comments_count"`
		LastActivityAt      string            `json:"last_activity_at"`
		CreatedAt           string            `json:"created_at"`
		Unanswered          bool              `json:"unanswered"`
		Archived            bool              `json:"archived"`
		Spam                bool              `json:"spam"`
		Private             bool              `json:"private"`
		Trash               bool              `json:"trash"`
		Draft               bool              `json:"draft"`
		Starred             *bool             `json:"starred,omitempty"`
		Summary             string            `json:"summary"`
		URL                 string            `json:"url,omitempty"`
		Source              map[string]string `json:"source"`
		CC                  []personJSON      `json:"cc"`
		BCC                 []personJSON      `json:"bcc"`
		Labels              []labelJSON       `json:"labels"`
		CustomerRating      struct{}          `json:"customer_rating"`
		Requester           personJSON        `json:"requester"`
		Content             contentJSON       `json:"content"`
		CurrentUserAssignee any               `json:"current_user_assignee,omitempty"`
		CurrentTeamAssignee any               `json:"current_team_assignee,omitempty"`
		CurrentUserAsignee  any               `json:"current_user_asignee,omitempty"`
		CurrentTeamAsignee  any               `json:"current_team_asignee,omitempty"`
		*currentTicketJSON                    // nil in the older dialects
	}
	// currentTicketJSON is what tickets have today.
	currentTicketJSON struct {
		Submitter        personJSON `json:"submitter"`
		Snoozed          bool       `json:"snoozed"`
		SnoozedUntil     *string    `json:"snoozed_until"`
		LastReplyAt      *string    `json:"last_reply_at"`
		AttachmentsCount int        `json:"attachments_count"`
		HistoricalImport *bool      `json:"historical_import"` // only null was ever seen
		NotifyRequester  bool       `json:"notify_requester"`
	}
	countsJSON struct {
		ID                int64 `json:"id,omitempty"` // today, in replies
		RepliesCount      int   `json:"replies_count"`
		AgentRepliesCount int   `json:"agent_replies_count"`
		CommentsCount     int   `json:"comments_count"`
	}
	replyJSON struct {
		ID                int64        `json:"id"`
		CreatedAt         string       `json:"created_at"`
		Summary           string       `json:"summary"`
		Merged            bool         `json:"merged"`
		CC                []personJSON `json:"cc"`
		BCC               []personJSON `json:"bcc"`
		Ticket            *countsJSON  `json:"ticket,omitempty"`
		Replier           personJSON   `json:"replier"`
		Content           contentJSON  `json:"content"`
		*currentReplyJSON              // nil in the older dialects
	}
	// currentReplyJSON is what replies have today.
	currentReplyJSON struct {
		AttachmentsCount int   `json:"attachments_count"`
		HistoricalImport *bool `json:"historical_import"` // only null was ever seen
	}
	commentJSON struct {
		ID        int64       `json:"id"`
		CreatedAt string      `json:"created_at"`
		Merged    bool        `json:"merged"`
		Ticket    *countsJSON `json:"ticket,omitempty"`
		Commenter personJSON  `json:"commenter"`
		Content   contentJSON `json:"content"`
	}
	draftJSON struct {
		ID          *int64           `json:"id"`
		CC          []personCopyJSON `json:"cc"`
		BCC         []personCopyJSON `json:"bcc"`
		LastSavedBy *personJSON      `json:"last_saved_by"`
		LastSavedAt *string          `json:"last_saved_at"`
		Content     contentJSON      `json:"content"`
	}
	auditJSON struct {
		Action     string     `json:"action"`
		Actor      *actorJSON `json:"actor"`
		URL        string     `json:"url"`
		Severity   string     `json:"severity"`
		HappenedAt string     `json:"happened_at"`
	}
	actorJSON struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	assignmentJSON struct {
		ID        int64  `json:"id"`
		CreatedAt string `json:"created_at"`
		Ticket    any    `json:"ticket,omitempty"`
		Assignee  any    `json:"assignee,omitempty"`
	}
	object = map[string]any
)

// encoder turns state into wire types.
type encoder struct {
	desk    *desk
	dialect Dialect
	base    string // the desk's URL
	now     time.Time
	quirks  *quirkSet
}

// null is the value of a member that is present without one.
var null = json.RawMessage("null")

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func (e encoder) documented() bool { return e.dialect == DialectDocumented }

func (e encoder) current() bool { return e.dialect == DialectCurrent }

// webhook returns the encoder for payloads of webhooks. They have the desk's URL, whatever the name
// that a request was sent to.
func (e encoder) webhook(deskURL string) encoder {
	e.dialect, e.base = DialectCurrent, deskURL
	return e
}

func (e encoder) userPicture(id int64) any {
	if e.documented() {
		return object{}
	}
	return e.userSizes(id)
}

func (e encoder) userSizes(id int64) pictureJSON {
	base := fmt.Sprintf("%s/pictures/users/%d/", e.base, id)
	return pictureJSON{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png",
		Thumb48: base + "48.png", Thumb64: base + "64.png", Thumb128: base + "128.png",
	}
}

func (e encoder) person(id int64) personJSON {
	u := e.desk.Users[id]
	if u == nil {
		return personJSON{ID: id}
	}
	// Copies, not pointers into the desk: this is encoded after the desk is unlocked.
	p := personJSON{ID: u.ID, Email: u.Email, Role: new(u.Role), Agent: u.agent(), Picture: e.userPicture(u.ID)}
	if u.Name != "" {
		first, last, _ := strings.Cut(u.Name, " ")
		p.Name, p.FirstName = new(u.Name), first
		if last != "" {
			p.LastName = &last
		}
	}
	switch e.dialect {
	case DialectCurrent:
		p.accountJSON = e.account(u)
	case DialectRecorded:
		active, _ := e.desk.ticketsOf(u.ID)
		p.ActiveTicketsCount = &active
	}
	return p
}

// pictured is a person in a place where the reference shows pictures.
func (e encoder) pictured(id int64) personJSON {
	p := e.person(id)
	if e.documented() {
		p.Picture = []pictureJSON{e.userSizes(id)}
	}
	return p
}

func (e encoder) account(u *user) *accountJSON {
	out := &accountJSON{Type: u.Type, TwoFactor: u.TwoFactor}
	if u.Type == "customer_group" {
		out.SharedGroup = new(u.SharedGroup)
	}
	if u.Type == "customer_group" || e.current() {
		out.EmailDomains = append([]string{}, u.EmailDomains...)
		out.MembersCount = new(len(u.Members))
	}
	return out
}

func (e encoder) personCopies(ids []int64) []personCopyJSON {
	list := make([]personCopyJSON, len(ids))
	for i, p := range e.people(ids) {
		list[i] = personCopyJSON{p.Email, p.Name, p.Picture}
	}
	return list
}

func (e encoder) people(ids []int64) []personJSON {
	list := make([]personJSON, len(ids))
	for i, id := range ids {
		list[i] = e.person(id)
	}
	return list
}

func (e encoder) user(u *user) userJSON { return e.users([]*user{u})[0] }

func (e encoder) users(users []*user) []userJSON {
	list := make([]userJSON, len(users))
	for i, u := range users {
		out := userJSON{personJSON: e.person(u.ID), Teams: []teamJSON{}}
		out.accountJSON = e.account(u)
		if !e.current() {
			active, requested := e.desk.ticketsOf(u.ID)
			out.ActiveTicketsCount, out.RequestedCount = &active, &requested
		}
		if u.Type == "customer_group" {
			out.Role = nil
		}
		for _, t := range e.desk.Teams {
			if slices.Contains(t.Members, u.ID) {
				out.Teams = append(out.Teams, e.team(t))
			}
		}
		list[i] = out
	}
	return list
}

// userWithTickets is the response to one user: in today's dialect with more than lists have.
func (e encoder) userWithTickets(u *user, tickets []*ticket) object {
	out, list := e.user(u), make([]ticketJSON, len(tickets))
	for i, t := range tickets {
		list[i] = e.ticket(t)
	}
	if e.documented() {
		return object{"user": out, "tickets": list}
	}
	out.Tickets = list
	if e.current() {
		active, _ := e.desk.ticketsOf(u.ID)
		out.Signature, out.CustomerGroups, out.ActiveTicketsCount = new(u.Signature), []nameJSON{}, &active
		for _, group := range e.desk.groups() {
			if slices.Contains(group.Members, u.ID) {
				out.CustomerGroups = append(out.CustomerGroups, nameJSON{group.ID, group.Name})
			}
		}
	}
	return object{"user": out}
}

func (e encoder) team(t *team) teamJSON {
	out := teamJSON{ID: t.ID, Name: t.Name, Picture: e.teamSizes(t)}
	if t.Private {
		out.Private = new(true)
	}
	if e.documented() {
		out.Picture = object{}
	}
	return out
}

func (e encoder) teamSizes(t *team) pictureJSON {
	base := fmt.Sprintf("/pictures/teams/%d/", t.ID)
	sizes := pictureJSON{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png", Thumb48: base + "48.png", Thumb256: base + "256.png",
	}
	if e.current() {
		sizes.Thumb64, sizes.Thumb128 = base+"64.png", base+"128.png"
	}
	return sizes
}

func (e encoder) labels() []labelJSON {
	list := make([]labelJSON, len(e.desk.Labels))
	for i, l := range e.desk.Labels {
		list[i] = labelJSON{Name: l.Name, Color: l.Color}
		if e.current() {
			list[i].ID = l.ID
		}
	}
	return list
}

func (e encoder) attachment(id int64) attachmentJSON {
	a := e.desk.Attachments[id]
	path := fmt.Sprintf("%s/attachments/%d/", e.base, a.ID)
	name := segment(a.Filename)
	return attachmentJSON{
		ID: a.ID, CreatedAt: stamp(a.CreatedAt), Filename: a.Filename, ContentType: a.ContentType,
		URL: object{"original": path + "original/" + name, "thumb": path + "thumb/" + name},
	}
}

func (e encoder) content(c content) contentJSON {
	out := contentJSON{Attachments: []attachmentJSON{}}
	for _, id := range c.attachments() {
		out.Attachments = append(out.Attachments, e.attachment(id))
	}
	if html := c.html(); html != "" {
		out.HTML = &html
	}
	out.Text = &c.Text
	e.quirks.shape(&out)
	return out
}

func (e encoder) ticketCounts(t *ticket) *countsJSON {
	return &countsJSON{RepliesCount: len(t.Replies), AgentRepliesCount: e.desk.agentReplies(t), CommentsCount: len(t.Comments)}
}

func (e encoder) ticket(t *ticket) ticketJSON {
	out := ticketJSON{
		ID: t.ID, Subject: t.Subject, RepliesCount: len(t.Replies), AgentRepliesCount: e.desk.agentReplies(t), CommentsCount: len(t.Comments),
		LastActivityAt: stamp(t.LastActivityAt.time()), CreatedAt: stamp(t.CreatedAt.time()), Unanswered: t.Unanswered, Archived: t.Archived,
		Spam: t.Spam, Private: t.Private, Trash: t.Trash, Draft: t.rare().Draft != nil, Summary: summary(t.Content),
		Source: map[string]string{t.Source.Channel: t.Source.Address}, CC: e.people(t.rare().Copies.cc()), BCC: e.people(t.rare().Copies.bcc()), Labels: []labelJSON{},
		Requester: e.pictured(t.Requester), Content: e.content(t.Content),
	}
	for _, name := range t.Labels {
		l, _ := e.desk.label(name)
		out.Labels = append(out.Labels, labelJSON{Name: name, Color: l.Color}) // without the ID, in every dialect
	}
	if e.current() {
		out.CurrentUserAssignee, out.CurrentTeamAssignee = null, null
		out.currentTicketJSON = e.currentTicket(t)
	} else {
		out.Starred = new(t.Starred)
	}
	if t.User != 0 {
		if p := e.pictured(t.User); e.documented() {
			out.CurrentUserAsignee = p
		} else {
			out.CurrentUserAssignee = object{"user": p}
		}
	}
	if assigned := e.desk.team(t.Team); assigned != nil {
		if p := e.team(assigned); e.documented() {
			p.Agent, p.Picture = new(false), []pictureJSON{e.teamSizes(assigned)}
			out.CurrentTeamAsignee = p
		} else {
			out.CurrentTeamAssignee = object{"team": p}
		}
	}
	return out
}

func (e encoder) currentTicket(t *ticket) *currentTicketJSON {
	out := &currentTicketJSON{
		Submitter: e.person(cmp.Or(t.rare().Submitter, t.Requester)), AttachmentsCount: len(t.Content.attachments()), NotifyRequester: t.rare().NotifyRequester,
	}
	if t.rare().SnoozedUntil.time().After(e.now) {
		out.Snoozed, out.SnoozedUntil = true, new(stamp(t.rare().SnoozedUntil.time()))
	}
	if len(t.Replies) > 0 {
		out.LastReplyAt = new(stamp(t.Replies[len(t.Replies)-1].CreatedAt.time()))
	}
	return out
}

func (e encoder) reply(t *ticket, p *post) replyJSON {
	out := replyJSON{
		ID: p.ID, CreatedAt: stamp(p.CreatedAt.time()), Summary: summary(p.Content), CC: e.people(p.Copies.cc()), BCC: e.people(p.Copies.bcc()),
		Ticket: e.ticketCounts(t), Replier: e.person(p.Author), Content: e.content(p.Content),
	}
	if e.current() {
		out.Ticket.ID = t.ID
		out.currentReplyJSON = &currentReplyJSON{AttachmentsCount: len(p.Content.attachments())}
	}
	if e.documented() {
		out.Content.Body, out.Content.Text = out.Content.Text, nil
		if p.Content.html() == p.Content.Text { // only text was sent
			out.Content.HTML = nil
		}
	}
	return out
}

func (e encoder) comment(t *ticket, p *post) commentJSON {
	return commentJSON{ID: p.ID, CreatedAt: stamp(p.CreatedAt.time()), Ticket: e.ticketCounts(t), Commenter: e.person(p.Author), Content: e.content(p.Content)}
}

func (e encoder) draft(d *draft) draftJSON {
	out := draftJSON{CC: e.personCopies(d.CC), BCC: e.personCopies(d.BCC), Content: e.content(d.Content)}
	if d.ID != 0 {
		out.ID, out.LastSavedBy, out.LastSavedAt = &d.ID, new(e.person(d.SavedBy)), new(stamp(d.SavedAt))
	}
	return out
}

func (e encoder) audit(a audit) auditJSON {
	out := auditJSON{Action: a.Action, URL: a.URL, Severity: "info", HappenedAt: stamp(a.At)}
	if u := e.desk.Users[a.Actor]; u != nil {
		out.Actor = &actorJSON{u.Name, u.Email}
	}
	return out
}

func (e encoder) snippet(s *snippet) object {
	return object{"id": s.ID, "created_at": stamp(s.CreatedAt), "name": s.Name, "tags": s.Tags, "content": object{"text": s.Content.Text, "html": s.Content.html()}}
}

func (e encoder) address(a *address) object {
	return object{"id": a.ID, "email": a.Email, "name": a.Name}
}

// assignment is the response to an assignment, in its envelope.
func (e encoder) assignment(key string, id int64, t *ticket, now time.Time, kind string, assignee any) object {
	made := assignmentJSON{ID: id, CreatedAt: stamp(now), Ticket: object{"id": t.ID}}
	if e.documented() {
		return object{key: made, "asignee": object{kind: assignee}}
	}
	made.Assignee = object{kind: assignee}
	return object{key: made}
}

func dataPoint(value float64, at time.Time) object {
	return object{"value": strconv.FormatFloat(value, 'f', -1, 64), "timestamp": strconv.FormatInt(at.Unix(), 10)}
}
