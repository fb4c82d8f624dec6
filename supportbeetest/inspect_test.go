package supportbeetest_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestSeedsHaveEachField(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(noon)
	plain := desk.Ticket(desk.AddTicket(supportbeetest.TicketSeed{Text: "Hello"}))
	assert.Equal(t, []any{true, noon, noon, "Hello"}, []any{plain.Unanswered, plain.CreatedAt, plain.LastActivityAt, plain.Content.HTML})

	id := desk.AddTicket(supportbeetest.TicketSeed{
		Text: "Hello", HTML: "<p>Hello</p>", Answered: true, SnoozedUntil: noon.Add(time.Hour),
		CreatedAt: noon.AddDate(0, 0, -2), LastActivityAt: noon.AddDate(0, 0, -1),
	})
	full := desk.Ticket(id)
	assert.Equal(t, []any{false, noon.AddDate(0, 0, -2), noon.AddDate(0, 0, -1), "<p>Hello</p>"},
		[]any{full.Unanswered, full.CreatedAt, full.LastActivityAt, full.Content.HTML})
	assert.Equal(t, []time.Time{noon.Add(time.Hour), {}}, []time.Time{full.SnoozedUntil, plain.SnoozedUntil})

	red, blue := desk.AddLabel("refund", "#FF0000"), desk.AddLabel("wish", "#0000FF")
	assert.NotZero(t, red)
	assert.NotEqual(t, red, blue)
	assert.Equal(t, red, desk.AddLabel("refund", "#CC0000"), "only the color changes")
	assert.Equal(t, []*supportbee.Label{{ID: red, Name: "refund", Color: "#CC0000"}, {ID: blue, Name: "wish", Color: "#0000FF"}}, desk.Labels())
	var other bytes.Buffer
	require.NoError(t, desk.Save(&other))
	require.NoError(t, desk.Load(&other))
	assert.Equal(t, blue, desk.AddLabel("wish", "#0000FF"))
}

func TestTheStateIsWhatClientsGet(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(noon)
	client, ctx := desk.Client(), t.Context()
	agent := desk.User(supportbeetest.AgentEmail)
	file := desk.AddFile("a.txt", "text/plain", []byte("abc"))
	_, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject: "x", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer", CC: []string{"bo@example.com"}, BCC: []string{"cy@example.com"},
		NotifyRequester: true, Content: supportbee.Text("Hello").Attach(file),
	})
	require.NoError(t, err)
	id := desk.AddTicket(supportbeetest.TicketSeed{
		Text: "Hello", AttachmentIDs: []supportbee.AttachmentID{file}, Labels: []string{"bug"}, SnoozedUntil: noon.Add(time.Hour),
		AssignedUserID: agent.ID, AssignedTeamID: desk.Team("Support").ID,
	})
	desk.AddTicket(supportbeetest.TicketSeed{SnoozedUntil: noon.Add(-time.Hour)})
	desk.AddCustomerReply(id, "Hello?", file)
	desk.AddReply(id, agent.ID, "Hi")
	desk.AddComment(id, agent.ID, "internal")
	desk.AddUser(supportbeetest.UserSeed{Type: supportbee.UserTypeCustomerGroup, Name: "Group", MemberIDs: []supportbee.UserID{desk.User("ann@example.com").ID}})
	_, err = client.Drafts.Create(ctx, id, supportbee.DraftParams{Content: supportbee.Text("Dear"), CC: []string{"bo@example.com"}})
	require.NoError(t, err)

	same := func(want, got any, err error) {
		t.Helper()
		require.NoError(t, err)
		assert.Equal(t, plain(t, want), plain(t, got))
	}
	for _, ticket := range desk.Tickets() {
		got, err := client.Tickets.Get(ctx, ticket.ID)
		same(got, ticket, err)
		replies, err := client.Replies.List(ctx, ticket.ID)
		same(replies, desk.Replies(ticket.ID), err)
		comments, err := client.Comments.List(ctx, ticket.ID)
		same(comments, desk.Comments(ticket.ID), err)
		audit, err := client.Tickets.Audit(ctx, ticket.ID)
		same(audit, desk.Audit(ticket.ID), err)
	}
	for _, user := range desk.Users() {
		got, err := client.Users.Get(ctx, user.ID, &supportbee.UserGetOptions{MaxTickets: 1})
		got.Tickets, got.RequestedTicketsCount = nil, user.RequestedTicketsCount // not sent in this dialect
		same(got, user, err)
	}
	labels, err := client.Labels.List(ctx)
	same(labels, desk.Labels(), err)
	snippets, err := client.Snippets.List(ctx)
	same(snippets, desk.Snippets(), err)
	addresses, err := client.ForwardingAddresses.List(ctx)
	same(addresses, desk.ForwardingAddresses(), err)
}

