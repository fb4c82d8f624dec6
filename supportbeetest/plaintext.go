package supportbeetest

import (
	"html"
	"regexp"
	"strings"
)

var (
	invisible  = regexp.MustCompile(`(?is)<!--.*?-->|<(?:script|style|head|title)\b.*?</(?:script|style|head|title)\s*>`)
	lineBreaks = regexp.MustCompile(`(?i)<br\b[^>]*>|</(?:p|div|li|tr|h[1-6]|blockquote)\s*>`)
	tags       = regexp.MustCompile(`<[a-zA-Z/!][^>]*>`)
	spaces     = regexp.MustCompile(`[ \t\r\n\f]+`)
)

// plainText returns the text of an HTML document, with a line for each paragraph.
func plainText(document string) string {
	document = invisible.ReplaceAllString(document, "")
	document = spaces.ReplaceAllString(document, " ")
	document = lineBreaks.ReplaceAllString(document, "\n")
	document = html.UnescapeString(tags.ReplaceAllString(document, ""))
	lines := strings.Split(document, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
