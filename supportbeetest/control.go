package supportbeetest

import (
	"bytes"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee"
)

var (
	//go:embed control.yaml
	controlDescription []byte

	//go:embed openapi.yaml
	apiDescription []byte // a copy of the repository's, which cannot be embedded from here
)

// controlRoutes are the operations of the control API, which call the methods of the desk. They
// return what to send as JSON, or nil.
var controlRoutes = []struct {
	method, path string
	handle       func(*Desk, *http.Request) (any, error)
}{
	{http.MethodGet, "/_desk/openapi.yaml", func(*Desk, *http.Request) (any, error) {
		return document{"application/yaml", controlDescription}, nil
	}},

	// The state.
	{http.MethodPost, "/_desk/reset", func(s *Desk, _ *http.Request) (any, error) {
		s.Reset()
		return nil, nil
	}},
	{http.MethodGet, "/_desk/snapshot", func(s *Desk, _ *http.Request) (any, error) { return snapshot{s}, nil }},
	{http.MethodPut, "/_desk/snapshot", func(s *Desk, r *http.Request) (any, error) {
		if err := s.Load(r.Body); err != nil {
			return nil, bad("%v", err)
		}
		return nil, nil
	}},
	{http.MethodGet, "/_desk/tickets", func(s *Desk, _ *http.Request) (any, error) { return object{"tickets": s.Tickets()}, nil }},
	{http.MethodPost, "/_desk/tickets", adder((*Desk).AddTicket)},
	{http.MethodPost, "/_desk/sample_tickets", func(s *Desk, r *http.Request) (any, error) {
		var in struct {
			Count int `json:"count"`
		}
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		if in.Count < 1 || in.Count > 1_000_000 {
			return nil, bad("count must be 1 to 1,000,000")
		}
		return object{"ids": s.AddTickets(in.Count)}, nil
	}},
	{http.MethodGet, "/_desk/tickets/{id}", onTicket(func(s *Desk, id supportbee.TicketID, _ struct{}) (any, error) {
		return object{"ticket": s.Ticket(id), "replies": s.Replies(id), "comments": s.Comments(id), "draft": s.Draft(id), "audit": s.Audit(id)}, nil
	})},
	{http.MethodPost, "/_desk/tickets/{id}/customer_replies", onTicket(func(s *Desk, id supportbee.TicketID, in messageJSON) (any, error) {
		if in.AuthorID != 0 {
			return nil, bad("author_id is the requester of the ticket, and must not be given")
		}
		return object{"id": s.AddCustomerReply(id, in.Text, in.AttachmentIDs...)}, nil
	})},
	{http.MethodPost, "/_desk/tickets/{id}/replies", onTicket(func(s *Desk, id supportbee.TicketID, in messageJSON) (any, error) {
		if in.AttachmentIDs != nil {
			return nil, bad("attachment_ids are for the replies of customers")
		}
		return object{"id": s.AddReply(id, in.AuthorID, in.Text)}, nil
	})},
	{http.MethodPost, "/_desk/tickets/{id}/comments", onTicket(func(s *Desk, id supportbee.TicketID, in messageJSON) (any, error) {
		if in.AttachmentIDs != nil {
			return nil, bad("attachment_ids are for the replies of customers")
		}
		return object{"id": s.AddComment(id, in.AuthorID, in.Text)}, nil
	})},
	{http.MethodGet, "/_desk/users", func(s *Desk, _ *http.Request) (any, error) { return object{"users": s.Users()}, nil }},
	{http.MethodPost, "/_desk/users", adder((*Desk).AddUser)},
	{http.MethodGet, "/_desk/users/{id}/members", func(s *Desk, r *http.Request) (any, error) {
		members := s.Members(supportbee.UserID(pathNumber(r)))
		if members == nil {
			return nil, missing("customer group", r)
		}
		return object{"users": members}, nil
	}},
	{http.MethodPost, "/_desk/users/{id}/token", func(s *Desk, r *http.Request) (any, error) {
		return object{"token": s.AddToken(supportbee.UserID(pathNumber(r)))}, nil
	}},
	{http.MethodPost, "/_desk/teams", adder(func(s *Desk, in struct {
		Name      string              `json:"name"`
		MemberIDs []supportbee.UserID `json:"member_ids"`
	},
	) supportbee.TeamID {
		return s.AddTeam(in.Name, in.MemberIDs...)
	})},
	{http.MethodGet, "/_desk/labels", func(s *Desk, _ *http.Request) (any, error) { return object{"labels": s.Labels()}, nil }},
	{http.MethodPost, "/_desk/labels", adder(func(s *Desk, in struct {
		Name  string `json:"name"`
		Color string `json:"color"`
	},
	) supportbee.LabelID {
		return s.AddLabel(in.Name, in.Color)
	})},
	{http.MethodGet, "/_desk/snippets", func(s *Desk, _ *http.Request) (any, error) { return object{"snippets": s.Snippets()}, nil }},
	{http.MethodPost, "/_desk/snippets", adder(func(s *Desk, in struct {
		Name string `json:"name"`
		Tags string `json:"tags"`
		Text string `json:"text"`
		HTML string `json:"html"`
	},
	) supportbee.SnippetID {
		return s.AddSnippet(supportbee.SnippetParams{Name: in.Name, Tags: in.Tags, Content: supportbee.ContentParams{Text: in.Text, HTML: in.HTML}})
	})},
	{http.MethodGet, "/_desk/forwarding_addresses", func(s *Desk, _ *http.Request) (any, error) {
		return object{"forwarding_addresses": s.ForwardingAddresses()}, nil
	}},
	{http.MethodGet, "/_desk/filters", func(s *Desk, _ *http.Request) (any, error) {
		return object{"filters": each(s.Filters(), func(f Filter) filterJSON {
			return filterJSON{f.ID, ruleBody(f.Rule), consequenceJSON(f.Consequence)}
		})}, nil
	}},
	{http.MethodPost, "/_desk/filters", adder(func(s *Desk, in filterJSON) supportbee.FilterID {
		return s.AddFilter(supportbee.RuleParams(in.Rule), supportbee.ConsequenceParams(in.Consequence))
	})},
	{http.MethodPost, "/_desk/files", func(s *Desk, r *http.Request) (any, error) {
		name := r.URL.Query().Get("name")
		if name == "" {
			return nil, bad("the query must have the name of the file: /_desk/files?name=a.txt")
		}
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		contentType := r.Header.Get("Content-Type")
		if contentType == "" {
			contentType = "application/octet-stream"
		}
		return object{"id": s.AddFile(name, contentType, data)}, nil
	}},
	{http.MethodGet, "/_desk/files/{id}", func(s *Desk, r *http.Request) (any, error) {
		data := s.File(supportbee.AttachmentID(pathNumber(r)))
		if data == nil {
			return nil, missing("file", r)
		}
		return document{"application/octet-stream", data}, nil
	}},

	// The clock.
	{http.MethodGet, "/_desk/clock", func(s *Desk, _ *http.Request) (any, error) { return s.Clock.json(), nil }},
	{http.MethodPut, "/_desk/clock", func(s *Desk, r *http.Request) (any, error) {
		var in struct {
			Time    *time.Time `json:"time"`
			Advance *float64   `json:"advance"`
		}
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		switch {
		case in.Time != nil && in.Advance != nil:
			return nil, bad("either time or advance must be given")
		case in.Advance != nil:
			ahead, err := seconds(*in.Advance)
			if err != nil {
				return nil, err
			}
			s.Clock.Advance(ahead)
		case in.Time != nil:
			s.Clock.Set(*in.Time)
		default:
			s.Clock.Set(time.Time{})
		}
		return s.Clock.json(), nil
	}},

	// Faults.
	{http.MethodGet, "/_desk/faults", func(s *Desk, _ *http.Request) (any, error) {
		return object{"faults": each(s.faults.list(), (*Injection).json)}, nil
	}},
	{http.MethodPost, "/_desk/faults", func(s *Desk, r *http.Request) (any, error) {
		var in injectionJSON
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		injection, err := in.inject(s)
		if err != nil {
			return nil, err
		}
		return injection.json(), nil
	}},
	{http.MethodGet, "/_desk/faults/{id}", onInjection(func(*Injection) {})},
	{http.MethodDelete, "/_desk/faults/{id}", onInjection((*Injection).Remove)},

	// The history.
	{http.MethodGet, "/_desk/requests", func(s *Desk, r *http.Request) (any, error) {
		ops := r.URL.Query()["op"]
		for _, op := range ops {
			if !isOperation(op) {
				return nil, bad("unknown operation %q; did you mean %q?", op, nearestOperation(op))
			}
		}
		return object{"requests": each(s.Requests(ops...), Request.json)}, nil
	}},
	{http.MethodGet, "/_desk/outbox", func(s *Desk, _ *http.Request) (any, error) {
		return object{"mails": append([]Mail{}, s.Outbox()...)}, nil
	}},
	{http.MethodGet, "/_desk/deliveries", func(s *Desk, _ *http.Request) (any, error) {
		return object{"deliveries": each(s.Deliveries(), Delivery.json)}, nil
	}},
	{http.MethodDelete, "/_desk/history", func(s *Desk, _ *http.Request) (any, error) {
		s.ClearHistory()
		return nil, nil
	}},
	{http.MethodPost, "/_desk/webhooks", func(s *Desk, r *http.Request) (any, error) {
		var in Webhook
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		if u, err := url.Parse(in.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, bad("url must be of http or https")
		}
		s.AddWebhook(in)
		return nil, nil
	}},
	{http.MethodPost, "/_desk/webhooks/flush", func(s *Desk, r *http.Request) (any, error) {
		return nil, s.FlushWebhooks(r.Context())
	}},
}

