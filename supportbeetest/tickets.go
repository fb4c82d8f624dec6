package supportbeetest

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

const (
	defaultPerPage = 15
	maxPerPage     = 100
	maxCopies      = 25
)

func listTickets(s *Desk, c *call) response {
	selected, bad := c.selection()
	if bad.status != 0 {
		return bad
	}
	return c.page(selected)
}

func searchTickets(s *Desk, c *call) response {
	text := strings.TrimSpace(c.query.Get("query"))
	if text == "" {
		return invalidInput("Query can't be blank")
	}
	find := newFinder(text)
	requesters := map[int64]bool{}
	for id, u := range c.desk.Users {
		if find.in(u.Name) || find.in(u.Email) {
			requesters[id] = true
		}
	}
	var replied map[*ticket]bool
	for text, tickets := range c.desk.replies {
		if find.in(text) {
			if replied == nil {
				replied = make(map[*ticket]bool, len(tickets))
			}
			for _, t := range tickets {
				replied[t] = true
			}
		}
	}
	withSpam, withTrash := c.flag("spam"), c.flag("trash")
	selected := selection{index: c.desk.byActivity}
	selected.test(func(t *ticket) bool {
		if t.Spam && !withSpam || t.Trash && !withTrash {
			return false
		}
		return find.in(t.Subject) || find.in(t.Content.Text) || len(requesters) > 0 && requesters[t.Requester] || len(replied) > 0 && replied[t]
	})
	return c.page(selected)
}

// selection is what a list has: those tickets of an index that pass all tests.
type selection struct {
	index
	tests []func(*ticket) bool
}

func (s *selection) test(f func(*ticket) bool) { s.tests = append(s.tests, f) }

func (s *selection) has(t *ticket) bool {
	for _, passes := range s.tests {
		if !passes(t) {
			return false
		}
	}
	return true
}

// within leaves out the tickets before the time of since, or after that of until. To look for the first
// of them is faster than to test all.
func (c *call) within(s *selection, bound string, limit time.Time) {
	key, since := s.key, bound == "since"
	if c.quirks.UntilByActivity {
		key = c.desk.byActivity.key
	}
	beyond := func(t *ticket) bool {
		at := key(t).time()
		return at.After(limit) || at.Equal(limit) && since != c.quirks.ExclusiveEnds
	}
	switch first := sort.Search(len(s.tickets), func(i int) bool { return beyond(s.tickets[i]) }); {
	case c.quirks.UntilByActivity: // which the order may not be
		s.test(func(t *ticket) bool { return beyond(t) == since })
	case since:
		s.tickets = s.tickets[first:]
	default:
		s.tickets = s.tickets[:first]
	}
}

