package supportbee_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// at is a time on the day of all fixtures.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC)
}

func picture(id string) supportbee.Picture {
	base := "https://acme.supportbee.com/pictures/" + id + "/"
	return supportbee.Picture{
		Thumb20: base + "20.png", Thumb24: base + "24.png", Thumb32: base + "32.png", Thumb48: base + "48.png",
		Thumb64: base + "64.png", Thumb128: base + "128.png",
	}
}

// What the fixtures hold.
var (
	ann = supportbee.Person{
		ID: 11, Email: "ann@example.com", Name: "Ann Archer", FirstName: "Ann", LastName: "Archer", Role: supportbee.RoleCustomer,
		ActiveTicketsCount: 3, Picture: picture("11"),
	}
	ben = supportbee.Person{
		ID: 12, Email: "ben@acme.example", Name: "Ben Bauer", FirstName: "Ben", LastName: "Bauer", Role: supportbee.RoleAgent, Agent: true,
		ActiveTicketsCount: 5, Picture: picture("12"),
	}
	photo = supportbee.Attachment{
		ID: 31, CreatedAt: at(10, 0, 1), Filename: `photo of "it".jpg`, ContentType: "image/jpeg; name=photo",
		URL: supportbee.AttachmentURL{
			Original: "https://acme.supportbee.com/attachments/31/original", Thumb: "https://acme.supportbee.com/attachments/31/thumb",
		},
	}
	support = supportbee.Team{ID: 21, Name: "Support", Private: true, Picture: supportbee.Picture{
		Thumb20: "/pictures/teams/21/20.png", Thumb24: "/pictures/teams/21/24.png", Thumb32: "/pictures/teams/21/32.png",
		Thumb48: "/pictures/teams/21/48.png", Thumb256: "/pictures/teams/21/256.png",
	}}
	theLabels = []supportbee.Label{{Name: "refund", Color: "#FF0000"}, {Name: "very important", Color: "#00FF00"}}
	theTicket = supportbee.Ticket{
		ID: 7, Subject: "The kettle leaks", RepliesCount: 4, AgentRepliesCount: 3, CommentsCount: 2,
		LastActivityAt: time.Date(2026, 3, 2, 11, 12, 13, 0, time.UTC), CreatedAt: at(12, 0, 0).Add(-2 * time.Hour).In(time.FixedZone("", 2*60*60)),
		Unanswered: true, Archived: true, Spam: true, Private: true, Trash: true, Draft: true, Starred: true,
		Summary: "My new kettle leaks", URL: "https://acme.supportbee.com/tickets/7",
		Source: supportbee.Source{Channel: "web", Address: "help@acme.example"}, CC: []supportbee.Person{ben}, BCC: []supportbee.Person{ann},
		Labels: theLabels, CustomerRating: map[string]any{"rating": "happy"}, Requester: ann, Content: longContent("My new kettle leaks"),
		AssignedUser: &ben, AssignedTeam: &support,
	}
	theCounts = supportbee.TicketCounts{RepliesCount: 4, AgentRepliesCount: 3, CommentsCount: 2}
	theReply  = supportbee.Reply{
		ID: 41, CreatedAt: at(10, 30, 0), Summary: "A refund is on its way", Merged: true, CC: []supportbee.Person{ann}, BCC: []supportbee.Person{ben},
		Ticket: theCounts, Replier: ben, Content: longContent("A refund is on its way"),
	}
	theComment = supportbee.Comment{ID: 51, CreatedAt: at(10, 40, 0), Merged: true, Ticket: theCounts, Commenter: ben, Content: longContent("The third one")}
	theUser    = supportbee.User{
		ID: 12, Type: supportbee.UserTypeUser, Email: "ben@acme.example", Name: "Ben Bauer", FirstName: "Ben", LastName: "Bauer",
		Role: supportbee.RoleAdmin, Agent: true, Picture: picture("12"), TwoFactorAuthenticationEnabled: true, CanMembersAccessGroupTickets: true,
		EmailDomains: []string{"acme.example"}, MembersCount: 8, ActiveTicketsCount: 5, RequestedTicketsCount: 6, Teams: []*supportbee.Team{&support},
	}
	theDraft = supportbee.Draft{
		ID: 61, CC: []supportbee.Person{ann}, BCC: []supportbee.Person{ben}, LastSavedBy: &ben, LastSavedAt: at(10, 50, 0), Content: longContent("Dear Ann"),
	}
	theSnippet = supportbee.Snippet{
		ID: 71, CreatedAt: at(11, 0, 0), Name: "Thanks", Tags: "closing, friendly", Content: supportbee.Content{Text: "Thank you", HTML: "<p>Thank you</p>"},
	}
	theUserAssignment = supportbee.UserAssignment{ID: 81, CreatedAt: at(10, 0, 0), Ticket: supportbee.TicketRef{ID: 7}, User: &ben}
	theTeamAssignment = supportbee.TeamAssignment{ID: 82, CreatedAt: at(10, 0, 0), Ticket: supportbee.TicketRef{ID: 7}, Team: &support}
)

func longContent(text string) supportbee.Content {
	return supportbee.Content{HTML: "<p>" + text + "</p>", Text: text, Truncated: true, Attachments: []supportbee.Attachment{photo}}
}

// one makes a result of a call that has two.
func one[T any](value T, err error) (any, error) { return value, err }

// none makes a result of a call that has only an error.
func none(err error) (any, error) { return nil, err }

func everyField() supportbee.TicketListOptions {
	return supportbee.TicketListOptions{
		Page: 2, PerPage: 30, Archived: supportbee.ArchivedAny, Spam: true, Trash: true, Replies: new(true), MaxReplies: 4,
		AssignedUser: supportbee.AssignedToUser(12), AssignedTeam: supportbee.AssignedToTeam(21), Label: "very important",
		Since: at(9, 0, 0).In(time.FixedZone("", 3600)), Until: at(10, 0, 0), SortBy: supportbee.SortByCreationTime,
		RequesterEmails: []string{"ann@example.com", "bo@example.com"},
	}
}

