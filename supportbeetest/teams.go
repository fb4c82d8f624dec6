package supportbeetest

import (
	"slices"
)

func listTeams(s *Desk, c *call) response {
	list := []teamJSON{}
	for _, t := range c.desk.Teams {
		if c.flag("with_users") && len(t.Members) == 0 || c.query.Get("user") == "me" && !slices.Contains(t.Members, c.user.ID) {
			continue
		}
		list = append(list, c.encoder.team(t))
	}
	return ok(object{"teams": list})
}
