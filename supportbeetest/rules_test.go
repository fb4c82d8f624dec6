package supportbeetest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestReportsKnowThatACustomerBecameAnAgent(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(noon)
	client := desk.Client()
	id := desk.AddTicket(supportbeetest.TicketSeed{Text: "Hello", Trash: true})
	desk.AddCustomerReply(id, "Hello?")
	author := desk.User(supportbeetest.CustomerEmail).ID
	replies := func() []*supportbee.DataPoint {
		points, err := client.Reports.RepliesCount(t.Context(), &supportbee.ReportOptions{UserID: author})
		require.NoError(t, err)
		return points
	}
	assert.Empty(t, replies())
	_, err := client.Users.Update(t.Context(), author, supportbee.UserUpdateParams{Role: supportbee.RoleAgent})
	require.NoError(t, err)
	assert.Equal(t, []*supportbee.DataPoint{{Time: noon.Truncate(24 * time.Hour), Value: 1}}, replies())
	require.NoError(t, client.Tickets.Delete(t.Context(), id))
	assert.Empty(t, replies())
}

func TestUsersRules(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	agent := desk.User(supportbeetest.AgentEmail)
	customer := desk.User(supportbeetest.CustomerEmail)
	for i, tt := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"POST", "/users", `{"user":{"email":"BEN@acme.example"}}`, 400, "Validation failed: Email has already been taken"},
		{"POST", "/users", `{"user":{"email":"nobody"}}`, 400, "Validation failed: Email is invalid"},
		{"POST", "/users", `{"user":{"email":"n@acme.example","team_ids":[1]}}`, 400, "Validation failed: Team 1 is unknown"},
		{"POST", "/users", `{"user":{"type":"customer_group"}}`, 400, "Validation failed: Name can't be blank"},
		{"PUT", fmt.Sprintf("/users/%d", agent.ID), `{"user":{"email":"cleo@acme.example"}}`, 400, "Validation failed: Email has already been taken"},
		{"PUT", fmt.Sprintf("/users/%d", agent.ID), `{"user":{"role":7}}`, 400, "Validation failed: Role is not included in the list"},
		{"PUT", "/users/1", `{"user":{}}`, 404, "Couldn't find User with id=1"},
		{"GET", "/users/1", "", 404, "Couldn't find User with id=1"},
		{"GET", fmt.Sprintf("/users/%d/members", agent.ID), "", 404, fmt.Sprintf("Couldn't find CustomerGroup with id=%d", agent.ID)},
		{"POST", fmt.Sprintf("/users/%d/members", agent.ID), `{"member":{"id":1}}`, 404, fmt.Sprintf("Couldn't find CustomerGroup with id=%d", agent.ID)},
		{"PUT", "/snippets/1", `{"snippet":{}}`, 404, "Couldn't find Snippet with id=1"},
		{"POST", "/emails", `{"forwarding_address":{"name":"x"}}`, 400, "Validation failed: Email can't be blank"},
	} {
		got := send(t, desk, tt.method, tt.path, tt.body)
		assert.Equal(t, tt.status, got.StatusCode, i)
		assert.Equal(t, tt.message, got.at(t, "error"), i)
	}

	client := desk.Client()
	group, err := client.Users.Create(t.Context(), supportbee.UserParams{Type: supportbee.UserTypeCustomerGroup, Name: "Net Ltd", EmailDomains: []string{"example.net"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"example.net"}, group.EmailDomains)
	_, err = client.Users.AddMember(t.Context(), group.ID, supportbee.MemberParams{UserID: 1})
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	for range 2 {
		_, err = client.Users.AddMember(t.Context(), group.ID, supportbee.MemberParams{UserID: customer.ID})
		require.NoError(t, err)
	}
	members, err := client.Users.Members(t.Context(), group.ID)
	require.NoError(t, err)
	assert.Len(t, members, 1)

	promoted, err := client.Users.Create(t.Context(), supportbee.UserParams{Email: supportbeetest.CustomerEmail, Role: supportbee.RoleAgent})
	require.NoError(t, err)
	assert.Equal(t, customer.ID, promoted.ID, "a customer becomes an agent")
	assert.Equal(t, customer.Name, promoted.Name)
	moved, err := client.Users.Update(t.Context(), promoted.ID, supportbee.UserUpdateParams{Email: new("eve@acme.example")})
	require.NoError(t, err)
	assert.Equal(t, "eve@acme.example", moved.Email)
	assert.Equal(t, customer.Name, moved.Name, "only the given fields change")
	assert.Nil(t, desk.User(supportbeetest.CustomerEmail))

	all := send(t, desk, "GET", fmt.Sprintf("/users/%d?max_tickets=false", moved.ID), "")
	tickets, _ := all.at(t, "user.tickets").([]any)
	assert.Len(t, tickets, 5)
	assert.Equal(t, 4.0, all.at(t, "user.active_tickets_count"), "one is spam")
}

