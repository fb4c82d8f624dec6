package supportbee

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
)

// RecipientList returns a function for [WithAllowedRecipients] that allows the given addresses, such
// as "ann@example.org", and all addresses of the given domains, such as "example.com". A domain does
// not include its subdomains. A to Z are equal to a to z, and white space around an entry is ignored,
// so that the list can come from a flag: RecipientList(strings.Split(list, ",")...).
//
// There are no patterns or display names: an entry that is neither an address nor a domain matches
// nothing, and an empty list allows nobody. The function is safe for concurrent use.
func RecipientList(addressesAndDomains ...string) func(address string) bool {
	allowed := map[string]bool{}
	for _, entry := range addressesAndDomains {
		allowed[lowerASCII(strings.TrimSpace(entry))] = true
	}
	delete(allowed, "") // an empty entry is no domain
	return func(address string) bool {
		address = lowerASCII(address)
		_, domain, isAddress := strings.Cut(address, "@") // what follows the first of two is no domain
		return isAddress && (allowed[address] || allowed[domain])
	}
}

// checkRecipients rejects a write that could send mail to an address that is not allowed, or whose
// recipients cannot be found out. It goes by the parameters, whatever operation they are given to.
func (c *Client) checkRecipients(ctx context.Context, rt *roundTrip) error {
	if rt.route == "" {
		return notAllowed("method", "must be GET or HEAD: the recipients of other requests are not known", nil)
	}
	switch p := rt.body.(type) {
	case *TicketParams:
		return firstError(c.checkAddress("RequesterEmail", "is not allowed", p.RequesterEmail), c.checkCopies("CC", p.CC), c.checkCopies("BCC", p.BCC))
	case *ReplyParams:
		if err := firstError(c.checkCopies("CC", p.CC), c.checkCopies("BCC", p.BCC)); err != nil {
			return err
		}
		if rt.zeroID { // a dry run has not created the ticket, and sends nothing
			return nil
		}
		return c.checkTicket(withoutResponse(ctx), pathID[TicketID](rt))
	case *UserParams:
		if p.Email != "" { // a customer group has none
			return c.checkAddress("Email", "is not allowed", p.Email)
		}
	case *UserUpdateParams:
		if p.Email != nil {
			return c.checkAddress("Email", "is not allowed", *p.Email)
		}
	case *ForwardingAddressParams: // the help desk may send a mail to confirm it
		return c.checkAddress("Email", "is not allowed", p.Email)
	}
	return nil
}

// notAllowed returns the error of a recipient. Its text has no address.
func notAllowed(field, reason string, cause error) error {
	err := ErrRecipientNotAllowed
	if failed, ok := errors.AsType[*Error](cause); ok {
		silent := *failed
		silent.Message = "" // it can have an address
		cause = &silent
	}
	if cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	return &ArgumentError{Field: field, Reason: reason, Err: err}
}

// checkAddress rejects an address that is not allowed or that cannot be read.
func (c *Client) checkAddress(field, reason, text string) error {
	if isMailbox(text) {
		if address, err := mail.ParseAddress(text); err == nil && c.config.allow(lowerASCII(address.Address)) {
			return nil
		}
	}
	return notAllowed(field, reason, nil)
}

// lowerASCII leaves other letters alone: some of them become ASCII letters in lower case, and the
// address another one.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func (c *Client) checkCopies(field string, addresses []string) error {
	for i, address := range addresses {
		if err := c.checkAddress(field, fmt.Sprintf("[%d] is not allowed", i), address); err != nil {
			return err
		}
	}
	return nil
}

// checkTicket checks whom a reply to a ticket would be sent to.
func (c *Client) checkTicket(ctx context.Context, id TicketID) error {
	ticket, err := c.Tickets.Get(ctx, id)
	if err != nil {
		return notAllowed("ticket", "has recipients that cannot be found out", err)
	}
	if err := c.checkPerson(ctx, "requester", &ticket.Requester); err != nil {
		return err
	}
	for i := range ticket.CC {
		if err := c.checkPerson(ctx, "CC", &ticket.CC[i]); err != nil {
			return err
		}
	}
	for i := range ticket.BCC {
		if err := c.checkPerson(ctx, "BCC", &ticket.BCC[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkPerson checks a person of a ticket, or the members of a customer group.
func (c *Client) checkPerson(ctx context.Context, role string, person *Person) error {
	if person.Type != UserTypeCustomerGroup {
		return c.checkAddress("ticket", "has a "+role+" that is not allowed", person.Email)
	}
	members, err := c.Users.Members(ctx, person.ID)
	if err != nil || len(members) == 0 {
		return notAllowed("ticket", "has a customer group whose members cannot be found out", err)
	}
	for _, member := range members {
		if err := c.checkAddress("ticket", "has a customer group with a member that is not allowed", member.Email); err != nil {
			return err
		}
	}
	return nil
}
