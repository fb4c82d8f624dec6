package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee"
)

// report is what the program reports: numbers, names of labels and teams, and nothing of customers.
type report struct {
	week    span
	now     time.Time
	figures []figure // the most important numbers
	notes   []string
	tables  []table
}

// figure is a number with a name and a remark.
type figure struct{ Name, Value, Remark string }

// table is a table of a report. A cell is a string, an int, a float64, a
// *time.Duration, or nil.
type table struct {
	name, note string
	columns    []string
	rows       [][]any
	chart      bool // whether to draw the second column over the first; of the last row if wide
	wide       bool // a row for each day and a column for each hour
}

// received is a ticket of the week, and how long its requester waited for a response.
type received struct {
	*supportbee.Ticket
	at       time.Time      // in the time zone of the report
	response *time.Duration // nil if there was none
}

// collector reads what the report of a week needs.
type collector struct {
	client   *supportbee.Client
	week     span
	now      time.Time
	workers  int
	progress func(done, total int)
	notes    []string
}

func (c *collector) collect(ctx context.Context) (*report, error) {
	tickets, err := c.received(ctx)
	if err != nil {
		return nil, err
	}
	// Creation times do not change, so this order does not move tickets between the pages.
	open, err := c.read("The open tickets", c.client.Tickets.All(ctx, &supportbee.TicketListOptions{SortBy: supportbee.SortByCreationTime}))
	if err != nil {
		return nil, err
	}
	before, err := c.client.Tickets.Count(ctx, &supportbee.TicketListOptions{
		Archived: supportbee.ArchivedAny, SortBy: supportbee.SortByCreationTime,
		Since: c.week.from.AddDate(0, 0, -7), Until: c.week.from.Add(-time.Second),
	})
	if err != nil {
		return nil, err
	}
	vendor, err := c.vendor(ctx)
	if err != nil {
		return nil, err
	}
	tables := []table{c.byDay(tickets), c.byHour(tickets)}
	tables = append(tables, by("By label", "Label", "A ticket with several labels counts for each.", tickets, func(t received) []string {
		names := []string{}
		for _, label := range t.Labels {
			names = append(names, label.Name)
		}
		return names
	}), by("By team", "Team", "", tickets, func(t received) []string {
		if t.AssignedTeam == nil {
			return nil
		}
		return []string{t.AssignedTeam.Name}
	}), c.byAge(open))
	if vendor != nil {
		tables = append(tables, *vendor)
	}
	figures := c.figures(tickets, open, before)
	return &report{week: c.week, now: c.now, figures: figures, notes: c.notes, tables: tables}, nil
}

// read collects tickets. That the help desk could not list all of them is said in the report, since
// it may not change until the next run.
func (c *collector) read(what string, seq iter.Seq2[*supportbee.Ticket, error]) ([]*supportbee.Ticket, error) {
	tickets, err := supportbee.Collect(seq)
	if errors.Is(err, supportbee.ErrIncomplete) {
		c.notes = append(c.notes, what+" are incomplete: the help desk did not list all of them.")
		err = nil
	}
	tickets = slices.DeleteFunc(tickets, func(t *supportbee.Ticket) bool { return t.Spam || t.Trash || t.Draft })
	return tickets, err
}

// received returns the tickets of the week, archived ones included.
func (c *collector) received(ctx context.Context) ([]received, error) {
	tickets, err := c.read("The tickets of the week", c.client.Tickets.Export(ctx, nil, &supportbee.ExportOptions{Since: c.week.from, Until: c.week.to.Add(-time.Second)}))
	if err != nil {
		return nil, err
	}
	each := func(yield func(*supportbee.Ticket, error) bool) {
		for _, ticket := range tickets {
			if !yield(ticket, nil) {
				return
			}
		}
	}
	var mu sync.Mutex
	var all []received
	err = supportbee.ForEach(ctx, each, func(ctx context.Context, ticket *supportbee.Ticket) error {
		r := received{Ticket: ticket, at: ticket.CreatedAt.In(c.now.Location())}
		if ticket.RepliesCount > 0 {
			replies, err := c.client.Replies.List(ctx, ticket.ID)
			if errors.Is(err, supportbee.ErrNotFound) {
				return nil // deleted since it was listed
			}
			if err != nil {
				return err
			}
			r.response = firstResponse(ticket, replies)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r)
		return nil
	}, &supportbee.ForEachOptions{Workers: c.workers, Progress: c.progress})
	return all, err
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

// responses returns how many tickets had a response, and the quantiles 0.5 and 0.9 of the times.
func responses(tickets []received) (n int, median, ninth *time.Duration) {
	var times []time.Duration
	for _, t := range tickets {
		if t.response != nil {
			times = append(times, *t.response)
		}
	}
	slices.Sort(times)
	return len(times), quantile(times, 0.5), quantile(times, 0.9)
}

// quantile interpolates between the two nearest values, as PERCENTILE of spreadsheets does.
func quantile(sorted []time.Duration, q float64) *time.Duration {
	if len(sorted) == 0 {
		return nil
	}
	whole, part := math.Modf(q * float64(len(sorted)-1))
	low, high := sorted[int(whole)], sorted[min(int(whole)+1, len(sorted)-1)]
	return new(low + time.Duration(part*float64(high-low)))
}

var statistics = []string{"Tickets", "Responded", "Median", "90th percentile"}

func summarize(name string, tickets []received) []any {
	n, median, ninth := responses(tickets)
	return []any{name, len(tickets), n, median, ninth}
}

// by returns a table with a row for each name that a ticket has, the most frequent first, and at
// last one for tickets without a name.
func by(title, column, note string, tickets []received, names func(received) []string) table {
	groups := map[string][]received{}
	var rest []received
	for _, t := range tickets {
		found := names(t)
		for _, name := range found {
			groups[name] = append(groups[name], t)
		}
		if len(found) == 0 {
			rest = append(rest, t)
		}
	}
	t := table{name: title, note: note, columns: append([]string{column}, statistics...), chart: true}
	for _, name := range slices.SortedFunc(maps.Keys(groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a, b))
	}) {
		t.rows = append(t.rows, summarize(name, groups[name]))
	}
	if len(rest) > 0 || len(t.rows) == 0 {
		t.rows = append(t.rows, summarize("(none)", rest))
	}
	return t
}

