package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func TestExampleConfig(t *testing.T) {
	t.Parallel()
	cfg, err := parseConfig(exampleConfig)

	require.NoError(t, err)
	day := func(from, to time.Duration) supportbeeservice.Hours {
		return supportbeeservice.Hours{From: from * time.Hour, To: to * time.Hour}
	}
	office := day(9, 17)
	holidays := []string{"2026-12-24", "2026-12-25", "2026-12-31", "2027-01-01"}
	want := &config{
		TimeZone: "Europe/Berlin", Holidays: holidays,
		Hours: map[string]string{
			"monday": "09:00-17:00", "tuesday": "09:00-17:00", "wednesday": "09:00-17:00", "thursday": "09:00-17:00", "friday": "09:00-16:00",
		},
		Target: 8 * time.Hour, Targets: map[string]time.Duration{"urgent": time.Hour}, Label: "overdue", ArchiveAfterDays: 14,
		open: supportbeeservice.BusinessHours{
			Zone: cfg.open.Zone, Week: [7]supportbeeservice.Hours{{}, office, office, office, office, day(9, 16), {}}, Holidays: holidays,
		},
	}
	assert.Equal(t, want, cfg)
	assert.Equal(t, "Europe/Berlin", cfg.open.Zone.String())
}

func TestParseConfigRejects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, changed, want string }{
		{name: "an unknown key", old: "target: 8h", changed: "target: 8h\ntagret: 9h", want: "tagret"},
		{name: "a repeated key", old: "target: 8h", changed: "target: 8h\ntarget: 9h", want: "already"},
		{name: "an unknown zone", old: "Europe/Berlin", changed: "Europe/Bärlin", want: "not a time zone"},
		{name: "an unknown day", old: "monday:", changed: "mondag:", want: "mondag"},
		{name: "a repeated day", old: "monday:", changed: "tuesday:", want: "already"},
		{name: "a time that is not", old: "monday: 09:00", changed: "monday: 9:00", want: `hours: "9:00-17:00"`},
		{name: "a date that is not", old: "2026-12-24", changed: "2026-02-30", want: "2026-02-30"},
		{name: "a target without a unit", old: "target: 8h", changed: "target: 8", want: "time.Duration"},
		{name: "a short target", old: "target: 8h", changed: "target: 8s", want: "1m"},
		{name: "no target", old: "target: 8h", changed: "", want: "1m"},
		{name: "a short target of a label", old: "urgent: 1h", changed: "urgent: 59s", want: "all targets must be at least 1m"},
		{name: "no target of a label", old: "urgent: 1h", changed: "urgent: 0s", want: "all targets must be at least 1m"},
		{name: "a negative target of a label", old: "urgent: 1h", changed: "urgent: -1h", want: "all targets must be at least 1m"},
		{name: "no label", old: "label: overdue", changed: "", want: "label"},
		{name: "negative days", old: "days: 14", changed: "days: -1", want: "archive_after_days"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(string(exampleConfig), test.old, test.changed, 1)
			require.NotEqual(t, string(exampleConfig), text)
			_, err := parseConfig([]byte(text))
			assert.ErrorContains(t, err, test.want)
		})
	}
	_, err := parseConfig([]byte("time_zone: UTC\ntarget: 8h\nlabel: overdue\n"))
	assert.EqualError(t, err, "hours: no day has hours")
	for _, text := range []string{"", "# only a comment\n"} {
		_, err = parseConfig([]byte(text))
		assert.EqualError(t, err, "the file is empty")
	}
}
