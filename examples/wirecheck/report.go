package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

// row is a difference as it is reported.
type row struct {
	op, pointer, what string
	responses         int
	foundBy           string
}

// rows returns the differences, and the variants: forms that are described and that the SDK reads,
// but reports, since it takes others to be usual.
func (c *check) rows() (differences, variants []row) {
	sums := map[row]int{} // names that are hidden can be equal
	for f, e := range c.found {
		r := row{op: f.op, pointer: c.showPointer(f.pointer), what: f.what, foundBy: "description"}
		switch {
		case e.count == 0:
			r.foundBy = "SDK"
		case e.bySDK:
			r.foundBy = "both"
		}
		sums[r] += e.count
	}
	for r, n := range sums {
		if r.responses = n; n == 0 && r.what != malformed {
			variants = append(variants, r)
		} else {
			differences = append(differences, r)
		}
	}
	for _, rows := range [][]row{differences, variants} {
		slices.SortFunc(rows, func(a, b row) int {
			return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.pointer, b.pointer), cmp.Compare(a.what, b.what), cmp.Compare(a.foundBy, b.foundBy))
		})
	}
	return differences, variants
}

// report writes what was found as Markdown.
func (w *walk) report(out io.Writer, mode string, now time.Time) error {
	c := w.check
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Report of wirecheck\n")
	line("- SDK %s, description %s, %s", supportbee.Version, c.description.Info.Version, now.UTC().Format(time.DateOnly))
	line("- Walk: %s, %d requests, %d of %d operations", mode, c.requests, len(c.statuses), len(c.description.operations))
	line("- It holds names of members and headers, kinds and counts: no values.")

	differences, variants := c.rows()
	line("\n## Differences: %d\n", len(differences))
	if len(differences) > 0 {
		line("| operation | pointer | difference | responses | found by |\n|---|---|---|---|---|")
	} else {
		line("All responses are as described, and the SDK has read all of them.")
	}
	for _, r := range differences {
		line("| %s | %s | %s | %d | %s |", r.op, code(r.pointer), r.what, r.responses, r.foundBy)
	}

	if len(variants) > 0 {
		line("\n## Known variants: %d\n\nForms that the description has, but that the SDK does not take to be usual.\n", len(variants))
		line("| operation | pointer | form |\n|---|---|---|")
		for _, r := range variants {
			line("| %s | %s | %s |", r.op, code(r.pointer), r.what)
		}
	}

	line("\n## Questions\n\n| question | answer |\n|---|---|")
	for _, a := range w.answers {
		if a.reply != nil {
			a.text = a.reply.show(c)
		}
		line("| %s | %s |", a.question, a.text)
	}

	line("\n## Statuses\n\n| operation | responses by status |\n|---|---|")
	for _, op := range slices.Sorted(maps.Keys(c.statuses)) {
		line("| %s | %s |", op, counts(c.statuses[op]))
	}
	line("\n| failure | body |\n|---|---|")
	for _, status := range slices.Sorted(maps.Keys(c.failures)) {
		for _, form := range slices.Sorted(maps.Keys(c.failures[status])) {
			r := c.failures[status][form]
			text := r.form
			if len(r.names) > 0 {
				text += " with " + r.show(c)
			}
			if r.retryAfter != "" {
				text += "; Retry-After in " + r.retryAfter
			}
			line("| %s | %s |", status, text)
		}
	}
	headers := map[string]int{}
	for name, n := range c.headers {
		headers[c.showHeader(name)] += n
	}
	line("\n## Headers\n\n%s", counts(headers))

	line("\n## Members\n\nThose that are not in all responses. Null counts apart.\n")
	line("| schema | objects | never | only null | sometimes |\n|---|---|---|---|---|")
	c.writeMembers(line)
	_, err := io.WriteString(out, b.String())
	return err
}

// writeMembers writes a line for each schema whose members are not always there.
func (c *check) writeMembers(line func(string, ...any)) {
	type states struct{ value, null, absent int }
	schemas := map[string]map[string]*states{}
	for m, n := range c.members {
		if schemas[m.schema] == nil {
			schemas[m.schema] = map[string]*states{}
		}
		s := schemas[m.schema][m.name]
		if s == nil {
			s = &states{}
			schemas[m.schema][m.name] = s
		}
		switch m.state {
		case "value":
			s.value += n
		case "null":
			s.null += n
		default:
			s.absent += n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		var never, null, sometimes []string
		objects := 0
		for _, member := range slices.Sorted(maps.Keys(schemas[name])) {
			s := schemas[name][member]
			objects = s.value + s.null + s.absent
			switch {
			case s.value == 0 && s.null == 0:
				never = append(never, member)
			case s.value == 0:
				null = append(null, member)
			case s.absent > 0:
				sometimes = append(sometimes, fmt.Sprintf("%s (%d)", member, s.value+s.null))
			}
		}
		if len(never)+len(null)+len(sometimes) > 0 {
			line("| %s | %d | %s | %s | %s |", name, objects, strings.Join(never, ", "), strings.Join(null, ", "), strings.Join(sometimes, ", "))
		}
	}
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// counts returns each key with its number.
func counts(numbers map[string]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(numbers)) {
		parts = append(parts, fmt.Sprintf("%s × %d", key, numbers[key]))
	}
	return strings.Join(parts, ", ")
}
