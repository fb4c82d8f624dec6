package main

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee"
)

const (
	callTimeout = 50 * time.Second // MCP clients usually wait for a minute
	maxChars    = 20_000           // of the messages in a result
	repeated    = "The ticket already has a message with this text. Nothing was written again. If another one is meant, change its text."
)

//go:embed texts.yaml
var textsFile []byte

// texts are for a model. The tools are by name, the errors by outcome.
var texts struct {
	Instructions string
	DryRun       string `json:"dry_run"`
	Tools        map[string]mcp.Tool
	Errors       map[string]string
}

func init() {
	var file any
	err := yaml.Unmarshal(textsFile, &file)
	data, jsonErr := json.Marshal(file) // the tags of the MCP SDK are for JSON
	if err := errors.Join(err, jsonErr, json.Unmarshal(data, &texts)); err != nil {
		panic(err)
	}
}

type config struct {
	client                         *supportbee.Client
	settle                         time.Duration
	readOnly, allowReplies, dryRun bool
	log                            *slog.Logger
}

// assistant is an MCP server with the tools.
type assistant struct {
	*mcp.Server
	config
	calls   *prometheus.CounterVec
	writing sync.Mutex // held by one write at a time
}

// arguments are those of all tools; texts.yaml says which a tool has.
type arguments struct {
	TicketID     supportbee.TicketID     `json:"ticket_id"`
	Text         string                  `json:"text"`
	Replace      bool                    `json:"replace"`
	From         int                     `json:"from"`
	Query        string                  `json:"query"`
	Page         int                     `json:"page"`
	PerPage      int                     `json:"per_page"`
	Label        string                  `json:"label"`
	AssignedUser supportbee.AssignedUser `json:"assigned_user"`
	AssignedTeam supportbee.AssignedTeam `json:"assigned_team"`
	Requester    string                  `json:"requester"`
	Archived     supportbee.Archived     `json:"archived"`
	Since        time.Time               `json:"since"`
	Until        time.Time               `json:"until"`
}

func newAssistant(cfg config) *assistant {
	about := texts.Instructions
	if cfg.dryRun {
		about += texts.DryRun
	}
	opts := &mcp.ServerOptions{Instructions: about, Capabilities: &mcp.ServerCapabilities{}}
	total := prometheus.CounterOpts{Name: "assistant_calls_total", Help: "Calls of tools."}
	a := &assistant{
		Server: mcp.NewServer(&mcp.Implementation{Name: "supportbee-assistant", Version: supportbee.Version}, opts),
		config: cfg, calls: prometheus.NewCounterVec(total, []string{"tool", "outcome"}),
	}
	a.add("search_tickets", a.search)
	a.add("list_tickets", a.list)
	a.add("get_ticket", a.get)
	if cfg.readOnly {
		return a
	}
	a.add("write_draft", a.writeDraft)
	a.add("add_comment", a.addComment)
	if cfg.allowReplies {
		a.add("send_reply", a.sendReply)
	}
	return a
}

// add adds a tool whose result is JSON. Logs and metrics have no arguments or results.
func (a *assistant) add(name string, f func(context.Context, arguments) (any, error)) {
	tool := texts.Tools[name]
	tool.Name = name
	mcp.AddTool(a.Server, &tool, func(ctx context.Context, _ *mcp.CallToolRequest, in arguments) (*mcp.CallToolResult, any, error) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		result, err := f(ctx, in)
		outcome, message := explain(err)
		a.calls.WithLabelValues(name, outcome).Inc()
		a.log.Info("call", "tool", name, "outcome", outcome, "duration", time.Since(start))
		if err != nil {
			return nil, nil, errors.New(message)
		}
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		err = encoder.Encode(result)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: visible(text.String())}}}, nil, err
	})
}

// visible removes what a reader would not see: format characters, variation selectors and tags, in
// which instructions can be hidden. It keeps the joiners of scripts and emoji.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\u200c' && r != '\u200d' && r != '\n' && !unicode.IsGraphic(r) || r >= 0xE0000 && r <= 0xE0FFF {
			return -1
		}
		return r
	}, text)
}

var errOtherDraft = errors.New("other draft")

// explain returns the kind of an error for logs and metrics, and what the model is to do about it.
func explain(err error) (outcome, message string) {
	if err == nil {
		return "ok", ""
	}
	outcome = "failed"
	for _, kind := range []error{
		context.Canceled, supportbee.ErrValidation, supportbee.ErrConflict, supportbee.ErrAccessDenied, supportbee.ErrRateLimited,
		supportbee.ErrNotFound, errOtherDraft, supportbee.ErrInvalidArgument, supportbee.ErrRecipientNotAllowed, supportbee.ErrOutcomeUnknown,
	} { // the last that matches counts
		if errors.Is(err, kind) {
			outcome = strings.ReplaceAll(kind.Error(), " ", "_")
		}
	}
	apiErr, argErr := &supportbee.Error{}, &supportbee.ArgumentError{}
	errors.As(err, &apiErr)
	errors.As(err, &argErr)
	return outcome, strings.NewReplacer(
		"{argument}", argErr.Field+" "+argErr.Reason,
		"{message}", strconv.Quote(visible(apiErr.Message)),
		"{seconds}", fmt.Sprint(math.Ceil(cmp.Or(apiErr.RetryAfter, time.Minute).Seconds())),
	).Replace(texts.Errors[outcome])
}

