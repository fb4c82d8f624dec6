package supportbee

import (
	"context"
	"slices"
	"time"
)

// Thread is a ticket with its messages. See [TicketsService.Thread].
type Thread struct {
	Ticket   *Ticket    `json:"ticket"`
	Replies  []*Reply   `json:"replies"`  // oldest first
	Comments []*Comment `json:"comments"` // oldest first
}

// Thread returns a ticket with its replies and comments. It fetches them with at most two requests:
// there is none for what the ticket has none of, by RepliesCount and CommentsCount. The counts of a
// ticket that came in a webhook are not relied on, nor are those that could not be read.
//
// If a request fails, the Thread has what was read before. If the error is [ErrNotFound], the ticket
// was deleted.
func (s *TicketsService) Thread(ctx context.Context, ticket *Ticket) (*Thread, error) {
	t := &Thread{Ticket: ticket, Replies: []*Reply{}, Comments: []*Comment{}}
	if ticket == nil {
		return t, rejected("Tickets.Thread", invalid("ticket", "must not be nil"))
	}
	var replies []*Reply
	var comments []*Comment
	var err error
	mayHave := func(count int, name string) bool {
		_, unread := ticket.Extra[name]
		fromWebhook := ticket.URL != ""
		return count > 0 || unread || fromWebhook
	}
	if mayHave(ticket.RepliesCount, "replies_count") {
		replies, err = (&RepliesService{s.service}).List(ctx, ticket.ID)
	}
	if mayHave(ticket.CommentsCount, "comments_count") && err == nil {
		comments, err = (&CommentsService{s.service}).List(ctx, ticket.ID)
	}
	t.Replies, t.Comments = append(t.Replies, replies...), append(t.Comments, comments...)
	// The order of replies is not documented; that of comments is.
	slices.SortStableFunc(t.Replies, func(a, b *Reply) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return t, err
}

// Message is a message of a [Thread].
type Message struct {
	From      Person // the requester, the replier or the commenter
	CreatedAt time.Time
	Content   Content
	Reply     *Reply   // nil if it is not a reply
	Comment   *Comment // nil if it is not a comment
}

// Messages returns the message that opened the ticket, which is neither a reply nor a comment, and then
// the replies and comments, oldest first.
func (t *Thread) Messages() []Message {
	if t == nil || t.Ticket == nil {
		return nil
	}
	messages := []Message{{From: t.Ticket.Requester, CreatedAt: t.Ticket.CreatedAt, Content: t.Ticket.Content}}
	for _, r := range t.Replies {
		messages = append(messages, Message{From: r.Replier, CreatedAt: r.CreatedAt, Content: r.Content, Reply: r})
	}
	for _, c := range t.Comments {
		messages = append(messages, Message{From: c.Commenter, CreatedAt: c.CreatedAt, Content: c.Content, Comment: c})
	}
	slices.SortStableFunc(messages[1:], func(a, b Message) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return messages
}

// Attachments returns the attachments of all messages.
func (t *Thread) Attachments() []Attachment {
	var all []Attachment
	for _, message := range t.Messages() {
		all = append(all, message.Content.Attachments...)
	}
	return all
}

// FirstResponse returns the first reply of an agent, or nil if there is none. A reply that is older
// than the ticket does not count: it was merged into it.
func (t *Thread) FirstResponse() *Reply {
	if t == nil || t.Ticket == nil {
		return nil
	}
	for _, reply := range t.Replies {
		if reply.Replier.Agent && !reply.CreatedAt.Before(t.Ticket.CreatedAt) {
			return reply
		}
	}
	return nil
}

// WaitingSince returns when the customer wrote first after the last reply of an agent: the creation
// time of the ticket if no agent has replied. If the last reply is an agent's, it is the time of that
// reply. Replies that are older than the ticket do not count, as in FirstResponse.
func (t *Thread) WaitingSince() time.Time {
	if t == nil || t.Ticket == nil {
		return time.Time{}
	}
	since, responded := t.Ticket.CreatedAt, false
	for _, reply := range t.Replies {
		if (reply.Replier.Agent || responded) && !reply.CreatedAt.Before(t.Ticket.CreatedAt) {
			since, responded = reply.CreatedAt, reply.Replier.Agent
		}
	}
	return since
}
