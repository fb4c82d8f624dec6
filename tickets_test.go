package supportbee_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// longContent is a content with everything that can be sent, and longContentJSON what is sent.
var longContent = supportbee.ContentParams{Text: "Hi", HTML: "<p>Hi</p>", AttachmentIDs: []supportbee.AttachmentID{31, 32}}

const longContentJSON = `{"text":"Hi","html":"<p>Hi</p>","attachment_ids":[31,32]}`

// pageJSON returns the response that holds thePage.
func pageJSON(t *testing.T) string {
	t.Helper()
	return `{"total":31,"current_page":2,"per_page":15,"total_pages":3,"tickets":[` + bare(t, "ticket.json") + `]}`
}

func TestTicketsList(t *testing.T) {
	t.Parallel()
	list := func(opts *supportbee.TicketListOptions) func(context.Context, *supportbee.Client) (*supportbee.TicketPage, error) {
		return func(ctx context.Context, c *supportbee.Client) (*supportbee.TicketPage, error) {
			return c.Tickets.List(ctx, opts)
		}
	}
	for _, tt := range []struct {
		opts  *supportbee.TicketListOptions
		query string
	}{
		{opts: nil},
		{opts: &supportbee.TicketListOptions{}},
		{
			opts: &supportbee.TicketListOptions{
				Page: 2, PerPage: 30, Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true, HasReplies: new(true), MaxReplies: new(4),
				AssignedUser: supportbee.AssignedToUser(12), AssignedTeam: supportbee.AssignedToTeam(21), Label: "very important",
				RequesterEmails: []string{"ann@example.com", "bo@example.com"},
				Since:           at(10, 0, 0).In(time.FixedZone("", 60*60)), Until: at(11, 0, 0), SortBy: supportbee.SortByCreationTime,
			},
			query: "?archived=any&assigned_team=21&assigned_user=12&label=very+important&max_replies=4&page=2&per_page=30&replies=true" +
				"&requester_emails=ann%40example.com%2Cbo%40example.com&since=2026-03-01T10%3A00%3A00Z&sort_by=creation_time&spam=true&trash=true" +
				"&until=2026-03-01T11%3A00%3A00Z",
		},
		{
			opts:  &supportbee.TicketListOptions{Archived: supportbee.ArchivedOnly, HasReplies: new(false), AssignedUser: supportbee.AssignedToMe, AssignedTeam: supportbee.AssignedToMyTeams},
			query: "?archived=true&assigned_team=mine&assigned_user=me&replies=false",
		},
		{opts: &supportbee.TicketListOptions{MaxReplies: new(0)}, query: "?max_replies=0"},
		{opts: &supportbee.TicketListOptions{AssignedUser: supportbee.AssignedToAnyUser}, query: "?assigned_user=any"},
		{
			opts:  &supportbee.TicketListOptions{AssignedUser: supportbee.AssignedToNoUser, AssignedTeam: supportbee.AssignedToNoTeam, SortBy: supportbee.SortByLastActivity},
			query: "?assigned_team=none&assigned_user=none&sort_by=last_activity",
		},
		{ // the server knows whole seconds
			opts:  &supportbee.TicketListOptions{Since: at(10, 0, 0).Add(time.Second - 1), Until: at(11, 0, 0).Add(1)},
			query: "?since=2026-03-01T10%3A00%3A00Z&until=2026-03-01T11%3A00%3A01Z",
		},
	} {
		check(t, "Tickets.List", exchange{method: "GET", uri: "/tickets" + tt.query, status: 200, reply: pageJSON(t)}, list(tt.opts), &thePage)
	}
	check(t, "Tickets.List", exchange{
		method: "GET", uri: "/tickets", status: 200, reply: `{"total":0,"current_page":1,"per_page":15,"total_pages":0,"tickets":[]}`,
	}, list(nil), &supportbee.TicketPage{Page: 1, PerPage: 15, Tickets: []*supportbee.Ticket{}})
}

