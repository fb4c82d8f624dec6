package conformance_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/conformance"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func description(t *testing.T) *conformance.Description {
	t.Helper()
	data, err := os.ReadFile("../../../openapi.yaml")
	require.NoError(t, err)
	d, err := conformance.Parse(data)
	require.NoError(t, err)
	return d
}

// world is what the calls below work on.
type world struct {
	ctx       context.Context
	c         *supportbee.Client
	desk      *supportbeetest.Desk
	middleman *conformance.Middleman
	ticket    supportbee.TicketID
	agent     supportbee.UserID
	team      supportbee.TeamID
	file      supportbee.AttachmentID
	reply     supportbee.ReplyID
	group     supportbee.UserID
	snippet   supportbee.SnippetID
	rule      supportbee.RuleID
	does      supportbee.ConsequenceID
}

func err2[T any](_ T, err error) error { return err }

// calls are made in this order; each operation at least once, with everything that it can send.
var calls = []struct {
	op   string
	call func(*world) error
}{
	{"Attachments.Upload", func(w *world) error {
		file, err := w.c.Attachments.Upload(w.ctx, "größe \"1\".txt", strings.NewReader("x"), nil)
		if err == nil {
			w.file = file.ID
			err = w.c.Attachments.Download(w.ctx, *file, io.Discard, nil)
		}
		return err
	}},
	{"Tickets.Create", func(w *world) error {
		ticket, err := w.c.Tickets.Create(w.ctx, supportbee.TicketParams{
			Subject: "S", RequesterName: "Ann", RequesterEmail: "ann@example.com", CC: []string{"Bo <bo@example.com>"}, BCC: []string{"c@example.com"},
			NotifyRequester: true, ForwardingAddressID: w.desk.ForwardingAddresses()[0].ID,
			Content: supportbee.ContentParams{Text: "T", HTML: "<p>T</p>", AttachmentIDs: []supportbee.AttachmentID{w.file}},
		})
		if err == nil {
			w.ticket = ticket.ID
		}
		return err
	}},
	{"Tickets.Create", func(w *world) error {
		return err2(w.desk.Client(supportbee.WithToken(""), supportbee.WithTransport(w.middleman)).Tickets.Create(w.ctx, supportbee.TicketParams{RequesterEmail: "d@example.com", Content: supportbee.HTML("<p>")}))
	}},
	{"Tickets.Get", func(w *world) error { return err2(w.c.Tickets.Get(w.ctx, w.ticket)) }},
	{"Teams.List", func(w *world) error {
		teams, err := w.c.Teams.List(w.ctx, &supportbee.TeamListOptions{OnlyMine: true, WithUsers: true})
		if err == nil {
			w.team = teams[0].ID
		}
		return err
	}},
	{"Tickets.AssignTeam", func(w *world) error { return err2(w.c.Tickets.AssignTeam(w.ctx, w.ticket, w.team)) }},
	{"Tickets.AssignUser", func(w *world) error { return err2(w.c.Tickets.AssignUser(w.ctx, w.ticket, w.agent)) }},
	{"Labels.List", func(w *world) error { return err2(w.c.Labels.List(w.ctx)) }},
	{"Labels.Add", func(w *world) error { return err2(w.c.Labels.Add(w.ctx, w.ticket, "very important")) }},
	{"Replies.Create", func(w *world) error {
		reply, err := w.c.Replies.Create(w.ctx, w.ticket, supportbee.ReplyParams{
			Content: supportbee.Text("R"), CC: []string{"bo@example.com"}, BCC: []string{"c@example.com"}, OnBehalfOf: supportbee.AgentRef{ID: w.agent},
		})
		if err == nil {
			w.reply = reply.ID
		}
		return err
	}},
	{"Replies.Create", func(w *world) error {
		return err2(w.c.Replies.Create(w.ctx, w.ticket, supportbee.ReplyParams{Content: supportbee.HTML("R"), OnBehalfOf: supportbee.AgentRef{Email: supportbeetest.AgentEmail}}))
	}},
	{"Replies.List", func(w *world) error { return err2(w.c.Replies.List(w.ctx, w.ticket)) }},
	{"Replies.Get", func(w *world) error { return err2(w.c.Replies.Get(w.ctx, w.ticket, w.reply)) }},
	{"Comments.Create", func(w *world) error {
		return err2(w.c.Comments.Create(w.ctx, w.ticket, supportbee.CommentParams{Content: supportbee.Text("C")}))
	}},
	{"Comments.List", func(w *world) error { return err2(w.c.Comments.List(w.ctx, w.ticket)) }},
	{"Drafts.Get", func(w *world) error {
		return errors.Join(err2(w.c.Drafts.Get(w.ctx, w.ticket, nil)),
			err2(w.c.Drafts.Get(w.ctx, w.ticket, &supportbee.DraftGetOptions{OmitQuote: true, TimeZone: "Europe/Berlin"})))
	}},
	{"Drafts.Create", func(w *world) error {
		return err2(w.c.Drafts.Create(w.ctx, w.ticket, supportbee.DraftParams{Content: supportbee.Text("D"), CC: []string{"a@example.com", "b@example.com"}, BCC: []string{}}))
	}},
	{"Drafts.Update", func(w *world) error {
		return err2(w.c.Drafts.Update(w.ctx, w.ticket, supportbee.DraftParams{Content: supportbee.HTML("D"), BCC: []string{"a@example.com"}}))
	}},
	{"Drafts.Delete", func(w *world) error { return w.c.Drafts.Delete(w.ctx, w.ticket) }},
	{"Tickets.List", func(w *world) error {
		now := time.Now()
		var errs []error
		for _, opts := range []*supportbee.TicketListOptions{
			nil,
			{Page: 2, PerPage: 3},
			{Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true},
			{Archived: supportbee.ArchivedOnly},
			{HasReplies: new(true), MaxReplies: new(3)},
			{HasReplies: new(false)},
			{AssignedUser: supportbee.AssignedToMe},
			{AssignedUser: supportbee.AssignedToAnyUser},
			{AssignedUser: supportbee.AssignedToNoUser},
			{AssignedUser: supportbee.AssignedToUser(w.agent)},
			{AssignedTeam: supportbee.AssignedToMyTeams},
			{AssignedTeam: supportbee.AssignedToNoTeam},
			{AssignedTeam: supportbee.AssignedToTeam(w.team)},
			{Label: "very important"},
			{Since: now.AddDate(0, 0, -1), Until: now, SortBy: supportbee.SortByCreationTime},
			{SortBy: supportbee.SortByLastActivity},
			{RequesterEmails: []string{"ann@example.com", "bo@example.com"}},
		} {
			errs = append(errs, err2(w.c.Tickets.List(w.ctx, opts)), err2(w.c.Tickets.Count(w.ctx, opts)), err2(supportbee.Collect(w.c.Tickets.All(w.ctx, opts))))
		}
		return errors.Join(errs...)
	}},
	{"Tickets.Search", func(w *world) error {
		return errors.Join(err2(w.c.Tickets.Search(w.ctx, "a b & c", &supportbee.TicketSearchOptions{Page: 1, PerPage: 10, IncludeSpam: true, IncludeTrash: true})),
			err2(supportbee.Collect(w.c.Tickets.SearchAll(w.ctx, "e", &supportbee.TicketSearchOptions{PerPage: 2}))))
	}},
	{"Tickets.MarkUnanswered", func(w *world) error { return w.c.Tickets.MarkUnanswered(w.ctx, w.ticket) }},
	{"Tickets.MarkAnswered", func(w *world) error { return w.c.Tickets.MarkAnswered(w.ctx, w.ticket) }},
	{"Tickets.Archive", func(w *world) error { return w.c.Tickets.Archive(w.ctx, w.ticket) }},
	{"Tickets.Unarchive", func(w *world) error { return w.c.Tickets.Unarchive(w.ctx, w.ticket) }},
	{"Tickets.MarkSpam", func(w *world) error { return w.c.Tickets.MarkSpam(w.ctx, w.ticket) }},
	{"Tickets.UnmarkSpam", func(w *world) error { return w.c.Tickets.UnmarkSpam(w.ctx, w.ticket) }},
	{"Tickets.Audit", func(w *world) error { return err2(w.c.Tickets.Audit(w.ctx, w.ticket)) }},
	{"Labels.Remove", func(w *world) error { return w.c.Labels.Remove(w.ctx, w.ticket, "very important") }},
	{"Tickets.UnassignUser", func(w *world) error { return w.c.Tickets.UnassignUser(w.ctx, w.ticket) }},
	{"Tickets.UnassignTeam", func(w *world) error { return w.c.Tickets.UnassignTeam(w.ctx, w.ticket) }},
	{"Tickets.Trash", func(w *world) error { return w.c.Tickets.Trash(w.ctx, w.ticket) }},
	{"Tickets.Untrash", func(w *world) error { return w.c.Tickets.Untrash(w.ctx, w.ticket) }},
	{"Tickets.Delete", func(w *world) error {
		return errors.Join(w.c.Tickets.Trash(w.ctx, w.ticket), w.c.Tickets.Delete(w.ctx, w.ticket))
	}},
	{"Users.List", func(w *world) error {
		return errors.Join(err2(w.c.Users.List(w.ctx, nil)), err2(w.c.Users.List(w.ctx, &supportbee.UserListOptions{
			IncludeInvited: true, Roles: []supportbee.Role{supportbee.RoleAdmin, supportbee.RoleCustomer}, Type: supportbee.UserTypeUser,
		})))
	}},
	{"Users.Create", func(w *world) error {
		group, err := w.c.Users.Create(w.ctx, supportbee.UserParams{Type: supportbee.UserTypeCustomerGroup, Name: "G", CanMembersAccessGroupTickets: new(true), EmailDomains: []string{"example.com"}})
		if err == nil {
			w.group = group.ID
			err = err2(w.c.Users.Create(w.ctx, supportbee.UserParams{Email: "n@acme.example", Name: "N", Role: supportbee.RoleCollaborator, TeamIDs: []supportbee.TeamID{w.team}}))
		}
		return err
	}},
	{"Users.Get", func(w *world) error {
		return errors.Join(err2(w.c.Users.Get(w.ctx, w.agent, nil)), err2(w.c.Users.Get(w.ctx, w.group, &supportbee.UserGetOptions{MaxTickets: 2})),
			err2(w.c.Users.Get(w.ctx, w.agent, &supportbee.UserGetOptions{MaxTickets: -1})))
	}},
	{"Users.Update", func(w *world) error {
		return err2(w.c.Users.Update(w.ctx, w.agent, supportbee.UserUpdateParams{
			Email: new("b@acme.example"), Name: new("B"), Role: supportbee.RoleAdmin, TeamIDs: []supportbee.TeamID{}, CanMembersAccessGroupTickets: new(false), EmailDomains: []string{},
		}))
	}},
	{"Users.AddMember", func(w *world) error {
		return err2(w.c.Users.AddMember(w.ctx, w.group, supportbee.MemberParams{UserID: w.agent}))
	}},
	{"Users.Members", func(w *world) error { return err2(w.c.Users.Members(w.ctx, w.group)) }},
	{"Snippets.Create", func(w *world) error {
		snippet, err := w.c.Snippets.Create(w.ctx, supportbee.SnippetParams{Name: "S", Tags: "a, b", Content: supportbee.Text("x")})
		if err == nil {
			w.snippet = snippet.ID
		}
		return err
	}},
	{"Snippets.List", func(w *world) error { return err2(w.c.Snippets.List(w.ctx)) }},
	{"Snippets.Update", func(w *world) error {
		return err2(w.c.Snippets.Update(w.ctx, w.snippet, supportbee.SnippetUpdateParams{Name: new("S"), Tags: new("a"), Content: new(supportbee.HTML("x"))}))
	}},
	{"Snippets.Delete", func(w *world) error { return w.c.Snippets.Delete(w.ctx, w.snippet) }},
	{"ForwardingAddresses.Create", func(w *world) error {
		return err2(w.c.ForwardingAddresses.Create(w.ctx, supportbee.ForwardingAddressParams{Email: "s@acme.example", Name: "S", FilterSpam: new(true), UseAgentName: new(true)}))
	}},
	{"ForwardingAddresses.List", func(w *world) error { return err2(w.c.ForwardingAddresses.List(w.ctx)) }},
	{"Filters.CreateRule", func(w *world) error {
		rule, err := w.c.Filters.CreateRule(w.ctx, supportbee.RuleParams{RequesterEmail: "a", DeliveredTo: "b", Subject: "c", Body: "d"})
		if err == nil {
			w.rule = rule.ID
		}
		return err
	}},
	{"Filters.CreateConsequence", func(w *world) error {
		does, err := w.c.Filters.CreateConsequence(w.ctx, supportbee.ConsequenceParams{Archive: true, Spam: true, Trash: true, Label: "bug", AssignUserID: w.agent, AssignTeamID: w.team})
		if err == nil {
			w.does = does.ID
		}
		return err
	}},
	{"Filters.Create", func(w *world) error {
		return err2(w.c.Filters.Create(w.ctx, supportbee.FilterParams{RuleID: w.rule, ConsequenceID: w.does}))
	}},
	{"Reports.AvgFirstResponseTime", func(w *world) error { return err2(w.c.Reports.AvgFirstResponseTime(w.ctx, everyReportOption(w))) }},
	{"Reports.TicketsCount", func(w *world) error {
		return errors.Join(err2(w.c.Reports.TicketsCount(w.ctx, nil)), err2(w.c.Reports.TicketsCount(w.ctx, everyReportOption(w))))
	}},
	{"Reports.RepliesCount", func(w *world) error { return err2(w.c.Reports.RepliesCount(w.ctx, nil)) }},
}

