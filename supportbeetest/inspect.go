package supportbeetest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// Ticket returns a ticket, or nil if there is none. Like the methods below, it reads the state
// without a request. Pictures and the URLs of attachments are left out.
func (s *Desk) Ticket(id supportbee.TicketID) *supportbee.Ticket {
	r := s.read()
	defer s.mu.RUnlock()
	if t := r.Tickets[int64(id)]; t != nil {
		return r.ticket(t)
	}
	return nil
}

// Tickets returns all tickets in any state, oldest first.
func (s *Desk) Tickets() []*supportbee.Ticket {
	r := s.read()
	defer s.mu.RUnlock()
	return each(r.byCreation.tickets, r.ticket)
}

// Replies returns the replies of a ticket, oldest first. If there is no such ticket, it returns
// nil, as Comments and Audit do.
func (s *Desk) Replies(ticket supportbee.TicketID) []*supportbee.Reply {
	r := s.read()
	defer s.mu.RUnlock()
	t := r.Tickets[int64(ticket)]
	if t == nil {
		return nil
	}
	counts := r.counts(t)
	counts.ID = ticket
	return each(t.Replies, func(p *post) *supportbee.Reply {
		return &supportbee.Reply{
			ID: supportbee.ReplyID(p.ID), CreatedAt: p.CreatedAt.time(), Summary: summary(p.Content), CC: r.people(p.Copies.cc()), BCC: r.people(p.Copies.bcc()),
			Ticket: counts, Replier: r.person(p.Author), Content: r.content(p.Content), AttachmentsCount: len(p.Content.attachments()),
		}
	})
}

// Comments returns the comments of a ticket, oldest first.
func (s *Desk) Comments(ticket supportbee.TicketID) []*supportbee.Comment {
	r := s.read()
	defer s.mu.RUnlock()
	t := r.Tickets[int64(ticket)]
	if t == nil {
		return nil
	}
	return each(t.Comments, func(p *post) *supportbee.Comment {
		return &supportbee.Comment{
			ID: supportbee.CommentID(p.ID), CreatedAt: p.CreatedAt.time(), Ticket: r.counts(t), Commenter: r.person(p.Author), Content: r.content(p.Content),
		}
	})
}

// Draft returns the saved draft of a ticket, or nil if there is none.
func (s *Desk) Draft(ticket supportbee.TicketID) *supportbee.Draft {
	r := s.read()
	defer s.mu.RUnlock()
	t := r.Tickets[int64(ticket)]
	if t == nil || t.rare().Draft == nil {
		return nil
	}
	d := t.rare().Draft
	return &supportbee.Draft{
		ID: supportbee.DraftID(d.ID), CC: r.people(d.CC), BCC: r.people(d.BCC),
		LastSavedBy: new(r.person(d.SavedBy)), LastSavedAt: d.SavedAt, Content: r.content(d.Content),
	}
}

// Audit returns the audit trail of a ticket, oldest first.
func (s *Desk) Audit(ticket supportbee.TicketID) []*supportbee.AuditEntry {
	r := s.read()
	defer s.mu.RUnlock()
	t := r.Tickets[int64(ticket)]
	if t == nil {
		return nil
	}
	return each(r.trail(t), func(a audit) *supportbee.AuditEntry {
		entry := &supportbee.AuditEntry{Action: a.Action, URL: a.URL, Severity: "info", HappenedAt: a.At}
		if u := r.Users[a.Actor]; u != nil {
			entry.Actor = &supportbee.AuditActor{Name: u.Name, Email: u.Email}
		}
		return entry
	})
}

// User returns the user with the e-mail address, or nil if there is none.
func (s *Desk) User(email string) *supportbee.User {
	r := s.read()
	defer s.mu.RUnlock()
	if u := r.byEmail[strings.ToLower(email)]; u != nil {
		r.groups = r.desk.groups()
		return r.user(u)
	}
	return nil
}

// Users returns all users, customers and customer groups, in the order of their IDs.
func (s *Desk) Users() []*supportbee.User {
	r := s.read()
	defer s.mu.RUnlock()
	r.groups = r.desk.groups()
	return each(r.sortedUsers(), r.user)
}

