// Command oapi-codegen gets a ticket with the client that oapi-codegen generates.
package main

import (
	"context"
	"fmt"

	"github.com/supportbee-go/supportbee/internal/lab/bench/peers/oapiclient"
)

func main() {
	client, err := oapiclient.NewClientWithResponses("http://127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.TicketsGetWithResponse(context.Background(), 7))
}