func TestTicketsCount(t *testing.T) {
	t.Parallel()
	check(t, "Tickets.Count", exchange{method: "GET", uri: "/tickets?total_only=true", status: 200, reply: `{"total":42}`},
		func(ctx context.Context, c *supportbee.Client) (int, error) { return c.Tickets.Count(ctx, nil) }, 42)
	check(t, "Tickets.Count", exchange{method: "GET", uri: "/tickets?archived=any&label=x&total_only=true", status: 200, reply: pageJSON(t)},
		func(ctx context.Context, c *supportbee.Client) (int, error) {
			return c.Tickets.Count(ctx, &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, Label: "x"})
		}, 31)
	check(t, "Tickets.Count", exchange{method: "GET", uri: "/tickets?total_only=true", status: 200, reply: `{"total":0,"tickets":null}`},
		func(ctx context.Context, c *supportbee.Client) (int, error) { return c.Tickets.Count(ctx, nil) }, 0)
}

func TestTicketListOptionsAreRejected(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opts          supportbee.TicketListOptions
		field, reason string
	}{
		{opts: supportbee.TicketListOptions{Page: -1}, field: "Page", reason: "must not be negative, got -1"},
		{opts: supportbee.TicketListOptions{PerPage: -1}, field: "PerPage", reason: "must be between 1 and 100, or 0 for the default, got -1"},
		{opts: supportbee.TicketListOptions{PerPage: 101}, field: "PerPage", reason: "must be between 1 and 100, or 0 for the default, got 101"},
		{opts: supportbee.TicketListOptions{MaxReplies: new(-1)}, field: "MaxReplies", reason: "must not be negative, got -1"},
		{opts: supportbee.TicketListOptions{MaxReplies: new(0), HasReplies: new(false)}, field: "MaxReplies", reason: "cannot be combined with HasReplies false"},
		{opts: supportbee.TicketListOptions{Since: at(2, 0, 0), Until: at(1, 0, 0)}, field: "Until", reason: "must not be before Since"},
		{opts: supportbee.TicketListOptions{RequesterEmails: []string{"a@b.c", ""}}, field: "RequesterEmails", reason: "is required"},
		{opts: supportbee.TicketListOptions{RequesterEmails: []string{"a@b.c,d@e.f"}}, field: "RequesterEmails", reason: "must be an e-mail address"},
	} {
		checkRejected(t, supportbee.ArgumentError{Op: "Tickets.List", Field: tt.field, Reason: tt.reason}, func(ctx context.Context, c *supportbee.Client) error {
			return errorOf(c.Tickets.List(ctx, &tt.opts))
		})
		checkRejected(t, supportbee.ArgumentError{Op: "Tickets.Count", Field: tt.field, Reason: tt.reason}, func(ctx context.Context, c *supportbee.Client) error {
			return errorOf(c.Tickets.Count(ctx, &tt.opts))
		})
	}
}

func TestTicketsSearch(t *testing.T) {
	t.Parallel()
	search := func(opts *supportbee.TicketSearchOptions) func(context.Context, *supportbee.Client) (*supportbee.TicketPage, error) {
		return func(ctx context.Context, c *supportbee.Client) (*supportbee.TicketPage, error) {
			return c.Tickets.Search(ctx, "broken kettle", opts)
		}
	}
	check(t, "Tickets.Search", exchange{method: "GET", uri: "/tickets/search?query=broken+kettle", status: 200, reply: pageJSON(t)}, search(nil), &thePage)
	check(t, "Tickets.Search",
		exchange{method: "GET", uri: "/tickets/search?page=2&per_page=30&query=broken+kettle&spam=true&trash=true", status: 200, reply: pageJSON(t)},
		search(&supportbee.TicketSearchOptions{Page: 2, PerPage: 30, IncludeSpam: true, IncludeTrash: true}), &thePage)

	for _, tt := range []struct {
		query         string
		opts          supportbee.TicketSearchOptions
		field, reason string
	}{
		{query: " ", field: "query", reason: "is required"},
		{query: "x", opts: supportbee.TicketSearchOptions{Page: -1}, field: "Page", reason: "must not be negative, got -1"},
		{query: "x", opts: supportbee.TicketSearchOptions{PerPage: 200}, field: "PerPage", reason: "must be between 1 and 100, or 0 for the default, got 200"},
	} {
		checkRejected(t, supportbee.ArgumentError{Op: "Tickets.Search", Field: tt.field, Reason: tt.reason}, func(ctx context.Context, c *supportbee.Client) error {
			return errorOf(c.Tickets.Search(ctx, tt.query, &tt.opts))
		})
	}
}

