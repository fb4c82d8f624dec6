// Command ogen gets a ticket with the client that ogen generates.
package main

import (
	"context"
	"fmt"

	"github.com/supportbee-go/supportbee/internal/lab/bench/peers/ogenclient"
)

type secret struct{}

func (secret) Token(context.Context, ogenclient.OperationName) (ogenclient.Token, error) {
	return ogenclient.Token{Token: "token"}, nil
}

func main() {
	client, err := ogenclient.NewClient("http://127.0.0.1", secret{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.TicketsGet(context.Background(), ogenclient.TicketsGetParams{ID: 7}))
}
