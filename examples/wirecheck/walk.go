package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// walk calls the operations. It ignores their errors: the check records those with a status, and
// ends the context at the others.
type walk struct {
	*supportbee.Client
	check   *check
	tickets int // how many to look at in detail
	begun   bool
	ended   func() error // not nil if no response can be used
	answers []answer
	actions map[string]int // of audit trails
	seconds []float64      // until first responses
}

// answer is what this help desk says about a question that the description leaves open.
type answer struct {
	question, text string
	reply          *reply // is shown in place of text, when all that must be hidden is known
}

const unsettled = "not settled by this help desk"

func (w *walk) answer(question, format string, args ...any) {
	if w.ended() == nil {
		w.answers = append(w.answers, answer{question: question, text: fmt.Sprintf(format, args...)})
	}
}

// settleWithMembers settles a question with the names of the members of the last response.
func (w *walk) settleWithMembers(question string) {
	last := w.check.last
	w.answers = append(w.answers, answer{question: question, reply: &last})
}

// read calls the operations that only read.
func (w *walk) read(ctx context.Context) error {
	if _, err := w.Labels.List(ctx); errors.Is(err, supportbee.ErrAccessDenied) || ctx.Err() != nil {
		return cmp.Or(context.Cause(ctx), err) // all others would fail, too
	}
	w.begun = true
	sample := w.lists(ctx)
	for _, t := range sample[:min(len(sample), w.tickets)] {
		w.ticket(ctx, t.ID)
	}
	w.answer("actions of audit trails", "%s", cmp.Or(counts(w.actions), unsettled))
	for _, t := range sample {
		if len(t.Content.Attachments) > 0 {
			err := w.Attachments.Download(ctx, t.Content.Attachments[0], io.Discard, &supportbee.DownloadOptions{MaxSize: 1 << 20})
			if err == nil || errors.Is(err, supportbee.ErrResponseTooLarge) {
				w.answer("whether a download is redirected to another host", "%s", yes(w.check.last.moved))
			}
			break
		}
	}
	w.people(ctx)
	_, _ = w.Snippets.List(ctx)
	if _, err := w.ForwardingAddresses.List(ctx); err == nil {
		w.settleWithMembers("the key of GET /emails")
	}
	w.reports(ctx)
	w.failures(ctx)
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
	w.answer("what per_page=100 gives", "%s", text)

	var labels []supportbee.Label
	for _, t := range page.Tickets {
		labels = append(labels, t.Labels...)
	}
	if text = unsettled; len(labels) > 0 {
		text = yes(slices.ContainsFunc(labels, func(l supportbee.Label) bool { return l.ID != 0 }))
	}
	w.answer("whether labels on tickets have an ID", "%s", text)

	if _, err := w.Tickets.Count(ctx, nil); err == nil {
		w.settleWithMembers("members with total_only=true")
	}
	for _, order := range []supportbee.TicketSort{supportbee.SortByLastActivity, supportbee.SortByCreationTime} {
		w.bounds(ctx, order)
	}

	replies := func(test func(int) bool) func(*supportbee.Ticket) bool {
		return func(t *supportbee.Ticket) bool { return test(t.RepliesCount) }
	}
	one := w.list(ctx, supportbee.TicketListOptions{MaxReplies: new(1)}).Tickets
	none, more := replies(func(n int) bool { return n == 0 }), replies(func(n int) bool { return n > 1 })
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
	w.answer("whether max_replies=1 is a maximum", "%s", text)
	_, _ = w.Tickets.Search(ctx, "a", nil)
	return page.Tickets
}

// bounds settles whether since and until include their time.
func (w *walk) bounds(ctx context.Context, order supportbee.TicketSort) {
	at := func(t *supportbee.Ticket) time.Time {
		if order == supportbee.SortByCreationTime {
			return t.CreatedAt
		}
		return t.LastActivityAt
	}
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
				text = yes(slices.ContainsFunc(found.Tickets, func(t *supportbee.Ticket) bool { return t.ID == again.ID }))
			}
		}
		w.answer(fmt.Sprintf("whether %s includes its time, by %s", bound, order), "%s", text)
	}
}

