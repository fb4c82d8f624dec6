package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/supportbee-go/supportbee"
)

// check is a transport and an observer that compares responses with the description and with the
// SDK's types. It keeps names of members, kinds and counts only.
type check struct {
	description *description
	next        http.RoundTripper

	mu       sync.Mutex
	personal map[string]bool             // words of names and addresses, which no report must hold
	found    map[finding]*evidence       // differences
	statuses map[string]map[string]int   // by operation, then "200"
	failures map[string]map[string]reply // by status and form
	headers  map[string]int              // names
	members  map[member]int
	requests int
	last     reply
	stop     context.CancelCauseFunc // ends the walk
}

// finding is where and how responses differ.
type finding struct {
	op string
	difference
}

type evidence struct {
	count int // responses; 0 if only the SDK found it
	bySDK bool
}

// reply is what is kept of the last response.
type reply struct {
	status     int
	form       string   // of the body
	names      []string // of the members of the body
	moved      bool     // it is not from the host of the API
	retryAfter string   // the form of the header
}

// show returns the names of the members, or the form of a body without any, for the report.
func (r reply) show(c *check) string {
	shown := make([]string, len(r.names))
	for i, name := range r.names {
		shown[i] = c.show(name)
	}
	return cmp.Or(strings.Join(shown, ", "), r.form)
}

func newCheck(next http.RoundTripper) (*check, error) {
	d, err := parse(openapi)
	return &check{
		description: d, next: next,
		personal: map[string]bool{}, found: map[finding]*evidence{}, statuses: map[string]map[string]int{},
		failures: map[string]map[string]reply{}, headers: map[string]int{}, members: map[member]int{},
	}, err
}

// asOp is the key of contexts with the name of the operation that a [supportbee.Client.Do] is.
type asOp struct{}

// operation returns the name in the description of a request's operation.
func operation(ctx context.Context) string {
	op, _ := supportbee.OperationFrom(ctx)
	if name, ok := ctx.Value(asOp{}).(string); ok {
		return name
	}
	return described(op.Name)
}

func described(op string) string {
	if op == "Tickets.Count" {
		return "Tickets.List"
	}
	return op
}

// RoundTrip implements [http.RoundTripper].
func (c *check) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	c.learnFrom(req)
	op := operation(req.Context())
	if op == "Attachments.Download" { // a file, which is not read here
		c.record(op, res, reply{status: res.StatusCode, form: "file", moved: req.Header.Get("Authorization") == ""})
		return res, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<20)) // more than the SDK reads
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	c.examine(op, res, body)
	return res, nil
}

// learnFrom remembers the token and the address of the help desk.
func (c *check) learnFrom(req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, word := range words(req.URL.Hostname()) {
		c.personal[word] = true
	}
	for _, word := range words(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")) {
		if len(word) > 3 { // shorter parts of a random token tell nothing, and are in many names
			c.personal[word] = true
		}
	}
}

// record counts a response.
func (c *check) record(op string, res *http.Response, last reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	status := strconv.Itoa(res.StatusCode)
	if c.statuses[op] == nil {
		c.statuses[op] = map[string]int{}
	}
	c.statuses[op][status]++
	if res.StatusCode >= 400 {
		if c.failures[status] == nil {
			c.failures[status] = map[string]reply{}
		}
		c.failures[status][last.form+strings.Join(last.names, " ")+last.retryAfter] = last
	}
	for name := range res.Header {
		c.headers[http.CanonicalHeaderKey(name)]++
	}
	c.last = last
}

