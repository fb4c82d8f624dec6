package supportbeetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// desk is the state of a help desk. Snapshots are its JSON form.
type desk struct {
	NextID       int64                      `json:"next_id"`
	Users        map[int64]*user            `json:"users"`
	Teams        []*team                    `json:"teams"`
	Labels       []label                    `json:"labels"`
	Snippets     []*snippet                 `json:"snippets"`
	Tickets      map[int64]*ticket          `json:"tickets"`
	Attachments  map[int64]*attachment      `json:"attachments"`
	Addresses    []*address                 `json:"addresses"`
	Rules        map[string]ruleBody        `json:"rules"`
	Consequences map[string]consequenceBody `json:"consequences"`
	Filters      []filter                   `json:"filters"`
	Tokens       map[string]int64           `json:"tokens"` // the user of each
	Token        string                     `json:"token"`  // the desk's own, which an admin may have beside others

	byActivity index
	byCreation index
	byEmail    map[string]*user // by the address in lower case
	sources    map[source]*source
	onID       func(int64) // called with each new ID; may be nil
	indexes
}

type user struct {
	ID           int64    `json:"id"`
	Type         string   `json:"type"`
	Email        string   `json:"email"`
	Name         string   `json:"name"`
	Role         string   `json:"role"`
	Invited      bool     `json:"invited,omitempty"` // has not accepted yet
	TwoFactor    bool     `json:"two_factor,omitempty"`
	SharedGroup  bool     `json:"shared_group,omitempty"` // members may see the group's tickets
	EmailDomains []string `json:"email_domains,omitempty"`
	Signature    string   `json:"signature,omitempty"`
	Members      []int64  `json:"members,omitempty"` // of a customer group
}

// agent reports whether the user works for the company.
func (u *user) agent() bool {
	return u.Role == "admin" || u.Role == "agent" || u.Role == "collaborator"
}

type team struct {
	ID      int64   `json:"id"`
	Name    string  `json:"name"`
	Private bool    `json:"private,omitempty"`
	Members []int64 `json:"members"`
}

type label struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color"`
}

// content is the content of a message. Most have text only, and share the nil pointer.
type content struct {
	Text string `json:"text"`
	More *more  `json:"more,omitempty"`
}

// more is what a content has besides text.
type more struct {
	HTML        string  `json:"html"`
	Attachments []int64 `json:"attachments,omitempty"`
}

func newContent(text, html string, attachments []int64) content {
	if html == text && len(attachments) == 0 {
		return content{Text: text}
	}
	return content{text, &more{html, attachments}}
}

// html returns the HTML, which is the text if only text was sent.
func (c content) html() string {
	if c.More == nil {
		return c.Text
	}
	return c.More.HTML
}

func (c content) attachments() []int64 {
	if c.More == nil {
		return nil
	}
	return c.More.Attachments
}

