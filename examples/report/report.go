package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"iter"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	text "text/template"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/xuri/excelize/v2"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
)

var (
	//go:embed report.txt report.html
	sources embed.FS

	functions    = map[string]any{"format": format, "percent": percent}
	textTemplate = text.Must(text.New("report.txt").Funcs(functions).ParseFS(sources, "report.txt"))
	htmlTemplate = html.Must(html.New("report.html").Funcs(functions).ParseFS(sources, "report.html"))
)

// report is what the program reports: numbers, names of labels and teams, and nothing of customers.
type report struct {
	Title, Date string
	Notes       []string
	Summary     table // the most important numbers
	Tables      []table
}

// table is a table of a report. Its first row is the header, its second column has numbers. A cell is
// a string, an int or a time.Duration.
type table struct {
	Name, Note string
	Rows       [][]any
}

// never is the first response to a ticket without one.
const never = time.Duration(math.MaxInt64)

func (j job) collect(ctx context.Context) (*report, error) {
	end := j.first.AddDate(0, 0, 7).Add(-time.Second)
	r := &report{
		Title: "Help desk, " + j.first.Format("2 January") + " to " + end.Format("2 January 2006"),
		Date:  "As of " + j.now.Format("Monday, 2 January 2006, 15:04 MST"),
	}
	var responses sync.Map // the first response to each ticket
	sometimes := rate.Sometimes{Interval: 10 * time.Second}
	sometimes.Do(func() {}) // a report of few tickets needs no progress
	tickets, err := r.read("The tickets of the week", j.client.Tickets.Export(ctx, nil, &supportbee.ExportOptions{
		Since: j.first, Until: end,
		Progress: func(done, total int) {
			sometimes.Do(func() { slog.Info("reading tickets", "done", done, "total", total) })
		},
		Prepare: func(ctx context.Context, ticket *supportbee.Ticket) error {
			thread, err := j.client.Tickets.Thread(ctx, ticket)
			if first := thread.FirstResponse(); first != nil {
				responses.Store(ticket.ID, first.CreatedAt.Sub(ticket.CreatedAt))
			}
			if errors.Is(err, supportbee.ErrNotFound) { // it was deleted since it was listed
				return nil
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
	all, labels, teams := []time.Duration{}, map[string][]time.Duration{}, map[string][]time.Duration{}
	for _, ticket := range tickets {
		response := never
		if value, ok := responses.Load(ticket.ID); ok {
			response = value.(time.Duration)
		}
		all = append(all, response)
		if len(ticket.Labels) == 0 {
			ticket.Labels = []supportbee.Label{{Name: "(none)"}}
		}
		for _, label := range ticket.Labels {
			labels[label.Name] = append(labels[label.Name], response)
		}
		if ticket.AssignedTeam == nil {
			ticket.AssignedTeam = &supportbee.Team{Name: "(none)"}
		}
		teams[ticket.AssignedTeam.Name] = append(teams[ticket.AssignedTeam.Name], response)
	}
	ages, unanswered := byAge(open, j.now)
	week := summarize("", all)
	r.Summary = table{Name: "Summary", Rows: [][]any{
		{"Tickets received", week[1], fmt.Sprintf("%d with a response", week[2])},
		{"First response", week[3], "median"},
		{"90th percentile", week[4], "of the first responses"},
		{"Open tickets", len(open), fmt.Sprintf("%d unanswered", unanswered)},
	}}
	r.Tables = []table{by("Label", "A ticket with several labels counts for each.", labels), by("Team", "", teams), ages}
	return r, j.vendor(ctx, r)
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

// by returns a table with a row for each name, the most frequent first. It gets the first responses to
// the tickets that have the name.
func by(column, note string, names map[string][]time.Duration) table {
	t := table{Name: "By " + strings.ToLower(column), Note: note, Rows: [][]any{{column, "Tickets", "Responded", "Median", "90th percentile"}}}
	for name, responses := range names {
		t.Rows = append(t.Rows, summarize(name, responses))
	}
	slices.SortFunc(t.Rows[1:], func(a, b []any) int {
		return cmp.Or(cmp.Compare(b[1].(int), a[1].(int)), cmp.Compare(a[0].(string), b[0].(string)))
	})
	return t
}

// summarize returns a row: how many tickets there are, how many had a response, and the median and the
// 90th percentile of the first responses, by nearest rank.
func summarize(name string, responses []time.Duration) []any {
	slices.Sort(responses)
	n, _ := slices.BinarySearch(responses, never)
	row := []any{name, len(responses), n, "–", "–"}
	if n > 0 {
		row[3], row[4] = responses[(n+1)/2-1], responses[(9*n+9)/10-1]
	}
	return row
}

// byAge also returns how many of the open tickets are unanswered.
func byAge(open []*supportbee.Ticket, now time.Time) (t table, unanswered int) {
	t = table{Name: "Open by age", Note: "Tickets that are not archived, whenever they were received.", Rows: [][]any{
		{"Age", "Open", "Unanswered"}, {"up to 1 day", 0, 0}, {"1 to 3 days", 0, 0}, {"3 to 7 days", 0, 0}, {"1 to 4 weeks", 0, 0}, {"older", 0, 0},
	}}
	for _, ticket := range open {
		i, _ := slices.BinarySearch([]float64{1, 3, 7, 28}, now.Sub(ticket.CreatedAt).Hours()/24)
		row := t.Rows[1+i]
		row[1] = row[1].(int) + 1
		if ticket.Unanswered {
			row[2] = row[2].(int) + 1
			unanswered++
		}
	}
	return t, unanswered
}

// vendor adds the reports of the help desk itself, unless the token is not an admin's.
func (j job) vendor(ctx context.Context, r *report) error {
	first := time.Date(j.first.Year(), j.first.Month(), j.first.Day(), 0, 0, 0, 0, time.UTC)
	t := table{
		Name: "Reports of the help desk", Rows: [][]any{{"Day (UTC)", "Tickets", "Replies", "Avg. first response"}},
		Note: "As the help desk computes them, by days in UTC; spam may count. The unit of the average is not documented; it is believed to be seconds.",
	}
	for i := range 7 {
		t.Rows = append(t.Rows, []any{first.AddDate(0, 0, i).Format("Mon 2"), 0, 0, "–"})
	}
	for i, get := range []func(context.Context, *supportbee.ReportOptions) ([]*supportbee.DataPoint, error){
		j.client.Reports.TicketsCount, j.client.Reports.RepliesCount, j.client.Reports.AvgFirstResponseTime,
	} {
		points, err := get(ctx, &supportbee.ReportOptions{Since: first})
		if errors.Is(err, supportbee.ErrAccessDenied) {
			r.Notes = append(r.Notes, "The help desk's own reports are left out: they need an admin's token.")
			return nil
		} else if err != nil {
			return err
		}
		for _, p := range points {
			if day := int(p.Time.Sub(first).Hours() / 24); !p.Time.Before(first) && day < 7 {
				t.Rows[1+day][1+i] = int(math.Round(p.Value))
			}
		}
	}
	r.Tables = append(r.Tables, t)
	return nil
}

// format returns the text of a cell.
func format(cell any) string {
	if d, ok := cell.(time.Duration); ok {
		return strings.Replace(d.Round(time.Minute).String(), "m0s", "m", 1)
	}
	return fmt.Sprint(cell)
}

// percent returns the length of the bar of a row, as a part of the longest of the table.
func percent(rows [][]any, row []any) int {
	longest := slices.MaxFunc(rows, func(a, b []any) int { return a[1].(int) - b[1].(int) })
	return 100 * row[1].(int) / max(1, longest[1].(int))
}

func (r *report) text(w io.Writer) error {
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	return errors.Join(textTemplate.Execute(tabs, r), tabs.Flush())
}

// workbook writes a workbook with a sheet for each table.
func (r *report) workbook(w io.Writer) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	summary := table{Name: r.Summary.Name, Rows: append([][]any{{r.Title}, {r.Date}, {strings.Join(r.Notes, " ")}}, r.Summary.Rows...)}
	for _, t := range append([]table{summary}, r.Tables...) {
		_, sheetErr := f.NewSheet(t.Name)
		err = errors.Join(err, sheetErr, f.SetColWidth(t.Name, "A", "E", 20), f.SetRowStyle(t.Name, 1, 1, bold))
		for n, row := range t.Rows {
			err = errors.Join(err, f.SetSheetRow(t.Name, fmt.Sprint("A", n+1), &row))
		}
	}
	return errors.Join(err, f.DeleteSheet("Sheet1"), f.Write(w)) // a new file has Sheet1
}

// mail writes a mail with the text, the page and the workbook.
func (r *report) mail(w io.Writer, from, to string) error {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.Subject(r.Title)
	m.SetDate()
	var plain, workbook bytes.Buffer
	err := errors.Join(m.From(from), m.ToFromString(to), r.text(&plain), r.workbook(&workbook))
	m.SetBodyString(mail.TypeTextPlain, plain.String())
	if err := errors.Join(err, m.AddAlternativeHTMLTemplate(htmlTemplate, r), m.AttachReader("report.xlsx", &workbook)); err != nil {
		return err
	}
	_, err = m.WriteTo(w)
	return err
}
