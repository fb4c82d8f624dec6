package supportbeetest

import (
	"net/http"
	"strings"

	"github.com/supportbee-go/supportbee"
)

func listReplies(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	list := []replyJSON{}
	for _, p := range t.Replies {
		list = append(list, c.reply(t, p))
	}
	return ok(object{"replies": list})
}

func getReply(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	id := c.number("reply_id")
	for _, p := range t.Replies {
		if p.ID != id {
			continue
		}
		if c.dialect == DialectDocumented {
			return ok(c.reply(t, p))
		}
		return ok(object{"reply": c.reply(t, p)})
	}
	return notFound("Reply", c.PathValue("reply_id"))
}

func createReply(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	var in struct {
		Content    contentBody `json:"content"`
		CC         []string    `json:"cc"`
		BCC        []string    `json:"bcc"`
		OnBehalfOf *struct {
			ID    int64  `json:"id"`
			Email string `json:"email"`
		} `json:"on_behalf_of"`
	}
	if bad, fits := c.decode("reply", &in); !fits {
		return bad
	}
	problems := c.problems(in.Content)
	cc, bcc, copies := c.copies(in.CC, in.BCC)
	if problems = append(problems, copies...); len(problems) > 0 {
		return invalidInput(problems...)
	}
	author := c.user
	if in.OnBehalfOf != nil {
		if c.user.Role != "admin" {
			return fail(http.StatusForbidden, "Access denied")
		}
		author = c.desk.Users[in.OnBehalfOf.ID]
		if author == nil {
			author = c.desk.byEmail[strings.ToLower(in.OnBehalfOf.Email)]
		}
		if author == nil || !author.agent() {
			return notFound("User", in.OnBehalfOf.ID)
		}
	}
	content := in.Content.content()
	if author.agent() {
		content = c.quirks.sign(content)
	}
	p := &post{ID: c.desk.id(), CreatedAt: instantOf(c.now), Author: author.ID, Copies: newCopies(cc(), bcc()), Content: content}
	s.addReply(c, t, p)
	if author.agent() {
		s.mailReply(t, p)
	}
	return created(object{"reply": c.reply(t, p)})
}

// addReply adds a reply of an agent or a customer.
func (s *Desk) addReply(c *call, t *ticket, p *post) {
	c.desk.change(t, func() { t.Replies = append(t.Replies, p) })
	t.Unanswered = !c.desk.Users[p.Author].agent()
	c.desk.touch(t, p.CreatedAt.time())
	s.emitReply(c, t, p)
}

func (s *Desk) emitReply(c *call, t *ticket, p *post) {
	event := supportbee.WebhookAction("agent.reply.created")
	if !c.desk.Users[p.Author].agent() {
		event = "customer.reply.created"
	}
	reply := c.webhook(s.URL).reply(t, p)
	reply.Ticket = nil
	s.emit(c, event, t, object{"reply": reply})
}
