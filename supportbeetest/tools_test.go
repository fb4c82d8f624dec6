package supportbeetest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
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

func TestSeededStateIsReadBack(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(at)
	agent := desk.AddUser(supportbeetest.UserSeed{Email: "kim@acme.example", Name: "Kim King", Role: supportbee.RoleAgent})
	team := desk.AddTeam("Support", agent)
	desk.AddLabel("refund", "#FF0000")
	id := desk.AddTicket(supportbeetest.TicketSeed{
		Subject: "Kettle", Text: "It leaks.", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer",
		Labels: []string{"refund"}, AssignedUserID: agent, AssignedTeamID: team, CreatedAt: at.Add(-time.Hour),
	})
	reply := desk.AddCustomerReply(id, "Hello?")
	comment := desk.AddComment(id, agent, "On it.")

	ticket := desk.Ticket(id)
	ann := supportbee.Person{ID: ticket.Requester.ID, Type: supportbee.UserTypeUser, FirstName: "Ann", LastName: "Archer", Email: "ann@example.com", Name: "Ann Archer", Role: supportbee.RoleCustomer}
	kim := supportbee.Person{ID: agent, Type: supportbee.UserTypeUser, FirstName: "Kim", LastName: "King", Email: "kim@acme.example", Name: "Kim King", Role: supportbee.RoleAgent, Agent: true}
	assert.Equal(t, &supportbee.Ticket{
		ID: id, Subject: "Kettle", RepliesCount: 1, CommentsCount: 1, LastActivityAt: at, CreatedAt: at.Add(-time.Hour), Unanswered: true,
		Summary: "It leaks.", Source: supportbee.Source{Channel: "email", Address: "help@acme.example"},
		Labels: []supportbee.Label{{Name: "refund", Color: "#FF0000"}}, Requester: ann, Submitter: &ann, LastReplyAt: at, Content: supportbee.Content{Text: "It leaks.", HTML: "It leaks."},
		AssignedUser: &kim, AssignedTeam: &supportbee.Team{ID: team, Name: "Support"},
	}, ticket)
	counts := supportbee.TicketCounts{RepliesCount: 1, CommentsCount: 1}
	assert.Equal(t, []*supportbee.Reply{{ID: reply, CreatedAt: at, Summary: "Hello?", Ticket: supportbee.TicketCounts{ID: id, RepliesCount: 1, CommentsCount: 1}, Replier: ann, Content: supportbee.Content{Text: "Hello?", HTML: "Hello?"}}}, desk.Replies(id))
	assert.Equal(t, []*supportbee.Comment{{ID: comment, CreatedAt: at, Ticket: counts, Commenter: kim, Content: supportbee.Content{Text: "On it.", HTML: "On it."}}}, desk.Comments(id))

	assert.Nil(t, desk.Ticket(1))
	assert.Nil(t, desk.Replies(1))
	assert.Nil(t, desk.Comments(1))
	assert.Nil(t, desk.User("nobody@example.com"))
	assert.Nil(t, desk.Team("none"))
	assert.Nil(t, desk.File(1))
	assert.PanicsWithValue(t, "supportbeetest: AddCustomerReply: there is no ticket 1", func() { desk.AddCustomerReply(1, "x") })
}

func TestSeedIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b := supportbeetest.New(t), supportbeetest.New(t)
	for _, desk := range []*supportbeetest.Desk{a, b} {
		desk.Clock.Set(noon)
		desk.Reset()
	}
	ids := a.AddTickets(300)
	assert.Equal(t, ids, b.AddTickets(300))
	assert.True(t, slices.IsSorted(ids))
	assert.Len(t, a.Tickets(), 310)
	assert.Equal(t, a.Tickets(), b.Tickets())
	assert.NotNil(t, a.Ticket(ids[299]))
}

