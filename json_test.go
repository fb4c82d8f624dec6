package supportbee_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// Every form that is on record decodes to the same value.
func TestTolerance(t *testing.T) {
	t.Parallel()
	const benJSON = `{"id":12,"email":"ben@acme.example"}`
	ben := &supportbee.Person{ID: 12, Email: "ben@acme.example"}
	team := &supportbee.Team{ID: 21, Name: "Support"}
	thumb := supportbee.Picture{Thumb20: "u"}
	type ticket = supportbee.Ticket
	tests := map[string]ticket{
		`"current_user_assignee":{"user":` + benJSON + `}`:                        {AssignedUser: ben},
		`"current_user_assignee":` + benJSON:                                      {AssignedUser: ben},
		`"current_user_asignee":{"user":` + benJSON + `}`:                         {AssignedUser: ben},
		`"current_user_asignee":` + benJSON:                                       {AssignedUser: ben},
		`"current_user_assignee":null,"current_user_asignee":` + benJSON:          {AssignedUser: ben},
		`"current_user_assignee":null`:                                            {},
		`"current_user_assignee":{"user":null}`:                                   {},
		`"current_user_assignee":{"user":{}}`:                                     {},
		`"current_team_assignee":{"new":1}`:                                       {},
		`"current_user_assignee":{}`:                                              {},
		`"current_team_assignee":{"team":{"id":21,"name":"Support"}}`:             {AssignedTeam: team},
		`"current_team_assignee":{"id":21,"name":"Support"}`:                      {AssignedTeam: team},
		`"current_team_asignee":{"team":{"id":21,"name":"Support","picture":{}}}`: {AssignedTeam: team},
		`"current_team_asignee":{"id":21,"name":"Support","picture":null}`:        {AssignedTeam: team},
		`"current_team_assignee":null`:                                            {},
		`"requester":{"picture":{"thumb20":"u"}}`:                                 {Requester: supportbee.Person{Picture: thumb}},
		`"requester":{"picture":[{"thumb20":"u"},{"thumb20":"v"}]}`:               {Requester: supportbee.Person{Picture: thumb}},
		`"requester":{"picture":[]}`:                                              {},
		`"requester":{"picture":{}}`:                                              {},
		`"requester":{"picture":null}`:                                            {},
		`"requester":{"picture":""}`:                                              {},
		`"requester":{}`:                                                          {},
		`"requester":null`:                                                        {},
		`"content":{"text":"x"}`:                                                  {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"x"}`:                                                  {Content: supportbee.Content{Text: "x"}},
		`"content":{"text":"x","body":"y"}`:                                       {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"y","text":"x"}`:                                       {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"y","text":""}`:                                        {Content: supportbee.Content{Text: "y"}},
		`"content":{"text":"","body":"y"}`:                                        {Content: supportbee.Content{Text: "y"}},
		`"content":{"body":"y","text":null}`:                                      {Content: supportbee.Content{Text: "y"}},
		`"current_user_asignee":` + benJSON + `,"current_user_assignee":null`:     {AssignedUser: ben},
		`"content":{"text":null,"html":null,"body":null,"attachments":null}`:      {},
		`"content":null`:                                                          {},
		`"cc":["a@b.c",{"id":12,"email":"ben@acme.example"}]`:                     {CC: []supportbee.Person{{Email: "a@b.c"}, *ben}},
		`"cc":null,"bcc":[]`:                                                      {BCC: []supportbee.Person{}},
		`"bcc":["a@b.c"]`:                                                         {BCC: []supportbee.Person{{Email: "a@b.c"}}},
		`"source":{"email":"help@acme.example"}`:                                  {Source: supportbee.Source{Channel: "email", Address: "help@acme.example"}},
		`"source":{"api":{"key":1}}`:                                              {Source: supportbee.Source{Channel: "api"}},
		`"source":{"api":null,"web":"w"}`:                                         {Source: supportbee.Source{Channel: "api"}},
		`"source":{}`:                                                             {},
		`"source":null`:                                                           {},
		`"customer_rating":{}`:                                                    {CustomerRating: map[string]any{}},
		`"customer_rating":null`:                                                  {},
		`"new":{"nested":[1,{"x":"y"}]},"other":null`:                             {},
		`"created_at":"2026-03-01T10:00:00Z","last_activity_at":null`:             {CreatedAt: at(10, 0, 0)},

		`"subject":null,"replies_count":null,"spam":null,"labels":null,"created_at":null`: {},
	}
	var list []string
	for fields, want := range tests {
		want.ID = 7
		object := `{"id":7,` + fields + `}`
		list = append(list, object)
		for envelope, call := range map[string]func(*supportbee.Client) (*ticket, error){
			`{"ticket":%s}`:       func(c *supportbee.Client) (*ticket, error) { return c.Tickets.Get(t.Context(), 7) },
			`{"x":1,"ticket":%s}`: open,
			`%s`:                  open,
			`{"tickets":[%s],"x":[]}`: func(c *supportbee.Client) (*ticket, error) {
				return first(c.Tickets.List(t.Context(), supportbee.TicketListOptions{}))
			},
		} {
			body := fmt.Sprintf(envelope, object)
			got, err := call(always(t, http.StatusOK, body))
			if assert.NoError(t, err, body) {
				assert.Equal(t, &want, got, body)
			}
		}
	}
	page, err := always(t, http.StatusOK, `{"total":99,"tickets":[`+strings.Join(list, ",")+`]}`).Tickets.List(t.Context(), supportbee.TicketListOptions{})
	require.NoError(t, err)
	assert.Len(t, page.Tickets, len(tests), "no odd field fails the whole list")
}

func open(c *supportbee.Client) (*supportbee.Ticket, error) {
	return c.Tickets.Create(context.Background(), supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
}

func first(page *supportbee.TicketPage, err error) (*supportbee.Ticket, error) {
	if err != nil {
		return nil, err
	}
	return page.Tickets[0], nil
}

func TestTimesMayHaveAnOffset(t *testing.T) {
	t.Parallel()
	ticket, err := always(t, http.StatusOK, `{"ticket":{"id":7,"created_at":"2001-02-15T04:05:06+07:00"}}`).Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	assert.True(t, ticket.CreatedAt.Equal(time.Date(2001, 2, 14, 21, 5, 6, 0, time.UTC)))
}

// What makes no sense is an error that says where, with status and request ID, and never a panic.
func TestMalformedAnswers(t *testing.T) {
	t.Parallel()
	get := func(c *supportbee.Client) error { _, err := c.Tickets.Get(t.Context(), 7); return err }
	list := func(c *supportbee.Client) error {
		_, err := c.Tickets.List(t.Context(), supportbee.TicketListOptions{})
		return err
	}
	create := func(c *supportbee.Client) error { _, err := open(c); return err }
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	for _, tt := range []struct {
		name, body string
		call       func(*supportbee.Client) error
		want       string
	}{
		{"empty", "", get, `the body is empty, key "ticket" is missing or null`},
		{"blank", " \n", get, `the body is empty, key "ticket" is missing or null`},
		{"missing envelope", `{"tickets":[]}`, get, `key "ticket" is missing or null`},
		{"null envelope", `{"ticket":null}`, get, `key "ticket" is missing or null`},
		{"nothing but null", `null`, get, `want a JSON object with key "ticket", got null`},
		{"array", `[{"id":7}]`, get, `want a JSON object with key "ticket", got an array`},
		{"missing list", `{"total":3}`, list, `key "tickets" is missing or null`},
		{"null list", `{"total":3,"tickets":null}`, list, `key "tickets" is missing or null`},
		{"neither form", `{"success":true}`, create, `key "ticket" is missing or null`},
		{"neither form, null", `{"ticket":null}`, create, `key "ticket" is missing or null`},
		{"missing total", `{"tickets":[]}`, func(c *supportbee.Client) error {
			_, err := c.Tickets.Count(t.Context(), supportbee.TicketListOptions{})
			return err
		}, `key "total" is missing or null`},
		{"missing reply", `{"id":0}`, func(c *supportbee.Client) error { _, err := c.Replies.Get(t.Context(), 1, 2); return err }, `key "reply" is missing or null`},
		{"missing attachment", `{"attachments":[]}`, func(c *supportbee.Client) error {
			_, err := c.Attachments.Upload(t.Context(), "a", strings.NewReader("x"))
			return err
		}, `key "attachment" is missing or null`},
		{"missing user", `{"tickets":[]}`, func(c *supportbee.Client) error {
			_, err := c.Users.Get(t.Context(), 1, supportbee.UserGetOptions{})
			return err
		}, `key "user" is missing or null`},
		{"missing assignment", `{"asignee":{}}`, func(c *supportbee.Client) error { _, err := c.Tickets.AssignUser(t.Context(), 1, 2); return err }, `key "user_assignment" is missing or null`},
		{"missing addresses", `{}`, func(c *supportbee.Client) error { _, err := c.ForwardingAddresses.List(t.Context()); return err }, `key "emails" is missing or null`},
		{"truncated", `{"ticket":{"id":7,"subj`, get, "invalid JSON at byte 23: unexpected EOF"},
		{"truncated number", `{"ticket":{"id":7`, get, "invalid JSON at byte 17"},
		{"trailing", `{"ticket":{"id":7}} {}`, get, "more JSON follows the answer's end"},
		{"trailing garbage", `{"ticket":{"id":7}}<p>`, get, "invalid JSON at byte 19"},
		{"html", `<html><body>Please log in</body></html>`, get, `invalid character '<' at start of value (Content-Type "text/html")`},
		{"duplicate keys", `{"ticket":{"id":7,"id":8}}`, get, `at /ticket/id: invalid JSON at byte 18: duplicate object member name`},
		{"duplicate envelopes", `{"ticket":{"id":7},"ticket":{"id":8}}`, get, "duplicate object member name"},
		{"invalid UTF-8", "{\"ticket\":{\"subject\":\"\xff\"}}", get, "at /ticket/subject: invalid JSON at byte 22: invalid UTF-8"},
		{"deep", `{"ticket":{"new":` + deep + `}}`, get, "exceeded max depth"},
		{"deep rating", `{"ticket":{"customer_rating":` + deep + `}}`, get, "exceeded max depth"},
		{"wrong kind", `{"ticket":{"id":"7"}}`, get, "at /ticket/id: got a string, want an integer"},
		{"too large a number", `{"ticket":{"id":99999999999999999999}}`, get, "at /ticket/id: got a number, want an integer"},
		{"wrong kind in a list", `{"tickets":[{"id":1},{"id":2,"created_at":7}]}`, list, "at /tickets/1/created_at: got a number, want an RFC 3339 time"},
		{"no time", `{"ticket":{"created_at":"yesterday"}}`, get, "at /ticket/created_at: got a string, want an RFC 3339 time"},
		{"wrong kind of picture", `{"ticket":{"requester":{"picture":7}}}`, get, "at /ticket/requester/picture: got a number, want an object"},
		{"wrong kind of people", `{"ticket":{"cc":{}}}`, get, "at /ticket/cc: got an object, want an array"},
		{"wrong kind of person", `{"ticket":{"cc":["a",7]}}`, get, "at /ticket/cc/1: got a number, want an object"},
		{"wrong kind of source", `{"ticket":{"source":[]}}`, get, "at /ticket/source: got an array, want an object"},
		{"wrong kind of assignee", `{"ticket":{"current_user_assignee":"me"}}`, get, "at /ticket/current_user_assignee: got a string, want an object"},
		{"a report without numbers", `{"data_points":[{"value":"many"}]}`, func(c *supportbee.Client) error {
			_, err := c.Reports.TicketsCount(t.Context(), supportbee.ReportOptions{})
			return err
		}, "at /data_points/0/value: got a string, want float64"},
		{"a report beyond time", `{"data_points":[{"timestamp":1e300}]}`, func(c *supportbee.Client) error {
			_, err := c.Reports.TicketsCount(t.Context(), supportbee.ReportOptions{})
			return err
		}, "want an RFC 3339 time"},
		{"an address without an ID", `{"emails":[{"id":"x"}]}`, func(c *supportbee.Client) error { _, err := c.ForwardingAddresses.List(t.Context()); return err }, "at /emails/0/id: got a string, want an integer"},
		{"a rule that is an object", `{"rule":{"id":{}}}`, func(c *supportbee.Client) error {
			_, err := c.Filters.CreateRule(t.Context(), supportbee.RuleParams{Body: "x"})
			return err
		}, "at /rule/id: got an object, want a string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				res := respond(req, http.StatusOK, tt.body)
				if strings.HasPrefix(tt.body, "<") {
					res.Header.Set("Content-Type", "text/html")
				}
				return res, nil
			})))
			err := tt.call(client)
			require.ErrorIs(t, err, supportbee.ErrMalformedResponse)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, ": 200 OK: malformed response: ")
			require.ErrorContains(t, err, "(request the-request)")
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, http.StatusOK, apiErr.StatusCode)
			assert.LessOrEqual(t, len(apiErr.Body), 64<<10)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 1200)
		})
	}
}

