package transport

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	const (
		first  = 125 * time.Millisecond // the backoff after the first attempt with the random number here
		second = 250 * time.Millisecond
	)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	classes := []Class{Create, Repeatable, Read}
	again := func(h history) decision { return decision{again: true, wait: first, history: h} }
	unknown := func(d decision) decision { d.outcomeUnknown = true; return d }
	acted, vanished := history{acted: true}, history{acted: true, unanswered: true}

	type row struct {
		name string
		in   result
		once bool        // the body cannot be sent again
		want [3]decision // by class: Create, Repeatable, Read
	}
	final := [3]decision{}
	rows := []row{
		{name: "no connection", in: result{failure: notConnected}, want: [3]decision{again(history{}), again(history{}), again(history{})}},
		{name: "wrong peer", in: result{failure: wrongPeer}, want: final},
		{name: "lost", in: result{failure: lost}, want: [3]decision{unknown(decision{history: acted}), unknown(again(vanished)), again(vanished)}},
		{name: "101", in: result{failure: switched}, want: [3]decision{unknown(decision{history: acted}), unknown(decision{history: acted}), {history: acted}}},
		{name: "broken", in: result{failure: broken}, want: [3]decision{unknown(decision{history: acted}), unknown(again(vanished)), again(vanished)}},
		{name: "unusable", in: result{failure: unusable}, want: [3]decision{unknown(decision{history: acted}), unknown(decision{history: acted}), {history: acted}}},
		{name: "425", in: result{status: 425}, want: [3]decision{{}, again(history{}), again(history{})}},
		{name: "500", in: result{status: 500}, want: [3]decision{
			unknown(decision{history: history{acted: true, failed: true}}), unknown(decision{history: history{acted: true, failed: true}}),
			again(history{acted: true, failed: true}),
		}},
		{name: "500 again", in: result{status: 500, earlier: history{acted: true, failed: true}}, want: [3]decision{
			unknown(decision{history: history{acted: true, failed: true}}), unknown(decision{history: history{acted: true, failed: true}}),
			{history: history{acted: true, failed: true}},
		}},
		{name: "404 after a lost response", in: result{status: 404, earlier: vanished}, want: [3]decision{{history: vanished}, {history: vanished}, {history: vanished}}},
		{name: "no connection after a lost response, at last", in: result{failure: notConnected, attempt: 4, earlier: vanished}, want: [3]decision{
			unknown(decision{history: vanished}), unknown(decision{history: vanished}), {history: vanished},
		}},
		{name: "the second backoff is longer", in: result{failure: notConnected, attempt: 2}, want: [3]decision{
			{again: true, wait: second}, {again: true, wait: second}, {again: true, wait: second},
		}},
		{name: "no second body", in: result{failure: notConnected}, once: true, want: final},
		{name: "the deadline is too near", in: result{failure: notConnected, deadline: now.Add(first)}, want: final},
		{name: "the deadline is far enough", in: result{failure: notConnected, deadline: now.Add(first + 1)}, want: [3]decision{again(history{}), again(history{}), again(history{})}},
	}
	for _, status := range []int{200, 204, 300, 304, 400, 404, 422} {
		rows = append(rows, row{name: fmt.Sprint(status), in: result{status: status}, want: final})
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		rows = append(rows, row{name: fmt.Sprint(status), in: result{status: status}, want: [3]decision{unknown(decision{history: acted}), {}, {}}})
	}
	for _, status := range []int{501, 505, 511, 599} {
		rows = append(rows, row{name: fmt.Sprint(status), in: result{status: status}, want: [3]decision{unknown(decision{history: acted}), unknown(decision{history: acted}), {history: acted}}})
	}
	for _, status := range []int{408, 502, 504, 520, 522, 524} {
		rows = append(rows, row{name: fmt.Sprint(status), in: result{status: status}, want: [3]decision{unknown(decision{history: acted}), unknown(again(vanished)), again(vanished)}})
	}
	for _, status := range []int{503, 521, 523, 529, 530} {
		rows = append(rows, row{name: fmt.Sprint(status), in: result{status: status}, want: [3]decision{unknown(decision{history: acted}), unknown(again(acted)), again(acted)}})
	}
	limited := func(d decision) [3]decision { return [3]decision{d, d, d} }
	after := func(value string) http.Header { return http.Header{"Retry-After": {value}} }
	rows = append(rows,
		row{name: "429", in: result{status: 429}, want: limited(decision{again: true, wait: first, pause: first})},
		row{name: "429 with a wait", in: result{status: 429, header: after("7")}, want: limited(decision{again: true, wait: 7 * time.Second, pause: 7 * time.Second, retryAfter: 7 * time.Second})},
		row{name: "429 with a wait too long", in: result{status: 429, header: after("90")}, want: limited(decision{pause: 90 * time.Second, retryAfter: 90 * time.Second})},
		row{name: "429 with a wait that makes no sense", in: result{status: 429, header: after("1767225600")}, want: limited(decision{again: true, wait: first, pause: first})},
		row{name: "429 at last", in: result{status: 429, attempt: 4}, want: final},
		row{name: "429 at last with a wait", in: result{status: 429, attempt: 4, header: after("7")}, want: limited(decision{pause: 7 * time.Second, retryAfter: 7 * time.Second})},
		row{name: "503 with a wait", in: result{status: 503, header: after("7")}, want: [3]decision{
			unknown(decision{history: acted, retryAfter: 7 * time.Second}),
			unknown(decision{again: true, wait: 7 * time.Second, history: acted, retryAfter: 7 * time.Second}),
			{again: true, wait: 7 * time.Second, history: acted, retryAfter: 7 * time.Second},
		}},
		row{name: "502 with a wait", in: result{status: 502, header: after("7")}, want: [3]decision{unknown(decision{history: acted}), unknown(again(vanished)), again(vanished)}},
	)

	for _, tt := range rows {
		for i, class := range classes {
			t.Run(fmt.Sprint(tt.name, " class ", i), func(t *testing.T) {
				t.Parallel()
				in := tt.in
				in.class, in.policy, in.now, in.random = class, Policy{}.withDefaults(), now, 3./7
				in.replayable = !tt.once
				in.attempt = max(in.attempt, 1)
				got := decide(in)
				got.wait = got.wait.Round(time.Microsecond)
				got.pause = got.pause.Round(time.Microsecond)
				assert.Equal(t, tt.want[i], got)
			})
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := func(d time.Duration, layout string) string { return now.Add(d).Format(layout) }
	for _, tt := range []struct {
		name  string
		value string
		date  string
		want  time.Duration
	}{
		{name: "seconds", value: "7", want: 7 * time.Second},
		{name: "seconds in space", value: " 7 ", want: 7 * time.Second},
		{name: "IMF date", value: in(7*time.Second, http.TimeFormat), want: 7 * time.Second},
		{name: "RFC 850 date", value: in(7*time.Second, "Monday, 02-Jan-06 15:04:05 GMT"), want: 7 * time.Second},
		{name: "asctime date", value: in(7*time.Second, time.ANSIC), want: 7 * time.Second},
		{name: "the server's clock is an hour off", value: in(time.Hour+7*time.Second, http.TimeFormat), date: in(time.Hour, http.TimeFormat), want: 7 * time.Second},
		{name: "malformed Date", value: in(7*time.Second, http.TimeFormat), date: "now", want: 7 * time.Second},
		{name: "a day", value: "86400", want: 24 * time.Hour},
		{name: "a date in a day", value: in(24*time.Hour, http.TimeFormat), want: 24 * time.Hour},

		{name: "absent"},
		{name: "zero", value: "0"},
		{name: "negative", value: "-5"},
		{name: "signed", value: "+5"},
		{name: "fraction", value: "1.5"},
		{name: "words", value: "soon"},
		{name: "past date", value: in(-time.Hour, http.TimeFormat)},
		{name: "no such date", value: "Sat, 99 Jan 2000 00:00:00 GMT"},
		{name: "more than a day", value: "86401"},
		{name: "a date in more than a day", value: in(24*time.Hour+time.Second, http.TimeFormat)},
		{name: "a Unix timestamp", value: "1767225600"},
		{name: "the largest number", value: "18446744073709551615"},
		{name: "more than fits", value: "99999999999999999999999"},
		{name: "far date", value: "Fri, 31 Dec 9999 23:59:59 GMT"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, retryAfter(http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}, now))
		})
	}
}

