package supportbee

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TicketID identifies a ticket.
type TicketID int64

func (id TicketID) segment() (string, error) { return idSegment(int64(id)) }

// Ticket is one conversation with a customer.
type Ticket struct {
	ID                TicketID       `json:"id"`
	Subject           string         `json:"subject"`
	RepliesCount      int            `json:"replies_count"` // by agents and customers
	AgentRepliesCount int            `json:"agent_replies_count"`
	CommentsCount     int            `json:"comments_count"`
	LastActivityAt    time.Time      `json:"last_activity_at"`
	CreatedAt         time.Time      `json:"created_at"`
	Unanswered        bool           `json:"unanswered"`
	Archived          bool           `json:"archived"`
	Spam              bool           `json:"spam"`
	Private           bool           `json:"private"`
	Trash             bool           `json:"trash"`
	Draft             bool           `json:"draft"`
	Starred           bool           `json:"starred"`
	Summary           string         `json:"summary"`       // plain text, cut at 100 characters
	URL               string         `json:"url,omitempty"` // in webhooks only
	Source            Source         `json:"source"`
	CC                []Person       `json:"cc"`
	BCC               []Person       `json:"bcc"`
	Labels            []Label        `json:"labels"`
	CustomerRating    map[string]any `json:"customer_rating"` // usually empty; its keys are not documented
	Requester         Person         `json:"requester"`
	Content           Content        `json:"content"`
	AssignedUser      *Person        `json:"current_user_assignee"` // nil if no user is assigned
	AssignedTeam      *Team          `json:"current_team_assignee"` // nil if no team is assigned
}

// Source says how a ticket came in.
type Source struct {
	Channel string `json:"channel"` // "email", "web", …; others may come
	Address string `json:"address"` // the help desk's address, where it is known
}

// TicketPage is one page of a list of tickets.
type TicketPage struct {
	Total      int       `json:"total"` // tickets on all pages
	Page       int       `json:"current_page"`
	PerPage    int       `json:"per_page"`
	TotalPages int       `json:"total_pages"`
	Tickets    []*Ticket `json:"tickets"`
}

// ticketTotal is a page of which only the number of tickets counts.
type ticketTotal struct {
	Total *int `json:"total"`
}

func (t *ticketTotal) missingKey() string {
	if t.Total == nil {
		return "total"
	}
	return ""
}

// Archived says whether archived tickets are listed.
type Archived string

// The choices of [TicketListOptions.Archived]; the zero value lists what is not archived.
const (
	NotArchived  Archived = "false"
	ArchivedOnly Archived = "true"
	ArchivedAny  Archived = "any" // archived or not
)

// AssignedUser says which tickets to list by the user they are assigned to. [AssignedToUser] makes
// one for a given user.
type AssignedUser string

// The choices of [TicketListOptions.AssignedUser] besides a given user.
const (
	AssignedToMe      AssignedUser = "me"   // the token's user
	AssignedToAnyUser AssignedUser = "any"  // some user
	AssignedToNoUser  AssignedUser = "none" // no user
)

// AssignedToUser lists what is assigned to the user.
func AssignedToUser(id UserID) AssignedUser { return AssignedUser(strconv.FormatInt(int64(id), 10)) }

// AssignedTeam says which tickets to list by the team they are assigned to. [AssignedToTeam]
// makes one for a given team.
type AssignedTeam string

// The choices of [TicketListOptions.AssignedTeam] besides a given team.
const (
	AssignedToMyTeams AssignedTeam = "mine" // a team of the token's user
	AssignedToNoTeam  AssignedTeam = "none"
)

// AssignedToTeam lists what is assigned to the team.
func AssignedToTeam(id TeamID) AssignedTeam { return AssignedTeam(strconv.FormatInt(int64(id), 10)) }

// TicketSort says what tickets are sorted by, newest first.
type TicketSort string

// The sort orders of [TicketListOptions.SortBy].
const (
	SortByLastActivity TicketSort = "last_activity" // the server's default
	SortByCreationTime TicketSort = "creation_time"
)

// TicketListOptions selects tickets; the zero value lists what is neither archived nor spam nor
// trash. All fields combine.
type TicketListOptions struct {
	Page            int          // 1 is the first; 0 leaves it to the server. All starts here
	PerPage         int          // 1 to 100; 0 is 15 in List and 100 in All
	Archived        Archived     // see ArchivedAny
	Spam            bool         // with spam
	Trash           bool         // with trashed ones
	Replies         *bool        // only with replies (true), only without (false), nil for both
	MaxReplies      int          // at most so many replies; not together with Replies false
	AssignedUser    AssignedUser // see AssignedToMe
	AssignedTeam    AssignedTeam // see AssignedToMyTeams
	Label           string       // only with this label
	Since           time.Time    // last active, or created with SortByCreationTime, at this time or later
	Until           time.Time    // the same, at this time or earlier
	SortBy          TicketSort
	RequesterEmails []string // only from these requesters
}