// selection reads the query of a list.
func (c *call) selection() (selection, response) {
	q := c.query
	selected := selection{index: c.desk.byActivity}
	if q.Get("sort_by") == "creation_time" {
		selected.index = c.desk.byCreation
	}
	test := selected.test

	switch q.Get("archived") {
	case "any":
	case "true":
		test(func(t *ticket) bool { return t.Archived })
	default:
		test(func(t *ticket) bool { return !t.Archived })
	}
	switch {
	case !c.flag("spam"):
		test(func(t *ticket) bool { return !t.Spam })
	case c.quirks.OnlySpamTrash:
		test(func(t *ticket) bool { return t.Spam })
	}
	switch {
	case !c.flag("trash"):
		test(func(t *ticket) bool { return !t.Trash })
	case c.quirks.OnlySpamTrash:
		test(func(t *ticket) bool { return t.Trash })
	}
	if replies := q.Get("replies"); boolean(replies) == "" {
		with := replies == "true"
		test(func(t *ticket) bool { return len(t.Replies) > 0 == with })
	}
	if most, err := strconv.Atoi(q.Get("max_replies")); err == nil && most >= 0 {
		test(func(t *ticket) bool { return len(t.Replies) <= most })
	}
	switch assigned := q.Get("assigned_user"); assigned {
	case "me":
		test(func(t *ticket) bool { return t.User == c.user.ID })
	case "any":
		test(func(t *ticket) bool { return t.User != 0 })
	case "none":
		test(func(t *ticket) bool { return t.User == 0 })
	default:
		if id, err := strconv.ParseInt(assigned, 10, 64); err == nil && id > 0 {
			test(func(t *ticket) bool { return t.User == id })
		}
	}
	switch assigned := q.Get("assigned_team"); assigned {
	case "mine":
		test(func(t *ticket) bool {
			team := c.desk.team(t.Team)
			return team != nil && slices.Contains(team.Members, c.user.ID)
		})
	case "none":
		test(func(t *ticket) bool { return t.Team == 0 })
	default:
		if id, err := strconv.ParseInt(assigned, 10, 64); err == nil && id > 0 {
			test(func(t *ticket) bool { return t.Team == id })
		}
	}
	if name := q.Get("label"); name != "" {
		test(func(t *ticket) bool { return slices.Contains(t.Labels, name) })
	}
	for _, bound := range []string{"since", "until"} {
		text := q.Get(bound)
		if text == "" {
			continue
		}
		limit, err := parseDate(text)
		if err != nil {
			return selection{}, fail(http.StatusInternalServerError, "Sorry. Something seems to have gone wrong. argument out of range")
		}
		if bound == "since" || !c.quirks.IgnoreUntil {
			c.within(&selected, bound, limit)
		}
	}
	if list := q.Get("requester_emails"); list != "" {
		wanted := map[int64]bool{}
		for email := range strings.SplitSeq(list, ",") {
			if u := c.desk.byEmail[strings.ToLower(strings.TrimSpace(email))]; u != nil {
				wanted[u.ID] = true
			}
		}
		test(func(t *ticket) bool { return wanted[t.Requester] })
	}
	return selected, response{}
}

// listJSON is a page of a list.
type listJSON struct {
	Total       *int         `json:"total,omitempty"`
	CurrentPage int          `json:"current_page"`
	PerPage     int          `json:"per_page"`
	TotalPages  *int         `json:"total_pages,omitempty"`
	Tickets     []ticketJSON `json:"tickets"`
}

// page returns a page of the selected tickets, newest first.
func (c *call) page(s selection) response {
	number, _ := strconv.Atoi(c.query.Get("page"))
	number = max(number, 1)
	perPage, _ := strconv.Atoi(c.query.Get("per_page"))
	if perPage <= 0 {
		perPage = defaultPerPage
	}
	perPage = min(perPage, maxPerPage, cmp.Or(c.quirks.MaxPerPage, maxPerPage))
	number = min(number, math.MaxInt/maxPerPage)
	first := (number - 1) * perPage
	total, list, totalOnly := 0, []ticketJSON{}, c.flag("total_only")
	if c.user != nil && !c.user.agent() {
		s.test(c.visible)
	}
	if c.quirks.UnstableOrder {
		s.tickets = slices.Clone(s.tickets)
		c.quirks.shuffle(s.tickets, s.key)
	}
	for _, t := range slices.Backward(s.tickets) {
		if len(s.tests) == 0 && (totalOnly || len(list) == perPage) {
			total = len(s.tickets)
			break
		}
		if !s.has(t) {
			continue
		}
		if total >= first && len(list) < perPage && !totalOnly {
			list = append(list, c.encoder.ticket(t))
		}
		total++
	}
	if totalOnly {
		return ok(object{"total": total})
	}
	pages := (total + perPage - 1) / perPage
	page := listJSON{&total, number, perPage, &pages, list}
	if c.quirks.NoTotals {
		page.Total, page.TotalPages = nil, nil
	}
	return ok(page)
}

func getTicket(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	return ok(object{"ticket": c.encoder.ticket(t)})
}

// contentBody is a content of a request.
type contentBody struct {
	Text          string  `json:"text"`
	HTML          string  `json:"html"`
	AttachmentIDs []int64 `json:"attachment_ids"`
}

