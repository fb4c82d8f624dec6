package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// report is what the program reports: numbers, names of labels and teams, and nothing of customers.
type report struct {
	Title, Date string
	Notes       []string
	Summary     table // the most important numbers
	Tables      []table
}

// table is a table of a report. Its first row is the header, its second column has numbers. A cell is
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
	within := &supportbee.ExportOptions{Since: from, Until: to.Add(-time.Second)}
	tickets, err := r.read("The tickets of the week", j.client.Tickets.Export(ctx, nil, within))
	if err != nil {
		return nil, err
	}
	// Creation times do not change, so this order does not move tickets between the pages.
	open, err := r.read("The open tickets", j.client.Tickets.All(ctx, &supportbee.TicketListOptions{SortBy: supportbee.SortByCreationTime}))
	if err != nil {
		return nil, err
	}
	all, labels, teams := []*time.Duration{}, map[string][]*time.Duration{}, map[string][]*time.Duration{}
	for _, ticket := range tickets {
		var replies []*supportbee.Reply
		if ticket.RepliesCount > 0 {
			replies, err = j.client.Replies.List(ctx, ticket.ID)
			if err != nil && !errors.Is(err, supportbee.ErrNotFound) { // it was deleted since it was listed
				return nil, err
			}
		}
		response := firstResponse(ticket, replies)
		all = append(all, response)
		for _, label := range ticket.Labels {
			labels[label.Name] = append(labels[label.Name], response)
		}
		if len(ticket.Labels) == 0 {
			labels["(none)"] = append(labels["(none)"], response)
		}
		team := "(none)"
		if ticket.AssignedTeam != nil {
			team = ticket.AssignedTeam.Name
		}
		teams[team] = append(teams[team], response)
	}
	ages, unanswered := byAge(open, j.now)
	week := summarize("", all)
	r.Summary = table{Name: "Summary", Rows: [][]any{
		{"Tickets received", week[1], fmt.Sprintf("%d with a response", week[2])},
		{"First response", week[3], "median"},
		{"90th percentile", week[4], "of the first responses"},
		{"Open tickets", len(open), fmt.Sprintf("%d unanswered", unanswered)},
	}}
	r.Tables = []table{by("Label", labels), by("Team", teams), ages}
	r.Tables[0].Note = "A ticket with several labels counts for each."
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
	return slices.DeleteFunc(tickets, func(t *supportbee.Ticket) bool { return t.Spam || t.Trash || t.Draft }), err
}

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

// by returns a table with a row for each name, the most frequent first. It gets the first responses to
// the tickets that have the name, or nil for those without one.
func by(column string, names map[string][]*time.Duration) table {
	t := table{Name: "By " + strings.ToLower(column), Rows: [][]any{{column, "Tickets", "Responded", "Median", "90th percentile"}}}
	for name, responses := range names {
		t.Rows = append(t.Rows, summarize(name, responses))
	}
	slices.SortFunc(t.Rows[1:], func(a, b []any) int {
		return cmp.Or(cmp.Compare(b[1].(int), a[1].(int)), cmp.Compare(a[0].(string), b[0].(string)))
	})
	return t
}

// summarize returns a row: how many tickets there are, how many had a response, and the quantiles of
// the times. They interpolate between the two nearest values, as PERCENTILE of spreadsheets does.
func summarize(name string, responses []*time.Duration) []any {
	var times []time.Duration
	for _, response := range responses {
		if response != nil {
			times = append(times, *response)
		}
	}
	slices.Sort(times)
	row := []any{name, len(responses), len(times), nil, nil}
	for i, q := range []float64{0.5, 0.9} {
		if whole, part := math.Modf(q * float64(len(times)-1)); len(times) > 0 {
			low, high := times[int(whole)], times[min(int(whole)+1, len(times)-1)]
			row[3+i] = low + time.Duration(part*float64(high-low))
		}
	}
	return row
}

// byAge also returns how many of the open tickets are unanswered.
func byAge(open []*supportbee.Ticket, now time.Time) (t table, unanswered int) {
	limits := []time.Duration{24 * time.Hour, 72 * time.Hour, 168 * time.Hour, 672 * time.Hour, math.MaxInt64}
	counts, waiting := make([]int, len(limits)), make([]int, len(limits))
	for _, ticket := range open {
		i := slices.IndexFunc(limits, func(limit time.Duration) bool { return now.Sub(ticket.CreatedAt) < limit })
		counts[i]++
		if ticket.Unanswered {
			waiting[i]++
			unanswered++
		}
	}
	t = table{Name: "Open by age", Note: "Tickets that are not archived, whenever they were received.", Rows: [][]any{{"Age", "Open", "Unanswered"}}}
	for i, name := range []string{"up to 1 day", "1 to 3 days", "3 to 7 days", "1 to 4 weeks", "older"} {
		t.Rows = append(t.Rows, []any{name, counts[i], waiting[i]})
	}
	return t, unanswered
}

// vendor adds the reports of the help desk itself, unless the token is not an admin's.
func (j job) vendor(ctx context.Context, r *report, from time.Time) error {
	first := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	t := table{
		Name: "Reports of the help desk", Rows: [][]any{{"Day (UTC)", "Tickets", "Replies", "Avg. first response"}},
		Note: "As the help desk computes them, by days in UTC; spam may count. The unit of the average is not documented; it is believed to be seconds.",
	}
	days := map[string][]any{}
	for i := range 7 {
		day := first.AddDate(0, 0, i)
		days[day.Format(time.DateOnly)] = []any{day.Format("Mon 2"), 0, 0, nil}
		t.Rows = append(t.Rows, days[day.Format(time.DateOnly)])
	}
	reports := j.client.Reports
	for i, get := range []func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error){
		reports.TicketsCount, reports.RepliesCount, reports.AvgFirstResponseTime,
	} {
		points, err := get(ctx, &supportbee.ReportOptions{Since: first})
		if errors.Is(err, supportbee.ErrAccessDenied) {
			r.Notes = append(r.Notes, "The help desk's own reports are left out: they need an admin's token.")
			return nil
		} else if err != nil {
			return err
		}
		for _, p := range points {
			switch row := days[p.Time.UTC().Format(time.DateOnly)]; {
			case row == nil: // it is of another week
			case i < 2:
				row[i+1] = row[i+1].(int) + int(p.Value)
			default:
				row[i+1] = p.Value
			}
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}
