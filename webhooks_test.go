package supportbee_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// webhookActions are all actions, and the part that each requires besides the ticket.
var webhookActions = map[supportbee.WebhookAction]string{
	supportbee.WebhookTicketCreated:            "",
	supportbee.WebhookTicketAssignedToUser:     "user_assignment",
	supportbee.WebhookTicketUnassignedFromUser: "user_assignment",
	supportbee.WebhookTicketAssignedToTeam:     "team_assignment",
	supportbee.WebhookTicketUnassignedFromTeam: "team_assignment",
	supportbee.WebhookTicketAnswered:           "",
	supportbee.WebhookTicketUnanswered:         "",
	supportbee.WebhookTicketSpammed:            "",
	supportbee.WebhookTicketUnspammed:          "",
	supportbee.WebhookTicketTrashed:            "",
	supportbee.WebhookTicketUntrashed:          "",
	supportbee.WebhookTicketArchived:           "",
	supportbee.WebhookTicketUnarchived:         "",
	supportbee.WebhookAgentReplyCreated:        "reply",
	supportbee.WebhookCustomerReplyCreated:     "reply",
	supportbee.WebhookCommentCreated:           "comment",
}

func parse(body string) (*supportbee.Webhook, error) {
	return supportbee.ParseWebhook(strings.NewReader(body))
}

func TestParseWebhook(t *testing.T) {
	t.Parallel()
	body := fixture(t, "webhook.json")
	want := theWebhook
	want.Raw = json.RawMessage(body)
	got, err := parse(body)
	require.NoError(t, err)
	assert.Equal(t, &want, got)

	// A check of the receiver's URL.
	got, err = parse(` {"payload":null}`)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Webhook{Action: supportbee.WebhookCheck, Raw: json.RawMessage(` {"payload":null}`)}, got)

	// Unknown actions are passed through, and so are unknown members.
	body = `{"payload":{"action_type":"something.new","ticket":{"id":7},"rule":{"id":1}}}`
	got, err = parse(body)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Webhook{
		Action: "something.new", Ticket: &supportbee.Ticket{ID: 7}, Extra: map[string]json.RawMessage{"rule": json.RawMessage(`{"id":1}`)}, Raw: json.RawMessage(body),
	}, got)
}

func TestParseWebhookRequiresParts(t *testing.T) {
	t.Parallel()
	require.Len(t, webhookActions, 16)
	parts := map[string]string{
		"reply": `{"id":41}`, "comment": `{"id":51}`,
		"user_assignment": `{"id":81,"assignee":{"user":{"id":12}}}`, "team_assignment": `{"id":82,"assignee":{"team":{"id":21}}}`,
	}
	for action, part := range webhookActions {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			begin := fmt.Sprintf(`{"payload":{"action_type":%q`, action)
			whole := begin + `,"ticket":{"id":7}}}`
			want := supportbee.Webhook{Action: action, Ticket: &supportbee.Ticket{ID: 7}}
			if part != "" {
				whole = fmt.Sprintf(`%s,"ticket":{"id":7},%q:%s}}`, begin, part, parts[part])
			}
			switch part {
			case "reply":
				want.Reply = &supportbee.Reply{ID: 41}
			case "comment":
				want.Comment = &supportbee.Comment{ID: 51}
			case "user_assignment":
				want.UserAssignment = &supportbee.UserAssignment{ID: 81, User: supportbee.Person{ID: 12}}
			case "team_assignment":
				want.TeamAssignment = &supportbee.TeamAssignment{ID: 82, Team: supportbee.Team{ID: 21}}
			}
			want.Raw = json.RawMessage(whole)
			got, err := parse(whole)
			require.NoError(t, err)
			assert.Equal(t, &want, got)

			lacks := map[string]string{
				begin + `}}`: "ticket", begin + `,"ticket":null}}`: "ticket", begin + `,"ticket":{}}}`: "ticket", begin + `,"ticket":{"subject":"x"}}}`: "ticket",
			}
			if part != "" {
				lacks[begin+`,"ticket":{"id":7}}}`] = part
				lacks[fmt.Sprintf(`%s,"ticket":{"id":7},%q:null}}`, begin, part)] = part
				lacks[fmt.Sprintf(`%s,"ticket":{"id":7},%q:{}}}`, begin, part)] = part
			}
			if strings.HasSuffix(part, "_assignment") { // of nobody
				lacks[fmt.Sprintf(`%s,"ticket":{"id":7},%q:{"id":81,"assignee":null}}}`, begin, part)] = part
			}
			for body, missing := range lacks {
				got, err := parse(body)
				assert.Nil(t, got)
				assert.ErrorIs(t, err, supportbee.ErrMalformedResponse)
				assert.EqualError(t, err, "supportbee: ParseWebhook: malformed response: the event has no "+missing, body)
			}
		})
	}
}

