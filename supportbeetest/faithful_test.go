package supportbeetest_test

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func actions(desk *supportbeetest.Desk, id supportbee.TicketID) (list []string) {
	for _, entry := range desk.Audit(id) {
		list = append(list, entry.Action)
	}
	return list
}

func events(desk *supportbeetest.Desk) (list []supportbee.WebhookAction) {
	for _, d := range desk.Deliveries() {
		list = append(list, d.Action)
	}
	return list
}

func TestWhatFiltersDoIsSeen(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	ben, cleo, support := desk.User(supportbeetest.AgentEmail), desk.User(supportbeetest.OtherAgentEmail), desk.Team("Support")
	desk.AddFilter(supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{Label: "bug", AssignTeamID: support.ID, AssignUserID: ben.ID, Archive: true, Spam: true, Trash: true})
	desk.AddFilter(supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{AssignUserID: cleo.ID}) // who is not in the team
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x"})
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []string{
		"Created", "Labeled bug", "Assigned to team Support", "Assigned to Ben Bauer", "Archived", "Marked as spam", "Trashed",
	}, actions(desk, id))
	assert.Nil(t, desk.Audit(id)[1].Actor)
	assert.Equal(t, []supportbee.WebhookAction{
		"ticket.created", "ticket.assigned.to.team", "ticket.assigned.to.user", "ticket.archived", "ticket.spammed", "ticket.trashed",
	}, events(desk))
	assert.Equal(t, ben.ID, desk.Ticket(id).AssignedUser.ID)
}

func TestUsersDroppedByTeamsAreSeen(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	id := desk.AddTicket(supportbeetest.TicketSeed{AssignedUserID: desk.User(supportbeetest.AgentEmail).ID})
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	_, err := desk.Client().Tickets.AssignTeam(t.Context(), id, desk.Team("Billing").ID)
	require.NoError(t, err)
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, []string{"Created", "Unassigned the user", "Assigned to team Billing"}, actions(desk, id))
	assert.Equal(t, []supportbee.WebhookAction{"ticket.unassigned.from.user", "ticket.assigned.to.team"}, events(desk))
}

func TestHTMLHasText(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{HTML: "<style>p{}</style><p>Dear <b>team</b>,</p><!-- no -->\n<p>caf&eacute;<br>kettle &lt;3"})
	ticket := desk.Ticket(id)
	assert.Equal(t, "Dear team,\ncafé\nkettle <3", ticket.Content.Text)
	assert.Equal(t, "Dear team, café kettle <3", ticket.Summary)
	page, err := desk.Client().Tickets.Search(t.Context(), "CAFÉ", nil)
	require.NoError(t, err)
	require.Len(t, page.Tickets, 1)
	assert.Equal(t, id, page.Tickets[0].ID)
}

