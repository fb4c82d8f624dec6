package supportbee

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// PlannedRequest is a write that a dry run did not send. See [WithDryRun].
type PlannedRequest struct {
	Op     string          // such as "Replies.Create"
	Method string          // such as "POST"
	Path   string          // such as "/tickets/7/replies"; for [Client.Do] with the query
	Body   json.RawMessage // nil if the request has no JSON body
}

// PrintPlanned returns a function for [WithDryRun] that writes a line for each request to w, such as
// "not sent: Replies.Create, POST /tickets/7/replies". It leaves out the body, which can have personal
// data. The function is safe for concurrent use.
func PrintPlanned(w io.Writer) func(ctx context.Context, request PlannedRequest) {
	if w == nil {
		w = io.Discard
	}
	var mu sync.Mutex
	return func(_ context.Context, request PlannedRequest) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = fmt.Fprintf(w, "not sent: %s, %s %s\n", request.Op, request.Method, request.Path)
	}
}

// acceptZeroIDs makes a path with IDs of 0, which are those of resources that were not created.
func (rt *roundTrip) acceptZeroIDs() {
	rt.args = slices.Clone(rt.args)
	for i, arg := range rt.args {
		if _, err := arg.segment(); err == errZeroID { //nolint:errorlint // never wrapped
			rt.args[i] = nameSegment("0")
			rt.zeroID = true
		}
	}
}

// plan takes the place of sending a request in a dry run.
func (c *Client) plan(ctx context.Context, rt *roundTrip, content requestContent) error {
	if ctx.Err() != nil {
		return rt.failed(transport.ContextError(ctx))
	}
	if rt.class() == transport.Read {
		notFound := rt.newError(nil)
		notFound.StatusCode = http.StatusNotFound
		return notFound
	}
	planned := PlannedRequest{Op: rt.name, Method: rt.method, Path: rt.path}
	if rt.url.RawQuery != "" {
		planned.Path += "?" + rt.url.RawQuery
	}
	switch content := content.(type) {
	case *jsonBody:
		planned.Body = json.RawMessage(*content)
	case *upload:
		if err := content.readAll(ctx); err != nil {
			return rt.failed(err)
		}
		*rt.out.one.(*Attachment) = Attachment{Filename: content.name, ContentType: content.ContentType}
	}
	c.config.dryRun(ctx, planned)
	rt.fillPlanned()
	return nil
}

// readAll reads the form to its end, which finds the errors of the source and lets the writer of a
// pipe go on.
func (up *upload) readAll(ctx context.Context) error {
	defer up.close()
	if err := up.sniff(ctx); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, up.open(ctx))
	return err
}

// fillPlanned makes the result of a write that is not sent, of its parameters.
func (rt *roundTrip) fillPlanned() {
	if rt.route == "" { // Client.Do, whose result is the caller's
		return
	}
	switch p := rt.body.(type) {
	case *TicketParams:
		setPlanned(rt, Ticket{
			Subject: p.Subject, Requester: Person{Email: p.RequesterEmail, Name: p.RequesterName}, CC: plannedPeople(p.CC),
			BCC: plannedPeople(p.BCC), Content: p.Content.planned(), NotifyRequester: p.NotifyRequester,
		})
	case *ReplyParams:
		setPlanned(rt, Reply{
			Content: p.Content.planned(), CC: plannedPeople(p.CC), BCC: plannedPeople(p.BCC),
			Replier: Person{ID: p.OnBehalfOf.ID, Email: p.OnBehalfOf.Email}, Ticket: TicketCounts{ID: pathID[TicketID](rt)},
		})
	case *CommentParams:
		setPlanned(rt, Comment{Content: p.Content.planned()})
	case *draftBody:
		setPlanned(rt, Draft{Content: p.Content.planned(), CC: plannedPeople(p.params.CC), BCC: plannedPeople(p.params.BCC)})
	case *UserParams:
		setPlanned(rt, User{Teams: plannedTeams(p.TeamIDs), Person: Person{
			Type: p.Type, Email: p.Email, Name: p.Name, Role: p.Role,
			CanMembersAccessGroupTickets: valueOf(p.CanMembersAccessGroupTickets), EmailDomains: slices.Clone(p.EmailDomains),
		}})
	case *UserUpdateParams:
		setPlanned(rt, User{Teams: plannedTeams(p.TeamIDs), Person: Person{
			ID: pathID[UserID](rt), Type: p.Type, Email: valueOf(p.Email), Name: valueOf(p.Name), FirstName: valueOf(p.FirstName),
			LastName: valueOf(p.LastName), Role: p.Role,
			CanMembersAccessGroupTickets: valueOf(p.CanMembersAccessGroupTickets), EmailDomains: slices.Clone(p.EmailDomains),
		}})
	case *MemberParams:
		setPlanned(rt, User{Person: Person{ID: p.UserID}, CustomerGroups: []CustomerGroup{{ID: pathID[UserID](rt)}}})
	case *SnippetParams:
		setPlanned(rt, Snippet{Name: p.Name, Tags: p.Tags, Content: p.Content.planned()})
	case *SnippetUpdateParams:
		setPlanned(rt, Snippet{ID: pathID[SnippetID](rt), Name: valueOf(p.Name), Tags: valueOf(p.Tags), Content: valueOf(p.Content).planned()})
	case *ForwardingAddressParams:
		setPlanned(rt, ForwardingAddress{Email: p.Email, Name: p.Name})
	case *FilterParams:
		setPlanned(rt, Filter{RuleID: p.RuleID, ConsequenceID: p.ConsequenceID})
	case map[string]UserID:
		setPlanned(rt, UserAssignment{TicketID: pathID[TicketID](rt), User: Person{ID: p["user_id"]}})
	case map[string]TeamID:
		setPlanned(rt, TeamAssignment{TicketID: pathID[TicketID](rt), Team: Team{ID: p["team_id"]}})
	default:
		if labeling, ok := rt.out.one.(*Labeling); ok {
			name, _ := rt.args[1].(nameSegment)
			*labeling = Labeling{Label: string(name), TicketID: pathID[TicketID](rt)}
		}
	}
}

func setPlanned[T any](rt *roundTrip, value T) { *any(rt.out.one).(*T) = value }

// pathID returns the first ID in the path.
func pathID[ID segment](rt *roundTrip) ID {
	id, _ := rt.args[0].(ID) // 0 if it is that of a resource that was not created
	return id
}

func (p ContentParams) planned() Content {
	content := Content{Text: p.Text, HTML: p.HTML}
	for _, id := range p.AttachmentIDs {
		content.Attachments = append(content.Attachments, Attachment{ID: id})
	}
	return content
}

func plannedPeople(addresses []string) []Person {
	var people []Person
	for _, address := range addresses {
		var person Person
		person.readText(address)
		people = append(people, person)
	}
	return people
}

func plannedTeams(ids []TeamID) []Team {
	var teams []Team
	for _, id := range ids {
		teams = append(teams, Team{ID: id})
	}
	return teams
}
