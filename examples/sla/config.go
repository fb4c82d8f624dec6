package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee/supportbeeservice"
)

// config is the content of the configuration file; see sla.yaml.
type config struct {
	TimeZone         string `yaml:"time_zone"`
	Hours            struct{ Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday supportbeeservice.Hours }
	Holidays         []string
	Target           time.Duration
	Targets          map[string]time.Duration
	Label            string
	ArchiveAfterDays int `yaml:"archive_after_days"`

	open supportbeeservice.BusinessHours
}

func parseConfig(data []byte) (*config, error) {
	cfg, decoder := new(config), yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(cfg); err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(cfg.TimeZone)
	h := cfg.Hours
	cfg.open = supportbeeservice.BusinessHours{Zone: zone, Holidays: cfg.Holidays, Week: [7]supportbeeservice.Hours{
		h.Sunday, h.Monday, h.Tuesday, h.Wednesday, h.Thursday, h.Friday, h.Saturday,
	}}
	switch {
	case err != nil || cfg.TimeZone == "":
		return nil, fmt.Errorf("time_zone: %q is not a time zone such as Europe/Berlin", cfg.TimeZone)
	case cfg.open.Week == [7]supportbeeservice.Hours{}:
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
