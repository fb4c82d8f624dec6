package supportbeetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// operations are the documented operations of the API, the download of attachments, and operations
// that were documented once.
var operations = []operation{
	{op: "Tickets.List", method: http.MethodGet, route: "/tickets", handle: listTickets},
	{op: "Tickets.Create", method: http.MethodPost, route: "/tickets", write: true, anonymous: true, handle: createTicket},
	{op: "Tickets.Search", method: http.MethodGet, route: "/tickets/search", handle: searchTickets},
	{op: "Tickets.Get", method: http.MethodGet, route: "/tickets/{id}", handle: getTicket},
	{op: "Tickets.Delete", method: http.MethodDelete, route: "/tickets/{id}", write: true, admin: true, handle: deleteTicket},
	{op: "Tickets.Archive", method: http.MethodPost, route: "/tickets/{id}/archive", write: true, handle: setFlag(archived, true)},
	{op: "Tickets.Unarchive", method: http.MethodDelete, route: "/tickets/{id}/archive", write: true, handle: setFlag(archived, false)},
	{op: "Tickets.MarkAnswered", method: http.MethodPost, route: "/tickets/{id}/answered", write: true, handle: setFlag(answered, true)},
	{op: "Tickets.MarkUnanswered", method: http.MethodDelete, route: "/tickets/{id}/answered", write: true, handle: setFlag(answered, false)},
	{op: "Tickets.MarkSpam", method: http.MethodPost, route: "/tickets/{id}/spam", write: true, handle: setFlag(spam, true)},
	{op: "Tickets.UnmarkSpam", method: http.MethodDelete, route: "/tickets/{id}/spam", write: true, handle: setFlag(spam, false)},
	{op: "Tickets.Trash", method: http.MethodPost, route: "/tickets/{id}/trash", write: true, handle: setFlag(trash, true)},
	{op: "Tickets.Untrash", method: http.MethodDelete, route: "/tickets/{id}/trash", write: true, handle: setFlag(trash, false)},
	{op: "Tickets.AssignUser", method: http.MethodPost, route: "/tickets/{id}/user_assignment", write: true, handle: assignUser},
	{op: "Tickets.UnassignUser", method: http.MethodDelete, route: "/tickets/{id}/user_assignment", write: true, handle: unassignUser},
	{op: "Tickets.AssignTeam", method: http.MethodPost, route: "/tickets/{id}/team_assignment", write: true, handle: assignTeam},
	{op: "Tickets.UnassignTeam", method: http.MethodDelete, route: "/tickets/{id}/team_assignment", write: true, handle: unassignTeam},
	{op: "Labels.Add", method: http.MethodPost, route: "/tickets/{id}/labels/{name}", write: true, handle: addLabel},
	{op: "Labels.Remove", method: http.MethodDelete, route: "/tickets/{id}/labels/{name}", write: true, handle: removeLabel},
	{op: "Tickets.Audit", method: http.MethodGet, route: "/tickets/{id}/audit", handle: getAudit},
	{op: "Drafts.Get", method: http.MethodGet, route: "/tickets/{id}/draft", handle: getDraft},
	{op: "Drafts.Create", method: http.MethodPost, route: "/tickets/{id}/draft", write: true, handle: saveDraft(http.StatusCreated)},
	{op: "Drafts.Update", method: http.MethodPut, route: "/tickets/{id}/draft", write: true, handle: saveDraft(http.StatusOK)},
	{op: "Drafts.Delete", method: http.MethodDelete, route: "/tickets/{id}/draft", write: true, handle: deleteDraft},
	{op: "Replies.List", method: http.MethodGet, route: "/tickets/{id}/replies", handle: listReplies},
	{op: "Replies.Create", method: http.MethodPost, route: "/tickets/{id}/replies", write: true, handle: createReply},
	{op: "Replies.Get", method: http.MethodGet, route: "/tickets/{id}/replies/{reply_id}", handle: getReply},
	{op: "Comments.List", method: http.MethodGet, route: "/tickets/{id}/comments", handle: listComments},
	{op: "Comments.Create", method: http.MethodPost, route: "/tickets/{id}/comments", write: true, handle: createComment},
	{op: "Users.List", method: http.MethodGet, route: "/users", handle: listUsers},
	{op: "Users.Create", method: http.MethodPost, route: "/users", write: true, handle: createUser},
	{op: "Users.Get", method: http.MethodGet, route: "/users/{id}", handle: getUser},
	{op: "Users.Update", method: http.MethodPut, route: "/users/{id}", write: true, handle: updateUser},
	{op: "Users.Members", method: http.MethodGet, route: "/users/{id}/members", handle: listMembers},
	{op: "Users.AddMember", method: http.MethodPost, route: "/users/{id}/members", write: true, handle: addMember},
	{op: "Teams.List", method: http.MethodGet, route: "/teams", handle: listTeams},
	{op: "Labels.List", method: http.MethodGet, route: "/labels", handle: listLabels},
	{op: "Snippets.List", method: http.MethodGet, route: "/snippets", handle: listSnippets},
	{op: "Snippets.Create", method: http.MethodPost, route: "/snippets", write: true, handle: createSnippet},
	{op: "Snippets.Update", method: http.MethodPut, route: "/snippets/{id}", write: true, handle: updateSnippet},
	{op: "Snippets.Delete", method: http.MethodDelete, route: "/snippets/{id}", write: true, handle: deleteSnippet},
	{op: "Attachments.Upload", method: http.MethodPost, route: "/attachments", write: true, raw: true, handle: upload},
	{op: "ForwardingAddresses.List", method: http.MethodGet, route: "/emails", handle: listAddresses},
	{op: "ForwardingAddresses.Create", method: http.MethodPost, route: "/emails", write: true, handle: createAddress},
	{op: "Filters.CreateRule", method: http.MethodPost, route: "/rules", write: true, handle: createRule},
	{op: "Filters.CreateConsequence", method: http.MethodPost, route: "/consequences", write: true, handle: createConsequence},
	{op: "Filters.Create", method: http.MethodPost, route: "/filters", write: true, handle: createFilter},
	{op: "Reports.AvgFirstResponseTime", method: http.MethodGet, route: "/reports/avg_first_response_time", admin: true, handle: reportFirstResponse},
	{op: "Reports.TicketsCount", method: http.MethodGet, route: "/reports/tickets_count", admin: true, handle: reportTickets},
	{op: "Reports.RepliesCount", method: http.MethodGet, route: "/reports/replies_count", admin: true, handle: reportReplies},

	{op: "Attachments.Download", method: http.MethodGet, route: "/attachments/{id}/{size}/{name}", raw: true, handle: download},
	{op: "Tickets.Star", method: http.MethodPost, route: "/tickets/{id}/star", write: true, handle: star},
	{op: "Tickets.Unstar", method: http.MethodDelete, route: "/tickets/{id}/star", write: true, handle: setFlag(starred, false)},
	{op: "Tickets.SetRequester", method: http.MethodPut, route: "/tickets/{id}/requester", write: true, handle: setRequester},
}