type snippet struct {
	ID        int64     `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	Name      string    `json:"name"`
	Tags      string    `json:"tags"`
	Content   content   `json:"content"`
}

type attachment struct {
	ID          int64     `json:"id"`
	CreatedAt   time.Time `json:"created_at"`
	Filename    string    `json:"filename"`
	ContentType string    `json:"content_type"`
	Data        []byte    `json:"data"`
}

type address struct {
	ID           int64  `json:"id"`
	Email        string `json:"email"`
	Name         string `json:"name"`
	FilterSpam   bool   `json:"filter_spam,omitempty"`
	UseAgentName bool   `json:"use_agent_name,omitempty"`
}

type ticket struct {
	// The fields that lists select by come first, since a list reads them of each ticket, and most
	// of its time is spent on fetching them from memory.
	ID             int64    `json:"id"`
	Unanswered     bool     `json:"unanswered,omitempty"`
	Archived       bool     `json:"archived,omitempty"`
	Spam           bool     `json:"spam,omitempty"`
	Trash          bool     `json:"trash,omitempty"`
	Starred        bool     `json:"starred,omitempty"`
	Private        bool     `json:"private,omitempty"`
	Requester      int64    `json:"requester"`
	User           int64    `json:"user,omitempty"` // assigned; 0 if there is none
	Team           int64    `json:"team,omitempty"` // assigned; 0 if there is none
	Replies        []*post  `json:"replies,omitempty"`
	Labels         []string `json:"labels,omitempty"`
	LastActivityAt instant  `json:"last_activity_at"`
	CreatedAt      instant  `json:"created_at"`

	Subject  string  `json:"subject"`
	Content  content `json:"content"`
	Source   *source `json:"source"`
	Comments []*post `json:"comments,omitempty"`
	Rare     *rare   `json:"rare,omitempty"`
}

// rare is what most tickets do not have, kept apart to save memory.
type rare struct {
	Copies          *copies `json:"copies,omitempty"`
	SnoozedUntil    instant `json:"snoozed_until,omitzero"`
	Draft           *draft  `json:"draft,omitempty"`
	Audit           []audit `json:"audit,omitempty"`     // without what desk.trail derives
	Submitter       int64   `json:"submitter,omitempty"` // who opened it; 0 for the requester
	NotifyRequester bool    `json:"notify_requester,omitempty"`
}

// rare returns what the ticket has of it, for reading.
func (t *ticket) rare() *rare {
	if t.Rare == nil {
		return &none
	}
	return t.Rare
}

var none rare

// own returns what the ticket has of it, for writing.
func (t *ticket) own() *rare {
	if t.Rare == nil {
		t.Rare = &rare{}
	}
	return t.Rare
}

// source is where a ticket came from, such as {"email", "help@acme.example"}. Tickets share them.
type source struct {
	Channel string `json:"channel"`
	Address string `json:"address"`
}

// source returns the source that tickets from there share.
func (d *desk) source(channel, address string) *source {
	key := source{channel, address}
	if d.sources[key] == nil {
		d.sources[key] = &key
	}
	return d.sources[key]
}

// active reports whether the ticket is neither done nor thrown away.
func (t *ticket) active() bool { return !t.Archived && !t.Spam && !t.Trash }

// copies are the people who get copies of a ticket or a reply. Most have none, and share the nil
// pointer.
type copies struct {
	CC  []int64 `json:"cc,omitempty"`
	BCC []int64 `json:"bcc,omitempty"`
}

func newCopies(cc, bcc []int64) *copies {
	if len(cc) == 0 && len(bcc) == 0 {
		return nil
	}
	return &copies{cc, bcc}
}

func (c *copies) cc() []int64 {
	if c == nil {
		return nil
	}
	return c.CC
}

func (c *copies) bcc() []int64 {
	if c == nil {
		return nil
	}
	return c.BCC
}

// post is a reply or a comment.
type post struct {
	ID        int64   `json:"id"`
	CreatedAt instant `json:"created_at"`
	Author    int64   `json:"author"`
	Copies    *copies `json:"copies,omitempty"`
	Content   content `json:"content"`
}

type draft struct {
	ID      int64     `json:"id"`
	CC      []int64   `json:"cc,omitempty"`
	BCC     []int64   `json:"bcc,omitempty"`
	SavedBy int64     `json:"saved_by"`
	SavedAt time.Time `json:"saved_at"`
	Content content   `json:"content"`
}

type audit struct {
	Action string    `json:"action"`
	Actor  int64     `json:"actor,omitempty"` // 0 if there is none
	URL    string    `json:"url"`
	At     time.Time `json:"at"`
	Posts  int       `json:"posts,omitempty"` // of the ticket before it
}

type ruleBody struct {
	RequesterEmail string `json:"requester_email,omitempty"`
	DeliveredTo    string `json:"delivered_to,omitempty"`
	Subject        string `json:"subject,omitempty"`
	Body           string `json:"body,omitempty"`
}

type consequenceBody struct {
	Archive    bool   `json:"archive,omitempty"`
	Spam       bool   `json:"spam,omitempty"`
	Trash      bool   `json:"trash,omitempty"`
	Label      string `json:"label,omitempty"`
	AssignUser int64  `json:"assign_user,omitempty"`
	AssignTeam int64  `json:"assign_team,omitempty"`
}

type filter struct {
	ID            string `json:"id"`
	RuleID        string `json:"rule_id"`
	ConsequenceID string `json:"consequence_id"`
}

func newDesk() *desk {
	d := &desk{
		Users: map[int64]*user{}, Tickets: map[int64]*ticket{}, Attachments: map[int64]*attachment{},
		Rules: map[string]ruleBody{}, Consequences: map[string]consequenceBody{}, Tokens: map[string]int64{},
	}
	d.reindex()
	return d
}

// reindex builds the indexes.
func (d *desk) reindex() {
	d.byActivity = index{key: func(t *ticket) instant { return t.LastActivityAt }}
	d.byCreation = index{key: func(t *ticket) instant { return t.CreatedAt }}
	for _, t := range d.Tickets {
		d.byActivity.tickets = append(d.byActivity.tickets, t)
		d.byCreation.tickets = append(d.byCreation.tickets, t)
	}
	d.byActivity.sort()
	d.byCreation.sort()
	d.byEmail, d.sources = map[string]*user{}, map[source]*source{}
	for _, t := range d.Tickets {
		t.Source = d.source(t.Source.Channel, t.Source.Address)
	}
	for _, u := range d.sortedUsers() {
		d.addUser(u)
	}
	d.recount()
}

// recount builds the indexes that [desk.count] keeps.
func (d *desk) recount() {
	d.indexes = newIndexes()
	for _, t := range d.byCreation.tickets {
		d.count(t)
	}
}

func (d *desk) id() int64 {
	d.NextID++
	if d.onID != nil {
		d.onID(d.NextID)
	}
	return d.NextID
}

// index holds all tickets in the order of a time, oldest first.
type index struct {
	key     func(*ticket) instant
	tickets []*ticket
}

func (x *index) compare(a, b *ticket) int {
	return cmp.Or(cmp.Compare(x.key(a), x.key(b)), cmp.Compare(a.ID, b.ID))
}

func (x *index) sort() { slices.SortFunc(x.tickets, x.compare) }

func (x *index) insert(t *ticket) {
	at, _ := slices.BinarySearchFunc(x.tickets, t, x.compare)
	x.tickets = slices.Insert(x.tickets, at, t)
}

func (x *index) remove(t *ticket) {
	if at, found := slices.BinarySearchFunc(x.tickets, t, x.compare); found {
		x.tickets = slices.Delete(x.tickets, at, at+1)
	}
}

// addTicket adds a ticket whose fields are set.
func (d *desk) addTicket(t *ticket) {
	d.Tickets[t.ID] = t
	d.byActivity.insert(t)
	d.byCreation.insert(t)
	d.count(t)
}

func (d *desk) removeTicket(t *ticket) {
	delete(d.Tickets, t.ID)
	d.uncount(t)
	d.byActivity.remove(t)
	d.byCreation.remove(t)
}

// touch sets the time of the ticket's last activity.
func (d *desk) touch(t *ticket, now time.Time) {
	d.byActivity.remove(t)
	t.LastActivityAt = instantOf(now)
	d.byActivity.insert(t)
}

// note adds an entry to the audit trail of a ticket. See [desk.trail].
func (d *desk) note(t *ticket, action string, actor int64, now time.Time) {
	own := t.own()
	own.Audit = append(own.Audit, audit{Action: action, Actor: actor, URL: "#ticket", At: now, Posts: len(t.Replies) + len(t.Comments)})
}

// trail returns the audit trail of a ticket. That it was created, and its replies and comments, are
// derived from them, which saves memory.
func (d *desk) trail(t *ticket) []audit {
	list := []audit{{Action: "Created", Actor: cmp.Or(t.rare().Submitter, t.Requester), URL: "#ticket", At: t.CreatedAt.time()}}
	noted, replies, comments := t.rare().Audit, t.Replies, t.Comments
	for posts := 0; ; posts++ {
		for len(noted) > 0 && noted[0].Posts <= posts {
			list, noted = append(list, noted[0]), noted[1:]
		}
		switch {
		case len(replies) > 0 && (len(comments) == 0 || replies[0].ID < comments[0].ID):
			list = append(list, audit{Action: "Replied", Actor: replies[0].Author, URL: "#replies/" + itoa(replies[0].ID), At: replies[0].CreatedAt.time()})
			replies = replies[1:]
		case len(comments) > 0:
			list = append(list, audit{Action: "Commented", Actor: comments[0].Author, URL: "#comments/" + itoa(comments[0].ID), At: comments[0].CreatedAt.time()})
			comments = comments[1:]
		default:
			return append(list, noted...)
		}
	}
}

// person returns the user with the e-mail address, a new customer if there is none.
func (d *desk) person(email, name string) *user {
	email = strings.TrimSpace(email)
	if u := d.byEmail[strings.ToLower(email)]; u != nil {
		u.Name = cmp.Or(u.Name, name)
		return u
	}
	return d.addUser(&user{ID: d.id(), Type: "user", Email: email, Name: name, Role: "customer"})
}

func (d *desk) addUser(u *user) *user {
	d.Users[u.ID] = u
	if u.Email != "" {
		d.byEmail[strings.ToLower(u.Email)] = u
	}
	return u
}

// token returns the first token of a user, or an empty string if there is none.
func (d *desk) token(user int64) string {
	first := ""
	for token, id := range d.Tokens {
		if id == user && (first == "" || token < first) {
			first = token
		}
	}
	return first
}

func (d *desk) team(id int64) *team {
	for _, t := range d.Teams {
		if t.ID == id {
			return t
		}
	}
	return nil
}

func (d *desk) label(name string) (label, bool) {
	for _, l := range d.Labels {
		if l.Name == name {
			return l, true
		}
	}
	return label{}, false
}

// addLabel adds a label. Labels have IDs of their own sequence.
func (d *desk) addLabel(name, color string) label {
	l := label{ID: 1, Name: name, Color: color}
	for _, other := range d.Labels {
		l.ID = max(l.ID, other.ID+1)
	}
	d.Labels = append(d.Labels, l)
	return l
}

// groups returns the customer groups that have members, by ID.
func (d *desk) groups() (list []*user) {
	for _, u := range d.Users {
		if len(u.Members) > 0 {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *user) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// sortedUsers returns the users by ID.
func (d *desk) sortedUsers() []*user {
	list := make([]*user, 0, len(d.Users))
	for _, u := range d.Users {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *user) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// summary is plain text, cut at 100 characters.
func summary(c content) string {
	text := strings.Join(strings.Fields(c.Text), " ")
	if runes := []rune(text); len(runes) > 100 {
		return string(runes[:100])
	}
	return text
}

// agentReplies counts the replies of agents.
func (d *desk) agentReplies(t *ticket) int {
	n := 0
	for _, r := range t.Replies {
		if u := d.Users[r.Author]; u != nil && u.agent() {
			n++
		}
	}
	return n
}

// datedID returns a new ID in the form that rules and consequences have.
func (d *desk) datedID(now time.Time) string {
	return fmt.Sprintf("%d_%s", d.id(), now.UTC().Format("20060102150405"))
}
