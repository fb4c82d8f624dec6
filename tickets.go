package supportbee

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// TicketID identifies a ticket.
type TicketID int64

func (id TicketID) segment() (string, error) { return idSegment(int64(id)) }

// Ticket is a conversation with a customer.
type Ticket struct {
	ID                TicketID                   `json:"id"`
	Subject           string                     `json:"subject"`
	Summary           string                     `json:"summary"` // plain text of at most 100 characters
	Content           Content                    `json:"content"`
	Source            Source                     `json:"source"`
	Requester         Person                     `json:"requester,omitzero"` // a customer or a customer group
	Submitter         *Person                    `json:"submitter,omitzero"` // who opened it; nil if not given
	CC                []Person                   `json:"cc,omitzero"`
	BCC               []Person                   `json:"bcc,omitzero"`
	Labels            []Label                    `json:"labels,omitzero"`
	AssignedUser      *Person                    `json:"current_user_assignee,omitzero" envelope:"user" alias:"current_user_asignee"` // nil if unassigned
	AssignedTeam      *Team                      `json:"current_team_assignee,omitzero" envelope:"team" alias:"current_team_asignee"` // nil if unassigned
	RepliesCount      int                        `json:"replies_count"`                                                               // of agents and customers
	AgentRepliesCount int                        `json:"agent_replies_count"`
	CommentsCount     int                        `json:"comments_count"`
	AttachmentsCount  int                        `json:"attachments_count,omitzero"`
	CreatedAt         time.Time                  `json:"created_at,omitzero"`
	LastActivityAt    time.Time                  `json:"last_activity_at,omitzero"`
	LastReplyAt       time.Time                  `json:"last_reply_at,omitzero"` // zero without replies
	SnoozedUntil      time.Time                  `json:"snoozed_until,omitzero"` // zero if not snoozed
	Snoozed           bool                       `json:"snoozed,omitzero"`
	Unanswered        bool                       `json:"unanswered"`
	Archived          bool                       `json:"archived"`
	Spam              bool                       `json:"spam"`
	Trash             bool                       `json:"trash"`
	Private           bool                       `json:"private"`
	Draft             bool                       `json:"draft"`
	Starred           bool                       `json:"starred,omitzero"` // not sent in 2026
	NotifyRequester   bool                       `json:"notify_requester,omitzero"`
	HistoricalImport  bool                       `json:"historical_import,omitzero"`
	CustomerRating    map[string]json.RawMessage `json:"customer_rating,omitzero"` // undocumented; usually empty
	URL               string                     `json:"url,omitzero"`             // in webhooks only

	// Extra holds, under their own names, members of the response that this version does not
	// know, and known ones whose value could not be read as the type of their field, which is
	// then zero. It is nil if there are none.
	Extra map[string]json.RawMessage `json:"-"`
}

// HasLabel reports whether the ticket has the label with the name, which is case-sensitive.
func (t *Ticket) HasLabel(name string) bool {
	return t != nil && slices.ContainsFunc(t.Labels, func(l Label) bool { return l.Name == name })
}

func (t *Ticket) usable() bool { return t.ID > 0 }

