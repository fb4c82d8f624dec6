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

// demo reports on an embedded help desk, which has had tickets since two weeks before the week.
func demo(ctx context.Context, j job) error {
	first, err := firstDay(j.week, j.now)
	if err != nil {
		return err
	}
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(j.out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	for _, label := range []string{"billing", "bug", "delivery", "refund"} {
		desk.AddLabel(label, "#3388CC")
	}
	labels := [][]string{nil, {"billing"}, {"billing", "refund"}, {"bug"}, {"bug"}, {"delivery"}, {"delivery"}, {"delivery"}}
	teams := []supportbee.TeamID{0, desk.AddTeam("Billing"), desk.AddTeam("Logistics"), desk.AddTeam("Support")}
	agent := desk.User(supportbeetest.AdminEmail).ID
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // not a secret
	for at := first.AddDate(0, 0, -14); at.Before(j.now); at = at.Add(time.Duration(random.IntN(140)) * time.Minute) {
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
	desk.Clock.Set(j.now)
	j.client = desk.Client()
	return j.run(ctx)
}
