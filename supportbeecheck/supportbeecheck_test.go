package supportbeecheck_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeecheck"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestTheDescriptionIsThatOfTheRepository(t *testing.T) {
	t.Parallel()
	original, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	embedded, err := os.ReadFile("openapi.yaml")
	require.NoError(t, err)
	assert.True(t, bytes.Equal(original, embedded), "run cp openapi.yaml supportbeecheck/")
}

var dialects = []supportbeetest.Dialect{supportbeetest.DialectCurrent, supportbeetest.DialectRecorded, supportbeetest.DialectDocumented}

// newChecker returns a checker and a client of a desk.
func newChecker(desk *supportbeetest.Desk) (*supportbeecheck.Checker, *supportbee.Client) {
	checker := supportbeecheck.New(desk.Transport())
	return checker, desk.Client(append(checker.Options(), supportbee.WithoutRetry())...)
}

func reportOf(t *testing.T, checker *supportbeecheck.Checker) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, checker.Report(&out))
	return out.String()
}

// rows returns the rows of the table of differences, without the first and last bar.
func rows(t *testing.T, checker *supportbeecheck.Checker) []string {
	t.Helper()
	_, table, ok := strings.Cut(reportOf(t, checker), "\n|---|---|---|---|---|\n")
	if !ok {
		return nil
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var rows []string
	for line := range strings.SplitSeq(table, "\n") {
		rows = append(rows, strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"))
	}
	return rows
}

func first(value map[string]any, list string) map[string]any {
	return value[list].([]any)[0].(map[string]any)
}

func respond(status int, contentType, body string) supportbeetest.Fault {
	return supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
}

func TestPlantedDifferencesAreFound(t *testing.T) {
	t.Parallel()
	const jsonType = "application/json; charset=utf-8"
	for _, dialect := range dialects {
		for _, tt := range []struct {
			name  string
			match supportbeetest.Match
			fault supportbeetest.Fault
			want  []string
		}{
			{
				name: "unknown member", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: supportbeetest.EditJSON(func(v map[string]any) {
					for _, ticket := range v["tickets"].([]any) { // one response, however many tickets
						ticket.(map[string]any)["priority"] = "high"
					}
				}),
				want: []string{"Tickets.Search | `/tickets/*/priority` | unknown member, string | 1 | both"},
			},
			{
				name: "unknown member of the envelope", match: supportbeetest.Match{Op: "Labels.List", Times: 1},
				fault: supportbeetest.EditJSON(func(v map[string]any) { v["total"], v["next_page"] = 4, nil }),
				want: []string{
					"Labels.List | `/next_page` | unknown member, null | 1 | both",
					"Labels.List | `/total` | unknown member, number | 1 | both",
				},
			},
			{
				name: "missing member", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: supportbeetest.EditJSON(func(v map[string]any) { delete(first(v, "tickets"), "requester") }),
				want:  []string{"Tickets.Search | `/tickets/*/requester` | missing | 1 | description"},
			},
			{
				name: "null for what is required", match: supportbeetest.Match{Op: "Snippets.List"},
				fault: supportbeetest.EditJSON(func(v map[string]any) { first(v, "snippets")["id"] = nil }),
				want:  []string{"Snippets.List | `/snippets/*/id` | missing | 1 | both"},
			},
			{
				name: "other kinds", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: supportbeetest.EditJSON(func(v map[string]any) {
					ticket := first(v, "tickets")
					ticket["replies_count"], ticket["subject"], ticket["labels"] = "3", []any{}, map[string]any{}
					ticket["created_at"], ticket["archived"] = "yesterday", "no"
				}),
				want: []string{
					"Tickets.Search | `/tickets/*/archived` | string in place of boolean | 1 | both",
					"Tickets.Search | `/tickets/*/created_at` | string in place of time | 1 | both",
					"Tickets.Search | `/tickets/*/labels` | object in place of array | 1 | both",
					"Tickets.Search | `/tickets/*/replies_count` | string in place of number | 1 | both",
					"Tickets.Search | `/tickets/*/subject` | array in place of string | 1 | both",
				},
			},
			{
				name: "in an assignee", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: supportbeetest.EditJSON(func(v map[string]any) {
					first(v, "tickets")["current_user_assignee"] = map[string]any{"user": map[string]any{"id": 1, "name": "Bo", "locale": 1, "phone": 2, "time_zone": 3}}
				}),
				want: []string{
					"Tickets.Search | `/tickets/*/current_user_assignee/user/locale` | unknown member, number | 1 | both",
					"Tickets.Search | `/tickets/*/current_user_assignee/user/phone` | unknown member, number | 1 | both",
					"Tickets.Search | `/tickets/*/current_user_assignee/user/time_zone` | unknown member, number | 1 | both",
				},
			},
			{
				name: "the best of several forms", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: supportbeetest.EditJSON(func(v map[string]any) { first(v, "tickets")["requester"].(map[string]any)["picture"] = "me.png" }),
				want:  []string{"Tickets.Search | `/tickets/*/requester/picture` | string longer than 0 | 1 | description"},
			},
			{
				name: "other status", match: supportbeetest.Match{Op: "Snippets.List"}, fault: supportbeetest.Status(http.StatusTeapot),
				want: []string{"Snippets.List |  | status 418 | 1 | description"},
			},
			{
				name: "rate limit", match: supportbeetest.Match{Op: "Teams.List", Times: 1}, fault: supportbeetest.RateLimited("0"),
				want: []string{"Teams.List |  | status 429 | 1 | description"},
			},
			{
				name: "described status", match: supportbeetest.Match{Op: "Reports.TicketsCount"}, fault: supportbeetest.Status(http.StatusForbidden),
			},
			{
				name: "error of another form", match: supportbeetest.Match{Op: "Snippets.List"}, fault: respond(500, jsonType, `{"message":"x"}`),
				want: []string{
					"Snippets.List | `/error` | missing | 1 | description",
					"Snippets.List | `/message` | unknown member, string | 1 | description",
				},
			},
			{
				name: "another Content-Type", match: supportbeetest.Match{Op: "Snippets.List"}, fault: respond(200, "text/json", `{"snippets":[]}`),
				want: []string{"Snippets.List |  | Content-Type other than application/json | 1 | description"},
			},
			{
				name: "a page", match: supportbeetest.Match{Op: "Snippets.List"}, fault: supportbeetest.HTMLPage(http.StatusOK),
				want: []string{
					"Snippets.List |  | malformed response | 0 | SDK",
					"Snippets.List |  | status 200 with HTML | 1 | description",
				},
			},
			{
				name: "an empty list of another name", match: supportbeetest.Match{Op: "Teams.List"}, fault: respond(200, jsonType, `{"groups":[],"meta":{}}`),
				want: []string{
					"Teams.List | `/groups` | unknown member, array | 1 | both",
					"Teams.List | `/meta` | unknown member, object | 1 | both",
					"Teams.List | `/teams` | missing | 1 | description",
					"Teams.List |  | malformed response | 0 | SDK",
				},
			},
		} {
			t.Run(string(dialect)+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, supportbeetest.WithDialect(dialect))
				desk.Inject(tt.match, tt.fault)
				checker, client := newChecker(desk)
				_, _ = client.Labels.List(t.Context())
				_, _ = client.Tickets.Search(t.Context(), "e", nil)
				_, _ = client.Tickets.Count(t.Context(), nil)
				_, _ = client.Snippets.List(t.Context())
				_, _ = client.Teams.List(t.Context(), nil)
				_, _ = client.Reports.TicketsCount(t.Context(), nil)
				assert.ElementsMatch(t, tt.want, rows(t, checker))
				assert.Len(t, checker.Differences(), len(tt.want))
			})
		}
	}
}

