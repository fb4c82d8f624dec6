package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo fills in the form of an embedded help desk that is down at first, and then loses a response.
// If there is an address, it goes on until ctx is done, for a browser.
func demo(ctx context.Context, out io.Writer, address string) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	dir, err := os.MkdirTemp("", "contactform")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	desk.Inject(supportbeetest.Match{Times: 4}, supportbeetest.HTMLPage(http.StatusBadGateway))
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	before := len(desk.Tickets())
	var failed error
	ready := func(url string, q *queue) {
		fmt.Fprintf(out, "The form is at %s/\n", url)
		play := func() error {
			for _, text := range []string{"My kettle leaks.", "Where is my parcel?"} {
				if err := fill(ctx, url, text); err != nil {
					return err
				}
			}
			all, _, err := q.waiting(ctx)
			fmt.Fprintf(out, "2 messages sent while the help desk was down: %d in the queue\n", all)
			if err != nil {
				return err
			}
			wait, stop := context.WithTimeout(ctx, time.Minute)
			defer stop()
			if err := desk.Wait(wait, func() bool { return len(desk.Tickets()) == before+2 && len(desk.Outbox()) == 2 }); err != nil {
				return err
			}
			for _, mail := range desk.Outbox() {
				fmt.Fprintf(out, "ticket #%d, mail to %s: %s\n", mail.TicketID, mail.To, mail.Text)
			}
			return nil
		}
		go func() {
			if failed = play(); failed != nil || address == "" {
				cancel()
			}
		}()
	}
	err = serve(ctx, desk.Client(), config{address: cmp.Or(address, "localhost:0"), database: filepath.Join(dir, "queue.db"), settle: time.Second, ready: ready})
	return cmp.Or(failed, err)
}

// fill sends a form as a browser does.
func fill(ctx context.Context, url, text string) error {
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, value := range map[string]string{"id": rand.Text(), "name": "Ann Archer", "email": "ann@example.com", "text": text} {
		if err := parts.WriteField(name, value); err != nil {
			return err
		}
	}
	if err := parts.Close(); err != nil {
		return err
	}
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