func TestTicketsGet(t *testing.T) {
	t.Parallel()
	check(t, "Tickets.Get", exchange{method: "GET", uri: "/tickets/7", status: 200, reply: "ticket.json"},
		func(ctx context.Context, c *supportbee.Client) (*supportbee.Ticket, error) {
			return c.Tickets.Get(ctx, 7)
		}, &theTicket)
	// All that a ticket may lack or have as null.
	check(t, "Tickets.Get", exchange{
		method: "GET", uri: "/tickets/7", status: 200,
		reply: `{"ticket":{"id":7,"cc":[],"bcc":null,"labels":[],"current_user_assignee":null,"current_team_assignee":null,"snoozed_until":null,` +
			`"last_reply_at":null,"historical_import":null,"customer_rating":null,"submitter":null,"content":{"html":null}}}`,
	}, func(ctx context.Context, c *supportbee.Client) (*supportbee.Ticket, error) {
		return c.Tickets.Get(ctx, 7)
	},
		&supportbee.Ticket{ID: 7, CC: []supportbee.Person{}, Labels: []supportbee.Label{}})
}

func TestTicketsCreate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		params supportbee.TicketParams
		body   string
	}{
		{
			params: supportbee.TicketParams{
				Subject: "S", RequesterName: "Ann", RequesterEmail: "ann@example.com", CC: []string{"a@b.c"}, BCC: []string{"Bo <bo@b.c>"},
				Content: longContent, NotifyRequester: true, ForwardingAddressID: "91_a",
			},
			body: `{"ticket":{"subject":"S","requester_name":"Ann","requester_email":"ann@example.com","cc":["a@b.c"],"bcc":["Bo <bo@b.c>"],` +
				`"content":` + longContentJSON + `,"notify_requester":true,"forwarding_address_id":"91_a"}}`,
		},
		{
			params: supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.HTML("<b>")},
			body:   `{"ticket":{"requester_email":"ann@example.com","content":{"html":"<b>"}}}`,
		},
		{
			params: supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.ContentParams{}.Attach(31)},
			body:   `{"ticket":{"requester_email":"ann@example.com","content":{"attachment_ids":[31]}}}`,
		},
	} {
		for _, reply := range []string{fixture(t, "ticket.json"), bare(t, "ticket.json")} {
			check(t, "Tickets.Create", exchange{method: "POST", uri: "/tickets", body: tt.body, status: 201, reply: reply},
				func(ctx context.Context, c *supportbee.Client) (*supportbee.Ticket, error) {
					return c.Tickets.Create(ctx, tt.params)
				}, &theTicket)
		}
	}
}

func TestTicketParamsAreRejected(t *testing.T) {
	t.Parallel()
	text := supportbee.Text("x")
	valid := supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, CC: slices.Repeat([]string{"a@b.c"}, 25)}
	many := slices.Repeat([]string{"a@b.c"}, 26)
	checkParams(t, "Tickets.Create", func(ctx context.Context, c *supportbee.Client, p supportbee.TicketParams) error {
		return errorOf(c.Tickets.Create(ctx, p))
	}, valid, []invalidParams[supportbee.TicketParams]{
		{params: supportbee.TicketParams{Content: text}, field: "RequesterEmail", reason: "is required"},
		{params: supportbee.TicketParams{RequesterEmail: "Ann", Content: text}, field: "RequesterEmail", reason: "must be an e-mail address"},
		{params: supportbee.TicketParams{RequesterEmail: "Ann <a@b.c>", Content: text}, field: "RequesterEmail", reason: "must be an e-mail address"},
		{params: supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text(" \n")}, field: "Content", reason: "must have Text, HTML or AttachmentIDs"},
		{
			params: supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text.Attach(31, 0)},
			field:  "Content.AttachmentIDs", reason: "must be positive, got 0",
		},
		{params: supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, CC: many}, field: "CC", reason: "must have at most 25 addresses, got 26"},
		{params: supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, BCC: many}, field: "BCC", reason: "must have at most 25 addresses, got 26"},
		{
			params: supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, CC: []string{"a@b.c", "b"}},
			field:  "CC", reason: `[1] must be of the form "a@example.com" or "Name <a@example.com>"`,
		},
	})
	checkRejected(t, supportbee.ArgumentError{
		Op: "Tickets.Create", Field: "params", Reason: "cannot be written as JSON: at /subject: invalid JSON at byte 11: invalid UTF-8",
	}, func(ctx context.Context, c *supportbee.Client) error {
		return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{Subject: "\xff", RequesterEmail: "a@b.c", Content: text}))
	})
}

