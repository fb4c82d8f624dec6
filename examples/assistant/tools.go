package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

const (
	callTimeout = 50 * time.Second // MCP clients usually wait for a minute
	maxChars    = 20_000           // of the messages in a result
	repeated    = "The ticket already has a message with this text. Nothing was written again. If another one is meant, change its text."
)

// arguments are those of all tools; texts.yaml says which a tool has. They have the names that the
// errors of the SDK give them.
type arguments struct {
	supportbee.TicketListOptions

	Query    string
	TicketID supportbee.TicketID
	From     int // the number of a message
	Text     string
	Replace  bool
}

// parse reads arguments one by one, so that an error names the one that is wrong, such as a time.
func parse(given map[string]json.RawMessage) (in arguments, err error) {
	for name, value := range given {
		if json.Unmarshal(fmt.Appendf(nil, "{%q: %s}", name, value), &in) != nil {
			return in, &supportbee.ArgumentError{Field: name, Reason: fmt.Sprintf("must not be %s; see the description of the tool", value)}
		}
	}
	return in, nil
}

func (a *assistant) search(ctx context.Context, in arguments) (any, error) {
	return outlines(a.client.Tickets.Search(ctx, in.Query, &supportbee.TicketSearchOptions{Page: in.Page, PerPage: in.PerPage}))
}

func (a *assistant) list(ctx context.Context, in arguments) (any, error) {
	return outlines(a.client.Tickets.List(ctx, &in.TicketListOptions))
}

func outlines(page *supportbee.TicketPage, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	for _, ticket := range page.Tickets {
		outline(ticket)
	}
	return page, nil
}

// outline removes what is long and says little, and the text, of which the summary is the beginning.
func outline(ticket *supportbee.Ticket) {
	ticket.Content, ticket.Submitter, ticket.Requester.Picture = supportbee.Content{}, nil, supportbee.Picture{}
}

type conversation struct {
	Ticket   *supportbee.Ticket `json:"ticket"`
	Draft    string             `json:"unsent_draft,omitempty"`
	Messages []message          `json:"messages"`
	NextFrom int                `json:"next_from,omitempty"` // the number of the first message that is left out
}

type message struct {
	Number int       `json:"number"`
	Kind   string    `json:"kind"`
	From   string    `json:"from"`
	At     time.Time `json:"at"`
	Text   string    `json:"text"`
	Files  []string  `json:"files,omitempty"`
}

// textOf returns the text of a message, or its HTML if it has no other.
func textOf(content supportbee.Content) string {
	return strings.TrimSpace(cmp.Or(content.Text, content.HTML))
}

func (a *assistant) get(ctx context.Context, in arguments) (any, error) {
	ticket, err := a.client.Tickets.Get(ctx, in.TicketID)
	if err != nil {
		return nil, err
	}
	thread, threadErr := a.client.Tickets.Thread(ctx, ticket)
	draft, draftErr := a.client.Drafts.Get(ctx, in.TicketID, &supportbee.DraftGetOptions{OmitQuote: true})
	if err := errors.Join(threadErr, draftErr); err != nil {
		return nil, err
	}
	messages := thread.Messages()
	outline(ticket)
	result := conversation{Ticket: ticket, Draft: textOf(draft.Content), Messages: []message{}}
	chars := 0
	for i := max(in.From, 1) - 1; i < len(messages); i++ {
		m := newMessage(i+1, messages[i])
		if chars += len([]rune(m.Text)); chars > maxChars && len(result.Messages) > 0 {
			result.NextFrom = m.Number
			break
		}
		result.Messages = append(result.Messages, m)
	}
	return result, nil
}

func newMessage(number int, of supportbee.Message) message {
	m := message{Number: number, Kind: "request", From: fmt.Sprintf("%s <%s>", of.From.Name, of.From.Email), At: of.CreatedAt, Text: textOf(of.Content)}
	switch {
	case of.Comment != nil:
		m.Kind = "internal comment"
	case of.Reply != nil && of.From.Agent:
		m.Kind = "reply of an agent"
	case of.Reply != nil:
		m.Kind = "reply of a customer"
	}
	if runes := []rune(m.Text); len(runes) > maxChars {
		m.Text = fmt.Sprintf("%s… [cut after %d of %d characters]", string(runes[:maxChars]), maxChars, len(runes))
	}
	for _, file := range of.Content.Attachments {
		m.Files = append(m.Files, file.Filename)
	}
	return m
}

var errOtherDraft = errors.New("other draft")

func (a *assistant) writeDraft(ctx context.Context, in arguments) (any, error) {
	params := supportbee.DraftParams{Content: supportbee.Text(in.Text)}
	old, err := a.client.Drafts.Get(ctx, in.TicketID, &supportbee.DraftGetOptions{OmitQuote: true})
	switch {
	case err != nil:
	case old.ID == 0:
		_, err = a.client.Drafts.Create(ctx, in.TicketID, params)
	case textOf(old.Content) != strings.TrimSpace(in.Text) && !in.Replace:
		err = errOtherDraft
	default:
		_, err = a.client.Drafts.Update(ctx, in.TicketID, params)
	}
	return a.note + "The draft is saved. It was not sent.", err
}

func (a *assistant) addComment(ctx context.Context, in arguments) (any, error) {
	params := supportbee.CommentParams{Content: supportbee.Text(in.Text)}
	equal, err := a.client.Comments.Find(ctx, in.TicketID, params, time.Time{})
	if err != nil || len(equal) > 0 {
		return repeated, err
	}
	// Since makes it find the message of a program that was killed. It takes equal calls for different
	// messages, so that one that a model repeats is looked for before.
	_, err = a.client.Comments.CreateOnce(ctx, in.TicketID, params, &supportbee.OnceOptions{Since: time.Unix(1, 0), Settle: a.settle})
	return a.note + "The comment was added.", err
}

func (a *assistant) sendReply(ctx context.Context, in arguments) (any, error) {
	params := supportbee.ReplyParams{Content: supportbee.Text(in.Text)}
	equal, err := a.client.Replies.Find(ctx, in.TicketID, params, time.Time{})
	if err != nil || len(equal) > 0 {
		return repeated, err
	}
	// A dry run checks the recipients at once. CreateOnce can wait for settle before it does.
	if _, err := a.client.With(supportbee.WithDryRun(nil)).Replies.Create(ctx, in.TicketID, params); err != nil {
		return nil, err
	}
	_, err = a.client.Replies.CreateOnce(ctx, in.TicketID, params, &supportbee.OnceOptions{Since: time.Unix(1, 0), Settle: a.settle})
	return a.note + "The reply was mailed to the requester and the CC of the ticket.", err
}