// Whatever a server sends, waits are bounded, and a create is sent again only if it was not
// processed.
func FuzzDecide(f *testing.F) {
	for _, value := range []string{
		"", "0", "7", " 7 ", "-5", "+5", "1.5", "1e3", "0x7", "86400", "86401", "18446744073709551615", "99999999999999999999999", "soon",
		"Fri, 02 Jan 2026 03:04:12 GMT", "Friday, 02-Jan-26 03:04:12 GMT", "Fri Jan  2 03:04:12 2026", "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 99 Jan 2000 00:00:00 GMT",
	} {
		f.Add(uint8(0), 429, uint8(0), 1, value, "")
		f.Add(uint8(2), 503, uint8(0), 2, value, "Fri, 02 Jan 2026 02:04:05 GMT")
		f.Add(uint8(1), 0, uint8(lost), 3, value, value)
	}
	classes := []Class{Create, Repeatable, Read}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, class uint8, status int, kind uint8, attempt int, after, date string) {
		in := result{
			class: classes[int(class)%len(classes)], attempt: max(attempt, 1)%1000 + 1, policy: Policy{}.withDefaults(), replayable: true,
			status: status, header: http.Header{"Retry-After": {after}, "Date": {date}}, failure: failure(kind % uint8(unusable+1)), now: now, random: 1,
		}
		got := decide(in)
		assert.GreaterOrEqual(t, got.retryAfter, time.Duration(0))
		assert.LessOrEqual(t, got.retryAfter, maxRetryAfter)
		assert.GreaterOrEqual(t, got.wait, time.Duration(0))
		assert.LessOrEqual(t, got.wait, in.policy.MaxWait)
		assert.LessOrEqual(t, got.pause, maxRetryAfter)
		if got.again {
			assert.Less(t, in.attempt, in.policy.MaxAttempts)
		}
		if got.again && in.class == Create {
			assert.True(t, in.failure == notConnected || in.failure == noFailure && status == http.StatusTooManyRequests)
			assert.Equal(t, history{}, got.history)
		}
		if in.class == Read {
			assert.False(t, got.outcomeUnknown)
		}
	})
}
