package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee"
)

// rules say what to do with new tickets; see rules.yaml.
type rules struct {
	Done  string
	Rules []rule
}

// rule is one rule. All its conditions must hold.
type rule struct {
	Match *regexp.Regexp
	From  []string

	Labels []string
	Team   string
	User   string
	Reply  string // in which {name} is replaced

	team supportbee.TeamID
	user supportbee.UserID
}

func parseRules(data []byte) (*rules, error) {
	r, decoder := new(rules), yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(r); errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	} else if err != nil {
		return nil, err
	}
	if r.Done == "" {
		return nil, errors.New("done is not set: it names the label of handled tickets")
	}
	return r, nil
}

// resolve finds the labels, teams and users of the rules in the help desk. It reports all that are
// missing at once.
func (r *rules) resolve(ctx context.Context, client *supportbee.Client) error {
	labels, err := client.Labels.List(ctx)
	teams, err2 := client.Teams.List(ctx, nil)
	users, err3 := client.Users.List(ctx, nil)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	ids := make(map[string]int64)
	for _, l := range labels {
		ids["label "+l.Name] = int64(l.ID)
	}
	for _, t := range teams {
		ids["team "+t.Name] = int64(t.ID)
	}
	for _, u := range users {
		ids["agent "+strings.ToLower(u.Email)] = int64(u.ID)
	}
	var missing []error
	find := func(kind, name string) int64 {
		id, ok := ids[kind+" "+name]
		if name != "" && !ok {
			missing = append(missing, fmt.Errorf("the help desk has no %s %q", kind, name))
		}
		return id
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		for _, name := range rule.Labels {
			find("label", name)
		}
		rule.team, rule.user = supportbee.TeamID(find("team", rule.Team)), supportbee.UserID(find("agent", strings.ToLower(rule.User)))
	}
	find("label", r.Done)
	return errors.Join(missing...)
}

// apply returns what to do with a ticket, as a rule without conditions.
func (r *rules) apply(t *supportbee.Ticket) (a rule) {
	name, _, _ := strings.Cut(strings.TrimSpace(t.Requester.Name), " ")
	for _, rule := range r.Rules {
		if !rule.matches(t) {
			continue
		}
		for _, label := range rule.Labels {
			if !slices.Contains(a.Labels, label) {
				a.Labels = append(a.Labels, label)
			}
		}
		if a.team == 0 && a.user == 0 {
			a.team, a.user = rule.team, rule.user
		}
		if a.Reply == "" {
			a.Reply = strings.ReplaceAll(rule.Reply, "{name}", name)
		}
	}
	return a
}

func (r *rule) matches(t *supportbee.Ticket) bool {
	if r.Match != nil && !r.Match.MatchString(t.Subject) && !r.Match.MatchString(t.Content.Text) {
		return false
	}
	_, domain, _ := strings.Cut(t.Requester.Email, "@")
	return len(r.From) == 0 || slices.ContainsFunc(r.From, func(from string) bool {
		return strings.EqualFold(from, t.Requester.Email) || strings.EqualFold(from, domain)
	})
}
