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

// demo reports on an embedded help desk, which has had more tickets since two weeks before the week.
func demo(ctx context.Context, j job) error {
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(j.out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	first, err := firstDay(j.week, j.now)
	if err != nil {
		return err
	}
	for i, label := range []string{"billing", "bug", "delivery", "feature", "refund"} {
		desk.AddLabel(label, fmt.Sprintf("#%02X88CC", 40*i))
	}
	labels := [][]string{nil, {"billing"}, {"billing", "refund"}, {"bug"}, {"bug"}, {"bug", "feature"}, {"delivery"}, {"delivery"}, {"delivery"}, {"feature"}}
	support := desk.AddTeam("Support")
	teams := []supportbee.TeamID{0, desk.AddTeam("Billing"), desk.AddTeam("Logistics"), support, support}
	agent := desk.User(supportbeetest.AdminEmail).ID
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // not a secret
	for day := first.AddDate(0, 0, -14); day.Before(j.now); day = day.AddDate(0, 0, 1) {
		for range 15 + random.IntN(11) {
			at := day.Add(8*time.Hour + time.Duration(random.IntN(36000))*time.Second)
			if at.After(j.now) {
				continue
			}
			response := at.Add(time.Duration(95 * math.Exp(1.1*random.NormFloat64()) * float64(time.Minute)))
			responded := random.IntN(12) > 0 && response.Before(j.now)
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
