package supportbeetest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/quirks"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestQuirksOfLists(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	all := supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true, SortBy: supportbee.SortByCreationTime}
	window := all
	window.Since, window.Until = noon, noon.Add(time.Hour)
	for name, test := range map[string]struct {
		quirks quirks.Quirks
		opts   supportbee.TicketListOptions
		want   []string
	}{
		"default":           {opts: window, want: []string{"one", "noon"}},
		"exclusive ends":    {quirks: quirks.Quirks{ExclusiveEnds: true}, opts: window, want: []string{}},
		"until ignored":     {quirks: quirks.Quirks{IgnoreUntil: true}, opts: window, want: []string{"two", "one", "noon"}},
		"until by activity": {quirks: quirks.Quirks{UntilByActivity: true}, opts: window, want: []string{"one"}},
		"clamped":           {quirks: quirks.Quirks{MaxPerPage: 1}, opts: all, want: []string{"two"}},
		"only":              {quirks: quirks.Quirks{OnlySpamTrash: true}, opts: supportbee.TicketListOptions{IncludeSpam: true}, want: []string{"two"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
			desk.AddTicket(supportbeetest.TicketSeed{Subject: "noon", CreatedAt: noon, LastActivityAt: noon.AddDate(0, 0, 1)})
			desk.AddTicket(supportbeetest.TicketSeed{Subject: "one", CreatedAt: noon.Add(time.Hour)})
			desk.AddTicket(supportbeetest.TicketSeed{Subject: "two", CreatedAt: noon.Add(2 * time.Hour), Spam: true})
			quirks.Apply(desk, test.quirks)
			page, err := desk.Client().Tickets.List(t.Context(), &test.opts)
			require.NoError(t, err)
			got := []string{}
			for _, ticket := range page.Tickets {
				got = append(got, ticket.Subject)
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestQuirksOfTotalsAndOrder(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	for range 30 {
		desk.AddTicket(supportbeetest.TicketSeed{CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)})
	}
	quirks.Apply(desk, quirks.Quirks{NoTotals: true, UnstableOrder: true})
	list := func() *supportbee.TicketPage {
		page, err := desk.Client().Tickets.List(t.Context(), &supportbee.TicketListOptions{PerPage: 100})
		require.NoError(t, err)
		return page
	}
	first, second := list(), list()
	assert.Zero(t, first.Total)
	assert.Zero(t, first.TotalPages)
	assert.ElementsMatch(t, first.Tickets, second.Tickets)
	assert.NotEqual(t, first.Tickets, second.Tickets)
}

func TestQuirkCarriesOutLostWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		quirks.Apply(desk, quirks.Quirks{CarryOut: true, Late: 8 * time.Second})
		id := desk.AddTicket(supportbeetest.TicketSeed{})
		send := func(ctx context.Context, text string) error {
			_, err := desk.Client().Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text(text)})
			return err
		}
		desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.Drop())
		require.ErrorIs(t, send(t.Context(), "dropped"), supportbee.ErrOutcomeUnknown)
		desk.AssertReplies(t, id)
		<-time.After(9 * time.Second)
		desk.AssertReplies(t, id, "dropped")

		desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.Delay(time.Minute))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, send(ctx, "gone"), supportbee.ErrOutcomeUnknown)
		<-time.After(9 * time.Second)
		desk.AssertReplies(t, id, "dropped", "gone")

		desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.Status(403))
		require.ErrorIs(t, send(t.Context(), "rejected"), supportbee.ErrAccessDenied)
		<-time.After(9 * time.Second)
		desk.AssertReplies(t, id, "dropped", "gone")
	})
}

func TestQuirkStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
		id := desk.AddTicket(supportbeetest.TicketSeed{})
		desk.AddCustomerReply(id, "old")
		before := desk.Ticket(id)
		<-time.After(time.Minute)
		quirks.Apply(desk, quirks.Quirks{Stale: 3 * time.Second})
		desk.AddCustomerReply(id, "new")
		created := desk.AddTicket(supportbeetest.TicketSeed{})
		stale, unfound, unlisted := 0, 0, 0
		for range 20 {
			found, err := desk.Client().Tickets.Search(t.Context(), "new", nil)
			require.NoError(t, err)
			for _, ticket := range found.Tickets {
				assert.Equal(t, []any{id, 2}, []any{ticket.ID, ticket.RepliesCount})
			}
			unfound += 1 - found.Total
			found, err = desk.Client().Tickets.Search(t.Context(), "old", nil)
			require.NoError(t, err)
			assert.Equal(t, 1, found.Total)
			user, err := desk.Client().Users.Get(t.Context(), before.Requester.ID, nil)
			require.NoError(t, err)
			unlisted += 2 - len(user.Tickets)
			ticket, err := desk.Client().Tickets.Get(t.Context(), id)
			require.NoError(t, err)
			if ticket.RepliesCount == 1 {
				assert.Equal(t, before.LastActivityAt, ticket.LastActivityAt)
				stale++
			}
		}
		assert.Positive(t, stale)
		assert.Positive(t, unfound)
		assert.Positive(t, unlisted)
		<-time.After(3 * time.Second)
		ticket, err := desk.Client().Tickets.Get(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, 2, ticket.RepliesCount)
		page, err := desk.Client().Tickets.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []supportbee.TicketID{created, id}, []supportbee.TicketID{page.Tickets[0].ID, page.Tickets[1].ID})
	})
}

func TestQuirksOfContent(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	quirks.Apply(desk, quirks.Quirks{RewriteHTML: true, CutContent: 35, Signature: "Ada"})
	reply, err := desk.Client().Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.HTML("<b>It's é &lt;\n</b>")})
	require.NoError(t, err)
	assert.Equal(t, supportbee.Content{HTML: "<div><b>It&#39;s &#233; &lt;<br>\r\n<", Text: "It's é <\n\nAda", Truncated: true, Attachments: []supportbee.Attachment{}}, reply.Content)
}