// endless is a body of the given size that takes no memory.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= int64(n)
	return n, nil
}

func TestHugeAnswersAreRefused(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"told": 300 << 20, "not told": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			body := &endless{left: 300 << 20}
			client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				requests++
				res := respond(req, http.StatusOK, "")
				res.Body, res.ContentLength = io.NopCloser(body), length
				return res, nil
			})))
			_, err := client.Tickets.Get(t.Context(), 7)
			require.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
			assert.ErrorContains(t, err, "supportbee: Tickets.Get: GET /tickets/7: 200 OK: reading the response body: response too large: ")
			assert.Equal(t, 1, requests, "it would be as large again")
			assert.GreaterOrEqual(t, body.left, int64(260<<20), "the rest was not read")
		})
	}
	exact := `{"ticket":{"id":7}}`
	client := always(t, http.StatusOK, exact, supportbee.WithMaxResponseSize(int64(len(exact))))
	_, err := client.Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	client = always(t, http.StatusOK, exact, supportbee.WithMaxResponseSize(int64(len(exact))-1))
	_, err = client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
}

// One answer's memory is the next one's: nothing of it may show there.
func TestAnswersShareNoMemory(t *testing.T) {
	t.Parallel()
	subject := strings.Repeat("a", 5000)
	tickets, err := always(t, http.StatusOK, `{"ticket":{"id":1,"subject":"`+subject+`"}}`).Tickets.Get(t.Context(), 1)
	require.NoError(t, err)
	for range 50 {
		_, err := always(t, http.StatusOK, `{"ticket":{"id":1,"subject":"`+strings.Repeat("b", 6000)+`"}}`).Tickets.Get(t.Context(), 1)
		require.NoError(t, err)
	}
	assert.Equal(t, subject, tickets.Subject)
}