// examine compares a response with the description.
func (c *check) examine(op string, res *http.Response, body []byte) {
	value, form := decode(body)
	last := reply{status: res.StatusCode, form: form, retryAfter: retryAfter(res.Header)}
	if object, ok := value.(map[string]any); ok {
		for name := range object {
			last.names = append(last.names, name)
		}
		slices.Sort(last.names)
	}
	c.record(op, res, last)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.learn("", value)

	status := strconv.Itoa(res.StatusCode)
	want := c.description.operations[op][status]
	blank := strings.HasPrefix(form, "no body")
	switch {
	case want == nil:
		c.find(op, "", "status "+status)
	case want.Content == nil && !blank:
		c.find(op, "", "status "+status+" with a body")
	case want.schema() == nil || blank && want.EmptyBody:
	case blank || value == nil:
		c.find(op, "", "status "+status+" with "+form)
	default:
		if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media != "application/json" {
			c.find(op, "", "Content-Type other than application/json")
		}
		compared := c.description.compare(want.schema(), value, "")
		slices.SortFunc(compared.differences, func(a, b difference) int { return strings.Compare(a.pointer+a.what, b.pointer+b.what) })
		for _, d := range slices.Compact(compared.differences) {
			c.find(op, d.pointer, d.what)
		}
		for _, m := range compared.members {
			c.members[m]++
		}
	}
}

func (c *check) find(op, pointer, what string) *evidence {
	key := finding{op, difference{pointer, what}}
	if c.found[key] == nil {
		c.found[key] = &evidence{}
	}
	c.found[key].count++
	return c.found[key]
}

// observer returns an observer of what the SDK finds, which ends the walk at an error without a
// response and at a rate limit that the SDK does not wait for.
func (c *check) observer() supportbee.Observer {
	return supportbee.Observer{
		Drift: func(_ context.Context, d supportbee.Drift) {
			what := d.Found + " in place of " + d.Expected
			if d.Expected == "" {
				what = "unknown member, " + d.Found
			} else if d.Found == "null" {
				what = "missing"
			}
			c.bySDK(d.Op, d.Pointer, what)
		},
		End: func(_ context.Context, op supportbee.Operation, response supportbee.Response, err error) {
			switch {
			case err == nil:
			case errors.Is(err, supportbee.ErrMalformedResponse):
				c.bySDK(op.Name, "", malformed)
			case errors.Is(err, supportbee.ErrRateLimited), response.StatusCode == 0:
				c.stop(err)
			}
		},
	}
}

const malformed = "malformed response"

func (c *check) bySDK(op, pointer, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.find(described(op), pointer, what)
	e.count, e.bySDK = e.count-1, true
}

// decode returns the JSON value of a body, or nil, and the form of the body.
func decode(body []byte) (value any, form string) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	text := bytes.TrimSpace(body)
	switch err := decoder.Decode(&value); {
	case len(body) == 0:
		return nil, "no body"
	case len(text) == 0:
		return nil, "no body but white space"
	case err == nil:
		return value, "JSON " + kindOf(value)
	case text[0] == '<':
		return nil, "HTML"
	}
	return nil, "text"
}

func retryAfter(header http.Header) string {
	value := header.Get("Retry-After")
	if _, err := strconv.Atoi(value); err == nil {
		return "seconds"
	} else if _, err := http.ParseTime(value); err == nil {
		return "the form of a date"
	} else if value != "" {
		return "another form"
	}
	return ""
}

// learn remembers the words of names and addresses.
func (c *check) learn(name string, value any) {
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

// show returns a name for the report. A name that is not of the description is hidden if it may be
// a value, since objects can have people, labels or tokens as names.
func (c *check) show(name string) string {
	isPersonal := func(word string) bool { return c.personal[word] }
	if c.description.names[name] || len(name) <= 40 && identifier.MatchString(name) && !slices.ContainsFunc(words(name), isPersonal) {
		return name
	}
	return hidden
}

// showHeader returns the name of a header for the report.
func (c *check) showHeader(name string) string {
	if c.show(strings.ReplaceAll(strings.ToLower(name), "-", "_")) == hidden {
		return hidden
	}
	return name
}

// showPointer returns a pointer for the report.
func (c *check) showPointer(pointer string) string {
	parts := strings.Split(pointer, "/")
	for i, part := range parts {
		if part != "" && part != "*" {
			parts[i] = c.show(part)
		}
	}
	return strings.Join(parts, "/")
}
