// Command resty-v3 gets a ticket with resty v3.
package main

import (
	"fmt"

	"resty.dev/v3"
)

func main() {
	var ticket struct{ ID int64 }
	fmt.Println(resty.New().R().SetResult(&ticket).Get("http://127.0.0.1/tickets/7"))
}