// Members returns the members of a customer group. If there is no such group, it returns nil.
func (s *Desk) Members(group supportbee.UserID) []*supportbee.User {
	r := s.read()
	defer s.mu.RUnlock()
	u := r.Users[int64(group)]
	if u == nil || u.Type != "customer_group" {
		return nil
	}
	r.groups = r.desk.groups()
	return each(u.Members, func(id int64) *supportbee.User { return r.user(r.Users[id]) })
}

// Team returns the team with the name, or nil if there is none.
func (s *Desk) Team(name string) *supportbee.Team {
	r := s.read()
	defer s.mu.RUnlock()
	for _, t := range r.Teams {
		if t.Name == name {
			return r.team(t.ID)
		}
	}
	return nil
}

// Labels returns all labels.
func (s *Desk) Labels() []*supportbee.Label {
	r := s.read()
	defer s.mu.RUnlock()
	return each(r.Labels, func(l label) *supportbee.Label {
		return &supportbee.Label{ID: supportbee.LabelID(l.ID), Name: l.Name, Color: l.Color}
	})
}

// Snippets returns all snippets.
func (s *Desk) Snippets() []*supportbee.Snippet {
	r := s.read()
	defer s.mu.RUnlock()
	return each(r.Snippets, func(snip *snippet) *supportbee.Snippet {
		return &supportbee.Snippet{
			ID: supportbee.SnippetID(snip.ID), CreatedAt: snip.CreatedAt, Name: snip.Name, Tags: snip.Tags, Content: r.content(snip.Content),
		}
	})
}

// ForwardingAddresses returns all forwarding addresses.
func (s *Desk) ForwardingAddresses() []*supportbee.ForwardingAddress {
	r := s.read()
	defer s.mu.RUnlock()
	return each(r.Addresses, func(a *address) *supportbee.ForwardingAddress {
		return &supportbee.ForwardingAddress{ID: supportbee.ForwardingAddressID(itoa(a.ID)), Email: a.Email, Name: a.Name}
	})
}

// Filters returns all filters, in the order in which they apply.
func (s *Desk) Filters() []Filter {
	r := s.read()
	defer s.mu.RUnlock()
	return each(r.desk.Filters, func(f filter) Filter {
		does := r.Consequences[f.ConsequenceID]
		return Filter{
			ID: supportbee.FilterID(f.ID), Rule: supportbee.RuleParams(r.Rules[f.RuleID]),
			Consequence: supportbee.ConsequenceParams{
				Archive: does.Archive, Spam: does.Spam, Trash: does.Trash, Label: does.Label,
				AssignUserID: supportbee.UserID(does.AssignUser), AssignTeamID: supportbee.TeamID(does.AssignTeam),
			},
		}
	})
}

// Filter is a filter with its rule and its consequence. See [Desk.Filters].
type Filter struct {
	ID          supportbee.FilterID
	Rule        supportbee.RuleParams
	Consequence supportbee.ConsequenceParams
}

// File returns the content of an attachment, or nil if there is none.
func (s *Desk) File(id supportbee.AttachmentID) []byte {
	r := s.read()
	defer s.mu.RUnlock()
	if a := r.Attachments[int64(id)]; a != nil {
		return append([]byte{}, a.Data...) // not nil if the file is empty
	}
	return nil
}

// each returns the results of f for the values.
func each[T, R any](values []T, f func(T) R) []R {
	list := make([]R, len(values))
	for i, value := range values {
		list[i] = f(value)
	}
	return list
}

// reader converts the state to the types of the client.
type reader struct {
	*desk
	now    time.Time
	groups []*user // only for reading users
}

// read locks the state for reading.
func (s *Desk) read() reader {
	s.mu.RLock()
	return reader{desk: s.state, now: s.now()}
}

