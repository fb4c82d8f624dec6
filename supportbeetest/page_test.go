package supportbeetest_test

import (
	"bufio"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// submatches returns the first group of each match.
func submatches(pattern, text string) []string {
	list := []string{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		list = append(list, match[1])
	}
	return list
}

// look returns the part of the page that shows the desk.
func look(t *testing.T, desk *supportbeetest.Desk, query string) string {
	t.Helper()
	code, body := control(t, desk, http.MethodGet, "/_desk/"+query, "")
	require.Equal(t, http.StatusOK, code)
	_, body, _ = strings.Cut(body, "<body>")
	body, _, _ = strings.Cut(body, "<script ")
	return body
}

func TestThePageShowsTheDesk(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	desk.AddTickets(60)
	ticket := open(t, desk.Client(), "A <b>bold</b> kettle")
	res := sendTo(t, desk, http.MethodGet, "/", "")
	assert.Equal(t, []any{http.StatusSeeOther, "_desk/"}, []any{res.StatusCode, res.Header.Get("Location")})

	res = sendTo(t, desk, http.MethodGet, "/_desk/", "")
	body := readAll(t, res)
	assert.Contains(t, body, "Tickets.Create")
	assert.Contains(t, body, "A &lt;b&gt;bold&lt;/b&gt; kettle")
	assert.Len(t, submatches(`<li id="item-(\d+)"`, body), 30)
	nonces := submatches(`<(?:style|script) nonce="(\w+)"`, body)
	require.Len(t, nonces, 2)
	assert.Equal(t, "default-src 'none'; style-src 'nonce-"+nonces[0]+"'; script-src 'nonce-"+nonces[1]+
		"'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", res.Header.Get("Content-Security-Policy"))
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	assert.NotRegexp(t, `<[^>]* (style|on\w+)=`, body, "the policy would ignore it")
	assert.Contains(t, body, `<noscript><meta http-equiv="refresh" content="5"></noscript>`)
	assert.NotContains(t, body, desk.Token)
	_, again := control(t, desk, http.MethodGet, "/_desk/", "")
	assert.NotContains(t, again, nonces[0])

	older := submatches(`<a href="([^"]*)">older`, body)
	require.Len(t, older, 1)
	second := look(t, desk, html.UnescapeString(older[0]))
	assert.NotEmpty(t, submatches(`<li id="item-(\d+)"`, second))
	assert.NotContains(t, second, "older →")
	assert.Contains(t, second, "← newer")

	body = look(t, desk, fmt.Sprint("?ticket=", ticket.ID))
	assert.Contains(t, body, "Hello, A &lt;b&gt;bold&lt;/b&gt; kettle")
	for _, id := range []string{"1", "x"} {
		code, body := control(t, desk, http.MethodGet, "/_desk/?ticket="+id, "")
		assert.Equal(t, http.StatusNotFound, code)
		assert.Contains(t, body, "There is no ticket "+id+".")
	}
	assert.Len(t, desk.Requests(), 1, "looking at the page leaves no trace")
}

func TestThePageSelectsTicketsLikeTheAPI(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	for _, query := range []string{
		"", "archived=any", "archived=true", "spam=true", "trash=true&archived=any", "label=bug", "assigned_user=me", "assigned_user=none", "assigned_team=none",
		"replies=true", "max_replies=1", "requester_emails=" + supportbeetest.CustomerEmail, "since=2999-01-01", "until=2001-01-01", "sort_by=creation_time",
	} {
		var want supportbee.TicketPage
		require.NoError(t, desk.Client().Do(t.Context(), http.MethodGet, "/tickets?per_page=30&"+query, nil, &want))
		ids := []string{}
		for _, ticket := range want.Tickets {
			ids = append(ids, fmt.Sprint(ticket.ID))
		}
		body := look(t, desk, "?"+query+"&view=tickets&ticket=&query=")
		assert.Equal(t, ids, submatches(`<li id="item-(\d+)"`, body), query)
	}
	body := look(t, desk, "?query=prize&spam=true")
	assert.Equal(t, []string{"You have won a prize"}, submatches(`<strong>([^<]*)</strong>\n<div class="summary">`, body))
	assert.Contains(t, body, `<option value="true" selected>yes</option>`)
	body = look(t, desk, "?since=soon")
	assert.Regexp(t, `<p class="bad" id="problem">[^<]+</p>`, body)
}

func TestThePageShowsWhatHappenedToATicket(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })})
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later := func() {
		require.NoError(t, desk.FlushWebhooks(t.Context()))
		desk.Clock.Advance(time.Minute)
	}
	desk.Clock.Set(start)
	file := desk.AddFile("a&b.png", "image/png", []byte("12345"))
	id := desk.AddTicket(supportbeetest.TicketSeed{
		Subject: "Leak", Text: "It leaks.", HTML: `<p onclick="x()">It <b>leaks</b>.</p>`, AttachmentIDs: []supportbee.AttachmentID{file},
		CC: []string{"Carl <carl@example.com>"}, Labels: []string{"bug"},
	})
	later()
	ctx, client := t.Context(), desk.Client()
	_, err := client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("On its way.")})
	require.NoError(t, err)
	later()
	_, err = client.Comments.Create(ctx, id, supportbee.CommentParams{Content: supportbee.Text("The third.")})
	require.NoError(t, err)
	later()
	desk.AddCustomerReply(id, "Thanks!")
	later()
	for _, text := range []string{"One.", "Two."} { // in the same second
		_, err = client.Comments.Create(ctx, id, supportbee.CommentParams{Content: supportbee.Text(text)})
		require.NoError(t, err)
		_, err = client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text(text)})
		require.NoError(t, err)
	}
	later()
	_, err = client.Drafts.Create(ctx, id, supportbee.DraftParams{Content: supportbee.Text("Not yet.")})
	require.NoError(t, err)

	body := look(t, desk, fmt.Sprint("?ticket=", id))
	assert.Equal(t, []string{
		"customer", "audit", "webhook", // the ticket
		"agent", "audit", "webhook", "mail", // the reply
		"comment", "audit", "webhook",
		"customer", "audit", "webhook",
		"comment", "audit", "agent", "audit", "comment", "audit", "agent", "audit", "webhook", "webhook", "webhook", "webhook", "mail", "mail",
		"draft",
	}, submatches(`<li class="(\w+)" id=`, body))
	assert.Equal(t, []string{
		"customer", "agent", "comment · agent, to agents only", "customer", "comment · agent, to agents only", "agent", "comment · agent, to agents only", "agent", "draft · agent, not sent",
	}, submatches(`</strong> <span class="tag">([^<]*)</span>`, body))
	for _, text := range []string{
		`<iframe sandbox class="short" title="HTML of the message" srcdoc="&lt;p onclick=&#34;x()&#34;&gt;It &lt;b&gt;leaks&lt;/b&gt;.&lt;/p&gt;"></iframe>`,
		fmt.Sprintf(`href="files/%d" download="a&amp;b.png">a&amp;b.png</a> <span class="meta">image/png, 5 bytes</span>`, file),
		"cc: Carl &lt;carl@example.com&gt;", "label: bug", "ticket.created: status 418", "to " + supportbeetest.CustomerEmail, "(reply)",
	} {
		assert.Contains(t, body, text)
	}
	body = look(t, desk, fmt.Sprint("?ticket=", desk.Tickets()[1].ID))
	assert.NotContains(t, body, "status 418", "the webhooks of other tickets")
}

