package supportbeetest

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/supportbee-go/supportbee"
)

// The assertions below report a failure with [testing.TB.Errorf], and return whether they hold. Those
// about the history, which are AssertMailed, AssertRequests and AssertNoWrites, fail if the history has
// dropped entries; see [WithHistoryLimit].

// AssertReplies checks that a ticket has one reply of an agent for each text, which contains it, in
// this order, and no others. Without texts, it checks that no agent has replied.
func (s *Desk) AssertReplies(tb testing.TB, ticket supportbee.TicketID, texts ...string) bool {
	tb.Helper()
	var got []string
	for _, reply := range s.Replies(ticket) {
		if reply.Replier.Agent {
			got = append(got, reply.Content.Text)
		}
	}
	return s.assertTexts(tb, ticket, "replies of agents", got, texts)
}

// AssertComments checks the comments of a ticket like [Desk.AssertReplies].
func (s *Desk) AssertComments(tb testing.TB, ticket supportbee.TicketID, texts ...string) bool {
	tb.Helper()
	var got []string
	for _, comment := range s.Comments(ticket) {
		got = append(got, comment.Content.Text)
	}
	return s.assertTexts(tb, ticket, "comments", got, texts)
}

func (s *Desk) assertTexts(tb testing.TB, ticket supportbee.TicketID, what string, got, want []string) bool {
	tb.Helper()
	if s.Ticket(ticket) == nil {
		tb.Errorf("ticket %d does not exist, want %s that contain %q", ticket, what, want)
		return false
	}
	if !slices.EqualFunc(got, want, strings.Contains) {
		tb.Errorf("%s of ticket %d are %q, want %d that contain %q", what, ticket, got, len(want), want)
		return false
	}
	return true
}

// AssertLabels checks that a ticket has exactly the labels, in any order.
func (s *Desk) AssertLabels(tb testing.TB, ticket supportbee.TicketID, names ...string) bool {
	tb.Helper()
	t := s.Ticket(ticket)
	if t == nil {
		tb.Errorf("ticket %d does not exist, want labels %q", ticket, names)
		return false
	}
	var got []string
	for _, l := range t.Labels {
		got = append(got, l.Name)
	}
	if !equalInAnyOrder(got, names) {
		tb.Errorf("labels of ticket %d are %q, want %q", ticket, got, names)
		return false
	}
	return true
}

// AssertMailed checks that exactly the addresses were sent mail, in any order. An address that was
// sent several mails must be given as often. See [Desk.Outbox].
func (s *Desk) AssertMailed(tb testing.TB, addresses ...string) bool {
	tb.Helper()
	if !s.assertWholeHistory(tb) {
		return false
	}
	var got []string
	for _, m := range s.Outbox() {
		got = append(got, m.To)
	}
	if !equalInAnyOrder(got, addresses) {
		tb.Errorf("mails were sent to %q, want %q", got, addresses)
		return false
	}
	return true
}

func equalInAnyOrder(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// AssertRequests checks how many requests of an operation, such as "Replies.Create", were received.
// Requests that failed and retries count. An unknown operation fails the test.
func (s *Desk) AssertRequests(tb testing.TB, op string, want int) bool {
	tb.Helper()
	if !isOperation(op) {
		tb.Errorf("there is no operation %q; did you mean %q?", op, nearestOperation(op))
		return false
	}
	if !s.assertWholeHistory(tb) {
		return false
	}
	if got := len(s.Requests(op)); got != want {
		tb.Errorf("%d requests %s were received, want %d", got, op, want)
		return false
	}
	return true
}

// AssertNoWrites checks that all requests were reads, whose methods are GET, HEAD and OPTIONS.
func (s *Desk) AssertNoWrites(tb testing.TB) bool {
	tb.Helper()
	holds := s.assertWholeHistory(tb)
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
			tb.Errorf("%s %s was received and had status %d, want no writes", r.Method, r.Path, r.Status)
			holds = false
		}
	}
	return holds
}

func (s *Desk) assertWholeHistory(tb testing.TB) bool {
	tb.Helper()
	n := s.history.lost()
	if n > 0 {
		tb.Errorf("the history is not whole: %d of its entries were dropped; raise its limit with WithHistoryLimit", n)
	}
	return n == 0
}