func (r reader) person(id int64) supportbee.Person {
	u := r.Users[id]
	if u == nil {
		return supportbee.Person{ID: supportbee.UserID(id)}
	}
	p := supportbee.Person{
		ID: supportbee.UserID(u.ID), Type: supportbee.UserType(u.Type), Email: u.Email, Name: u.Name, Role: supportbee.Role(u.Role), Agent: u.agent(),
		TwoFactorAuthenticationEnabled: u.TwoFactor, CanMembersAccessGroupTickets: u.SharedGroup, EmailDomains: slices.Clone(u.EmailDomains),
		MembersCount: len(u.Members),
	}
	p.FirstName, p.LastName, _ = strings.Cut(u.Name, " ")
	return p
}

func (r reader) user(u *user) *supportbee.User {
	out := &supportbee.User{Person: r.person(u.ID), Signature: u.Signature}
	if u.Type == "customer_group" {
		out.Role = "" // as in responses
	}
	out.ActiveTicketsCount, out.RequestedTicketsCount = r.ticketsOf(u.ID)
	for _, t := range r.Teams {
		if slices.Contains(t.Members, u.ID) {
			out.Teams = append(out.Teams, *r.team(t.ID))
		}
	}
	for _, group := range r.groups {
		if slices.Contains(group.Members, u.ID) {
			out.CustomerGroups = append(out.CustomerGroups, supportbee.CustomerGroup{ID: supportbee.UserID(group.ID), Name: group.Name})
		}
	}
	return out
}

// team returns nil if there is no team with the ID.
func (r reader) team(id int64) *supportbee.Team {
	t := r.desk.team(id)
	if t == nil {
		return nil
	}
	return &supportbee.Team{ID: supportbee.TeamID(t.ID), Name: t.Name, Private: t.Private}
}

func (r reader) people(ids []int64) []supportbee.Person {
	var list []supportbee.Person
	for _, id := range ids {
		list = append(list, r.person(id))
	}
	return list
}

func (r reader) counts(t *ticket) supportbee.TicketCounts {
	return supportbee.TicketCounts{RepliesCount: len(t.Replies), AgentRepliesCount: r.agentReplies(t), CommentsCount: len(t.Comments)}
}

func (r reader) content(c content) supportbee.Content {
	out := supportbee.Content{HTML: c.html(), Text: c.Text}
	for _, id := range c.attachments() {
		a := r.Attachments[id]
		out.Attachments = append(out.Attachments, supportbee.Attachment{
			ID: supportbee.AttachmentID(a.ID), CreatedAt: a.CreatedAt, Filename: a.Filename, ContentType: a.ContentType,
		})
	}
	return out
}

func (r reader) ticket(t *ticket) *supportbee.Ticket {
	out := &supportbee.Ticket{
		ID: supportbee.TicketID(t.ID), Subject: t.Subject, RepliesCount: len(t.Replies), AgentRepliesCount: r.agentReplies(t), CommentsCount: len(t.Comments),
		LastActivityAt: t.LastActivityAt.time(), CreatedAt: t.CreatedAt.time(), Unanswered: t.Unanswered, Archived: t.Archived, Spam: t.Spam, Private: t.Private,
		Trash: t.Trash, Draft: t.rare().Draft != nil, Starred: t.Starred, Summary: summary(t.Content),
		Source: supportbee.Source{Channel: t.Source.Channel, Address: t.Source.Address}, CC: r.people(t.rare().Copies.cc()), BCC: r.people(t.rare().Copies.bcc()),
		Requester: r.person(t.Requester), Submitter: new(r.person(cmp.Or(t.rare().Submitter, t.Requester))), Content: r.content(t.Content),
		AttachmentsCount: len(t.Content.attachments()), NotifyRequester: t.rare().NotifyRequester,
	}
	if t.rare().SnoozedUntil.time().After(r.now) {
		out.Snoozed, out.SnoozedUntil = true, t.rare().SnoozedUntil.time()
	}
	if len(t.Replies) > 0 {
		out.LastReplyAt = t.Replies[len(t.Replies)-1].CreatedAt.time()
	}
	for _, name := range t.Labels {
		l, _ := r.label(name)
		out.Labels = append(out.Labels, supportbee.Label{Name: name, Color: l.Color}) // without the ID, like responses
	}
	if t.User != 0 {
		out.AssignedUser = new(r.person(t.User))
	}
	out.AssignedTeam = r.team(t.Team)
	return out
}