func TestFiltersTakeTicketsThatComeLater(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client()
	agent := desk.User(supportbeetest.AgentEmail)
	team := desk.Team("Support")
	before := desk.AddTicket(supportbeetest.TicketSeed{Subject: "newsletter"})
	for _, f := range []struct {
		rule supportbee.RuleParams
		does supportbee.ConsequenceParams
	}{
		{supportbee.RuleParams{Subject: "newsletter"}, supportbee.ConsequenceParams{Archive: true}},
		{supportbee.RuleParams{Body: "LOTTERY", RequesterEmail: "@example.net"}, supportbee.ConsequenceParams{Spam: true}},
		{supportbee.RuleParams{RequesterEmail: "robot@"}, supportbee.ConsequenceParams{Trash: true}},
		{supportbee.RuleParams{DeliveredTo: "help@", Subject: "bug"}, supportbee.ConsequenceParams{Label: "bug", AssignTeamID: team.ID, AssignUserID: agent.ID}},
		{supportbee.RuleParams{DeliveredTo: "sales@"}, supportbee.ConsequenceParams{Label: "wish"}},
	} {
		desk.AddFilter(f.rule, f.does)
	}
	address, err := client.ForwardingAddresses.Create(t.Context(), supportbee.ForwardingAddressParams{Email: "sales@acme.example", Name: "Sales"})
	require.NoError(t, err)

	state := desk.Ticket
	assert.False(t, state(before).Archived)
	assert.True(t, state(desk.AddTicket(supportbeetest.TicketSeed{Subject: "Our Newsletter"})).Archived)
	assert.True(t, state(desk.AddTicket(supportbeetest.TicketSeed{Text: "lottery", RequesterEmail: "x@example.net"})).Spam)
	assert.False(t, state(desk.AddTicket(supportbeetest.TicketSeed{Text: "lottery", RequesterEmail: "x@example.com"})).Spam, "both conditions count")
	assert.True(t, state(desk.AddTicket(supportbeetest.TicketSeed{RequesterEmail: "robot@example.com"})).Trash)
	sorted := state(desk.AddTicket(supportbeetest.TicketSeed{Subject: "A bug"}))
	assert.Equal(t, []supportbee.Label{{Name: "bug", Color: "#CC3333"}}, sorted.Labels)
	assert.Equal(t, team.ID, sorted.AssignedTeam.ID)
	assert.Equal(t, agent.ID, sorted.AssignedUser.ID)

	sold, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
		Subject: "x", RequesterEmail: "ann@example.com", Content: supportbee.Text("x"), ForwardingAddressID: address.ID,
	})
	require.NoError(t, err)
	assert.Equal(t, "sales@acme.example", sold.Source.Address)
	assert.Equal(t, "wish", sold.Labels[0].Name)

	rule := send(t, desk, "POST", "/rules", `{"rule":{"subject":"x"}}`)
	assert.Regexp(t, `^\d+_\d{14}$`, rule.at(t, "rule.id"))
	does := send(t, desk, "POST", "/consequences", `{"consequence":{"archive":true}}`)
	older := send(t, desk, "POST", "/filters", fmt.Sprintf(`{"filter":{"rule_id":%q,"consequence_id":%q}}`, rule.at(t, "rule.id"), does.at(t, "consequence.id")))
	assert.Equal(t, http.StatusCreated, older.StatusCode)
	assert.NotEmpty(t, older.at(t, "id"))
	for _, body := range []string{`{"label":"none"}`, `{"assign_user":"1"}`, `{"assign_team":"x"}`, `{}`} {
		assert.Equal(t, http.StatusBadRequest, send(t, desk, "POST", "/consequences", `{"consequence":`+body+`}`).StatusCode, body)
	}
}

