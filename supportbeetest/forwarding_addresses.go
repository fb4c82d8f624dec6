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
	var in address
	if bad, fits := c.decode("forwarding_address", &in); !fits {
		return bad
	}
	if !strings.Contains(in.Email, "@") {
		return invalidInput("Email can't be blank")
	}
	in.ID = c.desk.id()
	c.desk.Addresses = append(c.desk.Addresses, &in)
	return created(object{"forwarding_address": c.address(&in)})
}

// address returns the address to which a ticket was sent.
func (d *desk) address(id any) string {
	for _, a := range d.Addresses {
		if text, _ := id.(string); text == strconv.FormatInt(a.ID, 10) {
			return a.Email
		}
	}
	if len(d.Addresses) > 0 {
		return d.Addresses[0].Email
	}
	return "help@" + Company + ".example"
}
