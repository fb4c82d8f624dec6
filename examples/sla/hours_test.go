package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	honolulu, err := time.LoadLocation("Pacific/Honolulu")
	require.NoError(t, err)
	office := hours{zone: berlin, holidays: []string{"2026-12-24", "2026-12-25"}}
	around := hours{zone: berlin}
	gap := hours{zone: berlin}
	for day := range around.week {
		around.week[day] = span{0, 24 * 60}
		gap.week[day] = span{1*60 + 45, 2*60 + 30}
	}
	for day := time.Monday; day <= time.Friday; day++ {
		office.week[day] = span{9 * 60, 17 * 60}
	}
	sunday := hours{zone: berlin}
	sunday.week[time.Sunday] = span{9 * 60, 17 * 60}
	long := hours{zone: berlin}
	for day := range long.week {
		long.week[day] = span{0, 23*60 + 59}
	}
	far := office
	far.zone = honolulu
	for _, test := range []struct {
		name    string
		hours   hours
		from    string
		elapsed time.Duration
		want    string
	}{
		{name: "within a day", hours: office, from: "2026-11-02T10:00:00+01:00", elapsed: 2 * time.Hour, want: "2026-11-02T12:00:00+01:00"},
		{name: "from another zone", hours: office, from: "2026-11-02T09:00:00Z", elapsed: 2 * time.Hour, want: "2026-11-02T12:00:00+01:00"},
		{name: "before opening", hours: office, from: "2026-11-02T04:00:00+01:00", elapsed: time.Hour, want: "2026-11-02T10:00:00+01:00"},
		{name: "at opening", hours: office, from: "2026-11-02T09:00:00+01:00", elapsed: time.Hour, want: "2026-11-02T10:00:00+01:00"},
		{name: "until closing", hours: office, from: "2026-11-02T09:00:00+01:00", elapsed: 8 * time.Hour, want: "2026-11-02T17:00:00+01:00"},
		{name: "over a night", hours: office, from: "2026-11-02T16:30:00+01:00", elapsed: time.Hour, want: "2026-11-03T09:30:00+01:00"},
		{name: "at closing", hours: office, from: "2026-11-02T17:00:00+01:00", elapsed: time.Second, want: "2026-11-03T09:00:01+01:00"},
		{name: "at night", hours: office, from: "2026-11-02T23:30:00+01:00", elapsed: time.Hour, want: "2026-11-03T10:00:00+01:00"},
		{name: "after midnight here, before it in UTC", hours: office, from: "2026-11-08T23:30:00Z", elapsed: time.Hour, want: "2026-11-09T10:00:00+01:00"},
		{name: "before midnight here, after it in UTC", hours: far, from: "2026-11-07T02:00:00Z", elapsed: time.Hour, want: "2026-11-07T04:00:00+01:00"},
		{name: "over a weekend", hours: office, from: "2026-11-06T16:30:00+01:00", elapsed: 8 * time.Hour, want: "2026-11-09T16:30:00+01:00"},
		{name: "on a weekend", hours: office, from: "2026-11-07T12:00:00+01:00", elapsed: time.Hour, want: "2026-11-09T10:00:00+01:00"},
		{name: "over holidays and a weekend", hours: office, from: "2026-12-23T16:00:00+01:00", elapsed: 2 * time.Hour, want: "2026-12-28T10:00:00+01:00"},
		{name: "on a holiday", hours: office, from: "2026-12-25T12:00:00+01:00", elapsed: time.Hour, want: "2026-12-28T10:00:00+01:00"},
		{name: "two weeks", hours: office, from: "2026-11-02T09:00:00+01:00", elapsed: 80 * time.Hour, want: "2026-11-13T17:00:00+01:00"},
		{name: "over the end of a year", hours: office, from: "2026-12-31T16:00:00+01:00", elapsed: 2 * time.Hour, want: "2027-01-01T10:00:00+01:00"},
		{name: "over the weekend on which summer time begins", hours: office, from: "2026-03-27T16:00:00+01:00", elapsed: 2 * time.Hour, want: "2026-03-30T10:00:00+02:00"},
		{name: "over the weekend on which summer time ends", hours: office, from: "2026-10-23T16:00:00+02:00", elapsed: 2 * time.Hour, want: "2026-10-26T10:00:00+01:00"},
		{name: "a day of 23 hours", hours: around, from: "2026-03-29T00:00:00+01:00", elapsed: 24 * time.Hour, want: "2026-03-30T01:00:00+02:00"},
		{name: "a day of 25 hours", hours: around, from: "2026-10-25T00:00:00+02:00", elapsed: 24 * time.Hour, want: "2026-10-25T23:00:00+01:00"},
		{name: "hours on the day on which summer time begins", hours: sunday, from: "2026-03-28T12:00:00+01:00", elapsed: time.Hour, want: "2026-03-29T10:00:00+02:00"},
		{name: "hours on the day on which summer time ends", hours: sunday, from: "2026-10-24T12:00:00+02:00", elapsed: time.Hour, want: "2026-10-25T10:00:00+01:00"},
		{name: "until closing on the day on which summer time begins", hours: sunday, from: "2026-03-29T12:00:00+02:00", elapsed: 5*time.Hour + time.Second, want: "2026-04-05T09:00:01+02:00"},
		{name: "until closing on the day on which summer time ends", hours: sunday, from: "2026-10-25T12:00:00+01:00", elapsed: 5*time.Hour + time.Second, want: "2026-11-01T09:00:01+01:00"},
		{name: "over a late closing into the day on which summer time begins", hours: long, from: "2026-03-28T23:00:00+01:00", elapsed: 10 * time.Hour, want: "2026-03-29T10:01:00+02:00"},
		{name: "over the day on which summer time ends", hours: long, from: "2026-10-25T00:00:00+02:00", elapsed: 25 * time.Hour, want: "2026-10-26T00:01:00+01:00"},
		{name: "the end of the hour that comes twice", hours: gap, from: "2026-10-25T01:45:00+02:00", elapsed: 45 * time.Minute, want: "2026-10-25T02:30:00+02:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from, err := time.Parse(time.RFC3339, test.from)
			require.NoError(t, err)
			assert.Equal(t, test.want, test.hours.after(from, test.elapsed).In(berlin).Format(time.RFC3339))
		})
	}
}

