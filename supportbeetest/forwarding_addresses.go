package supportbeetest

import (
	"strconv"
	"strings"
)

func listAddresses(s *Desk, c *call) response {
	list := []object{}
	for _, a := range c.desk.Addresses {
		list = append(list, c.address(a))
	}
	if c.dialect == DialectRecorded { // the key at that time is not known
		return ok(object{"emails": list})
	}
	return ok(object{"forwarding_addresses": list})
}

func createAddress(s *Desk, c *call) response {
	var in struct {
		Email        string `json:"email"`
		Name         string `json:"name"`
		FilterSpam   bool   `json:"filter_spam"`
		UseAgentName bool   `json:"use_agent_name"`
	}
	if bad, fits := c.decode("forwarding_address", &in); !fits {
		return bad
	}
	switch {
	case strings.TrimSpace(in.Email) == "":
		return invalidInput("Email can't be blank")
	case !isEmail(in.Email):
		return invalidInput("Email is invalid")
	}
	made := &address{ID: c.desk.id(), Email: in.Email, Name: in.Name, FilterSpam: in.FilterSpam, UseAgentName: in.UseAgentName}
	c.desk.Addresses = append(c.desk.Addresses, made)
	return created(object{"forwarding_address": c.address(made)})
}

// address returns the address to which a ticket was sent: the one with the ID, a string or a number,
// or otherwise the first. It reports whether the desk has the ID, if there is one.
func (d *desk) address(id any) (email string, known bool) {
	text, _ := id.(string)
	if number, isNumber := id.(float64); isNumber {
		text = strconv.FormatFloat(number, 'f', -1, 64)
	}
	for _, a := range d.Addresses {
		if text == itoa(a.ID) {
			return a.Email, true
		}
	}
	if len(d.Addresses) > 0 {
		return d.Addresses[0].Email, text == ""
	}
	return "help@" + Company + ".example", text == ""
}