// plain returns a value of the client as plain JSON, without empty members, and without those that
// reading the state leaves out.
func plain(t *testing.T, value any) any {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	var decoded any
	require.NoError(t, json.Unmarshal(data, &decoded))
	var prune func(value any) any
	prune = func(value any) any {
		switch value := value.(type) {
		case map[string]any:
			for _, name := range []string{"picture", "customer_rating"} {
				delete(value, name)
			}
			for name, member := range value {
				if value[name] = prune(member); value[name] == nil {
					delete(value, name)
				}
				if url, isObject := member.(map[string]any); isObject && name == "url" && url["original"] != nil {
					delete(value, name) // of an attachment
				}
			}
		case []any:
			if len(value) == 0 {
				return nil
			}
			for i, element := range value {
				value[i] = prune(element)
			}
		}
		return value
	}
	return prune(decoded)
}

func TestSnippetsFiltersAndUsersAreAdded(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(noon)
	snippet := desk.AddSnippet(supportbee.SnippetParams{Name: "Hi", Tags: "a, b", Content: supportbee.Text("Hello")})
	assert.Equal(t, []*supportbee.Snippet{
		{ID: snippet, CreatedAt: noon, Name: "Hi", Tags: "a, b", Content: supportbee.Content{Text: "Hello", HTML: "Hello"}},
	}, desk.Snippets())

	agent := desk.AddUser(supportbeetest.UserSeed{Email: "kim@acme.example", Role: supportbee.RoleAgent, Invited: true})
	customer := desk.AddUser(supportbeetest.UserSeed{Email: "ann@example.com"})
	group := desk.AddUser(supportbeetest.UserSeed{Type: supportbee.UserTypeCustomerGroup, Name: "Group", MemberIDs: []supportbee.UserID{customer}})
	members, err := desk.Client().Users.Members(t.Context(), group)
	require.NoError(t, err)
	require.Len(t, members, 1)
	assert.Equal(t, customer, members[0].ID)
	users, err := desk.Client().Users.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, users, 1, "the admin; the agent is invited")

	team := desk.AddTeam("Support", agent)
	desk.AddLabel("bug", "#FF0000")
	rule := supportbee.RuleParams{RequesterEmail: "ann@", DeliveredTo: "help@", Subject: "a", Body: "b"}
	consequence := supportbee.ConsequenceParams{Archive: true, Spam: true, Trash: true, Label: "bug", AssignUserID: agent, AssignTeamID: team}
	assert.Empty(t, desk.Filters())
	filter := desk.AddFilter(rule, consequence)
	assert.Equal(t, []supportbeetest.Filter{{ID: filter, Rule: rule, Consequence: consequence}}, desk.Filters())
	assert.PanicsWithValue(t, `supportbeetest: AddFilter: there is no label "x"; AddLabel adds it`, func() {
		desk.AddFilter(rule, supportbee.ConsequenceParams{Label: "x"})
	})
	assert.PanicsWithValue(t, "supportbeetest: AddFilter: there is no user 1", func() {
		desk.AddFilter(rule, supportbee.ConsequenceParams{AssignUserID: 1})
	})
	assert.PanicsWithValue(t, "supportbeetest: AddFilter: there is no team 1", func() {
		desk.AddFilter(rule, supportbee.ConsequenceParams{AssignTeamID: 1})
	})
	assert.PanicsWithValue(t, "supportbeetest: AddUser: there is no user 1", func() {
		desk.AddUser(supportbeetest.UserSeed{MemberIDs: []supportbee.UserID{1}})
	})
}

