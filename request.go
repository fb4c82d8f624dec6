package supportbee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-resty/resty/v2"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// operation describes an operation of the API: its request, and where its result is in the
// response.
type operation struct {
	name        string     // such as "Tickets.Get"
	method      string     // GET if empty
	route       string     // such as "/tickets/{id}"
	args        []segment  // the values of the route's {…}, in order
	query       url.Values // may be nil
	invalid     error      // why the arguments are rejected, nil if they are not
	wrap        string     // the JSON key of the request's body; empty for a bare one
	body        any        // sent as JSON unless nil
	key         string     // the JSON key of the result; empty if the response is the result
	needs       string     // a member that the response must have if it is the result
	alias       string     // another key of the result
	anyKey      bool       // the result may be the only list under any key, or a bare one
	bare        bool       // the response may be the result itself
	mayBeHollow bool       // the response may be empty or have no ID
	repeatable  bool       // a POST that changes nothing further when it is repeated
	anonymous   bool       // works without a token
	ownLimit    bool       // has a rate limit of its own
	stream      bool       // leaves the response's body to be read from res, and retries to the caller
	zeroID      bool       // the path has an ID of 0, which only a dry run accepts; set by acceptZeroIDs

	// isGone reports, after a DELETE whose first response was lost and whose retry got status
	// 404, whether what it deletes is gone. If it is nil, the 404 is an error.
	isGone func(ctx context.Context) bool
}

// do runs an operation that returns one resource.
func do[T any, P resourceOf[T]](ctx context.Context, c *Client, op operation) (*T, error) {
	out := new(T)
	rt := &roundTrip{operation: op, out: result{one: P(out)}}
	if err := c.run(ctx, rt, nil); err != nil {
		return nil, err
	}
	if dated, ok := any(out).(interface{ received(http.Header) }); ok {
		dated.received(rt.header)
	}
	return out, nil
}

// doList runs an operation that returns a list.
func doList[T any, P resourceOf[T]](ctx context.Context, c *Client, op operation) ([]*T, error) {
	var out list[T, P]
	if err := c.run(ctx, &roundTrip{operation: op, out: result{many: &out}}, nil); err != nil {
		return nil, err
	}
	return out, nil
}

// exec runs an operation that returns nothing.
func exec(ctx context.Context, c *Client, op operation) error {
	return c.run(ctx, &roundTrip{operation: op}, nil)
}

// valueOf returns *opts, or the zero value if opts is nil.
func valueOf[T any](opts *T) T {
	if opts == nil {
		return *new(T)
	}
	return *opts
}

// run runs an operation. A nil content is made of the operation's body.
func (c *Client) run(ctx context.Context, rt *roundTrip, content requestContent) error {
	ctx, err := c.begin(ctx, rt)
	if err != nil {
		return err
	}
	growStack(false)
	defer rt.report.Release()
	switch {
	case rt.body != nil:
		content = &rt.encoded
	case content == nil:
		content = noContent{}
	}
	err = c.send(ctx, rt, content)
	if err != nil && rt.isGone != nil && rt.status == http.StatusNotFound && rt.report.Unanswered && rt.isGone(withoutResponse(ctx)) {
		err = nil // an earlier attempt, whose response was lost, has done it
	}
	return c.end(ctx, rt, err)
}

// growStack makes the stack of a new goroutine as large as a request needs, some 6 KiB, in one step.
// Otherwise it would be copied twice on the way, with more frames each time, which takes 2 % of a call
// over loopback. The size of its frame is what counts: use is false, so that the frame is not cleared.
//
//go:noinline
func growStack(use bool) {
	if use {
		var room [5 << 10]byte
		touch(&room)
	}
}

//go:noinline
func touch(room *[5 << 10]byte) { room[0]++ }

// requestContent is what a request has besides its method and its URL. Hooks of resty add it.
type requestContent interface {
	addHeader(h http.Header)
	addBody(req *http.Request) error
}

// noContent is that of a request without a body.
type noContent struct{}

func (noContent) addHeader(http.Header) {}

func (noContent) addBody(req *http.Request) error {
	req.Body, req.GetBody, req.ContentLength = http.NoBody, nil, 0 // not chunked
	return nil
}

