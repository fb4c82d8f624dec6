package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-analyze/charts"
	"github.com/wneessen/go-mail"
	"github.com/xuri/excelize/v2"
)

// format returns the text of a cell.
func format(cell any) string {
	switch v := cell.(type) {
	case nil:
		return "–"
	case float64:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case time.Duration:
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

func (r *report) text() string {
	var b strings.Builder // which has no errors
	fmt.Fprintf(&b, "%s\n%s\n\n", r.Title, r.Date)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Value, f.Remark)
	}
	w.Flush()
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\nNote: %s\n", note)
	}
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "\n%s\n", t.Name)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range t.Rows {
			fmt.Fprintf(w, "%-16s\t", row[0])
			for _, cell := range row[1:] {
				fmt.Fprintf(w, "%s\t", format(cell))
			}
			fmt.Fprintf(w, "\n")
		}
		w.Flush()
		if t.Note != "" {
			fmt.Fprintf(&b, "  %s\n", t.Note)
		}
	}
	return b.String()
}

// workbook returns a workbook with a sheet for each table.
func (r *report) workbook() ([]byte, error) {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return nil, err
	}
	summary := table{Name: "Summary", Rows: [][]any{{r.Title}, {r.Date}}}
	for _, figure := range r.Figures {
		summary.Rows = append(summary.Rows, []any{figure.Name, figure.Value, figure.Remark})
	}
	for _, note := range r.Notes {
		summary.Rows = append(summary.Rows, []any{note})
	}
	for _, t := range append([]table{summary}, r.Tables...) {
		_, err := f.NewSheet(t.Name)
		err = errors.Join(err, f.SetColWidth(t.Name, "A", "E", 20), f.SetRowStyle(t.Name, 1, 1, bold))
		for n, row := range t.Rows {
			err = errors.Join(err, f.SetSheetRow(t.Name, fmt.Sprint("A", n+1), &row))
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.DeleteSheet("Sheet1"); err != nil { // of a new file
		return nil, err
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// chart returns the counts of a table as bars. It is a PNG, since many mail programs show no SVG, of
// twice the size, for screens with many pixels.
func (t table) chart() ([]byte, error) {
	var labels []string
	var values []float64
	for _, row := range t.Rows[1:min(len(t.Rows), 9)] { // more would be too narrow
		labels, values = append(labels, row[0].(string)), append(values, float64(row[1].(int)))
	}
	gray, line := charts.ColorRGB(91, 101, 119), charts.ColorRGB(221, 225, 232)
	font := charts.NewFontStyleWithSize(16)
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: 960, Height: 380})
	opt := charts.NewBarChartOptionWithData([][]float64{values})
	opt.Theme = charts.MakeTheme(charts.ThemeOption{
		BackgroundColor: charts.ColorWhite, TextColor: gray, AxisStrokeColor: line, AxisSplitLineColor: line,
		SeriesColors: []charts.Color{charts.ColorRGB(59, 110, 234)},
	})
	opt.Padding = charts.Box{Top: 24, Left: 4, Right: 8, Bottom: 4, IsSet: true}
	opt.Legend.Show = new(false)
	opt.BarSize = 0.62
	opt.ValueFormatter = func(v float64) string { return strconv.Itoa(int(v)) }
	opt.CategoryAxis = charts.CategoryAxisOption{Labels: labels, LabelFontStyle: font, LabelCount: len(labels)}
	top := 4 * math.Ceil((1.12*slices.Max(append(values, 0))+1)/4) // so that the five marks are whole numbers
	opt.ValueAxis = []charts.ValueAxisOption{{LabelFontStyle: font, Min: new(0.0), Max: &top, LabelCount: 5, RangeValuePaddingScale: new(0.0)}}
	opt.SeriesList[0].Label = charts.SeriesLabel{Show: new(true), FontStyle: font, ValueFormatter: opt.ValueFormatter}
	if err := p.BarChart(opt); err != nil {
		return nil, err
	}
	return p.Bytes()
}

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{"format": format}).Parse(page))

// render returns HTML with the charts at the URLs that address returns.
func (r *report) render(address func(i int, png []byte) string) ([]byte, error) {
	var images []template.URL
	for i, t := range r.Tables {
		png, err := t.chart()
		if err != nil {
			return nil, err
		}
		images = append(images, template.URL(address(i, png))) //nolint:gosec // without anything of the help desk
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, map[string]any{"Report": r, "Images": images})
	return b.Bytes(), err
}

// page returns HTML that needs no other file.
func (r *report) page() ([]byte, error) {
	return r.render(func(_ int, png []byte) string {
		return "data:image/png;base64," + base64.StdEncoding.EncodeToString(png)
	})
}

// mail returns a mail with the text, the page and the workbook. The images are parts of it, since
// many mail programs show no data: URLs.
func (r *report) mail(from, to string) ([]byte, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	html, err := r.render(func(i int, png []byte) string {
		id := fmt.Sprintf("chart%d@report", i)
		m.EmbedReadSeeker(fmt.Sprintf("chart%d.png", i), bytes.NewReader(png), mail.WithFileContentID("<"+id+">"))
		return "cid:" + id
	})
	if err != nil {
		return nil, err
	}
	workbook, err := r.workbook()
	if err := errors.Join(err, m.From(from), m.ToFromString(to)); err != nil {
		return nil, err
	}
	m.Subject(r.Title)
	m.SetDate()
	m.SetBodyString(mail.TypeTextPlain, r.text())
	m.AddAlternativeString(mail.TypeTextHTML, string(html))
	m.AttachReadSeeker("report.xlsx", bytes.NewReader(workbook))
	var b bytes.Buffer
	_, err = m.WriteTo(&b)
	return b.Bytes(), err
}
