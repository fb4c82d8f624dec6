package supportbee_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

// at returns a time on the day of all fixtures.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC)
}

// What the files in testdata hold.
var (
	ann = supportbee.Person{
		ID: 11, Type: supportbee.UserTypeUser, Email: "ann@example.com", Name: "Ann Archer", FirstName: "Ann", LastName: "Archer",
		Role: supportbee.RoleCustomer, Picture: picture("11"), ActiveTicketsCount: 3, EmailDomains: []string{},
	}
	ben = supportbee.Person{
		ID: 12, Type: supportbee.UserTypeUser, Email: "ben@acme.example", Name: "Ben Bauer", FirstName: "Ben", LastName: "Bauer",
		Role: supportbee.RoleAgent, Agent: true, Picture: picture("12"), ActiveTicketsCount: 5, TwoFactorAuthenticationEnabled: true, EmailDomains: []string{},
	}
	group = supportbee.Person{
		ID: 13, Type: supportbee.UserTypeCustomerGroup, Name: "Example Ltd",
		CanMembersAccessGroupTickets: true, EmailDomains: []string{"example.com", "example.org"}, MembersCount: 8,
	}
	photo = supportbee.Attachment{
		ID: 31, CreatedAt: at(10, 0, 1), Filename: `photo of "it".jpg`, ContentType: "image/jpeg; name=photo",
		URL: supportbee.AttachmentURL{
			Original: "https://acme.supportbee.com/attachments/31/original", Thumb: "https://acme.supportbee.com/attachments/31/thumb",
		},
	}
	support = supportbee.Team{
		ID: 21, Name: "Support", Private: true,
		Picture: supportbee.Picture{
			Thumb20: "/pictures/teams/21/20.png", Thumb24: "/pictures/teams/21/24.png", Thumb32: "/pictures/teams/21/32.png", Thumb48: "/pictures/teams/21/48.png",
			Thumb64: "/pictures/teams/21/64.png", Thumb128: "/pictures/teams/21/128.png", Thumb256: "/pictures/teams/21/256.png",
		},
	}
	theTicket = supportbee.Ticket{
		ID: 7, Subject: "The kettle leaks", Summary: "My new kettle leaks", Content: contentOf("My new kettle leaks"),
		Source: supportbee.Source{Channel: "web", Address: "help@acme.example"}, Requester: ann, Submitter: &ben,
		CC: []supportbee.Person{ben, group}, BCC: []supportbee.Person{ann},
		Labels:       []supportbee.Label{{Name: "refund", Color: "#FF0000"}, {Name: "very important", Color: "#00FF00"}},
		AssignedUser: &ben, AssignedTeam: &support,
		RepliesCount: 4, AgentRepliesCount: 3, CommentsCount: 2, AttachmentsCount: 1,
		CreatedAt:      time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 2*60*60)),
		LastActivityAt: time.Date(2026, 3, 2, 11, 12, 13, 0, time.UTC), LastReplyAt: time.Date(2026, 3, 2, 10, 11, 12, 0, time.UTC),
		SnoozedUntil: time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC), Snoozed: true, Unanswered: true, Archived: true, Spam: true, Trash: true,
		Private: true, Draft: true, Starred: true, NotifyRequester: true, HistoricalImport: true,
		CustomerRating: map[string]json.RawMessage{"rating": json.RawMessage(`"happy"`)}, URL: "https://acme.supportbee.com/tickets/7",
		Extra: map[string]json.RawMessage{"some_new_key": json.RawMessage(`"new"`)},
	}
	thePage  = supportbee.TicketPage{Total: 31, Page: 2, PerPage: 15, TotalPages: 3, Tickets: []*supportbee.Ticket{&theTicket}}
	theReply = supportbee.Reply{
		ID: 41, CreatedAt: at(10, 30, 0), Summary: "A refund is on its way", Content: contentOf("A refund is on its way"), Replier: ben,
		CC: []supportbee.Person{ann}, BCC: []supportbee.Person{ben},
		Ticket:           supportbee.TicketCounts{ID: 7, RepliesCount: 4, AgentRepliesCount: 3, CommentsCount: 2},
		AttachmentsCount: 1, Merged: true, HistoricalImport: true,
	}
	theComment = supportbee.Comment{
		ID: 51, CreatedAt: at(10, 40, 0), Content: contentOf("The third one"), Commenter: ben,
		Ticket: supportbee.TicketCounts{RepliesCount: 4, AgentRepliesCount: 3, CommentsCount: 2}, Merged: true,
	}
	theUser = supportbee.User{
		Person: admin(ben, map[string]json.RawMessage{"invited": json.RawMessage(`true`)}), RequestedTicketsCount: 6, Signature: "<p>Ben from Acme</p>",
		Teams: []supportbee.Team{support}, CustomerGroups: []supportbee.CustomerGroup{{ID: 13, Name: "Example Ltd"}},
		Tickets: []*supportbee.Ticket{&theTicket},
	}
	theDraft = supportbee.Draft{
		ID: 61, Content: contentOf("Dear Ann"), CC: []supportbee.Person{{Email: "ann@example.com", Name: "Ann Archer", Picture: picture("11")}},
		BCC: []supportbee.Person{{Email: "bo@example.com"}}, LastSavedBy: &ben, LastSavedAt: at(10, 50, 0),
	}
	theSnippet = supportbee.Snippet{
		ID: 71, CreatedAt: at(11, 0, 0), Name: "Thanks", Tags: "closing, friendly", Content: supportbee.Content{Text: "Thank you", HTML: "<p>Thank you</p>"},
	}
	theUserAssignment = supportbee.UserAssignment{ID: 81, CreatedAt: at(10, 0, 0), TicketID: 7, User: ben}
	theTeamAssignment = supportbee.TeamAssignment{ID: 82, CreatedAt: at(10, 0, 0), TicketID: 7, Team: support}
	theWebhook        = supportbee.Webhook{
		Action: supportbee.WebhookAgentReplyCreated, Company: supportbee.WebhookCompany{Subdomain: "acme", Name: "Acme"}, Ticket: &theTicket,
		Reply: &supportbee.Reply{
			ID: 41, CreatedAt: at(10, 30, 0), Summary: "A refund is on its way", Content: contentOf("A refund is on its way"), Replier: ben,
			CC: []supportbee.Person{ann}, BCC: []supportbee.Person{ben}, AttachmentsCount: 1, Merged: true, HistoricalImport: true,
		},
		Comment:        &supportbee.Comment{ID: 51, CreatedAt: at(10, 40, 0), Content: contentOf("The third one"), Commenter: ben, Merged: true},
		UserAssignment: &supportbee.UserAssignment{ID: 81, User: ben}, TeamAssignment: &supportbee.TeamAssignment{ID: 82, Team: support}, Agent: &ben,
	}
	theAudit = []*supportbee.AuditEntry{
		{
			Action: "Commented", Actor: &supportbee.AuditActor{Name: "Ben Bauer", Email: "ben@acme.example"}, URL: "#comments/51",
			Severity: "info", HappenedAt: at(10, 40, 0),
		},
		{Action: "Archived", URL: "#ticket", Severity: "warning", HappenedAt: at(11, 40, 0)},
	}
	theLabels = []*supportbee.Label{{ID: 1, Name: "refund", Color: "#FF0000"}, {ID: 2, Name: "very important", Color: "#00FF00"}}
	theTeams  = []*supportbee.Team{
		{ID: 21, Name: "Support", Private: true, Picture: support.Picture, Users: []supportbee.User{{Person: withoutCount(admin(ben, nil))}}},
		{ID: 22, Name: "Sales"},
	}
)

