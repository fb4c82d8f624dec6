package supportbeetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The assertions below report to tb with [testing.TB.Errorf] and return whether they hold, so
// that a test can go on or not.

// AssertReplied checks that an agent has replied to the ticket, with a text that holds part.
func (s *Desk) AssertReplied(tb testing.TB, id TicketID, part string) bool {
	tb.Helper()
	var texts []string
	for _, reply := range s.Replies(id) {
		if reply.Replier.Agent {
			texts = append(texts, reply.Content.Text)
		}
	}
	return assertText(tb, fmt.Sprintf("an agent's reply to ticket %d", id), texts, part)
}

// AssertCommented checks that the ticket has a comment with a text that holds part.
func (s *Desk) AssertCommented(tb testing.TB, id TicketID, part string) bool {
	tb.Helper()
	var texts []string
	for _, comment := range s.Comments(id) {
		texts = append(texts, comment.Content.Text)
	}
	return assertText(tb, fmt.Sprintf("a comment on ticket %d", id), texts, part)
}

func assertText(tb testing.TB, what string, texts []string, part string) bool {
	tb.Helper()
	for _, text := range texts {
		if strings.Contains(text, part) {
			return true
		}
	}
	tb.Errorf("want %s that holds %q, got %d: %q", what, part, len(texts), texts)
	return false
}

// AssertArchived checks that the ticket is archived.
func (s *Desk) AssertArchived(tb testing.TB, id TicketID) bool {
	tb.Helper()
	return s.assertTicket(tb, id, "archived", func(t *ticket) bool { return t.Archived })
}

// AssertAnswered checks that the ticket waits for no answer.
func (s *Desk) AssertAnswered(tb testing.TB, id TicketID) bool {
	tb.Helper()
	return s.assertTicket(tb, id, "answered", func(t *ticket) bool { return !t.Unanswered })
}

// AssertLabeled checks that the ticket carries the label.
func (s *Desk) AssertLabeled(tb testing.TB, id TicketID, name string) bool {
	tb.Helper()
	return s.assertTicket(tb, id, fmt.Sprintf("labeled %q", name), func(t *ticket) bool {
		return slices.Contains(t.Labels, name)
	})
}

// AssertAssigned checks that the ticket is assigned to the user.
func (s *Desk) AssertAssigned(tb testing.TB, id TicketID, user UserID) bool {
	tb.Helper()
	return s.assertTicket(tb, id, fmt.Sprintf("assigned to user %d", user), func(t *ticket) bool { return t.User == int64(user) })
}

func (s *Desk) assertTicket(tb testing.TB, id TicketID, what string, holds func(*ticket) bool) bool {
	tb.Helper()
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.state.Tickets[int64(id)]
	switch {
	case t == nil:
		tb.Errorf("want ticket %d %s, but there is no such ticket", id, what)
		return false
	case !holds(t):
		tb.Errorf("want ticket %d %s, got archived %t, unanswered %t, labels %q, user %d, team %d", id, what, t.Archived, t.Unanswered, t.Labels, t.User, t.Team)
		return false
	}
	return true
}

// AssertRequests checks how often an operation was requested, faulted requests included. The
// operation is the SDK's name of it, such as "Replies.Create".
func (s *Desk) AssertRequests(tb testing.TB, op string, want int) bool {
	tb.Helper()
	got := 0
	for _, r := range s.Requests() {
		if r.Op == op {
			got++
		}
	}
	if got != want {
		tb.Errorf("want %d requests %s, got %d", want, op, got)
	}
	return got == want
}

// AssertNoWrites checks that there were no requests but reads.
func (s *Desk) AssertNoWrites(tb testing.TB) bool {
	tb.Helper()
	holds := true
	for _, r := range s.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			tb.Errorf("want no writes, got %s %s, status %d", r.Method, r.Path, r.Status)
			holds = false
		}
	}
	return holds
}
