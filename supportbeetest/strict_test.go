package supportbeetest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

const aside = " (the service ignores what it does not know; so does a desk with WithLenient, or supportbee-desk with -lenient)"

func TestStrictDesksRejectWhatTheServiceIgnores(t *testing.T) {
	t.Parallel()
	strict, lenient := supportbeetest.New(t), supportbeetest.New(t, supportbeetest.WithLenient())
	id := strict.Tickets()[0].ID
	ticket := func(more string) string {
		return `{"ticket":{"requester_email":"a@example.com","content":{"text":"x"}` + more + `}}`
	}
	for _, test := range []struct{ method, path, body, want string }{
		{method: "GET", path: "/tickets?lable=bug", want: `unknown parameter "lable"; did you mean "label"?`},
		{method: "GET", path: "/tickets?page=1;label=bug", want: "malformed query: invalid semicolon separator in query"},
		{method: "GET", path: "/tickets?color=%zz", want: `malformed query: invalid URL escape "%zz"`},
		{method: "GET", path: "/tickets?color=red", want: `unknown parameter "color"`},
		{method: "GET", path: "/tickets?replies=1", want: "parameter replies=1 must be true or false"},
		{method: "GET", path: "/tickets?archived=all", want: "parameter archived=all must be true or false or any"},
		{method: "GET", path: "/tickets?page=0&per_page=101", want: "parameter page=0 must be a positive number; parameter per_page=101 must be a number from 1 to 100"},
		{method: "GET", path: "/tickets?spam=true&spam=false", want: "parameter spam is given 2 times"},
		{method: "GET", path: "/tickets?replies=false&max_replies=1", want: "parameter max_replies cannot be combined with replies=false"},
		{method: "GET", path: "/tickets?assigned_user=ben", want: "parameter assigned_user=ben must be me, any, none or an ID"},
		{method: "GET", path: "/tickets?assigned_team=any", want: "parameter assigned_team=any must be mine, none or an ID"},
		{method: "GET", path: "/tickets?sort_by=age", want: "parameter sort_by=age must be last_activity or creation_time"},
		{method: "GET", path: "/tickets?max_replies=-1", want: "parameter max_replies=-1 must be a number"},
		{method: "GET", path: "/tickets?requester_emails=a@example.com,eve", want: "parameter requester_emails=a@example.com,eve must be e-mail addresses, separated by commas"},
		{method: "GET", path: "/tickets/search?query=x&archived=any", want: `unknown parameter "archived"`},
		{method: "GET", path: "/labels?page=2", want: `unknown parameter "page"`},
		{method: "GET", path: "/users?with_roles=agnet", want: "parameter with_roles=agnet must be roles, separated by commas: admin, agent, collaborator, customer"},
		{method: "GET", path: "/users?type=group", want: "parameter type=group must be user or customer_group"},
		{method: "GET", path: "/users/1002?max_tickets=all", want: "parameter max_tickets=all must be a number or false"},
		{method: "GET", path: "/teams?user=ben", want: "parameter user=ben must be me"},
		{method: "GET", path: "/reports/tickets_count?user=me", want: "parameter user=me must be a positive number"},
		{method: "POST", path: fmt.Sprintf("/tickets/%d/archive?force=true", id), want: `unknown parameter "force"`},
		{method: "POST", path: "/tickets", body: ticket(`,"subjekt":"x"`), want: `unknown key "ticket.subjekt"; did you mean "subject"?`},
		{method: "POST", path: "/tickets", body: ticket(`,"Subject":"x"`), want: `unknown key "ticket.Subject"; did you mean "subject"?`},
		{method: "POST", path: "/tickets", body: `{"ticket":{"requester_email":"a@example.com","content":{"text":"x","attachments":[1]}}}`, want: `unknown key "ticket.content.attachments"; did you mean "attachment_ids"?`},
		{method: "POST", path: "/tickets", body: strings.TrimSuffix(ticket(""), "}") + `,"notify":true}`, want: `unknown key "notify"`},
		{method: "POST", path: "/filters", body: `{"rule":"1","consequence_id":"2"}`, want: `unknown key "rule"; did you mean "rule_id"?`},
	} {
		got := send(t, strict, test.method, test.path, test.body)
		assert.Equal(t, http.StatusBadRequest, got.StatusCode, test.path)
		assert.Equal(t, "supportbeetest: "+test.want+aside, got.at(t, "error"), test.path+test.body)
		if ignored := send(t, lenient, test.method, test.path, test.body); test.path != "/filters" {
			assert.Less(t, ignored.StatusCode, 300, test.path+test.body)
		}
	}
	got := send(t, strict, "POST", "/tickets", ticket(`,"forwarding_address_id":1`))
	assert.Equal(t, "Validation failed: Forwarding address does not exist", got.at(t, "error"))
	assert.Len(t, strict.Tickets(), 10)
}