// jsonBody is a body that is held in memory.
type jsonBody []byte

var contentJSON = []string{"application/json"}

func (b *jsonBody) addHeader(h http.Header) { h["Content-Type"] = contentJSON }

func (b *jsonBody) addBody(req *http.Request) error {
	req.ContentLength = int64(len(*b))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(*b)), nil }
	req.Body, _ = req.GetBody()
	return nil
}

// roundTrip is one run of an operation.
type roundTrip struct {
	operation
	path    string   // such as "/tickets/7"; made from the route unless set
	url     url.URL  // made from the path and the query unless it has a host
	out     result   // what the response is read into
	any     any      // the same for Client.Do
	encoded jsonBody // the operation's body
	content requestContent
	sent    http.Header // of the first request; the chain adds to it
	client  *Client
	report  transport.Report  // what the transport reports, and the body of the response
	ctx     transport.Context // of the requests
	res     *http.Response
	status  int
	header  http.Header
	start   time.Time
}

// begin checks everything that can be checked before the request is sent, and tells observers that
// the operation starts. It returns the context to go on with.
func (c *Client) begin(ctx context.Context, rt *roundTrip) (context.Context, error) {
	if rt.method == "" {
		rt.method = http.MethodGet
	}
	err := c.check(ctx, rt.name, rt.invalid, rt.anonymous)
	if err != nil {
		return nil, err
	}
	if c.config.dryRun != nil {
		rt.acceptZeroIDs()
	}
	if rt.url.Host == "" {
		if rt.path == "" {
			if rt.path, err = fillRoute(rt.route, rt.args); err != nil {
				return nil, rejected(rt.name, err)
			}
			rt.url.RawQuery = rt.query.Encode()
		}
		rt.url = c.config.at(rt.path, rt.url.RawQuery)
	}
	if rt.body != nil {
		if rt.encoded, err = encodeBody(rt.wrap, rt.body); err != nil {
			field := "params"
			if rt.route == "" {
				field = "in"
			}
			return nil, rejected(rt.name, invalid(field, "cannot be written as JSON: %s", describeEncoding(err)))
		}
	}
	if c.config.allow != nil && rt.class() != transport.Read {
		if err := c.checkRecipients(ctx, rt); err != nil {
			return nil, rejected(rt.name, err)
		}
	}
	rt.start = time.Now()
	rt.client = c
	for _, o := range c.config.observers {
		if o.Start == nil {
			continue
		}
		if next := o.Start(ctx, rt.observed()); next != nil {
			ctx = next
		}
	}
	return ctx, nil
}

// check returns the error of a call that is rejected whatever its route is.
func (c *Client) check(ctx context.Context, name string, reason error, anonymous bool) error {
	switch {
	case c == nil || c.chain == nil:
		return rejected(name, invalid("client", "must be made by New"))
	case ctx == nil:
		return rejected(name, invalid("ctx", "must not be nil"))
	case c.err != nil:
		return c.err
	case reason != nil && !(c.config.dryRun != nil && isZeroID(reason)):
		return rejected(name, reason)
	case c.config.token.IsZero() && !anonymous:
		return &ArgumentError{Op: name, Field: "token", Reason: "must be given to New", Err: ErrTokenRequired}
	}
	return nil
}

func (rt *roundTrip) observed() Operation {
	return Operation{Name: rt.name, Method: rt.method, Route: rt.route}
}

// end tells observers that the operation ends with err, and returns err.
func (c *Client) end(ctx context.Context, rt *roundTrip, err error) error {
	stored, _ := ctx.Value(responseKey{}).(*Response)
	if stored == nil && !c.config.observesEnd {
		return err
	}
	response := Response{
		StatusCode: rt.status, RequestID: rt.requestID(), Attempts: rt.report.Attempts, Duration: time.Since(rt.start),
	}
	if rt.header != nil {
		response.Header = rt.safeHeader()
	}
	if stored != nil {
		*stored = response
	}
	for _, o := range c.config.observers {
		if o.End != nil {
			o.End(ctx, rt.observed(), response, err)
		}
	}
	return err
}

