package supportbeetest

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dialect says in which shapes the desk answers where more than one is on record.
type Dialect int

// The dialects.
const (
	// DialectRecorded answers as production traffic and live tests showed it.
	DialectRecorded Dialect = iota

	// DialectDocumented answers as the vendor's reference shows it: bare tickets and replies where
	// one is created or fetched, assignees flat and under a misspelt key, pictures as arrays or
	// empty objects, "body" for "text".
	DialectDocumented
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
	}
	userJSON struct {
		personJSON
		Type           string       `json:"type"`
		TwoFactor      bool         `json:"two_factor_authentication_enabled"`
		SharedGroup    *bool        `json:"can_members_access_group_tickets"`
		EmailDomains   []string     `json:"email_domains,omitempty"`
		MembersCount   *int         `json:"members_count,omitempty"`
		RequestedCount int          `json:"requested_tickets_count"`
		Teams          []teamJSON   `json:"teams"`
		Tickets        []ticketJSON `json:"tickets,omitempty"`
	}
	teamJSON struct {
		ID      int64  `json:"id"`
		Name    string `json:"name"`
		Private *bool  `json:"private,omitempty"`
		Picture any    `json:"picture"`
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
		Starred             bool              `json:"starred"`
		Summary             string            `json:"summary"`
		URL                 string            `json:"url,omitempty"`
		Source              map[string]string `json:"source"`
		CC                  []personJSON      `json:"cc"`
		BCC                 []personJSON      `json:"bcc"`
		Labels              []label           `json:"labels"`
		CustomerRating      struct{}          `json:"customer_rating"`
		Requester           personJSON        `json:"requester"`
		Content             contentJSON       `json:"content"`
		CurrentUserAssignee any               `json:"current_user_assignee,omitempty"`
		CurrentTeamAssignee any               `json:"current_team_assignee,omitempty"`
		CurrentUserAsignee  any               `json:"current_user_asignee,omitempty"`
		CurrentTeamAsignee  any               `json:"current_team_asignee,omitempty"`
	}
	countsJSON struct {
		RepliesCount      int `json:"replies_count"`
		AgentRepliesCount int `json:"agent_replies_count"`
		CommentsCount     int `json:"comments_count"`
	}
	replyJSON struct {
		ID        int64        `json:"id"`
		CreatedAt string       `json:"created_at"`
		Summary   string       `json:"summary"`
		Merged    bool         `json:"merged"`
		CC        []personJSON `json:"cc"`
		BCC       []personJSON `json:"bcc"`
		Ticket    *countsJSON  `json:"ticket,omitempty"`
		Replier   personJSON   `json:"replier"`
		Content   contentJSON  `json:"content"`
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
		ID          *int64       `json:"id"`
		CC          []personJSON `json:"cc"`
		BCC         []personJSON `json:"bcc"`
		LastSavedBy *personJSON  `json:"last_saved_by"`
		LastSavedAt *string      `json:"last_saved_at"`
		Content     contentJSON  `json:"content"`
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
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func (e encoder) userPicture(id int64) any {
	base := fmt.Sprintf("%s/pictures/users/%d/", e.base, id)
	p := pictureJSON{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png",
		Thumb48: base + "48.png", Thumb64: base + "64.png", Thumb128: base + "128.png",
	}
	if e.dialect == DialectDocumented {
		return []pictureJSON{p}
	}
	return p
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
	return p
}

func (e encoder) people(ids []int64) []personJSON {
	list := make([]personJSON, len(ids))
	for i, id := range ids {
		list[i] = e.person(id)
	}
	return list
}

func (e encoder) user(u *user) userJSON { return e.users([]*user{u})[0] }

// users counts the tickets of all of them in one go: there can be many of both.
func (e encoder) users(users []*user) []userJSON {
	active, requested := map[int64]int{}, map[int64]int{}
	for _, t := range e.desk.byCreation.tickets {
		requested[t.Requester]++
		if !t.Archived && !t.Spam && !t.Trash {
			active[t.Requester]++
		}
	}
	list := make([]userJSON, len(users))
	for i, u := range users {
		out := userJSON{personJSON: e.person(u.ID), Type: u.Type, TwoFactor: u.TwoFactor, RequestedCount: requested[u.ID], Teams: []teamJSON{}}
		out.ActiveTicketsCount = new(active[u.ID])
		if u.Type == "customer_group" {
			out.Role = nil
			out.SharedGroup, out.EmailDomains = new(u.SharedGroup), u.EmailDomains
			out.MembersCount = new(len(u.Members))
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

func (e encoder) team(t *team) teamJSON {
	base := fmt.Sprintf("/pictures/teams/%d/", t.ID)
	out := teamJSON{ID: t.ID, Name: t.Name, Picture: pictureJSON{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png", Thumb48: base + "48.png", Thumb256: base + "256.png",
	}}
	if t.Private {
		out.Private = new(true)
	}
	if e.dialect == DialectDocumented {
		out.Picture = object{}
	}
	return out
}

func (e encoder) attachment(id int64) attachmentJSON {
	a := e.desk.Attachments[id]
	path := fmt.Sprintf("%s/attachments/%d/", e.base, a.ID)
	name := url.PathEscape(a.Filename)
	return attachmentJSON{
		ID: a.ID, CreatedAt: stamp(a.CreatedAt), Filename: a.Filename, ContentType: a.ContentType,
		URL: object{"original": path + "original/" + name, "thumb": path + "thumb/" + name},
	}
}

func (e encoder) content(c content) contentJSON {
	out := contentJSON{Attachments: []attachmentJSON{}}
	for _, id := range c.Attachments {
		out.Attachments = append(out.Attachments, e.attachment(id))
	}
	if c.HTML != "" {
		out.HTML = &c.HTML
	}
	if e.dialect == DialectDocumented {
		out.Body = &c.Text
	} else {
		out.Text = &c.Text
	}
	return out
}

func (e encoder) counts(t *ticket) *countsJSON {
	return &countsJSON{len(t.Replies), e.desk.agentReplies(t), len(t.Comments)}
}

func (e encoder) ticket(t *ticket) ticketJSON {
	out := ticketJSON{
		ID: t.ID, Subject: t.Subject, RepliesCount: len(t.Replies), AgentRepliesCount: e.desk.agentReplies(t), CommentsCount: len(t.Comments),
		LastActivityAt: stamp(t.LastActivityAt), CreatedAt: stamp(t.CreatedAt), Unanswered: t.Unanswered, Archived: t.Archived,
		Spam: t.Spam, Private: t.Private, Trash: t.Trash, Draft: t.Draft != nil, Starred: t.Starred, Summary: summary(t.Content),
		Source: map[string]string{t.Channel: t.Address}, CC: e.people(t.CC), BCC: e.people(t.BCC), Labels: []label{},
		Requester: e.person(t.Requester), Content: e.content(t.Content),
	}
	for _, name := range t.Labels {
		l, _ := e.desk.label(name)
		out.Labels = append(out.Labels, label{Name: name, Color: l.Color})
	}
	if t.User != 0 {
		if p := e.person(t.User); e.dialect == DialectDocumented {
			out.CurrentUserAsignee = p
		} else {
			out.CurrentUserAssignee = object{"user": p}
		}
	}
	if assigned := e.desk.team(t.Team); assigned != nil {
		if p := e.team(assigned); e.dialect == DialectDocumented {
			out.CurrentTeamAsignee = p
		} else {
			out.CurrentTeamAssignee = object{"team": p}
		}
	}
	return out
}

func (e encoder) reply(t *ticket, p *post) replyJSON {
	return replyJSON{
		ID: p.ID, CreatedAt: stamp(p.CreatedAt), Summary: summary(p.Content), CC: e.people(p.CC), BCC: e.people(p.BCC),
		Ticket: e.counts(t), Replier: e.person(p.Author), Content: e.content(p.Content),
	}
}

func (e encoder) comment(t *ticket, p *post) commentJSON {
	return commentJSON{ID: p.ID, CreatedAt: stamp(p.CreatedAt), Ticket: e.counts(t), Commenter: e.person(p.Author), Content: e.content(p.Content)}
}

func (e encoder) draft(d *draft) draftJSON {
	out := draftJSON{CC: e.people(d.CC), BCC: e.people(d.BCC), Content: e.content(d.Content)}
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
	return object{"id": s.ID, "created_at": stamp(s.CreatedAt), "name": s.Name, "tags": s.Tags, "content": object{"text": s.Content.Text, "html": s.Content.HTML}}
}

func (e encoder) address(a *address) object {
	return object{"id": a.ID, "email": a.Email, "name": a.Name}
}

// assignment is the answer to an assignment, in its envelope.
func (e encoder) assignment(key string, id int64, t *ticket, now time.Time, kind string, assignee any) object {
	made := assignmentJSON{ID: id, CreatedAt: stamp(now), Ticket: object{"id": t.ID}}
	if e.dialect == DialectDocumented {
		return object{key: made, "asignee": object{kind: assignee}}
	}
	made.Assignee = object{kind: assignee}
	return object{key: made}
}

func dataPoint(value float64, at time.Time) object {
	return object{"value": strconv.FormatFloat(value, 'f', -1, 64), "timestamp": strconv.FormatInt(at.Unix(), 10)}
}
