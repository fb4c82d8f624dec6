package supportbee_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// resourceTypes are all types of responses.
var resourceTypes = []any{
	supportbee.Ticket{},
	supportbee.TicketPage{},
	supportbee.TicketCounts{},
	supportbee.Source{},
	supportbee.Content{},
	supportbee.UserAssignment{},
	supportbee.TeamAssignment{},
	supportbee.AuditEntry{},
	supportbee.AuditActor{},
	supportbee.Reply{},
	supportbee.Comment{},
	supportbee.Label{},
	supportbee.Labeling{},
	supportbee.Draft{},
	supportbee.Person{},
	supportbee.User{},
	supportbee.CustomerGroup{},
	supportbee.Picture{},
	supportbee.Team{},
	supportbee.Snippet{},
	supportbee.Attachment{},
	supportbee.AttachmentURL{},
	supportbee.ForwardingAddress{},
	supportbee.Filter{},
	supportbee.Rule{},
	supportbee.Consequence{},
	supportbee.DataPoint{},
	supportbee.Webhook{},
	supportbee.WebhookCompany{},
}

// Each field is named in its tag and in its type's reader. Both must know all of them: each type
// is filled, written by its tags and read again.
func TestTypesReadWhatTheyWrite(t *testing.T) {
	t.Parallel()
	for _, zero := range resourceTypes {
		t.Run(fmt.Sprintf("%T", zero), func(t *testing.T) {
			t.Parallel()
			for _, fields := range []string{"all", "none"} {
				want := reflect.New(reflect.TypeOf(zero))
				if fields == "all" {
					fill(want.Elem(), new(int), 0)
				}
				if event, ok := reflect.TypeAssert[*supportbee.Webhook](want); ok && fields == "all" {
					event.Action, event.Raw = supportbee.WebhookCommentCreated, nil
				}
				written, err := json.Marshal(want.Interface())
				require.NoError(t, err)
				got := reflect.New(want.Elem().Type())
				require.NoError(t, json.Unmarshal(written, got.Interface()), "%s", written)
				if event, ok := reflect.TypeAssert[*supportbee.Webhook](got); ok {
					event.Raw = nil
				}
				assert.Equal(t, want.Interface(), got.Interface(), "%s", written)
			}
		})
	}
}

// fill sets every field to a value of its own. Types within themselves are filled twice.
func fill(v reflect.Value, n *int, depth int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("value <%d>", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8: // of Webhook.Raw
	case reflect.Pointer:
		if depth < 12 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), n, depth+1)
		}
	case reflect.Slice:
		if depth < 8 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			for i := range v.Len() {
				fill(v.Index(i), n, depth+1)
			}
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]json.RawMessage{"zz_new": json.RawMessage(fmt.Sprintf(`{"n":%d}`, *n)), "a_new": json.RawMessage(`[null]`)}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at(*n/3600%24, *n/60%60, *n%60)))
			return
		}
		for _, field := range v.Fields() {
			fill(field, n, depth+1)
		}
	default:
		panic(v.Kind())
	}
}

// Whatever values the fields and Extra have, writing, reading and writing again gives the same JSON.
func TestRandomValuesSurvive(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(14, 8))
	for _, zero := range resourceTypes {
		for range 100 {
			value := reflect.New(reflect.TypeOf(zero))
			randomize(value.Elem(), random, 0)
			first, err := json.Marshal(value.Interface())
			require.NoError(t, err, "%+v", value.Interface())
			read := reflect.New(value.Elem().Type())
			err = json.Unmarshal(first, read.Interface())
			if errors.Is(err, supportbee.ErrMalformedResponse) {
				continue // an event without its parts
			}
			require.NoError(t, err, "%s", first)
			second, err := json.Marshal(read.Interface())
			require.NoError(t, err)
			require.True(t, bytes.Equal(first, second), "%T:\n%s\nwas read and written as\n%s", zero, first, second)
		}
	}
}

// randomize sets about two thirds of the fields, also to values that no server sends.
func randomize(v reflect.Value, random *rand.Rand, depth int) {
	isTime := v.Type() == reflect.TypeFor[time.Time]()
	if depth > 10 || random.IntN(3) == 0 && (isTime || v.Kind() != reflect.Struct) {
		return
	}
	text := func() string {
		pieces := []string{"", "kettle", "<b>&amp;</b>", "a@b.c", "2", "true", "null", "\u00e9\u2028\U0001f600", "\x00\n\"\\", "2016-03-01", "any"}
		return pieces[random.IntN(len(pieces))] + pieces[random.IntN(len(pieces))]
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text())
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64() >> random.IntN(64) * int64(1-2*random.IntN(2)))
	case reflect.Float64:
		v.SetFloat(random.NormFloat64() * 1e6)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		if depth < 9 {
			v.Set(reflect.New(v.Type().Elem()))
			randomize(v.Elem(), random, depth+1)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // Webhook.Raw is not written
		}
		v.Set(reflect.MakeSlice(v.Type(), random.IntN(3), 3))
		for i := range v.Len() {
			element := v.Index(i)
			if element.Kind() == reflect.Pointer { // null elements are left out
				element.Set(reflect.New(element.Type().Elem()))
				element = element.Elem()
			}
			randomize(element, random, min(depth+1, 10))
		}
	case reflect.Map:
		extra := map[string]json.RawMessage{}
		values := []string{`null`, `{"a":[1.50,"\ud83d\ude00"]}`, `[]`, `"x"`, `-1e3`, `true`}
		for _, name := range []string{"new", "na\"me", ""} {
			if random.IntN(4) == 0 {
				extra[name] = json.RawMessage(values[random.IntN(len(values))])
			}
		}
		if random.IntN(4) == 0 {
			extra["created_at"] = json.RawMessage(`{"odd":1}`) // a time where it is known
		}
		v.Set(reflect.ValueOf(extra))
	case reflect.Struct:
		if isTime {
			v.Set(reflect.ValueOf(time.Unix(random.Int64N(4e9), random.Int64N(1e9)).In(time.FixedZone("", random.IntN(100)*900-45000))))
			return
		}
		for field, value := range v.Fields() {
			randomize(value, random, depth+1)
			switch {
			case field.Name == "ID" && value.CanInt(): // elements of lists without a usable ID are left out
				value.SetInt(1 + random.Int64N(1e12))
			case value.IsZero() && (field.Name == "Channel" || field.Name == "Original"): // which tell that there is a source or a URL
				value.SetString("web")
			}
		}
	default:
		panic(v.Kind())
	}
}

