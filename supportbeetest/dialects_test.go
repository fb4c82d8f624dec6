package supportbeetest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	current    = supportbeetest.DialectCurrent
	recorded   = supportbeetest.DialectRecorded
	documented = supportbeetest.DialectDocumented
)

var dialects = []supportbeetest.Dialect{current, recorded, documented}

// object is a JSON object, as [exchange.at] returns it.
type object = map[string]any

// with returns a copy of an object with more members.
func with(o object, more object) object {
	merged := maps.Clone(o)
	maps.Copy(merged, more)
	return merged
}

// bench is a small desk whose clock stands still, and what is on it.
type bench struct {
	*supportbeetest.Desk
	dialect            supportbeetest.Dialect
	admin, ann, bo     supportbee.UserID
	team               supportbee.TeamID
	ticket, unassigned supportbee.TicketID
	file               supportbee.AttachmentID
}

func newBench(t *testing.T, dialect supportbeetest.Dialect) bench {
	t.Helper()
	b := bench{dialect: dialect, Desk: supportbeetest.New(t, supportbeetest.WithDialect(dialect), supportbeetest.WithoutSeed())}
	b.Clock.Set(noon)
	b.admin = b.User(supportbeetest.AdminEmail).ID
	b.ann = b.AddUser(supportbeetest.UserSeed{Email: "ann@example.com", Name: "Ann Archer"})
	b.bo = b.AddUser(supportbeetest.UserSeed{Email: "bo@example.com", Name: "Bo"})
	b.team = b.AddTeam("Support", b.admin)
	b.AddLabel("bug", "#FF0000")
	b.file = b.AddFile("a b.pdf", "application/pdf", []byte("%PDF"))
	b.unassigned = b.AddTicket(supportbeetest.TicketSeed{Text: "Hello.", RequesterEmail: "bo@example.com"})
	b.ticket = b.AddTicket(supportbeetest.TicketSeed{
		Subject: "Kettle", Text: "It leaks.", HTML: "<p>It leaks.</p>", RequesterEmail: "ann@example.com", CC: []string{"Bo <bo@example.com>"},
		Labels: []string{"bug"}, AssignedUserID: b.admin, AssignedTeamID: b.team, AttachmentIDs: []supportbee.AttachmentID{b.file}, SnoozedUntil: noon.Add(time.Hour),
	})
	return b
}

func (b bench) send(t *testing.T, method, path, body string) exchange {
	t.Helper()
	return send(t, b.Desk, method, path, body)
}

func picture(base string, sizes ...string) object {
	thumbs := object{}
	for _, size := range sizes {
		thumbs["thumb"+size] = base + size + ".png"
	}
	return thumbs
}

func (b bench) userPicture(id supportbee.UserID) object {
	return picture(fmt.Sprintf("%s/pictures/users/%d/", b.URL, id), "20", "24", "32", "48", "64", "128")
}

// person is what is expected in place of a person, in most places.
func (b bench) person(id supportbee.UserID) object {
	p := map[supportbee.UserID]object{
		b.admin: {"email": "ada@acme.example", "name": "Ada Adams", "first_name": "Ada", "last_name": "Adams", "role": "admin", "agent": true},
		b.ann:   {"email": "ann@example.com", "name": "Ann Archer", "first_name": "Ann", "last_name": "Archer", "role": "customer", "agent": false},
		b.bo:    {"email": "bo@example.com", "name": "Bo", "first_name": "Bo", "last_name": nil, "role": "customer", "agent": false},
	}[id]
	p["id"], p["picture"] = float64(id), b.userPicture(id)
	switch b.dialect {
	case documented:
		p["picture"] = object{}
	case recorded:
		p["active_tickets_count"] = 1.0
		if id == b.admin {
			p["active_tickets_count"] = 0.0
		}
	case current:
		p = with(p, object{
			"type": "user", "two_factor_authentication_enabled": id == b.admin, "can_members_access_group_tickets": nil,
			"email_domains": []any{}, "members_count": 0.0,
		})
	}
	return p
}

// pictured is a person where the reference shows a picture.
func (b bench) pictured(id supportbee.UserID) object {
	if b.dialect != documented {
		return b.person(id)
	}
	return with(b.person(id), object{"picture": []any{b.userPicture(id)}})
}