// The hours of a day can end in the hour that is left out. They are then as long as the time zone
// says, but never negative: time goes on.
func TestAfterNeverGoesBack(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for from := 0; from < 240; from += 15 {
		for to := from + 15; to <= 240; to += 15 {
			h := hours{zone: berlin}
			h.week[time.Sunday], h.week[time.Monday] = span{from, to}, span{9 * 60, 10 * 60}
			start := time.Date(2026, 3, 28, 12, 0, 0, 0, berlin)
			last := start
			for d := time.Duration(0); d <= 5*time.Hour; d += 5 * time.Minute {
				at := h.after(start, d)
				require.False(t, at.Before(last), "%d-%d: %v is before %v", from, to, at, last)
				last = at
			}
		}
	}
}

func TestExampleConfig(t *testing.T) {
	t.Parallel()
	cfg, err := parseConfig(exampleConfig)

	require.NoError(t, err)
	office := span{9 * 60, 17 * 60}
	holidays := []string{"2026-12-24", "2026-12-25", "2026-12-31", "2027-01-01"}
	want := &config{
		TimeZone: "Europe/Berlin", Hours: cfg.Hours, Holidays: holidays,
		Target: 8 * time.Hour, Targets: map[string]time.Duration{"urgent": time.Hour}, Label: "overdue", ArchiveAfterDays: 14,
		open: hours{zone: cfg.open.zone, week: [7]span{{}, office, office, office, office, {9 * 60, 16 * 60}, {}}, holidays: holidays},
	}
	assert.Equal(t, want, cfg)
	assert.Equal(t, "Europe/Berlin", cfg.open.zone.String())
}

func TestParseConfigRejects(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, changed, want string }{
		{name: "an unknown key", old: "target: 8h", changed: "target: 8h\ntagret: 9h", want: "tagret"},
		{name: "a repeated key", old: "target: 8h", changed: "target: 8h\ntarget: 9h", want: "already"},
		{name: "an unknown zone", old: "Europe/Berlin", changed: "Europe/Bärlin", want: "time_zone"},
		{name: "no zone", old: "time_zone: Europe/Berlin", changed: "", want: "time_zone"},
		{name: "an unknown day", old: "monday:", changed: "mondag:", want: "mondag"},
		{name: "a time that is not", old: "monday: 09:00", changed: "monday: 9:00", want: "hours: 9:00-17:00"},
		{name: "a minute that is not", old: "monday: 09:00", changed: "monday: 08:60", want: "hours: 08:60-17:00"},
		{name: "more than hours", old: "monday: 09:00-17:00", changed: "monday: 09:00-17:00h", want: "hours: 09:00-17:00h"},
		{name: "hours after midnight", old: "monday: 09:00-17:00", changed: "monday: 09:00-24:30", want: "hours: 09:00-24:30"},
		{name: "hours that end before they begin", old: "monday: 09:00", changed: "monday: 18:00", want: "hours: 18:00-17:00"},
		{name: "a date that is not", old: "2026-12-24", changed: "2026-02-30", want: "2026-02-30"},
		{name: "a target without a unit", old: "target: 8h", changed: "target: 8", want: "time.Duration"},
		{name: "a short target", old: "target: 8h", changed: "target: 8s", want: "1m"},
		{name: "no target", old: "target: 8h", changed: "", want: "1m"},
		{name: "no label", old: "label: overdue", changed: "", want: "label"},
		{name: "negative days", old: "days: 14", changed: "days: -1", want: "archive_after_days"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(string(exampleConfig), test.old, test.changed, 1)
			require.NotEqual(t, string(exampleConfig), text)
			cfg, err := parseConfig([]byte(text))
			assert.ErrorContains(t, err, test.want)
			assert.Nil(t, cfg)
		})
	}
	_, err := parseConfig([]byte("time_zone: UTC\ntarget: 8h\nlabel: overdue\n"))
	assert.EqualError(t, err, "hours: no day has hours")
	_, err = parseConfig(nil)
	assert.Error(t, err)
}