func TestUnansweredFollowsTheConversation(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(noon)
	agent := desk.User(supportbeetest.AgentEmail)
	id := desk.AddTicket(supportbeetest.TicketSeed{Text: "hello"})
	state := func() (unanswered bool, replies, byAgents int, last time.Time) {
		ticket := desk.Ticket(id)
		return ticket.Unanswered, ticket.RepliesCount, ticket.AgentRepliesCount, ticket.LastActivityAt
	}
	check := func(unanswered bool, replies, byAgents int) {
		t.Helper()
		u, r, a, last := state()
		assert.Equal(t, []any{unanswered, replies, byAgents, desk.Clock.Now()}, []any{u, r, a, last})
	}
	check(true, 0, 0)
	desk.Clock.Advance(time.Minute)
	desk.AddReply(id, agent.ID, "hi")
	check(false, 1, 1)
	desk.Clock.Advance(time.Minute)
	desk.AddCustomerReply(id, "thanks")
	check(true, 2, 1)
	desk.Clock.Advance(time.Minute)
	desk.AddComment(id, agent.ID, "nice")
	check(true, 2, 1)
}

func TestDraftsQuoteTheLastMessageInTheZone(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(noon)
	id := desk.AddTicket(supportbeetest.TicketSeed{Text: "one\ntwo", RequesterEmail: "nameless@example.com"})
	path := fmt.Sprintf("/tickets/%d/draft", id)
	got := send(t, desk, "GET", path, "")
	assert.Equal(t, "\n\nOn Tue, 10 Mar 2026 at 12:00 UTC, nameless@example.com wrote:\n> one\n> two", got.at(t, "draft.content.text"))
	assert.Nil(t, got.at(t, "draft.id"))
	assert.Nil(t, got.at(t, "draft.last_saved_by"))
	assert.Contains(t, send(t, desk, "GET", path+"?time_zone=America/New_York", "").at(t, "draft.content.text"), "On Tue, 10 Mar 2026 at 08:00 EDT")
	assert.Equal(t, http.StatusBadRequest, send(t, desk, "GET", path+"?time_zone=Nowhere", "").StatusCode)

	saved := send(t, desk, "POST", path, `{"draft":{"content":{"text":"Dear"},"cc":"a@example.com, B <b@example.com>","bcc":""}}`)
	assert.Equal(t, http.StatusCreated, saved.StatusCode)
	assert.Equal(t, "b@example.com", saved.at(t, "draft.cc.1.email"))
	assert.Equal(t, []any{}, saved.at(t, "draft.bcc"))
	assert.Equal(t, supportbeetest.AdminEmail, saved.at(t, "draft.last_saved_by.email"))
	assert.Equal(t, "2026-03-10T12:00:00Z", saved.at(t, "draft.last_saved_at"))
	assert.Equal(t, http.StatusBadRequest, send(t, desk, "PUT", path, `{"draft":{"content":{"text":"x"},"cc":"nobody"}}`).StatusCode)
	kept := send(t, desk, "PUT", path, `{"draft":{"content":{"text":"Dear Ann"}}}`)
	assert.Equal(t, http.StatusOK, kept.StatusCode)
	assert.Equal(t, "a@example.com", kept.at(t, "draft.cc.0.email"), "what is not sent stays")
}

// Star and requester are on record without having methods: they show the escape hatch.
func TestTheEscapeHatchReachesWhatHasNoMethod(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client()
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	path := fmt.Sprintf("/tickets/%d", id)
	var star struct {
		Star struct{ ID int64 }
	}
	require.NoError(t, client.Do(t.Context(), http.MethodPost, path+"/star", nil, &star))
	ticket := desk.Ticket(id)
	assert.True(t, ticket.Starred)
	require.NoError(t, client.Do(t.Context(), http.MethodDelete, path+"/star", nil, nil))
	ticket = desk.Ticket(id)
	assert.False(t, ticket.Starred)
	body := map[string]any{"requester": map[string]any{"email": "else@example.com"}}
	require.NoError(t, client.Do(t.Context(), http.MethodPut, path+"/requester", body, nil))
	ticket = desk.Ticket(id)
	assert.Equal(t, "else@example.com", ticket.Requester.Email)
	err := client.Do(t.Context(), http.MethodPut, path+"/requester", map[string]any{"requester": map[string]any{}}, nil)
	require.ErrorIs(t, err, supportbee.ErrValidation)
}

