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
	CreatedAt      time.Time // now if zero
}

// UserSeed is somebody to add with [Desk.AddUser].
type UserSeed struct {
	Email string
	Name  string
	Role  supportbee.Role // empty for a customer
	Teams []TeamID
}

// AddTicket adds a ticket as if it had come by mail, and returns its ID. Filters apply and
// webhooks are sent. It panics where the seed names what the desk does not have.
func (s *Desk) AddTicket(in TicketSeed) TicketID {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, now := s.state, s.now()
	c := &call{encoder: s.encoder(), now: now}
	if in.User != 0 {
		s.mustUser("AddTicket", in.User)
	}
	if in.Team != 0 {
		s.mustTeam("AddTicket", in.Team)
	}
	for _, name := range in.Labels {
		if _, exists := d.label(name); !exists {
			panic(fmt.Sprintf("supportbeetest: AddTicket: there is no label %q; AddLabel adds it", name))
		}
	}
	cc, _, problems := c.copies(in.CC, nil)
	if len(problems) > 0 {
		panic("supportbeetest: AddTicket: " + strings.Join(problems, ", "))
	}
	created := in.CreatedAt.UTC().Truncate(time.Second)
	if in.CreatedAt.IsZero() {
		created = now
	}
	t := &ticket{
		ID: d.id(), Subject: in.Subject, Requester: d.person(cmp.Or(in.RequesterEmail, CustomerEmail), in.RequesterName).ID, CC: cc(),
		Content:   contentBody{Text: in.Text, HTML: in.HTML, AttachmentIDs: s.mustFiles("AddTicket", in.Attachments)}.content(),
		CreatedAt: created, LastActivityAt: created, Unanswered: true, Channel: "email", Address: d.address(nil),
		Labels: slices.Clone(in.Labels), User: int64(in.User), Team: int64(in.Team), Archived: in.Archived, Spam: in.Spam, Trash: in.Trash,
	}
	d.applyFilters(t)
	d.addTicket(t)
	d.note(t, "Created", t.Requester, "#ticket", created)
	s.emit(c, "ticket.created", t, nil)
	return TicketID(t.ID)
}

// Seed adds n tickets with replies, comments, labels and assignments. The same desk gets the same
// tickets every time. They are spread over the year before now; every eighth is archived.
func (s *Desk) Seed(n int) {
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
	// In one piece, in the order of activity: a list that goes through all of them is quick then.
	tickets := make([]ticket, n)
	for i := range tickets {
		at := now.Add(-time.Duration(random.Int64N(int64(365*24*time.Hour/time.Second))) * time.Second)
		topic, thing := topics[random.IntN(len(topics))], things[random.IntN(len(things))]
		t := &tickets[i]
		*t = ticket{
			ID: d.id(), Subject: fmt.Sprintf("%s: %s (%d)", topic, thing, i+1), Requester: customers[random.IntN(len(customers))],
			Content:   contentBody{Text: fmt.Sprintf("Hello,\nI am writing about %s. It is about %s, and I would be glad of an answer.\nKind regards", thing, topic)}.content(),
			CreatedAt: at, Unanswered: true, Archived: i%8 == 7, Channel: "email", Address: "help@acme.example",
		}
		for range random.IntN(3) {
			at = at.Add(time.Duration(random.IntN(3600)+1) * time.Second)
			author := agents[random.IntN(len(agents))]
			if !t.Unanswered {
				author = t.Requester
			}
			t.Unanswered = !t.Unanswered
			t.Replies = append(t.Replies, &post{ID: d.id(), CreatedAt: at, Author: author, Content: contentBody{Text: "This is about " + thing + "."}.content()})
		}
		if random.IntN(4) == 0 {
			at = at.Add(time.Minute)
			t.Comments = append(t.Comments, &post{ID: d.id(), CreatedAt: at, Author: agents[random.IntN(len(agents))], Content: contentBody{Text: "I have seen this before."}.content()})
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
		t.LastActivityAt = at
		t.Audit = []audit{{Action: "Created", Actor: t.Requester, URL: "#ticket", At: t.CreatedAt}}
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
}

// AddCustomerReply adds a reply of the ticket's requester, as if it had come by mail. The files
// are of [Desk.AddFile].
func (s *Desk) AddCustomerReply(id TicketID, text string, files ...AttachmentID) ReplyID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.mustTicket("AddCustomerReply", id)
	return s.seedReply(&call{encoder: s.encoder(), now: s.now()}, t, t.Requester, text, s.mustFiles("AddCustomerReply", files))
}

// AddReply adds a reply by a user of the desk, such as an agent.
func (s *Desk) AddReply(id TicketID, author UserID, text string) ReplyID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u := s.mustTicket("AddReply", id), s.mustUser("AddReply", author)
	return s.seedReply(&call{encoder: s.encoder(), now: s.now(), user: u}, t, u.ID, text, nil)
}