func TestRequestsAreListedWithoutCredentials(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client()
	_, err := client.Tickets.List(t.Context(), &supportbee.TicketListOptions{Label: "bug"})
	require.NoError(t, err)
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x", Text: "y"})
	_, err = client.Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("Hi")})
	require.NoError(t, err)

	requests := desk.Requests()
	require.Len(t, requests, 2)
	assert.Equal(t, "Tickets.List", requests[0].Op)
	assert.Equal(t, "bug", requests[0].Query.Get("label"))
	assert.Equal(t, http.StatusOK, requests[0].Status)
	assert.Equal(t, "Replies.Create", requests[1].Op)
	assert.Equal(t, "/tickets/{id}/replies", requests[1].Route)
	assert.Equal(t, fmt.Sprintf("/tickets/%d/replies", id), requests[1].Path)
	assert.JSONEq(t, `{"reply":{"content":{"text":"Hi"}}}`, string(requests[1].Body))
	assert.Equal(t, http.StatusCreated, requests[1].Status)
	assert.NotContains(t, fmt.Sprintf("%+v", requests), desk.Token)
	desk.ClearHistory()
	assert.Empty(t, desk.Requests())
}

func TestTokensHaveTheirUsersRights(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	agent := desk.User(supportbeetest.AgentEmail)
	other := desk.User(supportbeetest.OtherAgentEmail)
	client := desk.Client(supportbee.WithToken(desk.AddToken(agent.ID)))
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x", Text: "y", AssignedUserID: agent.ID, Trash: true})

	require.ErrorIs(t, client.Tickets.Delete(t.Context(), id), supportbee.ErrAccessDenied)
	_, err := client.Reports.TicketsCount(t.Context(), nil)
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	_, err = client.Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("x"), OnBehalfOf: supportbee.AgentRef{ID: other.ID}})
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	assert.Empty(t, desk.Replies(id))

	mine, err := client.Tickets.Count(t.Context(), &supportbee.TicketListOptions{AssignedUser: supportbee.AssignedToMe, IncludeTrash: true})
	require.NoError(t, err)
	assert.Equal(t, 2, mine, "the seeded one and the new one")

	reply, err := desk.Client().Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("x"), OnBehalfOf: supportbee.AgentRef{Email: other.Email}})
	require.NoError(t, err)
	assert.Equal(t, other.Email, reply.Replier.Email)
	require.NoError(t, desk.Client().Tickets.Delete(t.Context(), id))
	assert.PanicsWithValue(t, "supportbeetest: AddToken: there is no user 1", func() { desk.AddToken(1) })
}

func TestSnapshotsRoundTrip(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.AddTickets(40)
	file, err := desk.Client().Attachments.Upload(t.Context(), "a.bin", bytes.NewReader([]byte{0, 1, 255}), nil)
	require.NoError(t, err)
	desk.AddFilter(supportbee.RuleParams{Subject: "q"}, supportbee.ConsequenceParams{Archive: true})
	var first, second bytes.Buffer
	require.NoError(t, desk.Save(&first))

	other := supportbeetest.New(t, supportbeetest.WithoutSeed())
	require.NoError(t, other.Load(bytes.NewReader(first.Bytes())))
	assert.Equal(t, desk.Tickets(), other.Tickets())
	assert.Equal(t, []byte{0, 1, 255}, other.File(file.ID))
	archived := open(t, other.Client(), "Q: filters are kept, too, and the token still works")
	assert.True(t, archived.Archived)

	require.NoError(t, desk.Save(&second))
	assert.JSONEq(t, first.String(), second.String())

	before := other.Tickets()
	for _, broken := range []string{"", "{", "{}", `{"foo":1}`, `{"users":{}}`, `{"tickets":{"7":{"id":7,"requester":5}}}`, `{"tickets":{"7":null}}`} {
		require.ErrorContains(t, other.Load(strings.NewReader(broken)), "supportbeetest: Load: ")
	}
	assert.Equal(t, before, other.Tickets())
	failed := errors.New("disk full")
	require.ErrorIs(t, desk.Save(failingWriter{failed}), failed)
}