func TestLenientDesksIgnoreUnknownValues(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithLenient())
	all := send(t, desk, "GET", "/tickets", "").at(t, "total")
	assert.Positive(t, all)
	for _, query := range []string{
		"replies=yes", "max_replies=-1", "max_replies=x", "assigned_user=ben", "assigned_user=0", "assigned_team=any", "assigned_team=-1",
		"archived=yes", "spam=yes", "trash=yes", "label=", "sort_by=age", "page=x", "per_page=x",
	} {
		assert.Equal(t, all, send(t, desk, "GET", "/tickets?"+query, "").at(t, "total"), query)
	}
}

func TestLenientDesksIgnoreKeysOfAnotherCase(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithLenient())
	got := send(t, desk, "POST", "/tickets", `{"ticket":{"SUBJECT":"a","subject":"b","CC":["x"],"requester_email":"a@example.com","content":{"text":"<c>","TEXT":"d","Html":7}}}`)
	assert.Equal(t, []any{"b", []any{}, "<c>", "<c>"}, []any{
		got.at(t, "ticket.subject"), got.at(t, "ticket.cc"), got.at(t, "ticket.content.text"), got.at(t, "ticket.content.html"),
	})
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, test := range []struct{ body, want string }{
		{body: " ", want: "The body is empty"},
		{body: `{"ticket":`, want: "The body is not valid JSON: unexpected end of JSON input"},
		{body: `[]`, want: "The body is not a JSON object"},
		{body: `{}`, want: "Validation failed: ticket is missing"},
		{body: `{"ticket":null}`, want: "Validation failed: ticket is missing"},
	} {
		got := send(t, desk, "POST", "/tickets", test.body)
		assert.Equal(t, http.StatusBadRequest, got.StatusCode, test.body)
		assert.Equal(t, test.want, got.at(t, "error"), test.body)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithLenient())
	id := desk.Tickets()[0].ID
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/tickets", `{"ticket":{"requester_email":"Ann","content":{"text":"x"}}}`, `Requester email "Ann" is invalid`},
		{"POST", "/tickets", `{"ticket":{"requester_email":"Ann <ann@example.com>","content":{"text":"x"}}}`, `Requester email "Ann <ann@example.com>" is invalid`},
		{"POST", "/tickets", `{"ticket":{"requester_email":"a@example.com","cc":["@"],"content":{"text":"x"}}}`, `Cc "@" is invalid`},
		{"POST", "/emails", `{"forwarding_address":{"email":"@"}}`, "Email is invalid"},
		{"POST", "/users", `{"user":{"email":"a@","role":10}}`, "Email is invalid"},
		{"PUT", fmt.Sprintf("/tickets/%d/requester", id), `{"requester":{"email":"a@b@c"}}`, "Email is invalid"},
	} {
		got := send(t, desk, test.method, test.path, test.body)
		assert.Equal(t, http.StatusBadRequest, got.StatusCode, test.body)
		assert.Equal(t, "Validation failed: "+test.want, got.at(t, "error"), test.body)
	}
}

func TestForwardingAddressesByNumber(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	number := send(t, desk, "POST", "/emails", `{"forwarding_address":{"email":"second@acme.example"}}`).at(t, "forwarding_address.id")
	for _, id := range []string{fmt.Sprintf("%.0f", number), fmt.Sprintf("%q", fmt.Sprintf("%.0f", number))} {
		got := send(t, desk, "POST", "/tickets", `{"ticket":{"requester_email":"a@example.com","content":{"text":"x"},"forwarding_address_id":`+id+`}}`)
		assert.Equal(t, "second@acme.example", got.at(t, "ticket.source.web"), id)
	}
	require.Len(t, desk.ForwardingAddresses(), 2)
}
