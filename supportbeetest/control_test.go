package supportbeetest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// control sends a request to the control API, and returns the status and the body.
func control(t *testing.T, desk *supportbeetest.Desk, method, path, body string, header ...string) (int, string) {
	t.Helper()
	res := sendTo(t, desk, method, path, body, header...)
	return res.StatusCode, readAll(t, res)
}

func sendTo(t *testing.T, desk *supportbeetest.Desk, method, path, body string, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, desk.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	res, err := desk.Transport().RoundTrip(req) // follows no redirects
	require.NoError(t, err)
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(data)
}

// controlSteps use each operation of the control API. They build on each other.
var controlSteps = []struct {
	route string
	path  string // default the one of the route
	body  string
	want  string // JSON, or a part of the body if it is none
	code  int
}{
	{route: "GET /_desk/openapi.yaml", code: 200, want: "openapi: 3.1.0"},
	{route: "PUT /_desk/clock", body: `{"time":"2026-03-01T12:00:00Z"}`, code: 200, want: `{"time":"2026-03-01T12:00:00Z","stopped":true}`},
	{route: "PUT /_desk/clock", body: `{"advance":90.5}`, code: 200, want: `{"time":"2026-03-01T12:01:30.5Z","stopped":true}`},
	{route: "PUT /_desk/clock", body: `{"advance":0}`, code: 200, want: `{"time":"2026-03-01T12:01:30.5Z","stopped":true}`},
	{route: "PUT /_desk/clock", body: `{"advance":-1}`, code: 400, want: `{"error":"a duration must be a number of seconds that is not negative"}`},
	{route: "PUT /_desk/clock", body: `{"time":"2026-03-01T12:00:00Z","advance":1}`, code: 400, want: `{"error":"either time or advance must be given"}`},
	{route: "PUT /_desk/clock", body: `{"time":"9999-12-31T23:59:59-12:00"}`, code: 400, want: `{"error":"Clock.Set: the year of 10000-01-01T11:59:59Z is not from 1 to 9999"}`},
	{route: "GET /_desk/clock", code: 200, want: `{"time":"2026-03-01T12:01:30.5Z","stopped":true}`},
	{route: "POST /_desk/reset", code: 204},
	{route: "POST /_desk/users", body: `{"email":"kim@acme.example","name":"Kim King","role":"agent"}`, code: 201, want: `{"id":1002}`},
	{route: "POST /_desk/users", body: `{"type":"customer_group","name":"Example Ltd","member_ids":[1002]}`, code: 201, want: `{"id":1003}`},
	{route: "POST /_desk/users", body: `{"member_ids":[7]}`, code: 400, want: `{"error":"AddUser: there is no user 7"}`},
	{route: "POST /_desk/users", body: `{"mail":"x@example.com"}`, code: 400, want: `{"error":"the body must be JSON as described in /_desk/openapi.yaml: json: unknown field \"mail\""}`},
	{route: "GET /_desk/users", code: 200, want: `"name":"Kim King"`},
	{route: "GET /_desk/users/{id}/members", path: "/_desk/users/1003/members", code: 200, want: `"email":"kim@acme.example"`},
	{route: "GET /_desk/users/{id}/members", path: "/_desk/users/1002/members", code: 404, want: `{"error":"there is no customer group 1002"}`},
	{route: "POST /_desk/users/{id}/token", path: "/_desk/users/1001/token", code: 201, want: `{"token":"the-token"}`},
	{route: "POST /_desk/users/{id}/token", path: "/_desk/users/x/token", code: 400, want: `{"error":"AddToken: there is no user 0"}`},
	{route: "POST /_desk/teams", body: `{"name":"Support","member_ids":[1002]}`, code: 201, want: `{"id":1004}`},
	{route: "POST /_desk/labels", body: `{"name":"refund","color":"#FF0000"}`, code: 201, want: `{"id":1}`},
	{route: "POST /_desk/teams", body: `{"name":" "}`, code: 400, want: `{"error":"AddTeam: the name is blank"}`},
	{route: "POST /_desk/labels", body: `{}`, code: 400, want: `{"error":"AddLabel: the name is blank"}`},
	{route: "POST /_desk/labels", body: `null`, code: 400, want: `{"error":"the body must be JSON as described in /_desk/openapi.yaml: null is no object"}`},
	{route: "GET /_desk/labels", code: 200, want: `{"labels":[{"id":1,"name":"refund","color":"#FF0000"}]}`},
	{route: "POST /_desk/snippets", body: `{"name":"Thanks","text":"Thank you."}`, code: 201, want: `{"id":1005}`},
	{route: "GET /_desk/snippets", code: 200, want: `"name":"Thanks"`},
	{route: "GET /_desk/forwarding_addresses", code: 200, want: `{"forwarding_addresses":[]}`},
	{route: "POST /_desk/filters", body: `{"rule":{"subject":"urgent"},"consequence":{"assign_user_id":1002}}`, code: 201, want: `{"id":"1006_20260301120130"}`},
	{route: "POST /_desk/filters", body: `{}`, code: 400, want: `{"error":"AddFilter: a rule needs a condition, and a consequence an action"}`},
	{route: "POST /_desk/filters", body: `{"rule":{"subject":"urgent"}}`, code: 400, want: `{"error":"AddFilter: a rule needs a condition, and a consequence an action"}`},
	{route: "GET /_desk/filters", code: 200, want: `{"filters":[{"id":"1006_20260301120130","rule":{"subject":"urgent"},"consequence":{"assign_user_id":1002}}]}`},
	{route: "POST /_desk/files", path: "/_desk/files?name=a.txt", body: "bytes", code: 201, want: `{"id":1009}`},
	{route: "POST /_desk/files", body: "bytes", code: 400, want: `{"error":"the query must have the name of the file: /_desk/files?name=a.txt"}`},
	{route: "GET /_desk/files/{id}", path: "/_desk/files/1009", code: 200, want: "bytes"},
	{route: "GET /_desk/files/{id}", path: "/_desk/files/1", code: 404, want: `{"error":"there is no file 1"}`},
	{route: "POST /_desk/webhooks", body: `{"url":"ftp://hook.example"}`, code: 400, want: `{"error":"url must be of http or https"}`},
	{route: "POST /_desk/webhooks", body: `{"url":"HOOK"}`, code: 204},
	{route: "POST /_desk/tickets", body: `{"subject":"urgent","text":"Please.","labels":["refund"],"attachment_ids":[1009]}`, code: 201, want: `{"id":1010}`},
	{route: "POST /_desk/tickets", body: `{"labels":["none"]}`, code: 400, want: `{"error":"AddTicket: there is no label \"none\"; AddLabel adds it"}`},
	{route: "POST /_desk/tickets", body: `{"created_at":"9999-12-31T23:59:59-12:00"}`, code: 400, want: `{"error":"AddTicket: the year of 10000-01-01T11:59:59Z is not from 1 to 9999"}`},
	{route: "POST /_desk/tickets", body: `{"Subject":"x"}`, code: 400, want: `{"error":"the body must be JSON as described in /_desk/openapi.yaml: unknown key \"Subject\"; did you mean \"subject\"?"}`},
	{route: "POST /_desk/tickets", body: `{} {}`, code: 400, want: "invalid character '{' after top-level value"},
	{route: "POST /_desk/webhooks/flush", code: 204},
	{route: "GET /_desk/deliveries", code: 200, want: `"action":"ticket.created"`},
	{route: "POST /_desk/tickets/{id}/customer_replies", path: "/_desk/tickets/1010/customer_replies", body: `{"text":"Hello?","attachment_ids":[1009]}`, code: 201, want: `{"id":1013}`},
	{route: "POST /_desk/tickets/{id}/customer_replies", path: "/_desk/tickets/7/customer_replies", body: `{"text":"Hello?"}`, code: 404, want: `{"error":"there is no ticket 7"}`},
	{route: "POST /_desk/tickets/{id}/customer_replies", path: "/_desk/tickets/1010/customer_replies", body: `{"author_id":1}`, code: 400, want: `{"error":"author_id is the requester of the ticket, and must not be given"}`},
	{route: "POST /_desk/tickets/{id}/replies", path: "/_desk/tickets/1010/replies", body: `{"author_id":1002,"text":"Yes."}`, code: 201, want: `{"id":1014}`},
	{route: "POST /_desk/tickets/{id}/replies", path: "/_desk/tickets/1010/replies", body: `{"author_id":1002,"attachment_ids":[1]}`, code: 400, want: `{"error":"attachment_ids are for the replies of customers"}`},
	{route: "POST /_desk/tickets/{id}/comments", path: "/_desk/tickets/1010/comments", body: `{"author_id":1002,"text":"Odd."}`, code: 201, want: `{"id":1015}`},
	{route: "POST /_desk/tickets/{id}/comments", path: "/_desk/tickets/1010/comments", body: `{"author_id":1002,"attachment_ids":[1]}`, code: 400, want: `{"error":"attachment_ids are for the replies of customers"}`},
	{route: "GET /_desk/tickets/{id}", path: "/_desk/tickets/1010", code: 200, want: `"draft":null`},
	{route: "GET /_desk/tickets", code: 200, want: `"subject":"urgent"`},
	{route: "POST /_desk/sample_tickets", body: `{"count":2}`, code: 201, want: `"ids":[10`},
	{route: "POST /_desk/sample_tickets", body: `{"count":0}`, code: 400, want: `{"error":"count must be 1 to 1,000,000"}`},
	{route: "POST /_desk/faults", body: `{"op":"Tickets.Lists","faults":[{"type":"drop"}]}`, code: 400, want: `{"error":"unknown operation \"Tickets.Lists\"; did you mean \"Tickets.List\"?"}`},
	{route: "POST /_desk/faults", body: `{"op":"Tickets.List"}`, code: 400, want: `{"error":"faults or chaos must be given"}`},
	{route: "POST /_desk/faults", body: `{"chaos":2}`, code: 400, want: `{"error":"chaos must be from 0 to 1, and all that can be given with it is seed"}`},
	{route: "POST /_desk/faults", body: `{"times":-1,"faults":[{"type":"drop"}]}`, code: 400, want: `{"error":"skip and times must not be negative, and probability must be from 0 to 1"}`},
	{route: "POST /_desk/faults", body: `{"faults":[{"type":"fire"}]}`, code: 400, want: `{"error":"unknown type of fault \"fire\"; see /_desk/openapi.yaml"}`},
	{route: "POST /_desk/faults", body: `{"faults":[{"type":"status"}]}`, code: 400, want: `{"error":"a fault of type status must have a status from 200 to 999"}`},
	{route: "POST /_desk/faults", body: `{"faults":[{"type":"header"}]}`, code: 400, want: `{"error":"a fault of type header must have a key"}`},
	{
		route: "POST /_desk/faults", body: `{"op":"Labels.List","path":"/labels","times":1,"faults":[{"type":"status","status":502,"after_handling":true}]}`,
		code: 201, want: `{"id":1,"op":"Labels.List","ticket_id":0,"skip":0,"times":1,"probability":0,"seed":0,"names":["status 502 after handling"],"hits":0}`,
	},
	{route: "GET /_desk/faults/{id}", path: "/_desk/faults/1", code: 200, want: `{"id":1,"op":"Labels.List","ticket_id":0,"skip":0,"times":1,"probability":0,"seed":0,"names":["status 502 after handling"],"hits":0}`},
	{route: "GET /_desk/faults/{id}", path: "/_desk/faults/7", code: 404, want: `{"error":"there is no injection 7"}`},
	{route: "DELETE /_desk/faults/{id}", path: "/_desk/faults/1", code: 200, want: `"hits":0`},
	{route: "POST /_desk/faults", body: `{"chaos":0.5,"seed":7}`, code: 201, want: `"names":["chaos"]`},
	{route: "GET /_desk/faults", code: 200, want: `{"faults":[{"id":2,"op":"","ticket_id":0,"skip":0,"times":0,"probability":0.5,"seed":7,"names":["chaos"],"hits":0}]}`},
	{route: "GET /_desk/requests", code: 200, want: `{"requests":[]}`},
	{route: "GET /_desk/requests", path: "/_desk/requests?op=Label.List", code: 400, want: `{"error":"unknown operation \"Label.List\"; did you mean \"Labels.List\"?"}`},
	{route: "GET /_desk/outbox", code: 200, want: `{"mails":[]}`},
	{route: "GET /_desk/snapshot", code: 200, want: `"next_id":`},
	{route: "PUT /_desk/snapshot", body: `null`, code: 400, want: `{"error":"supportbeetest: Load: null is no state of a desk"}`},
	{route: "PUT /_desk/snapshot", body: "SNAPSHOT", code: 204},
	{route: "POST /_desk/webhooks/flush", code: 204}, // or a delivery in progress would be in the history again
	{route: "DELETE /_desk/history", code: 204},
	{route: "GET /_desk/deliveries", code: 200, want: `{"deliveries":[]}`},
	{route: "GET /_desk/unknown", path: "/_desk/unknown", code: 404, want: `{"error":"the control API has no such route; see /_desk/openapi.yaml"}`},
}

