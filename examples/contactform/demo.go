package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo fills in the form of an embedded help desk that is down at first, and then loses a response.
// If there is an address, it goes on until ctx is done, for a browser.
func demo(ctx context.Context, out io.Writer, address string) error {
	desk, err := supportbeetest.Start(supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	desk.Inject(supportbeetest.Match{Times: 4}, supportbeetest.HTMLPage(http.StatusBadGateway))
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
	s, err := newSender(":memory:", desk.Client(), queueOptions)
	if err != nil {
		return err
	}
	s.settle = time.Second

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	service := supportbeeservice.New(ctx)
	if url, _ := serve(service, s, cmp.Or(address, "localhost:0"), ""); url != "" {
		fmt.Fprintf(out, "The form is at %s/\n", url)
		service.Go(func(ctx context.Context) error {
			if address == "" {
				defer stop()
			}
			for _, text := range []string{"My kettle leaks.", "Where is my parcel?"} {
				fields := map[string]string{"id": rand.Text(), "name": "Ann Archer", "email": "ann@example.com", "text": text}
				res, err := resty.New().R().SetContext(ctx).SetMultipartFormData(fields).Post(url + "/")
				if err != nil {
					return err
				} else if res.IsError() {
					return fmt.Errorf("the form was not accepted: %s", res.Status())
				}
			}
			waiting, _, err := s.queue.Count(ctx)
			fmt.Fprintf(out, "2 messages sent while the help desk was down: %d in the queue\n", waiting)
			if err != nil {
				return err
			}
			if err := desk.Wait(ctx, func() bool { return len(desk.Outbox()) == 2 }); err != nil {
				return err
			}
			for _, mail := range desk.Outbox() {
				fmt.Fprintf(out, "ticket #%d, mail to %s: %s\n", mail.TicketID, mail.To, mail.Text)
			}
			return nil
		})
	}
	return errors.Join(service.Wait(), s.queue.Close())
}