func TestRightsOfRoles(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	eve, dana, ben := desk.User(supportbeetest.CustomerEmail), desk.User(supportbeetest.CollaboratorEmail), desk.User(supportbeetest.AgentEmail)
	own, other := desk.AddTicket(supportbeetest.TicketSeed{}), desk.AddTicket(supportbeetest.TicketSeed{RequesterEmail: "stranger@example.org"})
	colleague := desk.AddUser(supportbeetest.UserSeed{Email: "colleague@example.com"})
	groups := desk.Client()
	_, err := groups.Users.AddMember(t.Context(), desk.Users()[7].ID, supportbee.MemberParams{UserID: colleague})
	require.NoError(t, err)
	shared := desk.AddTicket(supportbeetest.TicketSeed{RequesterEmail: "colleague@example.com"})
	const text = `{"comment":{"content":{"text":"x"}}}`
	reply := strings.Replace(text, "comment", "reply", 1)
	for _, test := range []struct {
		method, path, body            string
		customer, collaborator, agent int
	}{
		{"GET", "/tickets", "", 200, 200, 200},
		{"GET", fmt.Sprintf("/tickets/%d", own), "", 200, 200, 200},
		{"GET", fmt.Sprintf("/tickets/%d", shared), "", 200, 200, 200},
		{"GET", fmt.Sprintf("/tickets/%d", other), "", 404, 200, 200},
		{"GET", fmt.Sprintf("/tickets/%d/replies", other), "", 404, 200, 200},
		{"POST", fmt.Sprintf("/tickets/%d/replies", other), reply, 404, 403, 201},
		{"POST", fmt.Sprintf("/tickets/%d/replies", own), reply, 201, 403, 201},
		{"POST", fmt.Sprintf("/tickets/%d/comments", own), text, 403, 201, 201},
		{"GET", fmt.Sprintf("/tickets/%d/comments", own), "", 403, 200, 200},
		{"GET", fmt.Sprintf("/tickets/%d/audit", own), "", 403, 200, 200},
		{"POST", fmt.Sprintf("/tickets/%d/archive", own), "", 403, 403, 204},
		{"DELETE", fmt.Sprintf("/tickets/%d", own), "", 403, 403, 403},
		{"GET", "/users", "", 403, 200, 200},
		{"GET", "/reports/tickets_count", "", 403, 403, 403},
	} {
		for user, want := range map[supportbee.UserID]int{eve.ID: test.customer, dana.ID: test.collaborator, ben.ID: test.agent} {
			got := send(t, desk, test.method, test.path, test.body, "Authorization", "Bearer "+desk.AddToken(user))
			assert.Equal(t, want, got.StatusCode, "%s %s %d", test.method, test.path, user)
		}
	}
	page, err := desk.Client(supportbee.WithToken(desk.AddToken(eve.ID))).Tickets.List(t.Context(), &supportbee.TicketListOptions{PerPage: 100})
	require.NoError(t, err)
	for _, ticket := range page.Tickets {
		assert.Contains(t, []supportbee.UserID{eve.ID, colleague}, ticket.Requester.ID)
	}
	assert.Equal(t, len(page.Tickets), page.Total)
	desk.AssertMailed(t, supportbeetest.CustomerEmail, "stranger@example.org") // for the replies of the agent only
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, test := range []struct{ parameter, want string }{
		{`filename="a.txt"`, "a.txt"},
		{`filename=a.txt`, "a.txt"},
		{`filename="a\"b.txt"`, `a"b.txt`},          // net/http, older curl
		{`filename="a%22b.txt"`, `a"b.txt`},         // browsers, curl
		{`filename="a\\b.txt"`, `a\b.txt`},          // net/http
		{`filename="C:\tmp\b.txt"`, `C:\tmp\b.txt`}, // browsers
		{`filename="größe.txt"`, "größe.txt"},
		{`filename="x"; filename*=UTF-8''gr%C3%B6%C3%9Fe%2522.txt`, "größe%22.txt"},
		{`filename*=UTF-8''gr%C3%B6%C3%9Fe.txt`, "größe.txt"},
	} {
		body := "--b\r\nContent-Disposition: form-data; name=\"files[]\"; " + test.parameter + "\r\n\r\ndata\r\n--b--\r\n"
		got := send(t, desk, "POST", "/attachments", body, "Content-Type", "multipart/form-data; boundary=b")
		if assert.Equal(t, http.StatusCreated, got.StatusCode, test.parameter+got.body) {
			assert.Equal(t, test.want, got.at(t, "filename"), test.parameter)
		}
	}
	got := send(t, desk, "POST", "/attachments", "--b--\r\n", "Content-Type", "multipart/form-data; boundary=b", "Accept", "")
	assert.Equal(t, http.StatusNotAcceptable, got.StatusCode)
}

func TestHeadersOfRequests(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, test := range []struct {
		name, value string
		want        int
		encoding    string
	}{
		{name: "Authorization", value: "bearer " + desk.Token, want: 200},
		{name: "Authorization", value: "BEARER  " + desk.Token, want: 200},
		{name: "Authorization", value: "Basic " + desk.Token, want: 401},
		{name: "Accept-Encoding", value: "gzip", want: 200, encoding: "gzip"},
		{name: "Accept-Encoding", value: "br, GZIP;q=0.5", want: 200, encoding: "gzip"},
		{name: "Accept-Encoding", value: "gzip;q=0", want: 200},
		{name: "Accept-Encoding", value: "gzip; q=0.0, identity", want: 200},
		{name: "Accept-Encoding", value: "notgzip", want: 200},
	} {
		got := send(t, desk, "GET", "/labels", "", test.name, test.value)
		assert.Equal(t, test.want, got.StatusCode, test.value)
		assert.Equal(t, test.encoding, got.Header.Get("Content-Encoding"), test.value)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]supportbeetest.Option{nil, {supportbeetest.InMemory()}} {
		desk := supportbeetest.New(t, opts...)
		for _, test := range []struct {
			method, path string
			want         int
			allow        string
		}{
			{method: "HEAD", path: "/tickets", want: 200},
			{method: "HEAD", path: "/labels", want: 200},
			{method: "OPTIONS", path: "/tickets", want: 204, allow: "GET, HEAD, POST, OPTIONS"},
			{method: "OPTIONS", path: "/nothing", want: 404},
			{method: "PATCH", path: "/tickets", want: 405, allow: "GET, HEAD, POST, OPTIONS"},
			{method: "POST", path: "/labels", want: 405, allow: "GET, HEAD, OPTIONS"},
			{method: "DELETE", path: "/users/1", want: 405, allow: "GET, HEAD, PUT, OPTIONS"},
			{method: "GET", path: "//tickets", want: 404},
			{method: "GET", path: "/tickets/../labels", want: 404},
			{method: "GET", path: "/tickets/", want: 404},
			{method: "GET", path: "/", want: 404},
		} {
			got := send(t, desk, test.method, test.path, "")
			assert.Equal(t, test.want, got.StatusCode, test.method+" "+test.path)
			assert.Equal(t, test.allow, got.Header.Get("Allow"), test.method+" "+test.path)
			if test.method == "HEAD" {
				assert.Empty(t, got.body)
			}
		}
	}
}