// Every operation once, with everything that it can send and everything that it can return.
func TestOperations(t *testing.T) {
	t.Parallel()
	type client = *supportbee.Client
	long := supportbee.ContentParams{Text: "Hi", HTML: "<p>Hi</p>", AttachmentIDs: []supportbee.AttachmentID{31, 32}}
	const longJSON = `{"text":"Hi","html":"<p>Hi</p>","attachment_ids":[31,32]}`
	page := &supportbee.TicketPage{Total: 31, Page: 2, PerPage: 15, TotalPages: 3, Tickets: []*supportbee.Ticket{&theTicket}}
	tests := []struct {
		op     string
		expect exchange
		call   func(context.Context, client) (any, error)
		want   any
	}{
		{
			"Tickets.List",
			exchange{"GET", "/tickets?archived=any&assigned_team=21&assigned_user=12&label=very+important&max_replies=4&page=2&per_page=30&replies=true&requester_emails=ann%40example.com%2Cbo%40example.com&since=2026-03-01T09%3A00%3A00Z&sort_by=creation_time&spam=true&trash=true&until=2026-03-01T10%3A00%3A00Z", "", 200, "tickets.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.List(ctx, everyField())) }, page,
		},
		{
			"Tickets.List",
			exchange{"GET", "/tickets", "", 200, `{"total":0,"current_page":1,"per_page":15,"total_pages":0,"tickets":[]}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.List(ctx, supportbee.TicketListOptions{}))
			}, &supportbee.TicketPage{Page: 1, PerPage: 15, Tickets: []*supportbee.Ticket{}},
		},
		{
			"Tickets.List",
			exchange{"GET", "/tickets?archived=true&assigned_team=mine&assigned_user=me&replies=false", "", 200, "tickets.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.List(ctx, supportbee.TicketListOptions{
					Archived: supportbee.ArchivedOnly, Replies: new(false), AssignedUser: supportbee.AssignedToMe, AssignedTeam: supportbee.AssignedToMyTeams,
				}))
			}, page,
		},
		{
			"Tickets.List",
			exchange{"GET", "/tickets?archived=any&label=x&total_only=true", "", 200, `{"total":42}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.Count(ctx, supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, Label: "x"}))
			}, 42,
		},
		{
			"Tickets.Search",
			exchange{"GET", "/tickets/search?page=2&per_page=30&query=broken+kettle&spam=true&trash=true", "", 200, "tickets.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.Search(ctx, "broken kettle", supportbee.TicketSearchOptions{Page: 2, PerPage: 30, Spam: true, Trash: true}))
			}, page,
		},
		{
			"Tickets.Get",
			exchange{"GET", "/tickets/7", "", 200, "ticket.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.Get(ctx, 7)) }, &theTicket,
		},
		{
			"Tickets.Create",
			exchange{"POST", "/tickets", `{"ticket":{"subject":"S","requester_name":"Ann","requester_email":"ann@example.com","cc":["a@b.c"],"bcc":["Bo <bo@b.c>"],"notify_requester":true,"content":` + longJSON + `,"forwarding_address_id":"91"}}`, 201, "ticket.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.Create(ctx, supportbee.TicketParams{
					Subject: "S", RequesterName: "Ann", RequesterEmail: "ann@example.com", CC: []string{"a@b.c"}, BCC: []string{"Bo <bo@b.c>"},
					NotifyRequester: true, Content: long, ForwardingAddressID: 91,
				}))
			}, &theTicket,
		},
		{
			"Tickets.Create",
			exchange{"POST", "/tickets", `{"ticket":{"requester_email":"ann@example.com","content":{"html":"<b>"}}}`, 201, "ticket_bare.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.HTML("<b>")}))
			}, &theTicket,
		},
		{"Tickets.Delete", exchange{"DELETE", "/tickets/7", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.Delete(ctx, 7)) }, nil},
		{"Tickets.Archive", exchange{"POST", "/tickets/7/archive", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.Archive(ctx, 7)) }, nil},
		{"Tickets.Unarchive", exchange{"DELETE", "/tickets/7/archive", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.Unarchive(ctx, 7)) }, nil},
		{"Tickets.MarkAnswered", exchange{"POST", "/tickets/7/answered", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.MarkAnswered(ctx, 7)) }, nil},
		{"Tickets.MarkUnanswered", exchange{"DELETE", "/tickets/7/answered", "", 200, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.MarkUnanswered(ctx, 7)) }, nil},
		{"Tickets.MarkSpam", exchange{"POST", "/tickets/7/spam", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.MarkSpam(ctx, 7)) }, nil},
		{"Tickets.UnmarkSpam", exchange{"DELETE", "/tickets/7/spam", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.UnmarkSpam(ctx, 7)) }, nil},
		{"Tickets.Trash", exchange{"POST", "/tickets/7/trash", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.Trash(ctx, 7)) }, nil},
		{"Tickets.Untrash", exchange{"DELETE", "/tickets/7/trash", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.Untrash(ctx, 7)) }, nil},
		{
			"Tickets.AssignUser",
			exchange{"POST", "/tickets/7/user_assignment", `{"user_assignment":{"user_id":12}}`, 201, "user_assignment.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.AssignUser(ctx, 7, 12)) }, &theUserAssignment,
		},
		{
			"Tickets.AssignUser",
			exchange{"POST", "/tickets/7/user_assignment", `{"user_assignment":{"user_id":12}}`, 201, "user_assignment_documented.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.AssignUser(ctx, 7, 12)) }, &theUserAssignment,
		},
		{"Tickets.UnassignUser", exchange{"DELETE", "/tickets/7/user_assignment", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.UnassignUser(ctx, 7)) }, nil},
		{
			"Tickets.AssignTeam",
			exchange{"POST", "/tickets/7/team_assignment", `{"team_assignment":{"team_id":21}}`, 201, "team_assignment.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.AssignTeam(ctx, 7, 21)) }, &theTeamAssignment,
		},
		{
			"Tickets.AssignTeam",
			exchange{"POST", "/tickets/7/team_assignment", `{"team_assignment":{"team_id":21}}`, 201, "team_assignment_documented.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.AssignTeam(ctx, 7, 21)) }, &theTeamAssignment,
		},
		{"Tickets.UnassignTeam", exchange{"DELETE", "/tickets/7/team_assignment", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Tickets.UnassignTeam(ctx, 7)) }, nil},
		{
			"Labels.Add",
			exchange{"POST", "/tickets/7/labels/very%20important%2F%C3%BC%25", "", 201, `{"label":{"id":9,"label":"very important","ticket":7}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Labels.Add(ctx, 7, "very important/ü%"))
			},
			&supportbee.Labeling{ID: 9, Label: "very important", Ticket: 7},
		},
		{"Labels.Remove", exchange{"DELETE", "/tickets/7/labels/refund", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Labels.Remove(ctx, 7, "refund")) }, nil},
		{
			"Tickets.Audit",
			exchange{"GET", "/tickets/7/audit", "", 200, "audit.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Tickets.Audit(ctx, 7)) },
			[]*supportbee.AuditEntry{
				{Action: "Commented", Actor: &supportbee.AuditActor{Name: "Ben Bauer", Email: "ben@acme.example"}, URL: "#comments/51", Severity: "info", HappenedAt: at(10, 40, 0)},
				{Action: "Archived", URL: "#ticket", Severity: "warning", HappenedAt: at(11, 40, 0)},
			},
		},
		{
			"Drafts.Get",
			exchange{"GET", "/tickets/7/draft?quote=false&time_zone=Europe%2FBerlin", "", 200, "draft.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Drafts.Get(ctx, 7, supportbee.DraftGetOptions{OmitQuote: true, TimeZone: "Europe/Berlin"}))
			}, &theDraft,
		},
		{
			"Drafts.Get",
			exchange{"GET", "/tickets/7/draft", "", 200, `{"draft":{"id":null,"cc":null,"last_saved_by":null,"last_saved_at":null,"content":{"text":"> x"}}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Drafts.Get(ctx, 7, supportbee.DraftGetOptions{}))
			}, &supportbee.Draft{Content: supportbee.Content{Text: "> x"}},
		},
		{
			"Drafts.Create",
			exchange{"POST", "/tickets/7/draft", `{"draft":{"content":` + longJSON + `,"cc":"a@b.c, Bo <bo@b.c>","bcc":""}}`, 201, "draft.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Drafts.Create(ctx, 7, supportbee.DraftParams{Content: long, CC: []string{"a@b.c", "Bo <bo@b.c>"}, BCC: []string{}}))
			}, &theDraft,
		},
		{
			"Drafts.Update",
			exchange{"PUT", "/tickets/7/draft", `{"draft":{"content":{"text":"x"}}}`, 200, "draft.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Drafts.Update(ctx, 7, supportbee.DraftParams{Content: supportbee.Text("x")}))
			}, &theDraft,
		},
		{"Drafts.Delete", exchange{"DELETE", "/tickets/7/draft", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Drafts.Delete(ctx, 7)) }, nil},
		{
			"Replies.List",
			exchange{"GET", "/tickets/7/replies", "", 200, "replies.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Replies.List(ctx, 7)) },
			[]*supportbee.Reply{&theReply},
		},
		{
			"Replies.Create",
			exchange{"POST", "/tickets/7/replies", `{"reply":{"content":` + longJSON + `,"cc":["a@b.c"],"bcc":["b@b.c"],"on_behalf_of":{"id":12}}}`, 201, "reply.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: long, CC: []string{"a@b.c"}, BCC: []string{"b@b.c"}, OnBehalfOf: &supportbee.AgentRef{ID: 12}}))
			}, &theReply,
		},
		{
			"Replies.Create",
			exchange{"POST", "/tickets/7/replies", `{"reply":{"content":{"text":"x"},"on_behalf_of":{"email":"ben@acme.example"}}}`, 201, "reply.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("x"), OnBehalfOf: &supportbee.AgentRef{Email: "ben@acme.example"}}))
			}, &theReply,
		},
		{
			"Replies.Get",
			exchange{"GET", "/tickets/7/replies/41", "", 200, "reply.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Replies.Get(ctx, 7, 41)) }, &theReply,
		},
		{
			"Replies.Get",
			exchange{"GET", "/tickets/7/replies/41", "", 200, "reply_bare.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Replies.Get(ctx, 7, 41)) }, &theReply,
		},
		{
			"Comments.List",
			exchange{"GET", "/tickets/7/comments", "", 200, "comments.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Comments.List(ctx, 7)) },
			[]*supportbee.Comment{&theComment},
		},
		{
			"Comments.Create",
			exchange{"POST", "/tickets/7/comments", `{"comment":{"content":` + longJSON + `}}`, 201, "comment.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Comments.Create(ctx, 7, supportbee.CommentParams{Content: long}))
			}, &theComment,
		},
		{
			"Users.List",
			exchange{"GET", "/users?type=user&with_invited=true&with_roles=admin%2Ccustomer", "", 200, "users.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.List(ctx, supportbee.UserListOptions{
					IncludeInvited: true, Roles: []supportbee.Role{supportbee.RoleAdmin, supportbee.RoleCustomer}, Type: supportbee.UserTypeUser,
				}))
			},
			[]*supportbee.User{&theUser},
		},
		{
			"Users.Create",
			exchange{"POST", "/users", `{"user":{"type":"user","email":"ben@acme.example","name":"Ben","role":20,"team_ids":[21,22]}}`, 201, "user.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Create(ctx, supportbee.UserParams{
					Type: supportbee.UserTypeUser, Email: "ben@acme.example", Name: "Ben", Role: supportbee.RoleAdmin, TeamIDs: []supportbee.TeamID{21, 22},
				}))
			}, &theUser,
		},
		{
			"Users.Create",
			exchange{"POST", "/users", `{"user":{"type":"customer_group","name":"Example","can_members_access_group_tickets":true,"email_domains":["example.com"]}}`, 201, "user.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Create(ctx, supportbee.UserParams{
					Type: supportbee.UserTypeCustomerGroup, Name: "Example", CanMembersAccessGroupTickets: true, EmailDomains: []string{"example.com"},
				}))
			}, &theUser,
		},
		{
			"Users.Get",
			exchange{"GET", "/users/12?max_tickets=2", "", 200, "user_with_tickets.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Get(ctx, 12, supportbee.UserGetOptions{MaxTickets: 2}))
			}, withTickets(theUser),
		},
		{
			"Users.Get",
			exchange{"GET", "/users/12?max_tickets=false", "", 200, "user_beside_tickets.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Get(ctx, 12, supportbee.UserGetOptions{AllTickets: true}))
			}, withTickets(theUser),
		},
		{
			"Users.Update",
			exchange{"PUT", "/users/12", `{"user":{"email":"b@acme.example","name":"","role":9,"team_ids":[],"can_members_access_group_tickets":false,"email_domains":[]}}`, 200, "user.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Update(ctx, 12, supportbee.UserUpdateParams{
					Email: new("b@acme.example"), Name: new(""), Role: supportbee.RoleCollaborator, TeamIDs: []supportbee.TeamID{},
					CanMembersAccessGroupTickets: new(false), EmailDomains: []string{},
				}))
			}, &theUser,
		},
		{
			"Users.Update",
			exchange{"PUT", "/users/12", `{"user":{"role":10}}`, 200, "user.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Users.Update(ctx, 12, supportbee.UserUpdateParams{Role: supportbee.RoleAgent}))
			}, &theUser,
		},
		{
			"Users.Members",
			exchange{"GET", "/users/13/members", "", 200, "users.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Users.Members(ctx, 13)) },
			[]*supportbee.User{&theUser},
		},
		{
			"Users.AddMember",
			exchange{"POST", "/users/13/members", `{"member":{"id":12}}`, 201, "user.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Users.AddMember(ctx, 13, 12)) }, &theUser,
		},
		{
			"Teams.List",
			exchange{"GET", "/teams?user=me&with_users=true", "", 200, "teams.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Teams.List(ctx, supportbee.TeamListOptions{WithUsers: true, Mine: true}))
			},
			[]*supportbee.Team{&support},
		},
		{
			"Labels.List",
			exchange{"GET", "/labels", "", 200, "labels.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Labels.List(ctx)) },
			[]*supportbee.Label{&theLabels[0], &theLabels[1]},
		},
		{
			"Snippets.List",
			exchange{"GET", "/snippets", "", 200, "snippets.json", nil},
			func(ctx context.Context, c client) (any, error) { return one(c.Snippets.List(ctx)) },
			[]*supportbee.Snippet{&theSnippet},
		},
		{
			"Snippets.Create",
			exchange{"POST", "/snippets", `{"snippet":{"name":"Thanks","tags":"a, b","content":{"html":"<p>"}}}`, 201, "snippet.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Snippets.Create(ctx, supportbee.SnippetParams{Name: "Thanks", Tags: "a, b", Content: supportbee.HTML("<p>")}))
			}, &theSnippet,
		},
		{
			"Snippets.Update",
			exchange{"PUT", "/snippets/71", `{"snippet":{"name":"Thanks","content":{"text":"x"}}}`, 200, "snippet.json", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Snippets.Update(ctx, 71, supportbee.SnippetParams{Name: "Thanks", Content: supportbee.Text("x")}))
			}, &theSnippet,
		},
		{"Snippets.Delete", exchange{"DELETE", "/snippets/71", "", 204, "", nil}, func(ctx context.Context, c client) (any, error) { return none(c.Snippets.Delete(ctx, 71)) }, nil},
		{
			"ForwardingAddresses.List",
			exchange{"GET", "/emails", "", 200, `{"emails":[{"id":91,"email":"help@acme.example","name":"Help"}]}`, nil},
			func(ctx context.Context, c client) (any, error) { return one(c.ForwardingAddresses.List(ctx)) },
			[]*supportbee.ForwardingAddress{{ID: 91, Email: "help@acme.example", Name: "Help"}},
		},
		{
			"ForwardingAddresses.List",
			exchange{"GET", "/emails", "", 200, `{"forwarding_addresses":[{"id":"91","email":"help@acme.example","name":null}]}`, nil},
			func(ctx context.Context, c client) (any, error) { return one(c.ForwardingAddresses.List(ctx)) },
			[]*supportbee.ForwardingAddress{{ID: 91, Email: "help@acme.example"}},
		},
		{
			"ForwardingAddresses.Create",
			exchange{"POST", "/emails", `{"forwarding_address":{"email":"help@acme.example","name":"Help","filter_spam":true,"use_agent_name":true}}`, 201, `{"forwarding_address":{"id":91,"email":"help@acme.example","name":"Help"}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{Email: "help@acme.example", Name: "Help", FilterSpam: true, UseAgentName: true}))
			}, &supportbee.ForwardingAddress{ID: 91, Email: "help@acme.example", Name: "Help"},
		},
		{
			"Filters.CreateRule",
			exchange{"POST", "/rules", `{"rule":{"requester_email":"a","delivered_to":"b","subject":"c","body":"d"}}`, 201, `{"rule":{"id":"5_20130430051603"}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Filters.CreateRule(ctx, supportbee.RuleParams{RequesterEmail: "a", DeliveredTo: "b", Subject: "c", Body: "d"}))
			}, &supportbee.Rule{ID: "5_20130430051603"},
		},
		{
			"Filters.CreateConsequence",
			exchange{"POST", "/consequences", `{"consequence":{"archive":true,"spam":true,"trash":true,"label":"refund","assign_user":"12","assign_team":"21"}}`, 201, `{"consequence":{"id":6}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{Archive: true, Spam: true, Trash: true, Label: "refund", AssignUser: 12, AssignTeam: 21}))
			}, &supportbee.Consequence{ID: "6"},
		},
		{
			"Filters.Create",
			exchange{"POST", "/filters", `{"rule_id":"5","consequence_id":"6"}`, 201, `{"filter":{"id":"8_2026"}}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "5", ConsequenceID: "6"}))
			}, &supportbee.Filter{ID: "8_2026", RuleID: "5", ConsequenceID: "6"},
		},
		{
			"Filters.Create",
			exchange{"POST", "/filters", `{"rule_id":"5","consequence_id":"6"}`, 201, `{"id":8}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "5", ConsequenceID: "6"}))
			}, &supportbee.Filter{ID: "8", RuleID: "5", ConsequenceID: "6"},
		},
		{
			"Filters.Create",
			exchange{"POST", "/filters", `{"rule_id":"5","consequence_id":"6"}`, 201, "", nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "5", ConsequenceID: "6"}))
			}, &supportbee.Filter{RuleID: "5", ConsequenceID: "6"},
		},
		{
			"Reports.AvgFirstResponseTime",
			exchange{"GET", "/reports/avg_first_response_time?label=a+b&since=2026-03-01T09%3A00%3A00Z&team=21&user=12", "", 200, `{"data_points":[{"value":"42.5","timestamp":"1360627200"},{"value":7,"timestamp":1360713600},{"value":null,"timestamp":""}]}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Reports.AvgFirstResponseTime(ctx, supportbee.ReportOptions{UserID: 12, TeamID: 21, Label: "a b", Since: at(9, 0, 0)}))
			},
			[]supportbee.DataPoint{
				{Value: 42.5, Time: time.Date(2013, 2, 12, 0, 0, 0, 0, time.UTC)}, {Value: 7, Time: time.Date(2013, 2, 13, 0, 0, 0, 0, time.UTC)}, {},
			},
		},
		{
			"Reports.TicketsCount",
			exchange{"GET", "/reports/tickets_count", "", 200, `{"data_points":[]}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Reports.TicketsCount(ctx, supportbee.ReportOptions{}))
			},
			[]supportbee.DataPoint{},
		},
		{
			"Reports.RepliesCount",
			exchange{"GET", "/reports/replies_count?team=21", "", 200, `{"data_points":[{"value":"3","timestamp":"1360627200"}]}`, nil},
			func(ctx context.Context, c client) (any, error) {
				return one(c.Reports.RepliesCount(ctx, supportbee.ReportOptions{TeamID: 21}))
			},
			[]supportbee.DataPoint{{Value: 3, Time: time.Date(2013, 2, 12, 0, 0, 0, 0, time.UTC)}},
		},
	}
	var tested []string
	for _, tt := range tests {
		tested = append(tested, tt.op)
		t.Run(tt.op, func(t *testing.T) {
			t.Parallel()
			got, err := tt.call(t.Context(), newScript(t, tt.expect))
			require.NoError(t, err)
			assertSame(t, tt.want, got)
		})
		if tt.op != "Filters.Create" { // whose error is a FilterError's part, too
			t.Run(tt.op+" fails", func(t *testing.T) {
				t.Parallel()
				refused := tt.expect
				refused.status, refused.reply = http.StatusConflict, `{"error":"No."}`
				got, err := tt.call(t.Context(), newScript(t, refused))
				require.ErrorIs(t, err, supportbee.ErrConflict)
				assert.ErrorContains(t, err, ": 409 Conflict: No. (request the-request)")
				assert.True(t, got == nil || reflect.ValueOf(got).IsZero(), "%v comes with an error", got)
			})
		}
	}
	tested = append(tested, "Attachments.Upload") // in attachments_test.go
	for _, o := range operations(t) {
		assert.Contains(t, tested, o.name)
	}
}

func withTickets(user supportbee.User) *supportbee.User {
	user.Tickets = []*supportbee.Ticket{&theTicket}
	return &user
}

// assertSame compares values, and times by what they show: a zone has no equality of its own.
func assertSame(t *testing.T, want, got any) {
	t.Helper()
	assert.Equal(t, shown(t, want), shown(t, got))
	assert.Equal(t, reflect.TypeOf(want), reflect.TypeOf(got))
}

// shown is the value's JSON, which for the types of this package shows every field.
func shown(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", " ")
	require.NoError(t, err)
	return string(text)
}

// What comes from the server can be kept with encoding/json, and comes back the same.
func TestResultsRoundTripThroughJSON(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		&theTicket, &theReply, &theComment, withTickets(theUser), &theDraft, &theSnippet, &theUserAssignment, &theTeamAssignment, &photo,
		&supportbee.TicketPage{Total: 1, Page: 2, PerPage: 3, TotalPages: 4, Tickets: []*supportbee.Ticket{&theTicket}},
		&supportbee.AuditEntry{Action: "a", Actor: &supportbee.AuditActor{Name: "n"}, URL: "u", Severity: "s", HappenedAt: at(1, 2, 3)},
		&supportbee.Labeling{ID: 1, Label: "l", Ticket: 2}, &supportbee.DataPoint{Value: 1.5, Time: at(1, 2, 3)},
		&supportbee.ForwardingAddress{ID: 1, Email: "e", Name: "n"}, &supportbee.Filter{ID: "1", RuleID: "2", ConsequenceID: "3"},
		&supportbee.Rule{ID: "1"}, &supportbee.Consequence{ID: "2"}, &supportbee.Webhook{Action: "x", Ticket: &theTicket, Reply: &theReply},
	} {
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		back := reflect.New(reflect.TypeOf(value).Elem()).Interface()
		require.NoError(t, json.Unmarshal(encoded, back))
		assert.Equal(t, shown(t, value), shown(t, back))
		for i := range reflect.ValueOf(value).Elem().NumField() {
			field := reflect.TypeOf(value).Elem().Field(i)
			if reflect.ValueOf(value).Elem().Field(i).IsZero() {
				continue
			}
			assert.False(t, reflect.ValueOf(back).Elem().Field(i).IsZero(), "%T.%s is lost", value, field.Name)
		}
	}
	role, err := json.Marshal(theUser.Role)
	require.NoError(t, err)
	assert.JSONEq(t, `"admin"`, string(role), "only requests hold numbers")
}

// Input that cannot be right is refused before the network.
func TestValidation(t *testing.T) {
	t.Parallel()
	type client = *supportbee.Client
	text := supportbee.Text("x")
	many := slices.Repeat([]string{"a@b.c"}, 26)
	for want, call := range map[string]func(context.Context, client) error{
		"Tickets.Get: invalid argument: id must be positive, got 0":                               func(ctx context.Context, c client) error { _, err := c.Tickets.Get(ctx, 0); return err },
		"Tickets.Archive: invalid argument: id must be positive, got -1":                          func(ctx context.Context, c client) error { return c.Tickets.Archive(ctx, -1) },
		"Replies.Get: invalid argument: reply_id must be positive, got 0":                         func(ctx context.Context, c client) error { _, err := c.Replies.Get(ctx, 1, 0); return err },
		"Snippets.Delete: invalid argument: id must be positive, got 0":                           func(ctx context.Context, c client) error { return c.Snippets.Delete(ctx, 0) },
		"Users.Members: invalid argument: id must be positive, got 0":                             func(ctx context.Context, c client) error { _, err := c.Users.Members(ctx, 0); return err },
		"Users.AddMember: invalid argument: user must be positive, got 0":                         func(ctx context.Context, c client) error { _, err := c.Users.AddMember(ctx, 1, 0); return err },
		"Tickets.AssignUser: invalid argument: user must be positive, got 0":                      func(ctx context.Context, c client) error { _, err := c.Tickets.AssignUser(ctx, 1, 0); return err },
		"Tickets.AssignTeam: invalid argument: team must be positive, got -5":                     func(ctx context.Context, c client) error { _, err := c.Tickets.AssignTeam(ctx, 1, -5); return err },
		`Labels.Add: invalid argument: name must not be empty, "." or "..", got ""`:               func(ctx context.Context, c client) error { _, err := c.Labels.Add(ctx, 1, ""); return err },
		`Labels.Add: invalid argument: name must not be empty, "." or "..", got ".."`:             func(ctx context.Context, c client) error { _, err := c.Labels.Add(ctx, 1, ".."); return err },
		`Labels.Remove: invalid argument: name must not be empty, "." or "..", got "."`:           func(ctx context.Context, c client) error { return c.Labels.Remove(ctx, 1, ".") },
		`Labels.Remove: invalid argument: name must not be empty, "." or "..", got " "`:           func(ctx context.Context, c client) error { return c.Labels.Remove(ctx, 1, " ") },
		"Tickets.List: invalid argument: PerPage must be 1 to 100, or 0 for the default, got 101": listing(supportbee.TicketListOptions{PerPage: 101}),
		"Tickets.List: invalid argument: PerPage must be 1 to 100, or 0 for the default, got -1":  listing(supportbee.TicketListOptions{PerPage: -1}),
		"Tickets.List: invalid argument: Page must not be negative, got -1":                       listing(supportbee.TicketListOptions{Page: -1}),
		"Tickets.List: invalid argument: MaxReplies must not be negative, got -1":                 listing(supportbee.TicketListOptions{MaxReplies: -1}),
		"Tickets.List: invalid argument: MaxReplies cannot be combined with Replies false":        listing(supportbee.TicketListOptions{MaxReplies: 1, Replies: new(false)}),
		"Tickets.List: invalid argument: Until is before Since":                                   listing(supportbee.TicketListOptions{Since: at(2, 0, 0), Until: at(1, 0, 0)}),
		"Tickets.List: invalid argument: RequesterEmails is not an e-mail address":                listing(supportbee.TicketListOptions{RequesterEmails: []string{"a@b.c,d@e.f"}}),
		"Tickets.Count: invalid argument: MaxReplies must not be negative, got -1": func(ctx context.Context, c client) error {
			_, err := c.Tickets.Count(ctx, supportbee.TicketListOptions{MaxReplies: -1})
			return err
		},
		"Tickets.Search: invalid argument: text is required": func(ctx context.Context, c client) error {
			_, err := c.Tickets.Search(ctx, " ", supportbee.TicketSearchOptions{})
			return err
		},
		"Tickets.Search: invalid argument: PerPage must be 1 to 100, or 0 for the default, got 200": func(ctx context.Context, c client) error {
			_, err := c.Tickets.Search(ctx, "x", supportbee.TicketSearchOptions{PerPage: 200})
			return err
		},
		"Tickets.Create: invalid argument: RequesterEmail is required":              opening(supportbee.TicketParams{Content: text}),
		"Tickets.Create: invalid argument: RequesterEmail is not an e-mail address": opening(supportbee.TicketParams{RequesterEmail: "a@b.c\r\nX: y", Content: text}),
		"Tickets.Create: invalid argument: Content needs Text or HTML":              opening(supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text(" \n")}),
		"Tickets.Create: invalid argument: Content.AttachmentIDs must be positive, got 0": opening(supportbee.TicketParams{
			RequesterEmail: "a@b.c", Content: supportbee.ContentParams{Text: "x", AttachmentIDs: []supportbee.AttachmentID{0}},
		}),
		"Tickets.Create: invalid argument: CC takes at most 25 addresses, got 26":             opening(supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, CC: many}),
		"Tickets.Create: invalid argument: BCC takes at most 25 addresses, got 26":            opening(supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, BCC: many}),
		`Tickets.Create: invalid argument: CC [1] is neither "a@b.c" nor "Name <a@b.c>"`:      opening(supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, CC: []string{"a@b.c", "b"}}),
		"Tickets.Create: invalid argument: ForwardingAddressID must be positive, got -1":      opening(supportbee.TicketParams{RequesterEmail: "a@b.c", Content: text, ForwardingAddressID: -1}),
		"Replies.Create: invalid argument: Content needs Text or HTML":                        replying(supportbee.ReplyParams{}),
		"Replies.Create: invalid argument: CC takes at most 25 addresses, got 26":             replying(supportbee.ReplyParams{Content: text, CC: many}),
		"Replies.Create: invalid argument: OnBehalfOf needs either a positive ID or an Email": replying(supportbee.ReplyParams{Content: text, OnBehalfOf: &supportbee.AgentRef{}}),
		"Comments.Create: invalid argument: Content needs Text or HTML": func(ctx context.Context, c client) error {
			_, err := c.Comments.Create(ctx, 1, supportbee.CommentParams{})
			return err
		},
		"Drafts.Create: invalid argument: Content needs Text or HTML": func(ctx context.Context, c client) error {
			_, err := c.Drafts.Create(ctx, 1, supportbee.DraftParams{})
			return err
		},
		"Drafts.Update: invalid argument: BCC takes at most 25 addresses, got 26": func(ctx context.Context, c client) error {
			_, err := c.Drafts.Update(ctx, 1, supportbee.DraftParams{Content: text, BCC: many})
			return err
		},
		"Users.Create: invalid argument: Email is required":                                               inviting(supportbee.UserParams{Name: "x"}),
		"Users.Create: invalid argument: Name is required for a customer group":                           inviting(supportbee.UserParams{Type: supportbee.UserTypeCustomerGroup}),
		"Users.Create: invalid argument: Email must be empty for a customer group":                        inviting(supportbee.UserParams{Type: supportbee.UserTypeCustomerGroup, Name: "x", Email: "a@b.c"}),
		`Users.Create: invalid argument: Role must be "admin", "agent" or "collaborator", got "customer"`: inviting(supportbee.UserParams{Email: "a@b.c", Role: supportbee.RoleCustomer}),
		"Users.Create: invalid argument: TeamIDs must be positive, got 0":                                 inviting(supportbee.UserParams{Email: "a@b.c", TeamIDs: []supportbee.TeamID{0}}),
		"Users.Update: invalid argument: UserUpdateParams changes nothing: set at least one field":        updating(supportbee.UserUpdateParams{}),
		"Users.Update: invalid argument: Email is required":                                               updating(supportbee.UserUpdateParams{Email: new("")}),
		`Users.Update: invalid argument: Role must be "admin", "agent" or "collaborator", got "boss"`:     updating(supportbee.UserUpdateParams{Role: "boss"}),
		"Users.Get: invalid argument: MaxTickets must not be negative, got -1":                            reading(supportbee.UserGetOptions{MaxTickets: -1}),
		"Users.Get: invalid argument: MaxTickets cannot be combined with AllTickets":                      reading(supportbee.UserGetOptions{MaxTickets: 1, AllTickets: true}),
		"Snippets.Create: invalid argument: Name is required": func(ctx context.Context, c client) error {
			_, err := c.Snippets.Create(ctx, supportbee.SnippetParams{Content: text})
			return err
		},
		"Snippets.Update: invalid argument: Content needs Text or HTML": func(ctx context.Context, c client) error {
			_, err := c.Snippets.Update(ctx, 1, supportbee.SnippetParams{Name: "x"})
			return err
		},
		"ForwardingAddresses.Create: invalid argument: Email is required": func(ctx context.Context, c client) error {
			_, err := c.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{})
			return err
		},
		"Filters.CreateRule: invalid argument: RuleParams needs at least one field": func(ctx context.Context, c client) error {
			_, err := c.Filters.CreateRule(ctx, supportbee.RuleParams{})
			return err
		},
		"Filters.CreateConsequence: invalid argument: ConsequenceParams needs at least one field": func(ctx context.Context, c client) error {
			_, err := c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{})
			return err
		},
		"Filters.CreateConsequence: invalid argument: AssignUser must be positive, got -1": func(ctx context.Context, c client) error {
			_, err := c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{AssignUser: -1})
			return err
		},
		"Filters.CreateConsequence: invalid argument: AssignTeam must be positive, got -1": func(ctx context.Context, c client) error {
			_, err := c.Filters.CreateConsequence(ctx, supportbee.ConsequenceParams{AssignTeam: -1})
			return err
		},
		"Filters.Create: invalid argument: RuleID is required": func(ctx context.Context, c client) error {
			_, err := c.Filters.Create(ctx, supportbee.FilterParams{ConsequenceID: "6"})
			return err
		},
		"Filters.Create: invalid argument: ConsequenceID is required": func(ctx context.Context, c client) error {
			_, err := c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "5"})
			return err
		},
		"Filters.CreateWith: invalid argument: ConsequenceParams needs at least one field": func(ctx context.Context, c client) error {
			_, err := c.Filters.CreateWith(ctx, supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{})
			return err
		},
		"Reports.TicketsCount: invalid argument: UserID and TeamID must not be negative": func(ctx context.Context, c client) error {
			_, err := c.Reports.TicketsCount(ctx, supportbee.ReportOptions{TeamID: -1})
			return err
		},
		"Teams.List: invalid argument: context is nil": func(_ context.Context, c client) error {
			_, err := c.Teams.List(nil, supportbee.TeamListOptions{}) //nolint:staticcheck // that is the point
			return err
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			err := call(t.Context(), offline(t, "the-token"))
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
			assert.EqualError(t, err, "supportbee: "+want)
		})
	}
}

func listing(opts supportbee.TicketListOptions) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error { _, err := c.Tickets.List(ctx, opts); return err }
}

func opening(ticket supportbee.TicketParams) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error {
		_, err := c.Tickets.Create(ctx, ticket)
		return err
	}
}

func replying(reply supportbee.ReplyParams) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error {
		_, err := c.Replies.Create(ctx, 1, reply)
		return err
	}
}

func inviting(user supportbee.UserParams) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error { _, err := c.Users.Create(ctx, user); return err }
}

func updating(changes supportbee.UserUpdateParams) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error {
		_, err := c.Users.Update(ctx, 1, changes)
		return err
	}
}

func reading(opts supportbee.UserGetOptions) func(context.Context, *supportbee.Client) error {
	return func(ctx context.Context, c *supportbee.Client) error { _, err := c.Users.Get(ctx, 1, opts); return err }
}

func TestCreateWithTellsWhatExists(t *testing.T) {
	t.Parallel()
	rule := exchange{"POST", "/rules", `{"rule":{"subject":"x"}}`, 201, `{"rule":{"id":"5"}}`, nil}
	consequence := exchange{"POST", "/consequences", `{"consequence":{"archive":true}}`, 201, `{"consequence":{"id":"6"}}`, nil}
	filter := exchange{"POST", "/filters", `{"rule_id":"5","consequence_id":"6"}`, 201, `{"filter":{"id":"7"}}`, nil}
	fails := func(x exchange) exchange {
		x.status, x.reply = 400, `{"error":"No."}`
		return x
	}
	create := func(c *supportbee.Client) (*supportbee.Filter, error) {
		return c.Filters.CreateWith(t.Context(), supportbee.RuleParams{Subject: "x"}, supportbee.ConsequenceParams{Archive: true})
	}
	got, err := create(newScript(t, rule, consequence, filter))
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Filter{ID: "7", RuleID: "5", ConsequenceID: "6"}, got)

	for _, tt := range []struct {
		script []exchange
		want   supportbee.FilterError
		text   string
	}{
		{[]exchange{fails(rule)}, supportbee.FilterError{}, "filter not made: supportbee: Filters.CreateRule: POST /rules: 400"},
		{[]exchange{rule, fails(consequence)}, supportbee.FilterError{RuleID: "5"}, `filter not made (rule "5" exists): supportbee: Filters.CreateConsequence: `},
		{[]exchange{rule, consequence, fails(filter)}, supportbee.FilterError{RuleID: "5", ConsequenceID: "6"}, `filter not made (rule "5" and consequence "6" exist): supportbee: Filters.Create: `},
	} {
		got, err := create(newScript(t, tt.script...))
		assert.Nil(t, got)
		require.ErrorIs(t, err, supportbee.ErrValidation)
		var half *supportbee.FilterError
		require.ErrorAs(t, err, &half)
		assert.Equal(t, tt.want.RuleID, half.RuleID)
		assert.Equal(t, tt.want.ConsequenceID, half.ConsequenceID)
		assert.ErrorContains(t, err, "supportbee: Filters.CreateWith: "+tt.text)
	}
}

func TestWithoutATokenOnlyCreateWorks(t *testing.T) {
	t.Parallel()
	client := offline(t, "")
	_, err := client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrTokenRequired)
	require.EqualError(t, err, "supportbee: Tickets.Get: an API token is required: pass one to New")
	require.ErrorIs(t, client.Tickets.Archive(t.Context(), 7), supportbee.ErrTokenRequired)
	_, err = client.Attachments.Upload(t.Context(), "a", strings.NewReader("x"))
	require.ErrorIs(t, err, supportbee.ErrTokenRequired)
	require.ErrorIs(t, client.Attachments.Download(t.Context(), photo, io.Discard), supportbee.ErrTokenRequired)
	require.ErrorIs(t, client.Do(t.Context(), http.MethodGet, "/labels", nil, nil), supportbee.ErrTokenRequired)

	client, err = supportbee.New("acme", "", supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		assert.Empty(t, req.Header.Values("Authorization"))
		return respond(req, http.StatusCreated, `{"ticket":{"id":7}}`), nil
	})))
	require.NoError(t, err)
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
	require.NoError(t, err)
	assert.Equal(t, supportbee.TicketID(7), ticket.ID)
}

func TestParseWebhook(t *testing.T) {
	t.Parallel()
	reply, comment := theReply, theComment
	reply.Ticket, comment.Ticket = supportbee.TicketCounts{}, supportbee.TicketCounts{}
	got, err := supportbee.ParseWebhook(strings.NewReader(fixture(t, "webhook.json")))
	require.NoError(t, err)
	assertSame(t, &supportbee.Webhook{
		Action: supportbee.WebhookAgentReplyCreated, Company: supportbee.WebhookCompany{Subdomain: "acme", Name: "Acme"},
		Ticket: &theTicket, Reply: &reply, Comment: &comment, UserAssignment: &supportbee.UserAssignment{ID: 81, User: &ben},
		TeamAssignment: &supportbee.TeamAssignment{ID: 82, Team: &support}, Agent: &ben,
	}, got)

	got, err = supportbee.ParseWebhook(strings.NewReader(`{"payload":null}`))
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Webhook{Action: supportbee.WebhookCheck}, got)

	got, err = supportbee.ParseWebhook(strings.NewReader(`{"payload":{"action_type":"something.new","ticket":{"id":7}}}`))
	require.NoError(t, err)
	assert.Equal(t, supportbee.WebhookAction("something.new"), got.Action)

	for body, want := range map[string]string{
		"": "the JSON ends too early", "{}": `key "payload" is missing or null`, "[]": `want a JSON object with key "payload", got an array`,
		`{"payload":{}}`: `key "action_type" is missing or null`, `{"payload":{"action_type":"x","ticket":{"id":"7"}}}`: "at /payload/ticket/id: got a string, want an integer",
	} {
		_, err := supportbee.ParseWebhook(strings.NewReader(body))
		require.ErrorIs(t, err, supportbee.ErrMalformedResponse, body)
		assert.ErrorContains(t, err, "supportbee: ParseWebhook: malformed response: "+want)
	}
}
