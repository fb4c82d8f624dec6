package supportbee_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

type sb = supportbee.Client

// nothing is the result of a call that returns only an error.
func nothing(err error) (any, error) { return nil, err }

// result makes a call's result comparable with any.
func result[T any](value T, err error) (any, error) { return value, err }

func TestADryRunPlansEveryWrite(t *testing.T) {
	t.Parallel()
	content := supportbee.ContentParams{Text: "Hi", HTML: "<b>Hi</b>", AttachmentIDs: []supportbee.AttachmentID{0, 31}}
	body := `"content":{"text":"Hi","html":"<b>Hi</b>","attachment_ids":[0,31]}`
	sent := supportbee.Content{Text: "Hi", HTML: "<b>Hi</b>", Attachments: []supportbee.Attachment{{}, {ID: 31}}}
	cc, bcc := []string{"Cy <cy@example.com>"}, []string{"bo@example.com"}
	copied := []supportbee.Person{{Name: "Cy", Email: "cy@example.com"}}
	blind := []supportbee.Person{{Email: "bo@example.com"}}
	tests := []struct {
		request supportbee.PlannedRequest
		body    string
		call    func(ctx context.Context, c *sb) (any, error)
		want    any
	}{
		{
			request: supportbee.PlannedRequest{Op: "Tickets.Create", Method: "POST", Path: "/tickets"},
			body: `{"ticket":{"subject":"Refund","requester_name":"Ann","requester_email":"ann@example.com","cc":["Cy <cy@example.com>"],` +
				`"bcc":["bo@example.com"],` + body + `,"notify_requester":true,"forwarding_address_id":"4"}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Tickets.Create(ctx, supportbee.TicketParams{
					Subject: "Refund", RequesterName: "Ann", RequesterEmail: "ann@example.com", CC: cc, BCC: bcc,
					Content: content, NotifyRequester: true, ForwardingAddressID: "4",
				}))
			},
			want: &supportbee.Ticket{
				Subject: "Refund", Requester: supportbee.Person{Name: "Ann", Email: "ann@example.com"}, CC: copied, BCC: blind,
				Content: sent, NotifyRequester: true,
			},
		},
		{
			request: supportbee.PlannedRequest{Op: "Replies.Create", Method: "POST", Path: "/tickets/7/replies"},
			body:    `{"reply":{` + body + `,"cc":["Cy <cy@example.com>"],"bcc":["bo@example.com"],"on_behalf_of":{"id":12}}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: content, CC: cc, BCC: bcc, OnBehalfOf: supportbee.AgentRef{ID: 12}}))
			},
			want: &supportbee.Reply{
				Content: sent, CC: copied, BCC: blind, Replier: supportbee.Person{ID: 12}, Ticket: supportbee.TicketCounts{ID: 7},
			},
		},
		{
			request: supportbee.PlannedRequest{Op: "Comments.Create", Method: "POST", Path: "/tickets/0/comments"},
			body:    `{"comment":{` + body + `}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Comments.Create(ctx, 0, supportbee.CommentParams{Content: content}))
			},
			want: &supportbee.Comment{Content: sent},
		},
		{
			request: supportbee.PlannedRequest{Op: "Drafts.Create", Method: "POST", Path: "/tickets/0/draft"},
			body:    `{"draft":{` + body + `,"cc":"Cy <cy@example.com>","bcc":""}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Drafts.Create(ctx, 0, supportbee.DraftParams{Content: content, CC: cc, BCC: []string{}}))
			},
			want: &supportbee.Draft{Content: sent, CC: copied},
		},
		{
			request: supportbee.PlannedRequest{Op: "Drafts.Update", Method: "PUT", Path: "/tickets/7/draft"},
			body:    `{"draft":{"content":{"text":""}}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Drafts.Update(ctx, 7, supportbee.DraftParams{}))
			},
			want: &supportbee.Draft{},
		},
		{
			request: supportbee.PlannedRequest{Op: "Users.Create", Method: "POST", Path: "/users"},
			body:    `{"user":{"email":"eva@acme.example","name":"Eva","role":10,"team_ids":[0,21],"email_domains":["acme.example"]}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Users.Create(ctx, supportbee.UserParams{
					Email: "eva@acme.example", Name: "Eva", Role: supportbee.RoleAgent, TeamIDs: []supportbee.TeamID{0, 21}, EmailDomains: []string{"acme.example"},
				}))
			},
			want: &supportbee.User{Teams: []supportbee.Team{{}, {ID: 21}}, Person: supportbee.Person{
				Email: "eva@acme.example", Name: "Eva", Role: supportbee.RoleAgent, EmailDomains: []string{"acme.example"},
			}},
		},
		{
			request: supportbee.PlannedRequest{Op: "Users.Update", Method: "PUT", Path: "/users/11"},
			body: `{"user":{"type":"user","email":"eva@acme.example","name":"Eva","first_name":"E","last_name":"","role":9,"team_ids":[],` +
				`"can_members_access_group_tickets":true,"email_domains":["a.example"]}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Users.Update(ctx, 11, supportbee.UserUpdateParams{
					Type: supportbee.UserTypeUser, Email: new("eva@acme.example"), Name: new("Eva"), FirstName: new("E"), LastName: new(""),
					Role: supportbee.RoleCollaborator, TeamIDs: []supportbee.TeamID{}, CanMembersAccessGroupTickets: new(true), EmailDomains: []string{"a.example"},
				}))
			},
			want: &supportbee.User{Person: supportbee.Person{
				ID: 11, Type: supportbee.UserTypeUser, Email: "eva@acme.example", Name: "Eva", FirstName: "E", Role: supportbee.RoleCollaborator,
				CanMembersAccessGroupTickets: true, EmailDomains: []string{"a.example"},
			}},
		},
		{
			request: supportbee.PlannedRequest{Op: "Users.AddMember", Method: "POST", Path: "/users/13/members"},
			body:    `{"member":{"id":0}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Users.AddMember(ctx, 13, supportbee.MemberParams{}))
			},
			want: &supportbee.User{CustomerGroups: []supportbee.CustomerGroup{{ID: 13}}},
		},
		{
			request: supportbee.PlannedRequest{Op: "Snippets.Create", Method: "POST", Path: "/snippets"},
			body:    `{"snippet":{"name":"Hours","tags":"a, b","content":{"text":"9 to 5"}}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Snippets.Create(ctx, supportbee.SnippetParams{Name: "Hours", Tags: "a, b", Content: supportbee.Text("9 to 5")}))
			},
			want: &supportbee.Snippet{Name: "Hours", Tags: "a, b", Content: supportbee.Content{Text: "9 to 5"}},
		},
		{
			request: supportbee.PlannedRequest{Op: "Snippets.Update", Method: "PUT", Path: "/snippets/5"},
			body:    `{"snippet":{"tags":"a"}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Snippets.Update(ctx, 5, supportbee.SnippetUpdateParams{Tags: new("a")}))
			},
			want: &supportbee.Snippet{ID: 5, Tags: "a"},
		},
		{
			request: supportbee.PlannedRequest{Op: "ForwardingAddresses.Create", Method: "POST", Path: "/emails"},
			body:    `{"forwarding_address":{"email":"help@acme.example","name":"Help","filter_spam":true}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{Email: "help@acme.example", Name: "Help", FilterSpam: new(true)}))
			},
			want: &supportbee.ForwardingAddress{Email: "help@acme.example", Name: "Help"},
		},
		{
			request: supportbee.PlannedRequest{Op: "Filters.Create", Method: "POST", Path: "/filters"},
			body:    `{"rule_id":"","consequence_id":"c"}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Filters.Create(ctx, supportbee.FilterParams{ConsequenceID: "c"}))
			},
			want: &supportbee.Filter{ConsequenceID: "c"},
		},
		{
			request: supportbee.PlannedRequest{Op: "Filters.CreateRule", Method: "POST", Path: "/rules"},
			body:    `{"rule":{"subject":"x"}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Filters.CreateRule(ctx, supportbee.RuleParams{Subject: "x"}))
			},
			want: &supportbee.Rule{},
		},
		{
			request: supportbee.PlannedRequest{Op: "Filters.CreateConsequence", Method: "POST", Path: "/consequences"},
			body:    `{"consequence":{"spam":true}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{Spam: true}))
			},
			want: &supportbee.Consequence{},
		},
		{
			request: supportbee.PlannedRequest{Op: "Tickets.AssignUser", Method: "POST", Path: "/tickets/7/user_assignment"},
			body:    `{"user_assignment":{"user_id":0}}`,
			call:    func(ctx context.Context, c *sb) (any, error) { return result(c.Tickets.AssignUser(ctx, 7, 0)) },
			want:    &supportbee.UserAssignment{TicketID: 7},
		},
		{
			request: supportbee.PlannedRequest{Op: "Tickets.AssignTeam", Method: "POST", Path: "/tickets/0/team_assignment"},
			body:    `{"team_assignment":{"team_id":21}}`,
			call:    func(ctx context.Context, c *sb) (any, error) { return result(c.Tickets.AssignTeam(ctx, 0, 21)) },
			want:    &supportbee.TeamAssignment{Team: supportbee.Team{ID: 21}},
		},
		{
			request: supportbee.PlannedRequest{Op: "Labels.Add", Method: "POST", Path: "/tickets/7/labels/needs%20info"},
			call:    func(ctx context.Context, c *sb) (any, error) { return result(c.Labels.Add(ctx, 7, "needs info")) },
			want:    &supportbee.Labeling{Label: "needs info", TicketID: 7},
		},
		{
			request: supportbee.PlannedRequest{Op: "Attachments.Upload", Method: "POST", Path: "/attachments"},
			call: func(ctx context.Context, c *sb) (any, error) {
				return result(c.Attachments.Upload(ctx, "notes.txt", strings.NewReader("x"), nil))
			},
			want: &supportbee.Attachment{Filename: "notes.txt", ContentType: "text/plain; charset=utf-8"},
		},
		{
			request: supportbee.PlannedRequest{Op: "Do", Method: "PUT", Path: "/tickets/7/requester?a=b"},
			body:    `{"content":{"text":"x"}}`,
			call: func(ctx context.Context, c *sb) (any, error) {
				out := map[string]string{"as": "before"}
				return result(out, c.Do(ctx, "PUT", "/tickets/7/requester?a=b", supportbee.ReplyParams{Content: supportbee.Text("x")}, &out))
			},
			want: map[string]string{"as": "before"},
		},
		{
			request: supportbee.PlannedRequest{Op: "Do", Method: "POST", Path: "/tickets"},
			body:    `null`,
			call: func(ctx context.Context, c *sb) (any, error) {
				return result[any](nil, c.Do(ctx, "POST", "/tickets", (*supportbee.TicketParams)(nil), nil))
			},
		},
	}
	for name, act := range map[string]struct {
		method, path string
		call         func(ctx context.Context, c *sb) error
	}{
		"Tickets.Delete":         {method: "DELETE", path: "/tickets/0", call: func(ctx context.Context, c *sb) error { return c.Tickets.Delete(ctx, 0) }},
		"Tickets.Archive":        {method: "POST", path: "/tickets/7/archive", call: func(ctx context.Context, c *sb) error { return c.Tickets.Archive(ctx, 7) }},
		"Tickets.Unarchive":      {method: "DELETE", path: "/tickets/7/archive", call: func(ctx context.Context, c *sb) error { return c.Tickets.Unarchive(ctx, 7) }},
		"Tickets.MarkAnswered":   {method: "POST", path: "/tickets/7/answered", call: func(ctx context.Context, c *sb) error { return c.Tickets.MarkAnswered(ctx, 7) }},
		"Tickets.MarkUnanswered": {method: "DELETE", path: "/tickets/7/answered", call: func(ctx context.Context, c *sb) error { return c.Tickets.MarkUnanswered(ctx, 7) }},
		"Tickets.MarkSpam":       {method: "POST", path: "/tickets/7/spam", call: func(ctx context.Context, c *sb) error { return c.Tickets.MarkSpam(ctx, 7) }},
		"Tickets.UnmarkSpam":     {method: "DELETE", path: "/tickets/7/spam", call: func(ctx context.Context, c *sb) error { return c.Tickets.UnmarkSpam(ctx, 7) }},
		"Tickets.Trash":          {method: "POST", path: "/tickets/7/trash", call: func(ctx context.Context, c *sb) error { return c.Tickets.Trash(ctx, 7) }},
		"Tickets.Untrash":        {method: "DELETE", path: "/tickets/7/trash", call: func(ctx context.Context, c *sb) error { return c.Tickets.Untrash(ctx, 7) }},
		"Tickets.UnassignUser":   {method: "DELETE", path: "/tickets/7/user_assignment", call: func(ctx context.Context, c *sb) error { return c.Tickets.UnassignUser(ctx, 7) }},
		"Tickets.UnassignTeam":   {method: "DELETE", path: "/tickets/7/team_assignment", call: func(ctx context.Context, c *sb) error { return c.Tickets.UnassignTeam(ctx, 7) }},
		"Labels.Remove":          {method: "DELETE", path: "/tickets/0/labels/bug", call: func(ctx context.Context, c *sb) error { return c.Labels.Remove(ctx, 0, "bug") }},
		"Drafts.Delete":          {method: "DELETE", path: "/tickets/7/draft", call: func(ctx context.Context, c *sb) error { return c.Drafts.Delete(ctx, 7) }},
		"Snippets.Delete":        {method: "DELETE", path: "/snippets/0", call: func(ctx context.Context, c *sb) error { return c.Snippets.Delete(ctx, 0) }},
	} {
		tests = append(tests, struct {
			request supportbee.PlannedRequest
			body    string
			call    func(ctx context.Context, c *sb) (any, error)
			want    any
		}{
			request: supportbee.PlannedRequest{Op: name, Method: act.method, Path: act.path},
			call:    func(ctx context.Context, c *sb) (any, error) { return nothing(act.call(ctx, c)) },
		})
	}

	planned := map[string]bool{}
	for _, tt := range tests {
		planned[tt.request.Op] = true
		t.Run(tt.request.Op, func(t *testing.T) {
			t.Parallel()
			var reported []supportbee.PlannedRequest
			client := offline(t, "the-token").With(supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
				reported = append(reported, request)
			}))
			got, err := tt.call(t.Context(), client)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
			want := tt.request
			if tt.body != "" {
				want.Body = []byte(tt.body)
			}
			assert.Equal(t, []supportbee.PlannedRequest{want}, reported)

			_, err = tt.call(t.Context(), client.With(supportbee.WithDryRun(nil)))
			assert.NoError(t, err)
		})
	}
	for _, o := range operations(t) {
		if o.method != http.MethodGet {
			assert.True(t, planned[o.name], o.name)
		}
	}
}