// send sends the request. Everything but a response of this API that reports success is an error.
func (c *Client) send(ctx context.Context, rt *roundTrip, content requestContent) error {
	if c.config.dryRun != nil && (rt.class() != transport.Read || rt.zeroID) {
		return c.plan(ctx, rt, content)
	}
	rt.status, rt.header = 0, nil
	rt.report.Op, rt.report.Method, rt.report.Route, rt.report.Class = rt.name, rt.method, rt.route, rt.class()
	file, _ := content.(*upload)
	rt.report.Streaming, rt.report.Once = file != nil || rt.stream, rt.stream
	rt.report.Reader = rt
	if !rt.stream {
		rt.report.MaxBody = c.config.maxResponse
	}
	if rt.ownLimit {
		rt.report.Gate = c.config.createGate
	}
	rt.content = content
	with := &rt.ctx
	if rt.stream { // is sent more than once, and net/http may still use the context of an earlier request
		with = new(transport.Context)
	}
	with.Start(ctx, &rt.report)
	request := c.config.requests.Get().(*resty.Request)
	request.Header = c.config.sent // resty sends a copy
	response, err := request.SetContext(with).Execute(http.MethodGet, anyURL)
	request.SetContext(context.Background()).RawRequest = nil
	c.config.requests.Put(request)
	if err == nil {
		rt.res = response.RawResponse
		rt.status, rt.header = rt.res.StatusCode, rt.res.Header
	}
	if file != nil {
		file.close()
		if file.failure != nil {
			err = file.failure // whatever the response: it is not that to the whole file
		}
	}
	if err != nil {
		return rt.failed(err)
	}
	if rt.status/100 == 2 {
		return nil
	}
	defer rt.res.Body.Close()
	return rt.statusError(c.config.base)
}

// roundTripOf returns what the request is a part of.
func roundTripOf(req *http.Request) *roundTrip {
	return transport.ReportFrom(req.Context()).Reader.(*roundTrip)
}

// newRequests returns the requests of a resty client, which clients with the same http.Client share:
// what else differs between them is in the context of a request. The requests are used again, since
// resty makes five maps for a new one that no request of this package needs.
func newRequests(client http.Client) *sync.Pool {
	client.Jar = nil
	client.Transport = dispatcher{}
	client.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		return roundTripOf(req).client.config.checkRedirect(req, via)
	}
	engine := resty.NewWithClient(&client).SetLogger(silent{}).SetPreRequestHook(prepare)
	return &sync.Pool{New: func() any { return engine.R().SetDoNotParseResponse(true) }}
}

// dispatcher sends a request through the chain of its client.
type dispatcher struct{}

func (dispatcher) RoundTrip(req *http.Request) (*http.Response, error) {
	rt := roundTripOf(req)
	req.Header = rt.sent
	if req.Response != nil { // it is a redirect, whose header gets nothing that was meant for another origin
		req.Header = rt.client.config.sent.Clone()
		rt.content.addHeader(req.Header)
	}
	return rt.client.chain.RoundTrip(req)
}

// To resty, all requests are GETs of one URL: of a method that can have a body it would make a body,
// and it parses a URL twice.
const anyURL = "http:"

// noHeader is what http.Client sees of the header: it copies the header of each request, in case
// that it is redirected. It is never changed.
var noHeader = http.Header{}

// prepare is resty's last hook before a request is sent.
func prepare(_ *resty.Client, req *http.Request) error {
	rt := roundTripOf(req)
	req.Method, req.URL, req.Host = rt.method, &rt.url, "" // that of the URL
	rt.sent, req.Header = req.Header, noHeader
	rt.content.addHeader(rt.sent)
	return rt.content.addBody(req)
}

// silent keeps resty from writing to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// fillRoute returns the route with the escaped arguments in place of its {…}.
func fillRoute(route string, args []segment) (string, error) {
	if len(args) == 0 {
		return route, nil
	}
	var b strings.Builder
	b.Grow(len(route) + 16) // an ID is longer than its {id}
	for _, arg := range args {
		before, rest, _ := strings.Cut(route, "{")
		name, after, _ := strings.Cut(rest, "}")
		text, err := arg.segment()
		if err != nil {
			return "", invalid(name, "%s", err)
		}
		b.WriteString(before)
		b.WriteString(text)
		route = after
	}
	b.WriteString(route)
	return b.String(), nil
}

