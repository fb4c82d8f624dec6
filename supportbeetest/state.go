package supportbeetest

import (
	"cmp"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// TicketSeed describes a ticket for [Desk.AddTicket].
type TicketSeed struct {
	Subject        string                    `json:"subject"`
	Text           string                    `json:"text"`
	HTML           string                    `json:"html"`            // default Text
	AttachmentIDs  []supportbee.AttachmentID `json:"attachment_ids"`  // of [Desk.AddFile]
	RequesterEmail string                    `json:"requester_email"` // default [CustomerEmail]
	RequesterName  string                    `json:"requester_name"`
	CC             []string                  `json:"cc"`     // addresses, each "a@example.com" or "Name <a@example.com>"
	Labels         []string                  `json:"labels"` // names of labels that the desk has; see [Desk.AddLabel]
	AssignedUserID supportbee.UserID         `json:"assigned_user_id"`
	AssignedTeamID supportbee.TeamID         `json:"assigned_team_id"`
	Archived       bool                      `json:"archived"`
	Spam           bool                      `json:"spam"`
	Trash          bool                      `json:"trash"`
	Answered       bool                      `json:"answered"`
	SnoozedUntil   time.Time                 `json:"snoozed_until"`
	CreatedAt      time.Time                 `json:"created_at"`       // default now
	LastActivityAt time.Time                 `json:"last_activity_at"` // default CreatedAt
}

// UserSeed describes a user for [Desk.AddUser].
type UserSeed struct {
	Type      supportbee.UserType `json:"type"` // default [supportbee.UserTypeUser]
	Email     string              `json:"email"`
	Name      string              `json:"name"`
	Role      supportbee.Role     `json:"role"` // default [supportbee.RoleCustomer]
	TeamIDs   []supportbee.TeamID `json:"team_ids"`
	MemberIDs []supportbee.UserID `json:"member_ids"` // of a customer group
	Invited   bool                `json:"invited"`    // the user has not accepted the invitation
}

// AddTicket adds a ticket as if it was received by mail, and returns its ID. Filters apply, and
// webhooks are sent. AddTicket panics if the seed has an ID or a label that the desk does not have,
// or a time whose year is not from 1 to 9999 in UTC.
func (s *Desk) AddTicket(seed TicketSeed) supportbee.TicketID {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, now := s.state, s.now()
	c := &call{encoder: s.encoder(), now: now}
	if seed.AssignedUserID != 0 {
		s.mustUser("AddTicket", seed.AssignedUserID)
	}
	if seed.AssignedTeamID != 0 {
		s.mustTeam("AddTicket", seed.AssignedTeamID)
	}
	if u := d.Users[int64(seed.AssignedUserID)]; u != nil && !d.assignable(int64(seed.AssignedTeamID), u) {
		panic(fmt.Sprintf("supportbeetest: AddTicket: user %d cannot be assigned", u.ID))
	}
	for _, name := range seed.Labels {
		s.mustLabel("AddTicket", name)
	}
	for _, at := range []time.Time{seed.CreatedAt, seed.LastActivityAt, seed.SnoozedUntil} {
		mustTime("AddTicket", at)
	}
	mustEmail("AddTicket", "RequesterEmail", seed.RequesterEmail)
	cc, _, problems := c.copies(seed.CC, nil)
	if len(problems) > 0 {
		panic("supportbeetest: AddTicket: " + strings.Join(problems, ", "))
	}
	created := stampOr(seed.CreatedAt, now)
	address, _ := d.address(nil)
	t := &ticket{
		ID: d.id(), Subject: seed.Subject, Requester: d.person(cmp.Or(seed.RequesterEmail, CustomerEmail), seed.RequesterName).ID,
		Content:   contentBody{Text: seed.Text, HTML: seed.HTML, AttachmentIDs: s.mustFiles("AddTicket", seed.AttachmentIDs)}.content(),
		CreatedAt: instantOf(created), LastActivityAt: instantOf(stampOr(seed.LastActivityAt, created)),
		Unanswered: !seed.Answered, Source: d.source("email", address),
		Labels: slices.Clone(seed.Labels), User: int64(seed.AssignedUserID), Team: int64(seed.AssignedTeamID), Archived: seed.Archived, Spam: seed.Spam, Trash: seed.Trash,
	}
	if copies := newCopies(cc(), nil); copies != nil {
		t.own().Copies = copies
	}
	if !seed.SnoozedUntil.IsZero() {
		t.own().SnoozedUntil = instantOf(seed.SnoozedUntil)
	}
	d.addTicket(t)
	s.emit(c, "ticket.created", t, nil)
	s.applyFilters(c, t)
	return supportbee.TicketID(t.ID)
}

// stampOr returns t as the desk keeps times, or otherwise if t is zero.
func stampOr(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t.UTC().Truncate(time.Second)
}

// AddTickets adds n tickets with replies, comments, labels and assignments, and returns their IDs.
// They are the same for every desk with the same users, teams and labels, but for their times,
// which are within the year before now. Every eighth ticket is archived. Filters do not apply.
// Webhooks are sent for the tickets, the replies and the comments. AddTickets panics if n is negative.
func (s *Desk) AddTickets(n int) []supportbee.TicketID {
	if n < 0 {
		panic(fmt.Sprintf("supportbeetest: AddTickets: %d tickets cannot be added", n))
	}
	if n == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, now := s.state, s.now()
	random := mathrand.New(mathrand.NewPCG(1, 2))
	var agents []int64
	for _, u := range d.sortedUsers() {
		if u.agent() && !u.Invited {
			agents = append(agents, u.ID)
		}
	}
	topics := []string{"Delivery", "Invoice", "Login", "Warranty", "Feature request", "Broken part", "Refund", "Question"}
	things := []string{"the red kettle", "order 4711", "my account", "the newsletter", "the mobile app", "the spare lid"}
	customers := make([]int64, max(1, min(n/10, 2000)))
	for i := range customers {
		customers[i] = d.person(fmt.Sprintf("customer%d@example.com", i+1), fmt.Sprintf("Customer %d", i+1)).ID
	}
	mail, texts := d.source("email", "help@acme.example"), map[[3]any]content{}
	shared := func(format string, args ...any) content { // equal texts share their memory
		key := [3]any{format}
		copy(key[1:], args)
		c, known := texts[key]
		if !known {
			c = contentBody{Text: fmt.Sprintf(format, args...)}.content()
			texts[key] = c
		}
		return c
	}
	// One slice, sorted by activity, makes a list that reads all of them fast.
	tickets, ids := make([]ticket, n), make([]supportbee.TicketID, n)
	for i := range tickets {
		at := now.Add(-time.Duration(random.Int64N(int64(365*24*time.Hour/time.Second))) * time.Second)
		topic, thing := topics[random.IntN(len(topics))], things[random.IntN(len(things))]
		t := &tickets[i]
		*t = ticket{
			ID: d.id(), Subject: fmt.Sprintf("%s: %s (%d)", topic, thing, i+1), Requester: customers[random.IntN(len(customers))],
			Content:   shared("Hello,\nI am writing about %s. It is about %s, and I would be glad of a reply.\nKind regards", thing, topic),
			CreatedAt: instantOf(at), Unanswered: true, Archived: i%8 == 7, Source: mail,
		}
		later := func(d time.Duration) {
			if at = at.Add(d); at.After(now) {
				at = now
			}
		}
		for range random.IntN(3) {
			later(time.Duration(random.IntN(3600)+1) * time.Second)
			author := t.Requester
			if t.Unanswered && len(agents) > 0 {
				author = agents[random.IntN(len(agents))]
			}
			t.Unanswered = !t.Unanswered
			t.Replies = append(t.Replies, &post{ID: d.id(), CreatedAt: instantOf(at), Author: author, Content: shared("This is about %s.", thing)})
		}
		if random.IntN(4) == 0 && len(agents) > 0 {
			later(time.Minute)
			t.Comments = append(t.Comments, &post{ID: d.id(), CreatedAt: instantOf(at), Author: agents[random.IntN(len(agents))], Content: contentBody{Text: "I have seen this before."}.content()})
		}
		if len(d.Labels) > 0 && random.IntN(3) == 0 {
			t.Labels = []string{d.Labels[random.IntN(len(d.Labels))].Name}
		}
		if len(d.Teams) > 0 && random.IntN(3) == 0 {
			team := d.Teams[random.IntN(len(d.Teams))]
			t.Team = team.ID
			if len(team.Members) > 0 && random.IntN(2) == 0 {
				t.User = team.Members[random.IntN(len(team.Members))]
			}
		}
		ids[i], t.LastActivityAt = supportbee.TicketID(t.ID), instantOf(at)
	}
	slices.SortFunc(tickets, func(a, b ticket) int { return d.byActivity.compare(&a, &b) })
	for i := range tickets {
		t := &tickets[i]
		d.Tickets[t.ID] = t
		d.byActivity.tickets = append(d.byActivity.tickets, t)
		d.byCreation.tickets = append(d.byCreation.tickets, t)
	}
	d.byActivity.sort()
	d.byCreation.sort()
	for i := range tickets {
		d.count(&tickets[i])
	}
	if s.webhooks.enabled() {
		s.emitTickets(ids)
	}
	return ids
}

// emitTickets sends the webhooks for tickets that have been added with their messages.
func (s *Desk) emitTickets(ids []supportbee.TicketID) {
	c := &call{encoder: s.encoder(), now: s.now()}
	by := func(author int64) *call {
		of := *c
		if u := s.state.Users[author]; u.agent() {
			of.user = u
		}
		return &of
	}
	for _, id := range ids {
		t := s.state.Tickets[int64(id)]
		s.emit(c, "ticket.created", t, nil)
		for _, p := range t.Replies {
			s.emitReply(by(p.Author), t, p)
		}
		for _, p := range t.Comments {
			s.emitComment(by(p.Author), t, p)
		}
	}
}

// AddCustomerReply adds a reply of the ticket's requester as if it was received by mail, and
// returns its ID. The files are of [Desk.AddFile].
func (s *Desk) AddCustomerReply(ticket supportbee.TicketID, text string, files ...supportbee.AttachmentID) supportbee.ReplyID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.mustTicket("AddCustomerReply", ticket)
	return s.seedReply(&call{encoder: s.encoder(), now: s.now()}, t, t.Requester, text, s.mustFiles("AddCustomerReply", files))
}

