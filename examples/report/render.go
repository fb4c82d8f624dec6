package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/go-analyze/charts"
	"github.com/wneessen/go-mail"
	"github.com/xuri/excelize/v2"
)

func (r *report) title() string {
	year, number := r.week.from.ISOWeek()
	days := r.week.from.Format("2 January") + " to " + r.week.to.AddDate(0, 0, -1).Format("2 January 2006")
	if r.week.from.Weekday() != time.Monday {
		return "Help desk, " + days
	}
	return fmt.Sprintf("Help desk, week %d of %d: %s", number, year, days)
}

func (r *report) stand() string { return "As of " + r.now.Format("Monday, 2 January 2006, 15:04 MST") }

// format returns the text of a cell.
func format(cell any) string {
	switch v := cell.(type) {
	case nil:
		return "–"
	case float64:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case *time.Duration:
		if v == nil {
			return "–"
		}
		switch d := v.Round(time.Minute); {
		case d >= 48*time.Hour:
			return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
		case d >= time.Hour:
			return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
		default:
			return fmt.Sprintf("%d min", d/time.Minute)
		}
	}
	return fmt.Sprint(cell)
}

func renderText(r *report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n\n", r.title(), r.stand())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range r.figures {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Value, f.Remark)
	}
	_ = w.Flush() // a Builder has no errors
	for _, note := range r.notes {
		fmt.Fprintf(&b, "\nNote: %s\n", note)
	}
	for _, t := range r.tables {
		fmt.Fprintf(&b, "\n%s\n", t.name)
		padding := 2
		if t.wide {
			padding = 1
		}
		w := tabwriter.NewWriter(&b, 0, 0, padding, ' ', tabwriter.AlignRight)
		first := 0
		for _, cells := range append([][]any{t.header()}, t.rows...) {
			first = max(first, utf8.RuneCountInString(format(cells[0])))
		}
		for _, cells := range append([][]any{t.header()}, t.rows...) {
			for i, cell := range cells {
				text := format(cell)
				if i == 0 {
					text = fmt.Sprintf("%-*s", first, text)
				}
				if t.wide && text == "0" {
					text = "·"
				}
				fmt.Fprintf(w, "%s\t", text)
			}
			fmt.Fprintln(w)
		}
		_ = w.Flush()
		if t.note != "" {
			fmt.Fprintf(&b, "  %s\n", t.note)
		}
	}
	return b.String()
}

func (t table) header() []any {
	cells := []any{}
	for _, column := range t.columns {
		cells = append(cells, column)
	}
	return cells
}

// renderXLSX returns a workbook with a sheet for each table. Times are in hours, as numbers.
func renderXLSX(r *report) ([]byte, error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, err
	}
	hours, err := f.NewStyle(&excelize.Style{CustomNumFmt: new("0.00")})
	if err != nil {
		return nil, err
	}
	summary := table{name: "Summary", columns: []string{"Figure", "Value", "Remark"}}
	for _, f := range r.figures {
		summary.rows = append(summary.rows, []any{f.Name, f.Value, f.Remark})
	}
	summary.rows = append(summary.rows, []any{}, []any{r.title()}, []any{r.stand()})
	for _, note := range r.notes {
		summary.rows = append(summary.rows, []any{note})
	}
	for i, t := range append([]table{summary}, r.tables...) {
		if i == 0 {
			err = f.SetSheetName("Sheet1", t.name)
		} else {
			_, err = f.NewSheet(t.name)
		}
		if err != nil {
			return nil, err
		}
		w, err := f.NewStreamWriter(t.name)
		if err != nil {
			return nil, err
		}
		width := 16.0
		if t.wide {
			width = 5
		}
		header := t.header()
		for c, cell := range header {
			if len(t.rows) > 0 && c < len(t.rows[0]) {
				if _, isTime := t.rows[0][c].(*time.Duration); isTime {
					cell = fmt.Sprint(cell, " (h)")
				}
			}
			header[c] = excelize.Cell{StyleID: bold, Value: cell}
		}
		if err := w.SetColWidth(1, 1, 24); err != nil {
			return nil, err
		}
		if err := w.SetColWidth(2, len(header), width); err != nil {
			return nil, err
		}
		if err := w.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
			return nil, err
		}
		for n, row := range append([][]any{header}, t.rows...) {
			cells := append([]any{}, row...)
			for c, cell := range cells {
				if d, isTime := cell.(*time.Duration); isTime && d != nil {
					cells[c] = excelize.Cell{StyleID: hours, Value: d.Hours()}
				} else if isTime {
					cells[c] = nil
				}
			}
			if err := w.SetRow(fmt.Sprintf("A%d", n+1), cells); err != nil {
				return nil, err
			}
		}
		if err := w.Flush(); err != nil {
			return nil, err
		}
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// drawing returns the bars of a table: as SVG, whose colors the page replaces, or as PNG, since many
// mail programs show no SVG.
func drawing(t table, format string) ([]byte, error) {
	var labels []string
	var values []float64
	if t.wide {
		for i, cell := range t.rows[len(t.rows)-1][1:] {
			labels, values = append(labels, ""), append(values, float64(cell.(int)))
			if i%3 == 0 {
				labels[i] = t.columns[i+1]
			}
		}
	} else {
		for _, row := range t.rows[:min(len(t.rows), 8)] { // more would be too narrow
			labels, values = append(labels, row[0].(string)), append(values, float64(row[1].(int)))
		}
	}
	scale, white := 1, charts.ColorRGB(255, 255, 255)
	if format == charts.ChartOutputPNG {
		scale = 2 // for screens with many pixels
	} else {
		white = white.WithAlpha(0)
	}
	gray, line := charts.ColorRGB(91, 101, 119), charts.ColorRGB(221, 225, 232)
	font := charts.NewFontStyleWithSize(float64(8 * scale))
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: format, Width: 480 * scale, Height: 190 * scale})
	opt := charts.NewBarChartOptionWithData([][]float64{values})
	opt.Theme = charts.MakeTheme(charts.ThemeOption{
		BackgroundColor: white, TextColor: gray, AxisStrokeColor: line, AxisSplitLineColor: line, SeriesColors: []charts.Color{charts.ColorRGB(59, 110, 234)},
	})
	opt.Padding = charts.Box{Top: 12 * scale, Left: 2 * scale, Right: 4 * scale, Bottom: 2 * scale, IsSet: true}
	opt.Legend.Show = new(false)
	opt.BarSize = 0.62
	whole := func(v float64) string { return strconv.Itoa(int(v)) }
	opt.ValueFormatter = whole
	opt.CategoryAxis = charts.CategoryAxisOption{Labels: labels, LabelFontStyle: font, LabelCount: len(labels)}
	top := 4 * math.Ceil((1.12*slices.Max(values)+1)/4) // so that the five marks are whole numbers
	opt.ValueAxis = []charts.ValueAxisOption{{LabelFontStyle: font, Min: new(0.0), Max: &top, LabelCount: 5, RangeValuePaddingScale: new(0.0)}}
	for i := range opt.SeriesList {
		opt.SeriesList[i].Label = charts.SeriesLabel{Show: new(!t.wide), FontStyle: font, ValueFormatter: whole}
	}
	if err := p.BarChart(opt); err != nil {
		return nil, err
	}
	return p.Bytes()
}

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"format": format,
	"shade": func(t table, row int, cell any) template.CSS { // of a cell, by its share of the greatest one
		n, isCount := cell.(int)
		if greatest := t.greatest(); isCount && n > 0 && t.wide && row < len(t.rows)-1 {
			return template.CSS(fmt.Sprintf("rgba(59,110,234,%.2f)", 0.1+0.5*float64(n)/float64(greatest))) //nolint:gosec // only a number
		}
		return "transparent"
	},
}).Parse(page))

