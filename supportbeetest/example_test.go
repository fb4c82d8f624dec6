package supportbeetest_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// A test starts a desk, runs the code under test, and checks the state of the desk. In a test,
// supportbeetest.New(t) also closes the desk.
func Example() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund, please", Text: "The kettle leaks."})

	// The code under test: it replies to everybody at once.
	client, ctx := desk.Client(), context.Background()
	_, err = client.Replies.Create(ctx, ticket, supportbee.ReplyParams{Content: supportbee.Text("We are looking into it.")})
	if err != nil {
		fmt.Println(err)
	}

	for _, reply := range desk.Replies(ticket) {
		fmt.Printf("%s: %s\n", reply.Replier.Name, reply.Content.Text)
	}
	// Output: Ada Adams: We are looking into it.
}

// A fault shows what the code under test does when the network fails.
func ExampleDesk_Inject() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund, please", Text: "The kettle leaks."})
	client, ctx := desk.Client(), context.Background()

	gateway := desk.Inject(supportbeetest.Match{Op: "Tickets.Archive", Times: 1}, supportbeetest.Status(http.StatusBadGateway))
	fmt.Println("archive:", client.Tickets.Archive(ctx, ticket), "after", gateway.Hits()+1, "attempts")

	desk.Inject(supportbeetest.Match{Op: "Replies.Create"}, supportbeetest.AfterHandling(supportbeetest.Drop()))
	_, err = client.Replies.Create(ctx, ticket, supportbee.ReplyParams{Content: supportbee.Text("Hello")})
	fmt.Println("reply:", err)
	fmt.Println("replies that were mailed:", len(desk.Replies(ticket)))
	// Output:
	// archive: <nil> after 2 attempts
	// reply: supportbee: Replies.Create: POST /tickets/1032/replies: outcome unknown: the server may have processed the request: EOF
	// replies that were mailed: 1
}