func (a *assistant) search(ctx context.Context, in arguments) (any, error) {
	return outlines(a.client.Tickets.Search(ctx, in.Query, &supportbee.TicketSearchOptions{Page: in.Page, PerPage: in.PerPage}))
}

func (a *assistant) list(ctx context.Context, in arguments) (any, error) {
	return outlines(a.client.Tickets.List(ctx, &supportbee.TicketListOptions{
		Page: in.Page, PerPage: in.PerPage, Label: in.Label, RequesterEmails: strings.Fields(in.Requester), Archived: in.Archived,
		AssignedUser: in.AssignedUser, AssignedTeam: in.AssignedTeam, Since: in.Since, Until: in.Until,
	}))
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
	Count    int                `json:"messages_count"`
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

func newMessage(kind string, from supportbee.Person, at time.Time, content supportbee.Content) message {
	m := message{Kind: kind, From: fmt.Sprintf("%s <%s>", from.Name, from.Email), At: at, Text: textOf(content)}
	if runes := []rune(m.Text); len(runes) > maxChars {
		m.Text = fmt.Sprintf("%s… [cut after %d of %d characters]", string(runes[:maxChars]), maxChars, len(runes))
	}
	for _, file := range content.Attachments {
		m.Files = append(m.Files, file.Filename)
	}
	return m
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
	replies, repliesErr := a.client.Replies.List(ctx, in.TicketID)
	comments, commentsErr := a.client.Comments.List(ctx, in.TicketID)
	draft, draftErr := a.client.Drafts.Get(ctx, in.TicketID, &supportbee.DraftGetOptions{OmitQuote: true})
	if err := errors.Join(repliesErr, commentsErr, draftErr); err != nil {
		return nil, err
	}
	messages := []message{newMessage("request", ticket.Requester, ticket.CreatedAt, ticket.Content)}
	for _, r := range replies {
		kind := map[bool]string{true: "reply of an agent", false: "reply of a customer"}[r.Replier.Agent]
		messages = append(messages, newMessage(kind, r.Replier, r.CreatedAt, r.Content))
	}
	for _, c := range comments {
		messages = append(messages, newMessage("internal comment", c.Commenter, c.CreatedAt, c.Content))
	}
	slices.SortStableFunc(messages[1:], func(a, b message) int { return a.At.Compare(b.At) })
	outline(ticket)
	result := conversation{Ticket: ticket, Draft: textOf(draft.Content), Count: len(messages), Messages: []message{}}
	chars := 0
	for i := max(in.From, 1) - 1; i < len(messages); i++ {
		chars += len([]rune(messages[i].Text))
		if chars > maxChars && len(result.Messages) > 0 {
			result.NextFrom = i + 1
			break
		}
		messages[i].Number = i + 1
		result.Messages = append(result.Messages, messages[i])
	}
	return result, nil
}

func (a *assistant) writeDraft(ctx context.Context, in arguments) (any, error) {
	params := supportbee.DraftParams{Content: supportbee.Text(in.Text)}
	return a.write(ctx, func(ctx context.Context) (string, error) {
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
		return "The draft is saved. It was not sent.", err
	})
}

func (a *assistant) addComment(ctx context.Context, in arguments) (any, error) {
	params := supportbee.CommentParams{Content: supportbee.Text(in.Text)}
	return a.write(ctx, func(ctx context.Context) (string, error) {
		equal, err := a.client.Comments.Find(ctx, in.TicketID, params, time.Time{})
		if err != nil || len(equal) > 0 {
			return repeated, err
		}
		_, err = a.client.Comments.CreateOnce(ctx, in.TicketID, params, a.once())
		return "The comment was added.", err
	})
}

func (a *assistant) sendReply(ctx context.Context, in arguments) (any, error) {
	params := supportbee.ReplyParams{Content: supportbee.Text(in.Text)}
	return a.write(ctx, func(ctx context.Context) (string, error) {
		equal, err := a.client.Replies.Find(ctx, in.TicketID, params, time.Time{})
		if err != nil || len(equal) > 0 {
			return repeated, err
		}
		_, err = a.client.Replies.CreateOnce(ctx, in.TicketID, params, a.once())
		return "The reply was mailed to the requester and the CC of the ticket.", err
	})
}

// once makes CreateOnce find the message of a program that was killed, whatever its age. It takes equal
// calls for different messages, so that one that a model repeats is looked for before.
func (a *assistant) once() *supportbee.OnceOptions {
	return &supportbee.OnceOptions{Since: time.Unix(1, 0), Settle: a.settle}
}

// write runs f, one at a time. It is not interrupted when the client cancels the call or the program
// stops, since nobody would then know whether the text was written.
func (a *assistant) write(ctx context.Context, f func(context.Context) (string, error)) (string, error) {
	a.writing.Lock()
	defer a.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	result, err := f(ctx)
	if a.dryRun {
		result = "This is a dry run, nothing was written. Otherwise: " + result
	}
	return result, err
}
