package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

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
	q, err := openQueue(":memory:", desk.Client())
	if err != nil {
		return err
	}
	q.settle = time.Second

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	service := supportbeeservice.New(ctx)
	if url, _ := serve(service, q, cmp.Or(address, "localhost:0"), ""); url != "" {
		fmt.Fprintf(out, "The form is at %s/\n", url)
		service.Go(func(ctx context.Context) error {
			if address == "" {
				defer stop()
			}
			for _, text := range []string{"My kettle leaks.", "Where is my parcel?"} {
				if err := fill(ctx, url, text); err != nil {
					return err
				}
			}
			waiting, _, err := q.count(ctx)
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
	return errors.Join(service.Wait(), q.db.Close())
}

// fill sends a form as a browser does.
func fill(ctx context.Context, url, text string) error {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body) // without errors, since the buffer has none
	for name, value := range map[string]string{"id": rand.Text(), "name": "Ann Archer", "email": "ann@example.com", "text": text} {
		_ = parts.WriteField(name, value)
	}
	_ = parts.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", parts.FormDataContentType())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the form was not accepted: %s", res.Status)
	}
	return nil
}
