package supportbeetest

import "slices"

// The rights of roles. The vendor documents only that a token has its user's rights, and the
// operations for admins. The rest of this table is inferred from the descriptions of the roles:
//
//	admin         everything
//	agent         everything except Tickets.Delete and Reports
//	collaborator  reads what an agent reads; creates tickets, comments and uploads
//	customer      reads and searches own tickets and their replies; creates tickets, replies to own
//	              tickets; uploads, and downloads whatever file it has the URL of
//
// The own tickets of customers are those that they requested, and those of their customer groups
// whose members may see them. Other tickets do not exist for them (404). What a role may not do is
// denied (403).
var (
	collaboratorWrites = []string{"Tickets.Create", "Comments.Create", "Attachments.Upload"}
	customerOperations = []string{
		"Tickets.List", "Tickets.Search", "Tickets.Get", "Tickets.Create", "Replies.List", "Replies.Get", "Replies.Create",
		"Attachments.Upload", "Attachments.Download",
	}
)

// permits reports whether users with the role may use the operation.
func (op operation) permits(role string) bool {
	switch {
	case op.op == "" || role == "admin":
		return true
	case op.admin:
		return false
	case role == "agent":
		return true
	case role == "collaborator":
		return !op.write || slices.Contains(collaboratorWrites, op.op)
	default:
		return slices.Contains(customerOperations, op.op)
	}
}

// visible reports whether the ticket exists for the user of the request.
func (c *call) visible(t *ticket) bool {
	if c.user == nil || c.user.agent() || t.Requester == c.user.ID {
		return true
	}
	if c.peers == nil {
		c.peers = map[int64]bool{}
		for _, group := range c.desk.Users {
			if group.SharedGroup && slices.Contains(group.Members, c.user.ID) {
				c.peers[group.ID] = true
				for _, id := range group.Members {
					c.peers[id] = true
				}
			}
		}
	}
	return c.peers[t.Requester]
}
