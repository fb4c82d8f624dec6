package supportbeetest

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// content of indexes, with lists in one order.
func indexed(d *desk) map[string]any {
	requested := map[int64][2]any{}
	for id, of := range d.requested {
		if len(of.tickets) > 0 {
			requested[id] = [2]any{of.active, ids(of.tickets)}
		}
	}
	replies := map[string][]int64{}
	for text, tickets := range d.replies {
		replies[text] = ids(tickets)
	}
	return map[string]any{"requested": requested, "replies": replies, "daily": maps.Clone(d.daily)}
}

func ids(tickets []*ticket) (list []int64) {
	for _, t := range tickets {
		list = append(list, t.ID)
	}
	slices.Sort(list)
	return list
}

func TestIndexesAreKept(t *testing.T) {
	t.Parallel()
	s := New(t, InMemory())
	s.AddFilter(supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{Label: "bug", AssignUserID: 1002, Archive: true})
	s.AddTickets(30)
	client, ctx := s.Client(supportbee.WithoutRetry()), context.Background()
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 400 {
		tickets := s.Tickets()
		id := tickets[random.IntN(len(tickets))].ID
		switch i % 16 {
		case 0:
			_ = client.Tickets.Archive(ctx, id)
		case 1:
			_ = client.Tickets.Unarchive(ctx, id)
		case 2:
			_, _ = client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("reply " + strconv.Itoa(i%5))})
		case 3:
			s.AddCustomerReply(id, "thanks")
		case 4:
			_, _ = client.Tickets.AssignTeam(ctx, id, s.Team("Support").ID)
		case 5:
			_, _ = client.Tickets.AssignUser(ctx, id, 1002)
		case 6:
			_ = client.Tickets.UnassignTeam(ctx, id)
		case 7:
			_ = client.Tickets.UnassignUser(ctx, id)
		case 8:
			_, _ = client.Labels.Add(ctx, id, "bug")
		case 9:
			_ = client.Labels.Remove(ctx, id, "bug")
		case 10:
			_ = client.Tickets.Trash(ctx, id)
		case 11:
			_ = client.Tickets.Delete(ctx, id)
		case 12:
			_ = client.Tickets.MarkSpam(ctx, id)
		case 13:
			s.AddTicket(TicketSeed{Subject: "x"})
		case 14:
			_ = client.Do(ctx, http.MethodPut, "/tickets/"+strconv.Itoa(int(id))+"/requester", map[string]any{"requester": map[string]string{"email": "new@example.com"}}, nil)
		case 15:
			s.AddUser(UserSeed{Email: CustomerEmail, Role: []supportbee.Role{supportbee.RoleAgent, supportbee.RoleCustomer}[i/16%2]})
		}
	}
	kept := indexed(s.state)
	s.state.recount()
	assert.Equal(t, indexed(s.state), kept)
	assert.NotEmpty(t, s.Requests("Tickets.SetRequester"))
}

// The text of a search is found whatever its case.
func TestFinder(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "Kettle", "the KETTLE leaks", "kkettlee", "kettl", "Größe", "GRÖSSE", "café CAFÉ", "(77777)", "a-b", "[x]"} {
		for _, query := range []string{"a", "kettle", "KETTLE", "größe", "É", "(77777)", "(77", "-", "[", "{"} {
			want := strings.Contains(strings.ToLower(text), strings.ToLower(query))
			f := newFinder(query)
			assert.Equal(t, want, f.in(text), "%q in %q", query, text)
			assert.Equal(t, want, f.in(text), "%q in %q again", query, text)
		}
	}
}

func TestLoadOfNull(t *testing.T) {
	t.Parallel()
	s := New(t, InMemory())
	for _, snapshot := range []string{"null", " null\n"} {
		require.EqualError(t, s.Load(strings.NewReader(snapshot)), "supportbeetest: Load: null is no state of a desk")
	}
	assert.Len(t, s.Tickets(), 10)
}