func (b bench) teamPicture() object {
	sizes := []string{"20", "24", "32", "48", "256"}
	if b.dialect == current {
		sizes = append(sizes, "64", "128")
	}
	return picture(fmt.Sprintf("/pictures/teams/%d/", b.team), sizes...)
}

func (b bench) supportTeam() object {
	team := object{"id": float64(b.team), "name": "Support", "picture": b.teamPicture()}
	if b.dialect == documented {
		team["picture"] = object{}
	}
	return team
}

// expectedTicket is b.ticket without assignees.
func (b bench) expectedTicket() object {
	ticket := object{
		"id": float64(b.ticket), "subject": "Kettle", "replies_count": 0.0, "agent_replies_count": 0.0, "comments_count": 0.0,
		"last_activity_at": "2026-03-10T12:00:00Z", "created_at": "2026-03-10T12:00:00Z", "unanswered": true, "archived": false, "spam": false,
		"private": false, "trash": false, "draft": false, "summary": "It leaks.", "source": object{"email": "help@acme.example"},
		"cc": []any{b.person(b.bo)}, "bcc": []any{}, "labels": []any{object{"name": "bug", "color": "#FF0000"}}, "customer_rating": object{},
		"requester": b.pictured(b.ann),
		"content": object{"html": "<p>It leaks.</p>", "text": "It leaks.", "truncated": false, "attachments": []any{object{
			"id": float64(b.file), "created_at": "2026-03-10T12:00:00Z", "filename": "a b.pdf", "content_type": "application/pdf", "url": object{
				"original": fmt.Sprintf("%s/attachments/%d/original/a%%20b.pdf", b.URL, b.file), "thumb": fmt.Sprintf("%s/attachments/%d/thumb/a%%20b.pdf", b.URL, b.file),
			},
		}}},
	}
	if b.dialect != current {
		return with(ticket, object{"starred": false})
	}
	return with(ticket, object{
		"submitter": b.person(b.ann), "snoozed": true, "snoozed_until": "2026-03-10T13:00:00Z", "last_reply_at": nil, "attachments_count": 1.0,
		"historical_import": nil, "notify_requester": false, "current_user_assignee": nil, "current_team_assignee": nil,
	})
}

func (b bench) expectedAssignees() object {
	if b.dialect != documented {
		return object{"current_user_assignee": object{"user": b.person(b.admin)}, "current_team_assignee": object{"team": b.supportTeam()}}
	}
	return object{
		"current_user_asignee": b.pictured(b.admin),
		"current_team_asignee": with(b.supportTeam(), object{"agent": false, "picture": []any{b.teamPicture()}}),
	}
}

// everyDialect runs a test in all dialects.
func everyDialect(t *testing.T, test func(t *testing.T, b bench)) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			test(t, newBench(t, dialect))
		})
	}
}

func TestTheDefaultDialectIsTodays(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	tickets, isArray := send(t, desk, "GET", "/tickets", "").at(t, "tickets").([]any)
	require.True(t, isArray)
	assert.Contains(t, keys(tickets[0]), "snoozed_until")
}

func TestTicketsInEachDialect(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		want := with(b.expectedTicket(), b.expectedAssignees())
		path := fmt.Sprintf("/tickets/%d", b.ticket)
		assert.Equal(t, object{"ticket": want}, b.send(t, "GET", path, "").json(t))
		assert.Equal(t, want, b.send(t, "GET", "/tickets", "").at(t, "tickets.0"))

		require.Equal(t, http.StatusNoContent, b.send(t, "DELETE", path+"/user_assignment", "").StatusCode)
		require.Equal(t, http.StatusNoContent, b.send(t, "DELETE", path+"/team_assignment", "").StatusCode)
		assert.Equal(t, b.expectedTicket(), b.send(t, "GET", path, "").at(t, "ticket"))

		created := b.send(t, "POST", "/tickets", `{"ticket":{"requester_email":"ann@example.com","notify_requester":true,"content":{"text":"hi"}}}`)
		ticket := created.json(t)
		if b.dialect != documented {
			assert.Equal(t, []string{"ticket"}, keys(ticket))
			ticket = created.at(t, "ticket")
		}
		made, isObject := ticket.(object)
		require.True(t, isObject)
		assert.Equal(t, object{"html": "hi", "text": "hi", "truncated": false, "attachments": []any{}}, made["content"])
		if b.dialect == current {
			assert.Equal(t, b.person(b.admin), made["submitter"], "an agent, on behalf of the requester")
			assert.Equal(t, true, made["notify_requester"])
			assert.Equal(t, false, made["snoozed"])
			assert.Nil(t, made["snoozed_until"])
		}
	})
}

