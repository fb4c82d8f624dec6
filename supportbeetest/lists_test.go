package supportbeetest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// noon is when the tests of lists happen.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// listDesk is a desk whose tickets differ in everything that a list can select by.
func listDesk(t *testing.T, opts ...supportbeetest.Option) *supportbeetest.Desk {
	t.Helper()
	desk := supportbeetest.New(t, append(opts, supportbeetest.WithoutSeed())...)
	desk.Clock.Set(noon)
	admin := desk.User(supportbeetest.AdminEmail)
	ben := desk.AddUser(supportbeetest.UserSeed{Email: "ben@acme.example", Name: "Ben Bauer", Role: supportbee.RoleAgent})
	support := desk.AddTeam("Support", admin.ID, ben)
	billing := desk.AddTeam("Billing", ben)
	desk.AddLabel("bug", "#FF0000")
	add := func(days int, seed supportbeetest.TicketSeed) supportbee.TicketID {
		seed.CreatedAt = noon.AddDate(0, 0, -days)
		return desk.AddTicket(seed)
	}
	add(9, supportbeetest.TicketSeed{Subject: "plain", Text: "first", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer"})
	add(8, supportbeetest.TicketSeed{Subject: "archived", Archived: true, RequesterEmail: "bo@example.com"})
	add(7, supportbeetest.TicketSeed{Subject: "spam", Spam: true, Text: "prize"})
	add(6, supportbeetest.TicketSeed{Subject: "trash", Trash: true, Text: "prize"})
	add(5, supportbeetest.TicketSeed{Subject: "mine", AssignedUserID: admin.ID, AssignedTeamID: support, Labels: []string{"bug"}, RequesterEmail: "bo@example.com"})
	add(4, supportbeetest.TicketSeed{Subject: "bens", AssignedUserID: ben, AssignedTeamID: billing, Text: "prize"})
	replied := add(3, supportbeetest.TicketSeed{Subject: "replied", RequesterEmail: "ann@example.com"})
	chatty := add(2, supportbeetest.TicketSeed{Subject: "chatty"})
	desk.Clock.Set(noon.Add(-time.Hour))
	desk.AddCustomerReply(chatty, "one")
	desk.AddCustomerReply(chatty, "two: gold")
	desk.Clock.Set(noon)
	desk.AddCustomerReply(replied, "only")
	return desk
}

func TestListsSelectAndCombine(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		desk := listDesk(t, supportbeetest.WithDialect(dialect))
		ben := desk.User("ben@acme.example")
		billing := desk.Team("Billing")
		for query, want := range map[string]string{
			"":                                       "replied chatty bens mine plain",
			"archived=true":                          "archived",
			"archived=any":                           "replied chatty bens mine archived plain",
			"archived=false":                         "replied chatty bens mine plain",
			"spam=true":                              "replied chatty bens mine spam plain",
			"trash=true":                             "replied chatty bens mine trash plain",
			"spam=true&trash=true&archived=any":      "replied chatty bens mine trash spam archived plain",
			"replies=true":                           "replied chatty",
			"replies=false":                          "bens mine plain",
			"max_replies=1":                          "replied bens mine plain",
			"replies=true&max_replies=1":             "replied",
			"assigned_user=me":                       "mine",
			"assigned_user=any":                      "bens mine",
			"assigned_user=none":                     "replied chatty plain",
			fmt.Sprint("assigned_user=", ben.ID):     "bens",
			"assigned_team=mine":                     "mine",
			"assigned_team=none":                     "replied chatty plain",
			fmt.Sprint("assigned_team=", billing.ID): "bens",
			"assigned_user=any&label=bug":            "mine",
			"label=bug":                              "mine",
			"label=none":                             "",
			"requester_emails=ann@example.com":       "replied plain",
			"requester_emails=ann@example.com,BO@example.com&archived=any": "replied mine archived plain",
			"sort_by=creation_time":                                 "chatty replied bens mine plain",
			"sort_by=last_activity":                                 "replied chatty bens mine plain",
			"since=2026-03-09T00:00:00Z":                            "replied chatty",
			"since=2026-03-08&sort_by=creation_time":                "chatty",
			"until=2026-03-07T12:00:00Z":                            "bens mine plain",
			"until=2026-03-07T12:00:00Z&sort_by=creation_time":      "replied bens mine plain",
			"since=2026-03-05T12:00:00Z&until=2026-03-06T12:00:00Z": "bens mine",
			"since=2026-03-05T12:00:00%2B00:00":                     "replied chatty bens mine",
			"since=20260305T130000%2B0100":                          "replied chatty bens mine",
			"since=5th+Mar+2026+12:00:00+PM":                        "replied chatty bens mine",
			"since=20260306":                                        "replied chatty bens",
			"since=1772884800":                                      "replied chatty",
			"per_page=2":                                            "replied chatty",
			"per_page=2&page=2":                                     "bens mine",
			"per_page=2&page=3":                                     "plain",
			"per_page=2&page=4":                                     "",
		} {
			var page supportbee.TicketPage
			require.NoError(t, desk.Client().Do(t.Context(), http.MethodGet, "/tickets?"+query, nil, &page), query)
			assert.Equal(t, want, subjects(page.Tickets), "%s: %s", dialect, query)
		}
		for query, want := range map[string]string{
			"first": "plain", "ARCHER": "replied plain", "bo@example": "mine archived", "gold": "chatty", "prize": "bens",
			"prize&spam=true": "bens spam", "prize&trash=true": "bens trash", "archived": "archived", "nothing": "",
		} {
			var page supportbee.TicketPage
			require.NoError(t, desk.Client().Do(t.Context(), http.MethodGet, "/tickets/search?query="+query, nil, &page), query)
			assert.Equal(t, want, subjects(page.Tickets), "%s: search %s", dialect, query)
		}
	}
}

func subjects(tickets []*supportbee.Ticket) string {
	var list []string
	for _, ticket := range tickets {
		list = append(list, ticket.Subject)
	}
	return strings.Join(list, " ")
}

func TestPagesTellTheirTotals(t *testing.T) {
	t.Parallel()
	desk := listDesk(t)
	var raw map[string]any
	client := desk.Client()
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/tickets?per_page=2&page=2", nil, &raw))
	delete(raw, "tickets")
	assert.Equal(t, map[string]any{"total": 5.0, "current_page": 2.0, "per_page": 2.0, "total_pages": 3.0}, raw)
	for page, subjects := range map[string]int{"1": 3, "2": 3, "3": 2, "4": 0} { // of all that there are, which are not looked at
		raw = nil
		require.NoError(t, client.Do(t.Context(), http.MethodGet, "/tickets?per_page=3&archived=any&spam=true&trash=true&page="+page, nil, &raw))
		assert.Len(t, raw["tickets"], subjects, page)
		assert.Equal(t, []any{8.0, 3.0}, []any{raw["total"], raw["total_pages"]}, page)
	}
	raw = nil
	require.NoError(t, client.Do(t.Context(), http.MethodGet, "/tickets?archived=any&total_only=true", nil, &raw))
	assert.Equal(t, map[string]any{"total": 6.0}, raw)
	n, err := client.Tickets.Count(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny})
	require.NoError(t, err)
	assert.Equal(t, 6, n)
	raw = nil
	lenient := supportbeetest.New(t, supportbeetest.WithLenient())
	assert.Equal(t, 100.0, send(t, lenient, "GET", "/tickets?per_page=1000", "").at(t, "per_page"))
}

