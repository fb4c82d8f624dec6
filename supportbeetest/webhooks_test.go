package supportbeetest_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// delivered is a delivery without its body.
type delivered struct {
	URL    string
	Action supportbee.WebhookAction
	Status int
}

func deliveries(desk *supportbeetest.Desk) (list []delivered) {
	for _, d := range desk.Deliveries() {
		list = append(list, delivered{d.URL, d.Action, d.Status})
	}
	return list
}

func TestFailedDeliveriesAreRepeated(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	statuses := []int{500, 302, 200, 500, 500, 500, 204}
	desk.AddWebhook(supportbeetest.Webhook{MaxAttempts: 3, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[0])
		statuses = statuses[1:]
	})})
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	desk.AddCustomerReply(id, "x")
	desk.AddTicket(supportbeetest.TicketSeed{})
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []delivered{
		{Action: supportbee.WebhookTicketCreated, Status: 500},
		{Action: supportbee.WebhookTicketCreated, Status: 302},
		{Action: supportbee.WebhookTicketCreated, Status: 200},
		{Action: supportbee.WebhookCustomerReplyCreated, Status: 500},
		{Action: supportbee.WebhookCustomerReplyCreated, Status: 500},
		{Action: supportbee.WebhookCustomerReplyCreated, Status: 500},
		{Action: supportbee.WebhookTicketCreated, Status: 204},
	}, deliveries(desk))
}

func TestTheCheckComesFirst(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	var bodies []string
	record := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		bodies = append(bodies, string(body))
	})
	desk.AddWebhook(supportbeetest.Webhook{Handler: record, Check: true})
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []string{`{"payload":null}`}, bodies)
	assert.Equal(t, []supportbeetest.Delivery{{Action: supportbee.WebhookCheck, Body: []byte(`{"payload":null}`), Status: http.StatusOK}}, desk.Deliveries())
	desk.AddTicket(supportbeetest.TicketSeed{})
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []delivered{{Status: http.StatusOK}, {Action: supportbee.WebhookTicketCreated, Status: http.StatusOK}}, deliveries(desk))
}

func TestTextsOfWebhooksCanBeEscaped(t *testing.T) {
	t.Parallel()
	for _, escape := range []bool{false, true} {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		var events []*supportbee.Webhook
		desk.AddWebhook(supportbeetest.Webhook{EscapeHTML: escape, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			event, err := supportbee.ParseWebhook(r.Body)
			assert.NoError(t, err)
			events = append(events, event)
		})})
		agent := desk.User(supportbeetest.AgentEmail)
		id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "a & b", Text: "<c>", HTML: `<p title="d">`, RequesterEmail: "e@example.com", RequesterName: "E & F"})
		desk.AddReply(id, agent.ID, "g & h")
		desk.AddComment(id, agent.ID, "i & j")
		require.NoError(t, desk.FlushWebhooks(t.Context()))

		want := []string{"a & b", "<c>", "<c>", `<p title="d">`, "g & h", "g & h", "i & j"}
		if escape {
			want = []string{"a &amp; b", "&lt;c&gt;", "&lt;c&gt;", "&lt;p title=&#34;d&#34;&gt;", "g &amp; h", "g &amp; h", "i &amp; j"}
		}
		created, replied, commented := events[0].Ticket, events[1].Reply, events[2].Comment
		assert.Equal(t, want, []string{
			created.Subject, created.Summary, created.Content.Text, created.Content.HTML, replied.Summary, replied.Content.Text, commented.Content.Text,
		})
		assert.Equal(t, "E & F", created.Requester.Name)
		assert.Equal(t, id, created.ID)
	}
}

func TestWebhooksHaveOneURL(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.NotFoundHandler()})
	client, ctx := desk.Client(supportbee.WithBaseURL("http://localhost")), t.Context()
	agent := desk.User(supportbeetest.AgentEmail)
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	_, err := client.Tickets.AssignUser(ctx, id, agent.ID)
	require.NoError(t, err)
	require.NoError(t, client.Tickets.UnassignUser(ctx, id))
	_, err = client.Comments.Create(ctx, id, supportbee.CommentParams{Content: supportbee.Text("x")})
	require.NoError(t, err)
	_, err = client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("x")})
	require.NoError(t, err)
	require.NoError(t, desk.FlushWebhooks(ctx))
	require.Len(t, desk.Deliveries(), 5)
	for _, d := range desk.Deliveries() {
		assert.Contains(t, string(d.Body), desk.URL+"/pictures/users/", d.Action)
		assert.NotContains(t, string(d.Body), "http://localhost", d.Action)
	}
}

func TestWebhooksNeedOneReceiver(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	for _, webhook := range []supportbeetest.Webhook{{}, {URL: "http://127.0.0.1:1", Handler: http.NotFoundHandler()}} {
		assert.PanicsWithValue(t, "supportbeetest: AddWebhook: either URL or Handler is required", func() { desk.AddWebhook(webhook) })
	}
}