func TestThePageShowsRequests(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	client := desk.Client(supportbee.WithoutRetry())
	desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Status(http.StatusBadGateway))
	_, err := client.Labels.List(t.Context())
	require.Error(t, err)
	_, err = client.Tickets.List(t.Context(), &supportbee.TicketListOptions{Label: "very important"})
	require.NoError(t, err)
	_, err = client.Comments.Create(t.Context(), desk.Tickets()[0].ID, supportbee.CommentParams{Content: supportbee.Text("It's <5 $HOME\n@home")})
	require.NoError(t, err)
	sendTo(t, desk, http.MethodGet, "/labels?auth_token=secret", "")
	sendTo(t, desk, http.MethodPost, "/tickets", strings.Repeat("x", 8<<10+3), "Accept", "application/json")

	body := look(t, desk, "")
	assert.Equal(t, []string{"400", "502", "201", "200", "502"}, submatches(`<span class="(?:good|bad)">([^<]*)</span> <strong>`, body))
	assert.Equal(t, []string{"fault: status 502", "fault: status 502"}, submatches(`<span class="tag bad">([^<]*)</span>`, body))
	assert.Contains(t, body, "/tickets?label=very&#43;important")
	assert.Contains(t, body, "Comments.Create · /tickets/{id}/comments · ")
	assert.Regexp(t, `<time class="meta">[\d.]+(µs|ms)</time>`, body)
	assert.NotContains(t, body, "secret")

	commands := submatches(`<pre>(curl [^<]*)</pre>`, body)
	require.Len(t, commands, 5)
	assert.Contains(t, body, "xxx… (3 bytes more)")
	assert.Contains(t, commands[0], "--data-binary @body")
	commands = commands[1:]
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell")
	}
	args := func(command string) []string {
		script := `curl() { for a; do printf '%s\036' "$a"; done; }; TOKEN=t; ` + html.UnescapeString(command)
		output, err := exec.CommandContext(t.Context(), shell, "-c", script).Output()
		require.NoError(t, err)
		return strings.Split(strings.TrimSuffix(string(output), "\036"), "\036")
	}
	path := fmt.Sprintf("%s/tickets/%d/comments", desk.URL, desk.Tickets()[0].ID)
	accept, auth := "Accept: application/json", "Authorization: Bearer t"
	assert.Equal(t, []string{"-g", desk.URL + "/labels", "-H", auth}, args(commands[0]))
	assert.Equal(t, []string{
		"-g", "-X", "POST", path, "-H", accept, "-H", "Content-Type: application/json", "-H", auth,
		"--data-raw", string(desk.Requests("Comments.Create")[0].Body),
	}, args(commands[1]))
	assert.Equal(t, []string{"-g", desk.URL + "/tickets?label=very+important", "-H", accept, "-H", auth}, args(commands[2]))
}

func TestEventsTellOfChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl("letmein"))
		assert.Equal(t, http.StatusUnauthorized, sendTo(t, desk, http.MethodGet, "/_desk/events", "").StatusCode)
		res := sendTo(t, desk, http.MethodGet, "/_desk/events", "", "Authorization", "Bearer letmein")
		assert.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
		events := 0
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for lines := bufio.NewScanner(res.Body); lines.Scan(); {
				if lines.Text() == "data: changed" {
					events++
				}
			}
		}()
		told := func() int { // since the last call
			<-time.After(time.Minute) // in the bubble
			synctest.Wait()
			n := events
			events = 0
			return n
		}
		assert.Equal(t, 1, told(), "at once")
		assert.Equal(t, 0, told())
		desk.AddTickets(3)
		assert.Equal(t, 1, told())
		_, err := desk.Client().Labels.List(t.Context())
		require.NoError(t, err)
		assert.LessOrEqual(t, told(), 2, "changes in quick succession are one event")
		desk.ClearHistory()
		assert.Equal(t, 1, told())
		desk.Close()
		<-ended
	})
}

func TestCloseEndsEvents(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithControl(""))
	w := httptest.NewRecorder()
	desk.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/_desk/events", nil)) // from another machine
	assert.Equal(t, http.StatusForbidden, w.Code)
	res := sendTo(t, desk, http.MethodGet, "/_desk/events", "")
	require.Equal(t, http.StatusOK, res.StatusCode)
	desk.Close()
}

func BenchmarkPage(b *testing.B) {
	desk := supportbeetest.New(b, supportbeetest.WithControl(""))
	ids := desk.AddTickets(100_000)
	page := func(b *testing.B, path string) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://localhost"+path, nil)
			r.RemoteAddr = "127.0.0.1:1"
			desk.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatal(w.Code, w.Body)
			}
		}
	}
	b.Run("tickets", func(b *testing.B) { page(b, "/_desk/") })
	b.Run("selected", func(b *testing.B) { page(b, "/_desk/?label=bug&assigned_user=any&replies=true") })
	b.Run("ticket", func(b *testing.B) { page(b, fmt.Sprint("/_desk/?ticket=", ids[0])) })
	b.Run("list page of the API", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100") })
}
