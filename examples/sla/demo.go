package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

//go:embed sla.yaml
var exampleConfig []byte

// demo plays three weeks of an embedded help desk.
func demo(ctx context.Context, out io.Writer) error {
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n", desk.URL)
	cfg, err := parseConfig(exampleConfig)
	if err != nil {
		return err
	}
	desk.AddLabel("urgent", "#FF8800")
	desk.AddLabel(cfg.Label, "#FF0000")
	desk.Clock.Set(time.Date(2026, 11, 6, 15, 30, 0, 0, cfg.open.Zone)) // a Friday
	refund := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Text: "Please."})
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle is on fire", Text: "Help!", Labels: []string{"urgent"}})
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Wish list", Answered: true, SnoozedUntil: desk.Clock.Now().AddDate(0, 1, 0)})
	for _, step := range []struct {
		day, hour int
		dryRun    bool
		title     string
	}{
		{8, 12, false, "a weekend has no business hours"},
		{9, 10, true, "the urgent ticket had half an hour left, which is a dry run"},
		{9, 10, false, "with -apply"},
		{9, 17, false, "the refund is late too; the urgent ticket has no second alert"},
		{10, 9, false, "the refund has a response"},
		{30, 9, false, "it is idle; the snoozed ticket and the unanswered one stay"},
	} {
		desk.Clock.Set(time.Date(2026, 11, step.day, step.hour, 0, 0, 0, cfg.open.Zone))
		fmt.Fprintf(out, "\n%s: %s\n", desk.Clock.Now().Format("Monday 2 January 15:04"), step.title)
		if step.day == 10 {
			desk.AddReply(refund, desk.User(supportbeetest.AdminEmail).ID, "It is on its way.")
		}
		s := newSweeper(desk.Client(), cfg)
		s.settle = 100 * time.Millisecond
		if step.dryRun {
			s.onlyPrint(out)
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		for _, request := range desk.Requests() {
			if request.Method != http.MethodGet {
				fmt.Fprintln(out, "sent:", request.Method, request.Path)
			}
		}
		desk.ClearHistory()
	}
	return nil
}