// class returns how often the operation may be sent.
func (op *operation) class() transport.Class {
	switch {
	case op.method == http.MethodGet || op.method == http.MethodHead:
		return transport.Read
	case op.repeatable || op.method == http.MethodPut || op.method == http.MethodDelete:
		return transport.Repeatable
	}
	return transport.Create
}

// newError returns the error of a request that was sent.
func (rt *roundTrip) newError(cause error) *Error {
	// A repeatable write can be made again, whether it happened or not.
	if rt.report.OutcomeUnknown && rt.class() == transport.Create && !rt.sentInPart() {
		cause = unknownOutcome(cause)
		rt.client.config.once.doubt(rt.client.config.baseText + rt.path)
	}
	return &Error{
		Op: rt.name, Method: rt.method, Path: rt.path, StatusCode: rt.status, RequestID: rt.requestID(),
		Attempts: rt.report.Attempts, Err: cause,
	}
}

// sentInPart reports whether a file was certainly not sent as a whole, so that it was not accepted.
func (rt *roundTrip) sentInPart() bool {
	file, ok := rt.content.(*upload)
	return ok && (file.failure != nil || rt.status == 0 && !file.whole)
}

// unknownOutcome returns [ErrOutcomeUnknown], with its cause if there is one.
func unknownOutcome(cause error) error {
	if cause == nil {
		return fmt.Errorf("%w: the server may have processed the request", ErrOutcomeUnknown)
	}
	return fmt.Errorf("%w: the server may have processed the request: %w", ErrOutcomeUnknown, cause)
}

// redact returns text without the token.
func (rt *roundTrip) redact(text string) string { return rt.client.config.token.Redact(text) }

func (rt *roundTrip) requestID() string {
	if rt.header == nil {
		return ""
	}
	return printable(rt.redact(rt.header.Get("X-Request-Id")), 128)
}

// safeHeader returns the header of the response without cookies, and without the token where the
// server repeats it.
func (rt *roundTrip) safeHeader() http.Header {
	header := make(http.Header, len(rt.header))
	for key, values := range rt.header {
		if strings.EqualFold(key, "Set-Cookie") || rt.stream && strings.EqualFold(key, "Location") {
			continue // the URL of a file can be signed
		}
		safe := make([]string, len(values))
		for i, value := range values {
			safe[i] = rt.redact(value)
		}
		header[rt.redact(key)] = safe
	}
	return header
}

// failed returns the error of a request without a response, or without one that can be used.
func (rt *roundTrip) failed(cause error) error {
	original := cause
	cause = withoutURL(cause)
	if text := cause.Error(); rt.redact(rt.withoutAddress(text, original)) != text {
		text = rt.redact(rt.withoutAddress(text, original))
		cause = &redactedError{text: text, isCause: func(target error) bool { return errors.Is(original, target) }}
	}
	unusable, hasResponse := errors.AsType[*transport.ResponseError](original)
	if hasResponse {
		rt.status, rt.header = unusable.StatusCode, unusable.Header
		if !isAny(original, ErrResponseTooLarge, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded) {
			cause = fmt.Errorf("%w: %w", ErrMalformedResponse, cause)
		}
	}
	e := rt.newError(cause)
	if hasResponse {
		e.Header = rt.safeHeader()
	}
	if hasResponse && rt.report.Body != nil {
		e.Body, e.Message = rt.safeBody(rt.report.Body.Bytes())
	}
	if wait, ok := errors.AsType[*transport.WaitError](original); ok {
		e.RetryAfter = wait.Wait
	}
	return e
}

