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
	var saved bytes.Buffer
	require.NoError(t, desk.Save(&saved))
	var state struct {
		Tickets map[supportbee.TicketID]struct {
			SnoozedUntil time.Time `json:"snoozed_until"`
		} `json:"tickets"`
	}
	require.NoError(t, json.Unmarshal(saved.Bytes(), &state))
	assert.Equal(t, noon.Add(time.Hour), state.Tickets[id].SnoozedUntil)
	assert.Zero(t, state.Tickets[plain.ID].SnoozedUntil)

	red, blue := desk.AddLabel("refund", "#FF0000"), desk.AddLabel("wish", "#0000FF")
	assert.NotZero(t, red)
	assert.NotEqual(t, red, blue)
	assert.Equal(t, red, desk.AddLabel("refund", "#CC0000"), "only the color changes")
	assert.Equal(t, []*supportbee.Label{{Name: "refund", Color: "#CC0000"}, {Name: "wish", Color: "#0000FF"}}, desk.Labels())
	var other bytes.Buffer
	require.NoError(t, desk.Save(&other))
	require.NoError(t, desk.Load(&other))
	assert.Equal(t, blue, desk.AddLabel("wish", "#0000FF"))
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
	assert.Equal(t, &supportbee.User{
		ID: ben.ID, Type: supportbee.UserTypeUser, Email: supportbeetest.AgentEmail, Name: "Ben Bauer", FirstName: "Ben", LastName: "Bauer",
		Role: supportbee.RoleAgent, Agent: true, Teams: []*supportbee.Team{desk.Team("Support")},
	}, ben)
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
