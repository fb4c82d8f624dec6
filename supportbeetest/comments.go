package supportbeetest

func listComments(s *Desk, c *call) response {
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

func createComment(s *Desk, c *call) response {
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
	p := &post{ID: c.desk.id(), CreatedAt: instantOf(c.now), Author: c.user.ID, Content: in.Content.content()}
	s.addComment(c, t, p)
	return created(object{"comment": c.comment(t, p)})
}

func (s *Desk) addComment(c *call, t *ticket, p *post) {
	t.Comments = append(t.Comments, p)
	c.desk.touch(t, p.CreatedAt.time())
	s.emitComment(c, t, p)
}

func (s *Desk) emitComment(c *call, t *ticket, p *post) {
	comment := c.webhook(s.URL).comment(t, p)
	comment.Ticket = nil
	s.emit(c, "comment.created", t, object{"comment": comment})
}
