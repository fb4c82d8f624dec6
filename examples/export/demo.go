package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo backs up an embedded help desk: it stops the export in the middle, resumes it, and stores
// what customers have done meanwhile.
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

	night := func(title string, stopAfter int) error {
		fmt.Fprintln(out, title)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		store, err := openStore(dir)
		if err != nil {
			return err
		}
		defer func() { _ = store.Close() }()
		exported := 0
		b := &backup{client: desk.Client(supportbee.WithDryRun(nil)), store: store, progress: func(int, int) {
			if exported++; exported == stopAfter {
				cancel()
			}
		}}
		if err := b.run(ctx); err != nil && exported != stopAfter {
			return err
		}
		fmt.Fprintf(out, "  %d tickets exported, %d kB of lines\n  ", exported, store.end>>10)
		return store.verify(out)
	}
	if err := night("The first run, which is interrupted:", 400); err != nil {
		return err
	}
	if err := night("The second run, which resumes:", -1); err != nil {
		return err
	}
	for _, id := range tickets[500:510] {
		desk.AddCustomerReply(id, "One more thing.")
	}
	return night("The next night, after ten customers have replied:", -1)
}
