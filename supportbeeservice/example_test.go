package supportbeeservice_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// The program of the README is compiled, not run.
var _ = main

func main() { supportbeeservice.Main("triage", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	client, err := supportbee.FromEnv()
	if err != nil {
		return err
	}
	service := supportbeeservice.New(ctx)
	client = service.Instrument(client)
	service.Monitor(":9090", nil) // GET /metrics and GET /healthz
	service.Go(func(ctx context.Context) error { return handleTickets(ctx, client) })
	return service.Wait()
}

func handleTickets(context.Context, *supportbee.Client) error { return nil }

func ExampleService() {
	desk, err := supportbeetest.Start()
	if err != nil {
		panic(err)
	}
	defer desk.Close()

	ctx, stop := context.WithCancel(context.Background()) // in a program, the context of Main
	defer stop()
	service := supportbeeservice.New(ctx)
	client := service.Instrument(desk.Client())
	service.Monitor("localhost:0", nil) // GET /metrics and GET /healthz
	service.Go(func(ctx context.Context) error {
		defer stop() // or it goes on until a signal
		labels, err := client.Labels.List(ctx)
		fmt.Println("labels:", len(labels))
		return err
	})
	fmt.Println("error:", service.Wait())
	// Output:
	// labels: 4
	// error: <nil>
}

func ExampleBusinessHours_After() {
	hours := supportbeeservice.BusinessHours{Holidays: []string{"2026-12-24", "2026-12-25"}}
	for day := time.Monday; day <= time.Friday; day++ {
		hours.Week[day] = supportbeeservice.Hours{From: 9 * time.Hour, To: 17 * time.Hour}
	}
	received := time.Date(2026, 12, 23, 16, 30, 0, 0, time.UTC)
	fmt.Println("to be responded to by", hours.After(received, 4*time.Hour))
	// Output: to be responded to by 2026-12-28 12:30:00 +0000 UTC
}
