package supportbee_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

// ticketJSON is a ticket of usual size, about 2.5 KB.
func ticketJSON(id int) string {
	sizes := make([]string, 0, 6)
	for _, size := range []int{20, 24, 32, 48, 64, 128} {
		sizes = append(sizes, fmt.Sprintf(`"thumb%d":"https://acme.supportbee.com/pictures/users/17/%d.png"`, size, size))
	}
	person := `{"id":17,"email":"ann@example.com","name":"Ann Archer","first_name":"Ann","last_name":"Archer","role":"customer","agent":false,"picture":{` + strings.Join(sizes, ",") + `}}`
	text := strings.Repeat("The new kettle leaks, and so did the last one. ", 8)
	return fmt.Sprintf(`{"id":%d,"subject":"The kettle leaks","replies_count":2,"agent_replies_count":1,"comments_count":1,"last_activity_at":"2026-03-01T10:00:00Z",`+
		`"created_at":"2026-03-01T09:00:00Z","unanswered":true,"archived":false,"spam":false,"private":false,"trash":false,"draft":false,"starred":false,`+
		`"summary":"%.100s","source":{"web":"help@acme.example"},"cc":[],"bcc":[],"labels":[{"name":"refund","color":"#FF0000"},{"name":"bug","color":"#00FF00"}],`+
		`"customer_rating":{},"requester":%s,"content":{"html":"<p>%s</p>","text":"%s","truncated":false,"attachments":[]},"current_user_assignee":{"user":%s}}`,
		id, text, person, text, text, person)
}

func listJSON(n int) string {
	tickets := make([]string, n)
	for i := range tickets {
		tickets[i] = ticketJSON(i + 1)
	}
	return fmt.Sprintf(`{"total":%d,"current_page":1,"per_page":100,"total_pages":1,"tickets":[%s]}`, n, strings.Join(tickets, ","))
}

// hotCalls are the calls that services make most.
func hotCalls(tb testing.TB) map[string]func() error {
	tb.Helper()
	client := func(status int, body string) *supportbee.Client {
		// Without a network, what is left is the SDK's own cost.
		return newClient(tb, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			return respond(req, status, body), nil
		})))
	}
	ctx := tb.Context()
	one, list, done := client(http.StatusOK, `{"ticket":`+ticketJSON(7)+`}`), client(http.StatusOK, listJSON(100)), client(http.StatusNoContent, "")
	reply := client(http.StatusCreated, `{"reply":{"id":41,"content":{"text":"Yes."}}}`)
	return map[string]func() error{
		"Reply": func() error {
			_, err := reply.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("Yes.")})
			return err
		},
		"GetTicket":      func() error { _, err := one.Tickets.Get(ctx, 7); return err },
		"ListTickets100": func() error { _, err := list.Tickets.List(ctx, nil); return err },
		"Archive":        func() error { return done.Tickets.Archive(ctx, 7) },
	}
}

func BenchmarkCanned(b *testing.B) {
	for name, call := range hotCalls(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The budgets are what calls allocate today, so that a change that allocates more is noticed.
func TestAllocationBudgets(t *testing.T) { //nolint:paralleltest // it counts the whole program's allocations
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	budgets := map[string]float64{"GetTicket": 34, "ListTickets100": 735, "Archive": 31, "Reply": 37}
	for name, call := range hotCalls(t) {
		got := testing.AllocsPerRun(50, func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		})
		t.Logf("%s: %.0f allocations", name, got)
		assert.LessOrEqual(t, got, budgets[name], name)
	}
}

func BenchmarkWith(b *testing.B) {
	client := newClient(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = client.With(supportbee.WithTimeout(time.Second))
	}
}
