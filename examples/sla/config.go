package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// config is the content of the configuration file; see sla.yaml.
type config struct {
	TimeZone         string                   `yaml:"time_zone"`
	Hours            map[string]string        `yaml:"hours"`
	Holidays         []string                 `yaml:"holidays"`
	Target           time.Duration            `yaml:"target"`
	Targets          map[string]time.Duration `yaml:"targets"`
	Label            string                   `yaml:"label"`
	ArchiveAfterDays int                      `yaml:"archive_after_days"`
	open             hours
}

var hoursForm = regexp.MustCompile(`^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$`)

func parseConfig(data []byte) (*config, error) {
	cfg, decoder := new(config), yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(cfg); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(cfg.TimeZone)
	switch {
	case !errors.Is(decoder.Decode(new(any)), io.EOF):
		return nil, errors.New("there is more than one document")
	case err != nil || cfg.TimeZone == "":
		return nil, fmt.Errorf("time_zone: %q is not a time zone such as Europe/Berlin", cfg.TimeZone)
	case len(cfg.Hours) == 0:
		return nil, errors.New("hours: no day has hours")
	case cfg.Label == "" || cfg.Target < time.Minute || cfg.ArchiveAfterDays < 0:
		return nil, errors.New("label and a target of at least 1m are required, and archive_after_days must not be negative")
	}
	cfg.open = hours{zone: zone, holidays: make(map[string]bool)}
	for name, text := range cfg.Hours {
		day := slices.IndexFunc([]time.Weekday{0, 1, 2, 3, 4, 5, 6}, func(d time.Weekday) bool { return strings.ToLower(d.String()) == name })
		var at [4]int
		for i, digits := range hoursForm.FindStringSubmatch(text) {
			at[max(i-1, 0)], _ = strconv.Atoi(digits) // the first match is the whole
		}
		s := span{at[0]*60 + at[1], at[2]*60 + at[3]}
		if day < 0 || s.to <= s.from || s.to > 24*60 {
			return nil, fmt.Errorf("hours: %s: %s is not in the form monday: 09:00-17:00", name, text)
		}
		cfg.open.week[day] = s
	}
	for _, date := range cfg.Holidays {
		if _, err := time.Parse(time.DateOnly, date); err != nil {
			return nil, fmt.Errorf("holidays: %s is not a date such as 2026-12-25", date)
		}
		cfg.open.holidays[date] = true
	}
	for label, target := range cfg.Targets {
		if target < time.Minute {
			return nil, fmt.Errorf("targets: %s: must be at least 1m", label)
		}
	}
	return cfg, nil
}
