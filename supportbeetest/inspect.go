package supportbeetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

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

// UserSeed is somebody to add with [Desk.AddUser].
type UserSeed struct {
	Email string
	Name  string
	Role  supportbee.Role // empty for a customer
	Teams []TeamID
}

// TicketSeed is a ticket to add with [Desk.AddTicket].
type TicketSeed struct {
	Subject        string
	Text           string
	HTML           string         // Text if empty
	Attachments    []AttachmentID // of [Desk.AddFile]
	RequesterEmail string         // [CustomerEmail] if empty
	RequesterName  string
	CC             []string // addresses, each "a@example.com" or "Name <a@example.com>"
	Labels         []string // that the desk has; see [Desk.AddLabel]
	User           UserID   // assigned
	Team           TeamID   // assigned
	Archived       bool
	Spam           bool
	Trash          bool
	SnoozedUntil   time.Time
	CreatedAt      time.Time // now if zero
}

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

// Requests returns the last 10,000 requests, oldest first. Credentials are masked.
func (s *Desk) Requests() []Request { return s.requests.all() }

// ResetRequests forgets the requests so far.
func (s *Desk) ResetRequests() { s.requests.reset() }

// Inject arms a fault. Of several that fit a request, the first one armed hits it.
func (s *Desk) Inject(f Fault) *Injection { return s.faults.inject(f) }

// AddWebhook posts every event from now on to the URL, in the order in which they happen. What
// waits for slow receivers is bounded: beyond 10,000, events are dropped with an error in
// [Desk.Deliveries].
func (s *Desk) AddWebhook(url string) { s.webhooks.subscribe(url) }

// AddWebhookHandler is [Desk.AddWebhook] for a handler that listens at no address. It works
// inside a [testing/synctest] bubble.
func (s *Desk) AddWebhookHandler(handler http.Handler) { s.webhooks.subscribeHandler(handler) }

// FlushWebhooks waits until every webhook so far has been delivered, or has failed.
func (s *Desk) FlushWebhooks(ctx context.Context) error { return s.webhooks.flush(ctx) }

// Deliveries returns the webhooks that were delivered, or failed, in their order.
func (s *Desk) Deliveries() []Delivery { return s.webhooks.deliveries() }

// WriteTo writes the desk's state as JSON, tokens and files included, for [Desk.ReadFrom].
// Armed faults, webhooks and the list of requests are no part of it.
func (s *Desk) WriteTo(w io.Writer) (int64, error) {
	s.mu.RLock()
	encoded, err := json.Marshal(s.state)
	s.mu.RUnlock()
	if err != nil {
		return 0, fmt.Errorf("supportbeetest: WriteTo: %w", err)
	}
	n, err := w.Write(append(encoded, '\n'))
	return int64(n), err
}

// ReadFrom replaces the desk's state by one that [Desk.WriteTo] wrote. The desk's own token
// stays good. On an error the state is as it was.
func (s *Desk) ReadFrom(r io.Reader) (int64, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return int64(len(data)), fmt.Errorf("supportbeetest: ReadFrom: %w", err)
	}
	read := newDesk()
	if err := json.Unmarshal(data, read); err != nil {
		return int64(len(data)), fmt.Errorf("supportbeetest: ReadFrom: %w", err)
	}
	if err := read.check(); err != nil {
		return int64(len(data)), fmt.Errorf("supportbeetest: ReadFrom: %w", err)
	}
	read.reindex()
	read.NextID = max(read.NextID, read.highestID())
	s.mu.Lock()
	defer s.mu.Unlock()
	if read.Tokens[s.Token] == 0 {
		for _, u := range read.sortedUsers() {
			if u.Role == "admin" {
				read.Tokens[s.Token] = u.ID
				break
			}
		}
	}
	s.state = read
	return int64(len(data)), nil
}

// check refuses a state that lacks parts, or that refers to what is not in it.
func (d *desk) check() error {
	if d.Users == nil || d.Tickets == nil || d.Attachments == nil || d.Rules == nil || d.Consequences == nil || d.Tokens == nil {
		return errors.New("a part of the desk is null")
	}
	if slices.Contains(d.Teams, nil) || slices.Contains(d.Snippets, nil) || slices.Contains(d.Addresses, nil) {
		return errors.New("a team, snippet or address is null")
	}
	for id, a := range d.Attachments {
		if a == nil || a.ID != id {
			return fmt.Errorf("attachment %d has another ID", id)
		}
	}
	for id, u := range d.Users {
		if u == nil || u.ID != id {
			return fmt.Errorf("user %d has another ID", id)
		}
		for _, member := range u.Members {
			if d.Users[member] == nil {
				return fmt.Errorf("customer group %d has an unknown member %d", id, member)
			}
		}
	}
	for id, t := range d.Tickets {
		if t == nil || t.ID != id {
			return fmt.Errorf("ticket %d has another ID", id)
		}
		if d.Users[t.Requester] == nil {
			return fmt.Errorf("ticket %d has no requester", id)
		}
		contents := []content{t.Content}
		for _, p := range slices.Concat(t.Replies, t.Comments) {
			if p == nil || d.Users[p.Author] == nil {
				return fmt.Errorf("ticket %d has a message without an author", id)
			}
			contents = append(contents, p.Content)
		}
		if t.Draft != nil {
			contents = append(contents, t.Draft.Content)
		}
		for _, c := range contents {
			for _, file := range c.Attachments {
				if d.Attachments[file] == nil {
					return fmt.Errorf("ticket %d has an unknown attachment %d", id, file)
				}
			}
		}
	}
	return nil
}

// highestID is the highest ID in use, so that a new one surely is new.
func (d *desk) highestID() int64 {
	var highest int64
	use := func(id int64) { highest = max(highest, id) }
	for id := range d.Users {
		use(id)
	}
	for id := range d.Attachments {
		use(id)
	}
	for id, t := range d.Tickets {
		use(id)
		for _, p := range slices.Concat(t.Replies, t.Comments) {
			use(p.ID)
		}
		if t.Draft != nil {
			use(t.Draft.ID)
		}
	}
	for _, t := range d.Teams {
		use(t.ID)
	}
	for _, s := range d.Snippets {
		use(s.ID)
	}
	for _, a := range d.Addresses {
		use(a.ID)
	}
	return highest
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
