package supportbeetest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func listReplies(s *Desk, c *call) answer {
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

func getReply(s *Desk, c *call) answer {
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

func createReply(s *Desk, c *call) answer {
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
	p := &post{ID: c.desk.id(), CreatedAt: c.now, Author: author.ID, CC: cc(), BCC: bcc(), Content: in.Content.content()}
	s.addReply(c, t, p)
	return created(object{"reply": c.reply(t, p)})
}

// addReply takes up a reply by anybody.
func (s *Desk) addReply(c *call, t *ticket, p *post) {
	t.Replies = append(t.Replies, p)
	event := "agent.reply.created"
	t.Unanswered = false
	if !c.desk.Users[p.Author].agent() {
		event, t.Unanswered = "customer.reply.created", true
	}
	c.desk.touch(t, p.CreatedAt)
	c.desk.note(t, "Replied", p.Author, "#replies/"+itoa(p.ID), p.CreatedAt)
	reply := c.webhook().reply(t, p)
	reply.Ticket = nil
	s.emit(c, event, t, object{"reply": reply})
}

func listComments(s *Desk, c *call) answer {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	list := []commentJSON{}
	for _, p := range t.Comments {
		list = append(list, c.comment(t, p))
	}
	return ok(object{"comments": list})
}

func createComment(s *Desk, c *call) answer {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	var in struct {
		Content contentBody `json:"content"`
	}
	if bad, fits := c.decode("comment", &in); !fits {
		return bad
	}
	if problems := c.problems(in.Content); len(problems) > 0 {
		return invalidInput(problems...)
	}
	p := &post{ID: c.desk.id(), CreatedAt: c.now, Author: c.user.ID, Content: in.Content.content()}
	s.addComment(c, t, p)
	return created(object{"comment": c.comment(t, p)})
}

func (s *Desk) addComment(c *call, t *ticket, p *post) {
	t.Comments = append(t.Comments, p)
	c.desk.touch(t, p.CreatedAt)
	c.desk.note(t, "Commented", p.Author, "#comments/"+itoa(p.ID), p.CreatedAt)
	comment := c.webhook().comment(t, p)
	comment.Ticket = nil
	s.emit(c, "comment.created", t, object{"comment": comment})
}

func getDraft(s *Desk, c *call) answer {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	zone := time.UTC
	if name := c.query.Get("time_zone"); name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil {
			return invalidInput("Time zone is invalid")
		}
	}
	d := t.Draft
	if d == nil {
		d = &draft{CC: t.CC, BCC: t.BCC}
		if c.query.Get("quote") != "false" {
			d.Content = c.quote(t, zone)
		}
	}
	return ok(object{"draft": c.draft(d)})
}

// quote is a new draft's content: the last message, quoted.
func (c *call) quote(t *ticket, zone *time.Location) content {
	author, at, text := t.Requester, t.CreatedAt, t.Content.Text
	if len(t.Replies) > 0 {
		last := t.Replies[len(t.Replies)-1]
		author, at, text = last.Author, last.CreatedAt, last.Content.Text
	}
	u := c.desk.Users[author]
	name := u.Name
	if name == "" {
		name = u.Email
	}
	head := "On " + at.In(zone).Format("Mon, 2 Jan 2006 at 15:04 MST") + ", " + name + " wrote:\n"
	return contentBody{Text: "\n\n" + head + "> " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n> ")}.content()
}

func saveDraft(status int) func(*Desk, *call) answer {
	return func(s *Desk, c *call) answer {
		t, missing := c.ticket404()
		if t == nil {
			return missing
		}
		var in struct {
			Content contentBody `json:"content"`
			CC      *string     `json:"cc"`
			BCC     *string     `json:"bcc"`
		}
		if bad, fits := c.decode("draft", &in); !fits {
			return bad
		}
		cc, bcc, problems := c.copies(splitAddresses(in.CC), splitAddresses(in.BCC))
		if problems = append(c.problems(in.Content), problems...); len(problems) > 0 {
			return invalidInput(problems...)
		}
		d := &draft{ID: c.desk.id(), SavedBy: c.user.ID, SavedAt: c.now, Content: in.Content.content()}
		if t.Draft != nil {
			d.ID, d.CC, d.BCC = t.Draft.ID, t.Draft.CC, t.Draft.BCC
		}
		if in.CC != nil {
			d.CC = cc()
		}
		if in.BCC != nil {
			d.BCC = bcc()
		}
		t.Draft = d
		return answer{status: status, body: object{"draft": c.draft(d)}}
	}
}

// splitAddresses reads the one string that drafts take for a list.
func splitAddresses(list *string) []string {
	if list == nil || strings.TrimSpace(*list) == "" {
		return nil
	}
	return slices.Collect(strings.SplitSeq(*list, ","))
}

func deleteDraft(s *Desk, c *call) answer {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	t.Draft = nil
	return done()
}