// contentOf returns a content as the fixtures have it.
func contentOf(text string) supportbee.Content {
	return supportbee.Content{HTML: "<p>" + text + "</p>", Text: text, Truncated: true, Attachments: []supportbee.Attachment{photo}}
}

// picture returns the picture of a person.
func picture(id string) supportbee.Picture {
	base := "https://acme.supportbee.com/pictures/" + id + "/"
	return supportbee.Picture{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png", Thumb48: base + "48.png",
		Thumb64: base + "64.png", Thumb128: base + "128.png",
	}
}

func admin(p supportbee.Person, extra map[string]json.RawMessage) supportbee.Person {
	p.Role, p.Extra = supportbee.RoleAdmin, extra
	return p
}

func withoutCount(p supportbee.Person) supportbee.Person {
	p.ActiveTicketsCount = 0
	return p
}

// The fixtures have each field of each type, so that comparing with them checks all of them.
func TestFixturesHaveEveryField(t *testing.T) {
	t.Parallel()
	set := map[string]bool{}
	for _, value := range []any{
		thePage, theReply, theComment, theUser, theDraft, theSnippet, theUserAssignment, theTeamAssignment, theAudit, theLabels, theTeams, theWebhook,
		supportbee.Labeling{ID: 1, Label: "x", TicketID: 7},
		supportbee.ForwardingAddress{ID: "1", Email: "a@b.c", Name: "A"},
		supportbee.Filter{ID: "1", RuleID: "2", ConsequenceID: "3"},
		supportbee.Rule{ID: "1"},
		supportbee.Consequence{ID: "1"},
		supportbee.DataPoint{Time: at(1, 2, 3), Value: 1},
	} {
		noteFields(reflect.ValueOf(value), set)
	}
	for _, zero := range resourceTypes {
		for field := range reflect.ValueOf(zero).Fields() {
			if field.Name != "Extra" && field.Name != "Raw" { // see TestTypesReadWhatTheyWrite
				assert.True(t, set[fmt.Sprintf("%T.%s", zero, field.Name)], "%T.%s", zero, field.Name)
			}
		}
	}
}

// noteFields notes for each field within v whether it is set anywhere.
func noteFields(v reflect.Value, set map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			noteFields(v.Elem(), set)
		}
	case reflect.Slice:
		for i := range v.Len() {
			noteFields(v.Index(i), set)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for field, value := range v.Fields() {
			name := fmt.Sprintf("%s.%s", v.Type(), field.Name)
			set[name] = set[name] || !value.IsZero()
			noteFields(value, set)
		}
	}
}
