package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
)

// report is what the program reports: numbers, names of labels and teams, and nothing of customers.
type report struct {
	Title, Date string
	Figures     []figure // the most important numbers
	Notes       []string
	Tables      []table
}

// figure is a number with a name and a remark.
type figure struct{ Name, Value, Remark string }

// table is a table of a report. Its first row is the header, its second column has counts. A cell is
// a string, an int, a float64, a time.Duration, or nil.
type table struct {
	Name, Note string
	Rows       [][]any
}

func (j job) collect(ctx context.Context) (*report, error) {
	from, err := firstDay(j.week, j.now)
	if err != nil {
		return nil, err
	}
	to := from.AddDate(0, 0, 7)
	r := &report{
		Title: "Help desk, " + from.Format("2 January") + " to " + to.AddDate(0, 0, -1).Format("2 January 2006"),
		Date:  "As of " + j.now.Format("Monday, 2 January 2006, 15:04 MST"),
	}
	var responses sync.Map // times by ticket
	sometimes := rate.Sometimes{Interval: 5 * time.Second}
	tickets, err := r.read("The tickets of the week", j.client.Tickets.Export(ctx, nil, &supportbee.ExportOptions{
		Since: from, Until: to.Add(-time.Second),
		Progress: func(done, total int) { sometimes.Do(func() { slog.Info("reading", "done", done, "total", total) }) },
		Prepare: func(ctx context.Context, ticket *supportbee.Ticket) error {
			if ticket.RepliesCount == 0 || ignored(ticket) {
				return nil
			}
			replies, err := j.client.Replies.List(ctx, ticket.ID)
			if errors.Is(err, supportbee.ErrNotFound) {
				return nil // deleted since it was listed
			}
			if d := firstResponse(ticket, replies); d != nil {
				responses.Store(ticket.ID, *d)
			}
			return err
		},
	}))
	if err != nil {
		return nil, err
	}
	// Creation times do not change, so this order does not move tickets between the pages.
	open, err := r.read("The open tickets", j.client.Tickets.All(ctx, &supportbee.TicketListOptions{SortBy: supportbee.SortByCreationTime}))
	if err != nil {
		return nil, err
	}
	labels := by("Label", tickets, &responses, func(t *supportbee.Ticket) (names []string) {
		for _, label := range t.Labels {
			names = append(names, label.Name)
		}
		return names
	})
	labels.Note = "A ticket with several labels counts for each."
	teams := by("Team", tickets, &responses, func(t *supportbee.Ticket) []string {
		if t.AssignedTeam == nil {
			return nil
		}
		return []string{t.AssignedTeam.Name}
	})
	r.Tables = []table{labels, teams, byAge(open, j.now)}
	week, unanswered := summarize("", tickets, &responses), 0
	for _, t := range open {
		if t.Unanswered {
			unanswered++
		}
	}
	r.Figures = []figure{
		{"Tickets received", format(week[1]), format(week[2]) + " with a response"},
		{"First response", format(week[3]), "median"},
		{"90th percentile", format(week[4]), "of the first responses"},
		{"Open tickets", format(len(open)), format(unanswered) + " unanswered"},
	}
	return r, j.vendor(ctx, r, from)
}

// read collects tickets. That the help desk could not list all of them is said in the report, since
// it may not change until the next run.
func (r *report) read(what string, seq iter.Seq2[*supportbee.Ticket, error]) ([]*supportbee.Ticket, error) {
	tickets, err := supportbee.Collect(seq)
	if errors.Is(err, supportbee.ErrIncomplete) {
		r.Notes = append(r.Notes, what+" are incomplete: the help desk did not list all of them.")
		err = nil
	}
	return slices.DeleteFunc(tickets, ignored), err
}

func ignored(t *supportbee.Ticket) bool { return t.Spam || t.Trash || t.Draft }

// firstResponse returns the time to the first reply of somebody who works in the help desk. A reply
// that is older than the ticket was merged into it.
func firstResponse(ticket *supportbee.Ticket, replies []*supportbee.Reply) *time.Duration {
	var first *time.Duration
	for _, reply := range replies {
		if d := reply.CreatedAt.Sub(ticket.CreatedAt); reply.Replier.Agent && d >= 0 && (first == nil || d < *first) {
			first = &d
		}
	}
	return first
}