// content returns the content that the service stores: text is the default of html. That the text
// of HTML is the default of text is inferred.
func (b contentBody) content() content {
	switch {
	case b.HTML == "":
		b.HTML = b.Text
	case b.Text == "":
		b.Text = plainText(b.HTML)
	}
	return newContent(b.Text, b.HTML, b.AttachmentIDs)
}

// problems returns a sentence for each reason to reject a content.
func (c *call) problems(b contentBody) []string {
	var list []string
	if strings.TrimSpace(b.Text) == "" && strings.TrimSpace(b.HTML) == "" {
		list = append(list, "Content can't be blank")
	}
	for _, id := range b.AttachmentIDs {
		if c.desk.Attachments[id] == nil {
			list = append(list, "Attachment "+strconv.FormatInt(id, 10)+" is unknown")
		}
	}
	return list
}

func createTicket(s *Desk, c *call) response {
	var in struct {
		Subject             string      `json:"subject"`
		RequesterName       string      `json:"requester_name"`
		RequesterEmail      string      `json:"requester_email"`
		CC                  []string    `json:"cc"`
		BCC                 []string    `json:"bcc"`
		NotifyRequester     bool        `json:"notify_requester"`
		Content             contentBody `json:"content"`
		ForwardingAddressID any         `json:"forwarding_address_id"`
	}
	if bad, fits := c.decode("ticket", &in); !fits {
		return bad
	}
	var problems []string
	in.RequesterEmail = strings.TrimSpace(in.RequesterEmail)
	switch {
	case in.RequesterEmail == "":
		problems = append(problems, "Requester can't be blank", "Requester email can't be blank")
	case !isEmail(in.RequesterEmail):
		problems = append(problems, fmt.Sprintf("Requester email %q is invalid", in.RequesterEmail))
	}
	if _, known := c.desk.address(in.ForwardingAddressID); c.strict && !known {
		problems = append(problems, "Forwarding address does not exist")
	}
	problems = append(problems, c.problems(in.Content)...)
	cc, bcc, copies := c.copies(in.CC, in.BCC)
	if problems = append(problems, copies...); len(problems) > 0 {
		return invalidInput(problems...)
	}
	if wait := s.limiter.take(c, &s.config, s.Clock.Now()); wait > 0 {
		return s.tooMany(wait)
	}
	address, _ := c.desk.address(in.ForwardingAddressID)
	t := &ticket{
		ID: c.desk.id(), Subject: in.Subject, Requester: c.desk.person(in.RequesterEmail, in.RequesterName).ID,
		Content: in.Content.content(), CreatedAt: instantOf(c.now), LastActivityAt: instantOf(c.now), Unanswered: true, Source: c.desk.source("web", address),
	}
	if copies := newCopies(cc(), bcc()); copies != nil {
		t.own().Copies = copies
	}
	c.desk.addTicket(t)
	actor := t.Requester
	if c.user != nil {
		actor = c.user.ID
	}
	own := t.own()
	own.Submitter, own.NotifyRequester = actor, in.NotifyRequester
	s.emit(c, "ticket.created", t, nil)
	s.applyFilters(c, t)
	s.mailTicket(t, in.NotifyRequester)
	if c.dialect == DialectDocumented {
		return created(c.encoder.ticket(t))
	}
	return created(object{"ticket": c.encoder.ticket(t)})
}

// copies parses the addresses of copies. The functions that it returns add the people, which must
// wait until the whole request has been checked.
func (c *call) copies(cc, bcc []string) (ccIDs, bccIDs func() []int64, problems []string) {
	check := func(name string, list []string) func() []int64 {
		type parsed struct{ name, email string }
		people := make([]parsed, 0, len(list))
		if len(list) > maxCopies {
			problems = append(problems, name+" is too long (maximum is 25)")
		}
		for _, text := range list {
			person, email, found := strings.Cut(text, "<")
			if !found {
				person, email = "", text
			}
			email = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(email), ">"))
			if !isEmail(email) {
				problems = append(problems, fmt.Sprintf("%s %q is invalid", name, text))
			}
			people = append(people, parsed{strings.TrimSpace(person), email})
		}
		return func() []int64 {
			var ids []int64
			for _, p := range people {
				ids = append(ids, c.desk.person(p.email, p.name).ID)
			}
			return ids
		}
	}
	return check("Cc", cc), check("Bcc", bcc), problems
}

