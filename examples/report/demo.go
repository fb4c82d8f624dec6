package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo reports on an embedded help desk of a company with customers in its own time zone.
func demo(ctx context.Context, j job) error {
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(j.out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	week, err := parseWeek(j.week, j.now)
	if err != nil {
		return err
	}
	for i, label := range []string{"billing", "bug", "delivery", "feature", "refund"} {
		desk.AddLabel(label, fmt.Sprintf("#%02X88CC", 40*i))
	}
	support := desk.AddTeam("Support")
	teams := []supportbee.TeamID{0, desk.AddTeam("Billing"), desk.AddTeam("Logistics"), support, support}
	play(desk, span{from: week.from.AddDate(0, 0, -28), to: week.from.AddDate(0, 0, -7)}, j.now, 0.3, teams)
	play(desk, span{from: week.from.AddDate(0, 0, -7), to: week.from}, j.now, 0.9, teams)
	play(desk, week, j.now, 1, teams)
	play(desk, span{from: week.to, to: j.now}, j.now, 1, teams)
	desk.Clock.Set(j.now)
	j.client = desk.Client(supportbee.WithDryRun(nil)) // a report only reads
	if err := j.run(ctx); err != nil {
		return err
	}
	if j.html+j.xlsx+j.eml == "" {
		fmt.Fprintln(j.out, "\nNext: -html report.html -xlsx report.xlsx, or -eml report.eml -from a@example.com -to b@example.com")
	}
	return nil
}

// play adds the tickets of a time, most of them on working days at about 10 or 15 o'clock, and the
// first responses to most of them.
func play(desk *supportbeetest.Desk, during span, now time.Time, share float64, teams []supportbee.TeamID) {
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // not a secret
	labels := [][]string{nil, {"billing"}, {"billing", "refund"}, {"bug"}, {"bug"}, {"bug", "feature"}, {"delivery"}, {"delivery"}, {"delivery"}, {"feature"}}
	agent := desk.User(supportbeetest.AdminEmail).ID
	for day := during.from; day.Before(during.to); day = day.AddDate(0, 0, 1) {
		n := 19 + random.IntN(11)
		if day.Weekday() == time.Monday {
			n += 9
		} else if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
			n = 5 + random.IntN(4)
		}
		for range int(share * float64(n)) {
			hour := 10 + 2.2*random.NormFloat64()
			if random.IntN(5) < 2 {
				hour = 15 + 2*random.NormFloat64()
			}
			at := day.Add(time.Duration(math.Min(math.Max(hour, 0), 23.9) * float64(time.Hour))).Truncate(time.Second)
			response := at.Add(time.Duration(math.Exp(math.Log(95)+1.1*random.NormFloat64()) * float64(time.Minute)))
			responded := random.IntN(12) > 0 && response.Before(now)
			if at.After(now) {
				continue
			}
			ticket := desk.AddTicket(supportbeetest.TicketSeed{
				Subject: "Kettle", Text: "Hello", CreatedAt: at, Archived: responded && random.IntN(14) > 0,
				Labels: labels[random.IntN(len(labels))], AssignedTeamID: teams[random.IntN(len(teams))],
			})
			if responded {
				desk.Clock.Set(response)
				desk.AddReply(ticket, agent, "It is on its way.")
			}
		}
	}
}
