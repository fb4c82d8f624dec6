package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

const unsettled = "not settled by this help desk"

var yes = map[bool]string{true: "yes", false: "no"}

// walk calls the operations. It ignores their errors: the checker counts those with a status, and the
// walk ends at the others.
type walk struct {
	*supportbee.Client
	tickets int // how many to look at in detail
	last    supportbee.Response
	answers []string // rows of the table of questions
	seconds float64  // until first responses, in all
	timed   int      // the number of first responses
}

// answer adds what this help desk says about a question that the description leaves open, unless the
// walk has ended.
func (w *walk) answer(ctx context.Context, question, format string, args ...any) {
	if ctx.Err() == nil {
		w.answers = append(w.answers, fmt.Sprintf("| %s | %s |", question, fmt.Sprintf(format, args...)))
	}
}

// read calls the operations that only read.
func (w *walk) read(ctx context.Context) error {
	sample := w.lists(ctx)
	for _, t := range sample[:min(len(sample), w.tickets)] {
		w.ticket(ctx, t.ID)
	}
	if i := slices.IndexFunc(sample, func(t *supportbee.Ticket) bool { return len(t.Content.Attachments) > 0 }); i >= 0 {
		_ = w.Attachments.Download(ctx, sample[i].Content.Attachments[0], io.Discard, &supportbee.DownloadOptions{MaxSize: 1 << 20})
	}
	w.people(ctx)
	_, _ = w.Snippets.List(ctx)
	_, _ = w.ForwardingAddresses.List(ctx)
	w.reports(ctx)
	once := w.With(supportbee.WithoutRetry()) // what is to fail
	_, _ = once.Tickets.Get(ctx, 999_999_999)
	_ = once.Do(ctx, http.MethodGet, "/tickets?since=nonsense", nil, nil)
	_, _ = once.With(supportbee.WithToken("wirecheck-has-no-token")).Labels.List(ctx)
	return context.Cause(ctx)
}

// list lists tickets in all states.
func (w *walk) list(ctx context.Context, opts supportbee.TicketListOptions) *supportbee.TicketPage {
	opts.PerPage, opts.Archived, opts.IncludeSpam, opts.IncludeTrash = cmp.Or(opts.PerPage, 100), supportbee.ArchivedAny, true, true
	page, err := w.Tickets.List(ctx, &opts)
	if err != nil {
		return &supportbee.TicketPage{}
	}
	return page
}

// lists settles what lists do, and returns a page of tickets.
func (w *walk) lists(ctx context.Context) []*supportbee.Ticket {
	page := w.list(ctx, supportbee.TicketListOptions{})
	text := fmt.Sprintf("%d tickets, and per_page %d", len(page.Tickets), page.PerPage)
	if page.Total < 100 {
		text = fmt.Sprintf("%s, which has fewer than 100 tickets; the response has per_page %d", unsettled, page.PerPage)
	}
	w.answer(ctx, "what per_page=100 gives", "%s", text)

	_, _ = w.Tickets.Count(ctx, nil)
	w.bounds(ctx, supportbee.SortByLastActivity, func(t *supportbee.Ticket) time.Time { return t.LastActivityAt })
	w.bounds(ctx, supportbee.SortByCreationTime, func(t *supportbee.Ticket) time.Time { return t.CreatedAt })

	one := w.list(ctx, supportbee.TicketListOptions{MaxReplies: new(1)}).Tickets
	none := func(t *supportbee.Ticket) bool { return t.RepliesCount == 0 }
	more := func(t *supportbee.Ticket) bool { return t.RepliesCount > 1 }
	switch {
	case slices.ContainsFunc(one, more):
		text = "neither: there are tickets with more replies"
	case slices.ContainsFunc(one, none):
		text = "a maximum: there are tickets without replies"
	case len(one) > 0 && slices.ContainsFunc(page.Tickets, none):
		text = "the exact number: there are no tickets without replies"
	default:
		text = unsettled
	}
	w.answer(ctx, "whether max_replies=1 is a maximum", "%s", text)
	_, _ = w.Tickets.Search(ctx, "a", nil)
	return page.Tickets
}