// ticket reads all of a ticket.
func (w *walk) ticket(ctx context.Context, id supportbee.TicketID) {
	ticket, err := w.Tickets.Get(ctx, id)
	replies, _ := w.Replies.List(ctx, id)
	if len(replies) > 0 {
		_, _ = w.Replies.Get(ctx, id, replies[0].ID)
	}
	first := slices.IndexFunc(replies, func(r *supportbee.Reply) bool { return r.Replier.Agent })
	if err == nil && first >= 0 {
		w.seconds = append(w.seconds, replies[first].CreatedAt.Sub(ticket.CreatedAt).Seconds())
	}
	_, _ = w.Comments.List(ctx, id)
	_, _ = w.Drafts.Get(ctx, id, nil)
	trail, _ := w.Tickets.Audit(ctx, id)
	for _, entry := range trail {
		w.actions[showAction(entry.Action)]++
	}
}

// actionWords are what is shown of the actions of audit trails, which can hold names.
var actionWords = strings.Fields(`a added and answered archived as assigned assignee attached attachment by changed comment
	commented created customer deleted draft edited forwarded from group in label labeled labelled marked merged moved
	not of on opened owner rated received removed replied reply requester saved sent snoozed spam spammed split starred
	subject team the ticket to trash trashed unanswered unarchived unassigned unlabeled unlabelled unsnoozed unspammed
	unstarred untrashed updated user with`)

func showAction(action string) string {
	shown := strings.Fields(action)
	for i, word := range shown {
		if !slices.Contains(actionWords, strings.ToLower(word)) {
			shown[i] = "…"
		}
	}
	return strings.Join(slices.Compact(shown), " ")
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
		w.answer("what with_users=true gives", "fewer teams: %s; users in the teams: %s", yes(len(filled) < len(teams)), yes(users))
	}
}

func (w *walk) reports(ctx context.Context) {
	points, _ := w.Reports.AvgFirstResponseTime(ctx, nil)
	var reported []float64
	for _, p := range points {
		reported = append(reported, p.Value)
	}
	text := unsettled
	if ratio := mean(w.seconds) / mean(reported); ratio > 0 && !math.IsInf(ratio, 0) {
		unit := int(math.Round(math.Log(ratio) / math.Log(60)))
		text = fmt.Sprintf("closest to %s, by %d tickets", []string{"seconds", "minutes", "hours"}[min(max(unit, 0), 2)], len(w.seconds))
	}
	w.answer("the unit of avg_first_response_time", "%s", text)
	_, _ = w.Reports.TicketsCount(ctx, nil)
	_, _ = w.Reports.RepliesCount(ctx, nil)
}

// failures settles what errors look like.
func (w *walk) failures(ctx context.Context) {
	once := w.With(supportbee.WithoutRetry())
	for _, failure := range []struct {
		of   string
		call func() error
	}{
		{"an unknown ticket", func() error { _, err := once.Tickets.Get(ctx, 999_999_999); return err }},
		{"a malformed since", func() error {
			return once.Do(context.WithValue(ctx, asOp{}, "Tickets.List"), http.MethodGet, "/tickets?since=nonsense", nil, nil)
		}},
		{"a bad token", func() error {
			_, err := once.With(supportbee.WithToken("wirecheck-has-no-token")).Labels.List(ctx)
			return err
		}},
	} {
		var apiErr *supportbee.Error
		if err := failure.call(); err == nil || errors.As(err, &apiErr) && apiErr.StatusCode > 0 {
			w.answer("the response to "+failure.of, "status %d, %s", w.check.last.status, w.check.last.form)
		}
	}
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
	ticket, err := w.Tickets.Create(ctx, params)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
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
		w.answer("whether attachments alone are a content", "%s, status %d", yes(err == nil), w.check.last.status)
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
	kinds := map[string]*supportbee.Label{}
	for _, l := range all {
		for kind, characters := range map[string]string{`a "/"`: "/", `a "."`: ".", "a space": " "} {
			if strings.Contains(l.Name, characters) {
				kinds[kind] = l
			}
		}
		if strings.ContainsFunc(l.Name, func(r rune) bool { return r > 127 }) {
			kinds["letters other than ASCII"] = l
		}
	}
	if len(kinds) == 0 && len(all) > 0 {
		kinds["a usual name"] = all[0]
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		_, err := w.Labels.Add(ctx, id, kinds[kind].Name)
		w.answer(fmt.Sprintf("whether a label with %s can be added", kind), "%s, status %d", yes(err == nil), w.check.last.status)
		_ = w.Labels.Remove(ctx, id, kinds[kind].Name)
	}
}

func mean(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total / float64(len(values))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