// Types are written in the API's own form.
func TestTypesWriteTheFormOfTheAPI(t *testing.T) {
	t.Parallel()
	type raw = map[string]json.RawMessage
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{name: "source", value: supportbee.Source{Channel: "web", Address: "help@acme.example", Extra: raw{"api": json.RawMessage(`1`)}}, want: `{"web":"help@acme.example","api":1}`},
		{name: "source without an address", value: supportbee.Source{Channel: "web", Extra: raw{"api": json.RawMessage(`1`), "web": json.RawMessage(`{}`)}}, want: `{"web":{},"api":1}`},
		{name: "no source", value: supportbee.Source{}, want: `{}`},
		{name: "point", value: supportbee.DataPoint{Time: time.Unix(1360627200, 0), Value: 4.5}, want: `{"timestamp":"1360627200","value":"4.5"}`},
		{name: "labeling", value: supportbee.Labeling{ID: 1, Label: "x", TicketID: 7}, want: `{"id":1,"label":"x","ticket":7}`},
		{
			name:  "assignment",
			value: supportbee.UserAssignment{ID: 1, TicketID: 7, User: supportbee.Person{ID: 2, Email: "a@b.c"}},
			want:  `{"id":1,"ticket":{"id":7},"assignee":{"user":{"id":2,"email":"a@b.c","name":"","agent":false}}}`,
		},
		{
			name:  "extra among the others",
			value: supportbee.Label{Name: "x", Extra: raw{"new": json.RawMessage(`"<"`), "id": json.RawMessage(`{"odd":1}`), "name": json.RawMessage(`"older"`)}},
			want:  `{"name":"x","color":"","id":{"odd":1},"new":"\u003c"}`,
		},
		{name: "webhook check", value: supportbee.Webhook{}, want: `{"payload":null}`},
		{
			name:  "webhook",
			value: supportbee.Webhook{Action: "x", Ticket: &supportbee.Ticket{ID: 7}, Extra: raw{"new": json.RawMessage(`1`)}},
			want: `{"payload":{"action_type":"x","ticket":{"id":7,"subject":"","summary":"","content":{"text":"","truncated":false},"source":{},` +
				`"replies_count":0,"agent_replies_count":0,"comments_count":0,"unanswered":false,"archived":false,"spam":false,"trash":false,"private":false,"draft":false},"new":1}}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(tt.value)
			require.NoError(t, err)
			assert.Equal(t, tt.want, string(got))
		})
	}
}

// Each form of a member is read as what it means.
func TestTolerance(t *testing.T) {
	t.Parallel()
	const benJSON = `{"id":12,"email":"ben@acme.example"}`
	ben := &supportbee.Person{ID: 12, Email: "ben@acme.example"}
	team := &supportbee.Team{ID: 21, Name: "Support"}
	thumb := supportbee.Picture{Thumb20: "u"}
	day := time.Date(2016, 3, 1, 0, 0, 0, 0, time.UTC)
	extra := func(name, value string) map[string]json.RawMessage {
		return map[string]json.RawMessage{name: json.RawMessage(value)}
	}
	type ticket = supportbee.Ticket
	tests := map[string]ticket{
		// assignees
		`"current_user_assignee":{"user":` + benJSON + `}`:                        {AssignedUser: ben},
		`"current_user_assignee":` + benJSON:                                      {AssignedUser: ben},
		`"current_user_assignee":[{"id":12,"email":"ben@acme.example"}]`:          {AssignedUser: ben},
		`"current_user_asignee":{"user":` + benJSON + `}`:                         {AssignedUser: ben},
		`"current_user_asignee":` + benJSON:                                       {AssignedUser: ben},
		`"current_user_assignee":null,"current_user_asignee":` + benJSON:          {AssignedUser: ben},
		`"current_user_asignee":` + benJSON + `,"current_user_assignee":null`:     {AssignedUser: ben},
		`"current_user_assignee":{"id":99,"user":` + benJSON + `,"name":"Other"}`: {AssignedUser: ben},
		`"current_user_assignee":null`:                                            {},
		`"current_user_assignee":""`:                                              {},
		`"current_user_assignee":" "`:                                             {},
		`"content":"x","content":{"text":"ok","new":1}`:                           {Content: supportbee.Content{Text: "ok", Extra: map[string]json.RawMessage{"new": json.RawMessage("1")}}},
		`"current_user_assignee":{"user":null}`:                                   {},
		`"current_user_assignee":{"user":{}}`:                                     {},
		`"current_user_assignee":{}`:                                              {},
		`"current_user_assignee":"ben@acme.example"`:                              {AssignedUser: &supportbee.Person{Email: "ben@acme.example"}},
		`"current_team_assignee":{"new":1}`:                                       {Extra: extra("current_team_assignee", `{"new":1}`)},
		`"current_team_assignee":{"team":7}`:                                      {Extra: extra("current_team_assignee", `{"team":7}`)},
		`"current_team_assignee":7`:                                               {Extra: extra("current_team_assignee", `7`)},
		`"current_team_assignee":{"team":{"id":21,"name":"Support"}}`:             {AssignedTeam: team},
		`"current_team_assignee":{"id":21,"name":"Support"}`:                      {AssignedTeam: team},
		`"current_team_asignee":{"team":{"id":21,"name":"Support","picture":{}}}`: {AssignedTeam: team},
		`"current_team_asignee":{"id":21,"name":"Support","picture":null}`:        {AssignedTeam: team},
		// pictures
		`"requester":{"picture":{"thumb20":"u"}}`:   {Requester: supportbee.Person{Picture: thumb}},
		`"requester":{"picture":[{"thumb20":"u"}]}`: {Requester: supportbee.Person{Picture: thumb}},
		`"requester":{"picture":[]}`:                {},
		`"requester":{"picture":""}`:                {},
		`"requester":{"picture":[{},{}]}`:           {Requester: supportbee.Person{Extra: extra("picture", `[{},{}]`)}},
		// people
		`"requester":{}`:                                       {},
		`"requester":null`:                                     {},
		`"requester":"ben@acme.example"`:                       {Requester: supportbee.Person{Email: "ben@acme.example"}},
		`"requester":7`:                                        {Extra: extra("requester", `7`)},
		`"requester":{"id":"12","role":20}`:                    {Requester: supportbee.Person{ID: 12, Role: supportbee.RoleAdmin}},
		`"requester":{"role":99}`:                              {Requester: supportbee.Person{Role: "99"}},
		`"requester":{"email_domains":"b.c"}`:                  {Requester: supportbee.Person{EmailDomains: []string{"b.c"}}},
		`"requester":{"email_domains":["b.c",7,null]}`:         {Requester: supportbee.Person{EmailDomains: []string{"b.c", "7", ""}}},
		`"requester":{"email_domains":[{}]}`:                   {Requester: supportbee.Person{Extra: extra("email_domains", `[{}]`)}},
		`"submitter":{}`:                                       {Submitter: &supportbee.Person{}},
		`"submitter":""`:                                       {},
		`"cc":["a@b.c",` + benJSON + `,null]`:                  {CC: []supportbee.Person{{Email: "a@b.c"}, *ben}},
		`"cc":"Ann <a@b.c>, d@e.f"`:                            {CC: []supportbee.Person{{Name: "Ann", Email: "a@b.c"}, {Email: "d@e.f"}}},
		`"cc":"a@b.c, not an address"`:                         {CC: []supportbee.Person{{Email: "a@b.c"}, {Email: "not an address"}}},
		`"cc":` + benJSON:                                      {CC: []supportbee.Person{*ben}},
		`"cc":["a",7]`:                                         {Extra: extra("cc", `["a",7]`)},
		`"cc":7`:                                               {Extra: extra("cc", `7`)},
		`"cc":null,"bcc":[]`:                                   {BCC: []supportbee.Person{}},
		`"cc":"","bcc":["a@b.c"]`:                              {BCC: []supportbee.Person{{Email: "a@b.c"}}},
		`"labels":["refund",{"name":"bug","color":"#FF0000"}]`: {Labels: []supportbee.Label{{Name: "refund"}, {Name: "bug", Color: "#FF0000"}}},
		`"labels":"refund"`:                                    {Labels: []supportbee.Label{{Name: "refund"}}},
		`"labels":[[{"name":"bug"}]]`:                          {Labels: []supportbee.Label{{Name: "bug"}}},
		// content
		`"content":{"text":"x"}`:                                             {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"x"}`:                                             {Content: supportbee.Content{Text: "x"}},
		`"content":{"text":"x","body":"y"}`:                                  {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"y","text":"x"}`:                                  {Content: supportbee.Content{Text: "x"}},
		`"content":{"body":"y","text":""}`:                                   {Content: supportbee.Content{Text: "y"}},
		`"content":{"text":null,"body":"y"}`:                                 {Content: supportbee.Content{Text: "y"}},
		`"content":{"body":"y","text":{}}`:                                   {Content: supportbee.Content{Text: "y", Extra: extra("text", `{}`)}},
		`"content":{"text":null,"html":null,"body":null,"attachments":null}`: {},
		`"content":null`:                                                     {},
		// source
		`"source":{"email":"help@acme.example"}`: {Source: supportbee.Source{Channel: "email", Address: "help@acme.example"}},
		`"source":{"api":{"key":1}}`:             {Source: supportbee.Source{Channel: "api", Extra: extra("api", `{"key":1}`)}},
		`"source":{"web":"w","api":null}`:        {Source: supportbee.Source{Channel: "web", Address: "w", Extra: extra("api", `null`)}},
		`"source":"web"`:                         {Source: supportbee.Source{Channel: "web"}},
		`"source":{"":1}`:                        {Source: supportbee.Source{Extra: extra("", `1`)}},
		`"source":{}`:                            {},
		`"source":null`:                          {},
		// rating
		`"customer_rating":{}`:                        {CustomerRating: map[string]json.RawMessage{}},
		`"customer_rating":{"score":5,"by":{"id":1}}`: {CustomerRating: map[string]json.RawMessage{"score": json.RawMessage(`5`), "by": json.RawMessage(`{"id":1}`)}},
		`"customer_rating":null`:                      {},
		`"customer_rating":""`:                        {},
		`"customer_rating":5`:                         {Extra: extra("customer_rating", `5`)},
		// numbers
		`"replies_count":"2"`:                 {RepliesCount: 2},
		`"replies_count":" 2 "`:               {RepliesCount: 2},
		`"replies_count":2.0`:                 {RepliesCount: 2},
		`"replies_count":2e0`:                 {RepliesCount: 2},
		`"replies_count":"2.0"`:               {RepliesCount: 2},
		`"replies_count":""`:                  {},
		`"replies_count":-7`:                  {RepliesCount: -7},
		`"replies_count":2.5`:                 {Extra: extra("replies_count", `2.5`)},
		`"replies_count":"two"`:               {Extra: extra("replies_count", `"two"`)},
		`"replies_count":9223372036854775808`: {Extra: extra("replies_count", `9223372036854775808`)},
		`"replies_count":true`:                {Extra: extra("replies_count", `true`)},
		`"replies_count":[2]`:                 {Extra: extra("replies_count", `[2]`)},
		// booleans
		`"spam":"true","trash":1,"private":"1"`:  {Spam: true, Trash: true, Private: true},
		`"spam":"false","trash":0,"private":"0"`: {},
		`"spam":""`:                              {},
		`"spam":"yes"`:                           {Extra: extra("spam", `"yes"`)},
		`"spam":2`:                               {Extra: extra("spam", `2`)},
		`"historical_import":null`:               {},
		`"historical_import":false`:              {},
		`"historical_import":{"from":"zendesk"}`: {HistoricalImport: true},
		// texts
		`"subject":4711`:       {Subject: "4711"},
		`"subject":1.50`:       {Subject: "1.50"},
		`"subject":true`:       {Extra: extra("subject", `true`)},
		`"subject":["x"]`:      {Extra: extra("subject", `["x"]`)},
		`"subject":"\ud800"`:   {Subject: "\uFFFD"},
		"\"subject\":\"\xff\"": {Subject: "\uFFFD"},
		// times
		`"created_at":"2016-03-01T12:00:00+07:00"`:             {CreatedAt: time.Date(2016, 3, 1, 12, 0, 0, 0, time.FixedZone("", 7*60*60))},
		`"created_at":"2016-03-01T10:00:00.5Z"`:                {CreatedAt: day.Add(10*time.Hour + 500*time.Millisecond)},
		`"created_at":"2016-03-01 10:00:00 UTC"`:               {CreatedAt: day.Add(10 * time.Hour)},
		`"created_at":"2016-03-01T10:00:00+0000"`:              {CreatedAt: day.Add(10 * time.Hour)},
		`"created_at":"2016-03-01 10:00:00 +0000"`:             {CreatedAt: day.Add(10 * time.Hour)},
		`"created_at":"2016-03-01 10:00:00.25"`:                {CreatedAt: day.Add(10*time.Hour + 250*time.Millisecond)},
		`"created_at":"2016-03-01T10:00:00"`:                   {CreatedAt: day.Add(10 * time.Hour)},
		`"created_at":"2016-03-01"`:                            {CreatedAt: day},
		`"created_at":1456790400,"last_reply_at":"1456790400"`: {CreatedAt: day, LastReplyAt: day},
		`"created_at":"","last_activity_at":null`:              {},
		`"created_at":"yesterday"`:                             {Extra: extra("created_at", `"yesterday"`)},
		`"created_at":2016`:                                    {Extra: extra("created_at", `2016`)},
		`"created_at":1e300`:                                   {Extra: extra("created_at", `1e300`)},
		`"created_at":true`:                                    {Extra: extra("created_at", `true`)},
		// repeated and unknown names
		`"subject":"a","subject":"b"`:                          {Subject: "b"},
		`"subject":{},"subject":"b"`:                           {Subject: "b"},
		`"subject":"a","subject":{}`:                           {Extra: extra("subject", `{}`)},
		`"requester":{"id":1,"name":"x"},"requester":{"id":2}`: {Requester: supportbee.Person{ID: 2}},
		`"new":{"nested":[1, {"x" : "<y>"}]}`:                  {Extra: extra("new", `{"nested":[1,{"x":"\u003cy\u003e"}]}`)},
		`"new":1,"new":2`:                                      {Extra: extra("new", `2`)},
		`"\u0073ubject":"\"\u00e9\"\n\ud83d\udc1d"`:            {Subject: "\"é\"\n🐝"},
		`"":null`:    {Extra: extra("", `null`)},
		`"a/b~c":{}`: {Extra: extra("a/b~c", `{}`)},

		`"subject":null,"replies_count":null,"spam":null,"labels":null,"created_at":null,"customer_rating":null`: {},
	}
	var list []string
	for fields, want := range tests {
		want.ID = 7
		object := `{"id":7,` + fields + `}`
		list = append(list, object)
		for envelope, call := range map[string]func(*supportbee.Client) (*ticket, error){
			`{"ticket":%s}`:                      func(c *supportbee.Client) (*ticket, error) { return c.Tickets.Get(t.Context(), 7) },
			"\uFEFF{\"x\":1,\"ticket\":%s}":      create,
			`{"id":1,"subject":5,"ticket":%s}`:   create,
			`{"ticket":{"id":1},"ticket":%s}`:    create,
			`{"ticket":%s,"id":1,"subject":"x"}`: create,
			`%s`:                                 create,
			`{"tickets":[%s],"x":[]}`: func(c *supportbee.Client) (*ticket, error) {
				return firstTicket(c.Tickets.List(t.Context(), nil))
			},
		} {
			body := fmt.Sprintf(envelope, object)
			got, err := call(always(t, http.StatusOK, body))
			if assert.NoError(t, err, body) {
				assert.Equal(t, &want, got, body)
			}
		}
		var got, again ticket
		require.NoError(t, json.Unmarshal([]byte(object), &got), object)
		assert.Equal(t, want, got, object)
		written, err := json.Marshal(got)
		require.NoError(t, err, object)
		require.NoError(t, json.Unmarshal(written, &again))
		assert.Equal(t, want, again, "%s was written as %s", object, written)
	}
	page, err := always(t, http.StatusOK, `{"total":99,"tickets":[`+strings.Join(list, ",")+`]}`).Tickets.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Len(t, page.Tickets, len(tests), "no odd member costs a ticket")
}

func create(c *supportbee.Client) (*supportbee.Ticket, error) {
	return c.Tickets.Create(context.Background(), supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text("x")})
}

func firstTicket(page *supportbee.TicketPage, err error) (*supportbee.Ticket, error) {
	if err != nil {
		return nil, err
	}
	return page.Tickets[0], nil
}

// Whatever members are odd or new, reading, writing and reading again gives the same value.
func TestRandomResponsesSurvive(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(12, 26))
	for _, name := range []string{"ticket.json", "reply.json", "comment.json", "draft.json", "user.json", "snippet.json", "user_assignment.json", "webhook.json"} {
		var fixture map[string]any
		data, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &fixture))
		for range 50 {
			mutated, err := json.Marshal(mutate(fixture, random))
			require.NoError(t, err)
			for _, zero := range resourceTypes {
				first, second := reflect.New(reflect.TypeOf(zero)).Interface(), reflect.New(reflect.TypeOf(zero)).Interface()
				var envelope map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(mutated, &envelope))
				for _, value := range envelope {
					if string(value) == "null" || json.Unmarshal(value, first) != nil {
						continue // not an object
					}
					written, err := json.Marshal(first)
					require.NoError(t, err, "%s", value)
					require.NoError(t, json.Unmarshal(written, second), "%s", written)
					require.True(t, reflect.DeepEqual(first, second), "%T %s was written as %s", zero, value, written)
				}
			}
		}
	}
}

// mutate returns a copy of a JSON value in which some members are new and some have other types.
func mutate(value any, random *rand.Rand) any {
	odd := []any{
		nil, true, 0.0, 1.5, 7.0, 1e20, "", "2", "x", "a@b.c", "2016-03-01", []any{}, []any{7.0}, map[string]any{}, map[string]any{"a": "<b>"},
	}
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			switch random.IntN(12) {
			case 0:
				out[name] = odd[random.IntN(len(odd))]
			case 1:
				out[name+"_new"] = odd[random.IntN(len(odd))]
			case 2:
				out[name] = []any{mutate(v[name], random)}
			case 3: // left out
			default:
				out[name] = mutate(v[name], random)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, element := range v {
			out = append(out, mutate(element, random))
			if random.IntN(10) == 0 {
				out = append(out, odd[random.IntN(len(odd))])
			}
		}
		return out
	}
	return value
}

// An element without a usable ID is left out, and counts towards the total.
func TestOddElementsDoNotCostTheList(t *testing.T) {
	t.Parallel()
	var drifts []supportbee.Drift
	client := always(t, http.StatusOK, `{"total":6,"tickets":[null,7,{"id":"x"},{"subject":"no ID"},{"id":0},{"id":1,"tickets":null},[{"id":2}]]}`,
		supportbee.WithObserver(supportbee.Observer{Drift: func(_ context.Context, drift supportbee.Drift) { drifts = append(drifts, drift) }}))
	page, err := client.Tickets.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.TicketPage{Total: 6, Tickets: []*supportbee.Ticket{
		{ID: 1, Extra: map[string]json.RawMessage{"tickets": json.RawMessage(`null`)}}, {ID: 2},
	}}, page)
	assert.Equal(t, []supportbee.Drift{
		{Op: "Tickets.List", Pointer: "/tickets/*", Found: "null", Expected: "object"},
		{Op: "Tickets.List", Pointer: "/tickets/*", Found: "number", Expected: "object"},
		{Op: "Tickets.List", Pointer: "/tickets/*/id", Found: "string", Expected: "number"},
		{Op: "Tickets.List", Pointer: "/tickets/*/id", Found: "null", Expected: "number"},
		{Op: "Tickets.List", Pointer: "/tickets/*/tickets", Found: "null", Expected: ""},
		{Op: "Tickets.List", Pointer: "/tickets/*", Found: "array", Expected: "object"},
	}, drifts)

	labels, err := always(t, http.StatusOK, `{"labels":[{"color":"x"},{"name":"y"}]}`).Labels.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []*supportbee.Label{{Name: "y"}}, labels)
}

// What was in the target before must not show in what the response leaves out.
func TestUnmarshalReplacesTheValue(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		body      string
		out, want any
	}{
		{name: "object", body: `{"id":7}`, out: &supportbee.Ticket{ID: 1, Subject: "old", Labels: []supportbee.Label{{Name: "old"}}}, want: &supportbee.Ticket{ID: 7}},
		{name: "null", body: `null`, out: &supportbee.Reply{ID: 1, Summary: "old"}, want: &supportbee.Reply{}},
		{name: "empty array", body: `[]`, out: &supportbee.Picture{Thumb20: "old"}, want: &supportbee.Picture{}},
		{name: "empty text", body: `""`, out: &supportbee.Picture{Thumb20: "old"}, want: &supportbee.Picture{}},
		{name: "text", body: `"a@b.c"`, out: &supportbee.Person{ID: 1}, want: &supportbee.Person{Email: "a@b.c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, json.Unmarshal([]byte(tt.body), tt.out))
			assert.Equal(t, tt.want, tt.out)
		})
	}
	for _, body := range []string{`7`, `true`, `[1,2]`, `[{},{}]`} {
		var ticket supportbee.Ticket
		assert.ErrorContains(t, json.Unmarshal([]byte(body), &ticket), "supportbee: supportbee.Ticket: at the top: got ", body)
		assert.Zero(t, ticket)
	}
}

// The types can be used with Do, in values of the caller's own.
func TestDoReadsTypes(t *testing.T) {
	t.Parallel()
	var out struct {
		Tickets []supportbee.Ticket          `json:"tickets"`
		People  map[string]supportbee.Person `json:"people"`
	}
	require.NoError(t, always(t, http.StatusOK, `{"tickets":[{"id":"7","new":1}],"people":{"a":"a@b.c"}}`).Do(t.Context(), http.MethodGet, "/x", nil, &out))
	assert.Equal(t, []supportbee.Ticket{{ID: 7, Extra: map[string]json.RawMessage{"new": json.RawMessage(`1`)}}}, out.Tickets)
	assert.Equal(t, map[string]supportbee.Person{"a": {Email: "a@b.c"}}, out.People)
}

// Strings are kept for reuse; one that is similar must not be used instead.
func TestStringsAreNotMixedUp(t *testing.T) {
	t.Parallel()
	var list, want []string
	for _, length := range []int{0, 1, 2, 7, 8, 9, 16, 40, 127, 128, 129, 1000} {
		for i := range 40 {
			subject := fmt.Sprintf("%0*d", length, i*100_000_000) // equal at both ends
			list, want = append(list, fmt.Sprintf(`{"id":1,"subject":%q}`, subject)), append(want, subject)
		}
	}
	client := always(t, http.StatusOK, `{"tickets":[`+strings.Join(list, ",")+`]}`)
	for range 3 {
		page, err := client.Tickets.List(t.Context(), nil)
		require.NoError(t, err)
		var got []string
		for _, ticket := range page.Tickets {
			got = append(got, ticket.Subject)
		}
		require.Equal(t, want, got)
	}
}

// The memory of a response is used for the next one: nothing of it may show there.
func TestResponsesShareNoMemory(t *testing.T) {
	t.Parallel()
	subject, extra := strings.Repeat("a", 5000), `"`+strings.Repeat("b", 5000)+`"`
	ticket, err := always(t, http.StatusOK, `{"ticket":{"id":1,"subject":"`+subject+`","new":`+extra+`}}`).Tickets.Get(t.Context(), 1)
	require.NoError(t, err)
	for range 50 {
		_, err := always(t, http.StatusOK, `{"ticket":{"id":1,"subject":"`+strings.Repeat("c", 12000)+`"}}`).Tickets.Get(t.Context(), 1)
		require.NoError(t, err)
	}
	assert.Equal(t, &supportbee.Ticket{ID: 1, Subject: subject, Extra: map[string]json.RawMessage{"new": json.RawMessage(extra)}}, ticket)
}

// What is no response of this API is an error that says where, with status and request ID, and
// never a panic.
func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	get := func(c *supportbee.Client) error { _, err := c.Tickets.Get(t.Context(), 7); return err }
	list := func(c *supportbee.Client) error { _, err := c.Tickets.List(t.Context(), nil); return err }
	createTicket := func(c *supportbee.Client) error { _, err := create(c); return err }
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	for _, tt := range []struct {
		name, body string
		call       func(*supportbee.Client) error
		want       string
		attempts   int // 1 unless it is worth a retry
	}{
		{name: "empty", body: "", call: get, want: "the body is empty"},
		{name: "blank", body: " \n", call: get, want: "the body is empty"},
		{name: "missing envelope", body: `{"tickets":[]}`, call: get, want: `key "ticket" is missing or null`},
		{name: "null envelope", body: `{"ticket":null}`, call: get, want: `key "ticket" is missing or null`},
		{name: "nothing but null", body: `null`, call: get, want: `want a JSON object, got null`},
		{name: "array", body: `[{"id":7}]`, call: get, want: `want a JSON object, got an array`},
		{name: "wrong kind", body: `{"ticket":7}`, call: get, want: `at /ticket: got a number, want an object`},
		{name: "hollow", body: `{"ticket":{}}`, call: get, want: `the value of key "ticket" has no ID that can be used`},
		{name: "no usable ID", body: `{"ticket":{"id":"x"}}`, call: get, want: `the value of key "ticket" has no ID that can be used`},
		{name: "hollow rule", body: `{"rule":{}}`, call: func(c *supportbee.Client) error {
			_, err := c.Filters.CreateRule(t.Context(), supportbee.RuleParams{Body: "x"})
			return err
		}, want: `the value of key "rule" has no ID that can be used`},
		{name: "hollow draft", body: `{"draft":{}}`, call: func(c *supportbee.Client) error {
			_, err := c.Drafts.Get(t.Context(), 7, nil)
			return err
		}, want: `the value of key "draft" has no ID that can be used`},
		{name: "hollow assignment", body: `{"user_assignment":{}}`, call: func(c *supportbee.Client) error {
			_, err := c.Tickets.AssignUser(t.Context(), 7, 1)
			return err
		}, want: `the value of key "user_assignment" has no ID that can be used`},
		{name: "missing list", body: `{"total":3}`, call: list, want: `key "tickets" is missing or null`},
		{name: "null list", body: `{"total":3,"tickets":null}`, call: list, want: `key "tickets" is missing or null`},
		{name: "list of another kind", body: `{"total":3,"tickets":7}`, call: list, want: `key "tickets" is missing or null`},
		{name: "neither form", body: `{"success":true}`, call: createTicket, want: `key "ticket" is missing or null`},
		{name: "neither form, null", body: `{"ticket":null}`, call: createTicket, want: `key "ticket" is missing or null`},
		{name: "missing total", body: `{"tickets":[]}`, call: func(c *supportbee.Client) error {
			_, err := c.Tickets.Count(t.Context(), nil)
			return err
		}, want: `key "total" is missing or null`},
		{name: "total of another kind", body: `{"total":{}}`, call: func(c *supportbee.Client) error {
			_, err := c.Tickets.Count(t.Context(), nil)
			return err
		}, want: `key "total" is missing or null`},
		{name: "missing reply", body: `{"id":0}`, call: func(c *supportbee.Client) error { _, err := c.Replies.Get(t.Context(), 1, 2); return err }, want: `key "reply" is missing or null`},
		{name: "missing attachment", body: `{"attachments":[]}`, call: func(c *supportbee.Client) error {
			_, err := c.Attachments.Upload(t.Context(), "a", strings.NewReader("x"), nil)
			return err
		}, want: `the value of key "attachment" has no ID that can be used`},
		{name: "missing user", body: `{"tickets":[]}`, call: func(c *supportbee.Client) error { _, err := c.Users.Get(t.Context(), 1, nil); return err }, want: `key "user" is missing or null`},
		{name: "missing assignment", body: `{"asignee":{}}`, call: func(c *supportbee.Client) error { _, err := c.Tickets.AssignUser(t.Context(), 1, 2); return err }, want: `key "user_assignment" is missing or null`},
		{name: "missing addresses", body: `{}`, call: func(c *supportbee.Client) error { _, err := c.ForwardingAddresses.List(t.Context()); return err }, want: `key "forwarding_addresses" is missing or null`},
		{name: "truncated", body: `{"ticket":{"id":7,"subj`, call: get, want: "invalid JSON at byte 23: unexpected EOF", attempts: 4},
		{name: "truncated number", body: `{"ticket":{"id":7`, call: get, want: "invalid JSON at byte 17", attempts: 4},
		{name: "truncated list", body: `{"tickets":[{"id":7},`, call: list, want: "invalid JSON at byte 21", attempts: 4},
		{name: "trailing", body: `{"ticket":{"id":7}} {}`, call: get, want: "more JSON follows the end of the response"},
		{name: "trailing garbage", body: `{"ticket":{"id":7}}<p>`, call: get, want: "invalid JSON at byte 19", attempts: 4},
		{name: "html", body: `<html><title>Sign in &amp; go</title><body>Please log in</body></html>`, call: get, want: `the response is an HTML page, titled "Sign in & go"`, attempts: 4},
		{name: "deep", body: `{"ticket":{"new":` + deep + `}}`, call: get, want: "exceeded max depth", attempts: 4},
		{name: "deep rating", body: `{"ticket":{"customer_rating":` + deep + `}}`, call: get, want: "exceeded max depth", attempts: 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: 1, MaxBackoff: 1}), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				res := respond(req, http.StatusOK, tt.body)
				if strings.HasPrefix(tt.body, "<") {
					res.Header.Set("Content-Type", "text/html")
				}
				return res, nil
			})))
			err := tt.call(client)
			require.ErrorIs(t, err, supportbee.ErrMalformedResponse)
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, "malformed response: ")
			require.ErrorContains(t, err, "request the-request")
			var apiErr *supportbee.Error
			require.ErrorAs(t, err, &apiErr)
			assert.Equal(t, http.StatusOK, apiErr.StatusCode)
			assert.Equal(t, max(tt.attempts, 1), apiErr.Attempts)
			assert.LessOrEqual(t, len(apiErr.Body), 64<<10)
			assert.NotContains(t, err.Error(), "\n")
			assert.Less(t, len(err.Error()), 1200)
			isCreate := apiErr.Method == http.MethodPost && !strings.Contains(apiErr.Op, "Assign")
			assert.Equal(t, isCreate, errors.Is(err, supportbee.ErrOutcomeUnknown), "a create may have happened")
		})
	}
}

