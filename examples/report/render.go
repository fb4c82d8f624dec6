package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"strconv"
	"text/tabwriter"
	text "text/template"
	"time"

	"github.com/go-analyze/charts"
	"github.com/wneessen/go-mail"
	"github.com/xuri/excelize/v2"
)

var (
	//go:embed report.txt
	textSource string
	//go:embed report.html
	htmlSource string

	functions    = map[string]any{"format": format, "base64": base64.StdEncoding.EncodeToString}
	textTemplate = text.Must(text.New("text").Funcs(functions).Parse(textSource))
	htmlTemplate = html.Must(html.New("html").Funcs(functions).Parse(htmlSource))
)

// format returns the text of a cell.
func format(cell any) string {
	switch v := cell.(type) {
	case nil:
		return "–"
	case float64:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case time.Duration:
		switch minutes := int(v.Round(time.Minute).Minutes()); {
		case minutes >= 48*60:
			return fmt.Sprintf("%d d %d h", minutes/(24*60), minutes/60%24)
		case minutes >= 60:
			return fmt.Sprintf("%d h %02d min", minutes/60, minutes%60)
		default:
			return fmt.Sprintf("%d min", minutes)
		}
	}
	return fmt.Sprint(cell)
}

func (r *report) text(w io.Writer) error {
	tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	return errors.Join(textTemplate.Execute(tabs, r), tabs.Flush())
}

// page writes HTML that needs no other file.
func (r *report) page(w io.Writer) error { return htmlTemplate.Execute(w, map[string]any{"Report": r}) }

// workbook writes a workbook with a sheet for each table.
func (r *report) workbook(w io.Writer) error {
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	summary := table{Name: r.Summary.Name, Rows: append([][]any{{r.Title}, {r.Date}}, r.Summary.Rows...)}
	for _, note := range r.Notes {
		summary.Rows = append(summary.Rows, []any{note})
	}
	for _, t := range append([]table{summary}, r.Tables...) {
		_, sheetErr := f.NewSheet(t.Name)
		err = errors.Join(err, sheetErr, f.SetColWidth(t.Name, "A", "E", 20), f.SetRowStyle(t.Name, 1, 1, bold))
		for n, row := range t.Rows {
			err = errors.Join(err, f.SetSheetRow(t.Name, fmt.Sprint("A", n+1), &row))
		}
	}
	return errors.Join(err, f.DeleteSheet("Sheet1"), f.Write(w)) // a new file has Sheet1
}

// mail writes a mail with the text, the page and the workbook. The images are parts of it, since many
// mail programs show no data: URLs.
func (r *report) mail(w io.Writer, from, to string) error {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	m.Subject(r.Title)
	m.SetDate()
	var plain, workbook bytes.Buffer
	err := errors.Join(r.text(&plain), m.From(from), m.ToFromString(to))
	m.SetBodyString(mail.TypeTextPlain, plain.String())
	err = errors.Join(err, m.AddAlternativeHTMLTemplate(htmlTemplate, map[string]any{"Report": r, "Mail": true}))
	for i, t := range r.Tables {
		png, chartErr := t.Chart()
		id := mail.WithFileContentID(fmt.Sprintf("<chart%d@report>", i))
		err = errors.Join(err, chartErr, m.EmbedReader(fmt.Sprintf("chart%d.png", i), bytes.NewReader(png), id))
	}
	if err := errors.Join(err, r.workbook(&workbook), m.AttachReader("report.xlsx", &workbook)); err != nil {
		return err
	}
	_, err = m.WriteTo(w)
	return err
}

// Chart returns the counts of a table as bars. It is a PNG, since many mail programs show no SVG, of
// twice the size, for screens with many pixels.
func (t table) Chart() ([]byte, error) {
	var labels []string
	var values []float64
	for _, row := range t.Rows[1:min(len(t.Rows), 9)] { // more would be too narrow
		labels, values = append(labels, row[0].(string)), append(values, float64(row[1].(int)))
	}
	font := charts.NewFontStyleWithSize(16)
	whole := func(v float64) string { return strconv.Itoa(int(v)) }
	opt := charts.NewBarChartOptionWithData([][]float64{values})
	opt.BarSize = 0.6
	opt.CategoryAxis = charts.CategoryAxisOption{Labels: labels, LabelFontStyle: font, LabelCount: len(labels)}
	opt.ValueAxis = []charts.ValueAxisOption{{Min: new(0.0), Show: new(false)}} // the bars have their numbers
	opt.SeriesList[0].Label = charts.SeriesLabel{Show: new(true), FontStyle: font, ValueFormatter: whole}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputPNG, Width: 960, Height: 380})
	if err := p.BarChart(opt); err != nil {
		return nil, err
	}
	return p.Bytes()
}
