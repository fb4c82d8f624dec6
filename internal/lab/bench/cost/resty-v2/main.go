// Command resty-v2 gets a ticket with resty v2.
package main

import (
	"fmt"

	"github.com/go-resty/resty/v2"
)

func main() {
	var ticket struct{ ID int64 }
	fmt.Println(resty.New().R().SetResult(&ticket).Get("http://127.0.0.1/tickets/7"))
}