func TestSeedsAreTheDesksOwn(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	agent := desk.User(supportbeetest.AgentEmail)
	data := []byte("photo")
	file := desk.AddFile("leak.jpg", "image/jpeg", data)
	data[0] = 'X'
	labels := []string{"bug", "refund"}
	a := desk.AddTicket(supportbeetest.TicketSeed{Labels: labels})
	b := desk.AddTicket(supportbeetest.TicketSeed{Labels: labels})
	require.NoError(t, desk.Client().Labels.Remove(t.Context(), a, "bug"))
	assert.Equal(t, []string{"bug", "refund"}, labels, "the caller's slice")
	desk.AssertLabels(t, b, "refund", "bug")

	reply := desk.AddCustomerReply(a, "See the photo.", file)
	got, err := desk.Client().Replies.Get(t.Context(), a, reply)
	require.NoError(t, err)
	var photo bytes.Buffer
	require.NoError(t, desk.Client().Attachments.Download(t.Context(), got.Content.Attachments[0], &photo, nil))
	assert.Equal(t, "photo", photo.String())

	known := desk.AddUser(supportbeetest.UserSeed{Email: supportbeetest.CustomerEmail, Role: supportbee.RoleAgent})
	eve := desk.User(supportbeetest.CustomerEmail)
	assert.Equal(t, known, eve.ID)
	assert.Equal(t, supportbee.RoleAgent, eve.Role)
	desk.AddLabel("bug", "#000000")
	seen := desk.Ticket(b)
	assert.Equal(t, supportbee.Label{Name: "bug", Color: "#000000"}, seen.Labels[0])

	for message, act := range map[string]func(){
		"AddTicket: there is no user 1":                               func() { desk.AddTicket(supportbeetest.TicketSeed{AssignedUserID: 1}) },
		"AddTicket: there is no team 1":                               func() { desk.AddTicket(supportbeetest.TicketSeed{AssignedTeamID: 1}) },
		`AddTicket: there is no label "x"; AddLabel adds it`:          func() { desk.AddTicket(supportbeetest.TicketSeed{Labels: []string{"x"}}) },
		"AddTicket: there is no file 1; AddFile adds it":              func() { desk.AddTicket(supportbeetest.TicketSeed{AttachmentIDs: []supportbee.AttachmentID{1}}) },
		`AddTicket: Cc "nobody" is invalid`:                           func() { desk.AddTicket(supportbeetest.TicketSeed{CC: []string{"nobody"}}) },
		`AddTicket: RequesterEmail "nobody" is not an e-mail address`: func() { desk.AddTicket(supportbeetest.TicketSeed{RequesterEmail: "nobody"}) },
		"AddTicket: user 1007 cannot be assigned":                     func() { desk.AddTicket(supportbeetest.TicketSeed{AssignedUserID: 1007}) },
		`AddUser: Email "nobody" is not an e-mail address`:            func() { desk.AddUser(supportbeetest.UserSeed{Email: "nobody"}) },
		`AddUser: there is no role "boss"`:                            func() { desk.AddUser(supportbeetest.UserSeed{Role: "boss"}) },
		`AddUser: there is no type "robot"`:                           func() { desk.AddUser(supportbeetest.UserSeed{Type: "robot"}) },
		"AddFilter: user 1007 cannot be assigned": func() {
			desk.AddFilter(supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{AssignUserID: 1007})
		},
		"AddTicket: the year of 10000-01-01T11:59:59Z is not from 1 to 9999": func() {
			desk.AddTicket(supportbeetest.TicketSeed{CreatedAt: time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -12*60*60))})
		},
		"AddTicket: the year of -0001-01-01T00:00:00Z is not from 1 to 9999": func() {
			desk.AddTicket(supportbeetest.TicketSeed{SnoozedUntil: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)})
		},
		"AddUser: there is no team 1":                           func() { desk.AddUser(supportbeetest.UserSeed{TeamIDs: []supportbee.TeamID{1}}) },
		"AddTickets: -1 tickets cannot be added":                func() { desk.AddTickets(-1) },
		"AddReply: user 1007 is no agent":                       func() { desk.AddReply(a, 1007, "x") },
		"AddComment: user 1007 is no agent":                     func() { desk.AddComment(a, 1007, "x") },
		"AddTeam: there is no user 1":                           func() { desk.AddTeam("x", 1) },
		"AddComment: there is no user 1":                        func() { desk.AddComment(a, 1, "x") },
		"AddReply: there is no ticket 1":                        func() { desk.AddReply(1, agent.ID, "x") },
		"AddCustomerReply: there is no file 2; AddFile adds it": func() { desk.AddCustomerReply(a, "x", 2) },
	} {
		assert.PanicsWithValue(t, "supportbeetest: "+message, act)
	}
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "and the desk is not locked"})
	users := desk.Users()
	assert.Empty(t, desk.AddTickets(0))
	assert.Equal(t, users, desk.Users())
}

