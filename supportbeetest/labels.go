package supportbeetest

import (
	"net/http"
	"slices"
)

func listLabels(s *Desk, c *call) response {
	return ok(object{"labels": c.labels()})
}

func addLabel(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	name := c.PathValue("name")
	if _, exists := c.desk.label(name); !exists {
		return response{status: http.StatusNotFound}
	}
	if !slices.Contains(t.Labels, name) {
		c.desk.change(t, func() { t.Labels = append(t.Labels, name) })
		c.note(t, "Labeled "+name)
	}
	return created(object{"label": object{"id": c.desk.id(), "label": name, "ticket": t.ID}})
}

func removeLabel(s *Desk, c *call) response {
	t, missing := c.ticket404()
	if t == nil {
		return missing
	}
	name := c.PathValue("name")
	at := slices.Index(t.Labels, name)
	if at < 0 {
		return fail(http.StatusNotFound, "Couldn't find Label with name=%s", name)
	}
	c.desk.change(t, func() { t.Labels = slices.Delete(t.Labels, at, at+1) })
	c.note(t, "Unlabeled "+name)
	return done()
}
