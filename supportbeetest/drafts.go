package supportbeetest

import (
	"slices"
	"strings"
	"time"
)

func getDraft(s *Desk, c *call) response {
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
	d := t.rare().Draft
	if d == nil {
		d = &draft{CC: t.rare().Copies.cc(), BCC: t.rare().Copies.bcc()}
		if c.query.Get("quote") != "false" {
			d.Content = c.quote(t, zone)
		}
	}
	return ok(object{"draft": c.draft(d)})
}

// quote returns the content of a new draft, which quotes the last message.
func (c *call) quote(t *ticket, zone *time.Location) content {
	author, at, text := t.Requester, t.CreatedAt.time(), t.Content.Text
	if len(t.Replies) > 0 {
		last := t.Replies[len(t.Replies)-1]
		author, at, text = last.Author, last.CreatedAt.time(), last.Content.Text
	}
	u := c.desk.Users[author]
	name := u.Name
	if name == "" {
		name = u.Email
	}
	head := "On " + at.In(zone).Format("Mon, 2 Jan 2006 at 15:04 MST") + ", " + name + " wrote:\n"
	return contentBody{Text: "\n\n" + head + "> " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n> ")}.content()
}

func saveDraft(status int) func(*Desk, *call) response {
	return func(s *Desk, c *call) response {
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
		if t.rare().Draft != nil {
			d.ID, d.CC, d.BCC = t.rare().Draft.ID, t.rare().Draft.CC, t.rare().Draft.BCC
		}
		if in.CC != nil {
			d.CC = cc()
		}
		if in.BCC != nil {
			d.BCC = bcc()
		}
		t.own().Draft = d
		return response{status: status, body: object{"draft": c.draft(d)}}
	}
}

// splitAddresses splits the string that drafts have in place of a list.
func splitAddresses(list *string) []string {
	if list == nil || strings.TrimSpace(*list) == "" {
		return nil
	}
	return slices.Collect(strings.SplitSeq(*list, ","))
}

func deleteDraft(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	t.own().Draft = nil
	return done()
}
