package main

import "time"

// hours are business hours. There must be a day that has some.
type hours struct {
	zone     *time.Location
	week     [7]span         // by time.Weekday
	holidays map[string]bool // dates such as "2026-12-25"
}

// span is a part of a day, in minutes by the clock on the wall; zero if the day is closed.
type span struct{ from, to int }

// after returns when d of business time has passed since t. If that is at the end of a day, it is
// not the beginning of the next one.
func (h *hours) after(t time.Time, d time.Duration) time.Time {
	for year, month, day := t.In(h.zone).Date(); ; day++ {
		noon := time.Date(year, month, day, 12, 0, 0, 0, h.zone)
		if h.holidays[noon.Format(time.DateOnly)] {
			continue
		}
		// Not a sum of durations: the days on which the clocks change have 23 or 25 hours.
		s := h.week[noon.Weekday()]
		from, to := time.Date(year, month, day, 0, s.from, 0, 0, h.zone), time.Date(year, month, day, 0, s.to, 0, 0, h.zone)
		if from.Before(t) {
			from = t
		}
		switch open := to.Sub(from); {
		case open <= 0: // closed or over
		case d <= open:
			return from.Add(d)
		default:
			d -= open
		}
	}
}
