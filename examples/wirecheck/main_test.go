package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

var update = flag.Bool("update", false, "copy openapi.yaml")

func TestTheDescriptionIsThatOfTheRepository(t *testing.T) {
	const original = "../../openapi.yaml"
	data, err := os.ReadFile(original)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this folder was copied out of the repository")
	}
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("openapi.yaml", data, 0o644))
		return
	}
	assert.True(t, bytes.Equal(data, openapi), "run go test ./examples/wirecheck -update")
}

var dialects = []supportbeetest.Dialect{supportbeetest.DialectCurrent, supportbeetest.DialectRecorded, supportbeetest.DialectDocumented}

// newDesk starts a desk that the environment names.
func newDesk(t *testing.T, opts ...supportbeetest.Option) *supportbeetest.Desk {
	t.Helper()
	desk := supportbeetest.New(t, opts...)
	file := desk.AddFile("heron.txt", "text/plain", []byte("Heron."))
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Heron", Text: "See the file.", AttachmentIDs: []supportbee.AttachmentID{file}})
	t.Setenv("SUPPORTBEE_COMPANY", "")
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	return desk
}

// reportOf runs the program and returns its report.
func reportOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, logs bytes.Buffer
	require.NoError(t, run(t.Context(), args, &out, &logs), logs.String())
	return out.String()
}

// section returns the rows of a table of the report, without the first and last bar.
func section(t *testing.T, report, title string) []string {
	t.Helper()
	_, rest, ok := strings.Cut(report, "\n## "+title)
	require.True(t, ok, report)
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows []string
	for line := range strings.SplitSeq(rest, "\n") {
		if row, ok := strings.CutPrefix(line, "| "); ok {
			rows = append(rows, strings.TrimSuffix(row, " |"))
		}
	}
	if len(rows) > 0 {
		rows = rows[1:] // the names of the columns
	}
	return rows
}

var write = []string{"-write", "-requester", "me@example.com"}

func TestNothingDiffersOnTheDesk(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			desk := newDesk(t, supportbeetest.WithDialect(dialect))
			report := reportOf(t)
			assert.Contains(t, report, "## Differences: 0\n\nAll responses are as described, and the SDK has read all of them.\n")
			assert.Contains(t, report, "- Walk: read-only, ")
			desk.AssertNoWrites(t)

			before := len(desk.Tickets())
			report = reportOf(t, write...)
			assert.Empty(t, section(t, report, "Differences"))
			assert.Equal(t, dialect == supportbeetest.DialectDocumented, strings.Contains(report, "\n## Known variants: "))
			assert.Contains(t, report, "- Walk: with a ticket of its own, ")
			assert.Len(t, desk.Tickets(), before)
			for _, mail := range desk.Outbox() {
				assert.Equal(t, "me@example.com", mail.To)
			}
		})
	}
}