// AddReply adds a reply of an agent, and returns its ID. See [Desk.AddCustomerReply] for one of the
// requester.
func (s *Desk) AddReply(ticket supportbee.TicketID, author supportbee.UserID, text string) supportbee.ReplyID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u := s.mustTicket("AddReply", ticket), s.mustAgent("AddReply", author)
	return s.seedReply(&call{encoder: s.encoder(), now: s.now(), user: u}, t, u.ID, text, nil)
}

func (s *Desk) seedReply(c *call, t *ticket, author int64, text string, files []int64) supportbee.ReplyID {
	p := &post{ID: s.state.id(), CreatedAt: instantOf(c.now), Author: author, Content: contentBody{Text: text, AttachmentIDs: files}.content()}
	s.addReply(c, t, p)
	return supportbee.ReplyID(p.ID)
}

// AddComment adds a comment of an agent, and returns its ID.
func (s *Desk) AddComment(ticket supportbee.TicketID, author supportbee.UserID, text string) supportbee.CommentID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u := s.mustTicket("AddComment", ticket), s.mustAgent("AddComment", author)
	c := &call{encoder: s.encoder(), now: s.now(), user: u}
	p := &post{ID: s.state.id(), CreatedAt: instantOf(c.now), Author: u.ID, Content: contentBody{Text: text}.content()}
	s.addComment(c, t, p)
	return supportbee.CommentID(p.ID)
}

// AddUser adds a user, a customer or a customer group, and returns its ID. If there is a user with
// the e-mail address, such as the requester of a ticket, that user is changed instead: the name and
// the teams if the seed has them, and all else.
func (s *Desk) AddUser(seed UserSeed) supportbee.UserID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range seed.TeamIDs {
		s.mustTeam("AddUser", id)
	}
	mustEmail("AddUser", "Email", seed.Email)
	if seed.Role != "" && !isRole(string(seed.Role)) {
		panic(fmt.Sprintf("supportbeetest: AddUser: there is no role %q", seed.Role))
	}
	if seed.Type != "" && seed.Type != supportbee.UserTypeUser && seed.Type != supportbee.UserTypeCustomerGroup {
		panic(fmt.Sprintf("supportbeetest: AddUser: there is no type %q", seed.Type))
	}
	var members []int64
	for _, id := range seed.MemberIDs {
		if u := s.mustUser("AddUser", id); !slices.Contains(members, u.ID) {
			members = append(members, u.ID)
		}
	}
	added := s.state.person(seed.Email, seed.Name)
	added.Name = cmp.Or(seed.Name, added.Name)
	before := added.agent()
	added.Type, added.Role = cmp.Or(string(seed.Type), "user"), cmp.Or(string(seed.Role), "customer")
	added.Members, added.Invited = members, seed.Invited
	if added.agent() != before {
		s.state.recount() // since reports are about the replies of agents
	}
	for _, t := range s.state.Teams {
		is, was := slices.Contains(seed.TeamIDs, supportbee.TeamID(t.ID)), slices.Index(t.Members, added.ID)
		switch {
		case is && was < 0:
			t.Members = append(t.Members, added.ID)
		case !is && was >= 0 && seed.TeamIDs != nil:
			t.Members = slices.Delete(t.Members, was, was+1)
		}
	}
	return supportbee.UserID(added.ID)
}

