package supportbeetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee"
)

// maxQueuedWebhooks limits the events that wait for slow receivers.
const maxQueuedWebhooks = 10_000

// errQueueFull is the [Delivery.Err] of an event that was dropped.
var errQueueFull = errors.New("supportbeetest: webhook dropped: 10,000 events are waiting for their receivers")

// Webhook is a receiver of events: a URL, or a handler that is called without a socket.
type Webhook struct {
	URL         string       `json:"url"`
	Handler     http.Handler `json:"-"`
	Check       bool         `json:"check"`        // first send a check of the URL, as the service once did
	MaxAttempts int          `json:"max_attempts"` // deliveries of an event, until the status of a response is 2xx; default 1
	EscapeHTML  bool         `json:"escape_html"`  // escape subjects, summaries and contents, as the service sometimes does
}

// AddWebhook delivers each event from now on to a receiver, in the order in which they happen and
// one at a time. If MaxAttempts is greater than 1, a failed delivery is repeated at once. A check
// is a request with the payload null.
//
// At most 10,000 events wait for slow receivers; the others are dropped, which is an error in
// [Desk.Deliveries]. AddWebhook panics if the receiver has not exactly one of URL and Handler.
func (s *Desk) AddWebhook(webhook Webhook) {
	if (webhook.URL == "") == (webhook.Handler == nil) {
		panic("supportbeetest: AddWebhook: either URL or Handler is required")
	}
	s.webhooks.add(webhook)
}

// FlushWebhooks waits until all events so far have been delivered or have failed. It returns the
// cause if ctx is done before.
func (s *Desk) FlushWebhooks(ctx context.Context) error { return s.webhooks.flush(ctx) }

// Delivery is an attempt to deliver an event. See [Desk.Deliveries].
type Delivery struct {
	URL    string                   // empty for a handler
	Action supportbee.WebhookAction // such as [supportbee.WebhookTicketCreated]
	Body   []byte
	Status int   // of the response; 0 if there was none
	Err    error // why there was no response
}

// Deliveries returns the attempts to deliver events so far, oldest first, at most the last 10,000.
func (s *Desk) Deliveries() []Delivery {
	var list []Delivery
	s.webhooks.sent.each(func(d Delivery) { list = append(list, d) })
	return list
}

// emit sends an event to the webhooks. All events are sent through it. The parts are encoded by
// [encoder.webhook].
func (s *Desk) emit(c *call, event supportbee.WebhookAction, t *ticket, parts object) {
	if !s.webhooks.enabled() {
		return
	}
	e := c.encoder.webhook()
	e.base = s.URL // whatever the name that this request was sent to
	body := e.ticket(t)
	body.URL = s.URL + "/tickets/" + itoa(t.ID)
	payload := object{
		"action_type": event,
		"company":     object{"subdomain": Company, "name": "Acme"},
		"ticket":      body,
	}
	maps.Copy(payload, parts)
	if c.user != nil {
		payload["agent"] = e.person(c.user.ID)
	}
	encoded, _ := json.Marshal(object{"payload": payload}) // of plain values, which cannot fail
	s.webhooks.send(event, encoded)
}

// escapeHTML escapes the texts of an event.
func escapeHTML(body []byte) []byte {
	var event any
	_ = json.Unmarshal(body, &event) // which emit has made
	var escape func(value any)
	escape = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			for key, member := range value {
				text, isText := member.(string)
				switch key {
				case "subject", "summary", "text", "html", "body":
					if isText {
						value[key] = html.EscapeString(text)
					}
				default:
					escape(member)
				}
			}
		case []any:
			for _, element := range value {
				escape(element)
			}
		}
	}
	escape(event)
	escaped, _ := json.Marshal(event)
	return escaped
}

// receiver is a webhook with the client that reaches it.
type receiver struct {
	Webhook
	client *http.Client
}

