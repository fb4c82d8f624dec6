package supportbeetest

import (
	"slices"
	"strings"
)

func listSnippets(s *Desk, c *call) response {
	list := []object{}
	for _, snip := range c.desk.Snippets {
		list = append(list, c.snippet(snip))
	}
	return ok(object{"snippets": list})
}

// decodeSnippet reads what both snippet writes take. What is left out of an update does not change,
// which is inferred.
func (c *call) decodeSnippet(into *snippet) (response, bool) {
	made := *into
	in := struct {
		Name    *string      `json:"name"`
		Tags    *string      `json:"tags"`
		Content *contentBody `json:"content"`
	}{Name: &made.Name, Tags: &made.Tags} // which stay as they are if they are left out
	if bad, fits := c.decode("snippet", &in); !fits {
		return bad, false
	}
	var problems []string
	if strings.TrimSpace(made.Name) == "" {
		problems = append(problems, "Name can't be blank")
	}
	switch {
	case in.Content != nil:
		problems = append(problems, c.problems(*in.Content)...)
		made.Content = in.Content.content()
	case into.ID == 0:
		problems = append(problems, "Content can't be blank")
	}
	if len(problems) > 0 {
		return invalidInput(problems...), false
	}
	*into = made
	return response{}, true
}

func createSnippet(s *Desk, c *call) response {
	snip := &snippet{CreatedAt: c.now}
	if bad, fits := c.decodeSnippet(snip); !fits {
		return bad
	}
	snip.ID = c.desk.id()
	c.desk.Snippets = append(c.desk.Snippets, snip)
	return created(object{"snippet": c.snippet(snip)})
}

func (c *call) snippetIndex() int {
	id := c.number("id")
	return slices.IndexFunc(c.desk.Snippets, func(s *snippet) bool { return s.ID == id })
}

func updateSnippet(s *Desk, c *call) response {
	at := c.snippetIndex()
	if at < 0 {
		return notFound("Snippet", c.PathValue("id"))
	}
	if bad, fits := c.decodeSnippet(c.desk.Snippets[at]); !fits {
		return bad
	}
	return ok(object{"snippet": c.snippet(c.desk.Snippets[at])})
}

func deleteSnippet(s *Desk, c *call) response {
	at := c.snippetIndex()
	if at < 0 {
		return notFound("Snippet", c.PathValue("id"))
	}
	c.desk.Snippets = slices.Delete(c.desk.Snippets, at, at+1)
	return done()
}
