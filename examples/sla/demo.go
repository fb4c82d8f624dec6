package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
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
	friday := time.Date(2026, 11, 6, 15, 30, 0, 0, cfg.open.zone)
	desk.Clock.Set(friday)
	refund := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Text: "Please."})
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle is on fire", Text: "Help!", Labels: []string{"urgent"}})
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Wish list", Text: "A blue kettle.", Answered: true, SnoozedUntil: friday.AddDate(0, 1, 0)})
	for _, step := range []struct {
		day, hour int
		title     string
		options   []supportbee.Option
	}{
		{8, 12, "a weekend has no business hours", nil},
		{9, 10, "the urgent ticket had half an hour left, which is a dry run", []supportbee.Option{dryRun(out)}},
		{9, 10, "with -apply", nil},
		{9, 17, "the refund is late too; the urgent ticket has no second alert", nil},
		{10, 9, "the refund has a response", nil},
		{30, 9, "it is idle; the snoozed ticket and the unanswered one stay", nil},
	} {
		desk.Clock.Set(time.Date(2026, 11, step.day, step.hour, 0, 0, 0, cfg.open.zone))
		if step.day == 10 {
			desk.AddReply(refund, desk.User(supportbeetest.AdminEmail).ID, "It is on its way.")
		}
		fmt.Fprintf(out, "\n%s: %s\n", desk.Clock.Now().Format("Monday 2 January 15:04"), step.title)
		desk.ClearHistory()
		s := newSweeper(desk.Client(step.options...), cfg, prometheus.NewRegistry())
		s.settle = 100 * time.Millisecond
		err := s.run(ctx)
		for _, request := range desk.Requests() {
			if request.Method != http.MethodGet {
				fmt.Fprintln(out, "sent:", request.Method, request.Path)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