func TestPicturesLoad(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	person := send(t, desk, "GET", "/users/1002", "").at(t, "user.picture.thumb48").(string)
	team := send(t, desk, "GET", "/teams", "").at(t, "teams.0.picture.thumb256").(string)
	for url, size := range map[string]int{person: 48, desk.URL + team: 256} {
		got := send(t, desk, "GET", url, "", "Authorization", "", "Accept", "image/*")
		require.Equal(t, http.StatusOK, got.StatusCode, url)
		assert.Equal(t, "image/png", got.Header.Get("Content-Type"))
		picture, err := png.Decode(strings.NewReader(got.body))
		require.NoError(t, err)
		assert.Equal(t, size, picture.Bounds().Dx())
	}
	assert.Equal(t, http.StatusNotFound, send(t, desk, "GET", "/pictures/users/1/1000.png", "").StatusCode)
}

func TestTimesWithoutAZone(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, since := range []string{"2026-03-01T10:00:00", "2026-03-01+10:00:00", "2026-03-01"} {
		assert.Equal(t, http.StatusOK, send(t, desk, "GET", "/tickets?since="+since, "").StatusCode, since)
	}
}

func TestSnippetUpdatesKeepWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	before := *desk.Snippets()[0]
	path := fmt.Sprintf("/snippets/%d", before.ID)
	for _, test := range []struct {
		body string
		want int
	}{
		{body: `{"snippet":{"tags":"new"}}`, want: 200},
		{body: `{"snippet":{"name":"New"}}`, want: 200},
		{body: `{"snippet":{"name":""}}`, want: 400},
		{body: `{"snippet":{"tags":"lost","content":{}}}`, want: 400},
	} {
		assert.Equal(t, test.want, send(t, desk, "PUT", path, test.body).StatusCode, test.body)
	}
	before.Name, before.Tags = "New", "new"
	assert.Equal(t, before, *desk.Snippets()[0])
	assert.Equal(t, http.StatusBadRequest, send(t, desk, "POST", "/snippets", `{"snippet":{"name":"x"}}`).StatusCode)
}

// endless is an upload that does not end, and fails the test if it is read.
type endless struct{ t *testing.T }

func (e endless) Read(p []byte) (int, error) {
	assert.Fail(e.t, "the upload was read")
	return 0, io.EOF
}

func TestUploadsWithAWrongTokenAreNotRead(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, desk.URL+"/attachments", endless{t})
	require.NoError(t, err)
	req.Header = http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer wrong"}, "Content-Type": {"multipart/form-data; boundary=b"}}
	res, err := desk.Transport().RoundTrip(req)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
	_, err = io.Copy(&bytes.Buffer{}, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
}

func TestAddedTicketsAreSeen(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	var want []supportbee.WebhookAction
	for _, id := range desk.AddTickets(20) {
		trail := []string{"Created"}
		want = append(want, supportbee.WebhookTicketCreated)
		for _, reply := range desk.Replies(id) {
			trail = append(trail, "Replied")
			if reply.Replier.Agent {
				want = append(want, supportbee.WebhookAgentReplyCreated)
			} else {
				want = append(want, supportbee.WebhookCustomerReplyCreated)
			}
		}
		for range desk.Comments(id) {
			trail = append(trail, "Commented")
			want = append(want, supportbee.WebhookCommentCreated)
		}
		assert.Equal(t, trail, actions(desk, id))
	}
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Equal(t, want, events(desk))
}
