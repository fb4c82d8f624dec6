package supportbeetest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// The tests in this file look at the wire, without the SDK, so that a mistake in one of the two
// cannot hide a mistake in the other.

// exchange is what one plain request got.
type exchange struct {
	*http.Response
	body string
}

// json is the body as a plain value.
func (e exchange) json(t *testing.T) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(e.body), &value), e.body)
	return value
}

// at is the value at a path such as "ticket.cc.0.email"; nil where there is none.
func (e exchange) at(t *testing.T, path string) any {
	t.Helper()
	value := e.json(t)
	for key := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			var i int
			_, err := fmt.Sscan(key, &i)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// send makes a plain request with the token, following no redirect. The headers are names and
// values in turn; an empty value leaves a header out.
func send(t *testing.T, desk *supportbeetest.Desk, method, path, body string, headers ...string) exchange {
	t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = desk.URL + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+desk.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	transport := desk.Transport()
	if !strings.HasSuffix(desk.URL, ".localhost") {
		transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { assert.NoError(t, res.Body.Close()) }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return exchange{res, string(data)}
}

func keys(value any) []string {
	var list []string
	if m, isObject := value.(map[string]any); isObject {
		for key := range m {
			list = append(list, key)
		}
	}
	return list
}

func TestDialectsDifferInTheirShapes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		dialect supportbeetest.Dialect
		check   func(t *testing.T, send func(method, path, body string) exchange, id, team, agent int64)
	}{
		"recorded": {supportbeetest.DialectRecorded, func(t *testing.T, send func(method, path, body string) exchange, id, team, agent int64) {
			t.Helper()
			created := send("POST", "/tickets", `{"ticket":{"subject":"x","requester_email":"a@example.com","content":{"text":"hi"}}}`)
			assert.Equal(t, []string{"ticket"}, keys(created.json(t)))
			assert.Equal(t, "hi", created.at(t, "ticket.content.text"))
			assert.Equal(t, "hi", created.at(t, "ticket.content.html"))
			assert.NotContains(t, keys(created.at(t, "ticket.content")), "body")
			byTeam := send("POST", fmt.Sprintf("/tickets/%d/team_assignment", id), fmt.Sprintf(`{"team_assignment":{"team_id":%d}}`, team))
			assert.ElementsMatch(t, []string{"id", "created_at", "ticket", "assignee"}, keys(byTeam.at(t, "team_assignment")))
			assert.Equal(t, float64(team), byTeam.at(t, "team_assignment.assignee.team.id"))
			assert.Equal(t, map[string]any{"id": float64(id)}, byTeam.at(t, "team_assignment.ticket"))
			byUser := send("POST", fmt.Sprintf("/tickets/%d/user_assignment", id), fmt.Sprintf(`{"user_assignment":{"user_id":%d}}`, agent))
			assert.Equal(t, float64(agent), byUser.at(t, "user_assignment.assignee.user.id"))
			got := send("GET", fmt.Sprintf("/tickets/%d", id), "")
			assert.Equal(t, float64(agent), got.at(t, "ticket.current_user_assignee.user.id"))
			assert.Equal(t, float64(team), got.at(t, "ticket.current_team_assignee.team.id"))
			assert.Contains(t, got.at(t, "ticket.requester.picture.thumb20"), "/pictures/users/")
			assert.Contains(t, got.at(t, "ticket.current_team_assignee.team.picture.thumb256"), "/pictures/teams/")
			reply := send("POST", fmt.Sprintf("/tickets/%d/replies", id), `{"reply":{"content":{"text":"hi"}}}`)
			again := send("GET", fmt.Sprintf("/tickets/%d/replies/%.0f", id, reply.at(t, "reply.id")), "")
			assert.Equal(t, "hi", again.at(t, "reply.content.text"))
			assert.NotContains(t, keys(again.at(t, "reply.ticket")), "id")
			assert.NotNil(t, send("GET", "/emails", "").at(t, "emails.0.id"))
		}},
		"documented": {supportbeetest.DialectDocumented, func(t *testing.T, send func(method, path, body string) exchange, id, team, agent int64) {
			t.Helper()
			created := send("POST", "/tickets", `{"ticket":{"subject":"x","requester_email":"a@example.com","content":{"text":"hi"}}}`)
			assert.Equal(t, "x", created.at(t, "subject"), "bare")
			assert.Equal(t, "hi", created.at(t, "content.body"))
			assert.NotContains(t, keys(created.at(t, "content")), "text")
			byTeam := send("POST", fmt.Sprintf("/tickets/%d/team_assignment", id), fmt.Sprintf(`{"team_assignment":{"team_id":%d}}`, team))
			assert.ElementsMatch(t, []string{"team_assignment", "asignee"}, keys(byTeam.json(t)))
			assert.Equal(t, float64(team), byTeam.at(t, "asignee.team.id"))
			byUser := send("POST", fmt.Sprintf("/tickets/%d/user_assignment", id), fmt.Sprintf(`{"user_assignment":{"user_id":%d}}`, agent))
			assert.Equal(t, float64(agent), byUser.at(t, "asignee.user.id"))
			got := send("GET", fmt.Sprintf("/tickets/%d", id), "")
			assert.Equal(t, float64(agent), got.at(t, "ticket.current_user_asignee.id"), "flat and misspelt")
			assert.Equal(t, float64(team), got.at(t, "ticket.current_team_asignee.id"))
			assert.NotContains(t, keys(got.at(t, "ticket")), "current_user_assignee")
			assert.Contains(t, got.at(t, "ticket.requester.picture.0.thumb20"), "/pictures/users/", "an array")
			assert.Equal(t, map[string]any{}, got.at(t, "ticket.current_team_asignee.picture"))
			reply := send("POST", fmt.Sprintf("/tickets/%d/replies", id), `{"reply":{"content":{"text":"hi"}}}`)
			again := send("GET", fmt.Sprintf("/tickets/%d/replies/%.0f", id, reply.at(t, "reply.id")), "")
			assert.Equal(t, "hi", again.at(t, "content.body"), "bare")
			assert.NotNil(t, send("GET", "/emails", "").at(t, "forwarding_addresses.0.id"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, supportbeetest.WithDialect(tt.dialect))
			team := desk.Team("Support")
			agent := desk.User(supportbeetest.AgentEmail)
			id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x"})
			tt.check(t, func(method, path, body string) exchange { return send(t, desk, method, path, body) }, int64(id), int64(team.ID), int64(agent.ID))
		})
	}
}

// The whole ticket, as it was recorded.
func TestTicketOnTheWire(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	desk.Clock.Set(at)
	file := desk.AddFile("a b.pdf", "application/pdf", []byte("%PDF"))
	id := desk.AddTicket(supportbeetest.TicketSeed{
		Subject: "Kettle", Text: "It leaks.", HTML: "<p>It leaks.</p>", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer",
		CC: []string{"Bo <bo@example.com>"}, AttachmentIDs: []supportbee.AttachmentID{file},
	})
	ticket := desk.Ticket(id)
	person := func(id int64, email, name, first, last string) string {
		picture := fmt.Sprintf("%s/pictures/users/%d/", desk.URL, id)
		return fmt.Sprintf(`{"id":%d,"email":%q,"name":%q,"first_name":%q,"last_name":%s,"role":"customer","agent":false,"picture":{
			"thumb20":"%[6]s20.png","thumb24":"%[6]s24.png","thumb32":"%[6]s32.png","thumb48":"%[6]s48.png","thumb64":"%[6]s64.png","thumb128":"%[6]s128.png"}}`,
			id, email, name, first, last, picture)
	}
	want := fmt.Sprintf(`{"ticket":{"id":%d,"subject":"Kettle","replies_count":0,"agent_replies_count":0,"comments_count":0,
		"last_activity_at":"2026-03-01T12:00:00Z","created_at":"2026-03-01T12:00:00Z","unanswered":true,"archived":false,"spam":false,
		"private":false,"trash":false,"draft":false,"starred":false,"summary":"It leaks.","source":{"email":"help@acme.example"},
		"cc":[%s],"bcc":[],"labels":[],"customer_rating":{},"requester":%s,"content":{"html":"<p>It leaks.</p>","text":"It leaks.",
		"truncated":false,"attachments":[{"id":%d,"created_at":"2026-03-01T12:00:00Z","filename":"a b.pdf","content_type":"application/pdf",
		"url":{"original":"%[5]s/attachments/%[4]d/original/a%%20b.pdf","thumb":"%[5]s/attachments/%[4]d/thumb/a%%20b.pdf"}}]}}}`,
		id, person(int64(ticket.CC[0].ID), "bo@example.com", "Bo", "Bo", "null"),
		person(int64(ticket.Requester.ID), "ann@example.com", "Ann Archer", "Ann", `"Archer"`), file, desk.URL)
	assert.JSONEq(t, want, send(t, desk, "GET", fmt.Sprintf("/tickets/%d", id), "").body)
}

func TestEveryOperationOfTheListIsServed(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("../testdata/operations.tsv")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]
	require.Len(t, lines, 50)
	desk := supportbeetest.New(t)
	for _, line := range lines {
		column := strings.Split(line, "\t")
		method, route, op := column[0], column[1], column[2]
		desk.ClearHistory()
		path := strings.NewReplacer("{id}", "1", "{reply_id}", "2", "{name}", "bug").Replace(route)
		assert.Equal(t, http.StatusUnauthorized, send(t, desk, method, path, "", "Authorization", "Bearer wrong").StatusCode, line)
		requests := desk.Requests()
		require.Len(t, requests, 1)
		assert.Equal(t, op, requests[0].Op)
		assert.Equal(t, route, requests[0].Route)
		if strings.HasPrefix(route, "/tickets/{id}") {
			missing := send(t, desk, method, path, "{}")
			assert.Equal(t, http.StatusNotFound, missing.StatusCode, line)
			assert.Equal(t, "Couldn't find Ticket with id=1 [WHERE `tickets`.`company_id` = 1]", missing.at(t, "error"), line)
		}
	}
	unknown := send(t, desk, "PATCH", "/tickets/1", "")
	assert.Equal(t, http.StatusNotFound, unknown.StatusCode)
	assert.Contains(t, unknown.at(t, "error"), "Sorry. Something seems to have gone wrong.")
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	ticket := `{"ticket":{"requester_email":"a@example.com","content":{"text":"x"}}}`

	anonymous := send(t, desk, "POST", "/tickets", ticket, "Authorization", "")
	assert.Equal(t, http.StatusCreated, anonymous.StatusCode)
	assert.Empty(t, anonymous.Cookies())
	wrong := send(t, desk, "POST", "/tickets", ticket, "Authorization", "Bearer wrong")
	assert.Equal(t, http.StatusUnauthorized, wrong.StatusCode)
	assert.Equal(t, " ", wrong.body)
	assert.Equal(t, "application/json; charset=utf-8", wrong.Header.Get("Content-Type"))
	authenticated := send(t, desk, "POST", "/tickets", ticket)
	assert.Equal(t, "secure_code_session", authenticated.Cookies()[0].Name)

	older := send(t, desk, "GET", "/labels?auth_token="+desk.Token, "", "Authorization", "")
	assert.Equal(t, http.StatusOK, older.StatusCode)
	assert.NotContains(t, fmt.Sprint(desk.Requests()), desk.Token)
	assert.Equal(t, http.StatusUnauthorized, send(t, desk, "POST", "/tickets?auth_token=wrong", ticket, "Authorization", "").StatusCode)

	plain := send(t, desk, "GET", "/labels", "", "Accept", "text/html")
	assert.Equal(t, http.StatusNotAcceptable, plain.StatusCode)
	form := send(t, desk, "POST", "/tickets", ticket, "Content-Type", "text/plain")
	assert.Equal(t, http.StatusBadRequest, form.StatusCode)
	broken := send(t, desk, "POST", "/tickets", `{"ticket":{"subject":7}}`)
	assert.Equal(t, http.StatusBadRequest, broken.StatusCode)
	assert.Contains(t, broken.at(t, "error"), "subject")
}