// edit is a fault that changes the JSON of responses.
func edit(change func(map[string]any)) supportbeetest.Fault {
	return supportbeetest.Fault{Name: "edit", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Accept-Encoding")
			res := httptest.NewRecorder()
			next.ServeHTTP(res, r)
			var value map[string]any
			decoder := json.NewDecoder(res.Body)
			decoder.UseNumber()
			if err := decoder.Decode(&value); err != nil {
				panic(err)
			}
			change(value)
			body, err := json.Marshal(value)
			if err != nil {
				panic(err)
			}
			for name, values := range res.Header() {
				if name != "Content-Length" {
					w.Header()[name] = values
				}
			}
			w.WriteHeader(res.Code)
			w.Write(body)
		})
	}}
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
				fault: edit(func(v map[string]any) { first(v, "tickets")["priority"] = "high" }),
				want:  []string{"Tickets.Search | `/tickets/*/priority` | unknown member, string | 1 | both"},
			},
			{
				name: "unknown member of the envelope", match: supportbeetest.Match{Op: "Labels.List", Times: 1},
				fault: edit(func(v map[string]any) { v["total"], v["next_page"] = 4, nil }),
				want: []string{
					"Labels.List | `/next_page` | unknown member, null | 1 | both",
					"Labels.List | `/total` | unknown member, number | 1 | both",
				},
			},
			{
				name: "missing member", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: edit(func(v map[string]any) { delete(first(v, "tickets"), "requester") }),
				want:  []string{"Tickets.Search | `/tickets/*/requester` | missing | 1 | description"},
			},
			{
				name: "null for what is required", match: supportbeetest.Match{Op: "Snippets.List"},
				fault: edit(func(v map[string]any) { first(v, "snippets")["id"] = nil }),
				want:  []string{"Snippets.List | `/snippets/*/id` | missing | 1 | both"},
			},
			{
				name: "other kinds", match: supportbeetest.Match{Op: "Tickets.Search"},
				fault: edit(func(v map[string]any) {
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
				fault: edit(func(v map[string]any) {
					first(v, "tickets")["current_user_assignee"] = map[string]any{"user": map[string]any{"id": 1, "name": "Bo", "locale": 1, "phone": 2, "time_zone": 3}}
				}),
				want: []string{
					"Tickets.Search | `/tickets/*/current_user_assignee/user/locale` | unknown member, number | 1 | both",
					"Tickets.Search | `/tickets/*/current_user_assignee/user/phone` | unknown member, number | 1 | both",
					"Tickets.Search | `/tickets/*/current_user_assignee/user/time_zone` | unknown member, number | 1 | both",
				},
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
					"Snippets.List | `/error` | missing | 2 | description",
					"Snippets.List | `/message` | unknown member, string | 2 | description",
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
					"Snippets.List |  | status 200 with HTML | 4 | description",
				},
			},
			{
				name: "an empty list of another name", match: supportbeetest.Match{Op: "Teams.List"}, fault: respond(200, jsonType, `{"groups":[],"meta":{}}`),
				want: []string{
					"Teams.List | `/groups` | unknown member, array | 2 | both",
					"Teams.List | `/meta` | unknown member, object | 2 | both",
					"Teams.List | `/teams` | missing | 2 | description",
					"Teams.List |  | malformed response | 0 | SDK",
				},
			},
		} {
			t.Run(string(dialect)+"/"+tt.name, func(t *testing.T) {
				desk := newDesk(t, supportbeetest.WithDialect(dialect))
				desk.Inject(tt.match, tt.fault)
				assert.ElementsMatch(t, tt.want, section(t, reportOf(t, "-tickets", "1"), "Differences"))
			})
		}
	}
}

func TestPlantedDifferencesOfWritesAreFound(t *testing.T) {
	desk := newDesk(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.MarkAnswered"}, respond(200, "application/json", `{}`))
	desk.Inject(supportbeetest.Match{Op: "Tickets.MarkUnanswered"}, respond(204, "", ``))
	desk.Inject(supportbeetest.Match{Op: "Drafts.Create"}, edit(func(v map[string]any) { v["draft"].(map[string]any)["version"] = 1 }))
	assert.Equal(t, []string{
		"Drafts.Create | `/draft/version` | unknown member, number | 1 | both",
		"Tickets.MarkAnswered |  | status 200 | 1 | description",
	}, section(t, reportOf(t, write...), "Differences"))
}

// query is a fault that changes the query of requests.
func query(change func(get func(string) string, set func(key, value string))) supportbeetest.Fault {
	return supportbeetest.Fault{Name: "query", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			values := r.URL.Query()
			change(values.Get, func(key, value string) {
				if values.Set(key, value); value == "" {
					values.Del(key)
				}
			})
			r.URL.RawQuery = values.Encode()
			next.ServeHTTP(w, r)
		})
	}}
}

