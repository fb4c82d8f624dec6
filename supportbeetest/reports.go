package supportbeetest

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// report sums up values by day, of the tickets that the query selects.
func (c *call) report(collect func(t *ticket, add func(at time.Time, value float64)), sum func([]float64) float64) response {
	q := c.query
	since := time.Time{}
	if text := q.Get("since"); text != "" {
		var err error
		if since, err = parseDate(text); err != nil {
			return fail(http.StatusInternalServerError, "Sorry. Something seems to have gone wrong. argument out of range")
		}
	}
	teamID, _ := strconv.ParseInt(q.Get("team"), 10, 64)
	days := map[time.Time][]float64{}
	for _, t := range c.desk.byCreation.tickets {
		if label := q.Get("label"); label != "" && !slices.Contains(t.Labels, label) || teamID != 0 && t.Team != teamID {
			continue
		}
		collect(t, func(at time.Time, value float64) {
			if !at.Before(since) {
				day := at.UTC().Truncate(24 * time.Hour)
				days[day] = append(days[day], value)
			}
		})
	}
	sorted := make([]time.Time, 0, len(days))
	for day := range days {
		sorted = append(sorted, day)
	}
	slices.SortFunc(sorted, time.Time.Compare)
	points := []object{}
	for _, day := range sorted {
		points = append(points, dataPoint(sum(days[day]), day))
	}
	return ok(object{"data_points": points})
}

// byUser reports whether the query selects the user.
func (c *call) byUser(id int64) bool {
	wanted := c.query.Get("user")
	return wanted == "" || wanted == itoa(id)
}

func count(values []float64) float64 { return float64(len(values)) }

func reportTickets(s *Desk, c *call) response {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		if c.byUser(t.User) {
			add(t.CreatedAt, 1)
		}
	}, count)
}

func reportReplies(s *Desk, c *call) response {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		for _, p := range t.Replies {
			if c.desk.Users[p.Author].agent() && c.byUser(p.Author) {
				add(p.CreatedAt, 1)
			}
		}
	}, count)
}

// reportFirstResponse reports seconds. The service's unit is not known.
func reportFirstResponse(s *Desk, c *call) response {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		for _, p := range t.Replies {
			if c.desk.Users[p.Author].agent() {
				if c.byUser(p.Author) {
					add(p.CreatedAt, p.CreatedAt.Sub(t.CreatedAt).Seconds())
				}
				return
			}
		}
	}, func(values []float64) float64 {
		total := 0.0
		for _, v := range values {
			total += v
		}
		return total / count(values)
	})
}
