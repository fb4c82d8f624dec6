package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	"github.com/pb33f/libopenapi/datamodel/high/base"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Description is an OpenAPI description. Requests, responses and webhooks can be checked against
// it.
type Description struct {
	operations []*operation
	validator  validator.Validator
	webhooks   map[string]*base.Schema // of the body, by action
}

type operation struct {
	id       string
	method   string
	path     string
	match    *regexp.Regexp // of the escaped path
	query    []string       // the parameters that exist
	statuses []string
	full     []string // the statuses whose bodies cannot be empty
}

// Parse reads a description and validates it.
func Parse(data []byte) (*Description, error) {
	document, err := libopenapi.NewDocument(data)
	if err != nil {
		return nil, err
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	check, errs := validator.NewValidator(document, config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, fmt.Errorf("validator: %v", errs)
	}
	if valid, faults := check.ValidateDocument(); !valid {
		return nil, fmt.Errorf("the description is invalid: %s", explain(faults))
	}
	d := &Description{validator: check, webhooks: map[string]*base.Schema{}}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			d.operations = append(d.operations, newOperation(method, path, item, op))
		}
	}
	for action, item := range model.Model.Webhooks.FromOldest() {
		media := item.Post.RequestBody.Content.GetOrZero("application/json")
		d.webhooks[action] = media.Schema.Schema()
	}
	return d, nil
}

func newOperation(method, path string, item *v3.PathItem, op *v3.Operation) *operation {
	o := &operation{id: op.OperationId, method: strings.ToUpper(method), path: path}
	pattern := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
	o.match = regexp.MustCompile("^" + pattern + "$")
	for _, parameter := range slices.Concat(item.Parameters, op.Parameters) {
		if parameter.In == "query" {
			o.query = append(o.query, parameter.Name)
		}
	}
	for status, response := range op.Responses.Codes.FromOldest() {
		o.statuses = append(o.statuses, status)
		for _, media := range response.Content.FromOldest() {
			if media.Schema != nil && response.Extensions.GetOrZero("x-empty-body") == nil {
				o.full = append(o.full, status)
			}
		}
	}
	return o
}

// CheckWebhook returns the action of a webhook and what is wrong with its body.
func (d *Description) CheckWebhook(body []byte) (action string, faults []string) {
	var event struct {
		Payload struct {
			Action string `json:"action_type"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		return "", []string{err.Error()}
	}
	action = event.Payload.Action
	schema := d.webhooks[action]
	if schema == nil {
		return action, []string{fmt.Sprintf("no such webhook: %q", action)}
	}
	if valid, found := schema_validation.NewSchemaValidator().ValidateSchemaBytesWithVersion(schema, body, 3.1); !valid {
		faults = append(faults, explain(found))
	}
	return action, faults
}

// Webhooks returns the actions of all webhooks.
func (d *Description) Webhooks() []string { return slices.Sorted(maps.Keys(d.webhooks)) }

// find returns the operation of a request. Of several, the one with the fewest parameters in its
// path is meant.
func (d *Description) find(method string, u *url.URL) *operation {
	var found *operation
	for _, o := range d.operations {
		if o.method == method && o.match.MatchString(u.EscapedPath()) &&
			(found == nil || strings.Count(o.path, "{") < strings.Count(found.path, "{")) {
			found = o
		}
	}
	return found
}

// Middleman is a [http.RoundTripper] that checks each request and each response against the
// description.
type Middleman struct {
	Next        http.RoundTripper
	Description *Description

	mu        sync.Mutex
	faults    []string
	exercised map[string]int // successful requests, by ID
}

// RoundTrip passes the request on, and the response back.
func (m *Middleman) RoundTrip(req *http.Request) (*http.Response, error) {
	op := m.Description.find(req.Method, req.URL)
	if op == nil {
		if !strings.HasPrefix(req.URL.Path, "/attachments/") && !strings.HasPrefix(req.URL.Path, "/files/") { // files themselves are no operation
			m.fault(req, "no such operation")
		}
		return m.Next.RoundTrip(req)
	}
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	m.checkRequest(op, req, body)
	passed := req.Clone(req.Context())
	if req.Body != nil {
		passed.Body = io.NopCloser(bytes.NewReader(body))
	}
	res, err := m.Next.RoundTrip(passed)
	if err != nil {
		return nil, err
	}
	received, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(received))
	m.checkResponse(op, req, res, received)
	return res, nil
}

func (m *Middleman) checkRequest(op *operation, req *http.Request, body []byte) {
	for name := range req.URL.Query() {
		if !slices.Contains(op.query, name) {
			m.fault(req, "unknown query parameter %q", name)
		}
	}
	if contentType := req.Header.Get("Content-Type"); strings.HasPrefix(contentType, "multipart/") {
		if err := checkForm(contentType, body); err != nil {
			m.fault(req, "form: %v", err)
		}
		return
	}
	if len(body) > 0 != (req.Header.Get("Content-Type") == "application/json") {
		m.fault(req, "Content-Type %q with %d bytes", req.Header.Get("Content-Type"), len(body))
	}
	checked := req.Clone(req.Context())
	checked.Body = io.NopCloser(bytes.NewReader(body))
	if valid, faults := m.Description.validator.ValidateHttpRequestSync(checked); !valid {
		m.fault(req, "request: %s", explain(faults))
	}
}

// checkForm wants one part files[] with a file name.
func checkForm(contentType string, body []byte) error {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	part, err := form.NextPart()
	if err != nil {
		return err
	}
	if part.FormName() != "files[]" || part.FileName() == "" {
		return fmt.Errorf("part %q, file %q", part.FormName(), part.FileName())
	}
	if _, err := form.NextPart(); err == nil {
		return fmt.Errorf("more than one part")
	} else if err != io.EOF {
		return err
	}
	return nil
}

func (m *Middleman) checkResponse(op *operation, req *http.Request, res *http.Response, body []byte) {
	if !slices.Contains(op.statuses, fmt.Sprint(res.StatusCode)) {
		m.fault(req, "undocumented status %d", res.StatusCode)
		return
	}
	if res.StatusCode/100 == 2 {
		m.mu.Lock()
		if m.exercised == nil {
			m.exercised = map[string]int{}
		}
		m.exercised[op.id]++
		m.mu.Unlock()
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if slices.Contains(op.full, fmt.Sprint(res.StatusCode)) {
			m.fault(req, "response %d: empty body", res.StatusCode)
		}
		return
	}
	checked := *res
	checked.Body = io.NopCloser(bytes.NewReader(body))
	if valid, faults := m.Description.validator.ValidateHttpResponse(req, &checked); !valid {
		m.fault(req, "response %d: %s: %s", res.StatusCode, explain(faults), body[:min(len(body), 500)])
	}
}

func (m *Middleman) fault(req *http.Request, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, req.Method+" "+req.URL.RequestURI()+": "+fmt.Sprintf(format, args...))
}

// Faults returns everything that did not fit.
func (m *Middleman) Faults() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.faults)
}

// Exercised returns how often each operation succeeded, by ID.
func (m *Middleman) Exercised() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.exercised
}

func explain(faults []*errors.ValidationError) string {
	var parts []string
	for _, fault := range faults {
		parts = append(parts, fault.Message+": "+fault.Reason)
		for _, failure := range fault.SchemaValidationErrors {
			parts = append(parts, fmt.Sprintf("[%s: %s]", failure.FieldPath, failure.Reason))
		}
	}
	return strings.Join(parts, "; ")
}