func TestTheControlAPI(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed(), supportbeetest.WithToken("the-token"), supportbeetest.WithControl(""))
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer hook.Close()
	for _, step := range controlSteps {
		method, path, _ := strings.Cut(step.route, " ")
		if step.path != "" {
			path = step.path
		}
		body := step.body
		switch body {
		case `{"url":"HOOK"}`:
			body = `{"url":"` + hook.URL + `"}`
		case "SNAPSHOT":
			var saved bytes.Buffer
			require.NoError(t, desk.Save(&saved))
			body = saved.String()
		}
		code, got := control(t, desk, method, path, body)
		name := step.route + " " + step.body
		assert.Equal(t, step.code, code, name+": "+got)
		switch {
		case step.want == "":
			assert.Empty(t, got, name)
		case step.want[0] == '{':
			assert.JSONEq(t, step.want, got, name)
		default:
			assert.Contains(t, got, step.want, name)
		}
	}
	assert.Empty(t, desk.Requests(), "the history is of the API")
	ticket := desk.Ticket(1010)
	assert.Equal(t, []any{2, 1, 1, "Kim King"}, []any{ticket.RepliesCount, ticket.CommentsCount, ticket.AttachmentsCount, ticket.AssignedUser.Name})
}

func TestTheControlAPITellsWhatItCannotEncode(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	desk.Inject(supportbeetest.Match{Probability: math.NaN()})
	code, got := control(t, desk, http.MethodGet, "/_desk/faults", "")
	assert.Equal(t, http.StatusInternalServerError, code)
	assert.JSONEq(t, `{"error":"the response cannot be encoded"}`, got)
}