func deleteTicket(s *Desk, c *call) response {
	t, missing := c.ticket404()
	switch {
	case t == nil:
		return missing
	case !t.Trash:
		return fail(http.StatusForbidden, "Only trashed tickets can be deleted")
	}
	c.desk.removeTicket(t)
	return done()
}

// flagOf is a state of a ticket that actions turn on and off.
type flagOf struct {
	set               func(t *ticket, on bool) (changed bool)
	onEvent, offEvent supportbee.WebhookAction // empty if there is none
	onNote, offNote   string
}

func plainFlag(field func(*ticket) *bool, onEvent supportbee.WebhookAction, onNote string, offEvent supportbee.WebhookAction, offNote string) flagOf {
	return flagOf{func(t *ticket, on bool) bool {
		f := field(t)
		changed := *f != on
		*f = on
		return changed
	}, onEvent, offEvent, onNote, offNote}
}

var (
	archived = plainFlag(func(t *ticket) *bool { return &t.Archived }, "ticket.archived", "Archived", "ticket.unarchived", "Unarchived")
	spam     = plainFlag(func(t *ticket) *bool { return &t.Spam }, "ticket.spammed", "Marked as spam", "ticket.unspammed", "Unmarked as spam")
	trash    = plainFlag(func(t *ticket) *bool { return &t.Trash }, "ticket.trashed", "Trashed", "ticket.untrashed", "Untrashed")
	starred  = plainFlag(func(t *ticket) *bool { return &t.Starred }, "", "Starred", "", "Unstarred")
	answered = flagOf{func(t *ticket, on bool) bool {
		changed := t.Unanswered == on
		t.Unanswered = !on
		return changed
	}, "ticket.answered", "ticket.unanswered", "Marked as answered", "Marked as unanswered"}
)

// setFlag handles an action. Repeating it has no effect.
func setFlag(flag flagOf, on bool) func(*Desk, *call) response {
	return func(s *Desk, c *call) response {
		t, missing := c.ticket404()
		if t == nil {
			return missing
		}
		s.setFlag(c, t, flag, on)
		return done()
	}
}

// setFlag turns a state of a ticket on or off.
func (s *Desk) setFlag(c *call, t *ticket, flag flagOf, on bool) {
	changed := false
	c.desk.change(t, func() { changed = flag.set(t, on) })
	if !changed {
		return
	}
	event, note := flag.onEvent, flag.onNote
	if !on {
		event, note = flag.offEvent, flag.offNote
	}
	c.note(t, note)
	if event != "" {
		s.emit(c, event, t, nil)
	}
}

func star(s *Desk, c *call) response {
	if result := setFlag(starred, true)(s, c); result.status != http.StatusNoContent {
		return result
	}
	at := stamp(c.now)
	result := created(object{"star": object{"id": c.desk.id(), "ticket_id": c.number("id"), "user_id": c.user.ID, "created_at": at, "updated_at": at}})
	result.header = map[string]string{"Location": c.base + c.URL.Path}
	return result
}

func setRequester(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	var in struct {
		Email string `json:"email"`
	}
	if bad, fits := c.decode("requester", &in); !fits {
		return bad
	}
	if !isEmail(in.Email) {
		return invalidInput("Email is invalid")
	}
	t.own().Submitter = cmp.Or(t.rare().Submitter, t.Requester)
	c.desk.change(t, func() { t.Requester = c.desk.person(in.Email, "").ID })
	c.note(t, "Changed the requester")
	p := c.person(t.Requester)
	return created(object{"user": object{"auto_assign": false, "email": p.Email, "first_name": p.FirstName, "last_name": p.LastName}})
}