// A read is retried until its response is whole.
func TestReadsAreRetriedUntilWhole(t *testing.T) {
	t.Parallel()
	bodies := []string{`<html>`, `{"ticket":{"id":7,"subject":"a","new":1},`, `{"ticket":{"id":7}}`}
	client := newClient(t, supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: 1, MaxBackoff: 1}), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
		res := respond(req, http.StatusOK, bodies[0])
		bodies = bodies[1:]
		return res, nil
	})))
	ticket, err := client.Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	assert.Equal(t, &supportbee.Ticket{ID: 7}, ticket, "nothing is left of the earlier responses")
}

// endless is a body of the given size that takes no memory.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), e.left))
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= int64(n)
	return n, nil
}

func TestHugeResponsesAreRejected(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"with a length": 300 << 20, "without": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			body := &endless{left: 300 << 20}
			client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
				requests++
				res := respond(req, http.StatusOK, "")
				res.Body, res.ContentLength = io.NopCloser(body), length
				return res, nil
			})))
			_, err := client.Tickets.Get(t.Context(), 7)
			require.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
			assert.ErrorContains(t, err, "supportbee: Tickets.Get: GET /tickets/7: 200 OK: ")
			assert.Equal(t, 1, requests, "it would be as large again")
			assert.GreaterOrEqual(t, body.left, int64(260<<20), "the rest was not read")
		})
	}
	exact := `{"ticket":{"id":7}}`
	client := always(t, http.StatusOK, exact, supportbee.WithMaxResponseSize(int64(len(exact))))
	_, err := client.Tickets.Get(t.Context(), 7)
	require.NoError(t, err)
	client = always(t, http.StatusOK, exact, supportbee.WithMaxResponseSize(int64(len(exact))-1))
	_, err = client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
}

