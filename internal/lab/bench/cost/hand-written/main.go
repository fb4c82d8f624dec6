// Command hand-written gets a ticket with net/http and encoding/json.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

func main() {
	res, err := http.Get("http://127.0.0.1/tickets/7")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	var ticket struct{ ID int64 }
	fmt.Println(json.NewDecoder(res.Body).Decode(&ticket), ticket.ID)
}
