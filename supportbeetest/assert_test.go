package supportbeetest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// fakeTB keeps the errors of a test, which does not fail.
type fakeTB struct {
	testing.TB
	reports []string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Error(args ...any) { f.reports = append(f.reports, fmt.Sprint(args...)) }

func (f *fakeTB) Errorf(format string, args ...any) {
	f.reports = append(f.reports, fmt.Sprintf(format, args...))
}

func TestAssertionsAreExact(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	client := desk.Client()
	agent := desk.User(supportbeetest.AgentEmail)
	id := desk.AddTicket(supportbeetest.TicketSeed{RequesterEmail: "ann@example.com", Labels: []string{"bug"}})
	assert.True(t, desk.AssertNoWrites(t))
	for _, text := range []string{"We reply soon.", "Done."} {
		_, err := client.Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text(text)})
		require.NoError(t, err)
		desk.AddCustomerReply(id, "Thanks")
	}
	desk.AddComment(id, agent.ID, "internal")
	_, err := client.Labels.Add(t.Context(), id, "refund")
	require.NoError(t, err)

	for name, tt := range map[string]struct {
		assert func(tb testing.TB) bool
		report string // empty if the assertion holds
	}{
		"replies":                {assert: func(tb testing.TB) bool { return desk.AssertReplies(tb, id, "soon", "Done") }},
		"replies in wrong order": {assert: func(tb testing.TB) bool { return desk.AssertReplies(tb, id, "Done", "soon") }, report: fmt.Sprintf(`replies of agents of ticket %d are ["We reply soon." "Done."], want 2 that contain ["Done" "soon"]`, id)},
		"one reply more":         {assert: func(tb testing.TB) bool { return desk.AssertReplies(tb, id, "soon") }, report: fmt.Sprintf(`replies of agents of ticket %d are ["We reply soon." "Done."], want 1 that contain ["soon"]`, id)},
		"replies of no ticket":   {assert: func(tb testing.TB) bool { return desk.AssertReplies(tb, 1) }, report: `ticket 1 does not exist, want replies of agents that contain []`},
		"comments":               {assert: func(tb testing.TB) bool { return desk.AssertComments(tb, id, "internal") }},
		"no comments":            {assert: func(tb testing.TB) bool { return desk.AssertComments(tb, id) }, report: fmt.Sprintf(`comments of ticket %d are ["internal"], want 0 that contain []`, id)},
		"labels":                 {assert: func(tb testing.TB) bool { return desk.AssertLabels(tb, id, "refund", "bug") }},
		"a label is missing":     {assert: func(tb testing.TB) bool { return desk.AssertLabels(tb, id, "bug") }, report: fmt.Sprintf(`labels of ticket %d are ["bug" "refund"], want ["bug"]`, id)},
		"labels of no ticket":    {assert: func(tb testing.TB) bool { return desk.AssertLabels(tb, 1) }, report: `ticket 1 does not exist, want labels []`},
		"mailed":                 {assert: func(tb testing.TB) bool { return desk.AssertMailed(tb, "ann@example.com", "ann@example.com") }},
		"mailed once":            {assert: func(tb testing.TB) bool { return desk.AssertMailed(tb, "ann@example.com") }, report: `mails were sent to ["ann@example.com" "ann@example.com"], want ["ann@example.com"]`},
		"requests":               {assert: func(tb testing.TB) bool { return desk.AssertRequests(tb, "Replies.Create", 2) }},
		"too many requests":      {assert: func(tb testing.TB) bool { return desk.AssertRequests(tb, "Replies.Create", 1) }, report: "2 requests Replies.Create were received, want 1"},
		"unknown operation":      {assert: func(tb testing.TB) bool { return desk.AssertRequests(tb, "Reply.Create", 0) }, report: `there is no operation "Reply.Create"; did you mean "Replies.Create"?`},
		"requests of storage":    {assert: func(tb testing.TB) bool { return desk.AssertRequests(tb, "Attachments.Storage", 0) }},
	} {
		tb := &fakeTB{}
		var want []string
		if tt.report != "" {
			want = []string{tt.report}
		}
		assert.Equal(t, tt.report == "", tt.assert(tb), name)
		assert.Equal(t, want, tb.reports, name)
	}

	writes := &fakeTB{}
	assert.False(t, desk.AssertNoWrites(writes))
	assert.Len(t, writes.reports, 3)
	assert.Equal(t, fmt.Sprintf("POST /tickets/%d/replies was received and had status 201, want no writes", id), writes.reports[0])
	desk.ClearHistory()
	_, err = client.Tickets.Get(t.Context(), id)
	require.NoError(t, err)
	assert.True(t, desk.AssertNoWrites(t))
	assert.True(t, desk.AssertMailed(t))
}

func TestOnlyWritesAreWrites(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		send(t, desk, method, "/labels", "")
	}
	assert.True(t, desk.AssertNoWrites(t))
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		desk.ClearHistory()
		send(t, desk, method, "/labels", "")
		tb := &fakeTB{}
		assert.False(t, desk.AssertNoWrites(tb))
		assert.Equal(t, []string{method + " /labels was received and had status 405, want no writes"}, tb.reports)
	}
}

func TestAssertionsNeedTheWholeHistory(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithHistoryLimit(0))
	send(t, desk, "GET", "/labels", "")
	for name, holds := range map[string]func(testing.TB) bool{
		"mailed":    func(tb testing.TB) bool { return desk.AssertMailed(tb) },
		"requests":  func(tb testing.TB) bool { return desk.AssertRequests(tb, "Labels.List", 0) },
		"no writes": func(tb testing.TB) bool { return desk.AssertNoWrites(tb) },
	} {
		tb := &fakeTB{}
		assert.False(t, holds(tb), name)
		assert.Equal(t, []string{"the history is not whole: 1 of its entries were dropped; raise its limit with WithHistoryLimit"}, tb.reports, name)
	}
	desk.ClearHistory()
	assert.True(t, desk.AssertNoWrites(t))
}