func TestPlantedDifferencesOfWritesAreFound(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.MarkAnswered"}, respond(200, "application/json", `{}`))
	desk.Inject(supportbeetest.Match{Op: "Tickets.MarkUnanswered"}, respond(204, "", ``))
	desk.Inject(supportbeetest.Match{Op: "Tickets.AssignUser"}, supportbeetest.EditJSON(func(v map[string]any) { v["user_assignment"].(map[string]any)["reason"] = "x" }))
	desk.Inject(supportbeetest.Match{Op: "Drafts.Create"}, supportbeetest.EditJSON(func(v map[string]any) { v["draft"].(map[string]any)["version"] = 1 }))
	desk.Inject(supportbeetest.Match{Op: "Filters.Create"}, respond(201, "", ``)) // as described
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create"}, supportbeetest.EditJSON(func(v map[string]any) { v["ticket"].(map[string]any)["summary"] = []any{} }))
	checker, client := newChecker(desk)
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Heron"})
	_, _ = client.Filters.Create(t.Context(), supportbee.FilterParams{RuleID: "1", ConsequenceID: "2"})
	_, _ = client.Tickets.Create(t.Context(), supportbee.TicketParams{Subject: "Heron", RequesterEmail: "ann@example.com", Content: supportbee.Text("x")})
	require.NoError(t, client.Tickets.MarkAnswered(t.Context(), ticket))
	require.NoError(t, client.Tickets.MarkUnanswered(t.Context(), ticket))
	_, err := client.Tickets.AssignUser(t.Context(), ticket, desk.User(supportbeetest.AgentEmail).ID)
	require.NoError(t, err)
	_, err = client.Drafts.Create(t.Context(), ticket, supportbee.DraftParams{Content: supportbee.Text("x")})
	require.NoError(t, err)
	assert.Equal(t, []supportbeecheck.Difference{
		{Op: "Drafts.Create", Pointer: "/draft/version", What: "unknown member, number", Responses: 1, BySDK: true},
		{Op: "Tickets.AssignUser", Pointer: "/user_assignment/reason", What: "unknown member, string", Responses: 1, BySDK: true},
		{Op: "Tickets.Create", Pointer: "/ticket/summary", What: "array in place of string", Responses: 1, BySDK: true},
		{Op: "Tickets.MarkAnswered", What: "status 200", Responses: 1},
	}, checker.Differences())
	assert.Equal(t, "Drafts.Create /draft/version: unknown member, number", checker.Differences()[0].String())
	assert.Equal(t, "Tickets.MarkAnswered: status 200", checker.Differences()[3].String())
}