// AddToken returns the token of a user, for [supportbee.WithToken]. It is a new one unless the user
// has a token.
func (s *Desk) AddToken(user supportbee.UserID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.mustUser("AddToken", user).ID
	if s.state.Tokens[s.Token] == id {
		return s.Token
	}
	token := s.state.token(id)
	if token == "" {
		token = newToken()
		s.state.Tokens[token] = id
	}
	return token
}

// AddTeam adds a team, and returns its ID. AddTeam panics if the name is blank.
func (s *Desk) AddTeam(name string, members ...supportbee.UserID) supportbee.TeamID {
	mustName("AddTeam", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &team{ID: s.state.id(), Name: name, Members: []int64{}}
	for _, id := range members {
		t.Members = append(t.Members, s.mustUser("AddTeam", id).ID)
	}
	s.state.Teams = append(s.state.Teams, t)
	return supportbee.TeamID(t.ID)
}

// AddLabel adds a label that tickets can have, or changes its color, such as "#FF0000". It returns
// the label's ID. AddLabel panics if the name is blank.
func (s *Desk) AddLabel(name, color string) supportbee.LabelID {
	mustName("AddLabel", name)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.state.Labels {
		if l.Name == name {
			s.state.Labels[i].Color = color
			return supportbee.LabelID(l.ID)
		}
	}
	return supportbee.LabelID(s.state.addLabel(name, color).ID)
}

// AddSnippet adds a snippet, and returns its ID.
func (s *Desk) AddSnippet(params supportbee.SnippetParams) supportbee.SnippetID {
	s.mu.Lock()
	defer s.mu.Unlock()
	snip := &snippet{
		ID: s.state.id(), CreatedAt: s.now(), Name: params.Name, Tags: params.Tags,
		Content: contentBody{Text: params.Content.Text, HTML: params.Content.HTML}.content(),
	}
	s.state.Snippets = append(s.state.Snippets, snip)
	return supportbee.SnippetID(snip.ID)
}

// AddFilter adds a filter, which applies to tickets that are added or created from now on, and
// returns its ID. AddFilter panics if the rule or the consequence is empty, or if the consequence has
// a label, a user or a team that the desk does not have.
func (s *Desk) AddFilter(rule supportbee.RuleParams, consequence supportbee.ConsequenceParams) supportbee.FilterID {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rule == (supportbee.RuleParams{}) || consequence == (supportbee.ConsequenceParams{}) {
		panic("supportbeetest: AddFilter: a rule needs a condition, and a consequence an action")
	}
	if consequence.Label != "" {
		s.mustLabel("AddFilter", consequence.Label)
	}
	if consequence.AssignUserID != 0 {
		if u := s.mustUser("AddFilter", consequence.AssignUserID); !u.agent() {
			panic(fmt.Sprintf("supportbeetest: AddFilter: user %d cannot be assigned", u.ID))
		}
	}
	if consequence.AssignTeamID != 0 {
		s.mustTeam("AddFilter", consequence.AssignTeamID)
	}
	d, now := s.state, s.now()
	f := filter{ID: d.datedID(now), RuleID: d.datedID(now), ConsequenceID: d.datedID(now)}
	d.Rules[f.RuleID] = ruleBody(rule)
	d.Consequences[f.ConsequenceID] = consequenceBody{
		Archive: consequence.Archive, Spam: consequence.Spam, Trash: consequence.Trash, Label: consequence.Label,
		AssignUser: int64(consequence.AssignUserID), AssignTeam: int64(consequence.AssignTeamID),
	}
	d.Filters = append(d.Filters, f)
	return supportbee.FilterID(f.ID)
}

// AddFile adds a file that tickets and replies can have as an attachment, and returns its ID.
func (s *Desk) AddFile(name, contentType string, data []byte) supportbee.AttachmentID {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &attachment{ID: s.state.id(), CreatedAt: s.now(), Filename: name, ContentType: contentType, Data: slices.Clone(data)}
	s.state.Attachments[a.ID] = a
	return supportbee.AttachmentID(a.ID)
}

// The functions below panic if the desk does not have what a test wants to use.

func (s *Desk) mustTicket(caller string, id supportbee.TicketID) *ticket {
	t := s.state.Tickets[int64(id)]
	if t == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no ticket %d", caller, id))
	}
	return t
}