func TestMalformedTimesAreServerErrors(t *testing.T) {
	t.Parallel()
	client := listDesk(t).Client(supportbee.WithoutRetry())
	for _, path := range []string{"/tickets?since=", "/tickets?until=", "/reports/tickets_count?since="} {
		for _, text := range []string{"yesterday", "2026-13-01", "12", "2026-03-01T25:00:00Z"} {
			err := client.Do(t.Context(), http.MethodGet, path+url.QueryEscape(text), nil, nil)
			require.ErrorIs(t, err, supportbee.ErrServer, path+text)
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr)
			assert.NotEmpty(t, apiErr.Message)
		}
	}
}

func TestPagesShiftWhileTicketsChange(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.AddTickets(60)
	client := desk.Client(supportbee.WithPrefetch(0))
	seen := map[supportbee.TicketID]int{}
	for ticket, err := range client.Tickets.All(t.Context(), &supportbee.TicketListOptions{PerPage: 10, Archived: supportbee.ArchivedAny}) {
		if errors.Is(err, supportbee.ErrIncomplete) { // the iterator does not go back for the new tickets
			break
		}
		require.NoError(t, err)
		seen[ticket.ID]++
		if len(seen)%10 == 5 {
			desk.AddTicket(supportbeetest.TicketSeed{Subject: "new on top"})
		}
	}
	for id, times := range seen {
		assert.Equal(t, 1, times, id)
	}
	assert.GreaterOrEqual(t, len(seen), 60)
}

