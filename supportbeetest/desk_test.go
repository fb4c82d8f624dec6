package supportbeetest_test

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// everyDesk runs a test in all dialects, over HTTP and in memory.
func everyDesk(t *testing.T, test func(t *testing.T, desk *supportbeetest.Desk)) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			test(t, supportbeetest.New(t, supportbeetest.WithDialect(dialect)))
		})
		t.Run(string(dialect)+" in memory", func(t *testing.T) {
			t.Parallel()
			test(t, supportbeetest.New(t, supportbeetest.WithDialect(dialect), supportbeetest.InMemory()))
		})
	}
}

func open(t *testing.T, client *supportbee.Client, subject string) *supportbee.Ticket {
	t.Helper()
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
		Subject: subject, RequesterEmail: "ann@example.com", RequesterName: "Ann Archer", Content: supportbee.Text("Hello, " + subject),
	})
	require.NoError(t, err)
	return ticket
}

func TestEveryOperationChangesTheDesk(t *testing.T) {
	t.Parallel()
	everyDesk(t, func(t *testing.T, desk *supportbeetest.Desk) {
		ctx, client := t.Context(), desk.Client()

		file, err := client.Attachments.Upload(ctx, "a \"b\".txt", strings.NewReader("bytes of the file"), nil)
		require.NoError(t, err)
		assert.Equal(t, "a \"b\".txt", file.Filename)
		var back bytes.Buffer
		require.NoError(t, client.Attachments.Download(ctx, *file, &back, nil))
		assert.Equal(t, "bytes of the file", back.String())

		ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
			Subject: "Refund", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer", CC: []string{"Bo <bo@example.com>"},
			Content: supportbee.ContentParams{Text: strings.Repeat("long ", 40), AttachmentIDs: []supportbee.AttachmentID{file.ID}},
		})
		require.NoError(t, err)
		assert.Len(t, ticket.Summary, 100)
		assert.Equal(t, "ann@example.com", ticket.Requester.Email)
		assert.Equal(t, "bo@example.com", ticket.CC[0].Email)
		assert.Equal(t, ticket.Content.Text, ticket.Content.HTML)
		assert.Equal(t, file.ID, ticket.Content.Attachments[0].ID)
		assert.True(t, ticket.Unanswered)

		got, err := client.Tickets.Get(ctx, ticket.ID)
		require.NoError(t, err)
		assert.Equal(t, ticket, got)

		listed := func() bool {
			page, err := client.Tickets.List(ctx, &supportbee.TicketListOptions{PerPage: 100})
			require.NoError(t, err)
			return slices.ContainsFunc(page.Tickets, func(x *supportbee.Ticket) bool { return x.ID == ticket.ID })
		}
		state := func() *supportbee.Ticket { return desk.Ticket(ticket.ID) }
		require.True(t, listed())
		require.NoError(t, client.Tickets.Archive(ctx, ticket.ID))
		assert.False(t, listed())
		assert.True(t, state().Archived)
		require.NoError(t, client.Tickets.Unarchive(ctx, ticket.ID))
		assert.True(t, listed())
		require.NoError(t, client.Tickets.MarkAnswered(ctx, ticket.ID))
		assert.False(t, state().Unanswered)
		require.NoError(t, client.Tickets.MarkUnanswered(ctx, ticket.ID))
		assert.True(t, state().Unanswered)
		require.NoError(t, client.Tickets.MarkSpam(ctx, ticket.ID))
		assert.False(t, listed())
		require.NoError(t, client.Tickets.UnmarkSpam(ctx, ticket.ID))
		assert.True(t, listed())

		reply, err := client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("Done."), BCC: []string{"boss@acme.example"}})
		require.NoError(t, err)
		assert.Equal(t, supportbeetest.AdminEmail, reply.Replier.Email)
		assert.Equal(t, supportbee.TicketCounts{ID: reply.Ticket.ID, RepliesCount: 1, AgentRepliesCount: 1}, reply.Ticket) // the ID depends on the dialect
		again, err := client.Replies.Get(ctx, ticket.ID, reply.ID)
		require.NoError(t, err)
		assert.Equal(t, reply, again)
		replies, err := client.Replies.List(ctx, ticket.ID)
		require.NoError(t, err)
		assert.Equal(t, []*supportbee.Reply{reply}, replies)
		assert.False(t, state().Unanswered)
		comment, err := client.Comments.Create(ctx, ticket.ID, supportbee.CommentParams{Content: supportbee.Text("Between us")})
		require.NoError(t, err)
		comments, err := client.Comments.List(ctx, ticket.ID)
		require.NoError(t, err)
		assert.Equal(t, []*supportbee.Comment{comment}, comments)

		labels, err := client.Labels.List(ctx)
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(labels, func(l *supportbee.Label) bool { return l.Name == "very important" && l.Color == "#AA00AA" }))
		labeling, err := client.Labels.Add(ctx, ticket.ID, "very important")
		require.NoError(t, err)
		assert.Equal(t, "very important", labeling.Label)
		assert.Equal(t, ticket.ID, labeling.TicketID)
		assert.Equal(t, []supportbee.Label{{Name: "very important", Color: "#AA00AA"}}, state().Labels)
		require.NoError(t, client.Labels.Remove(ctx, ticket.ID, "very important"))
		assert.Empty(t, state().Labels)
		require.ErrorIs(t, client.Labels.Remove(ctx, ticket.ID, "very important"), supportbee.ErrNotFound)
		_, err = client.Labels.Add(ctx, ticket.ID, "no such label")
		require.ErrorIs(t, err, supportbee.ErrNotFound)
		var apiErr *supportbee.Error
		require.ErrorAs(t, err, &apiErr)
		assert.Empty(t, apiErr.Body)

		teams, err := client.Teams.List(ctx, &supportbee.TeamListOptions{OnlyMine: true})
		require.NoError(t, err)
		require.Len(t, teams, 1)
		byTeam, err := client.Tickets.AssignTeam(ctx, ticket.ID, teams[0].ID)
		require.NoError(t, err)
		assert.Equal(t, teams[0].ID, byTeam.Team.ID)
		agent := desk.User(supportbeetest.AgentEmail)
		outsider := desk.User(supportbeetest.OtherAgentEmail)
		byUser, err := client.Tickets.AssignUser(ctx, ticket.ID, agent.ID)
		require.NoError(t, err)
		assert.Equal(t, agent.ID, byUser.User.ID)
		_, err = client.Tickets.AssignUser(ctx, ticket.ID, outsider.ID)
		require.ErrorIs(t, err, supportbee.ErrConflict)
		_, err = client.Tickets.AssignUser(ctx, ticket.ID, 999_999)
		require.ErrorIs(t, err, supportbee.ErrNotFound)
		got, err = client.Tickets.Get(ctx, ticket.ID)
		require.NoError(t, err)
		assert.Equal(t, agent.ID, got.AssignedUser.ID)
		assert.Equal(t, "Support", got.AssignedTeam.Name)
		billing := desk.Team("Billing")
		_, err = client.Tickets.AssignTeam(ctx, ticket.ID, billing.ID)
		require.NoError(t, err)
		assert.Nil(t, state().AssignedUser, "moving to another team drops the user")
		require.NoError(t, client.Tickets.UnassignTeam(ctx, ticket.ID))
		assert.Nil(t, state().AssignedTeam)
		require.NoError(t, client.Tickets.UnassignUser(ctx, ticket.ID))

		draft, err := client.Drafts.Get(ctx, ticket.ID, &supportbee.DraftGetOptions{TimeZone: "Europe/Berlin"})
		require.NoError(t, err)
		assert.Zero(t, draft.ID)
		assert.Contains(t, draft.Content.Text, "> Done.")
		draft, err = client.Drafts.Get(ctx, ticket.ID, &supportbee.DraftGetOptions{OmitQuote: true})
		require.NoError(t, err)
		assert.Empty(t, draft.Content.Text)
		saved, err := client.Drafts.Create(ctx, ticket.ID, supportbee.DraftParams{Content: supportbee.Text("Dear Ann"), CC: []string{"bo@example.com"}})
		require.NoError(t, err)
		assert.Equal(t, "bo@example.com", saved.CC[0].Email)
		changed, err := client.Drafts.Update(ctx, ticket.ID, supportbee.DraftParams{Content: supportbee.Text("Dear Ann!"), CC: []string{}})
		require.NoError(t, err)
		assert.Equal(t, saved.ID, changed.ID)
		assert.Empty(t, changed.CC)
		assert.True(t, state().Draft)
		require.NoError(t, client.Drafts.Delete(ctx, ticket.ID))
		assert.False(t, state().Draft)

		trail, err := client.Tickets.Audit(ctx, ticket.ID)
		require.NoError(t, err)
		var actions []string
		for _, entry := range trail {
			actions = append(actions, entry.Action)
		}
		assert.Equal(t, []string{
			"Created", "Archived", "Unarchived", "Marked as answered", "Marked as unanswered", "Marked as spam", "Unmarked as spam",
			"Replied", "Commented", "Labeled very important", "Unlabeled very important", "Assigned to team Support", "Assigned to Ben Bauer",
			"Unassigned the user", "Assigned to team Billing", "Unassigned the team",
		}, actions)

		found, err := client.Tickets.Search(ctx, "ann archer", nil)
		require.NoError(t, err)
		assert.Equal(t, 1, found.Total)

		require.ErrorIs(t, client.Tickets.Delete(ctx, ticket.ID), supportbee.ErrAccessDenied, "not trashed")
		require.NoError(t, client.Tickets.Trash(ctx, ticket.ID))
		require.NoError(t, client.Tickets.Untrash(ctx, ticket.ID))
		require.NoError(t, client.Tickets.Trash(ctx, ticket.ID))
		require.NoError(t, client.Tickets.Delete(ctx, ticket.ID))
		_, err = client.Tickets.Get(ctx, ticket.ID)
		require.ErrorIs(t, err, supportbee.ErrNotFound)

		users, err := client.Users.List(ctx, nil)
		require.NoError(t, err)
		assert.Len(t, users, 4)
		users, err = client.Users.List(ctx, &supportbee.UserListOptions{IncludeInvited: true, Roles: []supportbee.Role{supportbee.RoleAgent}})
		require.NoError(t, err)
		assert.Len(t, users, 3)
		groups, err := client.Users.List(ctx, &supportbee.UserListOptions{Type: supportbee.UserTypeCustomerGroup})
		require.NoError(t, err)
		require.Len(t, groups, 1)
		assert.Equal(t, 1, groups[0].MembersCount)
		member, err := client.Users.AddMember(ctx, groups[0].ID, supportbee.MemberParams{UserID: ticket.Requester.ID})
		require.NoError(t, err)
		assert.Equal(t, "ann@example.com", member.Email)
		members, err := client.Users.Members(ctx, groups[0].ID)
		require.NoError(t, err)
		assert.Len(t, members, 2)
		fresh, err := client.Users.Create(ctx, supportbee.UserParams{Email: "new@acme.example", Name: "Nia New", Role: supportbee.RoleCollaborator, TeamIDs: []supportbee.TeamID{billing.ID}})
		require.NoError(t, err)
		assert.Equal(t, supportbee.RoleCollaborator, fresh.Role)
		assert.Equal(t, "Billing", fresh.Teams[0].Name)
		fresh, err = client.Users.Update(ctx, fresh.ID, supportbee.UserUpdateParams{Name: new("Nia Newer"), Role: supportbee.RoleAdmin, TeamIDs: []supportbee.TeamID{}})
		require.NoError(t, err)
		assert.Equal(t, "Nia Newer", fresh.Name)
		assert.Equal(t, supportbee.RoleAdmin, fresh.Role)
		assert.Empty(t, fresh.Teams)
		admin := desk.User(supportbeetest.AdminEmail)
		_, err = client.Users.Update(ctx, admin.ID, supportbee.UserUpdateParams{Name: new("Me")})
		require.ErrorIs(t, err, supportbee.ErrAccessDenied)
		customer := desk.User(supportbeetest.CustomerEmail)
		eve, err := client.Users.Get(ctx, customer.ID, &supportbee.UserGetOptions{MaxTickets: 2})
		require.NoError(t, err)
		assert.Len(t, eve.Tickets, 2)

		snippets, err := client.Snippets.List(ctx)
		require.NoError(t, err)
		require.Len(t, snippets, 2)
		snippet, err := client.Snippets.Create(ctx, supportbee.SnippetParams{Name: "Hi", Tags: "a, b", Content: supportbee.HTML("<p>Hi</p>")})
		require.NoError(t, err)
		snippet, err = client.Snippets.Update(ctx, snippet.ID, supportbee.SnippetUpdateParams{Name: new("Hi there"), Content: new(supportbee.Text("Hi"))})
		require.NoError(t, err)
		assert.Equal(t, "Hi there", snippet.Name)
		require.NoError(t, client.Snippets.Delete(ctx, snippet.ID))
		require.ErrorIs(t, client.Snippets.Delete(ctx, snippet.ID), supportbee.ErrNotFound)

		address, err := client.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{Email: "sales@acme.example", Name: "Sales"})
		require.NoError(t, err)
		addresses, err := client.ForwardingAddresses.List(ctx)
		require.NoError(t, err)
		assert.Contains(t, addresses, address)

		rule, err := client.Filters.CreateRule(ctx, supportbee.RuleParams{Subject: "urgent"})
		require.NoError(t, err)
		consequence, err := client.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{Label: "very important", AssignUserID: agent.ID})
		require.NoError(t, err)
		_, err = client.Filters.Create(ctx, supportbee.FilterParams{RuleID: rule.ID, ConsequenceID: consequence.ID})
		require.NoError(t, err)
		sorted := open(t, client, "It is URGENT")
		assert.Equal(t, "very important", sorted.Labels[0].Name)
		assert.Equal(t, agent.ID, sorted.AssignedUser.ID)

		for _, report := range []func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error){
			client.Reports.AvgFirstResponseTime, client.Reports.TicketsCount, client.Reports.RepliesCount,
		} {
			points, err := report(ctx, nil)
			require.NoError(t, err)
			require.NotEmpty(t, points)
			assert.Positive(t, points[0].Value)
			assert.False(t, points[0].Time.IsZero())
		}

		require.ErrorIs(t, client.Do(ctx, http.MethodPost, "/tickets/1/star", nil, nil), supportbee.ErrNotFound)
	})
}
