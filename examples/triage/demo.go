package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

//go:embed rules.yaml
var demoRules []byte

// prepare gives a desk what the rules name.
func prepare(desk *supportbeetest.Desk) {
	for _, name := range []string{"invoice", "vip", "triaged"} {
		desk.AddLabel(name, "#336699")
	}
}

// demo handles the tickets of an embedded help desk, some requests of which fail.
func demo(ctx context.Context, out io.Writer) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	prepare(desk)
	rules, err := parseRules(demoRules)
	if err != nil {
		return err
	}
	b := &bot{client: desk.Client(), rules: rules, settle: time.Second}
	if err := rules.resolve(ctx, b.client); err != nil {
		return err
	}
	lost := desk.Inject(supportbeetest.Match{Op: "Replies.Create", Times: 2}, supportbeetest.AfterHandling(supportbeetest.Drop()))
	start := desk.Clock.Now()
	var ids []supportbee.TicketID
	for _, seed := range []supportbeetest.TicketSeed{
		{Subject: "Refund", Text: "Can I have my money back?", RequesterName: "Ann Archer", RequesterEmail: "ann@example.com"},
		{Subject: "Invoice 4711 is wrong", RequesterName: "Bea Brown", RequesterEmail: "bea@example.com"},
		{Subject: "Our new contract", RequesterName: "Carl Cole", RequesterEmail: "carl@bigshop.example"},
		{Subject: "Hello", RequesterName: "Dora Dean", RequesterEmail: "dora@example.com"},
	} {
		ids = append(ids, desk.AddTicket(seed))
	}
	if err := supportbeeservice.HandleTickets(ctx, b.client, supportbeeservice.TicketOptions{Watch: supportbee.WatchOptions{
		Since: start, MinInterval: 200 * time.Millisecond, UntilCurrent: true,
	}}, b.handle); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "ticket\tlabels\tassigned to\treplies")
	for _, id := range ids {
		t := desk.Ticket(id)
		var labels, assignee string
		for _, l := range t.Labels {
			labels += l.Name + " "
		}
		if t.AssignedTeam != nil {
			assignee = t.AssignedTeam.Name
		}
		if t.AssignedUser != nil {
			assignee = t.AssignedUser.Name
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\n", t.Subject, labels, assignee, len(desk.Replies(id)))
	}
	fmt.Fprintf(table, "\nThe responses to %d replies were lost.\n", lost.Hits())
	return table.Flush()
}