func TestResponsesWithoutADifferenceAreCounted(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithDialect(supportbeetest.DialectDocumented))
	file := desk.AddFile("heron.txt", "text/plain", []byte("Heron."))
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Text: "See the file.", AttachmentIDs: []supportbee.AttachmentID{file}})
	desk.Inject(supportbeetest.Match{Op: "Reports.TicketsCount"}, supportbeetest.Header("Retry-After", "3"), supportbeetest.Status(http.StatusForbidden))
	checker, client := newChecker(desk)
	page, err := client.Tickets.List(t.Context(), nil)
	require.NoError(t, err)
	_, err = client.Tickets.Get(t.Context(), 999_999)
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	_, err = client.Reports.TicketsCount(t.Context(), nil)
	require.ErrorIs(t, err, supportbee.ErrAccessDenied)
	var content bytes.Buffer
	for _, listed := range page.Tickets {
		if listed.ID == ticket {
			require.NoError(t, client.Attachments.Download(t.Context(), listed.Content.Attachments[0], &content, nil))
		}
	}
	assert.Equal(t, "Heron.", content.String())
	require.Error(t, client.Do(t.Context(), http.MethodGet, "/nothing", nil, nil))

	assert.Empty(t, checker.Differences())
	assert.Subset(t, checker.Responses(), []supportbeecheck.Responses{
		{Op: "Attachments.Download", Status: 200, Body: "file", Count: 1},
		{Op: "Reports.TicketsCount", Status: 403, Body: "Retry-After in seconds; JSON object with error", Count: 1},
		{Op: "Tickets.Get", Status: 404, Body: "JSON object with error", Count: 1},
	})
	assert.Equal(t, "Do", checker.Responses()[2].Op)
	report := reportOf(t, checker)
	assert.Contains(t, report, "\n## Differences: 0\n\nAll responses are as described, and the SDK has read all of them.\n\n## Known variants: ")
	assert.Contains(t, report, "\n| Tickets.Get | 404 | JSON object with error | 1 |\n")
	assert.Contains(t, report, "\n| X-Request-Id | ")
}

func TestTheFormOfRetryAfterIsReported(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"3": "seconds", "Wed, 25 Nov 2020 00:00:00 GMT": "the form of a date", "for Eve Evans": "another form",
	} {
		desk := supportbeetest.New(t)
		desk.Inject(supportbeetest.Match{Op: "Snippets.List"}, supportbeetest.RateLimited(value))
		checker, client := newChecker(desk)
		_, err := client.Snippets.List(t.Context())
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		assert.Equal(t, []supportbeecheck.Responses{{Op: "Snippets.List", Status: 429, Body: "Retry-After in " + want + "; no body", Count: 1}}, checker.Responses())
	}
}

// Names can be values, such as in an object with a member for each person. Those of a person are
// hidden also in what came before the person's name was known.
func TestNamesThatMayBeValuesAreHidden(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithToken("abcdefghijklmnop"))
	personal := []string{"Eve", "evans_score", "eve", "eve@example.com", "abcdefghijklmnop", "id1234567", "127.0.0.1", "acme"}
	desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Header("X-Evans-Agent", "1"), supportbeetest.EditJSON(func(v map[string]any) {
		for _, name := range personal {
			v[name] = name
			first(v, "labels")[name] = map[string]any{name: name}
		}
		v["next_page"] = 2
	}))
	desk.Inject(supportbeetest.Match{Op: "Teams.List"}, supportbeetest.EditJSON(func(v map[string]any) { first(v, "teams")["name"] = "Eve Evans of acme" }))
	checker, client := newChecker(desk)
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)
	_, err = client.Teams.List(t.Context(), nil)
	require.NoError(t, err)

	report := reportOf(t, checker)
	for _, name := range append(personal, "X-Evans-Agent") {
		assert.NotContains(t, report, name)
	}
	assert.Equal(t, []string{
		"Labels.List | `/(hidden)` | unknown member, string | 8 | both",
		"Labels.List | `/labels/*/(hidden)` | unknown member, object | 8 | both",
		"Labels.List | `/next_page` | unknown member, number | 1 | both",
	}, rows(t, checker))
	assert.Contains(t, report, "\n| (hidden) | 1 |\n")
}

