package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// class is the class of an operation, which decides what it may do after a fault.
type class string

const (
	read       class = "read"
	repeatable class = "repeatable write"
	create     class = "create"
	upload     class = "upload"
	download   class = "download"
)

// world is what an operation works on: a desk of its own.
type world struct {
	c    *supportbee.Client
	desk *supportbeetest.Desk
	dir  string

	ticket supportbee.TicketID
	agent  supportbee.UserID
	group  supportbee.UserID
	team   supportbee.TeamID
	snip   supportbee.SnippetID
	rule   supportbee.RuleID
	does   supportbee.ConsequenceID
	file   supportbee.Attachment
}

const label = "very important"

func newWorld(desk *supportbeetest.Desk, c *supportbee.Client, dir string) *world {
	return &world{
		c: c, desk: desk, dir: dir,
		agent: desk.User(supportbeetest.AgentEmail).ID, team: desk.Team("Support").ID, snip: desk.Snippets()[0].ID,
		ticket: desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle", Text: "It is blue."}),
		group:  desk.AddUser(supportbeetest.UserSeed{Type: supportbee.UserTypeCustomerGroup, Name: "G"}),
	}
}

// operation is an operation of the SDK.
type operation struct {
	name   string // the desk's name of the request that gets the faults
	class  class
	before func(*world) error // prepares the desk, without faults; may be nil
	call   func(context.Context, *world) (any, error)
	count  func(*world) int // how often a write is carried out, as the desk's state shows; nil for reads
}

func result[T any](v T, err error) (any, error) { return v, err }

func errOf(_ any, err error) error { return err }

