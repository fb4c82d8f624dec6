// Package supportbeecheck compares the responses of a help desk with a description of the API and with
// the types of package [github.com/supportbee-go/supportbee]. It shows what the service has changed, and
// what was not known of it: in an integration test, in a program that runs every day, or in production.
//
//	checker := supportbeecheck.New(nil)
//	client, err := supportbee.New("acme", token, checker.Options()...)
//	// calls of the client
//	err = checker.Report(os.Stdout)
//
// The description is openapi.yaml of the repository. Unknown members are differences, but null in place
// of a member that can be absent is none. Requests of [supportbee.Client.Do] and downloaded files are
// counted, not compared.
//
// What it returns holds names of operations, members and headers, JSON types, statuses and counts, but
// no values of responses: no texts, addresses, IDs, times or tokens. The name of a member or header that
// is not in the description is replaced by "(hidden)" if it does not look like one of the API's, or if
// it has a word of the token, of the host, or of a name or an address in any response.
package supportbeecheck

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/supportbee-go/supportbee"
)

// Checker compares responses. It must be made by [New]. Its methods are safe for concurrent use, and
// several clients can share it. Its memory grows with the number of different responses and of words
// that must be hidden.
type Checker struct {
	next        http.RoundTripper
	description *description

	mu       sync.Mutex
	personal map[string]bool    // words that must be hidden
	found    map[Difference]int // without Responses
	received map[Responses]int  // without Count; the body is followed by the names of its members, after NULs
	headers  map[string]int     // responses, by name
}

var errZero = errors.New("supportbeecheck: a Checker must be made by New")

// New returns a checker of the responses that transport receives. If transport is nil, it is
// [supportbee.NewTransport].
func New(transport http.RoundTripper) *Checker {
	if transport == nil {
		transport = supportbee.NewTransport()
	}
	d, err := described()
	if err != nil { // cannot happen: the description is embedded, and tests read it
		panic(err)
	}
	return &Checker{
		next: transport, description: d,
		personal: map[string]bool{}, found: map[Difference]int{}, received: map[Responses]int{}, headers: map[string]int{},
	}
}

// Options returns the options of a client whose responses are compared: the checker as its transport,
// and an observer of what the SDK cannot read.
func (c *Checker) Options() []supportbee.Option {
	return []supportbee.Option{supportbee.WithTransport(c), supportbee.WithObserver(supportbee.Observer{
		Drift: func(_ context.Context, d supportbee.Drift) {
			what := d.Found + " in place of " + d.Expected
			if d.Expected == "" {
				what = "unknown member, " + d.Found
			} else if d.Found == "null" {
				what = "missing"
			}
			c.add(Difference{Op: d.Op, Pointer: d.Pointer, What: what, BySDK: true})
		},
		Start: func(ctx context.Context, _ supportbee.Operation) context.Context {
			return context.WithValue(ctx, brokeOff{}, new(atomic.Bool))
		},
		End: func(ctx context.Context, op supportbee.Operation, _ supportbee.Response, err error) {
			if errors.Is(err, supportbee.ErrMalformedResponse) && !bodyBrokeOff(ctx).Load() {
				c.add(Difference{Op: op.Name, What: malformed, BySDK: true})
			}
		},
	})}
}

const malformed = "malformed response"

// brokeOff is the key of whether the body of the last response broke off: then the network, not the
// service, has made it malformed.
type brokeOff struct{}

func bodyBrokeOff(ctx context.Context) *atomic.Bool {
	if broke, ok := ctx.Value(brokeOff{}).(*atomic.Bool); ok {
		return broke
	}
	return new(atomic.Bool) // of a client without the options
}

func (c *Checker) add(d Difference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found[d]++
}

const maxBody = 64 << 20 // of a response that is compared; more than the SDK reads by default

// RoundTrip sends a request and compares the response, whose body it reads. Its result is that of the
// transport. A body that breaks off is not compared, nor is one of more than 64 MiB, which is only counted.
func (c *Checker) RoundTrip(req *http.Request) (*http.Response, error) {
	if c == nil || c.next == nil {
		return nil, errZero
	}
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return res, err
	}
	op, _ := supportbee.OperationFrom(req.Context())
	r := Responses{Op: cmp.Or(op.Name, "Do"), Status: res.StatusCode, Body: "file"}
	if r.Op == "Attachments.Download" { // which is not kept in memory
		c.record(req, res, r, nil)
		return res, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	bodyBrokeOff(req.Context()).Store(err != nil)
	rest := io.Reader(res.Body)
	if err != nil {
		rest = failed{err}
	}
	// The client must find the body as it would without the checker, or it might take a status for no response.
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), res.Body}
	if err != nil {
		return res, nil
	}
	if len(body) > maxBody {
		r.Body = "more than 64 MiB"
		c.record(req, res, r, nil)
		return res, nil
	}
	value, form := decode(body)
	r.Body = form
	if object, ok := value.(map[string]any); ok {
		r.Body = strings.Join(append([]string{form}, slices.Sorted(maps.Keys(object))...), "\x00")
	}
	c.record(req, res, r, value)
	if r.Op != "Do" {
		for _, d := range c.compare(r.Op, res, value, form) {
			d.Op = r.Op
			c.add(d)
		}
	}
	return res, nil
}

// failed is what follows the part of a body that could be read.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }

// record counts a response, and learns what must be hidden.
func (c *Checker) record(req *http.Request, res *http.Response, r Responses, value any) {
	if after := res.Header.Get("Retry-After"); after != "" {
		r.Body = "Retry-After in " + formOfTime(after) + "; " + r.Body
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received[r]++
	for name := range res.Header {
		c.headers[http.CanonicalHeaderKey(name)]++
	}
	c.learn("", value)
	c.learn("name", req.URL.Hostname())
	for _, word := range words(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")) {
		if len(word) > 3 { // shorter parts of a random token tell nothing, and are in many names
			c.personal[word] = true
		}
	}
}

// compare returns how a response to an operation differs from the description.
func (c *Checker) compare(op string, res *http.Response, value any, form string) []Difference {
	status := "status " + strconv.Itoa(res.StatusCode)
	want := c.description.response(op, res.StatusCode)
	blank := strings.HasPrefix(form, noBody)
	switch {
	case want == nil:
		return []Difference{{What: status}}
	case want.Content == nil && !blank:
		return []Difference{{What: status + " with a body"}}
	case want.schema() == nil || blank && want.EmptyBody:
		return nil
	case value == nil:
		return []Difference{{What: status + " with " + form}}
	}
	found, _ := c.description.compare(want.schema(), value, "")
	if media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); media != "application/json" {
		found = append(found, Difference{What: "Content-Type other than application/json"})
	}
	slices.SortFunc(found, byText)
	return slices.Compact(found)
}

const noBody = "no body"

// decode returns the JSON value of a body, or nil, and the form of the body.
func decode(body []byte) (value any, form string) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	text := bytes.TrimSpace(body)
	switch err := decoder.Decode(&value); {
	case len(body) == 0:
		return nil, noBody
	case len(text) == 0:
		return nil, noBody + " but white space"
	case err == nil:
		return value, "JSON " + kindOf(value)
	case text[0] == '<':
		return nil, "HTML"
	}
	return nil, "text"
}

func formOfTime(value string) string {
	if _, err := strconv.Atoi(value); err == nil {
		return "seconds"
	} else if _, err := http.ParseTime(value); err == nil {
		return "the form of a date"
	}
	return "another form"
}