// fuzzCalls read any response, each as another type.
var fuzzCalls = []func(context.Context, *supportbee.Client) (any, error){
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.Get(ctx, 7) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.List(ctx, nil) },
	func(_ context.Context, c *supportbee.Client) (any, error) { return create(c) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.AssignUser(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.AssignTeam(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Tickets.Audit(ctx, 7) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Replies.Get(ctx, 7, 1) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Comments.List(ctx, 7) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Drafts.Get(ctx, 7, nil) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Labels.Add(ctx, 7, "x") },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Users.Get(ctx, 7, nil) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Teams.List(ctx, nil) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Snippets.List(ctx) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.ForwardingAddresses.List(ctx) },
	func(ctx context.Context, c *supportbee.Client) (any, error) { return c.Reports.TicketsCount(ctx, nil) },
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Filters.Create(ctx, supportbee.FilterParams{RuleID: "1", ConsequenceID: "2"})
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) {
		return c.Attachments.Upload(ctx, "a", strings.NewReader("x"), nil)
	},
	func(ctx context.Context, c *supportbee.Client) (any, error) { return nil, c.Tickets.Archive(ctx, 7) },
}

// FuzzResponses checks that no response makes the client panic, that what it accepts survives
// being written and read again, and that what it rejects is an error of its own.
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		`{"ticket":{"id":7,"cc":["a"],"source":{"web":"x"},"requester":{"picture":[{}]},"content":{"body":"x"},"current_user_asignee":{"id":1}}}`,
		`{"total":1,"tickets":[{"id":7,"current_team_assignee":{"team":{"id":1}},"customer_rating":{"a":[1]}}]}`,
		`{"id":7}`, `{"user":{"id":1,"role":"admin"},"tickets":[{}]}`, `{"data_points":[{"value":"1.5","timestamp":"1360627200"}]}`,
		`{"draft":{"id":null}}`, `{"emails":[{"id":"7"}]}`, `{"filter":{"id":7}}`, `{"attachments":[{"id":7,"url":{"original":"x"}}]}`,
		`{"user_assignment":{"id":1},"asignee":{"user":{"id":2}}}`, `{"error":["a",{"b":"c"}]}`, `null`, `<html>`, "\xff",
	} {
		for i := range fuzzCalls {
			f.Add(uint8(i), true, seed)
		}
		f.Add(uint8(0), false, seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, success bool, body string) {
		status := http.StatusOK
		if !success {
			status = http.StatusBadRequest
		}
		got, err := fuzzCalls[int(which)%len(fuzzCalls)](t.Context(), always(t, status, body, supportbee.WithoutRetry()))
		if err != nil {
			var apiErr *supportbee.Error
			if !errors.As(err, &apiErr) || strings.ContainsAny(err.Error(), "\n\r\x1b\x00") {
				t.Errorf("%T %q", err, err)
			}
			return
		}
		written, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if got == nil {
			return
		}
		again := reflect.New(reflect.TypeOf(got))
		if err := json.Unmarshal(written, again.Interface()); err != nil {
			t.Fatalf("%v: %s", err, written)
		}
		assert.Equal(t, got, again.Elem().Interface(), "%q was written as %s", body, written)
	})
}

