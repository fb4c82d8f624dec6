package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

var colors = []string{"#888888", "#d97706", "#2563eb", "#60a5fa", "#16a34a", "#9333ea"}

const font = `font-family="system-ui, sans-serif" font-size="12" fill="#444"`

// barChart draws for each work a group of bars, one for each contestant.
func barChart(title string, r *results) string {
	const width, left, bar, gap = 960.0, 330.0, 12.0, 16.0
	group := float64(len(r.names))*bar + gap
	height := 70 + group*float64(len(bench.Works))
	const most = 2.0 // in proportion to the yardstick; longer bars are cut and labeled
	scale := (width - left - 70) / most
	var b strings.Builder
	start(&b, width, height, title)
	for i, name := range r.names {
		x := 20 + float64(i)*140
		fmt.Fprintf(&b, `<rect x="%.0f" y="34" width="10" height="10" fill="%s"/><text x="%.0f" y="43" %s>%s</text>`+"\n", x, colors[i], x+15, font, html.EscapeString(name))
	}
	for w, work := range bench.Works {
		y := 60 + group*float64(w)
		fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" text-anchor="end" %s>%s</text>`+"\n", left-8, y+group/2-2, font, html.EscapeString(work.Title))
		for i, name := range r.names {
			ratio := r.ratio(work.Name, name, nanoseconds)
			length := min(ratio, most) * scale
			fmt.Fprintf(&b, `<rect x="%.0f" y="%.1f" width="%.1f" height="%.0f" fill="%s"/><text x="%.1f" y="%.1f" %s>%.2f</text>`+"\n",
				left, y+float64(i)*bar, length, bar-2, colors[i], left+length+4, y+float64(i)*bar+10, strings.Replace(font, "12", "10", 1), ratio)
		}
	}
	fmt.Fprintf(&b, `<line x1="%.1f" y1="54" x2="%.1f" y2="%.0f" stroke="#888" stroke-dasharray="3 3"/>`+"\n</svg>\n", left+scale, left+scale, height-6)
	return b.String()
}

// charts draws how costs grow, small charts in one picture.
func (g growth) charts(j jobs) string {
	var b strings.Builder
	start(&b, 900, 820, "How the SDK's costs grow")
	plot(&b, 20, 50, "ns a ticket, by tickets on a page", g.perTicket)
	plot(&b, 470, 50, "Memory of a walk in MiB, by pages; gray: with what awaits collection", g.walkHeld, g.walkMemory)
	plot(&b, 20, 310, "Calls a second, by goroutines; gray: net/http alone, responses thrown away", g.calls, g.bare)
	plot(&b, 470, 310, "Connections opened, by goroutines", g.connections)
	plot(&b, 20, 570, "Seconds of an export of tickets alone, by tickets", j.byTickets)
	plot(&b, 470, 570, "Seconds of an export of 1,000 tickets, by workers; gray: ideal", j.byWorkers, j.idealByWorkers)
	b.WriteString("</svg>\n")
	return b.String()
}

func start(b *strings.Builder, width, height float64, title string) {
	fmt.Fprintf(b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(b, `<rect width="100%%" height="100%%" fill="white"/><text x="20" y="22" %s font-weight="bold">%s</text>`+"\n", font, html.EscapeString(title))
}

// plot draws points over a logarithmic x axis and a y axis from 0 on.
func plot(b *strings.Builder, x, y float64, title string, points []point, beside ...[]point) {
	const width, height, bottom = 400.0, 170.0, 30.0
	top := 0.0
	for _, p := range slices.Concat(append(beside, points)...) {
		top = max(top, p.y)
	}
	first, last := math.Log(points[0].x), math.Log(points[len(points)-1].x)
	at := func(p point) (float64, float64) {
		return x + 50 + (width-70)*(math.Log(p.x)-first)/(last-first), y + bottom + height*(1-p.y/(top*1.1))
	}
	fmt.Fprintf(b, `<text x="%.0f" y="%.0f" %s>%s</text>`+"\n", x, y+12, font, html.EscapeString(title))
	fmt.Fprintf(b, `<path d="M%.1f %.1fV%.1fH%.1f" fill="none" stroke="#888"/>`+"\n", x+50, y+bottom, y+bottom+height, x+width)
	for _, others := range beside {
		var line []string
		for _, p := range others {
			px, py := at(p)
			line = append(line, fmt.Sprintf("%.1f,%.1f", px, py))
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s"/>`+"\n", strings.Join(line, " "), colors[0])
	}
	var line []string
	for _, p := range points {
		px, py := at(p)
		line = append(line, fmt.Sprintf("%.1f,%.1f", px, py))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/><text x="%.1f" y="%.1f" text-anchor="middle" %s>%.0f</text>`+"\n",
			px, py, colors[1], px, y+bottom+height+14, strings.Replace(font, "12", "10", 1), p.x)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" %s>%s</text>`+"\n", px, py-9, strings.Replace(font, "12", "9", 1), label(p.y))
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(line, " "), colors[1])
}

// label writes a value as short as a place above its point allows.
func label(y float64) string {
	switch {
	case y >= 10_000:
		return fmt.Sprintf("%.0fk", y/1000)
	case y >= 100:
		return fmt.Sprintf("%.0f", y)
	}
	return fmt.Sprintf("%.3g", y)
}
