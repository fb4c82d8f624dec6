package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const demoMessages = 24

// demo lets three workers open the tickets of 24 messages on an embedded help desk, and prints who
// created one when. The minute of the help desk lasts as long as -per, 2 seconds by default. If
// -metrics was given, it then keeps running until ctx is done.
func demo(ctx context.Context, cfg config, given map[string]bool, out io.Writer) error {
	desk, err := supportbeetest.Start(supportbeetest.WithRateLimits(), supportbeetest.WithoutSeed())
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n", desk.URL)
	server, err := miniredis.Run()
	if err != nil {
		return err
	}
	defer server.Close()
	cfg.logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if !given["per"] {
		cfg.per = 2 * time.Second
	}
	fmt.Fprintf(out, "and an embedded Redis; three workers share %d tickets in any %s\n\n", cfg.limit, cfg.per)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	start, created := time.Now(), make(chan struct{}, demoMessages)
	front := httptest.NewServer(&frontDesk{desk: desk, speed: float64(time.Minute) / float64(cfg.per), report: func(r *http.Request, status int) {
		if r.Method != http.MethodPost {
			return
		}
		name, _, _ := strings.Cut(r.UserAgent(), " ")
		fmt.Fprintf(out, "%5.2f s   %s   %d %s\n", time.Since(start).Seconds(), name, status, http.StatusText(status))
		if status == http.StatusCreated {
			created <- struct{}{}
		}
	}})
	defer front.Close()

	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()
	lines := strings.Repeat(`{"email":"ann@example.com","name":"Ann","subject":"Order","text":"Where is it?"}`+"\n", demoMessages)
	if _, err := cfg.newQueue(client).add(ctx, strings.NewReader(lines)); err != nil {
		return err
	}
	if cfg.desk, err = supportbee.New(supportbeetest.Company, desk.Token, supportbee.WithBaseURL(front.URL)); err != nil {
		return err
	}
	if cfg.dryRun {
		return cfg.plan(ctx, client, out)
	}
	var workers errgroup.Group
	for i := range 3 {
		one := cfg
		one.desk = cfg.desk.With(supportbee.WithUserAgent(fmt.Sprintf("worker-%d", i+1)))
		if i > 0 {
			one.metrics = ""
		}
		workers.Go(func() error {
			defer stop()
			client := redis.NewClient(&redis.Options{Addr: server.Addr()})
			defer func() { _ = client.Close() }()
			return one.work(ctx, client, func(addr string) {
				if addr != "" {
					fmt.Fprintf(out, "metrics of a worker: http://%s/metrics\n", addr)
				}
			})
		})
	}
	for n := 0; n < demoMessages && ctx.Err() == nil; n++ {
		select {
		case <-created:
		case <-ctx.Done():
		}
	}
	limited := 0
	for _, r := range desk.Requests("Tickets.Create") {
		if r.Status == http.StatusTooManyRequests {
			limited++
		}
	}
	fmt.Fprintf(out, "\n%d tickets in %.1f s, %d responses with status 429\n", len(desk.Tickets()), time.Since(start).Seconds(), limited)
	if !given["metrics"] {
		stop()
	}
	return workers.Wait()
}

// frontDesk passes requests to a help desk whose clock runs faster than the real one.
type frontDesk struct {
	desk   *supportbeetest.Desk
	speed  float64
	report func(r *http.Request, status int)

	mu    sync.Mutex
	start time.Time
}

func (f *frontDesk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	if f.start.IsZero() {
		f.start = time.Now()
	}
	f.desk.Clock.Set(f.start.Add(time.Duration(float64(time.Since(f.start)) * f.speed)))
	f.mu.Unlock()
	recorder := httptest.NewRecorder()
	f.desk.ServeHTTP(recorder, r)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report(r, recorder.Code)
	maps.Copy(w.Header(), recorder.Header())
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(recorder.Body.Bytes())
}