func TestADryRunReads(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})
	client, ctx := desk.Client(supportbee.WithDryRun(nil)), t.Context()
	ticket, err := client.Tickets.Get(ctx, id)
	require.NoError(t, err)
	assert.Equal(t, "Kettle", ticket.Subject)
	require.NoError(t, client.Tickets.Archive(ctx, id))
	assert.False(t, desk.Ticket(id).Archived)
	desk.AssertNoWrites(t)
	desk.ClearHistory()

	// What a planned write returned cannot be read.
	_, err = client.Replies.Get(ctx, 0, 5)
	assert.Equal(t, &supportbee.Error{Op: "Replies.Get", Method: "GET", Path: "/tickets/0/replies/5", StatusCode: http.StatusNotFound}, err)
	assert.ErrorIs(t, err, supportbee.ErrNotFound)
	for _, call := range map[string]func() error{
		"Tickets.Get":  func() error { return errorOf(client.Tickets.Get(ctx, 0)) },
		"Replies.Get":  func() error { return errorOf(client.Replies.Get(ctx, id, 0)) },
		"Replies.List": func() error { return errorOf(client.Replies.List(ctx, 0)) },
		"Users.Get":    func() error { return errorOf(client.Users.Get(ctx, 0, nil)) },
		"Download": func() error {
			return client.Attachments.Download(ctx, supportbee.Attachment{Filename: "notes.txt"}, io.Discard, nil)
		},
	} {
		assert.ErrorIs(t, call(), supportbee.ErrNotFound)
	}
	assert.Empty(t, desk.Requests())
}