// bounds settles whether since and until include their time, by an order of tickets and the time that
// it goes by.
func (w *walk) bounds(ctx context.Context, order supportbee.TicketSort, at func(*supportbee.Ticket) time.Time) {
	for _, bound := range []string{"since", "until"} {
		text := unsettled
		if newest := w.list(ctx, supportbee.TicketListOptions{SortBy: order, PerPage: 1}).Tickets; len(newest) > 0 {
			limit := at(newest[0])
			opts := supportbee.TicketListOptions{SortBy: order, Since: limit}
			if bound == "until" {
				opts.Since, opts.Until = opts.Until, opts.Since
			}
			found := w.list(ctx, opts)
			again, err := w.Tickets.Get(ctx, newest[0].ID)
			if err == nil && at(again).Equal(limit) { // else it has changed
				text = yes[slices.ContainsFunc(found.Tickets, func(t *supportbee.Ticket) bool { return t.ID == again.ID })]
			}
		}
		w.answer(ctx, fmt.Sprintf("whether %s includes its time, by %s", bound, order), "%s", text)
	}
}

// ticket reads all of a ticket.
func (w *walk) ticket(ctx context.Context, id supportbee.TicketID) {
	ticket, _ := w.Tickets.Get(ctx, id)
	replies, _ := w.Replies.List(ctx, id)
	if len(replies) > 0 {
		_, _ = w.Replies.Get(ctx, id, replies[0].ID)
	}
	if first := (&supportbee.Thread{Ticket: ticket, Replies: replies}).FirstResponse(); first != nil {
		w.seconds += first.CreatedAt.Sub(ticket.CreatedAt).Seconds()
		w.timed++
	}
	_, _ = w.Comments.List(ctx, id)
	_, _ = w.Drafts.Get(ctx, id, nil)
	_, _ = w.Tickets.Audit(ctx, id)
}

func (w *walk) people(ctx context.Context) {
	for _, opts := range []*supportbee.UserListOptions{
		{IncludeInvited: true},
		{Roles: []supportbee.Role{supportbee.RoleCustomer}, Type: supportbee.UserTypeUser},
		{Roles: []supportbee.Role{supportbee.RoleCustomer}, Type: supportbee.UserTypeCustomerGroup},
	} {
		users, _ := w.Users.List(ctx, opts)
		for _, user := range users[:min(len(users), 3)] {
			_, _ = w.Users.Get(ctx, user.ID, nil)
			if user.Type == supportbee.UserTypeCustomerGroup {
				_, _ = w.Users.Members(ctx, user.ID)
			}
		}
	}
	teams, err := w.Teams.List(ctx, nil)
	filled, err2 := w.Teams.List(ctx, &supportbee.TeamListOptions{WithUsers: true})
	if err == nil && err2 == nil {
		users := slices.ContainsFunc(filled, func(t *supportbee.Team) bool { return len(t.Users) > 0 })
		w.answer(ctx, "what with_users=true gives", "fewer teams: %s; users in the teams: %s", yes[len(filled) < len(teams)], yes[users])
	}
}

func (w *walk) reports(ctx context.Context) {
	points, _ := w.Reports.AvgFirstResponseTime(ctx, nil)
	reported, text := 0.0, unsettled
	for _, p := range points {
		reported += p.Value
	}
	if ratio := w.seconds / float64(w.timed) / (reported / float64(len(points))); ratio > 0 && !math.IsInf(ratio, 0) {
		unit := int(math.Round(math.Log(ratio) / math.Log(60)))
		text = fmt.Sprintf("closest to %s, by %d tickets", []string{"seconds", "minutes", "hours"}[min(max(unit, 0), 2)], w.timed)
	}
	w.answer(ctx, "the unit of avg_first_response_time", "%s", text)
	_, _ = w.Reports.TicketsCount(ctx, nil)
	_, _ = w.Reports.RepliesCount(ctx, nil)
}

