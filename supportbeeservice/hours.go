package supportbeeservice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// BusinessHours are the times at which the people of a help desk work. The zero value has none.
type BusinessHours struct {
	Zone     *time.Location // of the hours and holidays; nil is UTC
	Week     [7]Hours       // by [time.Weekday]
	Holidays []string       // dates without hours, such as "2026-12-25"
}

// Hours are a part of a day, by the clock on the wall. A day without hours has the zero value.
type Hours struct {
	From, To time.Duration // since midnight, in minutes; To is at most 24 hours
}

// ParseBusinessHours returns the business hours of a configuration file: a time zone such as
// "Europe/Berlin", the hours of days, such as "09:00-17:00" for "monday", and dates without hours, such
// as "2026-12-25". It is an error if no day has hours.
func ParseBusinessHours(zone string, week map[string]string, holidays []string) (BusinessHours, error) {
	h := BusinessHours{Holidays: holidays}
	var err error
	if h.Zone, err = time.LoadLocation(zone); err != nil || zone == "" {
		return BusinessHours{}, fmt.Errorf("%q is not a time zone such as Europe/Berlin", zone)
	}
	for name, text := range week {
		day := time.Sunday
		for ; day <= time.Saturday && !strings.EqualFold(name, day.String()); day++ {
		}
		if day > time.Saturday {
			return BusinessHours{}, fmt.Errorf("hours: %q is not a day such as monday", name)
		}
		if h.Week[day], err = parseHours(text); err != nil {
			return BusinessHours{}, err
		}
	}
	if h.Week == [7]Hours{} {
		return BusinessHours{}, errors.New("hours: no day has hours")
	}
	for _, date := range holidays {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return BusinessHours{}, fmt.Errorf("holidays: %q is not a date such as 2026-12-25", date)
		}
	}
	return h, nil
}

func parseHours(text string) (Hours, error) {
	var from, fromMinute, to, toMinute int
	_, err := fmt.Sscanf(text, "%d:%d-%d:%d", &from, &fromMinute, &to, &toMinute)
	canonical := fmt.Sprintf("%02d:%02d-%02d:%02d", from, fromMinute, to, toMinute)
	start, end := 60*from+fromMinute, 60*to+toMinute
	if err != nil || text != canonical || max(fromMinute, toMinute) >= 60 || start < 0 || start >= end || end > 24*60 {
		return Hours{}, fmt.Errorf("hours: %q is not of the form 09:00-17:00", text)
	}
	return Hours{time.Duration(start) * time.Minute, time.Duration(end) * time.Minute}, nil
}

// After returns when d of business time has passed since t, in the time zone of h. If that is at the
// end of a day, it is not the beginning of the next one. It returns the zero time if no day has hours.
//
// On a day on which the clocks change, hours have the duration that they then have.
func (h BusinessHours) After(t time.Time, d time.Duration) time.Time {
	if !slices.ContainsFunc(h.Week[:], func(hours Hours) bool { return hours.From < hours.To }) {
		return time.Time{}
	}
	zone := h.Zone
	if zone == nil {
		zone = time.UTC
	}
	// AddWorkHours of github.com/rickar/cal/v2 (v2.1.13) would skip a day, or never return, around the
	// days on which the clocks change.
	for year, month, day := t.In(zone).Date(); ; day++ {
		// Not sums of durations: the days on which the clocks change have 23 or 25 hours.
		clock := func(d time.Duration) time.Time {
			return time.Date(year, month, day, 0, int(d/time.Minute), 0, 0, zone)
		}
		noon := clock(12 * time.Hour)
		if slices.Contains(h.Holidays, noon.Format(time.DateOnly)) {
			continue
		}
		hours := h.Week[noon.Weekday()]
		from, to := clock(hours.From), clock(hours.To)
		if from.Before(t) {
			from = t.In(zone)
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
