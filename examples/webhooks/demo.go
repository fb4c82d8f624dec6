package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo lets the people of an embedded help desk write, and prints what would be posted.
func demo(ctx context.Context, cfg config, out io.Writer) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n", desk.URL)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	messages := make(chan string, 5) // all of them, so that no worker waits if ctx is done
	cfg.addr, cfg.queue, cfg.secret, cfg.desk = "localhost:0", ":memory:", rand.Text(), desk.Client()
	cfg.print = func(text string) { messages <- text }
	return serve(ctx, cfg, func(ctx context.Context, url string) error {
		defer stop()
		fmt.Fprintf(out, "Receiving at %s/webhook/…: each event comes twice\n\n", url)
		for range 2 {
			desk.AddWebhook(supportbeetest.Webhook{URL: url + "/webhook/" + cfg.secret})
		}
		agent := desk.User(supportbeetest.AgentEmail).ID
		kettle := desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle leaks", Text: "My new kettle leaks. Can I get a refund?"})
		desk.AddComment(kettle, agent, "The third leak this week.")
		desk.AddReply(kettle, agent, "A refund is on its way.")
		desk.AddCustomerReply(kettle, "Thank you!")
		desk.AddTicket(supportbeetest.TicketSeed{Subject: "Hello <!channel>", Text: "Whom does this notify?", RequesterName: "Max", RequesterEmail: "max@example.com"})
		for i := range 5 {
			select {
			case text := <-messages:
				fmt.Fprintf(out, "%d. %s\n", i+1, text)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := desk.FlushWebhooks(ctx); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out, "\n%d deliveries, 5 messages\n", len(desk.Deliveries()))
		return err
	})
}
