package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeredis"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const demoMessages = 24

// demo lets three workers open the tickets of 24 messages on an embedded help desk whose minute is
// two seconds long, and prints who created one when.
func demo(ctx context.Context, dryRun bool, out io.Writer) error {
	limit := supportbeeredis.LimiterOptions{Requests: 8, Per: 2 * time.Second}
	desk, err := supportbeetest.Start(supportbeetest.WithCreateLimit(limit.Requests, limit.Per), supportbeetest.WithoutSeed())
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
	fmt.Fprintf(out, "and an embedded Redis; three workers share 8 tickets in any %s\n\n", limit.Per)

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()
	for range demoMessages {
		message := []any{"email", "ann@example.com", "name", "Ann", "subject", "Order", "text", "Where is it?"}
		if err := client.XAdd(ctx, &redis.XAddArgs{Stream: queue, Values: message}).Err(); err != nil {
			return err
		}
	}
	if dryRun {
		return (&worker{desk: desk.Client(), redis: client}).plan(ctx, out)
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	service, start := supportbeeservice.New(ctx), time.Now()
	var mu sync.Mutex
	statuses := make(map[int]int)
	for i := range 3 {
		responded := func(_ context.Context, a supportbee.Attempt) {
			if a.Op != "Tickets.Create" {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			fmt.Fprintf(out, "%5.2f s   worker-%d   %d %s\n", time.Since(start).Seconds(), i+1, a.StatusCode, http.StatusText(a.StatusCode))
			if statuses[a.StatusCode]++; statuses[http.StatusCreated] == demoMessages {
				stop()
			}
		}
		w := &worker{
			desk: desk.Client(supportbee.WithObserver(supportbee.Observer{Attempt: responded})), redis: client,
			log: slog.New(slog.DiscardHandler), limit: limit, timeout: time.Minute, settle: time.Second,
		}
		service.Go(w.run)
	}
	err = service.Wait()
	fmt.Fprintf(out, "\n%d tickets, %d responses with status 429\n", len(desk.Tickets()), statuses[http.StatusTooManyRequests])
	return err
}