func TestRepliesAndCommentsInEachDialect(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		path := fmt.Sprintf("/tickets/%d", b.ticket)
		created := b.send(t, "POST", path+"/replies", `{"reply":{"content":{"text":"hi"},"bcc":["bo@example.com"]}}`)
		counts := object{"replies_count": 1.0, "agent_replies_count": 1.0, "comments_count": 0.0}
		want := object{
			"id": created.at(t, "reply.id"), "created_at": "2026-03-10T12:00:00Z", "summary": "hi", "merged": false, "cc": []any{}, "bcc": []any{b.person(b.bo)},
			"ticket": counts, "replier": b.person(b.admin), "content": object{"html": "hi", "text": "hi", "truncated": false, "attachments": []any{}},
		}
		envelope := object{"reply": want}
		switch b.dialect {
		case current:
			want["ticket"] = with(counts, object{"id": float64(b.ticket)})
			want["attachments_count"], want["historical_import"] = 0.0, nil
			assert.Equal(t, "2026-03-10T12:00:00Z", b.send(t, "GET", path, "").at(t, "ticket.last_reply_at"))
		case documented:
			want["content"] = object{"html": nil, "body": "hi", "truncated": false, "attachments": []any{}}
			envelope = want
		}
		assert.Equal(t, object{"reply": want}, created.json(t))
		assert.Equal(t, object{"replies": []any{want}}, b.send(t, "GET", path+"/replies", "").json(t))
		assert.Equal(t, envelope, b.send(t, "GET", fmt.Sprintf("%s/replies/%.0f", path, want["id"]), "").json(t))

		created = b.send(t, "POST", path+"/comments", `{"comment":{"content":{"html":"<p>hm"}}}`)
		comment := object{
			"id": created.at(t, "comment.id"), "created_at": "2026-03-10T12:00:00Z", "merged": false, "ticket": with(counts, object{"comments_count": 1.0}),
			"commenter": b.person(b.admin), "content": object{"html": "<p>hm", "text": "hm", "truncated": false, "attachments": []any{}},
		}
		assert.Equal(t, object{"comment": comment}, created.json(t))
		assert.Equal(t, object{"comments": []any{comment}}, b.send(t, "GET", path+"/comments", "").json(t))
	})
}

func TestUsersInEachDialect(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		group := b.send(t, "POST", "/users", `{"user":{"type":"customer_group","name":"Example","email_domains":["example.com"],"can_members_access_group_tickets":true}}`).at(t, "user.id")
		require.Equal(t, http.StatusCreated, b.send(t, "POST", fmt.Sprintf("/users/%.0f/members", group), fmt.Sprintf(`{"member":{"id":%d}}`, b.ann)).StatusCode)

		ann := with(b.person(b.ann), object{"teams": []any{}, "type": "user", "two_factor_authentication_enabled": false, "can_members_access_group_tickets": nil})
		if b.dialect != current {
			ann["requested_tickets_count"], ann["active_tickets_count"] = 1.0, 1.0
		}
		assert.Equal(t, ann, b.send(t, "GET", "/users?with_roles=customer&type=user", "").at(t, "users.0"))

		tickets := []any{with(b.expectedTicket(), b.expectedAssignees())}
		one := object{"user": with(ann, object{"tickets": tickets})}
		switch b.dialect {
		case current:
			one["user"] = with(ann, object{
				"tickets": tickets, "active_tickets_count": 1.0, "signature": "", "customer_groups": []any{object{"id": group, "name": "Example"}},
			})
		case documented:
			one = object{"user": ann, "tickets": tickets}
		}
		path := fmt.Sprintf("/users/%d", b.ann)
		assert.Equal(t, one, b.send(t, "GET", path, "").json(t))

		got := b.send(t, "GET", fmt.Sprintf("/users/%.0f", group), "")
		assert.Equal(t, []any{"example.com"}, got.at(t, "user.email_domains"))
		assert.Equal(t, 1.0, got.at(t, "user.members_count"))
		assert.Equal(t, true, got.at(t, "user.can_members_access_group_tickets"))

		renamed := b.send(t, "PUT", path, `{"user":{"type":"user","last_name":"Baker"}}`)
		assert.Equal(t, "Ann Baker", renamed.at(t, "user.name"))
		renamed = b.send(t, "PUT", path, `{"user":{"first_name":"Anna"}}`)
		assert.Equal(t, "Anna Baker", renamed.at(t, "user.name"))
	})
}

