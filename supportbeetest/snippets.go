package supportbeetest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func listSnippets(s *Desk, c *call) answer {
	list := []object{}
	for _, snip := range c.desk.Snippets {
		list = append(list, c.snippet(snip))
	}
	return ok(object{"snippets": list})
}

// decodeSnippet reads what both snippet writes take.
func (c *call) decodeSnippet(into *snippet) (answer, bool) {
	var in struct {
		Name    string      `json:"name"`
		Tags    string      `json:"tags"`
		Content contentBody `json:"content"`
	}
	if bad, fits := c.decode("snippet", &in); !fits {
		return bad, false
	}
	var problems []string
	if strings.TrimSpace(in.Name) == "" {
		problems = append(problems, "Name can't be blank")
	}
	if problems = append(problems, c.problems(in.Content)...); len(problems) > 0 {
		return invalidInput(problems...), false
	}
	into.Name, into.Tags, into.Content = in.Name, in.Tags, in.Content.content()
	return answer{}, true
}

func createSnippet(s *Desk, c *call) answer {
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

func updateSnippet(s *Desk, c *call) answer {
	at := c.snippetIndex()
	if at < 0 {
		return notFound("Snippet", c.PathValue("id"))
	}
	if bad, fits := c.decodeSnippet(c.desk.Snippets[at]); !fits {
		return bad
	}
	return ok(object{"snippet": c.snippet(c.desk.Snippets[at])})
}

func deleteSnippet(s *Desk, c *call) answer {
	at := c.snippetIndex()
	if at < 0 {
		return notFound("Snippet", c.PathValue("id"))
	}
	c.desk.Snippets = slices.Delete(c.desk.Snippets, at, at+1)
	return done()
}

func listAddresses(s *Desk, c *call) answer {
	list := []object{}
	for _, a := range c.desk.Addresses {
		list = append(list, c.address(a))
	}
	if c.dialect == DialectRecorded { // what the key was then is not known
		return ok(object{"emails": list})
	}
	return ok(object{"forwarding_addresses": list})
}

func createAddress(s *Desk, c *call) answer {
	var in address
	if bad, fits := c.decode("forwarding_address", &in); !fits {
		return bad
	}
	if !strings.Contains(in.Email, "@") {
		return invalidInput("Email can't be blank")
	}
	in.ID = c.desk.id()
	c.desk.Addresses = append(c.desk.Addresses, &in)
	return created(object{"forwarding_address": c.address(&in)})
}

func createRule(s *Desk, c *call) answer {
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

func createConsequence(s *Desk, c *call) answer {
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
	made := consequence{Archive: in.Archive, Spam: in.Spam, Trash: in.Trash, Label: in.Label}
	made.AssignUser, _ = strconv.ParseInt(in.AssignUser, 10, 64)
	made.AssignTeam, _ = strconv.ParseInt(in.AssignTeam, 10, 64)
	var problems []string
	if made == (consequence{}) {
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

func createFilter(s *Desk, c *call) answer {
	var in filter
	if bad, fits := c.decode("", &in); !fits {
		return bad
	}
	if in.RuleID == "" { // the older form
		var older struct {
			Filter filter `json:"filter"`
		}
		if json.Unmarshal(c.body, &older) == nil {
			in = older.Filter
		}
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
	switch c.dialect { // an envelope was documented once; which form comes today is not known
	case DialectRecorded:
		return created(object{"filter": made})
	case DialectDocumented:
		return answer{status: http.StatusCreated}
	}
	return created(made)
}

// report collects values by day, from the tickets that the query selects.
func (c *call) report(collect func(t *ticket, add func(at time.Time, value float64)), sum func([]float64) float64) answer {
	q := c.query
	since := time.Time{}
	if text := q.Get("since"); text != "" {
		var err error
		if since, err = parseDate(text); err != nil {
			return fail(http.StatusInternalServerError, "Sorry. Something seems to have gone wrong. argument out of range")
		}
	}
	teamID, _ := strconv.ParseInt(q.Get("team"), 10, 64)
	days := map[time.Time][]float64{}
	for _, t := range c.desk.byCreation.tickets {
		if label := q.Get("label"); label != "" && !slices.Contains(t.Labels, label) || teamID != 0 && t.Team != teamID {
			continue
		}
		collect(t, func(at time.Time, value float64) {
			if !at.Before(since) {
				day := at.UTC().Truncate(24 * time.Hour)
				days[day] = append(days[day], value)
			}
		})
	}
	sorted := make([]time.Time, 0, len(days))
	for day := range days {
		sorted = append(sorted, day)
	}
	slices.SortFunc(sorted, time.Time.Compare)
	points := []object{}
	for _, day := range sorted {
		points = append(points, dataPoint(sum(days[day]), day))
	}
	return ok(object{"data_points": points})
}

// byUser reports whether the query is about the user, or about all.
func (c *call) byUser(id int64) bool {
	wanted := c.query.Get("user")
	return wanted == "" || wanted == itoa(id)
}

func count(values []float64) float64 { return float64(len(values)) }

func reportTickets(s *Desk, c *call) answer {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		if c.byUser(t.User) {
			add(t.CreatedAt, 1)
		}
	}, count)
}

func reportReplies(s *Desk, c *call) answer {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		for _, p := range t.Replies {
			if c.desk.Users[p.Author].agent() && c.byUser(p.Author) {
				add(p.CreatedAt, 1)
			}
		}
	}, count)
}

// reportFirstResponse answers in seconds; the vendor's unit is not known.
func reportFirstResponse(s *Desk, c *call) answer {
	return c.report(func(t *ticket, add func(time.Time, float64)) {
		for _, p := range t.Replies {
			if c.desk.Users[p.Author].agent() {
				if c.byUser(p.Author) {
					add(p.CreatedAt, p.CreatedAt.Sub(t.CreatedAt).Seconds())
				}
				return
			}
		}
	}, func(values []float64) float64 {
		total := 0.0
		for _, v := range values {
			total += v
		}
		return total / count(values)
	})
}