// fuzzCalls decode whatever comes, each into another type.
var fuzzCalls = []func(context.Context, *supportbee.Client) (any, error){
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.Get(ctx, 7) },
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Tickets.List(ctx, supportbee.TicketListOptions{})
	},
	func(_ context.Context, c *supportbee.Client) (any, error) { return open(c) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.AssignUser(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.AssignTeam(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Replies.Get(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Comments.List(ctx, 7) },
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Drafts.Get(ctx, 7, supportbee.DraftGetOptions{})
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Users.Get(ctx, 7, supportbee.UserGetOptions{})
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.ForwardingAddresses.List(ctx) },
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Reports.TicketsCount(ctx, supportbee.ReportOptions{})
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "1", ConsequenceID: "2"})
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Attachments.Upload(ctx, "a", strings.NewReader("x"))
	},
}

// FuzzAnswers checks that no answer makes the SDK panic, that what it takes can be kept, and that
// what it refuses is an error of ours.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`{"ticket":{"id":7,"cc":["a"],"source":{"web":"x"},"requester":{"picture":[{}]},"content":{"body":"x"},"current_user_asignee":{"id":1}}}`,
		`{"total":1,"tickets":[{"id":7,"current_team_assignee":{"team":{"id":1}},"customer_rating":{"a":[1]}}]}`,
		`{"id":7}`, `{"user":{"id":1,"role":"admin"},"tickets":[{}]}`, `{"data_points":[{"value":"1.5","timestamp":"1360627200"}]}`,
		`{"draft":{"id":null}}`, `{"emails":[{"id":"7"}]}`, `{"filter":{"id":7}}`, `{"attachments":[{"id":7,"url":{"original":"x"}}]}`,
		`{"user_assignment":{"id":1},"asignee":{"user":{"id":2}}}`, `{"error":["a",{"b":"c"}]}`, `null`, `<html>`, "\xff",
	} {
		for i := range fuzzCalls {
			f.Add(uint8(i), true, seed)
		}
		f.Add(uint8(0), false, seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, success bool, body string) {
		status := http.StatusOK
		if !success {
			status = http.StatusBadRequest
		}
		got, err := fuzzCalls[int(which)%len(fuzzCalls)](t.Context(), always(t, status, body))
		if err != nil {
			var apiErr *supportbee.Error
			if !errors.As(err, &apiErr) || strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
				t.Errorf("%T %q", err, err)
			}
			return
		}
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParseWebhook(f *testing.F) {
	f.Add(`{"payload":null}`)
	f.Add(`{"payload":{"action_type":"ticket.created","ticket":{"id":7},"user_assignment":{"id":1,"assignee":{"user":{"id":2}}},"agent":{}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		event, err := supportbee.ParseWebhook(strings.NewReader(body))
		if (event == nil) == (err == nil) {
			t.Error(event, err)
		}
		if err != nil && !errors.Is(err, supportbee.ErrMalformedResponse) {
			t.Error(err)
		}
	})
}

// A ticket's parts are decoded in place; what stands beside them must not leak into them.
func TestTicketParts(t *testing.T) {
	t.Parallel()
	ann := &supportbee.Person{ID: 12, Email: "ann@example.com", Picture: supportbee.Picture{Thumb20: "20.png"}}
	cases := []struct {
		name, body string
		want       supportbee.Ticket
	}{
		{"rating", `"customer_rating":{"score":5,"by":{"id":1,"tags":["a"]},"note":null}`, supportbee.Ticket{
			CustomerRating: map[string]any{"score": 5.0, "by": map[string]any{"id": 1.0, "tags": []any{"a"}}, "note": nil},
		}},
		{"empty rating", `"customer_rating":{}`, supportbee.Ticket{CustomerRating: map[string]any{}}},
		{"nulls", `"customer_rating":null,"requester":null,"content":null,"source":null,"cc":null,"current_user_assignee":null,"current_team_assignee":null`, supportbee.Ticket{}},
		{"nested assignee", `"current_user_assignee":{"user":{"id":12,"email":"ann@example.com","picture":{"thumb20":"20.png"}}}`, supportbee.Ticket{AssignedUser: ann}},
		{"flat assignee", `"current_user_asignee":{"id":12,"email":"ann@example.com","picture":[{"thumb20":"20.png"}]}`, supportbee.Ticket{AssignedUser: ann}},
		{"ID beside the assignee", `"current_user_assignee":{"user":{"id":12,"email":"ann@example.com","picture":{"thumb20":"20.png"}},"id":99,"name":"Not Ann"}`, supportbee.Ticket{AssignedUser: ann}},
		{"nobody", `"current_user_assignee":{"user":null},"current_team_assignee":{"team":null}`, supportbee.Ticket{}},
		{"second spelling of nothing", `"current_user_assignee":{"user":{"id":12,"email":"ann@example.com","picture":{"thumb20":"20.png"}}},"current_user_asignee":null`, supportbee.Ticket{AssignedUser: ann}},
		{"flat team", `"current_team_asignee":{"id":3,"name":"Sales","picture":{"thumb256":"256.png"}}`, supportbee.Ticket{
			AssignedTeam: &supportbee.Team{ID: 3, Name: "Sales", Picture: supportbee.Picture{Thumb256: "256.png"}},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.want.ID = 7
			for form, body := range map[string]string{"wrapped": `{"ticket":{"id":7,` + c.body + `}}`, "bare": `{"id":7,` + c.body + `}`} {
				client := newClient(t, supportbee.WithTransport(canned{http.StatusCreated, body}))
				got, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
					Subject: "Hello", RequesterName: "Ann", RequesterEmail: "ann@example.com", Content: supportbee.Text("Hello"),
				})
				require.NoError(t, err, form)
				assert.Equal(t, &c.want, got, form)
			}
		})
	}
	for _, rating := range []string{`5`, `"good"`, `[]`, `{"a":1,"a":2}`} {
		client := newClient(t, supportbee.WithTransport(canned{http.StatusOK, `{"ticket":{"id":7,"customer_rating":` + rating + `}}`}))
		_, err := client.Tickets.Get(t.Context(), 7)
		require.ErrorIs(t, err, supportbee.ErrMalformedResponse, rating)
		assert.ErrorContains(t, err, "/ticket/customer_rating", rating)
	}
}