func (t *Ticket) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &t.ID)
	case "subject":
		return readString(r, &t.Subject)
	case "summary":
		return readString(r, &t.Summary)
	case "content":
		return readObject(r, &t.Content)
	case "source":
		return readObject(r, &t.Source)
	case "requester":
		return readObject(r, &t.Requester)
	case "submitter":
		return readPointer(r, &t.Submitter)
	case "cc":
		return readPeople(r, &t.CC)
	case "bcc":
		return readPeople(r, &t.BCC)
	case "labels":
		return readList(r, &t.Labels)
	case "current_user_assignee", "current_user_asignee": // the second is on the vendor's page
		return readEnveloped(r, &t.AssignedUser, "user")
	case "current_team_assignee", "current_team_asignee":
		return readEnveloped(r, &t.AssignedTeam, "team")
	case "replies_count":
		return readInt(r, &t.RepliesCount)
	case "agent_replies_count":
		return readInt(r, &t.AgentRepliesCount)
	case "comments_count":
		return readInt(r, &t.CommentsCount)
	case "attachments_count":
		return readInt(r, &t.AttachmentsCount)
	case "created_at":
		return readTime(r, &t.CreatedAt)
	case "last_activity_at":
		return readTime(r, &t.LastActivityAt)
	case "last_reply_at":
		return readTime(r, &t.LastReplyAt)
	case "snoozed_until":
		return readTime(r, &t.SnoozedUntil)
	case "snoozed":
		return readBool(r, &t.Snoozed)
	case "unanswered":
		return readBool(r, &t.Unanswered)
	case "archived":
		return readBool(r, &t.Archived)
	case "spam":
		return readBool(r, &t.Spam)
	case "trash":
		return readBool(r, &t.Trash)
	case "private":
		return readBool(r, &t.Private)
	case "draft":
		return readBool(r, &t.Draft)
	case "starred":
		return readBool(r, &t.Starred)
	case "notify_requester":
		return readBool(r, &t.NotifyRequester)
	case "historical_import":
		return readTruth(r, &t.HistoricalImport)
	case "customer_rating":
		return readMap(r, &t.CustomerRating)
	case "url":
		return readString(r, &t.URL)
	}
	return r.extra(&t.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (t Ticket) MarshalJSON() ([]byte, error) { return marshalObject(t, t.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (t *Ticket) UnmarshalJSON(data []byte) error { return unmarshalObject(data, t) }

// Source describes how a ticket was received.
type Source struct {
	Channel string                     // such as "email" or "web"
	Address string                     // the help desk's address; may be empty
	Extra   map[string]json.RawMessage `json:"-"`
}

func (s *Source) readText(text string) { s.Channel = text }

// readMember reads the only member of a source, whose name is the channel.
func (s *Source) readMember(r *reader, name []byte) error {
	if r.hasOdd {
		return r.extra(&s.Extra, name)
	}
	switch string(name) {
	case s.Channel:
		if s.Channel != "" {
			return readString(r, &s.Address)
		}
	case "":
	default:
		if s.Channel == "" {
			s.Channel = r.keep(name)
			return readString(r, &s.Address)
		}
	}
	return r.extra(&s.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. It writes the API's own form, such as
// {"web": "help@acme.example"}.
func (s Source) MarshalJSON() ([]byte, error) {
	return marshalWith(s.Extra, func(enc *jsontext.Encoder, extra map[string]json.RawMessage) error {
		if s.Channel == "" {
			return nil
		}
		var address any = s.Address
		if kept, ok := extra[s.Channel]; ok && s.Address == "" {
			address = kept
		}
		delete(extra, s.Channel) // the channel is the first member
		return writeMember(enc, s.Channel, "", address)
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (s *Source) UnmarshalJSON(data []byte) error { return unmarshalObject(data, s) }

// TicketCounts holds the counts of the ticket that a reply or comment belongs to.
type TicketCounts struct {
	ID                TicketID                   `json:"id,omitzero"` // 0 in comments
	RepliesCount      int                        `json:"replies_count"`
	AgentRepliesCount int                        `json:"agent_replies_count"`
	CommentsCount     int                        `json:"comments_count"`
	Extra             map[string]json.RawMessage `json:"-"`
}

func (c *TicketCounts) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &c.ID)
	case "replies_count":
		return readInt(r, &c.RepliesCount)
	case "agent_replies_count":
		return readInt(r, &c.AgentRepliesCount)
	case "comments_count":
		return readInt(r, &c.CommentsCount)
	}
	return r.extra(&c.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (c TicketCounts) MarshalJSON() ([]byte, error) { return marshalObject(c, c.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (c *TicketCounts) UnmarshalJSON(data []byte) error { return unmarshalObject(data, c) }

// TicketPage is one page of a list of tickets.
type TicketPage struct {
	Tickets    []*Ticket                  `json:"tickets,omitzero"`
	Total      int                        `json:"total"` // tickets on all pages
	Page       int                        `json:"current_page"`
	PerPage    int                        `json:"per_page"`
	TotalPages int                        `json:"total_pages"`
	Extra      map[string]json.RawMessage `json:"-"`
}

func (p *TicketPage) readMember(r *reader, name []byte) error {
	_, err := p.readPageMember(r, name)
	return err
}

// readPageMember is readMember, and returns the number of tickets that the page lists, including
// those that cannot be read.
func (p *TicketPage) readPageMember(r *reader, name []byte) (listed int, err error) {
	switch string(name) {
	case "tickets":
		return readResources(r, &p.Tickets)
	case "total":
		return 0, readInt(r, &p.Total)
	case "current_page":
		return 0, readInt(r, &p.Page)
	case "per_page":
		return 0, readInt(r, &p.PerPage)
	case "total_pages":
		return 0, readInt(r, &p.TotalPages)
	}
	return 0, r.extra(&p.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (p TicketPage) MarshalJSON() ([]byte, error) { return marshalObject(p, p.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (p *TicketPage) UnmarshalJSON(data []byte) error { return unmarshalObject(data, p) }

// listedPage is a page as the client receives it.
type listedPage struct {
	TicketPage
	listed int    // tickets on the page, including those that cannot be read
	date   string // the Date header
}

func (p *listedPage) received(header http.Header) { p.date = header.Get("Date") }

// sent returns the time of the page by the server's clock.
func (p *listedPage) sent() time.Time {
	at, err := http.ParseTime(p.date)
	if err != nil {
		return time.Now() // no clock of the server's is known
	}
	return at
}

func (p *listedPage) usable() bool { return p.Tickets != nil }

func (p *listedPage) readMember(r *reader, name []byte) error {
	listed, err := p.readPageMember(r, name)
	if string(name) == "tickets" {
		p.listed = listed
	}
	return err
}

// ticketTotal is a page of which only the number of tickets is used.
type ticketTotal struct{ total *int }

func (t *ticketTotal) usable() bool { return t.total != nil }

func (t *ticketTotal) readMember(r *reader, name []byte) error {
	if string(name) != "total" || r.PeekKind() == 'n' {
		return r.unknown()
	}
	t.total = new(int)
	err := readInt(r, t.total)
	if err != nil {
		t.total = nil
	}
	return err
}

// Archived selects tickets by whether they are archived. The zero value selects those that are
// not.
type Archived string

// The values of [TicketListOptions.Archived].
const (
	ArchivedOnly Archived = "true"
	ArchivedAny  Archived = "any" // archived or not
)

// AssignedUser selects tickets by the user they are assigned to. The zero value selects all. See
// also [AssignedToUser].
type AssignedUser string

// The values of [TicketListOptions.AssignedUser].
const (
	AssignedToMe      AssignedUser = "me"   // the user of the token
	AssignedToAnyUser AssignedUser = "any"  // to any user
	AssignedToNoUser  AssignedUser = "none" // to no user
)

// AssignedToUser selects the tickets that are assigned to the user.
func AssignedToUser(id UserID) AssignedUser { return AssignedUser(strconv.FormatInt(int64(id), 10)) }

// AssignedTeam selects tickets by the team they are assigned to. The zero value selects all. See
// also [AssignedToTeam].
type AssignedTeam string

// The values of [TicketListOptions.AssignedTeam].
const (
	AssignedToMyTeams AssignedTeam = "mine" // the teams of the token's user
	AssignedToNoTeam  AssignedTeam = "none" // to no team
)

// AssignedToTeam selects the tickets that are assigned to the team.
func AssignedToTeam(id TeamID) AssignedTeam { return AssignedTeam(strconv.FormatInt(int64(id), 10)) }

// TicketSort is an order of tickets, always newest first.
type TicketSort string

// The values of [TicketListOptions.SortBy].
const (
	SortByLastActivity TicketSort = "last_activity"
	SortByCreationTime TicketSort = "creation_time"
)

// TicketListOptions selects tickets. The default is all tickets that are not archived, spam or
// trash. A ticket must match all fields that are set.
type TicketListOptions struct {
	Page            int          // the first page to fetch; default 1
	PerPage         int          // at most 100; default 15 in List and 100 in All
	Archived        Archived     // whether to select archived tickets; default not
	IncludeSpam     bool         // also select spam
	IncludeTrash    bool         // also select tickets in the trash
	HasReplies      *bool        // only tickets with replies, or only without
	MaxReplies      *int         // the number of replies; whether as a maximum is not documented
	AssignedUser    AssignedUser // such as AssignedToMe
	AssignedTeam    AssignedTeam // such as AssignedToMyTeams
	Label           string       // only tickets with this label
	RequesterEmails []string     // only tickets of these requesters
	Since           time.Time    // last activity, or creation with SortByCreationTime, at this time or later
	Until           time.Time    // the same, at this time or earlier
	SortBy          TicketSort   // newest first; default SortByLastActivity
}

func (o *TicketListOptions) validate() error {
	switch {
	case o.MaxReplies != nil && *o.MaxReplies < 0:
		return notNegative("MaxReplies", *o.MaxReplies)
	case o.MaxReplies != nil && o.HasReplies != nil && !*o.HasReplies:
		return invalid("MaxReplies", "cannot be combined with HasReplies false")
	case !o.Since.IsZero() && !o.Until.IsZero() && o.Until.Before(o.Since):
		return invalid("Until", "must not be before Since")
	}
	for _, email := range o.RequesterEmails {
		if err := validateEmail("RequesterEmails", email); err != nil {
			return err
		}
	}
	return validatePage(o.Page, o.PerPage)
}

func (o *TicketListOptions) query() url.Values {
	query := url.Values{}
	setPage(query, o.Page, o.PerPage)
	setString(query, "archived", o.Archived)
	setBool(query, "spam", o.IncludeSpam)
	setBool(query, "trash", o.IncludeTrash)
	if o.HasReplies != nil {
		query.Set("replies", strconv.FormatBool(*o.HasReplies))
	}
	if o.MaxReplies != nil {
		query.Set("max_replies", strconv.Itoa(*o.MaxReplies))
	}
	setString(query, "assigned_user", o.AssignedUser)
	setString(query, "assigned_team", o.AssignedTeam)
	setString(query, "label", o.Label)
	setList(query, "requester_emails", o.RequesterEmails)
	setSince(query, "since", o.Since)
	setUntil(query, "until", o.Until)
	setString(query, "sort_by", o.SortBy)
	return query
}

// TicketSearchOptions configures a search.
type TicketSearchOptions struct {
	Page         int  // the first page to fetch; default 1
	PerPage      int  // at most 100; default 15 in Search and 100 in SearchAll
	IncludeSpam  bool // also select spam
	IncludeTrash bool // also select tickets in the trash
}

func (o *TicketSearchOptions) query(text string) url.Values {
	query := url.Values{"query": {text}}
	setPage(query, o.Page, o.PerPage)
	setBool(query, "spam", o.IncludeSpam)
	setBool(query, "trash", o.IncludeTrash)
	return query
}

// TicketsService manages tickets.
type TicketsService struct{ service }

// List returns one page of tickets. If opts is nil, it returns the first 15 tickets that are not
// archived, spam or trash. See [TicketsService.All] for all pages.
//
// API: GET /tickets
func (s *TicketsService) List(ctx context.Context, opts *TicketListOptions) (*TicketPage, error) {
	return pageOf(s.list(ctx, valueOf(opts)))
}

func (s *TicketsService) list(ctx context.Context, opts TicketListOptions) (*listedPage, error) {
	return do[listedPage](ctx, s.client, operation{name: "Tickets.List", route: "/tickets", needs: "tickets", invalid: opts.validate(), query: opts.query()})
}

// All returns an iterator over the tickets of all pages that opts selects. It yields each ticket
// once, and ends after yielding an error. If opts is nil, it selects the tickets that are not
// archived, spam or trash. By default it fetches 100 tickets a page, and two pages ahead of the loop;
// see [WithPrefetch].
//
// Pages are counted from the newest ticket, so they move while tickets change. The iterator yields
// [ErrIncomplete] if it notices that it missed tickets, and cannot notice all cases. If the loop
// body changes what opts selects, such as archiving tickets, use [ForEach].
func (s *TicketsService) All(ctx context.Context, opts *TicketListOptions) iter.Seq2[*Ticket, error] {
	selected := valueOf(opts)
	selected.RequesterEmails = slices.Clone(selected.RequesterEmails)
	return allPages(ctx, "Tickets.All", s.client, selected.Page, selected.PerPage, func(ctx context.Context, page, perPage int) (*listedPage, error) {
		next := selected
		next.Page, next.PerPage = page, perPage
		return s.list(ctx, next)
	})
}

// Count returns the number of tickets that opts selects, without fetching them. If opts is nil, it
// counts the tickets that are not archived, spam or trash.
func (s *TicketsService) Count(ctx context.Context, opts *TicketListOptions) (int, error) {
	selected := valueOf(opts)
	query := selected.query()
	query.Set("total_only", "true")
	total, err := do[ticketTotal](ctx, s.client, operation{name: "Tickets.Count", route: "/tickets", needs: "total", invalid: selected.validate(), query: query})
	if err != nil {
		return 0, err
	}
	return *total.total, nil
}

// Search returns one page of the tickets that match query, which must not be empty. See
// [TicketsService.SearchAll] for all pages.
//
// API: GET /tickets/search
func (s *TicketsService) Search(ctx context.Context, query string, opts *TicketSearchOptions) (*TicketPage, error) {
	return pageOf(s.search(ctx, query, valueOf(opts)))
}

func (s *TicketsService) search(ctx context.Context, query string, opts TicketSearchOptions) (*listedPage, error) {
	return do[listedPage](ctx, s.client, operation{
		name: "Tickets.Search", route: "/tickets/search", needs: "tickets", query: opts.query(query),
		invalid: firstError(required("query", query), validatePage(opts.Page, opts.PerPage)),
	})
}

// SearchAll returns an iterator over all tickets that match query, like [TicketsService.All].
func (s *TicketsService) SearchAll(ctx context.Context, query string, opts *TicketSearchOptions) iter.Seq2[*Ticket, error] {
	selected := valueOf(opts)
	return allPages(ctx, "Tickets.SearchAll", s.client, selected.Page, selected.PerPage, func(ctx context.Context, page, perPage int) (*listedPage, error) {
		next := selected
		next.Page, next.PerPage = page, perPage
		return s.search(ctx, query, next)
	})
}

// Get returns the ticket with the given ID, including archived and trashed tickets.
//
// API: GET /tickets/{id}
func (s *TicketsService) Get(ctx context.Context, id TicketID) (*Ticket, error) {
	return do[Ticket](ctx, s.client, operation{name: "Tickets.Get", route: "/tickets/{id}", args: []segment{id}, key: "ticket"})
}

// TicketParams describes a ticket to create. RequesterEmail and Content are required.
type TicketParams struct {
	Subject        string        `json:"subject,omitzero"`
	RequesterName  string        `json:"requester_name,omitzero"`
	RequesterEmail string        `json:"requester_email"`
	CC             []string      `json:"cc,omitzero"`  // "a@b.c" or "Name <a@b.c>" as of [net/mail.Address]; at most 25
	BCC            []string      `json:"bcc,omitzero"` // the same
	Content        ContentParams `json:"content"`

	// NotifyRequester mails a copy to the requester, CC and BCC instead of the help desk's
	// automatic response.
	NotifyRequester bool `json:"notify_requester,omitzero"`

	// ForwardingAddressID is the address that the ticket counts as sent to.
	ForwardingAddressID ForwardingAddressID `json:"forwarding_address_id,omitzero"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p TicketParams) Validate() error {
	return firstError(
		validateEmail("RequesterEmail", p.RequesterEmail),
		p.Content.Validate(),
		validateCopies("CC", p.CC),
		validateCopies("BCC", p.BCC),
	)
}

// Create creates a ticket. It does not require a token. With NotifyRequester, it sends mail to the
// requester; the help desk may send an automatic response otherwise.
//
// The server allows 8 tickets a minute with a token, and 5 an hour from an address without one;
// above that the error is [ErrRateLimited]. Create never sends a ticket twice: if it may have been
// created, the error is [ErrOutcomeUnknown].
//
// API: POST /tickets
func (s *TicketsService) Create(ctx context.Context, params TicketParams) (*Ticket, error) {
	return do[Ticket](ctx, s.client, operation{
		name: "Tickets.Create", method: http.MethodPost, route: "/tickets", invalid: params.Validate(),
		wrap: "ticket", body: &params, key: "ticket", bare: true, anonymous: true, ownLimit: true,
	})
}

// Delete permanently deletes a ticket. The ticket must be in the trash, and the token must belong
// to an admin.
//
// API: DELETE /tickets/{id}
func (s *TicketsService) Delete(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Delete", http.MethodDelete, "/tickets/{id}", id)
}

// Archive archives a ticket, which removes it from the default list.
//
// API: POST /tickets/{id}/archive
func (s *TicketsService) Archive(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Archive", http.MethodPost, "/tickets/{id}/archive", id)
}

// Unarchive restores an archived ticket.
//
// API: DELETE /tickets/{id}/archive
func (s *TicketsService) Unarchive(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Unarchive", http.MethodDelete, "/tickets/{id}/archive", id)
}

// MarkAnswered marks a ticket as answered.
//
// API: POST /tickets/{id}/answered
func (s *TicketsService) MarkAnswered(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkAnswered", http.MethodPost, "/tickets/{id}/answered", id)
}

// MarkUnanswered marks a ticket as unanswered.
//
// API: DELETE /tickets/{id}/answered
func (s *TicketsService) MarkUnanswered(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkUnanswered", http.MethodDelete, "/tickets/{id}/answered", id)
}

// MarkSpam marks a ticket as spam.
//
// API: POST /tickets/{id}/spam
func (s *TicketsService) MarkSpam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkSpam", http.MethodPost, "/tickets/{id}/spam", id)
}

// UnmarkSpam removes the spam mark of a ticket.
//
// API: DELETE /tickets/{id}/spam
func (s *TicketsService) UnmarkSpam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnmarkSpam", http.MethodDelete, "/tickets/{id}/spam", id)
}

// Trash moves a ticket to the trash.
//
// API: POST /tickets/{id}/trash
func (s *TicketsService) Trash(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Trash", http.MethodPost, "/tickets/{id}/trash", id)
}

// Untrash restores a ticket from the trash.
//
// API: DELETE /tickets/{id}/trash
func (s *TicketsService) Untrash(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Untrash", http.MethodDelete, "/tickets/{id}/trash", id)
}

// AssignUser assigns a ticket to a user. It returns [ErrNotFound] if the ticket or the user does
// not exist, and [ErrConflict] if the user is not in the ticket's team.
//
// API: POST /tickets/{id}/user_assignment
func (s *TicketsService) AssignUser(ctx context.Context, id TicketID, user UserID) (*UserAssignment, error) {
	return do[UserAssignment](ctx, s.client, operation{
		name: "Tickets.AssignUser", method: http.MethodPost, route: "/tickets/{id}/user_assignment", args: []segment{id},
		invalid: positive("user", user), wrap: "user_assignment", body: map[string]UserID{"user_id": user}, key: "user_assignment", repeatable: true,
	})
}

// UnassignUser removes the user assignment of a ticket.
//
// API: DELETE /tickets/{id}/user_assignment
func (s *TicketsService) UnassignUser(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnassignUser", http.MethodDelete, "/tickets/{id}/user_assignment", id)
}

// AssignTeam assigns a ticket to a team. A change of team removes the user assignment. It returns
// [ErrNotFound] if the ticket or the team does not exist.
//
// API: POST /tickets/{id}/team_assignment
func (s *TicketsService) AssignTeam(ctx context.Context, id TicketID, team TeamID) (*TeamAssignment, error) {
	return do[TeamAssignment](ctx, s.client, operation{
		name: "Tickets.AssignTeam", method: http.MethodPost, route: "/tickets/{id}/team_assignment", args: []segment{id},
		invalid: positive("team", team), wrap: "team_assignment", body: map[string]TeamID{"team_id": team}, key: "team_assignment", repeatable: true,
	})
}

// UnassignTeam removes the team assignment of a ticket.
//
// API: DELETE /tickets/{id}/team_assignment
func (s *TicketsService) UnassignTeam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnassignTeam", http.MethodDelete, "/tickets/{id}/team_assignment", id)
}

// Audit returns the audit trail of a ticket, oldest entry first.
//
// API: GET /tickets/{id}/audit
func (s *TicketsService) Audit(ctx context.Context, id TicketID) ([]*AuditEntry, error) {
	return doList[AuditEntry](ctx, s.client, operation{name: "Tickets.Audit", route: "/tickets/{id}/audit", args: []segment{id}, key: "audit"})
}

// act runs an operation on one ticket that neither sends nor returns anything and may be repeated.
func (s *TicketsService) act(ctx context.Context, name, method, route string, id TicketID) error {
	op := operation{name: name, method: method, route: route, args: []segment{id}, repeatable: true}
	if method == http.MethodDelete {
		op.isGone = func(ctx context.Context) bool { return name == "Tickets.Delete" || s.exists(ctx, id) }
	}
	return exec(ctx, s.client, op)
}

// exists reports whether a ticket is known to exist. A 404 for a part of it then means the part.
func (s *TicketsService) exists(ctx context.Context, id TicketID) bool {
	_, err := s.Get(ctx, id)
	return err == nil
}

// AssignmentID identifies an assignment.
type AssignmentID int64

// UserAssignment is the assignment of a ticket to a user.
type UserAssignment struct {
	ID        AssignmentID               `json:"id"`
	CreatedAt time.Time                  `json:"created_at,omitzero"`           // zero in webhooks
	TicketID  TicketID                   `json:"ticket,omitzero" envelope:"id"` // 0 in webhooks
	User      Person                     `json:"assignee,omitzero" envelope:"user" alias:"asignee"`
	Extra     map[string]json.RawMessage `json:"-"`
}

func (a *UserAssignment) usable() bool { return a.ID > 0 || a.User.usable() }

func (a *UserAssignment) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &a.ID)
	case "created_at":
		return readTime(r, &a.CreatedAt)
	case "ticket":
		return readTicketID(r, &a.TicketID)
	case "assignee", "asignee":
		return readAssignee(r, &a.User, "user")
	}
	return r.extra(&a.Extra, name)
}

// readBeside reads the user who stands beside the envelope on the vendor's page.
func (a *UserAssignment) readBeside(r *reader, name []byte) error {
	switch string(name) {
	case "assignee", "asignee":
		if !a.User.usable() {
			return readAssignee(r, &a.User, "user")
		}
	}
	return r.unknown()
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a UserAssignment) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *UserAssignment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }

// TeamAssignment is the assignment of a ticket to a team.
type TeamAssignment struct {
	ID        AssignmentID               `json:"id"`
	CreatedAt time.Time                  `json:"created_at,omitzero"`           // zero in webhooks
	TicketID  TicketID                   `json:"ticket,omitzero" envelope:"id"` // 0 in webhooks
	Team      Team                       `json:"assignee,omitzero" envelope:"team" alias:"asignee"`
	Extra     map[string]json.RawMessage `json:"-"`
}

func (a *TeamAssignment) usable() bool { return a.ID > 0 || a.Team.usable() }

func (a *TeamAssignment) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &a.ID)
	case "created_at":
		return readTime(r, &a.CreatedAt)
	case "ticket":
		return readTicketID(r, &a.TicketID)
	case "assignee", "asignee":
		return readAssignee(r, &a.Team, "team")
	}
	return r.extra(&a.Extra, name)
}

// readBeside reads the team that stands beside the envelope on the vendor's page.
func (a *TeamAssignment) readBeside(r *reader, name []byte) error {
	switch string(name) {
	case "assignee", "asignee":
		if !a.Team.usable() {
			return readAssignee(r, &a.Team, "team")
		}
	}
	return r.unknown()
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a TeamAssignment) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *TeamAssignment) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }

// readAssignee reads the assignee of an assignment. It leaves *v alone where nobody is named.
func readAssignee[T any, P resourceOf[T]](r *reader, v *T, key string) error {
	var named *T
	err := readEnveloped[T, P](r, &named, key)
	if named != nil {
		*v = *named
	}
	return err
}

// ticketRef is a ticket of which only the ID is given.
type ticketRef struct{ id TicketID }

func (t *ticketRef) readMember(r *reader, name []byte) error {
	if string(name) == "id" {
		return readInt(r, &t.id)
	}
	return r.unknown()
}

// readTicketID reads the ID in {"id": 7}, or a bare one.
func readTicketID(r *reader, id *TicketID) error {
	if kind := r.PeekKind(); kind == '0' {
		return readInt(r, id)
	}
	var ticket ticketRef
	err := readObject(r, &ticket)
	*id = ticket.id
	return err
}

// AuditEntry is an entry of a ticket's audit trail.
type AuditEntry struct {
	Action     string                     `json:"action"`         // such as "Commented"; there is no list of all actions
	Actor      *AuditActor                `json:"actor,omitzero"` // nil if not given
	URL        string                     `json:"url"`            // such as "#comments/1"
	Severity   string                     `json:"severity"`       // such as "info"
	HappenedAt time.Time                  `json:"happened_at,omitzero"`
	Extra      map[string]json.RawMessage `json:"-"`
}

func (e *AuditEntry) usable() bool { return e.Action != "" || !e.HappenedAt.IsZero() }

func (e *AuditEntry) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "action":
		return readString(r, &e.Action)
	case "actor":
		return readPointer(r, &e.Actor)
	case "url":
		return readString(r, &e.URL)
	case "severity":
		return readString(r, &e.Severity)
	case "happened_at":
		return readTime(r, &e.HappenedAt)
	}
	return r.extra(&e.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (e AuditEntry) MarshalJSON() ([]byte, error) { return marshalObject(e, e.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (e *AuditEntry) UnmarshalJSON(data []byte) error { return unmarshalObject(data, e) }

// AuditActor is the person or the rule that caused an audit entry.
type AuditActor struct {
	Name  string                     `json:"name"`
	Email string                     `json:"email"`
	Extra map[string]json.RawMessage `json:"-"`
}

func (a *AuditActor) readText(text string) { a.Name = text }

func (a *AuditActor) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "name":
		return readString(r, &a.Name)
	case "email":
		return readString(r, &a.Email)
	}
	return r.extra(&a.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (a AuditActor) MarshalJSON() ([]byte, error) { return marshalObject(a, a.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (a *AuditActor) UnmarshalJSON(data []byte) error { return unmarshalObject(data, a) }