func TestTheSignatureIsInOneUserOfToday(t *testing.T) {
	t.Parallel()
	b := newBench(t, current)
	assert.Equal(t, "Ada Adams, Acme", b.send(t, "GET", fmt.Sprintf("/users/%d", b.admin), "").at(t, "user.signature"))
}

func TestLabelsTeamsAndAssignmentsInEachDialect(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		labels := b.send(t, "GET", "/labels", "")
		label := object{"name": "bug", "color": "#FF0000"}
		if b.dialect == current {
			label["id"] = 1.0
		}
		assert.Equal(t, object{"labels": []any{label}}, labels.json(t))
		assert.Equal(t, object{"teams": []any{b.supportTeam()}}, b.send(t, "GET", "/teams", "").json(t))

		for kind, assignee := range map[string]object{"user": b.person(b.admin), "team": b.supportTeam()} {
			made := b.send(t, "POST", fmt.Sprintf("/tickets/%d/%s_assignment", b.unassigned, kind), fmt.Sprintf(`{"%s_assignment":{"%[1]s_id":%.0f}}`, kind, assignee["id"]))
			assignment := object{"id": made.at(t, kind+"_assignment.id"), "created_at": "2026-03-10T12:00:00Z", "ticket": object{"id": float64(b.unassigned)}}
			want := object{kind + "_assignment": with(assignment, object{"assignee": object{kind: assignee}})}
			if b.dialect == documented {
				want = object{kind + "_assignment": assignment, "asignee": object{kind: assignee}}
			}
			assert.Equal(t, want, made.json(t))
		}

		addresses := map[supportbeetest.Dialect]string{current: "forwarding_addresses", recorded: "emails", documented: "forwarding_addresses"}
		assert.Equal(t, []string{addresses[b.dialect]}, keys(b.send(t, "GET", "/emails", "").json(t)))
	})
}

func TestDraftsKeepCopiesOfPeopleWithoutIDs(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		draft := b.send(t, "POST", fmt.Sprintf("/tickets/%d/draft", b.ticket), `{"draft":{"content":{"text":"Dear Ann"},"cc":"bo@example.com"}}`)
		bo := b.person(b.bo)
		assert.Equal(t, object{"draft": object{
			"id": draft.at(t, "draft.id"), "cc": []any{object{"email": bo["email"], "name": bo["name"], "picture": bo["picture"]}}, "bcc": []any{},
			"last_saved_by": b.person(b.admin), "last_saved_at": "2026-03-10T12:00:00Z",
			"content": object{"html": "Dear Ann", "text": "Dear Ann", "truncated": false, "attachments": []any{}},
		}}, draft.json(t))
	})
}

func TestANewFilterInEachDialect(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		rule := b.send(t, "POST", "/rules", `{"rule":{"subject":"x"}}`).at(t, "rule.id")
		does := b.send(t, "POST", "/consequences", `{"consequence":{"archive":true}}`).at(t, "consequence.id")
		made := b.send(t, "POST", "/filters", fmt.Sprintf(`{"rule_id":%q,"consequence_id":%q}`, rule, does))
		assert.Equal(t, http.StatusCreated, made.StatusCode)
		switch b.dialect {
		case current:
			assert.ElementsMatch(t, []string{"id", "rule_id", "consequence_id"}, keys(made.json(t)))
		case recorded:
			assert.ElementsMatch(t, []string{"id", "rule_id", "consequence_id"}, keys(made.at(t, "filter")))
		case documented:
			assert.Empty(t, made.body)
		}
	})
}