func (s *Desk) mustUser(caller string, id supportbee.UserID) *user {
	u := s.state.Users[int64(id)]
	if u == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no user %d", caller, id))
	}
	return u
}

func (s *Desk) mustAgent(caller string, id supportbee.UserID) *user {
	u := s.mustUser(caller, id)
	if !u.agent() {
		panic(fmt.Sprintf("supportbeetest: %s: user %d is no agent", caller, id))
	}
	return u
}

func (s *Desk) mustTeam(caller string, id supportbee.TeamID) {
	if s.state.team(int64(id)) == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no team %d", caller, id))
	}
}

// mustEmail does not panic if the address is empty.
func mustEmail(caller, field, email string) {
	if email != "" && !isEmail(email) {
		panic(fmt.Sprintf("supportbeetest: %s: %s %q is not an e-mail address", caller, field, email))
	}
}

func mustName(caller, name string) {
	if strings.TrimSpace(name) == "" {
		panic(fmt.Sprintf("supportbeetest: %s: the name is blank", caller))
	}
}

func (s *Desk) mustLabel(caller, name string) {
	if _, exists := s.state.label(name); !exists {
		panic(fmt.Sprintf("supportbeetest: %s: there is no label %q; AddLabel adds it", caller, name))
	}
}

func (s *Desk) mustFiles(caller string, ids []supportbee.AttachmentID) []int64 {
	var files []int64
	for _, id := range ids {
		if s.state.Attachments[int64(id)] == nil {
			panic(fmt.Sprintf("supportbeetest: %s: there is no file %d; AddFile adds it", caller, id))
		}
		files = append(files, int64(id))
	}
	return files
}
