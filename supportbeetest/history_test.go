package supportbeetest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestRequestsAreSelectedByOperation(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, path := range []string{"/labels", "/teams", "/labels", "/users"} {
		send(t, desk, "GET", path, "")
	}
	ops := func(requests []supportbeetest.Request) (list []string) {
		for _, r := range requests {
			list = append(list, r.Op)
		}
		return list
	}
	assert.Equal(t, []string{"Labels.List", "Teams.List", "Labels.List", "Users.List"}, ops(desk.Requests()))
	assert.Equal(t, []string{"Labels.List", "Labels.List", "Users.List"}, ops(desk.Requests("Users.List", "Labels.List")))
	assert.Empty(t, desk.Requests("Tickets.Get"))
}

func TestTheOutboxHasTheMailsOfTheService(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Clock.Set(noon)
	client, ctx := desk.Client(), t.Context()
	agent := desk.User(supportbeetest.AgentEmail)

	seeded := desk.AddTicket(supportbeetest.TicketSeed{Text: "Hello", CC: []string{"bo@example.com"}})
	desk.AddCustomerReply(seeded, "Hello?")
	desk.AddReply(seeded, agent.ID, "Hi")
	desk.AddComment(seeded, agent.ID, "internal")
	_, err := client.Comments.Create(ctx, seeded, supportbee.CommentParams{Content: supportbee.Text("internal")})
	require.NoError(t, err)
	assert.Empty(t, desk.Outbox(), "customers' mails and comments are not sent to anybody")

	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject: "Kettle", RequesterEmail: "ann@example.com", CC: []string{"bo@example.com"}, Content: supportbee.Text("It leaks."),
	})
	require.NoError(t, err)
	notified, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject: "Kettle", RequesterEmail: "ann@example.com", CC: []string{"Bo <bo@example.com>"}, BCC: []string{"boss@acme.example"},
		Content: supportbee.ContentParams{Text: "It leaks.", HTML: "<p>It leaks.</p>"}, NotifyRequester: true,
	})
	require.NoError(t, err)
	reply, err := client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{
		Content: supportbee.Text("Sorry."), CC: []string{"bo@example.com", "ann@example.com"}, BCC: []string{"BO@example.com", "boss@acme.example"},
	})
	require.NoError(t, err)
	const auto = "We have received your message and will reply soon."
	assert.Equal(t, []supportbeetest.Mail{
		{To: "ann@example.com", Reason: supportbeetest.MailAutoResponse, Subject: "Re: Kettle", Text: auto, HTML: auto, TicketID: ticket.ID, Time: noon},
		{To: "ann@example.com", Reason: supportbeetest.MailNotify, Subject: "Kettle", Text: "It leaks.", HTML: "<p>It leaks.</p>", TicketID: notified.ID, Time: noon},
		{To: "bo@example.com", Reason: supportbeetest.MailCC, Subject: "Kettle", Text: "It leaks.", HTML: "<p>It leaks.</p>", TicketID: notified.ID, Time: noon},
		{To: "boss@acme.example", Reason: supportbeetest.MailBCC, Subject: "Kettle", Text: "It leaks.", HTML: "<p>It leaks.</p>", TicketID: notified.ID, Time: noon},
		{To: "ann@example.com", Reason: supportbeetest.MailReply, Subject: "Re: Kettle", Text: "Sorry.", HTML: "Sorry.", TicketID: ticket.ID, ReplyID: reply.ID, Time: noon},
		{To: "bo@example.com", Reason: supportbeetest.MailCC, Subject: "Re: Kettle", Text: "Sorry.", HTML: "Sorry.", TicketID: ticket.ID, ReplyID: reply.ID, Time: noon},
		{To: "boss@acme.example", Reason: supportbeetest.MailBCC, Subject: "Re: Kettle", Text: "Sorry.", HTML: "Sorry.", TicketID: ticket.ID, ReplyID: reply.ID, Time: noon},
	}, desk.Outbox())

	desk.ClearHistory()
	_, err = client.Replies.Create(ctx, 1, supportbee.ReplyParams{Content: supportbee.Text("x")})
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	assert.Empty(t, desk.Outbox(), "a request that fails sends no mail")
}