// failingWriter fails each write.
type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestWebhooksTellOfEveryEvent(t *testing.T) {
	t.Parallel()
	everyDesk(t, func(t *testing.T, desk *supportbeetest.Desk) {
		var mu sync.Mutex
		var events []*supportbee.Webhook
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			assert.Equal(t, http.MethodPost, r.Method)
			assert.Equal(t, "application/json; charset=utf-8", r.Header.Get("Content-Type"))
			event, err := supportbee.ParseWebhook(r.Body)
			mu.Lock()
			defer mu.Unlock()
			if assert.NoError(t, err) {
				events = append(events, event)
			}
		}))
		defer receiver.Close()
		desk.AddWebhook(supportbeetest.Webhook{URL: receiver.URL})
		ctx, client := t.Context(), desk.Client()
		agent := desk.User(supportbeetest.AgentEmail)
		team := desk.Team("Support")

		ticket := open(t, client, "Kettle")
		for _, act := range []func() error{
			func() error { _, err := client.Tickets.AssignTeam(ctx, ticket.ID, team.ID); return err },
			func() error { _, err := client.Tickets.AssignUser(ctx, ticket.ID, agent.ID); return err },
			func() error { return client.Tickets.UnassignUser(ctx, ticket.ID) },
			func() error { return client.Tickets.UnassignTeam(ctx, ticket.ID) },
			func() error { return client.Tickets.MarkAnswered(ctx, ticket.ID) },
			func() error { return client.Tickets.MarkAnswered(ctx, ticket.ID) }, // repeated: nothing happens
			func() error { return client.Tickets.MarkUnanswered(ctx, ticket.ID) },
			func() error { return client.Tickets.MarkSpam(ctx, ticket.ID) },
			func() error { return client.Tickets.UnmarkSpam(ctx, ticket.ID) },
			func() error { return client.Tickets.Trash(ctx, ticket.ID) },
			func() error { return client.Tickets.Untrash(ctx, ticket.ID) },
			func() error { return client.Tickets.Archive(ctx, ticket.ID) },
			func() error { return client.Tickets.Unarchive(ctx, ticket.ID) },
			func() error {
				_, err := client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("Hi")})
				return err
			},
			func() error { desk.AddCustomerReply(ticket.ID, "Thanks"); return nil },
			func() error {
				_, err := client.Comments.Create(ctx, ticket.ID, supportbee.CommentParams{Content: supportbee.Text("ok")})
				return err
			},
		} {
			require.NoError(t, act())
		}
		require.NoError(t, desk.FlushWebhooks(ctx))
		mu.Lock()
		defer mu.Unlock()
		var actions []supportbee.WebhookAction
		for _, event := range events {
			actions = append(actions, event.Action)
			assert.Equal(t, supportbee.WebhookCompany{Subdomain: "acme", Name: "Acme"}, event.Company)
			assert.Equal(t, ticket.ID, event.Ticket.ID)
			assert.Equal(t, fmt.Sprintf("%s/tickets/%d", desk.URL, ticket.ID), event.Ticket.URL)
		}
		require.Equal(t, []supportbee.WebhookAction{
			supportbee.WebhookTicketCreated, supportbee.WebhookTicketAssignedToTeam, supportbee.WebhookTicketAssignedToUser,
			supportbee.WebhookTicketUnassignedFromUser, supportbee.WebhookTicketUnassignedFromTeam, supportbee.WebhookTicketAnswered,
			supportbee.WebhookTicketUnanswered, supportbee.WebhookTicketSpammed, supportbee.WebhookTicketUnspammed, supportbee.WebhookTicketTrashed,
			supportbee.WebhookTicketUntrashed, supportbee.WebhookTicketArchived, supportbee.WebhookTicketUnarchived,
			supportbee.WebhookAgentReplyCreated, supportbee.WebhookCustomerReplyCreated, supportbee.WebhookCommentCreated,
		}, actions)
		assert.Equal(t, team.ID, events[1].TeamAssignment.Team.ID)
		assert.Equal(t, agent.Email, events[2].UserAssignment.User.Email)
		assert.Equal(t, "Hi", events[13].Reply.Content.Text)
		assert.Equal(t, supportbeetest.AdminEmail, events[13].Agent.Email)
		assert.Nil(t, events[14].Agent, "the customer wrote")
		assert.Equal(t, "ok", events[15].Comment.Content.Text)
		assert.Len(t, desk.Deliveries(), 16)
		assert.Equal(t, http.StatusOK, desk.Deliveries()[0].Status)
	})
}

func TestWebhooksSurviveABadReceiver(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	desk.AddWebhook(supportbeetest.Webhook{URL: gone.URL})
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "x", Text: "y"})
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	require.Len(t, desk.Deliveries(), 1)
	assert.Error(t, desk.Deliveries()[0].Err)
}

func TestInMemoryDeskRunsInABubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithRateLimits(), supportbeetest.WithRetryAfter(supportbeetest.RetryAfterSeconds))
		client := desk.Client()
		start := time.Now()
		for i := range 9 {
			open(t, client, fmt.Sprint("ticket ", i))
		}
		assert.Equal(t, time.Minute, time.Since(start), "the ninth waited for the limit to pass")
		desk.AssertRequests(t, "Tickets.Create", 10)

		file, err := client.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("abc"), nil)
		require.NoError(t, err)
		var back bytes.Buffer
		require.NoError(t, client.Attachments.Download(t.Context(), *file, &back, nil))
		assert.Equal(t, "abc", back.String())
	})
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		opts      []supportbeetest.Option
		anonymous bool
		most      int
		window    time.Duration
		wait      time.Duration
	}{
		"with a token":     {most: 8, window: time.Minute},
		"another limit":    {opts: []supportbeetest.Option{supportbeetest.WithCreateLimit(2, 3*time.Second)}, most: 2, window: 3 * time.Second},
		"without":          {anonymous: true, most: 5, window: time.Hour},
		"seconds are told": {opts: []supportbeetest.Option{supportbeetest.WithRetryAfter(supportbeetest.RetryAfterSeconds)}, most: 8, window: time.Minute, wait: time.Minute},
		"a date is told":   {opts: []supportbeetest.Option{supportbeetest.WithRetryAfter(supportbeetest.RetryAfterDate)}, most: 8, window: time.Minute, wait: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				desk := supportbeetest.New(t, append(tt.opts, supportbeetest.InMemory(), supportbeetest.WithRateLimits())...)
				token := desk.Token
				if tt.anonymous {
					token = ""
				}
				client := desk.Client(supportbee.WithToken(token), supportbee.WithoutRetry())
				for range tt.most {
					open(t, client, "x")
				}
				_, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("x")})
				var limited *supportbee.Error
				require.ErrorIs(t, err, supportbee.ErrRateLimited)
				require.ErrorAs(t, err, &limited)
				assert.InDelta(t, tt.wait, limited.RetryAfter, float64(2*time.Second))
				<-time.After(tt.window + time.Second) // in the bubble, it passes at once
				open(t, client, "x")
			})
		})
	}
}

func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	get := func(t *testing.T, desk *supportbeetest.Desk, path, token string, header ...string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, desk.URL+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}).Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	body := func(res *http.Response) string {
		data, _ := io.ReadAll(res.Body)
		return string(data)
	}
	desk := supportbeetest.New(t)

	res := get(t, desk, "/labels", desk.Token)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "application/json; charset=utf-8", res.Header.Get("Content-Type"))
	assert.Equal(t, "max-age=0, private, must-revalidate", res.Header.Get("Cache-Control"))
	for _, name := range []string{"X-Request-Id", "X-Runtime", "Etag"} {
		assert.NotEmpty(t, res.Header.Get(name), name)
	}
	require.Len(t, res.Cookies(), 1)
	assert.Equal(t, "secure_code_session", res.Cookies()[0].Name)
	var labels map[string][]map[string]any
	require.NoError(t, json.Unmarshal([]byte(body(res)), &labels))
	assert.Equal(t, "bug", labels["labels"][0]["name"])

	res = get(t, desk, "/labels", desk.Token, "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", res.Header.Get("Content-Encoding"))

	for _, token := range []string{"", "wrong"} {
		res = get(t, desk, "/labels", token)
		assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
		assert.Equal(t, " ", body(res))
		assert.Empty(t, res.Cookies())
		assert.Equal(t, "no-cache", res.Header.Get("Cache-Control"))
	}
	res = get(t, supportbeetest.New(t, supportbeetest.WithDeniedStatus(http.StatusForbidden)), "/labels", "wrong")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)

	res = get(t, desk, "/tickets?since=yesterday", desk.Token)
	assert.Equal(t, http.StatusInternalServerError, res.StatusCode)
	assert.Contains(t, body(res), `{"error":"`)
	res = get(t, desk, "/tickets/search", desk.Token)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	res = get(t, desk, "/nothing", desk.Token)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
}