func (o TicketListOptions) validate() error {
	switch {
	case o.MaxReplies < 0:
		return invalid("MaxReplies", "must not be negative, got %d", o.MaxReplies)
	case o.MaxReplies > 0 && o.Replies != nil && !*o.Replies:
		return invalid("MaxReplies", "cannot be combined with Replies false")
	case !o.Since.IsZero() && !o.Until.IsZero() && o.Until.Before(o.Since):
		return invalid("Until", "is before Since")
	}
	for _, email := range o.RequesterEmails {
		if err := validateEmail("RequesterEmails", email); err != nil {
			return err
		}
	}
	return validatePage(o.Page, o.PerPage)
}

func (o TicketListOptions) query() url.Values {
	query := url.Values{}
	setPage(query, o.Page, o.PerPage)
	setIf(query, "archived", string(o.Archived))
	setBool(query, "spam", o.Spam)
	setBool(query, "trash", o.Trash)
	if o.Replies != nil {
		query.Set("replies", strconv.FormatBool(*o.Replies))
	}
	setIf(query, "max_replies", decimalOrNone(o.MaxReplies))
	setIf(query, "assigned_user", string(o.AssignedUser))
	setIf(query, "assigned_team", string(o.AssignedTeam))
	setIf(query, "label", o.Label)
	setTime(query, "since", o.Since)
	setTime(query, "until", o.Until)
	setIf(query, "sort_by", string(o.SortBy))
	setIf(query, "requester_emails", strings.Join(o.RequesterEmails, ","))
	return query
}

// TicketSearchOptions narrows a search.
type TicketSearchOptions struct {
	Page    int  // 1 is the first; 0 leaves it to the server. SearchAll starts here
	PerPage int  // 1 to 100; 0 is 15 in Search and 100 in SearchAll
	Spam    bool // with spam
	Trash   bool // with trashed ones
}

func (o TicketSearchOptions) query(text string) url.Values {
	query := url.Values{"query": {text}}
	setPage(query, o.Page, o.PerPage)
	setBool(query, "spam", o.Spam)
	setBool(query, "trash", o.Trash)
	return query
}

// TicketParams is a ticket to open. RequesterEmail and Content are required.
type TicketParams struct {
	Subject        string        `json:"subject,omitzero"`
	RequesterName  string        `json:"requester_name,omitzero"`
	RequesterEmail string        `json:"requester_email"`
	CC             []string      `json:"cc,omitzero"`  // "a@b.c" or "Name <a@b.c>", at most 25
	BCC            []string      `json:"bcc,omitzero"` // the same
	Content        ContentParams `json:"content"`

	// NotifyRequester mails a copy to the requester and to the addresses of CC and BCC, and
	// suppresses the help desk's automatic response.
	NotifyRequester bool `json:"notify_requester,omitzero"`

	// ForwardingAddressID is the help desk address that the ticket counts as sent to.
	ForwardingAddressID ForwardingAddressID `json:"forwarding_address_id,omitzero,string"`
}

func (t TicketParams) validate() error {
	if t.ForwardingAddressID < 0 {
		return invalid("ForwardingAddressID", "must be positive, got %d", t.ForwardingAddressID)
	}
	return firstError(
		validateEmail("RequesterEmail", t.RequesterEmail),
		t.Content.validate(),
		validateCopies("CC", t.CC),
		validateCopies("BCC", t.BCC),
	)
}

// AuditEntry is one thing that was done to a ticket.
type AuditEntry struct {
	Action     string      `json:"action"`   // such as "Commented"; the vendor lists no others
	Actor      *AuditActor `json:"actor"`    // nil if nobody is named
	URL        string      `json:"url"`      // where it shows, such as "#comments/1"
	Severity   string      `json:"severity"` // such as "info"
	HappenedAt time.Time   `json:"happened_at"`
}

// AuditActor is who did it.
type AuditActor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// AssignmentID identifies the assignment of a ticket to a user or a team.
type AssignmentID int64

// TicketRef names a ticket by its ID.
type TicketRef struct {
	ID TicketID `json:"id"`
}