func (c *collector) byDay(tickets []received) table {
	t := table{name: "By day", columns: append([]string{"Day"}, statistics...), chart: true}
	for i := range 7 {
		day := span{from: c.week.from.AddDate(0, 0, i), to: c.week.from.AddDate(0, 0, i+1)}
		t.rows = append(t.rows, summarize(day.from.Format("Mon 2"), slices.DeleteFunc(slices.Clone(tickets), func(t received) bool { return !day.has(t.at) })))
	}
	return t
}

func (c *collector) byHour(tickets []received) table {
	t := table{name: "By hour", note: "Tickets by the hour in which they were received.", columns: []string{"Day"}, chart: true, wide: true}
	for hour := range 24 {
		t.columns = append(t.columns, fmt.Sprintf("%02d", hour))
	}
	counts := [8][24]int{}
	for _, ticket := range tickets {
		day := (int(ticket.at.Weekday()) - int(c.week.from.Weekday()) + 7) % 7
		counts[day][ticket.at.Hour()]++
		counts[7][ticket.at.Hour()]++
	}
	for i, hours := range counts {
		row := []any{c.week.from.AddDate(0, 0, i).Format("Mon")}
		if i == 7 {
			row[0] = "All"
		}
		for _, n := range hours {
			row = append(row, n)
		}
		t.rows = append(t.rows, row)
	}
	return t
}

var ages = []struct {
	name string
	less time.Duration
}{{"up to 1 day", 24 * time.Hour}, {"1 to 3 days", 72 * time.Hour}, {"3 to 7 days", 168 * time.Hour}, {"1 to 4 weeks", 672 * time.Hour}, {"older", math.MaxInt64}}

func (c *collector) byAge(open []*supportbee.Ticket) table {
	t := table{name: "Open by age", note: "Tickets that are not archived, whenever they were received.", columns: []string{"Age", "Open", "Unanswered"}, chart: true}
	counts := make([][2]int, len(ages))
	for _, ticket := range open {
		i := 0
		for c.now.Sub(ticket.CreatedAt) >= ages[i].less {
			i++
		}
		counts[i][0]++
		if ticket.Unanswered {
			counts[i][1]++
		}
	}
	for i, age := range ages {
		t.rows = append(t.rows, []any{age.name, counts[i][0], counts[i][1]})
	}
	return t
}

// vendor returns the reports of the help desk itself. It is nil if the token is not an admin's.
func (c *collector) vendor(ctx context.Context) (*table, error) {
	first := time.Date(c.week.from.Year(), c.week.from.Month(), c.week.from.Day(), 0, 0, 0, 0, time.UTC)
	t := table{
		name: "Reports of the help desk", columns: []string{"Day (UTC)", "Tickets", "Replies", "Avg. first response"},
		note: "As the help desk computes them, by days in UTC; spam may count. The unit of the average is not documented; it is believed to be seconds.",
	}
	for i := range 7 {
		t.rows = append(t.rows, []any{first.AddDate(0, 0, i).Format("Mon 2"), 0, 0, nil})
	}
	reports := c.client.Reports
	for column, get := range []func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error){reports.TicketsCount, reports.RepliesCount, reports.AvgFirstResponseTime} {
		points, err := get(ctx, &supportbee.ReportOptions{Since: first})
		if errors.Is(err, supportbee.ErrAccessDenied) {
			c.notes = append(c.notes, "The help desk's own reports are left out: they need an admin's token.")
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			if day := int(math.Floor(p.Time.Sub(first).Hours() / 24)); day >= 0 && day < 7 {
				if count, isCount := t.rows[day][column+1].(int); isCount {
					t.rows[day][column+1] = count + int(p.Value)
				} else {
					t.rows[day][column+1] = p.Value
				}
			}
		}
	}
	return &t, nil
}

func (c *collector) figures(tickets []received, open []*supportbee.Ticket, before int) []figure {
	change := ""
	if before > 0 {
		change = fmt.Sprintf(", %+.0f %%", 100*float64(len(tickets)-before)/float64(before))
	}
	n, median, ninth := responses(tickets)
	unanswered, oldest := 0, time.Duration(0)
	for _, t := range open {
		oldest = max(oldest, c.now.Sub(t.CreatedAt))
		if t.Unanswered {
			unanswered++
		}
	}
	return []figure{
		{Name: "Tickets received", Value: fmt.Sprint(len(tickets)), Remark: fmt.Sprintf("%d the week before%s", before, change)},
		{Name: "First response", Value: format(median), Remark: fmt.Sprintf("median of %d with a response", n)},
		{Name: "90th percentile", Value: format(ninth), Remark: fmt.Sprintf("%d without a response", len(tickets)-n)},
		{Name: "Open tickets", Value: fmt.Sprint(len(open)), Remark: fmt.Sprintf("%d unanswered, oldest %s", unanswered, format(&oldest))},
	}
}
