package supportbeetest

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// dateLayouts are the documented forms of times in queries, besides Unix seconds.
var dateLayouts = []string{
	time.RFC3339,
	"20060102T150405-0700",
	"2 Jan 2006 03:04:05 PM",
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05",
	"2006-01-02",
	"20060102",
}

var (
	ordinal     = regexp.MustCompile(`^(\d{1,2})(st|nd|rd|th) `)
	unixSeconds = regexp.MustCompile(`^\d{9,11}$`)
)

// parseDate parses a time of a query. Without a zone, it is in UTC.
func parseDate(text string) (time.Time, error) {
	if unixSeconds.MatchString(text) {
		seconds, err := strconv.ParseInt(text, 10, 64)
		return time.Unix(seconds, 0).UTC(), err
	}
	text = ordinal.ReplaceAllString(text, "$1 ")
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a time")
}
