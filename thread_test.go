package supportbee_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestThread(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client, ctx, agent := desk.Client(), t.Context(), desk.User(supportbeetest.AgentEmail).ID
	file := func(name string) supportbee.AttachmentID { return desk.AddFile(name, "text/plain", []byte("x")) }
	id := desk.AddTicket(supportbeetest.TicketSeed{AttachmentIDs: []supportbee.AttachmentID{file("ticket.txt")}})
	quiet := desk.AddTicket(supportbeetest.TicketSeed{})
	desk.AddReply(id, agent, "Hello.")
	desk.Clock.Advance(time.Minute)
	desk.AddCustomerReply(id, "Thanks.", file("reply.txt"))
	_, err := client.Comments.Create(ctx, id, supportbee.CommentParams{Content: supportbee.Text("A file.").Attach(file("comment.txt"))})
	require.NoError(t, err)
	ticket, err := client.Tickets.Get(ctx, id)
	require.NoError(t, err)
	replies, err := client.Replies.List(ctx, id)
	require.NoError(t, err)
	comments, err := client.Comments.List(ctx, id)
	require.NoError(t, err)

	desk.Inject(supportbeetest.Match{Op: "Replies.List"}, supportbeetest.EditJSON(func(object map[string]any) {
		list := object["replies"].([]any)
		list[0], list[1] = list[1], list[0]
	}))
	thread, err := client.Tickets.Thread(ctx, ticket)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Thread{Ticket: ticket, Replies: replies, Comments: comments}, thread, "oldest first")
	var names []string
	for _, attachment := range thread.Attachments() {
		names = append(names, attachment.Filename)
	}
	assert.Equal(t, []string{"ticket.txt", "reply.txt", "comment.txt"}, names)

	ticket, err = client.Tickets.Get(ctx, quiet)
	require.NoError(t, err)
	desk.ClearHistory()
	thread, err = client.Tickets.Thread(ctx, ticket)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Thread{Ticket: ticket, Replies: []*supportbee.Reply{}, Comments: []*supportbee.Comment{}}, thread)
	assert.Empty(t, desk.Requests(), "the counts say that there is nothing")
	text, err := json.Marshal(thread)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"replies":[],"comments":[]}`)

	odd := &supportbee.Ticket{}
	require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"id":%d,"replies_count":{"total":2},"comments_count":[]}`, id), odd))
	thread, err = client.Tickets.Thread(ctx, odd)
	require.NoError(t, err)
	assert.Len(t, thread.Replies, 2, "counts that cannot be read do not say that there is nothing")
	assert.Len(t, thread.Comments, 1)
	desk.ClearHistory()

	_, err = client.Tickets.Thread(ctx, &supportbee.Ticket{ID: id, URL: "https://acme.supportbee.com/tickets/7"})
	require.NoError(t, err)
	desk.AssertRequests(t, "Replies.List", 1)
	desk.AssertRequests(t, "Comments.List", 1)
}

func TestThreadFails(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client, agent := desk.Client(), desk.User(supportbeetest.AgentEmail).ID
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	desk.AddReply(id, agent, "Hello.")
	desk.AddComment(id, agent, "Hm.")
	ticket, err := client.Tickets.Get(t.Context(), id)
	require.NoError(t, err)
	replies, err := client.Replies.List(t.Context(), id)
	require.NoError(t, err)

	failure := desk.Inject(supportbeetest.Match{Op: "Comments.List"}, supportbeetest.Status(http.StatusNotFound))
	thread, err := client.Tickets.Thread(t.Context(), ticket)
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	assert.Equal(t, &supportbee.Thread{Ticket: ticket, Replies: replies, Comments: []*supportbee.Comment{}}, thread, "what was read before")
	failure.Remove()
	desk.Inject(supportbeetest.Match{Op: "Replies.List"}, supportbeetest.Status(http.StatusForbidden))
	desk.ClearHistory()
	_, err = client.Tickets.Thread(t.Context(), ticket)
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	desk.AssertRequests(t, "Comments.List", 0)

	_, err = client.Tickets.Thread(t.Context(), nil)
	assert.Equal(t, &supportbee.ArgumentError{Op: "Tickets.Thread", Field: "ticket", Reason: "must not be nil"}, err)
	_, err = client.Tickets.Thread(t.Context(), &supportbee.Ticket{RepliesCount: 1})
	assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	_, err = new(supportbee.TicketsService).Thread(t.Context(), ticket)
	assert.Error(t, err)
}