func assignUser(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	var in struct {
		UserID int64 `json:"user_id"`
	}
	if bad, fits := c.decode("user_assignment", &in); !fits {
		return bad
	}
	u := c.desk.Users[in.UserID]
	if u == nil || !u.agent() {
		return notFound("User", in.UserID)
	}
	if !c.desk.assignable(t.Team, u) {
		return fail(http.StatusConflict, "The user is not a member of the ticket's team")
	}
	id := s.giveToUser(c, t, u)
	return created(c.assignment("user_assignment", id, t, c.now, "user", c.person(u.ID)))
}

// assignable reports whether a ticket of the team, which is 0 if it has none, can be assigned to
// the user.
func (d *desk) assignable(teamID int64, u *user) bool {
	team := d.team(teamID)
	return u.agent() && (team == nil || slices.Contains(team.Members, u.ID))
}

// giveToUser assigns a ticket to a user. It returns the ID of the assignment.
func (s *Desk) giveToUser(c *call, t *ticket, u *user) int64 {
	c.desk.change(t, func() { t.User = u.ID })
	c.note(t, "Assigned to "+u.Name)
	id := c.desk.id()
	s.emit(c, "ticket.assigned.to.user", t, object{"user_assignment": object{"id": id, "assignee": object{"user": c.webhook(s.URL).person(u.ID)}}})
	return id
}

func unassignUser(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	s.dropUser(c, t)
	return done()
}

// dropUser removes the assigned user of a ticket, if it has one.
func (s *Desk) dropUser(c *call, t *ticket) {
	if t.User == 0 {
		return
	}
	before := c.webhook(s.URL).person(t.User)
	c.desk.change(t, func() { t.User = 0 })
	c.note(t, "Unassigned the user")
	s.emit(c, "ticket.unassigned.from.user", t, object{"user_assignment": object{"id": c.desk.id(), "assignee": object{"user": before}}})
}

func assignTeam(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	var in struct {
		TeamID int64 `json:"team_id"`
	}
	if bad, fits := c.decode("team_assignment", &in); !fits {
		return bad
	}
	team := c.desk.team(in.TeamID)
	if team == nil {
		return notFound("Team", in.TeamID)
	}
	id := s.moveToTeam(c, t, team)
	return created(c.assignment("team_assignment", id, t, c.now, "team", c.encoder.team(team)))
}

// moveToTeam assigns a ticket to a team, which drops the user of another one. It returns the ID of
// the assignment.
func (s *Desk) moveToTeam(c *call, t *ticket, team *team) int64 {
	if t.Team != team.ID {
		s.dropUser(c, t)
	}
	c.desk.change(t, func() { t.Team = team.ID })
	c.note(t, "Assigned to team "+team.Name)
	id := c.desk.id()
	s.emit(c, "ticket.assigned.to.team", t, object{"team_assignment": object{"id": id, "assignee": object{"team": c.webhook(s.URL).team(team)}}})
	return id
}

// note adds to the audit trail what the user of the request, or a filter, has done.
func (c *call) note(t *ticket, action string) {
	actor := int64(0)
	if c.user != nil {
		actor = c.user.ID
	}
	c.desk.note(t, action, actor, c.now)
}

func unassignTeam(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	if team := c.desk.team(t.Team); team != nil {
		c.desk.change(t, func() { t.Team = 0 })
		c.note(t, "Unassigned the team")
		s.emit(c, "ticket.unassigned.from.team", t, object{"team_assignment": object{"id": c.desk.id(), "assignee": object{"team": c.webhook(s.URL).team(team)}}})
	}
	return done()
}

func getAudit(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	list := []auditJSON{}
	for _, a := range c.desk.trail(t) {
		list = append(list, c.encoder.audit(a))
	}
	return ok(object{"audit": list})
}
