package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo backs up an embedded help desk: it interrupts the export, resumes it, and stores what
// customers have written meanwhile.
func demo(ctx context.Context, out io.Writer) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	tickets := desk.AddTickets(1000)
	for i, id := range tickets[:50] {
		desk.AddCustomerReply(id, "See the picture.", desk.AddFile("photo.jpg", "image/jpeg", make([]byte, 1000*i)))
	}
	dir, err := os.MkdirTemp("", "export")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	client := desk.Client(supportbee.WithDryRun(nil))
	interrupted, interrupt := context.WithCancel(ctx)
	defer interrupt()
	err = backUp(interrupted, client, dir, supportbee.ExportOptions{Progress: func(done, _ int) {
		if done == 400 {
			interrupt()
		}
	}}, out)
	fmt.Fprintln(out, "The first run is interrupted at ticket 400:", err)
	for _, run := range []string{"The second run resumes:", "The next night, after ten customers have replied:"} {
		fmt.Fprintln(out, run)
		before := len(desk.Requests())
		if err := backUp(ctx, client, dir, supportbee.ExportOptions{}, out); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %d requests\n", len(desk.Requests())-before)
		for _, id := range tickets[500:510] {
			desk.AddCustomerReply(id, "One more thing.")
		}
	}
	return nil
}
