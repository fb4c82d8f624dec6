package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

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
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), args, &out))
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
			assert.Contains(t, report, "- Walk: read-only\n")
			desk.AssertNoWrites(t)

			before := len(desk.Tickets())
			report = reportOf(t, write...)
			assert.Empty(t, section(t, report, "Differences"))
			assert.Equal(t, dialect == supportbeetest.DialectDocumented, strings.Contains(report, "\n## Known variants: "))
			assert.Contains(t, report, "- Walk: with a ticket of its own\n")
			assert.Len(t, desk.Tickets(), before)
			for _, mail := range desk.Outbox() {
				assert.Equal(t, "me@example.com", mail.To)
			}
		})
	}
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

		responses []string // of the section with that name, without their number
	}{
		{name: "as it is", want: []string{
			"what per_page=100 gives | 100 tickets, and per_page 100",
			"whether since includes its time, by last_activity | yes",
			"whether until includes its time, by last_activity | yes",
			"whether since includes its time, by creation_time | yes",
			"whether until includes its time, by creation_time | yes",
			"whether max_replies=1 is a maximum | a maximum: there are tickets without replies",
			"what with_users=true gives | fewer teams: yes; users in the teams: no",
		}, responses: []string{
			"Tickets.Count | 200 | JSON object with total", "ForwardingAddresses.List | 200 | JSON object with forwarding_addresses",
			"Attachments.Download | 200 | file", "Attachments.Download | 302 | file", "Tickets.Get | 404 | JSON object with error",
			"Do | 500 | JSON object with error", "Labels.List | 401 | no body but white space",
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
			responses: []string{"ForwardingAddresses.List | 200 | JSON array"},
		},
		{
			name: "minutes",
			plant: func(desk *supportbeetest.Desk) {
				desk.Inject(supportbeetest.Match{Op: "Reports.AvgFirstResponseTime"}, supportbeetest.EditJSON(func(v map[string]any) {
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
	} {
		t.Run(tt.name, func(t *testing.T) {
			desk := newDesk(t)
			desk.AddTickets(120)
			if tt.plant != nil {
				tt.plant(desk)
			}
			report := reportOf(t, tt.args...)
			assert.Subset(t, section(t, report, "Questions"), tt.want)
			responses := strings.Join(section(t, report, "Responses"), "\n")
			for _, response := range tt.responses {
				assert.Contains(t, responses, response)
			}
		})
	}
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
			desk.Inject(supportbeetest.Match{Op: "Tickets.Audit"}, supportbeetest.EditJSON(func(v map[string]any) { first(v, "audit")["action"] = "Dismissed by Eve Evans" }))
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
				assert.NotContains(t, report, text)
			}
			assert.Contains(t, report, "| Snippets.List | 500 | JSON object with error, (hidden) |")
			assert.Contains(t, report, "| Teams.List | 503 | Retry-After in another form; JSON object with error | 1 |")
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
	require.ErrorIs(t, run(ctx, write, &out), context.Canceled)
	assert.Contains(t, out.String(), "- Walk: with a ticket of its own, incomplete\n")
	assert.Len(t, desk.Tickets(), before)
	desk.AssertRequests(t, "Tickets.Create", 1)
	desk.AssertRequests(t, "Replies.Create", 0)
}

func TestATicketThatWasJustCreatedIsDeleted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(interrupt func()) supportbeetest.Fault
		want  error
	}{
		{name: "interrupt", want: context.Canceled, fault: func(interrupt func()) supportbeetest.Fault {
			return supportbeetest.Fault{Name: "interrupt", Wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					interrupt()
					next.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
				})
			}}
		}},
		{name: "lost response", want: supportbee.ErrOutcomeUnknown, fault: func(func()) supportbeetest.Fault {
			return supportbeetest.AfterHandling(supportbeetest.Drop())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			desk := newDesk(t)
			before := len(desk.Tickets())
			ctx, cancel := context.WithCancel(t.Context())
			desk.Inject(supportbeetest.Match{Op: "Tickets.Create"}, tt.fault(cancel))
			var out bytes.Buffer
			require.ErrorIs(t, run(ctx, write, &out), tt.want)
			assert.Contains(t, out.String(), "- Walk: with a ticket of its own, incomplete\n")
			desk.AssertRequests(t, "Tickets.Create", 1)
			desk.AssertRequests(t, "Tickets.Delete", 1)
			assert.Len(t, desk.Tickets(), before)
		})
	}
}

func TestATicketThatMayRemainIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		desk.Inject(supportbeetest.Match{Op: "Tickets.Create"}, supportbeetest.AfterHandling(supportbeetest.Drop()))
		desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, supportbeetest.Status(http.StatusBadGateway))
		err := (&walk{Client: desk.Client()}).write(t.Context(), "me@example.com")
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		assert.ErrorContains(t, err, `a ticket "Test by wirecheck" of me@example.com may remain: `)
	})
}

func TestATicketThatRemainsIsReported(t *testing.T) {
	desk := newDesk(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.Trash"}, supportbeetest.Status(http.StatusForbidden))
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), write, &out), " remains: supportbee: Tickets.Trash: ")
	assert.Contains(t, out.String(), "## Responses")
}

func TestALostConnectionEndsTheWalk(t *testing.T) {
	desk := newDesk(t)
	desk.Inject(supportbeetest.Match{Op: "Users.List"}, supportbeetest.RateLimited("3600"))
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), write, &out), supportbee.ErrRateLimited)
	assert.Contains(t, out.String(), "- Walk: read-only, incomplete\n")
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
	require.Error(t, run(ctx, nil, &out))
	assert.Empty(t, out.String())
}

func TestWhatMakesAReportUselessIsAnError(t *testing.T) {
	desk := newDesk(t)
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), []string{"-write"}, &out), "-write requires -requester")
	require.Error(t, run(t.Context(), []string{"-unknown"}, &out))
	t.Setenv("SUPPORTBEE_TOKEN", "wrong")
	require.ErrorIs(t, run(t.Context(), nil, &out), supportbee.ErrAccessDenied)
	t.Setenv("SUPPORTBEE_TOKEN", "")
	require.ErrorIs(t, run(t.Context(), nil, &out), supportbee.ErrTokenRequired)
	assert.Empty(t, out.String())
	desk.AssertNoWrites(t)

	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	_, broken := io.Pipe()
	require.NoError(t, broken.Close())
	require.ErrorIs(t, run(t.Context(), nil, broken), io.ErrClosedPipe)
}

func TestTheEmbeddedDeskShowsItsPlantedDifferences(t *testing.T) {
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
	report := reportOf(t)
	rows := section(t, report, "Differences")
	require.Len(t, rows, 6)
	assert.Equal(t, "Comments.List | `/comments/*/author` | unknown member, object | 7 | both", rows[0])
	assert.Contains(t, report, "\n## Differences: 6\n")
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}