func TestQuestionsAreSettled(t *testing.T) {
	for _, tt := range []struct {
		name  string
		args  []string
		plant func(*supportbeetest.Desk)
		want  []string
	}{
		{name: "as it is", want: []string{
			"what per_page=100 gives | 100 tickets, and per_page 100",
			"whether labels on tickets have an ID | no",
			"members with total_only=true | total",
			"whether since includes its time, by last_activity | yes",
			"whether until includes its time, by last_activity | yes",
			"whether since includes its time, by creation_time | yes",
			"whether until includes its time, by creation_time | yes",
			"whether max_replies=1 is a maximum | a maximum: there are tickets without replies",
			"whether a download is redirected to another host | yes",
			"what with_users=true gives | fewer teams: yes; users in the teams: no",
			"the key of GET /emails | forwarding_addresses",
			"the response to an unknown ticket | status 404, JSON object",
			"the response to a malformed since | status 500, JSON object",
			"the response to a bad token | status 401, no body but white space",
		}},
		{
			name: "exclusive bounds",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, query(func(get func(string) string, set func(string, string)) {
					for bound, step := range map[string]time.Duration{"since": time.Second, "until": -time.Second} {
						if at, err := time.Parse(time.RFC3339, get(bound)); err == nil {
							set(bound, at.Add(step).Format(time.RFC3339))
						}
					}
				}))
			},
			want: []string{
				"whether since includes its time, by last_activity | no",
				"whether until includes its time, by last_activity | no",
				"whether since includes its time, by creation_time | no",
				"whether until includes its time, by creation_time | no",
			},
		},
		{
			name: "smaller pages",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, query(func(get func(string) string, set func(string, string)) {
					if get("per_page") == "100" {
						set("per_page", "50")
					}
				}))
			},
			want: []string{"what per_page=100 gives | 50 tickets, and per_page 50"},
		},
		{
			name: "exact number of replies",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, query(func(get func(string) string, set func(string, string)) {
					if get("max_replies") == "1" {
						set("replies", "true")
					}
				}))
			},
			want: []string{"whether max_replies=1 is a maximum | the exact number: there are no tickets without replies"},
		},
		{
			name: "no number of replies",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, query(func(_ func(string) string, set func(string, string)) { set("max_replies", "") }))
			},
			want: []string{"whether max_replies=1 is a maximum | neither: there are tickets with more replies"},
		},
		{
			name: "other addresses",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "ForwardingAddresses.List"}, respond(200, "application/json", `[]`))
			},
			want: []string{"the key of GET /emails | JSON array"},
		},
		{
			name: "minutes",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Reports.AvgFirstResponseTime"}, edit(func(v map[string]any) {
					for _, point := range v["data_points"].([]any) {
						point := point.(map[string]any)
						value, err := json.Number(point["value"].(string)).Float64()
						if err != nil {
							panic(err)
						}
						point["value"] = value / 60
					}
				}))
			},
			want: []string{"the unit of avg_first_response_time | closest to minutes, by 68 tickets"},
			args: []string{"-tickets", "100"},
		},
		{
			name: "names of labels", args: write,
			plant: func(desk *supportbeetest.Desk) { desk.AddLabel("a/b", "#000000"); desk.AddLabel("grün", "#00FF00") },
			want: []string{
				"whether attachments alone are a content | no, status 400",
				`whether a label with a "/" can be added | yes, status 201`,
				"whether a label with a space can be added | yes, status 201",
				"whether a label with letters other than ASCII can be added | yes, status 201",
			},
		},
		{
			name: "words of the audit trail",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Tickets.Audit"}, respond(200, "application/json", `{"audit":[
					{"action":"Assigned to Ann Archer","happened_at":"2026-11-01T00:00:00Z"},{"action":"Marked as spam","happened_at":"2026-11-01T00:00:00Z"}]}`))
			},
			want: []string{"actions of audit trails | Assigned to … × 1, Marked as spam × 1"},
			args: []string{"-tickets", "1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			desk := newDesk(t)
			desk.AddTickets(120)
			if tt.plant != nil {
				tt.plant(desk)
			}
			assert.Subset(t, section(t, reportOf(t, tt.args...), "Questions"), tt.want)
		})
	}
}

func TestErrorsAndMembersAreCounted(t *testing.T) {
	desk := newDesk(t, supportbeetest.WithDialect(supportbeetest.DialectRecorded), supportbeetest.WithDeniedStatus(http.StatusForbidden))
	desk.Inject(supportbeetest.Match{Op: "Snippets.List", Times: 1}, supportbeetest.RateLimited("Wed, 25 Nov 2020 00:00:00 GMT"))
	report := reportOf(t)
	assert.Contains(t, report, "\n| 404 | JSON object with error |\n")
	assert.Contains(t, report, "\n| 429 | no body; Retry-After in the form of a date |\n")
	assert.Contains(t, report, "X-Request-Id × ")
	assert.Regexp(t, `\n\| Snippets\.List \| 200 × 1, 429 × 1 \|\n`, report)
	assert.Regexp(t, `\n\| Ticket \| \d+ \| [^|]*, snoozed, snoozed_until, [^|]* \|`, report)
}

// recorder keeps the strings of all responses.
type recorder struct {
	mu      sync.Mutex
	strings map[string]bool
}

func (r *recorder) add(value any) {
	switch value := value.(type) {
	case map[string]any:
		for _, part := range value {
			r.add(part)
		}
	case []any:
		for _, part := range value {
			r.add(part)
		}
	case string:
		r.strings[value] = true
	}
}

// The words of the API itself, which the report can hold.
var vocabulary = regexp.MustCompile(`^(|admin|agent|collaborator|customer|customer_group|user|email|web|info|Created|Commented|Replied|\d{1,3})$`)

func TestTheReportHoldsNoPersonalData(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			desk := newDesk(t, supportbeetest.WithDialect(dialect), supportbeetest.WithToken("abcdefghijklmnop"))
			desk.AddTickets(50)
			seen := &recorder{strings: map[string]bool{}}
			personal := []string{
				"Eve", "evans_score", "eve", "eve@example.com", "Priority of Ann", "acme", "abcdefghijklmnop", "id1234567",
				"127.0.0.1", "heron", "Heron", "wirecheck-has-no-token", "Dismissed",
			}
			desk.Inject(supportbeetest.Match{Op: "Tickets.Audit"}, edit(func(v map[string]any) { first(v, "audit")["action"] = "Dismissed by Eve Evans" }))
			desk.Inject(supportbeetest.Match{Op: "Snippets.List"}, respond(500, "application/json", `{"error":"no such user eve@example.com","eve":"Eve"}`))
			desk.Inject(supportbeetest.Match{Op: "Teams.List", Times: 1}, supportbeetest.Header("X-Acme-Agent", "Ada Adams"),
				supportbeetest.Header("Retry-After", "for Eve Evans"), supportbeetest.Status(http.StatusServiceUnavailable))
			desk.Inject(supportbeetest.Match{}, supportbeetest.Fault{Name: "record", Wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Header.Del("Accept-Encoding")
					res := httptest.NewRecorder()
					next.ServeHTTP(res, r)
					var value any
					if err := json.Unmarshal(res.Body.Bytes(), &value); err == nil {
						seen.mu.Lock()
						seen.add(value)
						seen.mu.Unlock()
						if object, ok := value.(map[string]any); ok && res.Code < 300 {
							for _, name := range personal {
								object[name] = name
							}
							object["source"] = map[string]any{"eve": 1}
							body, _ := json.Marshal(object)
							res.Body = bytes.NewBuffer(body)
							res.Header().Del("Content-Length")
						}
					}
					maps.Copy(w.Header(), res.Header())
					w.WriteHeader(res.Code)
					w.Write(res.Body.Bytes())
				})
			}})
			report := reportOf(t, write...)
			require.Greater(t, len(seen.strings), 300)
			for text := range seen.strings {
				if !vocabulary.MatchString(text) {
					assert.NotContains(t, report, text)
				}
			}
			for _, text := range append(personal, desk.Token, desk.URL, "me@example.com", "no such user", "Ada Adams", "X-Acme-Agent") {
				assert.NotContains(t, strings.ReplaceAll(report, "never", ""), text)
			}
			assert.Contains(t, report, hidden)
			assert.Contains(t, report, "| 500 | JSON object with error, (hidden) |")
			assert.Contains(t, report, "| 503 | JSON object with error; Retry-After in another form |")
		})
	}
}

func TestAnInterruptEndsTheWalkAndDeletesTheTicket(t *testing.T) {
	desk := newDesk(t)
	before := len(desk.Tickets())
	ctx, cancel := context.WithCancel(t.Context())
	desk.Inject(supportbeetest.Match{Op: "Drafts.Create"}, supportbeetest.AfterHandling(supportbeetest.Respond(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))))
	var out bytes.Buffer
	require.ErrorIs(t, run(ctx, write, &out, io.Discard), context.Canceled)
	assert.Contains(t, out.String(), "- Walk: with a ticket of its own, incomplete, ")
	assert.Len(t, desk.Tickets(), before)
	desk.AssertRequests(t, "Tickets.Create", 1)
	desk.AssertRequests(t, "Replies.Create", 0)
}

func TestATicketThatRemainsIsReported(t *testing.T) {
	desk := newDesk(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.Trash"}, supportbeetest.Status(http.StatusForbidden))
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), write, &out, io.Discard), " remains: supportbee: Tickets.Trash: ")
	assert.Contains(t, out.String(), "## Statuses")
}

func TestALostConnectionEndsTheWalk(t *testing.T) {
	desk := newDesk(t)
	desk.Inject(supportbeetest.Match{Op: "Users.List"}, supportbeetest.RateLimited("3600"))
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), write, &out, io.Discard), supportbee.ErrRateLimited)
	assert.Contains(t, out.String(), "- Walk: read-only, incomplete, ")
	assert.Contains(t, out.String(), "| what per_page=100 gives | ")
	assert.NotContains(t, out.String(), "| what with_users=true gives | ")
	assert.NotContains(t, out.String(), "avg_first_response_time |")
	desk.AssertRequests(t, "Snippets.List", 0)
	desk.AssertNoWrites(t)

	desk.Close()
	t.Setenv("SUPPORTBEE_BASE_URL", "http://127.0.0.1:1")
	out.Reset()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	require.Error(t, run(ctx, nil, &out, io.Discard))
	assert.Empty(t, out.String())
}

func TestWhatMakesAReportUselessIsAnError(t *testing.T) {
	desk := newDesk(t)
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-write"}, &out, io.Discard), "-write requires -requester")
	require.Error(t, run(t.Context(), []string{"-unknown"}, &out, io.Discard))
	t.Setenv("SUPPORTBEE_TOKEN", "wrong")
	require.ErrorIs(t, run(t.Context(), nil, &out, io.Discard), supportbee.ErrAccessDenied)
	t.Setenv("SUPPORTBEE_TOKEN", "")
	require.ErrorIs(t, run(t.Context(), nil, &out, io.Discard), supportbee.ErrTokenRequired)
	assert.Empty(t, out.String())
	desk.AssertNoWrites(t)

	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	_, broken := io.Pipe()
	require.NoError(t, broken.Close())
	require.ErrorIs(t, run(t.Context(), nil, broken, io.Discard), io.ErrClosedPipe)
}

func TestTheEmbeddedDeskShowsItsPlantedDifferences(t *testing.T) {
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
	var out, logs bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-v"}, &out, &logs))
	assert.Contains(t, logs.String(), "SUPPORTBEE_TOKEN is not set")
	assert.Contains(t, logs.String(), "op=Tickets.Create")
	rows := section(t, out.String(), "Differences")
	require.Len(t, rows, 6)
	assert.Equal(t, "Comments.List | `/comments/*/author` | unknown member, object | 7 | both", rows[0])
	assert.Contains(t, out.String(), "\n## Differences: 6\n")
}