// routeControl adds the control API, the descriptions and the page.
func (s *Desk) routeControl(mux *http.ServeMux) {
	control := http.NewServeMux()
	for _, route := range controlRoutes {
		control.HandleFunc(route.method+" "+route.path, func(w http.ResponseWriter, r *http.Request) { s.control(route.handle, w, r) })
	}
	control.Handle("GET /_desk/{$}", page{s})
	control.HandleFunc("GET /_desk/events", page{s}.events)
	control.HandleFunc("/_desk/", func(w http.ResponseWriter, _ *http.Request) {
		sendJSON(w, http.StatusNotFound, object{"error": "the control API has no such route; see /_desk/openapi.yaml"})
	})
	mux.Handle("/_desk/", s.guardControl(control))
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) { document{"application/yaml", apiDescription}.send(w) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "_desk/") // relative, since the public URL may have a path
		w.WriteHeader(http.StatusSeeOther)
	})
}

// guardControl rejects requests that may not control the desk.
func (s *Desk) guardControl(next http.Handler) http.Handler {
	token, origins := *s.config.control, http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := origins.Check(r); err != nil {
			sendJSON(w, http.StatusForbidden, object{"error": err.Error()})
			return
		}
		if token == "" {
			address, _, _ := net.SplitHostPort(r.RemoteAddr)
			if !isLoopback(address) || !isLoopback(hostname(r.Host)) {
				sendJSON(w, http.StatusForbidden, object{"error": "without a token, the desk is controlled from loopback only"})
				return
			}
			next.ServeHTTP(w, r)
			return
		}
		sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			_, sent, _ = r.BasicAuth()
		}
		if subtle.ConstantTimeCompare([]byte(sent), []byte(token)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="supportbee-desk"`)
			sendJSON(w, http.StatusUnauthorized, object{"error": "the token of the control API is required"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveKnownHost rejects requests for hosts that are not the desk's: a page whose host name has
// been made to resolve to loopback could read the responses.
func (s *Desk) serveKnownHost(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.Host)
	if !isLoopback(host) {
		public, err := url.Parse(s.config.publicURL)
		if err != nil || public.Host == "" || host != public.Hostname() && host != "storage."+public.Hostname() {
			sendJSON(w, http.StatusForbidden, object{"error": fmt.Sprintf("the desk is not at %q: its public URL is another", r.Host)})
			return
		}
	}
	s.ServeHTTP(w, r)
}

// hostname returns the name in a Host header, in lower case.
func hostname(host string) string {
	return strings.ToLower((&url.URL{Host: host}).Hostname())
}

// control serves an operation of the control API.
func (s *Desk) control(handle func(*Desk, *http.Request) (any, error), w http.ResponseWriter, r *http.Request) {
	defer func() {
		// The methods of the desk panic with a sentence if the desk does not have what is asked for.
		if cause := recover(); cause != nil {
			sentence, _ := cause.(string)
			message, known := strings.CutPrefix(sentence, "supportbeetest: ")
			if !known {
				panic(cause)
			}
			sendJSON(w, http.StatusBadRequest, object{"error": message})
		}
	}()
	r.Body = http.MaxBytesReader(w, r.Body, 4*maxUpload)
	result, err := handle(s, r)
	var rejected *controlError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &rejected):
		sendJSON(w, rejected.status, object{"error": rejected.message})
	case errors.As(err, &large):
		sendJSON(w, http.StatusRequestEntityTooLarge, object{"error": err.Error()})
	case err != nil:
		sendJSON(w, http.StatusBadRequest, object{"error": err.Error()})
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		if sender, ok := result.(interface{ send(http.ResponseWriter) }); ok {
			sender.send(w)
			return
		}
		status := http.StatusOK
		if r.Method == http.MethodPost {
			status = http.StatusCreated
		}
		sendJSON(w, status, result)
	}
}

// controlError is a rejected request of the control API.
type controlError struct {
	status  int
	message string
}

func (e *controlError) Error() string { return e.message }

func bad(format string, args ...any) error {
	return &controlError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func missing(what string, r *http.Request) error {
	return &controlError{http.StatusNotFound, fmt.Sprintf("there is no %s %s", what, r.PathValue("id"))}
}

func sendJSON(w http.ResponseWriter, status int, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		status, encoded = http.StatusInternalServerError, []byte(`{"error":"the response cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n'))
}

// document is a response that is not JSON.
type document struct {
	contentType string
	data        []byte
}

func (d document) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", d.contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(d.data)
}