func TestStarsAndNewRequesters(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		path := fmt.Sprintf("/tickets/%d", b.ticket)
		star := b.send(t, "POST", path+"/star", "")
		assert.Equal(t, http.StatusCreated, star.StatusCode)
		assert.Equal(t, b.URL+path+"/star", star.Header.Get("Location"))
		assert.Equal(t, object{"star": object{
			"id": star.at(t, "star.id"), "ticket_id": float64(b.ticket), "user_id": float64(b.admin),
			"created_at": "2026-03-10T12:00:00Z", "updated_at": "2026-03-10T12:00:00Z",
		}}, star.json(t))
		assert.Greater(t, star.at(t, "star.id"), 1000.0)

		moved := b.send(t, "PUT", path+"/requester", `{"requester":{"email":"bo@example.com"}}`)
		assert.Equal(t, http.StatusCreated, moved.StatusCode)
		assert.Equal(t, object{"user": object{"auto_assign": false, "email": "bo@example.com", "first_name": "Bo", "last_name": nil}}, moved.json(t))
		got := b.send(t, "GET", path, "")
		bo := b.pictured(b.bo)
		if b.dialect == recorded {
			bo["active_tickets_count"] = 2.0
		}
		assert.Equal(t, bo, got.at(t, "ticket.requester"))
		if b.dialect == current {
			assert.Equal(t, b.person(b.ann), got.at(t, "ticket.submitter"), "who opened it does not change")
		} else {
			assert.Equal(t, true, got.at(t, "ticket.starred"))
		}
	})
}

func TestWebhooksHaveOneFormInAllDialects(t *testing.T) {
	t.Parallel()
	everyDialect(t, func(t *testing.T, b bench) {
		var mu sync.Mutex
		payloads := map[any]object{}
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var event struct{ Payload object }
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&event))
			mu.Lock()
			defer mu.Unlock()
			payloads[event.Payload["action_type"]] = event.Payload
		}))
		t.Cleanup(receiver.Close)
		b.AddWebhook(supportbeetest.Webhook{URL: receiver.URL})
		path := fmt.Sprintf("/tickets/%d", b.ticket)
		for _, step := range []struct{ method, path, body string }{
			{"DELETE", "/user_assignment", ""},
			{"DELETE", "/team_assignment", ""},
			{"POST", "/comments", `{"comment":{"content":{"text":"hm"}}}`},
			{"POST", "/replies", `{"reply":{"content":{"text":"hi"}}}`},
			{"POST", "/team_assignment", fmt.Sprintf(`{"team_assignment":{"team_id":%d}}`, b.team)},
			{"POST", "/user_assignment", fmt.Sprintf(`{"user_assignment":{"user_id":%d}}`, b.admin)},
		} {
			require.Contains(t, []int{http.StatusCreated, http.StatusNoContent}, b.send(t, step.method, path+step.path, step.body).StatusCode, step)
		}
		require.NoError(t, b.FlushWebhooks(t.Context()))
		mu.Lock()
		defer mu.Unlock()

		form := b
		form.dialect = current
		ticket := with(form.expectedTicket(), object{"url": b.URL + path, "comments_count": 1.0})
		content := func(text string) object {
			return object{"html": text, "text": text, "truncated": false, "attachments": []any{}}
		}
		comment, _ := payloads["comment.created"]["comment"].(object)
		assert.Equal(t, object{
			"action_type": "comment.created", "company": object{"subdomain": "acme", "name": "Acme"}, "ticket": ticket, "agent": form.person(b.admin),
			"comment": object{"id": comment["id"], "created_at": "2026-03-10T12:00:00Z", "merged": false, "commenter": form.person(b.admin), "content": content("hm")},
		}, payloads["comment.created"])
		reply, _ := payloads["agent.reply.created"]["reply"].(object)
		assert.Equal(t, object{
			"id": reply["id"], "created_at": "2026-03-10T12:00:00Z", "summary": "hi", "merged": false, "cc": []any{}, "bcc": []any{},
			"replier": form.person(b.admin), "content": content("hi"), "attachments_count": 0.0, "historical_import": nil,
		}, reply)
		for action, assignee := range map[string]object{
			"ticket.assigned.to.user": {"user": form.person(b.admin)}, "ticket.unassigned.from.user": {"user": form.person(b.admin)},
			"ticket.assigned.to.team": {"team": form.supportTeam()}, "ticket.unassigned.from.team": {"team": form.supportTeam()},
		} {
			kind := action[strings.LastIndex(action, ".")+1:]
			assignment, _ := payloads[action][kind+"_assignment"].(object)
			assert.Equal(t, object{"id": assignment["id"], "assignee": assignee}, assignment, action)
		}
	})
}
