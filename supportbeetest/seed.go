package supportbeetest

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"
)

// seedPeople adds the admin, who owns the token.
func (d *desk) seedPeople(token string) {
	d.NextID = 1000
	admin := d.addUser(&user{ID: d.id(), Type: "user", Email: AdminEmail, Name: "Ada Adams", Role: "admin", TwoFactor: true, Signature: "Ada Adams, Acme"})
	d.own(token, admin.ID)
}

// own makes token the one of the desk, and of the admin.
func (d *desk) own(token string, admin int64) { d.Token, d.Tokens[token] = token, admin }

// admin returns the first admin, or nil if there is none.
func (d *desk) admin() *user {
	for _, u := range d.sortedUsers() {
		if u.Role == "admin" {
			return u
		}
	}
	return nil
}

func newToken() string { return "desk-" + rand.Text() }

// seedWorld adds the people, teams, labels, snippets and tickets of a new desk.
func (d *desk) seedWorld(token string, now time.Time) {
	admin := d.byEmail[AdminEmail]
	person := func(email, name, role string) *user {
		return d.addUser(&user{ID: d.id(), Type: "user", Email: email, Name: name, Role: role})
	}
	ben := person(AgentEmail, "Ben Bauer", "agent")
	cleo := person(OtherAgentEmail, "Cleo Chang", "agent")
	person(CollaboratorEmail, "Dana Diaz", "collaborator")
	d.addUser(&user{ID: d.id(), Type: "user", Email: "finn@acme.example", Name: "Finn Faber", Role: "agent", Invited: true})
	eve := person(CustomerEmail, "Eve Evans", "customer")
	for _, email := range []string{AgentEmail, CollaboratorEmail, CustomerEmail} {
		// These follow from the admin's token, so that they are the same after a reset.
		sum := sha256.Sum256([]byte(token + " " + email))
		d.Tokens[fmt.Sprintf("desk-%x", sum[:13])] = d.byEmail[email].ID
	}
	gus := person("gus@example.net", "Gus Green", "customer")
	d.addUser(&user{ID: d.id(), Type: "customer_group", Name: "Example Ltd", Role: "customer", SharedGroup: true, EmailDomains: []string{"example.com"}, Members: []int64{eve.ID}})

	support := &team{ID: d.id(), Name: "Support", Members: []int64{admin.ID, ben.ID}}
	billing := &team{ID: d.id(), Name: "Billing", Members: []int64{cleo.ID}}
	d.Teams = []*team{support, billing, {ID: d.id(), Name: "Night shift", Private: true, Members: []int64{}}}
	d.Labels = []label{{1, "bug", "#CC3333"}, {2, "refund", "#FF8800"}, {3, "very important", "#AA00AA"}, {4, "wish", "#3377CC"}}
	d.Addresses = []*address{{ID: d.id(), Email: "help@acme.example", Name: "Acme Help"}}
	d.Snippets = []*snippet{
		{ID: d.id(), CreatedAt: now, Name: "Thanks", Tags: "closing, friendly", Content: contentBody{Text: "Thank you for writing to us."}.content()},
		{ID: d.id(), CreatedAt: now, Name: "Reset link", Tags: "login", Content: contentBody{Text: "You can set a new password at https://acme.example/reset."}.content()},
	}

	start := now.Add(-48 * time.Hour)
	for i, told := range []struct {
		from          *user
		subject, text string
		reply         string // by ben
		thanks        string // by the customer
		comment       string // by cleo
		labels        []string
		change        func(*ticket)
	}{
		{from: eve, subject: "The blue one came instead of the red one", text: "Hello,\nI ordered a red kettle and got a blue one. Can I swap it?", reply: "Sorry about that! A red one is on its way.", thanks: "Wonderful, thank you.", labels: []string{"refund"}},
		{from: gus, subject: "Cannot log in", text: "The page says my password is wrong, and it is not.", comment: "Looks like the caps lock case again.", labels: []string{"bug"}, change: func(t *ticket) { t.Team, t.User = support.ID, ben.ID }},
		{from: eve, subject: "Invoice for October", text: "Please send the invoice for October to our new address.", change: func(t *ticket) { t.Team = billing.ID }},
		{from: gus, subject: "A wish: dark mode", text: "My eyes would be glad of a dark mode.", reply: "We have written it down.", labels: []string{"wish"}},
		{from: eve, subject: "Where is my parcel?", text: "It was to come on Monday.", change: func(t *ticket) { t.User = admin.ID }},
		{from: gus, subject: "Warranty", text: "How long is the warranty of the small kettle?", reply: "Two years.", change: func(t *ticket) { t.Archived = true }},
		{from: gus, subject: "Opening hours", text: "Are you open on Sundays?", reply: "No, but we read mail then.", thanks: "Good to know!", change: func(t *ticket) { t.Archived = true }},
		{from: eve, subject: "You have won a prize", text: "Click here to claim the prize that you have won.", change: func(t *ticket) { t.Spam = true }},
		{from: gus, subject: "Sent by mistake", text: "Please ignore this.", change: func(t *ticket) { t.Trash = true }},
		{from: eve, subject: "It stopped working after the update", text: "Since the last update nothing works any more. It is urgent.", labels: []string{"bug", "very important"}},
	} {
		at := start.Add(time.Duration(i) * 3 * time.Hour)
		t := &ticket{
			ID: d.id(), Subject: told.subject, Requester: told.from.ID, Content: contentBody{Text: told.text}.content(), Labels: told.labels,
			CreatedAt: instantOf(at), LastActivityAt: instantOf(at), Unanswered: true, Source: d.source("email", "help@acme.example"),
		}
		post := func(author *user, text string) *post {
			at = at.Add(time.Hour)
			t.LastActivityAt = instantOf(at)
			return &post{ID: d.id(), CreatedAt: instantOf(at), Author: author.ID, Content: contentBody{Text: text}.content()}
		}
		if told.comment != "" {
			t.Comments = append(t.Comments, post(cleo, told.comment))
		}
		if told.reply != "" {
			t.Replies, t.Unanswered = append(t.Replies, post(ben, told.reply)), false
		}
		if told.thanks != "" {
			t.Replies, t.Unanswered = append(t.Replies, post(told.from, told.thanks)), true
		}
		if told.change != nil {
			told.change(t)
		}
		d.addTicket(t)
	}
}