func everyReportOption(w *world) *supportbee.ReportOptions {
	return &supportbee.ReportOptions{UserID: w.agent, TeamID: w.team, Label: "bug", Since: time.Now().AddDate(0, -1, 0)}
}

// Every request of the SDK and every response and webhook of the desk is as described, in all
// dialects.
func TestTheSDKAndTheDeskConform(t *testing.T) {
	t.Parallel()
	for _, dialect := range []supportbeetest.Dialect{supportbeetest.DialectCurrent, supportbeetest.DialectRecorded, supportbeetest.DialectDocumented} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, supportbeetest.WithDialect(dialect))
			m := &conformance.Middleman{Next: desk.Transport(), Description: description(t)}
			agent := desk.User(supportbeetest.AgentEmail)
			w := &world{ctx: t.Context(), c: desk.Client(supportbee.WithTransport(m)), desk: desk, middleman: m, agent: agent.ID}
			events := make(chan []byte, 100)
			desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				events <- body
			})})
			for _, call := range calls {
				require.NoError(t, call.call(w), call.op)
				assert.Positive(t, m.Exercised()[call.op], call.op)
			}
			assert.Len(t, m.Exercised(), 50)

			desk.AddCustomerReply(desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"}), "Thanks")
			require.NoError(t, desk.FlushWebhooks(w.ctx))
			close(events)
			sent := map[string]bool{}
			for body := range events {
				action, faults := m.Description.CheckWebhook(body)
				assert.Empty(t, faults, "%s: %s", action, body)
				sent[action] = true
			}
			assert.Equal(t, m.Description.Webhooks(), slices.Sorted(maps.Keys(sent)))
			assert.Len(t, sent, 16)

			// What fails has its form, too.
			c := w.c.With(supportbee.WithoutRetry())
			for want, err := range map[error]error{
				supportbee.ErrNotFound:     err2(c.Tickets.Get(w.ctx, 999_999)),
				supportbee.ErrAccessDenied: err2(desk.Client(supportbee.WithToken("wrong"), supportbee.WithTransport(m)).Labels.List(w.ctx)),
				supportbee.ErrValidation:   err2(c.Filters.CreateConsequence(w.ctx, supportbee.ConsequenceParams{Label: "unknown"})),
			} {
				require.ErrorIs(t, err, want)
			}
			assert.Empty(t, m.Faults())
		})
	}
}

func TestWebhooksAreChecked(t *testing.T) {
	t.Parallel()
	const ticket = `"company":{"subdomain":"acme","name":"Acme"},"ticket":{"id":7,"subject":"x","requester":{"id":1},"content":{"text":"x"}}`
	for name, tt := range map[string]struct{ body, want string }{
		"valid":           {body: `{"payload":{"action_type":"ticket.created",` + ticket + `}}`},
		"no JSON":         {body: `{`, want: "unexpected end"},
		"unknown action":  {body: `{"payload":{"action_type":"ticket.eaten",` + ticket + `}}`, want: "no such webhook"},
		"missing comment": {body: `{"payload":{"action_type":"comment.created",` + ticket + `}}`, want: "comment"},
		"counts in a comment": {
			body: `{"payload":{"action_type":"comment.created","comment":{"id":1,"commenter":{"id":1},"content":{},"ticket":{}},` + ticket + `}}`, want: "not",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := description(t).CheckWebhook([]byte(tt.body))
			if tt.want == "" {
				assert.Empty(t, faults)
				return
			}
			require.NotEmpty(t, faults)
			assert.Contains(t, faults[0], tt.want)
		})
	}
}

// The middleman is of use only if it finds what is wrong.
func TestTheMiddlemanFindsFaults(t *testing.T) {
	t.Parallel()
	const ticket = `{"id":7,"subject":"x","requester":{"id":1},"content":{"text":"x"}}`
	for _, tt := range []struct {
		method, uri, body string
		status            int
		response          string
		want              string
	}{
		{"GET", "/tickets/7", "", 200, `{"ticket":` + ticket + `}`, ""},
		{"GET", "/tickets/7", "", 200, `{"ticket":{"id":"7","subject":"x","requester":{"id":1},"content":{}}}`, "response 200"},
		{"GET", "/tickets/7", "", 200, `{"tickets":[]}`, "response 200"},
		{"GET", "/tickets/7", "", 200, ` `, "response 200: empty body"},
		{"GET", "/tickets/7", "", 401, ` `, ""},
		{"POST", "/filters", `{"rule_id":"1","consequence_id":"2"}`, 201, ``, ""},
		{"POST", "/tickets/7/comments", `{"comment":{"content":{"text":"x","html":null}}}`, 201, `{"comment":{"id":1,"commenter":{"id":1},"content":{}}}`, ""},
		{"PUT", "/users/7", `{"user":{"type":"user","last_name":"x"}}`, 200, `{"user":{"id":7}}`, ""},
		{"GET", "/tickets/7", "", 418, `{}`, "undocumented status 418"},
		{"GET", "/tickets/7?x=1", "", 200, `{"ticket":` + ticket + `}`, `unknown query parameter "x"`},
		{"GET", "/tickets?archived=maybe", "", 200, `{"total":0,"tickets":[]}`, "request:"},
		{"GET", "/tickets?per_page=1000", "", 200, `{"total":0,"tickets":[]}`, "request:"},
		{"GET", "/tickets/search", "", 200, `{"total":0,"tickets":[]}`, "request:"},
		{"GET", "/nothing", "", 200, `{}`, "no such operation"},
		{"GET", "/tickets/7/requester", "", 200, `{}`, "no such operation"},
		{"POST", "/tickets", `{"ticket":{"requester_email":"a@b.c","content":{"text":"x"}}}`, 201, ticket, ""},
		{"POST", "/tickets", `{"ticket":{"content":{"text":"x"}}}`, 201, ticket, "request:"},
		{"POST", "/tickets", `{"ticket":{"requester_email":"a@b.c","content":{"text":"x"},"priority":1}}`, 201, ticket, "request:"},
		{"POST", "/tickets", `{"requester_email":"a@b.c","content":{"text":"x"}}`, 201, ticket, "request:"},
		{"POST", "/tickets/7/comments", `{"comment":{"content":{"attachments":[1]}}}`, 201, `{"comment":{"id":1,"commenter":{"id":1},"content":{}}}`, "request:"},
		{"POST", "/users", `{"user":{"email":"a@b.c","role":"admin"}}`, 201, `{"user":{"id":1}}`, "request:"},
		{"GET", "/reports/tickets_count", "", 200, `{"data_points":[{"value":"1","timestamp":2}]}`, ""},
		{"GET", "/reports/tickets_count", "", 200, `{"data_points":[{"value":true,"timestamp":2}]}`, "response 200"},
	} {
		m := &conformance.Middleman{Description: description(t), Next: canned{tt.status, tt.response}}
		req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://127.0.0.1"+tt.uri, strings.NewReader(tt.body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer x")
		if tt.body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		res, err := m.RoundTrip(req)
		require.NoError(t, err)
		_ = res.Body.Close()
		if tt.want == "" {
			assert.Empty(t, m.Faults(), tt.uri)
			continue
		}
		require.NotEmpty(t, m.Faults(), "%s %s %s %s", tt.method, tt.uri, tt.body, tt.response)
		assert.Contains(t, m.Faults()[0], tt.want)
	}
}

// canned is the same response to every request.
type canned struct {
	status int
	body   string
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: c.status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: io.NopCloser(strings.NewReader(c.body)), Request: req}, nil
}