// write makes a ticket of its own, does to it what can be undone, and deletes it, also if ctx ends
// meanwhile.
func (w *walk) write(ctx context.Context, requester string) (err error) {
	content := supportbee.Text("This ticket is a test of the API. It can be deleted.")
	file, fileErr := w.Attachments.Upload(ctx, "wirecheck.txt", strings.NewReader("A test."), nil)
	params := supportbee.TicketParams{Subject: "Test by wirecheck", RequesterEmail: requester, Content: content}
	if fileErr == nil {
		params.Content = content.Attach(file.ID)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// Neither an interrupt nor a lost response is to leave a ticket whose ID is not known.
	createCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	ticket, err := w.Tickets.CreateOnce(createCtx, params, nil)
	if errors.Is(err, supportbee.ErrOutcomeUnknown) {
		return fmt.Errorf("a ticket %q of %s may remain: %w", params.Subject, requester, err)
	} else if err != nil {
		return err
	}
	id := ticket.ID
	defer func() {
		ctx := context.WithoutCancel(ctx)
		if failed := w.Tickets.Trash(ctx, id); failed != nil {
			err = errors.Join(err, fmt.Errorf("ticket %d remains: %w", id, failed))
		}
		_ = w.Tickets.Delete(ctx, id) // for admins only
	}()

	comment, err := w.Comments.Create(ctx, id, supportbee.CommentParams{Content: content})
	if err == nil { // the person of the token
		_, _ = w.Tickets.AssignUser(ctx, id, comment.Commenter.ID)
		_ = w.Tickets.UnassignUser(ctx, id)
	}
	if teams, _ := w.Teams.List(ctx, &supportbee.TeamListOptions{OnlyMine: true}); len(teams) > 0 {
		_, _ = w.Tickets.AssignTeam(ctx, id, teams[0].ID)
		_ = w.Tickets.UnassignTeam(ctx, id)
	}
	if fileErr == nil {
		_, err := w.Comments.Create(ctx, id, supportbee.CommentParams{Content: supportbee.ContentParams{}.Attach(file.ID)})
		w.answer(ctx, "whether attachments alone are a content", "%s, status %d", yes[err == nil], w.last.StatusCode)
	}
	w.labels(ctx, id)
	_, _ = w.Drafts.Create(ctx, id, supportbee.DraftParams{Content: content})
	_, _ = w.Drafts.Update(ctx, id, supportbee.DraftParams{Content: content})
	_, _ = w.Drafts.Get(ctx, id, nil)
	_ = w.Drafts.Delete(ctx, id)
	_, _ = w.Replies.Create(ctx, id, supportbee.ReplyParams{Content: content})
	for _, action := range []func(context.Context, supportbee.TicketID) error{
		w.Tickets.MarkAnswered, w.Tickets.MarkUnanswered, w.Tickets.Archive, w.Tickets.Unarchive,
		w.Tickets.MarkSpam, w.Tickets.UnmarkSpam, w.Tickets.Trash, w.Tickets.Untrash,
	} {
		_ = action(ctx, id)
	}
	w.ticket(ctx, id)
	return context.Cause(ctx)
}

// labels adds and removes labels, with unusual names if there are any.
func (w *walk) labels(ctx context.Context, id supportbee.TicketID) {
	all, _ := w.Labels.List(ctx)
	for _, kind := range []struct{ name, pattern string }{
		{"a usual name", `^\w+$`}, {`a "/"`, `/`}, {`a "."`, `\.`}, {"a space", ` `}, {"letters other than ASCII", `[^\x00-\x7F]`},
	} {
		matches := regexp.MustCompile(kind.pattern).MatchString
		if i := slices.IndexFunc(all, func(l *supportbee.Label) bool { return matches(l.Name) }); i >= 0 {
			_, err := w.Labels.Add(ctx, id, all[i].Name)
			w.answer(ctx, fmt.Sprintf("whether a label with %s can be added", kind.name), "%s, status %d", yes[err == nil], w.last.StatusCode)
			_ = w.Labels.Remove(ctx, id, all[i].Name)
		}
	}
}