func (s *Desk) seedReply(c *call, t *ticket, author int64, text string, files []int64) ReplyID {
	p := &post{ID: s.state.id(), CreatedAt: c.now, Author: author, Content: contentBody{Text: text, AttachmentIDs: files}.content()}
	s.addReply(c, t, p)
	return ReplyID(p.ID)
}

// AddComment adds a comment by a user of the desk.
func (s *Desk) AddComment(id TicketID, author UserID, text string) CommentID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, u := s.mustTicket("AddComment", id), s.mustUser("AddComment", author)
	c := &call{encoder: s.encoder(), now: s.now(), user: u}
	p := &post{ID: s.state.id(), CreatedAt: c.now, Author: u.ID, Content: contentBody{Text: text}.content()}
	s.addComment(c, t, p)
	return CommentID(p.ID)
}

// AddUser adds somebody with a role such as [supportbee.RoleAgent] and returns the ID. Somebody
// the desk knows already by the address, such as a ticket's requester, is given the role.
func (s *Desk) AddUser(u UserSeed) UserID {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range u.Teams {
		s.mustTeam("AddUser", id)
	}
	added := s.state.person(u.Email, u.Name)
	added.Role = cmp.Or(string(u.Role), "customer")
	for _, t := range s.state.Teams {
		if slices.Contains(u.Teams, TeamID(t.ID)) && !slices.Contains(t.Members, added.ID) {
			t.Members = append(t.Members, added.ID)
		}
	}
	return UserID(added.ID)
}

// AddToken returns a new token of the user's.
func (s *Desk) AddToken(id UserID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.newToken(s.mustUser("AddToken", id).ID)
}

// AddTeam adds a team and returns its ID.
func (s *Desk) AddTeam(name string, members ...UserID) TeamID {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &team{ID: s.state.id(), Name: name, Members: []int64{}}
	for _, id := range members {
		t.Members = append(t.Members, s.mustUser("AddTeam", id).ID)
	}
	s.state.Teams = append(s.state.Teams, t)
	return TeamID(t.ID)
}

// AddLabel adds a label that tickets can be given, or changes its color, such as "#FF0000".
func (s *Desk) AddLabel(name, color string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.state.Labels {
		if l.Name == name {
			s.state.Labels[i].Color = color
			return
		}
	}
	s.state.Labels = append(s.state.Labels, label{name, color})
}

// AddFile adds a file that a ticket or a reply can have attached, and returns its ID.
func (s *Desk) AddFile(name, contentType string, data []byte) AttachmentID {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &attachment{ID: s.state.id(), CreatedAt: s.now(), Filename: name, ContentType: contentType, Data: slices.Clone(data)}
	s.state.Attachments[a.ID] = a
	return AttachmentID(a.ID)
}

// The functions below find what a test names; a test that names something else is wrong.

func (s *Desk) mustTicket(caller string, id TicketID) *ticket {
	t := s.state.Tickets[int64(id)]
	if t == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no ticket %d", caller, id))
	}
	return t
}

func (s *Desk) mustUser(caller string, id UserID) *user {
	u := s.state.Users[int64(id)]
	if u == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no user %d", caller, id))
	}
	return u
}

func (s *Desk) mustTeam(caller string, id TeamID) {
	if s.state.team(int64(id)) == nil {
		panic(fmt.Sprintf("supportbeetest: %s: there is no team %d", caller, id))
	}
}

func (s *Desk) mustFiles(caller string, ids []AttachmentID) []int64 {
	var files []int64
	for _, id := range ids {
		if s.state.Attachments[int64(id)] == nil {
			panic(fmt.Sprintf("supportbeetest: %s: there is no file %d; AddFile adds it", caller, id))
		}
		files = append(files, int64(id))
	}
	return files
}
