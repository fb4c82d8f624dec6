package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee/supportbeeservice"
)

// config is the content of the configuration file; see sla.yaml.
type config struct {
	TimeZone         string `yaml:"time_zone"`
	Hours            map[string]string
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
	if err := decoder.Decode(cfg); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	} else if err != nil {
		return nil, err
	}
	shortest := slices.Min(slices.AppendSeq([]time.Duration{cfg.Target}, maps.Values(cfg.Targets)))
	if cfg.Label == "" || shortest < time.Minute || cfg.ArchiveAfterDays < 0 {
		return nil, errors.New("label and target are required, all targets must be at least 1m, and archive_after_days must not be negative")
	}
	var err error
	cfg.open, err = supportbeeservice.ParseBusinessHours(cfg.TimeZone, cfg.Hours, cfg.Holidays)
	return cfg, err
}
