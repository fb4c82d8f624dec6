package supportbee

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The functions below set a query parameter unless its value is the default, which the server
// knows.

func setPage(query url.Values, page, perPage int) {
	setNumber(query, "page", page)
	setNumber(query, "per_page", perPage)
}

func setString[T ~string](query url.Values, name string, value T) {
	if value != "" {
		query.Set(name, string(value))
	}
}

func setNumber[T ~int | ~int64](query url.Values, name string, n T) {
	if n != 0 {
		query.Set(name, strconv.FormatInt(int64(n), 10))
	}
}

func setBool(query url.Values, name string, value bool) {
	if value {
		query.Set(name, "true")
	}
}

// setSince sets the beginning of a period, and setUntil its end. The server knows whole seconds,
// so both are rounded outward: no ticket is lost.
func setSince(query url.Values, name string, value time.Time) {
	if !value.IsZero() {
		query.Set(name, value.UTC().Truncate(time.Second).Format(time.RFC3339))
	}
}

func setUntil(query url.Values, name string, value time.Time) {
	if whole := value.Truncate(time.Second); !whole.Equal(value) {
		value = whole.Add(time.Second)
	}
	setSince(query, name, value)
}

func setList[T ~string](query url.Values, name string, values []T) {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = string(value)
	}
	setString(query, name, strings.Join(texts, ","))
}