func TestParseWebhookRejects(t *testing.T) {
	t.Parallel()
	form := "payload=" + url.QueryEscape(`{"action_type":"ticket.created"}`)
	for body, want := range map[string]string{
		"":                                "the JSON ends too early",
		"{}":                              `key "payload" is missing or null`,
		"[]":                              "want a JSON object, got an array",
		`{"payload":7}`:                   "at /payload: got a number, want an object",
		`{"payload":{}}`:                  "the event has no action_type",
		`{"payload":null}x`:               "at the top: invalid JSON at byte 16: invalid character 'x' at start of value",
		`{"payload":{"ticket":{"id":7}}}`: "the event has no action_type",
		`{"payload":{"action_type":"x","ticket":{"id":"x"}}}`:  "the event has no ticket",
		`{"payload":{"action_type":"x","ticket":{"id":7}}} {}`: "more JSON follows the end of the response",
		form:          "the body is a form; the webhook must be sent as JSON",
		"\r\n" + form: "the body is a form; the webhook must be sent as JSON",
	} {
		got, err := parse(body)
		assert.Nil(t, got, body)
		assert.ErrorIs(t, err, supportbee.ErrMalformedResponse, body)
		assert.EqualError(t, err, "supportbee: ParseWebhook: malformed response: "+want, body)
	}

	_, err := supportbee.ParseWebhook(nil)
	assert.Equal(t, &supportbee.ArgumentError{Op: "ParseWebhook", Field: "body", Reason: "must not be nil"}, err)

	broken := errors.New("connection lost")
	_, err = supportbee.ParseWebhook(iotest.ErrReader(broken))
	assert.ErrorIs(t, err, broken)
	assert.NotErrorIs(t, err, supportbee.ErrMalformedResponse)
	assert.EqualError(t, err, "supportbee: ParseWebhook: reading the body: connection lost")

	_, err = supportbee.ParseWebhook(&endless{left: 32<<20 + 1})
	assert.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
	assert.NotErrorIs(t, err, supportbee.ErrMalformedResponse)
}

// An event can be kept in a queue with encoding/json.
func TestWebhooksSurviveJSON(t *testing.T) {
	t.Parallel()
	for _, body := range []string{fixture(t, "webhook.json"), `{"payload":null}`, `{"payload":{"action_type":"x","ticket":{"id":7},"new":[1]}}`} {
		event, err := parse(body)
		require.NoError(t, err)
		written, err := json.Marshal(event)
		require.NoError(t, err)
		var got supportbee.Webhook
		require.NoError(t, json.Unmarshal(written, &got))
		assert.Equal(t, written, []byte(got.Raw))
		got.Raw = event.Raw
		assert.Equal(t, event, &got)

		// The parsed event and the raw body of a queue are the same.
		require.NoError(t, json.Unmarshal(event.Raw, &got))
		got.Raw = event.Raw // encoding/json gives the value without the space around it
		assert.Equal(t, event, &got)
	}
	unchanged := supportbee.Webhook{Action: "x"}
	assert.ErrorIs(t, json.Unmarshal([]byte(`{"payload":{}}`), &unchanged), supportbee.ErrMalformedResponse)
	assert.Equal(t, supportbee.Webhook{Action: "x"}, unchanged)
}

