package supportbeetest

import (
	"slices"

	"github.com/supportbee-go/supportbee"
)

// The IDs of the SDK, short.
type (
	// TicketID is a [supportbee.TicketID].
	TicketID = supportbee.TicketID
	// UserID is a [supportbee.UserID].
	UserID = supportbee.UserID
	// TeamID is a [supportbee.TeamID].
	TeamID = supportbee.TeamID
	// ReplyID is a [supportbee.ReplyID].
	ReplyID = supportbee.ReplyID
	// CommentID is a [supportbee.CommentID].
	CommentID = supportbee.CommentID
	// AttachmentID is a [supportbee.AttachmentID].
	AttachmentID = supportbee.AttachmentID
)

// Ticket returns a ticket as it is in the desk, past the API; false if there is none. Pictures
// and the addresses of attachments are left out, here and in whatever else is read past the API.
func (s *Desk) Ticket(id TicketID) (supportbee.Ticket, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.state.Tickets[int64(id)]
	if t == nil {
		return supportbee.Ticket{}, false
	}
	return s.reader().ticket(t), true
}

// Tickets returns all tickets, archived, spam and trashed ones included, oldest first.
func (s *Desk) Tickets() []supportbee.Ticket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]supportbee.Ticket, 0, len(s.state.byCreation.tickets))
	for _, t := range s.state.byCreation.tickets {
		list = append(list, s.reader().ticket(t))
	}
	return list
}

// Replies returns the ticket's replies, oldest first; nil if there is no such ticket.
func (s *Desk) Replies(id TicketID) []supportbee.Reply {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.state.Tickets[int64(id)]
	if t == nil {
		return nil
	}
	r := s.reader()
	list := make([]supportbee.Reply, 0, len(t.Replies))
	for _, p := range t.Replies {
		list = append(list, supportbee.Reply{
			ID: ReplyID(p.ID), CreatedAt: p.CreatedAt, Summary: summary(p.Content), CC: r.people(p.CC), BCC: r.people(p.BCC),
			Ticket: r.counts(t), Replier: r.person(p.Author), Content: r.content(p.Content),
		})
	}
	return list
}

// Comments returns the ticket's comments, oldest first; nil if there is no such ticket.
func (s *Desk) Comments(id TicketID) []supportbee.Comment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.state.Tickets[int64(id)]
	if t == nil {
		return nil
	}
	r := s.reader()
	list := make([]supportbee.Comment, 0, len(t.Comments))
	for _, p := range t.Comments {
		list = append(list, supportbee.Comment{
			ID: CommentID(p.ID), CreatedAt: p.CreatedAt, Ticket: r.counts(t), Commenter: r.person(p.Author), Content: r.content(p.Content),
		})
	}
	return list
}

// User returns the user with the e-mail; false if there is none.
func (s *Desk) User(email string) (supportbee.Person, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, u := range s.state.Users {
		if u.Email == email && email != "" {
			return s.reader().person(u.ID), true
		}
	}
	return supportbee.Person{}, false
}

// Team returns the team with the name; false if there is none.
func (s *Desk) Team(name string) (supportbee.Team, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, t := range s.state.Teams {
		if t.Name == name {
			return supportbee.Team{ID: TeamID(t.ID), Name: t.Name, Private: t.Private}, true
		}
	}
	return supportbee.Team{}, false
}

// File returns the bytes of an attachment; false if there is none.
func (s *Desk) File(id supportbee.AttachmentID) ([]byte, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	a := s.state.Attachments[int64(id)]
	if a == nil {
		return nil, false
	}
	return slices.Clone(a.Data), true
}

// reader turns state into the SDK's types.
type reader struct{ *desk }

func (s *Desk) reader() reader { return reader{s.state} }

func (r reader) person(id int64) supportbee.Person {
	u := r.Users[id]
	if u == nil {
		return supportbee.Person{ID: UserID(id)}
	}
	return supportbee.Person{ID: UserID(u.ID), Email: u.Email, Name: u.Name, Role: supportbee.Role(u.Role), Agent: u.agent()}
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
	out := supportbee.Content{HTML: c.HTML, Text: c.Text}
	for _, id := range c.Attachments {
		a := r.Attachments[id]
		out.Attachments = append(out.Attachments, supportbee.Attachment{
			ID: supportbee.AttachmentID(a.ID), CreatedAt: a.CreatedAt, Filename: a.Filename, ContentType: a.ContentType,
		})
	}
	return out
}

func (r reader) ticket(t *ticket) supportbee.Ticket {
	out := supportbee.Ticket{
		ID: TicketID(t.ID), Subject: t.Subject, RepliesCount: len(t.Replies), AgentRepliesCount: r.agentReplies(t), CommentsCount: len(t.Comments),
		LastActivityAt: t.LastActivityAt, CreatedAt: t.CreatedAt, Unanswered: t.Unanswered, Archived: t.Archived, Spam: t.Spam, Private: t.Private,
		Trash: t.Trash, Draft: t.Draft != nil, Starred: t.Starred, Summary: summary(t.Content),
		Source: supportbee.Source{Channel: t.Channel, Address: t.Address}, CC: r.people(t.CC), BCC: r.people(t.BCC),
		Requester: r.person(t.Requester), Content: r.content(t.Content),
	}
	for _, name := range t.Labels {
		l, _ := r.label(name)
		out.Labels = append(out.Labels, supportbee.Label{Name: name, Color: l.Color})
	}
	if t.User != 0 {
		out.AssignedUser = new(r.person(t.User))
	}
	if team := r.team(t.Team); team != nil {
		out.AssignedTeam = &supportbee.Team{ID: TeamID(team.ID), Name: team.Name, Private: team.Private}
	}
	return out
}