// controlDescription is the part of control.yaml that is tested.
type controlDescription struct {
	Paths      map[string]map[string]yaml.Node `yaml:"paths"`
	Components struct {
		Schemas map[string]schema `yaml:"schemas"`
	} `yaml:"components"`
}

type schema struct {
	Ref        string            `yaml:"$ref"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
}

func readControlDescription(t *testing.T) controlDescription {
	t.Helper()
	data, err := os.ReadFile("control.yaml")
	require.NoError(t, err)
	var d controlDescription
	require.NoError(t, yaml.Unmarshal(data, &d))
	return d
}

// everything returns a value with all members that a schema describes, whose values are null.
func (d controlDescription) everything(s schema) any {
	if name, isRef := strings.CutPrefix(s.Ref, "#/components/schemas/"); isRef {
		s = d.Components.Schemas[name]
	}
	switch {
	case s.Properties != nil:
		value := map[string]any{}
		for name, property := range s.Properties {
			value[name] = d.everything(property)
		}
		return value
	case s.Items != nil:
		return []any{d.everything(*s.Items)}
	default:
		return nil
	}
}

func TestTheControlAPIIsDescribedAndTested(t *testing.T) {
	t.Parallel()
	var described, tested []string
	for path, item := range readControlDescription(t).Paths {
		for method := range item {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, step := range controlSteps {
		if step.path != "/_desk/unknown" && !slices.Contains(tested, step.route) {
			tested = append(tested, step.route)
		}
	}
	assert.ElementsMatch(t, supportbeetest.ControlRoutes(), described)
	assert.ElementsMatch(t, supportbeetest.ControlRoutes(), tested)
}

func TestTheControlAPIKnowsWhatIsDescribed(t *testing.T) {
	t.Parallel()
	d := readControlDescription(t)
	sent := 0
	for path, item := range d.Paths {
		for method, node := range item {
			var operation struct {
				RequestBody struct {
					Content map[string]struct {
						Schema schema `yaml:"schema"`
					} `yaml:"content"`
				} `yaml:"requestBody"`
			}
			if method == "parameters" {
				continue
			}
			require.NoError(t, node.Decode(&operation))
			content, hasBody := operation.RequestBody.Content["application/json"]
			if !hasBody || path == "/_desk/snapshot" {
				continue
			}
			sent++
			body, err := json.Marshal(d.everything(content.Schema))
			require.NoError(t, err)
			desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
			id := strconv.FormatInt(int64(desk.Tickets()[0].ID), 10)
			_, got := control(t, desk, strings.ToUpper(method), strings.Replace(path, "{id}", id, 1), string(body))
			assert.NotContains(t, got, "must be JSON", path+": "+string(body))
		}
	}
	assert.Equal(t, 13, sent)
}

func TestEveryFaultCanBeInjectedOverHTTP(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	code, body := control(t, desk, http.MethodPost, "/_desk/faults", `{"faults":[
		{"type":"delay","seconds":0.001},{"type":"slow_body","seconds":0.001},{"type":"header","key":"X-A","value":"b"},
		{"type":"html_page","status":502},{"type":"redirect","status":302,"location":"/x"},{"type":"respond","status":200,"content_type":"text/plain","body":"x"},
		{"type":"rate_limited","retry_after":"1"},{"type":"status","status":500},{"type":"drop"},{"type":"drop_body"},{"type":"truncate"},{"type":"corrupt"},{"type":"pad","size":9}]}`)
	assert.Equal(t, http.StatusCreated, code)
	assert.Contains(t, body, `"names":["delay 1ms","slow body 1ms","header X-A","HTML page 502","redirect 302","respond","rate limited","status 500","drop","drop body","truncate","corrupt","pad 9"]`)
	res := sendTo(t, desk, http.MethodGet, "/labels", "")
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)
	assert.Equal(t, "b", res.Header.Get("X-A"))
	_, body = control(t, desk, http.MethodGet, "/_desk/faults/1", "")
	assert.Contains(t, body, `"hits":1`)
}

// The round trip that a test in another language makes.
func TestAFaultAndAMailAreSeenOverHTTP(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl("letmein"))
	bearer := []string{"Authorization", "Bearer letmein"}
	code, _ := control(t, desk, http.MethodPost, "/_desk/faults", `{"op":"Tickets.Create","times":1,"faults":[{"type":"status","status":429}]}`, bearer...)
	assert.Equal(t, http.StatusCreated, code)
	_, err := desk.Client(supportbee.WithoutRetry()).Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("x")})
	require.ErrorIs(t, err, supportbee.ErrRateLimited)
	ticket := open(t, desk.Client(), "y")
	_, mails := control(t, desk, http.MethodGet, "/_desk/outbox", "", bearer...)
	assert.Contains(t, mails, `"to":"ann@example.com","reason":"auto-response"`)
	_, requests := control(t, desk, http.MethodGet, "/_desk/requests?op=Tickets.Create", "", bearer...)
	assert.Contains(t, requests, `"fault":"status 429"`)
	assert.Contains(t, requests, `"status":201`)
	assert.NotContains(t, requests, desk.Token)
	assert.NotNil(t, desk.Ticket(ticket.ID))
}

func TestTheControlAPIIsGuarded(t *testing.T) {
	t.Parallel()
	open := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
	closed := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl("letmein"))
	without := supportbeetest.New(t, supportbeetest.InMemory())
	for name, tt := range map[string]struct {
		desk   *supportbeetest.Desk
		method string
		from   string
		host   string
		header [2]string
		want   int
	}{
		"from loopback":        {desk: open, want: 200},
		"IPv6":                 {desk: open, from: "[::1]:9", host: "[::1]:8080", want: 200},
		"from elsewhere":       {desk: open, from: "192.0.2.7:9", want: 403},
		"for another host":     {desk: open, host: "evil.example", want: 403},
		"from another origin":  {desk: open, method: "POST", header: [2]string{"Origin", "http://evil.example"}, want: 403},
		"from another site":    {desk: open, method: "POST", header: [2]string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		"from its own page":    {desk: open, method: "POST", header: [2]string{"Origin", "http://localhost"}, want: 405},
		"without its token":    {desk: closed, want: 401},
		"with another token":   {desk: closed, header: [2]string{"Authorization", "Bearer " + closed.Token}, want: 401},
		"with its token":       {desk: closed, from: "192.0.2.7:9", host: "desk.example", header: [2]string{"Authorization", "Bearer letmein"}, want: 200},
		"with its password":    {desk: closed, header: [2]string{"Authorization", "Basic YW55OmxldG1laW4="}, want: 200},
		"with another user":    {desk: closed, header: [2]string{"Authorization", "Basic bGV0bWVpbjph"}, want: 401},
		"where it is disabled": {desk: without, want: 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/_desk/", "/_desk/outbox", "/_desk/openapi.yaml"} {
				method := tt.method
				if method == "" {
					method = http.MethodGet
				}
				r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
				r.RemoteAddr, r.Host = "127.0.0.1:9", "localhost"
				if tt.from != "" {
					r.RemoteAddr = tt.from
				}
				if tt.host != "" {
					r.Host = tt.host
				}
				if tt.header[0] != "" {
					r.Header.Set(tt.header[0], tt.header[1])
				}
				if tt.desk == without {
					r.Header.Set("Authorization", "Bearer "+without.Token)
					r.Header.Set("Accept", "application/json")
				}
				w := httptest.NewRecorder()
				tt.desk.ServeHTTP(w, r)
				want := tt.want
				if want == http.StatusMethodNotAllowed {
					want = http.StatusNotFound // all other methods are
				}
				assert.Equal(t, want, w.Code, path+": "+w.Body.String())
				if want == http.StatusUnauthorized {
					assert.Equal(t, `Basic realm="supportbee-desk"`, w.Header().Get("WWW-Authenticate"))
				}
			}
		})
	}
}

func TestTheDescriptionOfTheAPIIsServed(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	copied, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, copied), "run cp openapi.yaml supportbeetest")
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl("letmein"))
	code, got := control(t, desk, http.MethodGet, "/openapi.yaml", "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, string(want), got)
	assert.Equal(t, http.StatusNotFound, sendTo(t, supportbeetest.New(t, supportbeetest.InMemory()), http.MethodGet, "/openapi.yaml", "").StatusCode)
}
