package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	demoMessages = 24
	demoPer      = 2 * time.Second
)

// demo lets three workers open the tickets of 24 messages on an embedded help desk whose minute is
// two seconds long, and prints who created one when.
func demo(ctx context.Context, dryRun bool, out io.Writer) error {
	desk, err := supportbeetest.Start(supportbeetest.WithCreateLimit(8, demoPer), supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	server, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer server.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n", desk.URL)
	fmt.Fprintf(out, "and an embedded Redis; three workers share 8 tickets in any %s\n\n", demoPer)

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()
	lines := strings.Repeat(`{"email":"ann@example.com","name":"Ann","subject":"Order","text":"Where is it?"}`+"\n", demoMessages)
	if _, err := add(ctx, client, strings.NewReader(lines)); err != nil {
		return err
	}
	newWorker := func(name string) *worker {
		return &worker{
			desk: desk.Client(supportbee.WithUserAgent(name)), redis: client, log: slog.New(slog.DiscardHandler),
			limit: 8, per: demoPer, timeout: time.Minute, settle: time.Second,
		}
	}
	if dryRun {
		return newWorker("dry-run").plan(ctx, out)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	service, start := supportbeeservice.New(ctx), time.Now()
	for i := range 3 {
		service.Go(newWorker(fmt.Sprintf("worker-%d", i+1)).run)
	}
	service.Go(func(ctx context.Context) error {
		defer stop()
		statuses := make(map[int]int)
		for n := 0; statuses[http.StatusCreated] < demoMessages; n++ {
			var r supportbeetest.Request
			responded := func() bool {
				if all := desk.Requests("Tickets.Create"); len(all) > n {
					r = all[n]
				}
				return r.Status != 0
			}
			if err := desk.Wait(ctx, responded); err != nil {
				return err
			}
			name, _, _ := strings.Cut(r.Header.Get("User-Agent"), " ")
			fmt.Fprintf(out, "%5.2f s   %s   %d %s\n", time.Since(start).Seconds(), name, r.Status, http.StatusText(r.Status))
			statuses[r.Status]++
		}
		fmt.Fprintf(out, "\n%d tickets in %.1f s, %d responses with status 429\n", len(desk.Tickets()), time.Since(start).Seconds(), statuses[http.StatusTooManyRequests])
		return nil
	})
	return service.Wait()
}