func TestPrintPlanned(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	client := offline(t, "the-token").With(supportbee.WithDryRun(supportbee.PrintPlanned(&out)))
	require.NoError(t, client.Tickets.Archive(t.Context(), 7))
	require.NoError(t, errorOf(client.Comments.Create(t.Context(), 7, supportbee.CommentParams{Content: supportbee.Text("Ann said so.")})))
	assert.Equal(t, "not sent: Tickets.Archive, POST /tickets/7/archive\nnot sent: Comments.Create, POST /tickets/7/comments\n", out.String())

	out.Reset()
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { assert.NoError(t, client.Tickets.Archive(t.Context(), 7)) })
	}
	group.Wait()
	assert.Equal(t, strings.Repeat("not sent: Tickets.Archive, POST /tickets/7/archive\n", 20), out.String())
	supportbee.PrintPlanned(nil)(t.Context(), supportbee.PlannedRequest{}) // does not panic
}

// The same arguments are rejected as without, and nothing is reported then.
func TestADryRunChecksArguments(t *testing.T) {
	t.Parallel()
	client := offline(t, "the-token").With(supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
		t.Errorf("unexpected report of %s", request.Op)
	}))
	ctx := t.Context()
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	failing := errors.New("the disk is gone")
	for name, tt := range map[string]struct {
		err  error
		want error
	}{
		"required field":    {err: errorOf(client.Tickets.Create(ctx, supportbee.TicketParams{})), want: &supportbee.ArgumentError{Op: "Tickets.Create", Field: "RequesterEmail", Reason: "is required"}},
		"negative ID":       {err: client.Tickets.Archive(ctx, -1), want: &supportbee.ArgumentError{Op: "Tickets.Archive", Field: "id", Reason: "must be positive, got -1"}},
		"negative after 0":  {err: errorOf(client.Comments.Create(ctx, 7, supportbee.CommentParams{Content: supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{0, -3}}})), want: &supportbee.ArgumentError{Op: "Comments.Create", Field: "Content.AttachmentIDs", Reason: "must be positive, got -3"}},
		"a field after 0":   {err: errorOf(client.Replies.Create(ctx, 0, supportbee.ReplyParams{Content: supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{0}}, CC: []string{"x"}})), want: &supportbee.ArgumentError{Op: "Replies.Create", Field: "CC", Reason: "[0] must be of the form \"a@example.com\" or \"Name <a@example.com>\""}},
		"writer of no file": {err: client.Attachments.Download(ctx, supportbee.Attachment{}, nil, nil), want: &supportbee.ArgumentError{Op: "Attachments.Download", Field: "w", Reason: "must not be nil"}},
		"context":           {err: client.Tickets.Archive(canceled, 7), want: &supportbee.Error{Op: "Tickets.Archive", Method: "POST", Path: "/tickets/7/archive", Err: context.Canceled}},
	} {
		assert.Equal(t, tt.want, tt.err, name)
	}
	_, err := client.Attachments.Upload(ctx, "a.txt", io.MultiReader(strings.NewReader("x"), errReader{failing}), nil)
	assert.ErrorIs(t, err, failing)
	_, err = client.Attachments.Upload(ctx, "a.txt", io.MultiReader(strings.NewReader("too long")), &supportbee.UploadOptions{MaxSize: 3})
	assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	assert.ErrorIs(t, offline(t, "").With(supportbee.WithDryRun(nil)).Tickets.Archive(ctx, 7), supportbee.ErrTokenRequired)
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

// A dry run of a whole job: nothing has to know that it is one.
func TestADryRunIsObserved(t *testing.T) {
	t.Parallel()
	var seen []string
	type key struct{}
	client := offline(t, "the-token").With(
		supportbee.WithLimiter(limiterFunc(func(context.Context) error { return errors.New("nothing is sent") })),
		supportbee.WithDryRun(func(ctx context.Context, request supportbee.PlannedRequest) {
			seen = append(seen, request.Op+" "+ctx.Value(key{}).(string))
		}),
		supportbee.WithObserver(supportbee.Observer{
			Start: func(ctx context.Context, _ supportbee.Operation) context.Context {
				return context.WithValue(ctx, key{}, "span")
			},
			End: func(_ context.Context, op supportbee.Operation, response supportbee.Response, err error) {
				assert.Equal(t, supportbee.Response{Duration: response.Duration}, response)
				assert.NoError(t, err)
				seen = append(seen, "end "+op.Name)
			},
		}))
	require.NoError(t, client.Tickets.Trash(t.Context(), 7))
	assert.Equal(t, []string{"Tickets.Trash span", "end Tickets.Trash"}, seen)
}