func TestReportsComeFromTheDesksHistory(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(noon)
	client := desk.Client()
	admin := desk.User(supportbeetest.AdminEmail)
	desk.AddLabel("bug", "#FF0000")
	team := desk.AddTeam("Support", admin.ID)
	reply := func(id supportbee.TicketID) {
		_, err := client.Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("x")})
		require.NoError(t, err)
	}
	first := desk.AddTicket(supportbeetest.TicketSeed{Labels: []string{"bug"}})
	desk.AddTicket(supportbeetest.TicketSeed{AssignedTeamID: team, AssignedUserID: admin.ID})
	desk.Clock.Advance(10 * time.Minute)
	reply(first)
	desk.AddCustomerReply(first, "not an agent's")
	reply(first)
	desk.Clock.Set(noon.Add(10*time.Minute).AddDate(0, 0, 1))
	second := desk.AddTicket(supportbeetest.TicketSeed{})
	desk.Clock.Advance(time.Minute)
	reply(second)

	day := func(n int, value float64) *supportbee.DataPoint {
		return &supportbee.DataPoint{Value: value, Time: time.Date(2026, 3, 10+n, 0, 0, 0, 0, time.UTC)}
	}
	type report = func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error)
	r := client.Reports
	for i, tt := range []struct {
		report report
		opts   *supportbee.ReportOptions
		want   []*supportbee.DataPoint
	}{
		{r.TicketsCount, nil, []*supportbee.DataPoint{day(0, 2), day(1, 1)}},
		{r.TicketsCount, &supportbee.ReportOptions{Label: "bug"}, []*supportbee.DataPoint{day(0, 1)}},
		{r.TicketsCount, &supportbee.ReportOptions{TeamID: team}, []*supportbee.DataPoint{day(0, 1)}},
		{r.TicketsCount, &supportbee.ReportOptions{UserID: admin.ID}, []*supportbee.DataPoint{day(0, 1)}},
		{r.TicketsCount, &supportbee.ReportOptions{Since: noon.AddDate(0, 0, 1)}, []*supportbee.DataPoint{day(1, 1)}},
		{r.RepliesCount, nil, []*supportbee.DataPoint{day(0, 2), day(1, 1)}},
		{r.RepliesCount, &supportbee.ReportOptions{UserID: 1}, []*supportbee.DataPoint{}},
		{r.AvgFirstResponseTime, nil, []*supportbee.DataPoint{day(0, 600), day(1, 60)}},
	} {
		got, err := tt.report(t.Context(), tt.opts)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, i)
	}
}