// UserAssignment is the assignment of a ticket to a user.
type UserAssignment struct {
	ID        AssignmentID `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Ticket    TicketRef    `json:"ticket"`
	User      *Person      `json:"assignee"`
}

// TeamAssignment is the assignment of a ticket to a team.
type TeamAssignment struct {
	ID        AssignmentID `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Ticket    TicketRef    `json:"ticket"`
	Team      *Team        `json:"assignee"`
}

// TicketsService opens, lists, changes and assigns tickets.
type TicketsService struct{ service }

// List returns one page of tickets. All walks every page.
//
// API: GET /tickets
func (s *TicketsService) List(ctx context.Context, opts TicketListOptions) (*TicketPage, error) {
	answer, err := do[ticketPage](ctx, s.client, call{op: "Tickets.List", route: "/tickets", invalid: opts.validate(), query: opts.query()})
	return orNil(answer.TicketPage, err)
}

// All walks every ticket that opts selects, each once, page after page.
//
// The next pages are fetched while the caller works on this one; see [WithPrefetch]. The walk
// ends after the last page, at an empty page or one that repeats, and after yielding an error.
// Pages shift while tickets change: a ticket that moves to an earlier page during the walk can
// be missed. Unless set, PerPage is 100.
func (s *TicketsService) All(ctx context.Context, opts TicketListOptions) iter.Seq2[*Ticket, error] {
	return walk(ctx, "Tickets.All", s.client.config.prefetch, opts.Page, func(ctx context.Context, page int) (*TicketPage, error) {
		next := opts
		next.Page, next.PerPage = page, perPageOr(opts.PerPage, maxPerPage)
		return s.List(ctx, next)
	})
}

// Count returns how many tickets opts selects, without fetching them.
func (s *TicketsService) Count(ctx context.Context, opts TicketListOptions) (int, error) {
	query := opts.query()
	query.Set("total_only", "true")
	total, err := do[ticketTotal](ctx, s.client, call{op: "Tickets.Count", route: "/tickets", invalid: opts.validate(), query: query})
	if err != nil {
		return 0, err
	}
	return *total.Total, nil
}

// Search returns one page of the tickets that match the text. SearchAll walks every page.
//
// API: GET /tickets/search
func (s *TicketsService) Search(ctx context.Context, text string, opts TicketSearchOptions) (*TicketPage, error) {
	reason := validatePage(opts.Page, opts.PerPage)
	if isBlank(text) {
		reason = invalid("text", "is required")
	}
	answer, err := do[ticketPage](ctx, s.client, call{op: "Tickets.Search", route: "/tickets/search", invalid: reason, query: opts.query(text)})
	return orNil(answer.TicketPage, err)
}

// SearchAll walks every ticket that matches the text, as [TicketsService.All] does.
func (s *TicketsService) SearchAll(ctx context.Context, text string, opts TicketSearchOptions) iter.Seq2[*Ticket, error] {
	return walk(ctx, "Tickets.SearchAll", s.client.config.prefetch, opts.Page, func(ctx context.Context, page int) (*TicketPage, error) {
		next := opts
		next.Page, next.PerPage = page, perPageOr(opts.PerPage, maxPerPage)
		return s.Search(ctx, text, next)
	})
}

// Get returns the ticket with the given ID, archived and trashed ones included.
//
// API: GET /tickets/{id}
func (s *TicketsService) Get(ctx context.Context, id TicketID) (*Ticket, error) {
	return do[*Ticket](ctx, s.client, call{op: "Tickets.Get", route: "/tickets/{id}", args: []segment{id}, key: "ticket"})
}

// Create opens a ticket. It works without a token, too. Only NotifyRequester makes it mail the
// requester a copy.
//
// The server takes 8 tickets a minute with a token, and 5 an hour from one address without:
// beyond that it is [ErrRateLimited].
//
// API: POST /tickets
func (s *TicketsService) Create(ctx context.Context, ticket TicketParams) (*Ticket, error) {
	answer, err := do[ticketAnswer](ctx, s.client, call{
		op: "Tickets.Create", method: http.MethodPost, route: "/tickets", invalid: ticket.validate(),
		wrap: "ticket", body: &ticket, anonymous: true,
	})
	return answer.ticket, err
}

// Delete removes a ticket for ever. The server wants it trashed before, and an admin's token.
//
// API: DELETE /tickets/{id}
func (s *TicketsService) Delete(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Delete", http.MethodDelete, "/tickets/{id}", id)
}