// summarize returns a row: how many tickets there are, how many had a response, and the quantiles of
// the times.
func summarize(name string, tickets []*supportbee.Ticket, responses *sync.Map) []any {
	var times []time.Duration
	for _, t := range tickets {
		if d, ok := responses.Load(t.ID); ok {
			times = append(times, d.(time.Duration))
		}
	}
	slices.Sort(times)
	return []any{name, len(tickets), len(times), quantile(times, 0.5), quantile(times, 0.9)}
}

// quantile interpolates between the two nearest values, as PERCENTILE of spreadsheets does. It
// returns nil if there are none.
func quantile(sorted []time.Duration, q float64) any {
	if len(sorted) == 0 {
		return nil
	}
	whole, part := math.Modf(q * float64(len(sorted)-1))
	low, high := sorted[int(whole)], sorted[min(int(whole)+1, len(sorted)-1)]
	return low + time.Duration(part*float64(high-low))
}

// by returns a table with a row for each name that a ticket has, the most frequent first.
func by(column string, tickets []*supportbee.Ticket, responses *sync.Map, names func(*supportbee.Ticket) []string) table {
	groups := map[string][]*supportbee.Ticket{}
	for _, t := range tickets {
		found := names(t)
		if len(found) == 0 {
			found = []string{"(none)"}
		}
		for _, name := range found {
			groups[name] = append(groups[name], t)
		}
	}
	t := table{Name: "By " + strings.ToLower(column), Rows: [][]any{{column, "Tickets", "Responded", "Median", "90th percentile"}}}
	for _, name := range slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a, b))
	}) {
		t.Rows = append(t.Rows, summarize(name, groups[name], responses))
	}
	return t
}

func byAge(open []*supportbee.Ticket, now time.Time) table {
	t := table{Name: "Open by age", Note: "Tickets that are not archived, whenever they were received.", Rows: [][]any{{"Age", "Open", "Unanswered"}}}
	least := time.Duration(math.MinInt64)
	for _, age := range []struct {
		name  string
		below time.Duration
	}{{"up to 1 day", 24 * time.Hour}, {"1 to 3 days", 72 * time.Hour}, {"3 to 7 days", 168 * time.Hour}, {"1 to 4 weeks", 672 * time.Hour}, {"older", math.MaxInt64}} {
		count, unanswered := 0, 0
		for _, ticket := range open {
			if d := now.Sub(ticket.CreatedAt); d >= least && d < age.below {
				count++
				if ticket.Unanswered {
					unanswered++
				}
			}
		}
		t.Rows = append(t.Rows, []any{age.name, count, unanswered})
		least = age.below
	}
	return t
}

// vendor adds the reports of the help desk itself, unless the token is not an admin's.
func (j job) vendor(ctx context.Context, r *report, from time.Time) error {
	first := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	t := table{
		Name: "Reports of the help desk", Rows: [][]any{{"Day (UTC)", "Tickets", "Replies", "Avg. first response"}},
		Note: "As the help desk computes them, by days in UTC; spam may count. The unit of the average is not documented; it is believed to be seconds.",
	}
	for i := range 7 {
		t.Rows = append(t.Rows, []any{first.AddDate(0, 0, i).Format("Mon 2"), 0, 0, nil})
	}
	reports := j.client.Reports
	for column, get := range []func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error){reports.TicketsCount, reports.RepliesCount, reports.AvgFirstResponseTime} {
		points, err := get(ctx, &supportbee.ReportOptions{Since: first})
		if errors.Is(err, supportbee.ErrAccessDenied) {
			r.Notes = append(r.Notes, "The help desk's own reports are left out: they need an admin's token.")
			return nil
		} else if err != nil {
			return err
		}
		for _, p := range points {
			if day := int(math.Floor(p.Time.Sub(first).Hours() / 24)); day >= 0 && day < 7 {
				cell := &t.Rows[day+1][column+1]
				if count, isCount := (*cell).(int); isCount {
					*cell = count + int(p.Value)
				} else {
					*cell = p.Value
				}
			}
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}
