package supportbee_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// What is read by hand must know every field that its type has: each type is filled, written by
// its tags and read again.
func TestReadersKnowEveryField(t *testing.T) {
	t.Parallel()
	for _, value := range []any{
		new(supportbee.Ticket), new(supportbee.Reply), new(supportbee.Comment), new(supportbee.Person), new(supportbee.Team),
		new(supportbee.Picture), new(supportbee.Content), new(supportbee.Attachment), new(supportbee.Label),
		new(supportbee.UserAssignment), new(supportbee.TeamAssignment),
	} {
		t.Run(fmt.Sprintf("%T", value), func(t *testing.T) {
			t.Parallel()
			fill(reflect.ValueOf(value).Elem(), new(int))
			got := reflect.New(reflect.TypeOf(value).Elem()).Interface()
			require.NoError(t, always(t, http.StatusOK, write(t, value)).Do(t.Context(), http.MethodGet, "/", nil, got))
			assert.Equal(t, value, got)
		})
	}
	t.Run("page", func(t *testing.T) {
		t.Parallel()
		var want supportbee.TicketPage
		fill(reflect.ValueOf(&want).Elem(), new(int))
		got, err := always(t, http.StatusOK, write(t, want)).Tickets.List(t.Context(), supportbee.TicketListOptions{})
		require.NoError(t, err)
		assert.Equal(t, &want, got)
	})
}

// write writes a value by its tags. A source alone has another form on the wire.
func write(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), `"source":{"channel":"web","address":"help@acme.example"}`, `"source":{"web":"help@acme.example"}`)
}

// fill sets every field, each to a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("value %d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]any{"score": float64(*n), "tags": []any{"a", nil}}))
	case reflect.Struct:
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(at(*n/3600, *n/60%60, *n%60)))
			return
		case supportbee.Source:
			v.Set(reflect.ValueOf(supportbee.Source{Channel: "web", Address: "help@acme.example"}))
			return
		}
		for _, field := range v.Fields() {
			fill(field, n)
		}
	default:
		panic(v.Kind())
	}
}

// What out held before must not show through what the answer leaves out.
func TestReadersLeaveNothingOfBefore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body      string
		out, want any
	}{
		"object":           {`{"id":7}`, &supportbee.Ticket{ID: 1, Subject: "old", Labels: []supportbee.Label{{Name: "old"}}}, &supportbee.Ticket{ID: 7}},
		"null":             {`null`, &supportbee.Reply{ID: 1, Summary: "old"}, &supportbee.Reply{}},
		"array":            {`[{"email":"a@b.c"}]`, &[]supportbee.Person{{ID: 1}, {ID: 2}}, &[]supportbee.Person{{Email: "a@b.c"}}},
		"array of nothing": {`null`, &[]supportbee.Person{{ID: 1}}, new([]supportbee.Person)},
		"picture":          {`[]`, &supportbee.Picture{Thumb20: "old"}, &supportbee.Picture{}},
		"no picture":       {`""`, &supportbee.Picture{Thumb20: "old"}, &supportbee.Picture{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, always(t, http.StatusOK, tt.body).Do(t.Context(), http.MethodGet, "/", nil, tt.out))
			assert.Equal(t, tt.want, tt.out)
		})
	}
}

func TestEscapesAreRead(t *testing.T) {
	t.Parallel()
	body := `{"\u0074icket":{"\u0069d":7,"subject":"\"\u00e9\"\n\ud83d\udc1d","created_at":"2026\u002d03-01T10:00:00Z","source":{"w\u0065b":"a\tb"},` +
		`"current_user_assignee":{"us\u0065r":{"id":12}}}}`
	ticket, err := always(t, http.StatusOK, body).Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Ticket{
		ID: 7, Subject: "\"é\"\n🐝", CreatedAt: at(10, 0, 0), Source: supportbee.Source{Channel: "web", Address: "a\tb"}, AssignedUser: &supportbee.Person{ID: 12},
	}, ticket)
}

// Strings are kept for the next that is equal; one that is alike must not get it.
func TestStringsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	var list, want []string
	for _, length := range []int{0, 1, 2, 7, 8, 9, 16, 40, 127, 128, 129, 1000} {
		for i := range 40 {
			subject := fmt.Sprintf("%0*d", length, i*100_000_000) // alike at both ends
			list, want = append(list, fmt.Sprintf(`{"subject":%q}`, subject)), append(want, subject)
		}
	}
	client := always(t, http.StatusOK, `{"tickets":[`+strings.Join(list, ",")+`]}`)
	for range 3 {
		page, err := client.Tickets.List(t.Context(), supportbee.TicketListOptions{})
		require.NoError(t, err)
		var got []string
		for _, ticket := range page.Tickets {
			got = append(got, ticket.Subject)
		}
		require.Equal(t, want, got)
	}
}

// Numbers that are no integers, or too large for one, are errors and not other numbers.
func TestIntegers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 0, "-0": 0, "7": 7, "-7": -7, "2147483647": 2147483647, "null": 0} {
		ticket, err := always(t, http.StatusOK, `{"ticket":{"replies_count":`+text+`}}`).Tickets.Get(t.Context(), 7)
		if assert.NoError(t, err, text) {
			assert.Equal(t, &supportbee.Ticket{RepliesCount: want}, ticket, text)
		}
	}
	for _, text := range []string{"1.0", "1e2", "9223372036854775808", "true", "{}", "[]", `"7"`} {
		_, err := always(t, http.StatusOK, `{"ticket":{"replies_count":`+text+`}}`).Tickets.Get(t.Context(), 7)
		require.ErrorIs(t, err, supportbee.ErrMalformedResponse, text)
		assert.ErrorContains(t, err, "at /ticket/replies_count: got ", text)
		assert.ErrorContains(t, err, ", want an integer", text)
	}
}