func TestValidationAnswersInTheVendorsWay(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client(supportbee.WithoutRetry())
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	many := slices.Repeat([]string{"a@example.com"}, 26)
	for i, tt := range []struct {
		method, path string
		body         any
		message      string
	}{
		{"POST", "/tickets", map[string]any{"ticket": map[string]any{"content": map[string]any{"text": "x"}}}, "Validation failed: Requester can't be blank, Requester email can't be blank"},
		{"POST", "/tickets", map[string]any{"ticket": map[string]any{"requester_email": "a@example.com"}}, "Validation failed: Content can't be blank"},
		{"POST", "/tickets", map[string]any{"ticket": map[string]any{"requester_email": "a@example.com", "cc": many, "content": map[string]any{"text": "x"}}}, "Validation failed: Cc is too long (maximum is 25)"},
		{"POST", "/tickets", map[string]any{}, "Validation failed: ticket is missing"},
		{"POST", fmt.Sprintf("/tickets/%d/replies", id), map[string]any{"reply": map[string]any{"content": map[string]any{"text": "x", "attachment_ids": []int{1}}}}, "Validation failed: Attachment 1 is unknown"},
		{"POST", fmt.Sprintf("/tickets/%d/comments", id), map[string]any{"comment": map[string]any{}}, "Validation failed: Content can't be blank"},
		{"POST", "/users", map[string]any{"user": map[string]any{"email": "a@example.com", "role": 11}}, "Validation failed: Role is not included in the list"},
		{"POST", "/users", map[string]any{"user": map[string]any{"name": "x"}}, "Validation failed: Email can't be blank"},
		{"POST", "/snippets", map[string]any{"snippet": map[string]any{"content": map[string]any{"text": "x"}}}, "Validation failed: Name can't be blank"},
		{"POST", "/rules", map[string]any{"rule": map[string]any{}}, "Validation failed: Rule needs at least one condition"},
		{"POST", "/consequences", map[string]any{"consequence": map[string]any{"label": "unknown"}}, "Validation failed: Label does not exist"},
		{"POST", "/filters", map[string]any{"rule_id": "x"}, "Validation failed: Rule can't be blank, Consequence can't be blank"},
		{"GET", "/tickets/search", nil, "Validation failed: Query can't be blank"},
	} {
		err := client.Do(t.Context(), tt.method, tt.path, tt.body, nil)
		require.ErrorIs(t, err, supportbee.ErrValidation, i)
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		assert.Equal(t, tt.message, apiErr.Message)
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	shared := desk.AddTicket(supportbeetest.TicketSeed{Subject: "shared"})
	before := len(desk.Tickets())
	const clients, rounds = 64, 5
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			client := desk.Client()
			for i := range rounds {
				ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
					Subject: fmt.Sprintf("%d/%d", n, i), RequesterEmail: fmt.Sprintf("c%d@example.com", n), Content: supportbee.Text("x"),
				})
				if !assert.NoError(t, err) {
					return
				}
				_, err = client.Replies.Create(t.Context(), shared, supportbee.ReplyParams{Content: supportbee.Text(ticket.Subject)})
				assert.NoError(t, err)
				_, err = client.Comments.Create(t.Context(), ticket.ID, supportbee.CommentParams{Content: supportbee.Text("x")})
				assert.NoError(t, err)
				_, err = client.Labels.Add(t.Context(), ticket.ID, "bug")
				assert.NoError(t, err)
				assert.NoError(t, client.Tickets.Archive(t.Context(), ticket.ID))
				_, err = client.Tickets.List(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, PerPage: 20})
				assert.NoError(t, err)
				_, err = client.Tickets.Get(t.Context(), shared)
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
	ticket := desk.Ticket(shared)
	assert.Equal(t, clients*rounds, ticket.RepliesCount)
	assert.Equal(t, clients*rounds, ticket.AgentRepliesCount)
	assert.Len(t, desk.Tickets(), before+clients*rounds)
	n, err := desk.Client().Tickets.Count(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedOnly, Label: "bug"})
	require.NoError(t, err)
	assert.Equal(t, clients*rounds, n)
	assert.Len(t, desk.Requests(), clients*rounds*7+1)
}

func TestATicketOfTheFirstSecondOf1970HasItsTime(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	id := desk.AddTicket(supportbeetest.TicketSeed{CreatedAt: time.Unix(0, 0)})
	ticket, err := desk.Client().Tickets.Get(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, time.Unix(0, 0).UTC(), ticket.CreatedAt)
}