func TestTicketActions(t *testing.T) {
	t.Parallel()
	checkDone(t, "Tickets.Delete", "DELETE", "/tickets/7", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Delete(ctx, 7) })
	checkDone(t, "Tickets.Archive", "POST", "/tickets/7/archive", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Archive(ctx, 7) })
	checkDone(t, "Tickets.Unarchive", "DELETE", "/tickets/7/archive", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Unarchive(ctx, 7) })
	checkDone(t, "Tickets.MarkAnswered", "POST", "/tickets/7/answered", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.MarkAnswered(ctx, 7) })
	checkDone(t, "Tickets.MarkUnanswered", "DELETE", "/tickets/7/answered", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.MarkUnanswered(ctx, 7) })
	checkDone(t, "Tickets.MarkSpam", "POST", "/tickets/7/spam", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.MarkSpam(ctx, 7) })
	checkDone(t, "Tickets.UnmarkSpam", "DELETE", "/tickets/7/spam", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnmarkSpam(ctx, 7) })
	checkDone(t, "Tickets.Trash", "POST", "/tickets/7/trash", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Trash(ctx, 7) })
	checkDone(t, "Tickets.Untrash", "DELETE", "/tickets/7/trash", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.Untrash(ctx, 7) })
	checkDone(t, "Tickets.UnassignUser", "DELETE", "/tickets/7/user_assignment", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnassignUser(ctx, 7) })
	checkDone(t, "Tickets.UnassignTeam", "DELETE", "/tickets/7/team_assignment", func(ctx context.Context, c *supportbee.Client) error { return c.Tickets.UnassignTeam(ctx, 7) })
}

func TestTicketsAssignUser(t *testing.T) {
	t.Parallel()
	assign := func(ctx context.Context, c *supportbee.Client) (*supportbee.UserAssignment, error) {
		return c.Tickets.AssignUser(ctx, 7, 12)
	}
	const body = `{"user_assignment":{"user_id":12}}`
	check(t, "Tickets.AssignUser", exchange{method: "POST", uri: "/tickets/7/user_assignment", body: body, status: 201, reply: "user_assignment.json"}, assign, &theUserAssignment)
	for _, reply := range []string{
		`{"user_assignment":{"id":81,"ticket":{"id":7}},"asignee":{"user":{"id":12}}}`, // the vendor's page
		`{"asignee":{"user":{"id":12}},"user_assignment":{"id":81,"ticket":{"id":7}}}`,
		`{"user_assignment":{"id":81,"ticket":{"id":7}},"assignee":{"user":{"id":12}}}`,
		`{"user_assignment":{"id":81,"ticket":{"id":7}},"assignee":{"id":12}}`,
		`{"user_assignment":{"id":81,"ticket":{"id":7},"asignee":{"user":{"id":12}}}}`,
		`{"user_assignment":{"id":81,"ticket":{"id":7},"assignee":{"id":12}}}`,
		`{"user_assignment":{"id":81,"ticket":7,"assignee":{"id":12}}}`,
	} {
		check(t, "Tickets.AssignUser", exchange{method: "POST", uri: "/tickets/7/user_assignment", body: body, status: 201, reply: reply}, assign,
			&supportbee.UserAssignment{ID: 81, TicketID: 7, User: supportbee.Person{ID: 12}})
	}
	for _, user := range []supportbee.UserID{0, -5} {
		reason := map[supportbee.UserID]string{0: "must be positive, got 0", -5: "must be positive, got -5"}[user]
		checkRejected(t, supportbee.ArgumentError{Op: "Tickets.AssignUser", Field: "user", Reason: reason}, func(ctx context.Context, c *supportbee.Client) error {
			return errorOf(c.Tickets.AssignUser(ctx, 7, user))
		})
	}
}