// snapshot is a response with the state of a desk.
type snapshot struct{ desk *Desk }

func (s snapshot) send(w http.ResponseWriter) {
	var saved bytes.Buffer
	if err := s.desk.Save(&saved); err != nil {
		sendJSON(w, http.StatusInternalServerError, object{"error": err.Error()})
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(saved.Bytes())
}

// readJSON decodes the body of a request. Unknown members are errors: they are most likely
// misspelled.
func readJSON(r *http.Request, out any) error {
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = decodeExactly(data, out)
	}
	if err == nil && string(bytes.TrimSpace(data)) == "null" {
		err = errors.New("null is no object")
	}
	if err == nil { // package json has ignored the case of names
		if _, problems := knownKeys(data, reflect.TypeOf(out), ""); problems != nil {
			err = errors.New(strings.Join(problems, "; "))
		}
	}
	if err != nil {
		return fmt.Errorf("the body must be JSON as described in /_desk/openapi.yaml: %w", err)
	}
	return nil
}

// decodeExactly decodes a single value without unknown members.
func decodeExactly(data []byte, out any) error {
	if !json.Valid(data) {
		return json.Unmarshal(data, new(any)) // which tells why
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(out)
}

// adder returns a handler that calls a method which adds something and returns its ID.
func adder[In, ID any](add func(*Desk, In) ID) func(*Desk, *http.Request) (any, error) {
	return func(s *Desk, r *http.Request) (any, error) {
		var in In
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		return object{"id": add(s, in)}, nil
	}
}

// onTicket returns a handler for a ticket, with a body unless the method is GET.
func onTicket[In any](handle func(*Desk, supportbee.TicketID, In) (any, error)) func(*Desk, *http.Request) (any, error) {
	return func(s *Desk, r *http.Request) (any, error) {
		id := supportbee.TicketID(pathNumber(r))
		if s.Ticket(id) == nil {
			return nil, missing("ticket", r)
		}
		var in In
		if r.Method != http.MethodGet {
			if err := readJSON(r, &in); err != nil {
				return nil, err
			}
		}
		return handle(s, id, in)
	}
}

// onInjection returns a handler that calls change for an injection and sends it.
func onInjection(change func(*Injection)) func(*Desk, *http.Request) (any, error) {
	return func(s *Desk, r *http.Request) (any, error) {
		for _, i := range s.faults.list() {
			if i.id == pathNumber(r) {
				change(i)
				return i.json(), nil
			}
		}
		return nil, missing("injection", r)
	}
}

// pathNumber returns the ID in the path, or 0 if it is not a number, which is no ID.
func pathNumber(r *http.Request) int64 {
	n, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	return n
}

// seconds converts a duration, which must not be negative.
func seconds(n float64) (time.Duration, error) {
	if n < 0 || n > math.MaxInt64/2/float64(time.Second) {
		return 0, bad("a duration must be a number of seconds that is not negative")
	}
	return time.Duration(n * float64(time.Second)), nil
}

// The types below are the JSON of the control API.

type messageJSON struct {
	AuthorID      supportbee.UserID         `json:"author_id"`
	Text          string                    `json:"text"`
	AttachmentIDs []supportbee.AttachmentID `json:"attachment_ids"`
}

type filterJSON struct {
	ID          supportbee.FilterID `json:"id,omitzero"`
	Rule        ruleBody            `json:"rule"`
	Consequence consequenceJSON     `json:"consequence"`
}

// consequenceJSON differs from [supportbee.ConsequenceParams] in its IDs, which are numbers.
type consequenceJSON struct {
	Archive      bool              `json:"archive,omitzero"`
	Spam         bool              `json:"spam,omitzero"`
	Trash        bool              `json:"trash,omitzero"`
	Label        string            `json:"label,omitzero"`
	AssignUserID supportbee.UserID `json:"assign_user_id,omitzero"`
	AssignTeamID supportbee.TeamID `json:"assign_team_id,omitzero"`
}

func (c *Clock) json() any {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return object{"time": now.UTC(), "stopped": !c.stopped.IsZero()}
}

func (r Request) json() any {
	return object{
		"op": r.Op, "method": r.Method, "route": r.Route, "path": r.Path, "query": r.Query, "header": r.Header, "body": string(r.Body),
		"status": r.Status, "fault": r.Fault, "time": r.Time, "duration": r.Duration.Seconds(),
	}
}

func (d Delivery) json() any {
	out := object{"url": d.URL, "action": d.Action, "body": json.RawMessage(d.Body), "status": d.Status}
	if d.Err != nil {
		out["error"] = d.Err.Error()
	}
	return out
}

func (i *Injection) json() any {
	return object{
		"id": i.id, "op": i.match.Op, "ticket_id": i.match.TicketID, "skip": i.match.Skip, "times": i.match.Times,
		"probability": i.match.Probability, "seed": i.match.Seed, "names": i.names, "hits": i.Hits(),
	}
}

// injectionJSON is what [Desk.Inject] or [Desk.InjectChaos] are called with.
type injectionJSON struct {
	Chaos       float64             `json:"chaos"`
	Op          string              `json:"op"`
	TicketID    supportbee.TicketID `json:"ticket_id"`
	Path        string              `json:"path"`
	Skip        int                 `json:"skip"`
	Times       int                 `json:"times"`
	Probability float64             `json:"probability"`
	Seed        uint64              `json:"seed"`
	Faults      []faultJSON         `json:"faults"`
}

func (in injectionJSON) inject(s *Desk) (*Injection, error) {
	if in.Chaos != 0 {
		if in.Chaos < 0 || in.Chaos > 1 || in.Op != "" || in.TicketID != 0 || in.Path != "" || in.Skip != 0 || in.Times != 0 || in.Probability != 0 || in.Faults != nil {
			return nil, bad("chaos must be from 0 to 1, and all that can be given with it is seed")
		}
		return s.InjectChaos(in.Chaos, in.Seed), nil
	}
	switch {
	case in.Op != "" && !isOperation(in.Op):
		return nil, bad("unknown operation %q; did you mean %q?", in.Op, nearestOperation(in.Op))
	case len(in.Faults) == 0:
		return nil, bad("faults or chaos must be given")
	case in.Skip < 0 || in.Times < 0 || in.Probability < 0 || in.Probability > 1:
		return nil, bad("skip and times must not be negative, and probability must be from 0 to 1")
	}
	match := Match{Op: in.Op, TicketID: in.TicketID, Skip: in.Skip, Times: in.Times, Probability: in.Probability, Seed: in.Seed}
	if in.Path != "" {
		match.Func = func(r *http.Request) bool { return r.URL.Path == in.Path }
	}
	var faults []Fault
	for _, f := range in.Faults {
		fault, err := f.fault()
		if err != nil {
			return nil, err
		}
		faults = append(faults, fault)
	}
	return s.Inject(match, faults...), nil
}

type faultJSON struct {
	Type          string  `json:"type"`
	Status        int     `json:"status"`
	RetryAfter    string  `json:"retry_after"`
	Location      string  `json:"location"`
	ContentType   string  `json:"content_type"`
	Body          string  `json:"body"`
	Seconds       float64 `json:"seconds"`
	Key           string  `json:"key"`
	Value         string  `json:"value"`
	Size          int64   `json:"size"`
	AfterHandling bool    `json:"after_handling"`
}

func (f faultJSON) fault() (fault Fault, err error) {
	pause, err := seconds(f.Seconds)
	if err != nil {
		return Fault{}, err
	}
	switch f.Type {
	case "status", "html_page", "redirect", "respond":
		if f.Status < 200 || f.Status > 999 {
			return Fault{}, bad("a fault of type %s must have a status from 200 to 999", f.Type)
		}
	case "header":
		if f.Key == "" {
			return Fault{}, bad("a fault of type header must have a key")
		}
	}
	switch f.Type {
	case "status":
		fault = Status(f.Status)
	case "html_page":
		fault = HTMLPage(f.Status)
	case "redirect":
		fault = Redirect(f.Status, f.Location)
	case "respond":
		fault = Respond(reply(f.Status, f.ContentType, f.Body))
	case "rate_limited":
		fault = RateLimited(f.RetryAfter)
	case "drop":
		fault = Drop()
	case "drop_body":
		fault = DropBody()
	case "delay":
		fault = Delay(pause)
	case "slow_body":
		fault = SlowBody(pause)
	case "header":
		fault = Header(f.Key, f.Value)
	case "truncate":
		fault = Truncate()
	case "corrupt":
		fault = Corrupt()
	case "pad":
		fault = Pad(f.Size)
	default:
		return Fault{}, bad("unknown type of fault %q; see /_desk/openapi.yaml", f.Type)
	}
	if f.AfterHandling {
		fault = AfterHandling(fault)
	}
	return fault, nil
}