func FuzzParseWebhook(f *testing.F) {
	f.Add(`{"payload":null}`)
	f.Add(`{"payload":{"action_type":"ticket.created","ticket":{"id":7},"user_assignment":{"id":1,"assignee":{"user":{"id":2}}},"agent":{}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		event, err := supportbee.ParseWebhook(strings.NewReader(body))
		if (event == nil) == (err == nil) {
			t.Error(event, err)
		}
		if err != nil && !errors.Is(err, supportbee.ErrMalformedResponse) {
			t.Error(err)
		}
		if err == nil {
			_, _ = event.Key(), event.Unescaped()
		}
	})
}

// A time is read, or kept in Extra, and what is written is read as the same time.
func FuzzTimes(f *testing.F) {
	for _, value := range []string{
		`"2013-01-30T05:45:39Z"`, `"2013-01-30T05:45:39.5+05:30"`, `"2013-01-30T05:45:39+0530"`, `"2013-01-30 05:45:39 UTC"`, `"2013-01-30 05:45"`, `"2013-01-30"`,
		`"Wed, 30 Jan 2013 05:45:39 +0000"`, `1359524739`, `"1359524739"`, `1.359524739e9`, `253402300800`, `1e308`, `"NaN"`, `"+Inf"`, `-1`, `""`, `" "`, `null`, `{}`, `[1]`, `true`,
		`"9999-12-31T23:59:59-23:59"`, `"0000-01-01T00:00:00+23:59"`, `"0000-01-01T00:00+00:01"`, `"9999-12-31T23:59-00:01"`, `"0001-01-01T00:00:00Z"`, `"10000-01-01"`, `"\ud800"`,
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		var first, second supportbee.Ticket
		if json.Unmarshal([]byte(`{"id":7,"created_at":`+value+`}`), &first) != nil {
			return
		}
		written, err := json.Marshal(first)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(written, &second))
		assert.True(t, first.CreatedAt.Equal(second.CreatedAt), "%s was written as %s", value, written)
		again, err := json.Marshal(second)
		require.NoError(t, err)
		assert.Equal(t, string(written), string(again))
	})
}