func TestWebhookKey(t *testing.T) {
	t.Parallel()
	ticket := &supportbee.Ticket{ID: 7, LastActivityAt: at(10, 0, 0)}
	later := &supportbee.Ticket{ID: 7, LastActivityAt: at(11, 0, 0), Subject: "changed"}
	other := &supportbee.Ticket{ID: 8, LastActivityAt: at(10, 0, 0)}
	type event = supportbee.Webhook
	reply := func(id supportbee.ReplyID, ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookAgentReplyCreated, Ticket: ticket, Reply: &supportbee.Reply{ID: id}}
	}
	comment := func(id supportbee.CommentID, ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookCommentCreated, Ticket: ticket, Comment: &supportbee.Comment{ID: id}}
	}
	user := func(id supportbee.AssignmentID, ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookTicketAssignedToUser, Ticket: ticket, UserAssignment: &supportbee.UserAssignment{ID: id}}
	}
	team := func(id supportbee.AssignmentID, ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookTicketAssignedToTeam, Ticket: ticket, TeamAssignment: &supportbee.TeamAssignment{ID: id}}
	}
	archived := func(ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookTicketArchived, Ticket: ticket}
	}
	created := func(ticket *supportbee.Ticket) event {
		return event{Action: supportbee.WebhookTicketCreated, Ticket: ticket}
	}
	for _, tt := range []struct {
		name  string
		a, b  event
		equal bool
	}{
		{name: "checks", a: event{}, b: event{Raw: json.RawMessage("null")}, equal: true},
		{name: "a ticket created, delivered twice", a: created(ticket), b: created(later), equal: true},
		{name: "two tickets created", a: created(ticket), b: created(other)},
		{name: "a reply, delivered twice", a: reply(41, ticket), b: reply(41, later), equal: true},
		{name: "two replies at once", a: reply(41, ticket), b: reply(42, ticket)},
		{name: "a comment, delivered twice", a: comment(51, ticket), b: comment(51, later), equal: true},
		{name: "two comments at once", a: comment(51, ticket), b: comment(52, ticket)},
		{name: "a reply and a comment with the same ID", a: reply(41, ticket), b: comment(41, ticket)},
		{name: "a user assignment, delivered twice", a: user(81, ticket), b: user(81, later), equal: true},
		{name: "two user assignments at once", a: user(81, ticket), b: user(82, ticket)},
		{name: "user assignments without IDs", a: user(0, ticket), b: user(0, later)},
		{name: "a team assignment, delivered twice", a: team(81, ticket), b: team(81, later), equal: true},
		{name: "a user and a team assignment with the same ID", a: user(81, ticket), b: team(81, ticket)},
		{name: "archived, delivered twice", a: archived(ticket), b: archived(ticket), equal: true},
		{name: "archived after other activity", a: archived(ticket), b: archived(later)},
		{name: "two tickets archived at once", a: archived(ticket), b: archived(other)},
		{name: "archived and unarchived", a: archived(ticket), b: event{Action: supportbee.WebhookTicketUnarchived, Ticket: ticket}},
		{name: "without an activity", a: archived(&supportbee.Ticket{ID: 7}), b: archived(&supportbee.Ticket{ID: 7}), equal: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.equal, tt.a.Key() == tt.b.Key(), "%q %q", tt.a.Key(), tt.b.Key())
		})
	}
}

func TestWebhookUnescaped(t *testing.T) {
	t.Parallel()
	escaped := func() *supportbee.Webhook {
		return &supportbee.Webhook{
			Action:  supportbee.WebhookCommentCreated,
			Ticket:  &supportbee.Ticket{ID: 7, Subject: "Tea &amp; &quot;coffee&quot;", Summary: "1 &lt; 2", Content: supportbee.Content{Text: "&#39;x&#39;", HTML: "<p>&lt;b&gt;</p>"}},
			Reply:   &supportbee.Reply{ID: 41, Summary: "&lt;", Content: supportbee.Content{Text: "a &gt; b", HTML: "&gt;"}},
			Comment: &supportbee.Comment{ID: 51, Content: supportbee.Content{Text: "&amp;lt;", HTML: "&amp;"}},
			Raw:     json.RawMessage(`{}`),
		}
	}
	event := escaped()
	assert.Equal(t, &supportbee.Webhook{
		Action:  supportbee.WebhookCommentCreated,
		Ticket:  &supportbee.Ticket{ID: 7, Subject: `Tea & "coffee"`, Summary: "1 < 2", Content: supportbee.Content{Text: "'x'", HTML: "<p>&lt;b&gt;</p>"}},
		Reply:   &supportbee.Reply{ID: 41, Summary: "<", Content: supportbee.Content{Text: "a > b", HTML: "&gt;"}},
		Comment: &supportbee.Comment{ID: 51, Content: supportbee.Content{Text: "&lt;", HTML: "&amp;"}},
		Raw:     json.RawMessage(`{}`),
	}, event.Unescaped())
	assert.Equal(t, escaped(), event, "the event itself is not changed")
	assert.Equal(t, &supportbee.Webhook{}, new(supportbee.Webhook).Unescaped())
}
