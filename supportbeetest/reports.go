package supportbeetest

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const secondsPerDay = 24 * 60 * 60

// report sums up values by day, of the tickets that the query selects.
func (c *call) report(report reportKind, value func(daySum) float64) response {
	q := c.query
	since := time.Time{}
	if text := q.Get("since"); text != "" {
		var err error
		if since, err = parseDate(text); err != nil {
			return fail(http.StatusInternalServerError, "Sorry. Something seems to have gone wrong. argument out of range")
		}
	}
	label, user := q.Get("label"), q.Get("user")
	team, _ := strconv.ParseInt(q.Get("team"), 10, 64)
	days := map[int64]daySum{}
	add := func(byUser, byTeam, day int64, s daySum) {
		if (user == "" || user == itoa(byUser)) && (team == 0 || team == byTeam) {
			days[day] = daySum{days[day].n + s.n, days[day].total + s.total}
		}
	}
	if since.IsZero() || since.Unix()%secondsPerDay == 0 {
		for key, s := range c.desk.daily {
			if key.report == report && key.label == label && (since.IsZero() || key.day*secondsPerDay >= since.Unix()) {
				add(key.user, key.team, key.day, s)
			}
		}
	} else { // a part of the first day
		for _, t := range c.desk.Tickets {
			if label != "" && !slices.Contains(t.Labels, label) {
				continue
			}
			c.desk.values(t, func(kind reportKind, byUser int64, at time.Time, n int64) {
				if kind == report && !at.Before(since) {
					add(byUser, t.Team, at.Unix()/secondsPerDay, daySum{1, n})
				}
			})
		}
	}
	points := []object{}
	for _, day := range slices.Sorted(maps.Keys(days)) {
		points = append(points, dataPoint(value(days[day]), time.Unix(day*secondsPerDay, 0)))
	}
	return ok(object{"data_points": points})
}

func count(s daySum) float64 { return float64(s.n) }

func reportTickets(_ *Desk, c *call) response { return c.report(ticketsReport, count) }

func reportReplies(_ *Desk, c *call) response { return c.report(repliesReport, count) }

// reportFirstResponse reports seconds. The service's unit is not known.
func reportFirstResponse(_ *Desk, c *call) response {
	return c.report(responseReport, func(s daySum) float64 { return float64(s.total) / float64(s.n) })
}
