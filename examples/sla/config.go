package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// config is the content of the configuration file; see sla.yaml.
type config struct {
	TimeZone         string `yaml:"time_zone"`
	Hours            struct{ Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday span }
	Holidays         []string
	Target           time.Duration
	Targets          map[string]time.Duration
	Label            string
	ArchiveAfterDays int `yaml:"archive_after_days"`

	open hours
}

// hours are business hours. There must be a day that has some.
type hours struct {
	zone     *time.Location
	week     [7]span  // by time.Weekday
	holidays []string // dates such as "2026-12-25"
}

// span is a part of a day, in minutes by the clock on the wall; zero if the day is closed.
type span struct{ from, to int }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *span) UnmarshalText(text []byte) error {
	const form = "%02d:%02d-%02d:%02d"
	var from, fromMinute, to, toMinute int
	_, err := fmt.Sscanf(string(text), form, &from, &fromMinute, &to, &toMinute)
	*s = span{from*60 + fromMinute, to*60 + toMinute}
	isCanonical := string(text) == fmt.Sprintf(form, s.from/60, s.from%60, s.to/60, s.to%60)
	if err != nil || !isCanonical || s.from >= s.to || s.to > 24*60 {
		return fmt.Errorf("hours: %s is not in the form 09:00-17:00", text)
	}
	return nil
}

func parseConfig(data []byte) (*config, error) {
	cfg, decoder := new(config), yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(cfg); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(cfg.TimeZone)
	h := cfg.Hours
	cfg.open = hours{zone, [7]span{h.Sunday, h.Monday, h.Tuesday, h.Wednesday, h.Thursday, h.Friday, h.Saturday}, cfg.Holidays}
	switch {
	case err != nil || cfg.TimeZone == "":
		return nil, fmt.Errorf("time_zone: %q is not a time zone such as Europe/Berlin", cfg.TimeZone)
	case cfg.open.week == [7]span{}:
		return nil, errors.New("hours: no day has hours")
	case cfg.Label == "" || cfg.Target < time.Minute || cfg.ArchiveAfterDays < 0:
		return nil, errors.New("label and a target of at least 1m are required, and archive_after_days must not be negative")
	}
	for _, date := range cfg.Holidays {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return nil, fmt.Errorf("holidays: %s is not a date such as 2026-12-25", date)
		}
	}
	return cfg, nil
}

// after returns when d of business time has passed since t. If that is at the end of a day, it is
// not the beginning of the next one.
//
// AddWorkHours of github.com/rickar/cal/v2 (v2.1.13) would skip a day, or never return, around the days
// on which the clocks change.
func (h *hours) after(t time.Time, d time.Duration) time.Time {
	for year, month, day := t.In(h.zone).Date(); ; day++ {
		noon := time.Date(year, month, day, 12, 0, 0, 0, h.zone)
		if slices.Contains(h.holidays, noon.Format(time.DateOnly)) {
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
