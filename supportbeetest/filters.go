package supportbeetest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func createRule(s *Desk, c *call) response {
	var in ruleBody
	if bad, fits := c.decode("rule", &in); !fits {
		return bad
	}
	if in == (ruleBody{}) {
		return invalidInput("Rule needs at least one condition")
	}
	id := c.desk.datedID(c.now)
	c.desk.Rules[id] = in
	return created(object{"rule": object{"id": id}})
}

func createConsequence(s *Desk, c *call) response {
	var in struct {
		Archive    bool   `json:"archive"`
		Spam       bool   `json:"spam"`
		Trash      bool   `json:"trash"`
		Label      string `json:"label"`
		AssignUser string `json:"assign_user"`
		AssignTeam string `json:"assign_team"`
	}
	if bad, fits := c.decode("consequence", &in); !fits {
		return bad
	}
	made := consequenceBody{Archive: in.Archive, Spam: in.Spam, Trash: in.Trash, Label: in.Label}
	made.AssignUser, _ = strconv.ParseInt(in.AssignUser, 10, 64)
	made.AssignTeam, _ = strconv.ParseInt(in.AssignTeam, 10, 64)
	var problems []string
	if made == (consequenceBody{}) {
		problems = append(problems, "Consequence needs at least one action")
	}
	if _, exists := c.desk.label(in.Label); in.Label != "" && !exists {
		problems = append(problems, "Label does not exist")
	}
	if in.AssignUser != "" && (c.desk.Users[made.AssignUser] == nil || !c.desk.Users[made.AssignUser].agent()) {
		problems = append(problems, "Assign user does not exist")
	}
	if in.AssignTeam != "" && c.desk.team(made.AssignTeam) == nil {
		problems = append(problems, "Assign team does not exist")
	}
	if len(problems) > 0 {
		return invalidInput(problems...)
	}
	id := c.desk.datedID(c.now)
	c.desk.Consequences[id] = made
	return created(object{"consequence": object{"id": id}})
}

func createFilter(s *Desk, c *call) response {
	type ids struct {
		RuleID        string `json:"rule_id"`
		ConsequenceID string `json:"consequence_id"`
	}
	var given struct {
		RuleID        string `json:"rule_id"`
		ConsequenceID string `json:"consequence_id"`
		Filter        *ids   `json:"filter"` // the form of earlier versions
	}
	if bad, fits := c.decode("", &given); !fits {
		return bad
	}
	in := filter{RuleID: given.RuleID, ConsequenceID: given.ConsequenceID}
	if given.RuleID == "" && given.Filter != nil {
		in = filter{RuleID: given.Filter.RuleID, ConsequenceID: given.Filter.ConsequenceID}
	}
	var problems []string
	if _, known := c.desk.Rules[in.RuleID]; !known {
		problems = append(problems, "Rule can't be blank")
	}
	if _, known := c.desk.Consequences[in.ConsequenceID]; !known {
		problems = append(problems, "Consequence can't be blank")
	}
	if len(problems) > 0 {
		return invalidInput(problems...)
	}
	in.ID = c.desk.datedID(c.now)
	c.desk.Filters = append(c.desk.Filters, in)
	made := object{"id": in.ID, "rule_id": in.RuleID, "consequence_id": in.ConsequenceID}
	switch c.dialect { // an envelope was documented once; which form is sent today is not known
	case DialectRecorded:
		return created(object{"filter": made})
	case DialectDocumented:
		return response{status: http.StatusCreated}
	}
	return created(made)
}

// applyFilters applies the filters to a new ticket. What they do is in the audit trail, without an
// actor, and webhooks are sent for it. An assignment that the API would reject is left out.
func (s *Desk) applyFilters(c *call, t *ticket) {
	d, by := c.desk, *c
	by.user = nil
	for _, f := range d.Filters {
		rule, does := d.Rules[f.RuleID], d.Consequences[f.ConsequenceID]
		if !d.fits(rule, t) {
			continue
		}
		if does.Label != "" && !slices.Contains(t.Labels, does.Label) {
			d.change(t, func() { t.Labels = append(t.Labels, does.Label) })
			by.note(t, "Labeled "+does.Label)
		}
		if team := d.team(does.AssignTeam); team != nil && t.Team != team.ID {
			s.moveToTeam(&by, t, team)
		}
		if u := d.Users[does.AssignUser]; u != nil && t.User != u.ID && d.assignable(t.Team, u) {
			s.giveToUser(&by, t, u)
		}
		for _, action := range []struct {
			flag flagOf
			on   bool
		}{{archived, does.Archive}, {spam, does.Spam}, {trash, does.Trash}} {
			if action.on {
				s.setFlag(&by, t, action.flag, true)
			}
		}
	}
}

func (d *desk) fits(rule ruleBody, t *ticket) bool {
	in := func(text, part string) bool {
		return part == "" || strings.Contains(strings.ToLower(text), strings.ToLower(part))
	}
	return in(d.Users[t.Requester].Email, rule.RequesterEmail) && in(t.Source.Address, rule.DeliveredTo) &&
		in(t.Subject, rule.Subject) && in(t.Content.Text, rule.Body)
}