// withoutAddress returns text without the address of a file, which can be signed.
func (rt *roundTrip) withoutAddress(text string, err error) string {
	if !rt.stream {
		return text
	}
	text = transport.WithoutAddress(text, rt.url.String())
	if rt.res != nil && rt.res.Request != nil && rt.res.Request.URL != nil {
		text = transport.WithoutAddress(text, rt.res.Request.URL.String())
	}
	for {
		outer, ok := errors.AsType[*url.Error](err)
		if !ok {
			return text
		}
		text = transport.WithoutAddress(text, outer.URL)
		err = outer.Err
	}
}

// withoutURL returns err without the URLs that errors of net/http have in their texts: their
// queries hold addresses, and those of redirects can be signed.
func withoutURL(err error) error {
	if outer, ok := err.(*url.Error); ok { //nolint:errorlint // only the outermost can be removed without a trace
		err = outer.Err
	}
	text := err.Error()
	if strings.Contains(text, "failed to parse Location header") {
		return errors.New("the Location header of a redirect cannot be parsed")
	}
	inner := err
	for {
		nested, ok := errors.AsType[*url.Error](inner)
		if !ok || nested.Err == nil {
			break
		}
		text = strings.ReplaceAll(text, nested.Error(), nested.Err.Error())
		inner = nested.Err
	}
	if text == err.Error() {
		return err
	}
	return &shortError{text: text, err: inner}
}

// safeBody returns the beginning of a body without the token, and the server's message in it.
func (rt *roundTrip) safeBody(body []byte) ([]byte, string) {
	body = []byte(rt.client.config.token.RedactCut(string(body[:min(len(body), maxErrorBody)]), maxErrorBody))
	return body, printable(errorMessage(body), maxErrorMessage)
}

// statusError returns the error of a response with another status than 2xx.
func (rt *roundTrip) statusError(base *url.URL) error {
	e := rt.newError(redirectError(rt, base))
	e.Header = rt.safeHeader()
	if !rt.stream {
		e.Body = rt.report.Body.Bytes()
	} else {
		// The status matters more than a body that cannot be read.
		e.Body, _ = io.ReadAll(io.LimitReader(rt.res.Body, maxErrorBody))
	}
	e.Body, e.Message = rt.safeBody(e.Body)
	if e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusServiceUnavailable {
		e.RetryAfter = rt.report.RetryAfter
	}
	return e
}

// redirectError returns why a redirect was not followed, or nil if the response is none.
func redirectError(rt *roundTrip, base *url.URL) error {
	to := rt.header.Get("Location")
	if rt.status/100 != 3 || to == "" {
		return nil
	}
	u, err := rt.res.Request.URL.Parse(to)
	if err != nil {
		return errors.New("redirect not followed: the Location header cannot be parsed")
	}
	reason := "there were too many"
	switch {
	case rt.class() == transport.Create:
		reason = "a create must not be sent twice"
	case !transport.SameOrigin(u, base):
		reason = "it leaves the scheme, host and port of the base URL"
	case rt.method != http.MethodGet && rt.method != http.MethodHead:
		reason = "it changes the method"
	}
	return fmt.Errorf("redirect to %s not followed: %s", printable(rt.redact(u.Scheme+"://"+u.Host), maxErrorMessage), reason)
}