func TestUsersAreReadWhileTheyChange(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	client := desk.Client()
	agent := desk.User(supportbeetest.AgentEmail)
	var both sync.WaitGroup
	both.Go(func() {
		for i := range 100 {
			_, err := client.Users.Update(t.Context(), agent.ID, supportbee.UserUpdateParams{Name: new(fmt.Sprint("Ben ", i)), Role: supportbee.RoleAdmin})
			assert.NoError(t, err)
		}
	})
	both.Go(func() {
		for range 100 {
			_, err := client.Users.List(t.Context(), nil)
			assert.NoError(t, err)
		}
	})
	both.Wait()
}

func TestFaultsOfDownloads(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, opts...)
			client := desk.Client(supportbee.WithoutRetry())
			file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader(strings.Repeat("x", 1000)), nil)
			require.NoError(t, err)
			injection := desk.Inject(supportbeetest.Match{Op: "Attachments.Storage"}, supportbeetest.DropBody())
			require.Error(t, client.Attachments.Download(t.Context(), *file, &bytes.Buffer{}, nil))
			assert.Equal(t, 1, injection.Hits())
			injection.Remove()
			var whole bytes.Buffer
			require.NoError(t, client.Attachments.Download(t.Context(), *file, &whole, nil))
			assert.Equal(t, 1000, whole.Len())

			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, file.URL.Original, nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+desk.Token)
			plain := http.Client{Transport: desk.Transport(), CheckRedirect: func(r *http.Request, _ []*http.Request) error {
				r.Header.Del("Authorization") // net/http keeps it where only the port differs
				return nil
			}}
			res, err := plain.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, int64(1000), res.ContentLength)
			desk.AssertRequests(t, "Attachments.Storage", 3)
		})
	}
}

func TestFaultsHitOnlyTheAPI(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	injection := desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
	assert.Equal(t, http.StatusNotFound, send(t, desk, "GET", "/favicon.ico", "").StatusCode)
	assert.Zero(t, injection.Hits())
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	_, err := desk.Client().Comments.Create(t.Context(), id, supportbee.CommentParams{Content: supportbee.Text("lost answer")})
	require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	assert.Equal(t, 1, injection.Hits())
	last := desk.Requests()[1]
	assert.Zero(t, last.Status)
	assert.JSONEq(t, `{"comment":{"content":{"text":"lost answer"}}}`, string(last.Body))
	assert.Equal(t, "drop after handling", last.Fault)
}

func TestWebhooksReachAHandlerInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		agent := desk.User(supportbeetest.AgentEmail)
		desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			event, err := supportbee.ParseWebhook(r.Body)
			if assert.NoError(t, err) && event.Action == supportbee.WebhookCommentCreated {
				assert.Equal(t, agent.Email, event.Agent.Email)
				<-time.After(time.Hour) // in the bubble; the desk waits 10 s
			}
			w.WriteHeader(http.StatusAccepted)
		})})
		id := desk.AddTicket(supportbeetest.TicketSeed{})
		desk.AddComment(id, agent.ID, "slow")
		require.NoError(t, desk.FlushWebhooks(t.Context()))
		got := desk.Deliveries()
		require.Len(t, got, 2)
		assert.Equal(t, http.StatusAccepted, got[0].Status)
		require.ErrorIs(t, got[1].Err, context.DeadlineExceeded)
		<-time.After(2 * time.Hour) // the handler has ended: nothing is left behind
	})
}

func TestClosingLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk, err := supportbeetest.Start(supportbeetest.InMemory())
		require.NoError(t, err)
		release := make(chan struct{})
		desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})})
		for range 3 {
			desk.AddTicket(supportbeetest.TicketSeed{})
		}
		synctest.Wait()
		desk.Close()
		desk.Close()
		close(release)
		desk.AddTicket(supportbeetest.TicketSeed{Subject: "after the end"})
		synctest.Wait()
		assert.Len(t, desk.Deliveries(), 1, "the others are dropped")
	})
}

func TestSnapshotsAreChecked(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	file := desk.AddFile("a", "text/plain", nil)
	ticket := desk.AddTicket(supportbeetest.TicketSeed{AttachmentIDs: []supportbee.AttachmentID{file}})
	desk.AddCustomerReply(ticket, "x")
	var kept bytes.Buffer
	require.NoError(t, desk.Save(&kept))
	part := func(state map[string]any, path ...string) map[string]any {
		for _, key := range path {
			state = state[key].(map[string]any)
		}
		return state
	}
	id := fmt.Sprint(ticket)
	for message, change := range map[string]func(state map[string]any){
		"a part of the desk is null":                  func(s map[string]any) { s["users"] = nil },
		"a team, snippet or address is null":          func(s map[string]any) { s["teams"] = []any{nil} },
		"ticket " + id + " has another ID":            func(s map[string]any) { part(s, "tickets", id)["id"] = 7 },
		"ticket " + id + " has no requester":          func(s map[string]any) { part(s, "tickets", id)["requester"] = 7 },
		"ticket " + id + " has a message without":     func(s map[string]any) { part(s, "tickets", id)["replies"] = []any{nil} },
		"ticket " + id + " has an unknown attachment": func(s map[string]any) { s["attachments"] = map[string]any{} },
		"attachment 9 has another ID":                 func(s map[string]any) { part(s, "attachments")["9"] = nil },
		`json: unknown field "user"`:                  func(s map[string]any) { s["user"] = s["users"] },
		"year outside of range":                       func(s map[string]any) { part(s, "tickets", id)["created_at"] = "9999-12-31T23:59:59-12:00" },
		"snippet 9 has an unknown attachment 7": func(s map[string]any) {
			s["snippets"] = []any{map[string]any{"id": 9, "content": map[string]any{"more": map[string]any{"attachments": []int{7}}}}}
		},
		"the ID 0 is not positive": func(s map[string]any) { part(s, "users")["0"] = map[string]any{"id": 0, "role": "admin"} },
		"the ID -1 is not positive": func(s map[string]any) {
			part(s, "tickets", id)["rare"] = map[string]any{"draft": map[string]any{"id": -1}}
		},
		"a token is empty":                         func(s map[string]any) { part(s, "tokens")[""] = 1001 },
		"there is no admin":                        func(s map[string]any) { part(s, "users", "1001")["role"] = "agent" },
		"user 9 has another ID":                    func(s map[string]any) { part(s, "users")["9"] = map[string]any{"id": 8} },
		"customer group 9 has an unknown member 7": func(s map[string]any) { part(s, "users")["9"] = map[string]any{"id": 9, "members": []int{7}} },
	} {
		var state map[string]any
		require.NoError(t, json.Unmarshal(kept.Bytes(), &state))
		change(state)
		broken, err := json.Marshal(state)
		require.NoError(t, err)
		require.ErrorContains(t, desk.Load(bytes.NewReader(broken)), message)
	}
	var state map[string]any
	require.NoError(t, json.Unmarshal(kept.Bytes(), &state))
	state["next_id"] = int64(ticket) - 1
	edited, err := json.Marshal(state)
	require.NoError(t, err)
	before := desk.Tickets()
	require.NoError(t, desk.Load(bytes.NewReader(edited)))
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "new"})
	assert.Len(t, desk.Tickets(), len(before)+1, "the new ticket has an ID of its own")
}