func TestAKnownUserIsChanged(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	support, billing := *desk.Team("Support"), *desk.Team("Billing")
	kept := desk.User(supportbeetest.AgentEmail)
	for _, test := range []struct {
		name  string
		ids   []supportbee.TeamID
		want  string
		teams []supportbee.Team
	}{
		{want: "Ben Bauer", teams: []supportbee.Team{support}},
		{name: "Ben Berg", ids: []supportbee.TeamID{billing.ID}, want: "Ben Berg", teams: []supportbee.Team{billing}},
		{ids: []supportbee.TeamID{billing.ID, support.ID, support.ID}, want: "Ben Berg", teams: []supportbee.Team{support, billing}},
		{ids: []supportbee.TeamID{}, want: "Ben Berg"},
	} {
		assert.Equal(t, kept.ID, desk.AddUser(supportbeetest.UserSeed{Email: supportbeetest.AgentEmail, Name: test.name, Role: supportbee.RoleAgent, TeamIDs: test.ids}))
		got := desk.User(supportbeetest.AgentEmail)
		assert.Equal(t, test.want, got.Name)
		assert.Equal(t, test.teams, got.Teams)
	}
	customer := desk.User(supportbeetest.CustomerEmail)
	group := desk.AddUser(supportbeetest.UserSeed{Type: supportbee.UserTypeCustomerGroup, Name: "Group", MemberIDs: []supportbee.UserID{customer.ID, customer.ID}})
	assert.Len(t, desk.Members(group), 1)
}

func TestTheStateIsReadWithoutRequests(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(noon)
	desk.Reset()
	client, ctx := desk.Client(), t.Context()
	id := desk.AddTicket(supportbeetest.TicketSeed{Text: "Hello"})
	assert.Nil(t, desk.Draft(id))
	_, err := client.Drafts.Create(ctx, id, supportbee.DraftParams{Content: supportbee.Text("Dear"), CC: []string{"bo@example.com"}})
	require.NoError(t, err)
	require.NoError(t, client.Tickets.Archive(ctx, id))
	desk.ClearHistory()

	draft := desk.Draft(id)
	assert.NotZero(t, draft.ID)
	assert.Equal(t, []any{"Dear", "bo@example.com", supportbeetest.AdminEmail, noon},
		[]any{draft.Content.Text, draft.CC[0].Email, draft.LastSavedBy.Email, draft.LastSavedAt})
	assert.Equal(t, []*supportbee.AuditEntry{
		{Action: "Created", Actor: &supportbee.AuditActor{Name: "Eve Evans", Email: supportbeetest.CustomerEmail}, URL: "#ticket", Severity: "info", HappenedAt: noon},
		{Action: "Archived", Actor: &supportbee.AuditActor{Name: "Ada Adams", Email: supportbeetest.AdminEmail}, URL: "#ticket", Severity: "info", HappenedAt: noon},
	}, desk.Audit(id))

	ben := desk.User("BEN@acme.example")
	assert.Equal(t, &supportbee.User{Person: supportbee.Person{
		ID: ben.ID, Type: supportbee.UserTypeUser, Email: supportbeetest.AgentEmail, Name: "Ben Bauer", FirstName: "Ben", LastName: "Bauer",
		Role: supportbee.RoleAgent, Agent: true,
	}, Teams: []supportbee.Team{*desk.Team("Support")}}, ben)
	eve := desk.User(supportbeetest.CustomerEmail)
	assert.Equal(t, []int{6, 4}, []int{eve.RequestedTicketsCount, eve.ActiveTicketsCount}, "one is spam, one archived")
	users := desk.Users()
	assert.Len(t, users, 9, "bo is new")
	group := users[7]
	assert.Equal(t, []any{supportbee.UserTypeCustomerGroup, "Example Ltd", 1, []string{"example.com"}},
		[]any{group.Type, group.Name, group.MembersCount, group.EmailDomains})
	assert.Equal(t, []*supportbee.User{eve}, desk.Members(group.ID))
	assert.Equal(t, "Thanks", desk.Snippets()[0].Name)
	assert.Len(t, desk.Snippets(), 2)
	assert.Equal(t, "help@acme.example", desk.ForwardingAddresses()[0].Email)
	assert.Equal(t, []byte{}, desk.File(desk.AddFile("empty", "text/plain", nil)))

	for name, value := range map[string]bool{
		"draft": desk.Draft(1) == nil, "audit": desk.Audit(1) == nil, "members": desk.Members(1) == nil,
		"members of a user": desk.Members(eve.ID) == nil, "user without an address": desk.User("") == nil,
	} {
		assert.True(t, value, name)
	}
	desk.AssertRequests(t, "Drafts.Get", 0)
	assert.Empty(t, desk.Requests())
}
