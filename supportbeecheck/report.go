package supportbeecheck

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/supportbee-go/supportbee"
)

// Difference is a difference of responses from the description or from the SDK's types.
type Difference struct {
	Op        string // such as "Tickets.List"
	Pointer   string // JSON pointer with "*" for array indexes; empty for the response itself
	What      string // such as "missing", "unknown member, string", "string in place of number" or "status 418"
	Responses int    // that differ from the description; 0 if only the SDK has found it
	BySDK     bool   // whether the SDK has found it
}

// String returns the operation, the pointer and what differs.
func (d Difference) String() string {
	return strings.TrimSpace(d.Op+" "+d.Pointer) + ": " + d.What
}

func byText(a, b Difference) int { return strings.Compare(a.String(), b.String()) }

// Differences returns the differences so far, sorted. What the description has, and the SDK reads but
// reports to its observers, is not among them.
func (c *Checker) Differences() []Difference {
	if c == nil {
		return nil
	}
	differences, _ := c.compared()
	return differences
}

// compared returns the differences, and the forms that are described but that the SDK reports.
func (c *Checker) compared() (differences, variants []Difference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	merged := map[Difference]Difference{} // of the SDK and the description, and those whose names are hidden
	for d, n := range c.found {
		key := Difference{Op: d.Op, Pointer: c.showAll(d.Pointer, "/", "/"), What: d.What}
		m := cmp.Or(merged[key], key)
		if m.BySDK = m.BySDK || d.BySDK; !d.BySDK {
			m.Responses += n
		}
		merged[key] = m
	}
	for _, d := range slices.SortedFunc(maps.Values(merged), byText) {
		if d.Responses == 0 && d.What != malformed {
			variants = append(variants, d)
		} else {
			differences = append(differences, d)
		}
	}
	return differences, variants
}

// Responses are responses to an operation that are alike.
type Responses struct {
	Op     string // such as "Tickets.Get"; "Do" for [supportbee.Client.Do]
	Status int
	Body   string // such as "JSON object with ticket" or "Retry-After in seconds; no body"
	Count  int
}

// Responses returns the responses so far, sorted.
func (c *Checker) Responses() (all []Responses) {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[Responses]int{}
	for r, n := range c.received {
		form, names, ok := strings.Cut(r.Body, "\x00")
		if r.Body = form; ok {
			r.Body += " with " + c.showAll(names, "\x00", ", ")
		}
		counts[r] += n
	}
	for r, n := range counts {
		r.Count = n
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Responses) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

//go:embed report.md.tmpl
var reportText string

var report = template.Must(template.New("").Parse(reportText))

// Report writes the differences, the responses and the names of headers as Markdown.
func (c *Checker) Report(w io.Writer) error {
	if c == nil || c.next == nil {
		return errZero
	}
	differences, variants := c.compared()
	return report.Execute(w, map[string]any{
		"SDK": supportbee.Version, "Description": c.description.Info.Version, "Date": time.Now().UTC().Format(time.DateOnly),
		"Differences": differences, "Variants": variants, "Responses": c.Responses(), "Headers": c.showHeaders(),
	})
}

func (c *Checker) showHeaders() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	shown := map[string]int{}
	for name, n := range c.headers {
		if c.show(strings.ReplaceAll(strings.ToLower(name), "-", "_")) == hidden {
			name = hidden
		}
		shown[name] += n
	}
	return shown
}

// learn remembers the words of names and addresses in a value, which must be hidden.
func (c *Checker) learn(name string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, part := range value {
			c.learn(name, part)
		}
	case []any:
		for _, part := range value {
			c.learn(name, part)
		}
	case string:
		if strings.Contains(name, "name") || strings.Contains(name, "email") || strings.Contains(value, "@") && !strings.Contains(value, " ") {
			for _, word := range words(value) {
				c.personal[word] = true
			}
		}
	}
}

func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
}

// identifier matches names of members as the API has them.
var identifier = regexp.MustCompile(`^[a-z]+(_[a-z]+)*[0-9]{0,3}$`)

const hidden = "(hidden)"

// show returns a name as it is reported. One that is not of the description is hidden if it may be a
// value, since objects can have people, labels or tokens as names.
func (c *Checker) show(name string) string {
	isPersonal := func(word string) bool { return c.personal[word] }
	if name == "" || name == "*" || c.description.names[name] || len(name) <= 40 && identifier.MatchString(name) && !slices.ContainsFunc(words(name), isPersonal) {
		return name
	}
	return hidden
}

// showAll returns names as they are reported.
func (c *Checker) showAll(names, separator, newSeparator string) string {
	shown := strings.Split(names, separator)
	for i, name := range shown {
		shown[i] = c.show(name)
	}
	return strings.Join(shown, newSeparator)
}