func TestFilesComeFromAnotherOriginThatRefusesCredentials(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	file := desk.AddFile("ä/b.txt", "text/plain; charset=utf-8", []byte("bytes"))
	for _, size := range []string{"original", "thumb"} {
		path := fmt.Sprintf("/attachments/%d/%s/x", file, size)
		assert.Equal(t, http.StatusUnauthorized, send(t, desk, "GET", path, "", "Authorization", "").StatusCode)
		redirect := send(t, desk, "GET", path, "", "Accept", "")
		assert.Equal(t, http.StatusFound, redirect.StatusCode)
		target := redirect.Header.Get("Location")
		assert.NotContains(t, target, desk.URL+"/")

		refused := send(t, desk, "GET", target, "")
		assert.Equal(t, http.StatusBadRequest, refused.StatusCode)
		refused = send(t, desk, "GET", target, "", "Authorization", "", "Cookie", "a=b")
		assert.Equal(t, http.StatusBadRequest, refused.StatusCode)
		got := send(t, desk, "GET", target, "", "Authorization", "")
		assert.Equal(t, "bytes", got.body)
		assert.Equal(t, "text/plain; charset=utf-8", got.Header.Get("Content-Type"))
		again := send(t, desk, "GET", target, "", "Authorization", "")
		assert.Equal(t, http.StatusForbidden, again.StatusCode, "a link is good for one download")
	}
	assert.Equal(t, http.StatusNotFound, send(t, desk, "GET", "/attachments/1/original/x", "").StatusCode)
}

func TestUploads(t *testing.T) {
	t.Parallel()
	for _, dialect := range []supportbeetest.Dialect{supportbeetest.DialectRecorded, supportbeetest.DialectDocumented} {
		desk := supportbeetest.New(t, supportbeetest.WithDialect(dialect))
		form := func(disposition, contentType string) exchange {
			var body bytes.Buffer
			w := multipart.NewWriter(&body)
			header := textproto.MIMEHeader{"Content-Disposition": {disposition}}
			if contentType != "" {
				header.Set("Content-Type", contentType)
			}
			part, err := w.CreatePart(header)
			require.NoError(t, err)
			_, _ = part.Write([]byte{0, 1, 255})
			require.NoError(t, w.Close())
			return send(t, desk, "POST", "/attachments", body.String(), "Content-Type", w.FormDataContentType())
		}
		prefix := map[supportbeetest.Dialect]string{supportbeetest.DialectRecorded: "attachment.", supportbeetest.DialectDocumented: ""}[dialect]
		good := form(`form-data; name="files[]"; filename="a %22b%22.bin"`, "")
		assert.Equal(t, http.StatusCreated, good.StatusCode)
		assert.Equal(t, `a "b".bin`, good.at(t, prefix+"filename"))
		assert.Equal(t, "application/octet-stream", good.at(t, prefix+"content_type"))
		id, _ := good.at(t, prefix+"id").(float64)
		data := desk.File(supportbee.AttachmentID(id))
		assert.Equal(t, []byte{0, 1, 255}, data)

		for _, bad := range []exchange{
			form(`form-data; name="file"; filename="a"`, ""),
			form(`form-data; name="files[]"`, "text/plain"),
			send(t, desk, "POST", "/attachments", "{}"),
			send(t, desk, "POST", "/attachments", "--x\r\n", "Content-Type", "multipart/form-data; boundary=x"),
		} {
			assert.Equal(t, http.StatusBadRequest, bad.StatusCode)
			assert.NotNil(t, bad.at(t, "error"))
		}
	}
}

func TestGzipWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	plain := send(t, desk, "GET", "/labels", "")
	assert.Empty(t, plain.Header.Get("Content-Encoding"))
	packed := send(t, desk, "GET", "/labels", "", "Accept-Encoding", "gzip")
	reader, err := gzip.NewReader(strings.NewReader(packed.body))
	require.NoError(t, err)
	unpacked, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, plain.body, string(unpacked))
	assert.Equal(t, plain.Header.Get("ETag"), packed.Header.Get("ETag"))

	id := desk.AddTicket(supportbeetest.TicketSeed{})
	empty := send(t, desk, "POST", fmt.Sprintf("/tickets/%d/archive", id), "", "Accept-Encoding", "gzip")
	assert.Equal(t, http.StatusNoContent, empty.StatusCode)
	for _, name := range []string{"Content-Encoding", "Content-Type", "Etag"} {
		assert.Empty(t, empty.Header.Get(name), name)
	}
	assert.Equal(t, "no-cache", empty.Header.Get("Cache-Control"))
}

func TestLabelNamesAreOnePathSegment(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	for segment, name := range map[string]string{
		"very%20important": "very important", "a%2Fb": "a/b", "%C3%BCber": "über", "100%25": "100%", "v1.2": "v1.2", "a%3Fb%23c": "a?b#c",
	} {
		if name != "very important" {
			desk.AddLabel(name, "#123456")
		}
		path := fmt.Sprintf("/tickets/%d/labels/%s", id, segment)
		added := send(t, desk, "POST", path, "")
		assert.Equal(t, http.StatusCreated, added.StatusCode, name)
		assert.Equal(t, name, added.at(t, "label.label"))
		assert.Equal(t, float64(id), added.at(t, "label.ticket"))
		ticket := desk.Ticket(id)
		require.Len(t, ticket.Labels, 1)
		assert.Equal(t, name, ticket.Labels[0].Name)
		assert.Equal(t, http.StatusNoContent, send(t, desk, "DELETE", path, "").StatusCode)
		assert.Equal(t, http.StatusNotFound, send(t, desk, "DELETE", path, "").StatusCode)
	}
	unknown := send(t, desk, "POST", fmt.Sprintf("/tickets/%d/labels/unknown", id), "")
	assert.Equal(t, http.StatusNotFound, unknown.StatusCode)
	assert.Empty(t, unknown.body)
}

func TestPagesFarOut(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, page := range []string{"100", "9223372036854775807", "99999999999999999999999"} {
		got := send(t, desk, "GET", "/tickets?per_page=100&page="+page, "")
		assert.Equal(t, []any{}, got.at(t, "tickets"), page)
	}
	for _, page := range []string{"0", "-1", "x"} {
		assert.Equal(t, 1.0, send(t, desk, "GET", "/tickets?page="+page, "").at(t, "current_page"), page)
	}
}
