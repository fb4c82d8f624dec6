package supportbeequeue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/supportbee-go/supportbee/supportbeequeue"
)

type order struct{ Number int }

func Example() {
	ctx, stop := context.WithCancel(context.Background()) // in a program, the context of supportbeeservice.Main
	defer stop()
	queue, err := supportbeequeue.Open(ctx, ":memory:", func(_ context.Context, item *supportbeequeue.Item[order]) error {
		fmt.Println("attempt", item.Attempt, "with order", item.Value.Number)
		if item.Attempt == 1 {
			return errors.New("the help desk is down")
		}
		stop()
		return nil
	}, supportbeequeue.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	for range 2 {
		added, err := queue.Put(ctx, "order-17", order{Number: 17})
		fmt.Println("added:", added, err)
	}
	fmt.Println(errors.Join(queue.Run(ctx), queue.Close()))
	// Output:
	// added: true <nil>
	// added: false <nil>
	// attempt 1 with order 17
	// attempt 2 with order 17
	// <nil>
}