// queued is an event for one receiver.
type queued struct {
	to     receiver
	action supportbee.WebhookAction
	body   []byte
}

// webhookSender sends events to receivers. Its goroutine runs while events are queued.
type webhookSender struct {
	lifetime  *lifetime
	client    *http.Client
	sent      ring[Delivery]
	mu        sync.Mutex
	receivers []receiver
	queue     []queued
	running   bool
	resets    int           // deliveries from before a reset are not recorded
	idle      chan struct{} // closed when the queue is empty; nil while nobody waits
	ctx       context.Context
	interrupt context.CancelFunc
}

func newWebhookSender(lifetime *lifetime) *webhookSender {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}
	return &webhookSender{lifetime: lifetime, client: &http.Client{Timeout: 10 * time.Second, Transport: transport}, ctx: ctx, interrupt: cancel}
}

func (s *webhookSender) add(webhook Webhook) {
	r := receiver{webhook, s.client}
	if webhook.Handler != nil {
		r.client = &http.Client{Timeout: s.client.Timeout, Transport: memoryTransport{webhook.Handler, s.lifetime}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receivers = append(s.receivers, r)
	if webhook.Check {
		s.enqueue(queued{r, supportbee.WebhookCheck, []byte(`{"payload":null}`)})
	}
}

// enabled reports whether there are receivers, so that events need not be encoded without one.
func (s *webhookSender) enabled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.receivers) > 0
}

// send queues an event for all receivers.
func (s *webhookSender) send(action supportbee.WebhookAction, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range s.receivers {
		if to.EscapeHTML {
			s.enqueue(queued{to, action, escapeHTML(body)})
		} else {
			s.enqueue(queued{to, action, body})
		}
	}
}

// enqueue is called with the mutex locked.
func (s *webhookSender) enqueue(event queued) {
	switch {
	case s.ctx.Err() != nil: // closed
	case len(s.queue) >= maxQueuedWebhooks:
		s.sent.add(Delivery{URL: event.to.URL, Action: event.action, Body: event.body, Err: errQueueFull})
	default:
		s.queue = append(s.queue, event)
		if !s.running {
			s.running = true
			go s.run()
		}
	}
}

func (s *webhookSender) run() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 || s.ctx.Err() != nil {
			s.running, s.queue = false, nil
			if s.idle != nil {
				close(s.idle)
				s.idle = nil
			}
			s.mu.Unlock()
			return
		}
		next, resets := s.queue[0], s.resets
		s.queue = s.queue[1:]
		s.mu.Unlock()
		s.deliver(next, resets)
	}
}

// deliver sends an event until it is received, at most MaxAttempts times.
func (s *webhookSender) deliver(event queued, resets int) {
	for range max(1, event.to.MaxAttempts) {
		d := Delivery{URL: event.to.URL, Action: event.action, Body: event.body}
		d.Status, d.Err = s.post(event)
		s.mu.Lock()
		current := s.resets == resets
		if current {
			s.sent.add(d)
		}
		s.mu.Unlock()
		if !current || d.Status/100 == 2 || s.ctx.Err() != nil {
			return
		}
	}
}

func (s *webhookSender) post(event queued) (int, error) {
	url := event.to.URL
	if url == "" {
		url = "http://webhook.localhost/"
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, url, bytes.NewReader(event.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := event.to.client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = res.Body.Close() // only the status counts
	return res.StatusCode, nil
}

// flush waits until the queue is empty and the last event has been delivered.
func (s *webhookSender) flush(ctx context.Context) error {
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return nil
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
	}
	idle := s.idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// reset removes the receivers, the queued events and the record of deliveries.
func (s *webhookSender) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receivers, s.queue = nil, nil
	s.resets++
	s.sent.reset()
}

// close drops the queued events and waits for the current delivery.
func (s *webhookSender) close() {
	s.interrupt()
	_ = s.flush(context.Background())
	s.client.CloseIdleConnections()
}