// greatest returns the greatest count of a wide table, without its sums.
func (t table) greatest() int {
	n := 0
	for _, row := range t.rows[:len(t.rows)-1] {
		for _, cell := range row[1:] {
			if v, isCount := cell.(int); isCount {
				n = max(n, v)
			}
		}
	}
	return n
}

type section struct {
	Name, Note  string
	Table       table
	Columns     []string
	Rows        [][]any
	Wide, Chart bool
	SVG         template.HTML
	Image       template.URL
}

// renderHTML returns a page that needs no other file, or that of a mail, which has its images as
// parts of the mail.
func renderHTML(r *report, mail bool) ([]byte, error) {
	sections := []section{}
	for i, t := range r.tables {
		s := section{Name: t.name, Note: t.note, Table: t, Columns: t.columns, Rows: t.rows, Wide: t.wide}
		if t.chart && mail {
			s.Image = template.URL("cid:" + imageID(i)) //nolint:gosec // a constant and a number
		} else if t.chart {
			svg, err := drawing(t, charts.ChartOutputSVG)
			if err != nil {
				return nil, err
			}
			s.SVG = template.HTML(svg) //nolint:gosec // the library escapes texts
		}
		sections = append(sections, s)
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, map[string]any{
		"Title": r.title(), "Stand": r.stand(), "Figures": r.figures, "Notes": r.notes, "Sections": sections, "Mail": mail,
	})
	return b.Bytes(), err
}

func imageID(i int) string { return fmt.Sprintf("chart%d@report", i) }

// renderMail returns a mail with the text, the page and the workbook.
func renderMail(r *report, from, to string) ([]byte, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.From(from); err != nil {
		return nil, fmt.Errorf("-from: %w", err)
	}
	if err := m.ToFromString(to); err != nil {
		return nil, fmt.Errorf("-to: %w", err)
	}
	html, err := renderHTML(r, true)
	if err != nil {
		return nil, err
	}
	workbook, err := renderXLSX(r)
	if err != nil {
		return nil, err
	}
	m.Subject(r.title())
	m.SetDateWithValue(r.now)
	m.SetBodyString(mail.TypeTextPlain, renderText(r))
	m.AddAlternativeString(mail.TypeTextHTML, string(html))
	for i, t := range r.tables {
		if !t.chart {
			continue
		}
		png, err := drawing(t, charts.ChartOutputPNG)
		if err != nil {
			return nil, err
		}
		m.EmbedReadSeeker(fmt.Sprintf("chart%d.png", i), bytes.NewReader(png), mail.WithFileContentID("<"+imageID(i)+">"))
	}
	m.AttachReadSeeker("report-"+r.week.from.Format(time.DateOnly)+".xlsx", bytes.NewReader(workbook))
	var b bytes.Buffer
	_, err = m.WriteTo(&b)
	return b.Bytes(), err
}
