package supportbeeservice

import (
	"fmt"
	"slices"
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

// UnmarshalText implements [encoding.TextUnmarshaler]. The form is that of MarshalText.
func (h *Hours) UnmarshalText(text []byte) error {
	var from, fromMinute, to, toMinute time.Duration
	_, err := fmt.Sscanf(string(text), "%d:%d-%d:%d", &from, &fromMinute, &to, &toMinute)
	*h = Hours{from*time.Hour + fromMinute*time.Minute, to*time.Hour + toMinute*time.Minute}
	canonical, _ := h.MarshalText()
	if err != nil || string(text) != string(canonical) || h.From < 0 || h.From >= h.To || h.To > 24*time.Hour {
		*h = Hours{}
		return fmt.Errorf("hours: %s is not in the form 09:00-17:00", text)
	}
	return nil
}

// MarshalText implements [encoding.TextMarshaler]. The form is "09:00-17:00".
func (h Hours) MarshalText() ([]byte, error) {
	from, to := h.From/time.Minute, h.To/time.Minute
	return fmt.Appendf(nil, "%02d:%02d-%02d:%02d", from/60, from%60, to/60, to%60), nil
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
