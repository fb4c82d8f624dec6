package supportbeeredis_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeredis"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func ExampleLimiter_Options() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	server, err := miniredis.Run() // in production, a Redis server that all processes reach
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	redisClient := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer redisClient.Close()

	limiter := supportbeeredis.NewLimiter(redisClient, "supportbee:creates", &supportbeeredis.LimiterOptions{Requests: 2})
	client := desk.Client().With(limiter.Options()...)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // too short for the third ticket
	defer cancel()
	for i := range 3 {
		_, err := client.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("Hello")})
		fmt.Println("ticket", i+1, "created:", err == nil)
	}
	// Output:
	// ticket 1 created: true
	// ticket 2 created: true
	// ticket 3 created: false
}
