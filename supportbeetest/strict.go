package supportbeetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// WithLenient ignores unknown query parameters, values and JSON keys, as the service does. By
// default the desk is strict: it rejects them with status 400 and a sentence that names them, since
// in a test they are mistakes.
func WithLenient() Option { return func(c *config) { c.lenient = true } }

// parameters are the query parameters of each operation, with a check of their values.
var parameters = map[string]map[string]check{
	"Tickets.List": {
		"page": positive, "per_page": pageSize, "archived": oneOf("true", "false", "any"), "spam": boolean, "trash": boolean, "replies": boolean,
		"max_replies": natural, "assigned_user": numberOr("me", "any", "none"), "assigned_team": numberOr("mine", "none"), "label": anything,
		"since": anything, "until": anything, "sort_by": oneOf("last_activity", "creation_time"), "requester_emails": emails, "total_only": boolean,
	},
	"Tickets.Search":               {"query": anything, "page": positive, "per_page": pageSize, "spam": boolean, "trash": boolean},
	"Drafts.Get":                   {"quote": boolean, "time_zone": anything},
	"Users.List":                   {"with_invited": boolean, "with_roles": roles, "type": oneOf("user", "customer_group")},
	"Users.Get":                    {"max_tickets": maxTickets},
	"Teams.List":                   {"with_users": boolean, "user": oneOf("me")},
	"Reports.AvgFirstResponseTime": reportParameters,
	"Reports.TicketsCount":         reportParameters,
	"Reports.RepliesCount":         reportParameters,
}

var reportParameters = map[string]check{"user": positive, "team": positive, "label": anything, "since": anything}

// check returns what a value must be, or "" if it is so.
type check func(value string) string

func anything(string) string { return "" }

func boolean(value string) string { return oneOf("true", "false")(value) }

func oneOf(allowed ...string) check {
	return func(value string) string {
		if slices.Contains(allowed, value) {
			return ""
		}
		return strings.Join(allowed, " or ")
	}
}

func positive(value string) string {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
		return ""
	}
	return "a positive number"
}

func natural(value string) string {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
		return ""
	}
	return "a number"
}

func pageSize(value string) string {
	if n, err := strconv.Atoi(value); err == nil && 1 <= n && n <= maxPerPage {
		return ""
	}
	return "a number from 1 to 100"
}

func numberOr(words ...string) check {
	return func(value string) string {
		if slices.Contains(words, value) || positive(value) == "" {
			return ""
		}
		return strings.Join(words, ", ") + " or an ID"
	}
}

func maxTickets(value string) string {
	if value == "false" || natural(value) == "" {
		return ""
	}
	return "a number or false"
}

func emails(value string) string {
	for email := range strings.SplitSeq(value, ",") {
		if !isEmail(strings.TrimSpace(email)) {
			return "e-mail addresses, separated by commas"
		}
	}
	return ""
}

func roles(value string) string {
	for role := range strings.SplitSeq(value, ",") {
		if !isRole(role) {
			return "roles, separated by commas: " + strings.Join(allRoles, ", ")
		}
	}
	return ""
}

var allRoles = []string{"admin", "agent", "collaborator", "customer"}

func isRole(name string) bool { return slices.Contains(allRoles, name) }

// isEmail reports whether text is an e-mail address without a name.
func isEmail(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Name == "" && parsed.Address == text
}

// checkQuery returns a sentence for each mistake in the query of an operation.
func checkQuery(op string, query url.Values) (problems []string) {
	known := parameters[op]
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if name == "auth_token" {
			continue
		}
		valid, exists := known[name]
		if !exists {
			problems = append(problems, fmt.Sprintf("unknown parameter %q%s", name, suggestion(name, slices.Sorted(maps.Keys(known)))))
			continue
		}
		for _, value := range query[name] {
			if want := valid(value); want != "" {
				problems = append(problems, fmt.Sprintf("parameter %s=%s must be %s", name, value, want))
			}
		}
		if len(query[name]) > 1 {
			problems = append(problems, fmt.Sprintf("parameter %s is given %d times", name, len(query[name])))
		}
	}
	if query.Get("replies") == "false" && query.Has("max_replies") {
		problems = append(problems, "parameter max_replies cannot be combined with replies=false")
	}
	return problems
}

// suggestion names what is the most like name, or is empty if nothing is.
func suggestion(name string, known []string) string {
	if near := nearest(name, known); near != "" && distance(strings.ToLower(name), near) <= 3 {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// knownKeys returns JSON without the keys that have no place in the type, and a sentence for each of
// them. Package json ignores the case of keys, which the service does not.
func knownKeys(data json.RawMessage, into reflect.Type, path string) (known json.RawMessage, problems []string) {
	for into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	keep := func(element json.RawMessage, into reflect.Type, path string) json.RawMessage {
		element, more := knownKeys(element, into, path)
		problems = append(problems, more...)
		return element
	}
	var kept any
	switch into.Kind() {
	case reflect.Slice:
		var elements []json.RawMessage
		if json.Unmarshal(data, &elements) != nil {
			return data, nil
		}
		for i, element := range elements {
			elements[i] = keep(element, into.Elem(), path)
		}
		kept = elements
	case reflect.Struct:
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) != nil {
			return data, nil
		}
		fields := map[string]reflect.Type{}
		for field := range into.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			fields[name] = field.Type
		}
		for _, key := range slices.Sorted(maps.Keys(members)) {
			if field, known := fields[key]; known {
				members[key] = keep(members[key], field, joined(path, key))
			} else {
				problems = append(problems, fmt.Sprintf("unknown key %q%s", joined(path, key), suggestion(key, slices.Sorted(maps.Keys(fields)))))
				delete(members, key)
			}
		}
		kept = members
	default:
	}
	if problems == nil {
		return data, nil
	}
	known, _ = json.Marshal(kept) // of what was valid JSON
	return known, problems
}

func joined(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }
