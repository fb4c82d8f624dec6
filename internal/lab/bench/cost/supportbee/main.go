// Command supportbee gets a ticket with the SDK.
package main

import (
	"context"
	"fmt"

	"github.com/supportbee-go/supportbee"
)

func main() {
	client, err := supportbee.New("acme", "token")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Tickets.Get(context.Background(), 7))
}
