package supportbeeservice_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeeservice"
)

// hours are from one minute of the day to another.
func hours(from, to int) supportbeeservice.Hours {
	return supportbeeservice.Hours{From: time.Duration(from) * time.Minute, To: time.Duration(to) * time.Minute}
}

func TestBusinessHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	honolulu, err := time.LoadLocation("Pacific/Honolulu")
	require.NoError(t, err)
	office := supportbeeservice.BusinessHours{Zone: berlin, Holidays: []string{"2026-12-24", "2026-12-25"}}
	around := supportbeeservice.BusinessHours{Zone: berlin}
	gap := supportbeeservice.BusinessHours{Zone: berlin}
	for day := range around.Week {
		around.Week[day] = hours(0, 24*60)
		gap.Week[day] = hours(1*60+45, 2*60+30)
	}
	for day := time.Monday; day <= time.Friday; day++ {
		office.Week[day] = hours(9*60, 17*60)
	}
	sunday := supportbeeservice.BusinessHours{Zone: berlin}
	sunday.Week[time.Sunday] = hours(9*60, 17*60)
	long := supportbeeservice.BusinessHours{Zone: berlin}
	for day := range long.Week {
		long.Week[day] = hours(0, 23*60+59)
	}
	far := office
	far.Zone = honolulu
	for _, test := range []struct {
		name    string
		hours   supportbeeservice.BusinessHours
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
			assert.Equal(t, test.want, test.hours.After(from, test.elapsed).In(berlin).Format(time.RFC3339))
		})
	}
}

// The hours of a day can end in the hour that is left out. They are then as long as the time zone
// says, but never negative: time goes on.
func TestBusinessHoursNeverGoBack(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for from := 0; from < 240; from += 15 {
		for to := from + 15; to <= 240; to += 15 {
			h := supportbeeservice.BusinessHours{Zone: berlin}
			h.Week[time.Sunday], h.Week[time.Monday] = hours(from, to), hours(9*60, 10*60)
			start := time.Date(2026, 3, 28, 12, 0, 0, 0, berlin)
			last := start
			for d := time.Duration(0); d <= 5*time.Hour; d += 5 * time.Minute {
				at := h.After(start, d)
				require.False(t, at.Before(last), "%d-%d: %v is before %v", from, to, at, last)
				last = at
			}
		}
	}
}

func TestNoBusinessHours(t *testing.T) {
	t.Parallel()
	assert.Zero(t, supportbeeservice.BusinessHours{}.After(time.Now(), time.Hour))
	never := supportbeeservice.BusinessHours{}
	never.Week[time.Monday] = hours(10*60, 9*60)
	assert.Zero(t, never.After(time.Now(), time.Hour))
	inUTC := supportbeeservice.BusinessHours{}
	inUTC.Week[time.Monday] = hours(9*60, 10*60)
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, time.Date(2026, 11, 9, 9, 30, 0, 0, time.UTC), inUTC.After(start, 90*time.Minute))
}

func TestParseBusinessHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	holidays := []string{"2026-12-25"}
	week := map[string]string{"monday": "09:00-17:00", "Tuesday": "00:00-24:00", "SUNDAY": "08:05-08:06"}
	got, err := supportbeeservice.ParseBusinessHours("Europe/Berlin", week, holidays)
	require.NoError(t, err)
	want := supportbeeservice.BusinessHours{Zone: berlin, Holidays: holidays}
	want.Week[time.Monday], want.Week[time.Tuesday], want.Week[time.Sunday] = hours(9*60, 17*60), hours(0, 24*60), hours(8*60+5, 8*60+6)
	assert.Equal(t, want, got)

	for _, tt := range []struct {
		name, zone string
		week       map[string]string
		holidays   []string
		want       string
	}{
		{name: "no zone", week: week, want: `"" is not a time zone such as Europe/Berlin`},
		{name: "an unknown zone", zone: "Europe/Bärlin", week: week, want: `"Europe/Bärlin" is not a time zone such as Europe/Berlin`},
		{name: "no hours", zone: "UTC", want: "hours: no day has hours"},
		{name: "an unknown day", zone: "UTC", week: map[string]string{"mondag": "09:00-17:00"}, want: `hours: "mondag" is not a day such as monday`},
		{name: "an unknown date", zone: "UTC", week: week, holidays: []string{"2026-02-30"}, want: `holidays: "2026-02-30" is not a date such as 2026-12-25`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := supportbeeservice.ParseBusinessHours(tt.zone, tt.week, tt.holidays)
			require.EqualError(t, err, tt.want)
			assert.Zero(t, got)
		})
	}
	for _, text := range []string{"", "9:00-17:00", "08:60-17:00", "09:00-17:00h", "09:00-24:30", "18:00-17:00", "-1:00-17:00", "09:00", "09:00-16:60", "09:00-09:00"} {
		_, err := supportbeeservice.ParseBusinessHours("UTC", map[string]string{"friday": text}, nil)
		require.EqualError(t, err, "hours: \""+text+"\" is not of the form 09:00-17:00")
	}
}