func TestAFailureWithoutAResponseIsReturned(t *testing.T) {
	t.Parallel()
	for _, transport := range []http.RoundTripper{failing{}, broken{}} {
		checker := supportbeecheck.New(transport)
		client, err := supportbee.New("acme", "token", append(checker.Options(), supportbee.WithoutRetry())...)
		require.NoError(t, err)
		_, err = client.Labels.List(t.Context())
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Empty(t, checker.Responses())
		assert.Empty(t, checker.Differences())
	}
}

// The client gets the same of a response that breaks off, or is long, as without the checker.
func TestResponsesAreHandedOn(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(" ", 64<<20) + `{"labels":[]}`
	for name, tt := range map[string]struct {
		transport sent
		want      error
		counted   []supportbeecheck.Responses
	}{
		"cut, with an error": {transport: sent{status: http.StatusUnprocessableEntity, body: `{"error":`, err: io.ErrUnexpectedEOF}, want: supportbee.ErrValidation},
		"cut":                {transport: sent{status: http.StatusOK, body: `{"labels":`, err: io.ErrUnexpectedEOF}, want: io.ErrUnexpectedEOF},
		"long": {
			transport: sent{status: http.StatusOK, body: long, err: io.EOF},
			counted:   []supportbeecheck.Responses{{Op: "Labels.List", Status: 200, Body: "more than 64 MiB", Count: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call := func(transport http.RoundTripper, opts ...supportbee.Option) ([]*supportbee.Label, error) {
				opts = append([]supportbee.Option{supportbee.WithTransport(transport), supportbee.WithoutRetry(), supportbee.WithMaxResponseSize(128 << 20)}, opts...)
				client, err := supportbee.New("acme", "token", opts...)
				require.NoError(t, err)
				return client.Labels.List(t.Context())
			}
			labels, wantErr := call(tt.transport)
			require.ErrorIs(t, wantErr, tt.want)
			checker := supportbeecheck.New(tt.transport)
			got, err := call(tt.transport, checker.Options()...)
			assert.Equal(t, labels, got)
			assert.Equal(t, wantErr, err)
			assert.Equal(t, tt.counted, checker.Responses())
			assert.Empty(t, checker.Differences())
		})
	}
}

// sent responds with a body that ends with an error.
type sent struct {
	status int
	body   string
	err    error
}

func (s sent) RoundTrip(req *http.Request) (*http.Response, error) {
	body := io.MultiReader(strings.NewReader(s.body), iotest.ErrReader(s.err))
	return &http.Response{StatusCode: s.status, Header: http.Header{}, Body: io.NopCloser(body), Request: req}, nil
}

type failing struct{}

func (failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

type broken struct{}

func (broken) RoundTrip(req *http.Request) (*http.Response, error) {
	body, w := io.Pipe()
	_ = w.CloseWithError(io.ErrUnexpectedEOF)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: req}, nil
}

func TestACheckerCanBeShared(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	checker, client := newChecker(desk)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, err := client.Labels.List(context.Background())
			assert.NoError(t, err)
			assert.Empty(t, checker.Differences())
			assert.NoError(t, checker.Report(io.Discard))
		})
	}
	calls.Wait()
	assert.Equal(t, []supportbeecheck.Responses{{Op: "Labels.List", Status: 200, Body: "JSON object with labels", Count: 20}}, checker.Responses())
}

func TestNewWithoutATransport(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	checker := supportbeecheck.New(nil)
	_, err := desk.Client(checker.Options()...).Labels.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, checker.Responses(), 1)
}

func TestZeroChecker(t *testing.T) {
	t.Parallel()
	for _, checker := range []*supportbeecheck.Checker{nil, {}} {
		_, err := supportbeetest.New(t).Client(checker.Options()...).Labels.List(t.Context())
		require.ErrorContains(t, err, "a Checker must be made by New")
		require.ErrorContains(t, checker.Report(io.Discard), "a Checker must be made by New")
		assert.Empty(t, checker.Differences())
		assert.Empty(t, checker.Responses())
	}
}