// stored returns the number of values in a part of the desk's state.
func (w *world) stored(part string) int {
	var state bytes.Buffer
	var parts map[string]json.RawMessage
	if err := errors.Join(w.desk.Save(&state), json.Unmarshal(state.Bytes(), &parts)); err != nil {
		panic(err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(parts[part], &members) == nil {
		return len(members)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(parts[part], &list); err != nil {
		panic(err)
	}
	return len(list)
}

func (w *world) now() *supportbee.Ticket { return w.desk.Ticket(w.ticket) }

type (
	service = *supportbee.TicketsService
	act     = func(service, context.Context, supportbee.TicketID) error
)

// reads is an operation without effects, on what before adds to the desk.
func reads(name string, before func(*world) error, call func(context.Context, *world) (any, error)) operation {
	return operation{name: name, class: read, before: before, call: call}
}

// changes is a write that changes a ticket, which undo, if it is not nil, has changed before.
func changes(name string, undo, do act, isSet func(*supportbee.Ticket) bool) operation {
	return writes(name, func(w *world) error {
		if undo == nil {
			return nil
		}
		return undo(w.c.Tickets, context.Background(), w.ticket)
	}, func(ctx context.Context, w *world) (any, error) {
		return nil, do(w.c.Tickets, ctx, w.ticket)
	}, func(w *world) bool { return isSet(w.now()) })
}

// writes is a write that can be repeated.
func writes(name string, before func(*world) error, call func(context.Context, *world) (any, error), carried func(*world) bool) operation {
	return operation{name: name, class: repeatable, before: before, call: call, count: func(w *world) int {
		if carried(w) {
			return 1
		}
		return 0
	}}
}

// creates is a write that must not be repeated.
func creates(name string, before func(*world) error, call func(context.Context, *world) (any, error), count func(*world) int) operation {
	return operation{name: name, class: create, before: before, call: call, count: count}
}

// What some operations need.
var (
	saveDraft = func(w *world) error {
		return errOf(w.c.Drafts.Create(context.Background(), w.ticket, supportbee.DraftParams{Content: supportbee.Text("first")}))
	}
	addLabel  = func(w *world) error { return errOf(w.c.Labels.Add(context.Background(), w.ticket, label)) }
	addMember = func(w *world) error {
		return errOf(w.c.Users.AddMember(context.Background(), w.group, supportbee.MemberParams{UserID: w.agent}))
	}
	assignUser = func(w *world) error { return errOf(w.c.Tickets.AssignUser(context.Background(), w.ticket, w.agent)) }
	assignTeam = func(w *world) error { return errOf(w.c.Tickets.AssignTeam(context.Background(), w.ticket, w.team)) }
	addReply   = func(w *world) error { w.desk.AddReply(w.ticket, w.agent, "Sorry."); return nil }
	addComment = func(w *world) error { w.desk.AddComment(w.ticket, w.agent, "Again."); return nil }
	addFilter  = func(w *world) error {
		rule, err := w.c.Filters.CreateRule(context.Background(), supportbee.RuleParams{Subject: "x"})
		if err != nil {
			return err
		}
		does, err := w.c.Filters.CreateConsequence(context.Background(), supportbee.ConsequenceParams{Archive: true})
		if err != nil {
			return err
		}
		w.rule, w.does = rule.ID, does.ID
		return nil
	}
	addFile = func(w *world) error {
		id := w.desk.AddFile("a.txt", "text/plain", []byte(strings.Repeat("kettle ", 1000)))
		ticket, err := w.c.Tickets.Get(context.Background(), w.desk.AddTicket(supportbeetest.TicketSeed{Subject: "Picture", Text: "See below.", AttachmentIDs: []supportbee.AttachmentID{id}}))
		if err == nil {
			w.file = ticket.Content.Attachments[0]
		}
		return err
	}
)

// downloadFile downloads a file to the disk and returns its content.
func downloadFile(ctx context.Context, w *world) (any, error) {
	path := filepath.Join(w.dir, "downloaded")
	defer func() { _ = os.Remove(path) }()
	if err := w.c.Attachments.DownloadFile(ctx, w.file, path, &supportbee.DownloadOptions{MaxSize: 1 << 16}); err != nil {
		return nil, err
	}
	return result(os.ReadFile(path))
}

// operations are those of openapi.yaml, and the download of attachments.
var operations = []operation{
	reads("Tickets.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Tickets.List(ctx, nil)) }),
	reads("Tickets.Search", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Tickets.Search(ctx, "kettle", nil))
	}),
	reads("Tickets.Get", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Tickets.Get(ctx, w.ticket)) }),
	reads("Tickets.Audit", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Tickets.Audit(ctx, w.ticket)) }),
	reads("Drafts.Get", saveDraft, func(ctx context.Context, w *world) (any, error) { return result(w.c.Drafts.Get(ctx, w.ticket, nil)) }),
	reads("Replies.List", addReply, func(ctx context.Context, w *world) (any, error) { return result(w.c.Replies.List(ctx, w.ticket)) }),
	reads("Replies.Get", addReply, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Replies.Get(ctx, w.ticket, w.desk.Replies(w.ticket)[0].ID))
	}),
	reads("Comments.List", addComment, func(ctx context.Context, w *world) (any, error) { return result(w.c.Comments.List(ctx, w.ticket)) }),
	reads("Users.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Users.List(ctx, nil)) }),
	reads("Users.Get", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Users.Get(ctx, w.agent, nil)) }),
	reads("Users.Members", addMember, func(ctx context.Context, w *world) (any, error) { return result(w.c.Users.Members(ctx, w.group)) }),
	reads("Teams.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Teams.List(ctx, nil)) }),
	reads("Labels.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Labels.List(ctx)) }),
	reads("Snippets.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Snippets.List(ctx)) }),
	reads("ForwardingAddresses.List", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.ForwardingAddresses.List(ctx)) }),
	reads("Reports.AvgFirstResponseTime", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Reports.AvgFirstResponseTime(ctx, nil))
	}),
	reads("Reports.TicketsCount", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Reports.TicketsCount(ctx, nil)) }),
	reads("Reports.RepliesCount", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Reports.RepliesCount(ctx, nil)) }),

	changes("Tickets.Archive", nil, service.Archive, func(t *supportbee.Ticket) bool { return t.Archived }),
	changes("Tickets.Unarchive", service.Archive, service.Unarchive, func(t *supportbee.Ticket) bool { return !t.Archived }),
	changes("Tickets.MarkAnswered", nil, service.MarkAnswered, func(t *supportbee.Ticket) bool { return !t.Unanswered }),
	changes("Tickets.MarkUnanswered", service.MarkAnswered, service.MarkUnanswered, func(t *supportbee.Ticket) bool { return t.Unanswered }),
	changes("Tickets.MarkSpam", nil, service.MarkSpam, func(t *supportbee.Ticket) bool { return t.Spam }),
	changes("Tickets.UnmarkSpam", service.MarkSpam, service.UnmarkSpam, func(t *supportbee.Ticket) bool { return !t.Spam }),
	changes("Tickets.Trash", nil, service.Trash, func(t *supportbee.Ticket) bool { return t.Trash }),
	changes("Tickets.Untrash", service.Trash, service.Untrash, func(t *supportbee.Ticket) bool { return !t.Trash }),
	changes("Tickets.Delete", service.Trash, service.Delete, func(t *supportbee.Ticket) bool { return t == nil }),
	writes("Tickets.AssignUser", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Tickets.AssignUser(ctx, w.ticket, w.agent))
	}, func(w *world) bool { return w.now().AssignedUser != nil }),
	writes("Tickets.UnassignUser", assignUser, func(ctx context.Context, w *world) (any, error) { return nil, w.c.Tickets.UnassignUser(ctx, w.ticket) }, func(w *world) bool { return w.now().AssignedUser == nil }),
	writes("Tickets.AssignTeam", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Tickets.AssignTeam(ctx, w.ticket, w.team))
	}, func(w *world) bool { return w.now().AssignedTeam != nil }),
	writes("Tickets.UnassignTeam", assignTeam, func(ctx context.Context, w *world) (any, error) { return nil, w.c.Tickets.UnassignTeam(ctx, w.ticket) }, func(w *world) bool { return w.now().AssignedTeam == nil }),
	writes("Labels.Add", nil, func(ctx context.Context, w *world) (any, error) { return result(w.c.Labels.Add(ctx, w.ticket, label)) }, func(w *world) bool { return len(w.now().Labels) == 1 }),
	writes("Labels.Remove", addLabel, func(ctx context.Context, w *world) (any, error) { return nil, w.c.Labels.Remove(ctx, w.ticket, label) }, func(w *world) bool { return len(w.now().Labels) == 0 }),
	writes("Drafts.Update", saveDraft, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Drafts.Update(ctx, w.ticket, supportbee.DraftParams{Content: supportbee.Text("second")}))
	}, func(w *world) bool { return w.desk.Draft(w.ticket).Content.Text == "second" }),
	writes("Drafts.Delete", saveDraft, func(ctx context.Context, w *world) (any, error) { return nil, w.c.Drafts.Delete(ctx, w.ticket) }, func(w *world) bool { return !w.now().Draft }),
	writes("Users.Update", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Users.Update(ctx, w.agent, supportbee.UserUpdateParams{Name: new("B")}))
	}, func(w *world) bool { return w.desk.User(supportbeetest.AgentEmail).Name == "B" }),
	writes("Snippets.Update", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Snippets.Update(ctx, w.snip, supportbee.SnippetUpdateParams{Name: new("S")}))
	}, func(w *world) bool { return w.desk.Snippets()[0].Name == "S" }),
	writes("Snippets.Delete", nil, func(ctx context.Context, w *world) (any, error) { return nil, w.c.Snippets.Delete(ctx, w.snip) }, func(w *world) bool { return w.desk.Snippets()[0].ID != w.snip }),

	creates("Tickets.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Tickets.Create(ctx, supportbee.TicketParams{Subject: "S", RequesterEmail: "ann@example.com", Content: supportbee.Text("T")}))
	}, func(w *world) int { return len(w.desk.Tickets()) }),
	creates("Replies.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Replies.Create(ctx, w.ticket, supportbee.ReplyParams{Content: supportbee.Text("R")}))
	}, func(w *world) int { return len(w.desk.Replies(w.ticket)) }),
	creates("Comments.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Comments.Create(ctx, w.ticket, supportbee.CommentParams{Content: supportbee.Text("C")}))
	}, func(w *world) int { return len(w.desk.Comments(w.ticket)) }),
	creates("Drafts.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Drafts.Create(ctx, w.ticket, supportbee.DraftParams{Content: supportbee.Text("D")}))
	}, func(w *world) int {
		if w.now().Draft {
			return 1
		}
		return 0
	}),
	creates("Users.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Users.Create(ctx, supportbee.UserParams{Email: "n@acme.example", Name: "N", Role: supportbee.RoleAgent}))
	}, func(w *world) int { return len(w.desk.Users()) }),
	creates("Users.AddMember", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Users.AddMember(ctx, w.group, supportbee.MemberParams{UserID: w.agent}))
	}, func(w *world) int { return len(w.desk.Members(w.group)) }),
	creates("Snippets.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Snippets.Create(ctx, supportbee.SnippetParams{Name: "S", Content: supportbee.Text("x")}))
	}, func(w *world) int { return len(w.desk.Snippets()) }),
	creates("ForwardingAddresses.Create", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{Email: "s@acme.example"}))
	}, func(w *world) int { return len(w.desk.ForwardingAddresses()) }),
	creates("Filters.CreateRule", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Filters.CreateRule(ctx, supportbee.RuleParams{Subject: "x"}))
	}, func(w *world) int { return w.stored("rules") }),
	creates("Filters.CreateConsequence", nil, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{Archive: true}))
	}, func(w *world) int { return w.stored("consequences") }),
	creates("Filters.Create", addFilter, func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Filters.Create(ctx, supportbee.FilterParams{RuleID: w.rule, ConsequenceID: w.does}))
	}, func(w *world) int { return len(w.desk.Filters()) }),
	{name: "Attachments.Upload", class: upload, call: func(ctx context.Context, w *world) (any, error) {
		return result(w.c.Attachments.UploadFile(ctx, filepath.Join(w.dir, "kettle.txt"), nil))
	}, count: func(w *world) int { return w.stored("attachments") }},

	// The second request of a download goes to the storage.
	{name: "Attachments.Download", class: download, before: addFile, call: downloadFile},
	{name: "Attachments.Storage", class: download, before: addFile, call: downloadFile},
}
