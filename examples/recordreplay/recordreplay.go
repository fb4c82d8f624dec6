// Package recordreplay records the responses of a help desk with go-vcr, so that tests can replay
// them offline, and removes everything private before a cassette is written: it can be committed.
//
// What is kept is listed; everything else is replaced. Members that the service adds later are
// therefore replaced, too. Operations whose bodies are not JSON, which are uploads and downloads,
// cannot be recorded.
package recordreplay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"
)

// What stands for private values. It is the same for all values of a kind, since numbers or hashes
// would say which of them are equal, and a replayed request must match a recorded one.
const (
	someHost    = "company.supportbee.com"
	someAddress = "someone@example.com"
	someURL     = "https://example.com/scrubbed"
	someText    = "scrubbed"
)

// What is kept.
var (
	// paths are the words of the API's paths. IDs are kept as well.
	paths = []string{
		"answered", "archive", "attachments", "audit", "avg_first_response_time", "comments", "consequences", "draft", "emails", "filters", "labels",
		"members", "replies", "replies_count", "reports", "rules", "search", "snippets", "spam", "team_assignment", "teams", "tickets", "tickets_count",
		"trash", "user_assignment", "users",
	}
	parameters = []string{
		"archived", "assigned_team", "assigned_user", "max_replies", "max_tickets", "page", "per_page", "replies", "since", "sort_by", "spam", "team",
		"total_only", "trash", "type", "until", "user", "with_invited", "with_roles", "with_users",
	}
	headers = []string{"Content-Type", "Retry-After"}
	keyword = regexp.MustCompile(`^(#[0-9a-fA-F]{3,8}|[a-z_]{1,16})$`) // of these parameters, and of the members color, role and type
	digits  = regexp.MustCompile(`^[0-9]+$`)
)

// New returns a recorder, to be given to supportbee.WithTransport. It sends requests through rt,
// unless mode is recorder.ModeReplayOnly. Stop writes the cassette.
func New(name string, mode recorder.Mode, rt http.RoundTripper) (*recorder.Recorder, error) {
	return recorder.New(name,
		recorder.WithMode(mode),
		recorder.WithRealTransport(rt),
		recorder.WithHook(Scrub, recorder.BeforeSaveHook),
		recorder.WithMatcher(matches),
		recorder.WithSkipRequestLatency(true),
	)
}

// Scrub replaces everything private in an interaction. It makes the request and the response anew,
// so that no field of them is forgotten. An interaction that it cannot scrub is an error.
func Scrub(i *cassette.Interaction) error {
	address, err := url.Parse(i.Request.URL)
	if err != nil {
		return errors.New("the URL cannot be parsed") // the parser's error quotes it
	}
	sent, err := scrubBody(i.Request.Body)
	if err != nil {
		return fmt.Errorf("the request: %w", err)
	}
	received, err := scrubBody(i.Response.Body)
	if err != nil {
		return fmt.Errorf("the response: %w", err)
	}
	i.Request = cassette.Request{
		Proto: i.Request.Proto, ProtoMajor: i.Request.ProtoMajor, ProtoMinor: i.Request.ProtoMinor,
		Method: i.Request.Method, Host: someHost, URL: scrubURL(address), Body: sent, ContentLength: int64(len(sent)),
	}
	header := http.Header{}
	for _, key := range headers {
		if value := i.Response.Headers.Get(key); value != "" {
			header.Set(key, value)
		}
	}
	i.Response = cassette.Response{
		Proto: i.Response.Proto, ProtoMajor: i.Response.ProtoMajor, ProtoMinor: i.Response.ProtoMinor,
		Code: i.Response.Code, Status: fmt.Sprintf("%d %s", i.Response.Code, http.StatusText(i.Response.Code)),
		Headers: header, Body: received, ContentLength: int64(len(received)),
	}
	return nil
}

// matches reports whether a request, once it is scrubbed, is the recorded one.
func matches(r *http.Request, recorded cassette.Request) bool {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	sent, err := scrubBody(string(body))
	if err != nil {
		return false
	}
	was, err := scrubBody(recorded.Body) // while it is recorded, it is not scrubbed yet
	if err != nil {
		return false
	}
	address, err := url.Parse(recorded.URL)
	return err == nil && r.Method == recorded.Method && scrubURL(r.URL) == scrubURL(address) && sent == was
}

func scrubURL(u *url.URL) string {
	segments := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	for i, segment := range segments {
		isName := i > 1 && segments[i-1] == "labels" // a label can have the name of a path
		if isName || !slices.Contains(paths, segment) && !digits.MatchString(segment) {
			segments[i] = someText
		}
	}
	query := url.Values{}
	for key, values := range u.Query() {
		for _, value := range values {
			if !slices.Contains(parameters, key) || !digits.MatchString(value) && !keyword.MatchString(value) && !isTime(value) {
				value = someText
			}
			query.Add(scrubKey(key), value)
		}
	}
	clean := url.URL{Scheme: "https", Host: someHost, Path: "/" + strings.Join(segments, "/"), RawQuery: query.Encode()}
	return clean.String()
}

// scrubKey keeps the name of a member or parameter, unless it is none of a program.
func scrubKey(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		return someText
	}
	return key
}

// scrubBody replaces the private values of a JSON text.
func scrubBody(body string) (string, error) {
	if strings.TrimSpace(body) == "" {
		return "", nil
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || decoder.More() {
		return "", errors.New("only JSON can be scrubbed")
	}
	clean, err := json.Marshal(scrubValue("", value))
	return string(clean), err
}

// scrubValue returns what is kept of the value of the member with the given key.
func scrubValue(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		clean := map[string]any{}
		for key, member := range value {
			clean[scrubKey(key)] = scrubValue(key, member)
		}
		return clean
	case []any:
		for i := range value {
			value[i] = scrubValue(key, value[i])
		}
		return value
	case string:
		return scrubText(key, value)
	}
	return value // a number, a boolean or null
}

func scrubText(key, text string) string {
	switch {
	case text == "", isTime(text), (key == "role" || key == "type" || key == "color") && keyword.MatchString(text):
		return text
	case strings.HasPrefix(text, "https://"), strings.HasPrefix(text, "http://"):
		return someURL
	case strings.Contains(text, "@") && !strings.Contains(text, " "):
		return someAddress
	}
	return someText
}

func isTime(text string) bool {
	_, err := time.Parse(time.RFC3339, text)
	return err == nil
}