func TestThreadResponses(t *testing.T) {
	t.Parallel()
	at := func(hour int) time.Time { return time.Date(2026, 11, 2, hour, 0, 0, 0, time.UTC) }
	reply := func(hour int, agent bool) *supportbee.Reply {
		return &supportbee.Reply{ID: supportbee.ReplyID(hour), CreatedAt: at(hour), Replier: supportbee.Person{Agent: agent}}
	}
	for name, tt := range map[string]struct {
		replies []*supportbee.Reply
		first   supportbee.ReplyID // 0 if there is none
		waiting int
	}{
		"no replies":                  {waiting: 9},
		"of the customer":             {replies: []*supportbee.Reply{reply(10, false)}, waiting: 9},
		"of an agent":                 {replies: []*supportbee.Reply{reply(10, true)}, first: 10, waiting: 10},
		"at once":                     {replies: []*supportbee.Reply{reply(9, true)}, first: 9, waiting: 9},
		"the customer wrote twice":    {replies: []*supportbee.Reply{reply(10, true), reply(11, false), reply(12, false)}, first: 10, waiting: 11},
		"two agents after a customer": {replies: []*supportbee.Reply{reply(10, false), reply(11, true), reply(12, true)}, first: 11, waiting: 12},
		"only merged":                 {replies: []*supportbee.Reply{reply(7, true), reply(8, false)}, waiting: 9},
		"merged into the ticket":      {replies: []*supportbee.Reply{reply(8, true), reply(12, true), reply(13, false)}, first: 12, waiting: 13},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			thread := &supportbee.Thread{Ticket: &supportbee.Ticket{CreatedAt: at(9)}, Replies: tt.replies}
			var first supportbee.ReplyID
			if reply := thread.FirstResponse(); reply != nil {
				first = reply.ID
			}
			assert.Equal(t, tt.first, first)
			assert.Equal(t, at(tt.waiting), thread.WaitingSince())
		})
	}
	between := &supportbee.Comment{ID: 5, CreatedAt: at(11)}
	first, second := reply(10, true), reply(12, false)
	ticket := &supportbee.Ticket{CreatedAt: at(13), Content: supportbee.Content{Text: "Hello"}, Requester: supportbee.Person{Name: "Ann"}}
	thread := &supportbee.Thread{Ticket: ticket, Replies: []*supportbee.Reply{first, second}, Comments: []*supportbee.Comment{between}}
	assert.Equal(t, []supportbee.Message{
		{From: ticket.Requester, CreatedAt: at(13), Content: ticket.Content},
		{From: first.Replier, CreatedAt: at(10), Reply: first},
		{CreatedAt: at(11), Comment: between},
		{From: second.Replier, CreatedAt: at(12), Reply: second},
	}, thread.Messages(), "what opened the ticket is the first, also of a ticket that replies were merged into")
	for _, empty := range []*supportbee.Thread{nil, {}} {
		assert.Empty(t, empty.Messages())
		assert.Nil(t, empty.FirstResponse())
		assert.Zero(t, empty.WaitingSince())
		assert.Empty(t, empty.Attachments())
	}
}

func ExampleTicketsService_Thread() {
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed()) // instead of an account
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	desk.Clock.Set(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle leaks"})
	desk.Clock.Advance(90 * time.Minute)
	desk.AddReply(id, desk.User(supportbeetest.AdminEmail).ID, "A new one is on its way.")
	desk.Clock.Advance(time.Hour)
	desk.AddCustomerReply(id, "It leaks, too.")

	client, ctx := desk.Client(), context.Background()
	for ticket, err := range client.Tickets.All(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		thread, err := client.Tickets.Thread(ctx, ticket)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ticket.Subject, "has", len(thread.Replies), "replies")
		if first := thread.FirstResponse(); first != nil {
			fmt.Println("first response after", first.CreatedAt.Sub(ticket.CreatedAt))
		}
		if ticket.Unanswered {
			fmt.Println("the customer waits since", thread.WaitingSince().Format(time.TimeOnly))
		}
	}
	// Output:
	// The kettle leaks has 2 replies
	// first response after 1h30m0s
	// the customer waits since 11:30:00
}