func TestTicketsAssignTeam(t *testing.T) {
	t.Parallel()
	assign := func(ctx context.Context, c *supportbee.Client) (*supportbee.TeamAssignment, error) {
		return c.Tickets.AssignTeam(ctx, 7, 21)
	}
	const body = `{"team_assignment":{"team_id":21}}`
	check(t, "Tickets.AssignTeam", exchange{method: "POST", uri: "/tickets/7/team_assignment", body: body, status: 201, reply: "team_assignment.json"}, assign, &theTeamAssignment)
	for _, reply := range []string{
		`{"team_assignment":{"id":82,"ticket":{"id":7}},"asignee":{"team":{"id":21,"name":"Support"}}}`,
		`{"team_assignment":{"id":82,"ticket":{"id":7}},"assignee":{"team":{"id":21,"name":"Support"}}}`,
		`{"team_assignment":{"id":82,"ticket":{"id":7},"assignee":{"id":21,"name":"Support"}}}`,
		`{"team_assignment":{"id":82,"ticket":{"id":7},"asignee":{"team":{"id":21,"name":"Support"}}}}`,
	} {
		check(t, "Tickets.AssignTeam", exchange{method: "POST", uri: "/tickets/7/team_assignment", body: body, status: 201, reply: reply}, assign,
			&supportbee.TeamAssignment{ID: 82, TicketID: 7, Team: supportbee.Team{ID: 21, Name: "Support"}})
	}
	checkRejected(t, supportbee.ArgumentError{Op: "Tickets.AssignTeam", Field: "team", Reason: "must be positive, got 0"}, func(ctx context.Context, c *supportbee.Client) error {
		return errorOf(c.Tickets.AssignTeam(ctx, 7, 0))
	})
}

func TestTicketsAudit(t *testing.T) {
	t.Parallel()
	check(t, "Tickets.Audit", exchange{method: "GET", uri: "/tickets/7/audit", status: 200, reply: "audit.json"},
		func(ctx context.Context, c *supportbee.Client) ([]*supportbee.AuditEntry, error) {
			return c.Tickets.Audit(ctx, 7)
		}, theAudit)
}

// Only Tickets.Create works without a token.
func TestCallsWithoutAToken(t *testing.T) {
	t.Parallel()
	client := offline(t, "")
	want := func(op string) error {
		return &supportbee.ArgumentError{Op: op, Field: "token", Reason: "must be given to New", Err: supportbee.ErrTokenRequired}
	}
	err := errorOf(client.Tickets.Get(t.Context(), 7))
	assert.Equal(t, want("Tickets.Get"), err)
	assert.ErrorIs(t, err, supportbee.ErrTokenRequired)
	assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	assert.Equal(t, want("Tickets.Archive"), client.Tickets.Archive(t.Context(), 7))
	assert.Equal(t, want("Do"), client.Do(t.Context(), http.MethodGet, "/labels", nil, nil))

	client, err = supportbee.New("acme", "", supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		assert.Empty(t, req.Header.Values("Authorization"))
		return respond(req, http.StatusCreated, `{"ticket":{"id":7}}`), nil
	})))
	require.NoError(t, err)
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Ticket{ID: 7}, ticket)
}

func TestHasLabel(t *testing.T) {
	t.Parallel()
	ticket := &supportbee.Ticket{Labels: []supportbee.Label{{Name: "bug"}, {Name: "refund"}}}
	assert.True(t, ticket.HasLabel("refund"))
	assert.False(t, ticket.HasLabel("Refund"))
	assert.False(t, new(supportbee.Ticket).HasLabel("refund"))
	assert.False(t, (*supportbee.Ticket)(nil).HasLabel("refund"))
}