// Archive takes the ticket out of the default list; it is done.
//
// API: POST /tickets/{id}/archive
func (s *TicketsService) Archive(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Archive", http.MethodPost, "/tickets/{id}/archive", id)
}

// Unarchive puts the ticket back into the default list.
//
// API: DELETE /tickets/{id}/archive
func (s *TicketsService) Unarchive(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Unarchive", http.MethodDelete, "/tickets/{id}/archive", id)
}

// MarkAnswered says that the ticket waits for no answer.
//
// API: POST /tickets/{id}/answered
func (s *TicketsService) MarkAnswered(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkAnswered", http.MethodPost, "/tickets/{id}/answered", id)
}

// MarkUnanswered says that the ticket waits for an answer.
//
// API: DELETE /tickets/{id}/answered
func (s *TicketsService) MarkUnanswered(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkUnanswered", http.MethodDelete, "/tickets/{id}/answered", id)
}

// MarkSpam marks the ticket as spam.
//
// API: POST /tickets/{id}/spam
func (s *TicketsService) MarkSpam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.MarkSpam", http.MethodPost, "/tickets/{id}/spam", id)
}

// UnmarkSpam says that the ticket is no spam.
//
// API: DELETE /tickets/{id}/spam
func (s *TicketsService) UnmarkSpam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnmarkSpam", http.MethodDelete, "/tickets/{id}/spam", id)
}

// Trash moves the ticket to the trash.
//
// API: POST /tickets/{id}/trash
func (s *TicketsService) Trash(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Trash", http.MethodPost, "/tickets/{id}/trash", id)
}

// Untrash takes the ticket out of the trash.
//
// API: DELETE /tickets/{id}/trash
func (s *TicketsService) Untrash(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.Untrash", http.MethodDelete, "/tickets/{id}/trash", id)
}

// AssignUser assigns the ticket to a user. An unknown user is [ErrNotFound], one who is not in
// the ticket's team [ErrConflict].
//
// API: POST /tickets/{id}/user_assignment
func (s *TicketsService) AssignUser(ctx context.Context, id TicketID, user UserID) (*UserAssignment, error) {
	answer, err := do[userAssignmentAnswer](ctx, s.client, call{
		op: "Tickets.AssignUser", method: http.MethodPost, route: "/tickets/{id}/user_assignment", args: []segment{id},
		invalid: positive("user", user), wrap: "user_assignment", body: map[string]UserID{"user_id": user}, repeatable: true,
	})
	return answer.assignment(), err
}

// UnassignUser leaves the ticket without a user.
//
// API: DELETE /tickets/{id}/user_assignment
func (s *TicketsService) UnassignUser(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnassignUser", http.MethodDelete, "/tickets/{id}/user_assignment", id)
}

// AssignTeam assigns the ticket to a team. Moving it to another team drops the assigned user.
//
// API: POST /tickets/{id}/team_assignment
func (s *TicketsService) AssignTeam(ctx context.Context, id TicketID, team TeamID) (*TeamAssignment, error) {
	answer, err := do[teamAssignmentAnswer](ctx, s.client, call{
		op: "Tickets.AssignTeam", method: http.MethodPost, route: "/tickets/{id}/team_assignment", args: []segment{id},
		invalid: positive("team", team), wrap: "team_assignment", body: map[string]TeamID{"team_id": team}, repeatable: true,
	})
	return answer.assignment(), err
}

// UnassignTeam leaves the ticket without a team.
//
// API: DELETE /tickets/{id}/team_assignment
func (s *TicketsService) UnassignTeam(ctx context.Context, id TicketID) error {
	return s.act(ctx, "Tickets.UnassignTeam", http.MethodDelete, "/tickets/{id}/team_assignment", id)
}

// Audit returns what was done to the ticket, oldest first.
//
// API: GET /tickets/{id}/audit
func (s *TicketsService) Audit(ctx context.Context, id TicketID) ([]*AuditEntry, error) {
	return do[[]*AuditEntry](ctx, s.client, call{op: "Tickets.Audit", route: "/tickets/{id}/audit", args: []segment{id}, key: "audit"})
}

// act makes a call on one ticket that neither sends nor returns anything and may be repeated.
func (s *TicketsService) act(ctx context.Context, op, method, route string, id TicketID) error {
	return exec(ctx, s.client, call{op: op, method: method, route: route, args: []segment{id}, repeatable: true})
}

// positive refuses an ID that no resource can have.
func positive[ID ~int64](field string, id ID) error {
	if id <= 0 {
		return invalid(field, "must be positive, got %d", id)
	}
	return nil
}