// Read implements [transport.Reader]: it reads a response with status 2xx into the result. It
// returns an error if the response is not one of this API's.
func (rt *roundTrip) Read(res *http.Response) (broken bool, err error) {
	body := bytes.TrimSpace(rt.report.Body.Bytes())
	switch status := res.StatusCode; {
	case status != http.StatusOK && status != http.StatusCreated && status != http.StatusNoContent:
		return false, fmt.Errorf("status %d is not one of this API's", status)
	case len(body) == 0 && (rt.wantsNothing() || rt.mayBeHollow || rt.any != nil):
		return false, nil
	case len(body) == 0:
		return false, errors.New("the body is empty")
	}
	if page := rt.describePage(res.Header.Get("Content-Type"), body); page != "" {
		return true, errors.New(page)
	}
	if rt.any != nil {
		value, out := jsontext.Value(bytes.TrimPrefix(body, byteOrderMark)), rt.any
		broken := !value.IsValid(readOptions)
		if broken {
			out = new(jsontext.Value) // the caller's would have a part of it at the next attempt
		}
		if err := jsonv2.Unmarshal(value, out, readOptions); err != nil {
			return broken, errors.New(describeJSON(err, rt.client.config.token))
		}
		return false, nil
	}
	if rt.wantsNothing() || rt.mayBeHollow {
		var failure failureBody
		if _, ok := failure.read(body); !ok {
			return true, errors.New("the body is not JSON")
		} else if failure.reports() {
			return false, errors.New("the response reports an error")
		}
	}
	if rt.wantsNothing() {
		return false, nil
	}
	if rt.out.one != nil && rt.report.Attempts > 1 {
		reflect.ValueOf(rt.out.one).Elem().SetZero() // of an earlier attempt
	}
	r := newReader(body)
	defer r.release()
	if rt.client.config.hearsDrift {
		r.drift.ctx, r.drift.client, r.drift.op = rt.ctx.Operation(), rt.client, rt.name
	}
	if err := r.readResult(&rt.operation, rt.out); err != nil {
		syntactic, isSyntactic := errors.AsType[*jsontext.SyntacticError](err)
		return isSyntactic && syntactic != nil || errors.Is(err, io.ErrUnexpectedEOF), errors.New(r.describe(err, rt.client.config.token))
	}
	return false, nil
}

func (rt *roundTrip) wantsNothing() bool { return rt.out == (result{}) && rt.any == nil }

var pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// describePage returns what a response is that is not JSON, and "" for JSON.
func (rt *roundTrip) describePage(contentType string, body []byte) string {
	mediaType := strings.ToLower(strings.TrimSpace(contentType))
	switch {
	case strings.HasPrefix(mediaType, "text/html") || body[0] == '<':
		if title := pageTitle.FindSubmatch(body); title != nil {
			return fmt.Sprintf("the response is an HTML page, titled %q", printable(rt.redact(html.UnescapeString(string(title[1]))), 80))
		}
		return "the response is an HTML page"
	case strings.HasPrefix(mediaType, "text/") && !jsontext.Value(body).IsValid(readOptions):
		return fmt.Sprintf("the response is not JSON (Content-Type %q)", printable(rt.redact(contentType), 64))
	}
	return ""
}

// Do sends a request that no method covers and decodes the JSON response into out, unless out is
// nil. The request has the same authorization, retries, limits and errors as others.
//
// The path begins with "/" and can have a query; it must be escaped. If in is not nil, it is sent
// as JSON; GET, HEAD and OPTIONS have no body. Out must be a non-nil pointer or nil; nothing is
// unwrapped, and an empty response leaves out unchanged. JSON names are case-sensitive, as in
// encoding/json/v2.
//
// GET and HEAD are retried like reads, PUT and DELETE like writes that can be repeated, and
// everything else like a create, which is never sent twice.
//
//	err := client.Do(ctx, http.MethodPost, "/tickets/7/star", nil, nil)
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	target, err := url.Parse(path)
	op := operation{name: "Do", method: method, body: in}
	switch {
	case err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || target.Fragment != "":
		op.invalid = invalid("path", "must begin with one \"/\" and be a path at the base URL")
	case strings.Contains("/"+target.Path+"/", "/../") || strings.Contains("/"+target.Path+"/", "/./"):
		op.invalid = invalid("path", "must not have \".\" or \"..\" segments")
	case method == "" || strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' }):
		op.invalid = invalid("method", "must be an HTTP method, got %q", method)
	case in != nil && (method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions):
		op.invalid = invalid("in", "must be nil with %s, which has no body", method)
	case out != nil && (reflect.TypeOf(out).Kind() != reflect.Pointer || reflect.ValueOf(out).IsNil()):
		op.invalid = invalid("out", "must be a pointer that is not nil, got %T", out)
	default:
		return c.do(ctx, op, target, out)
	}
	return rejected(op.name, op.invalid)
}

func (c *Client) do(ctx context.Context, op operation, target *url.URL, out any) error {
	query := strings.ReplaceAll(target.RawQuery, " ", "%20")
	return c.run(ctx, &roundTrip{operation: op, any: out, path: target.EscapedPath(), url: url.URL{RawQuery: query}}, nil)
}
