package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee"
)

// rules say what to do with new tickets; see rules.yaml.
type rules struct {
	Done    string            `yaml:"done"`
	Replies map[string]string `yaml:"replies"`
	Rules   []rule            `yaml:"rules"`

	templates map[string]*template.Template
}

// rule is one rule. All its conditions must hold.
type rule struct {
	Words []string `yaml:"words"`
	Match string   `yaml:"match"`
	From  []string `yaml:"from"`

	Labels []string `yaml:"labels"`
	Team   string   `yaml:"team"`
	User   string   `yaml:"user"`
	Reply  string   `yaml:"reply"`

	conditions []*regexp.Regexp // of the subject or the text
	team       supportbee.TeamID
	user       supportbee.UserID
}

// action is what the rules say about one ticket.
type action struct {
	labels []string
	team   supportbee.TeamID
	user   supportbee.UserID
	reply  string // empty for none
}

// parseRules reads rules. It reports all mistakes at once.
func parseRules(data []byte) (*rules, error) {
	r := &rules{templates: map[string]*template.Template{}}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	var problems []error
	if r.Done == "" {
		problems = append(problems, errors.New("done is not set: it names the label of handled tickets"))
	}
	for name, text := range r.Replies {
		parsed, err := template.New(name).Option("missingkey=error").Parse(text)
		if err == nil {
			err = parsed.Execute(new(bytes.Buffer), map[string]string{"Name": "Ann"})
		}
		r.templates[name], problems = parsed, append(problems, err)
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		patterns := slices.DeleteFunc([]string{rule.Match}, func(s string) bool { return s == "" })
		if len(rule.Words) > 0 {
			quoted := make([]string, len(rule.Words))
			for i, word := range rule.Words {
				quoted[i] = regexp.QuoteMeta(word)
			}
			patterns = append(patterns, `(?i)(?:^|[^\pL\pN])(?:`+strings.Join(quoted, "|")+`)(?:[^\pL\pN]|$)`)
		}
		for _, pattern := range patterns {
			compiled, err := regexp.Compile(pattern)
			rule.conditions, problems = append(rule.conditions, compiled), append(problems, err)
		}
		if _, ok := r.Replies[rule.Reply]; rule.Reply != "" && !ok {
			problems = append(problems, fmt.Errorf("rule %d: there is no reply %q", i+1, rule.Reply))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return r, nil
}

// resolve finds the labels, teams and users of the rules in the help desk.
func (r *rules) resolve(ctx context.Context, client *supportbee.Client) error {
	labels, err := client.Labels.List(ctx)
	teams, err2 := client.Teams.List(ctx, nil)
	users, err3 := client.Users.List(ctx, nil)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	var problems []error
	need := func(kind, name string, found bool) {
		if !found {
			problems = append(problems, fmt.Errorf("the help desk has no %s %q", kind, name))
		}
	}
	for i := range r.Rules {
		rule := &r.Rules[i]
		for _, name := range rule.Labels {
			need("label", name, slices.ContainsFunc(labels, func(l *supportbee.Label) bool { return l.Name == name }))
		}
		if rule.Team != "" {
			at := slices.IndexFunc(teams, func(t *supportbee.Team) bool { return t.Name == rule.Team })
			if need("team", rule.Team, at >= 0); at >= 0 {
				rule.team = teams[at].ID
			}
		}
		if rule.User != "" {
			at := slices.IndexFunc(users, func(u *supportbee.User) bool { return strings.EqualFold(u.Email, rule.User) })
			if need("agent", rule.User, at >= 0); at >= 0 {
				rule.user = users[at].ID
			}
		}
	}
	need("label", r.Done, slices.ContainsFunc(labels, func(l *supportbee.Label) bool { return l.Name == r.Done }))
	return errors.Join(problems...)
}

// apply returns what to do with a ticket.
func (r *rules) apply(t *supportbee.Ticket) (a action, err error) {
	var reply string
	for _, rule := range r.Rules {
		if !rule.matches(t) {
			continue
		}
		for _, label := range rule.Labels {
			if !slices.Contains(a.labels, label) {
				a.labels = append(a.labels, label)
			}
		}
		if a.team == 0 && a.user == 0 {
			a.team, a.user = rule.team, rule.user
		}
		if reply == "" {
			reply = rule.Reply
		}
	}
	if reply != "" {
		var text strings.Builder
		err = r.templates[reply].Execute(&text, map[string]string{"Name": firstWord(t.Requester.Name)})
		a.reply = text.String()
	}
	return a, err
}

func (r *rule) matches(t *supportbee.Ticket) bool {
	for _, condition := range r.conditions {
		if !condition.MatchString(t.Subject) && !condition.MatchString(t.Content.Text) {
			return false
		}
	}
	_, domain, _ := strings.Cut(t.Requester.Email, "@")
	return len(r.From) == 0 || slices.ContainsFunc(r.From, func(from string) bool {
		return strings.EqualFold(from, t.Requester.Email) || strings.EqualFold(from, domain)
	})
}

func firstWord(name string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(name), " ")
	return first
}