// storage is the file behind a download, on an origin of its own.
var storage = operation{op: "Attachments.Storage", method: http.MethodGet, route: "/files/{key}/{name}"}

// isOperation reports whether the desk has an operation of this name.
func isOperation(name string) bool {
	return name == storage.op || slices.ContainsFunc(operations, func(op operation) bool { return op.op == name })
}

// nearestOperation returns the name of the operation that is the most like name.
func nearestOperation(name string) string {
	names := []string{storage.op}
	for _, op := range operations {
		names = append(names, op.op)
	}
	return nearest(name, names)
}

// nearest returns the name that is the most like the given one, or "" if there are none.
func nearest(name string, names []string) string {
	found, least := "", -1
	for _, other := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(other)); least < 0 || d < least {
			found, least = other, d
		}
	}
	return found
}

// checkOperation reports whether there is an operation of this name. If there is none, it fails the
// test that the desk was made for, or panics if there is no test.
func (s *Desk) checkOperation(method, name string) bool {
	if isOperation(name) {
		return true
	}
	message := fmt.Sprintf("supportbeetest: %s: unknown operation %q; did you mean %q?", method, name, nearestOperation(name))
	if s.tb == nil {
		panic(message)
	}
	s.tb.Helper()
	s.tb.Error(message)
	return false
}

// distance returns the number of bytes to insert, remove or replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
