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

// maxQueuedWebhooks limits the events that wait for a slow receiver.
const maxQueuedWebhooks = 10_000

// errQueueFull is the [Delivery.Err] of an event that was dropped.
var errQueueFull = errors.New("supportbeetest: webhook dropped: 10,000 events are waiting for the receiver")

// Webhook is a receiver of events: a URL, or a handler that is called without a socket.
type Webhook struct {
	URL         string       `json:"url"`
	Handler     http.Handler `json:"-"`
	Check       bool         `json:"check"`        // first send a check of the URL, as the service once did
	MaxAttempts int          `json:"max_attempts"` // deliveries of an event, until the status of a response is 2xx; default 1
	EscapeHTML  bool         `json:"escape_html"`  // escape subjects, summaries and contents, as the service sometimes does
}

// AddWebhook delivers each event from now on to a receiver, in the order in which they happen and
// one at a time. A slow receiver does not delay others. If MaxAttempts is greater than 1, a failed
// delivery is repeated at once. A check is a request with the payload null.
//
// At most 10,000 events wait for a receiver; the others are dropped, which is an error in
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

// Deliveries returns the attempts to deliver events so far, oldest first, as far as they are recorded.
// The order of deliveries to different receivers is not defined.
func (s *Desk) Deliveries() []Delivery {
	return recorded(s.history, func(d Delivery) (Delivery, bool) { return d, true })
}

// emit sends an event to the webhooks. All events are sent through it. The parts are encoded by
// [encoder.webhook].
func (s *Desk) emit(c *call, event supportbee.WebhookAction, t *ticket, parts object) {
	if !s.webhooks.enabled() {
		return
	}
	e := c.encoder.webhook(s.URL)
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

// receiver is a webhook with the events that wait for it. A goroutine delivers them while there are
// any, so that a slow receiver delays no other.
type receiver struct {
	Webhook
	client  *http.Client
	queue   []queued // guarded by the sender's mutex, like running and removed
	running bool
	removed bool
}

// queued is an event for a receiver.
type queued struct {
	action supportbee.WebhookAction
	body   []byte
}

// webhookSender sends events to receivers.
type webhookSender struct {
	lifetime *lifetime
	history  *history
	client   *http.Client

	mu        sync.Mutex
	receivers []*receiver
	running   int           // goroutines that deliver
	idle      chan struct{} // closed when none delivers; nil while nobody waits
}

func newWebhookSender(lifetime *lifetime, history *history) *webhookSender {
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}
	return &webhookSender{lifetime: lifetime, history: history, client: &http.Client{Timeout: 10 * time.Second, Transport: transport}}
}

func (s *webhookSender) add(webhook Webhook) {
	r := &receiver{Webhook: webhook, client: s.client}
	if webhook.Handler != nil {
		r.client = &http.Client{Timeout: s.client.Timeout, Transport: memoryTransport{foreignHandler{webhook.Handler}, s.lifetime}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receivers = append(s.receivers, r)
	if webhook.Check {
		s.enqueue(r, queued{supportbee.WebhookCheck, []byte(`{"payload":null}`)})
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
			s.enqueue(to, queued{action, escapeHTML(body)})
		} else {
			s.enqueue(to, queued{action, body})
		}
	}
}

// enqueue is called with the mutex locked.
func (s *webhookSender) enqueue(to *receiver, event queued) {
	if len(to.queue) >= maxQueuedWebhooks {
		s.history.add(Delivery{URL: to.URL, Action: event.action, Body: event.body, Err: errQueueFull})
		return
	}
	if !to.running {
		if !s.lifetime.begin() {
			return // the desk is closed
		}
		to.running = true
		s.running++
		go s.run(to)
	}
	to.queue = append(to.queue, event)
}

// run delivers the events of a receiver until there are none or the desk is closed.
func (s *webhookSender) run(to *receiver) {
	defer s.lifetime.done()
	for {
		s.mu.Lock()
		if len(to.queue) == 0 || s.lifetime.ctx.Err() != nil {
			to.running, to.queue = false, nil
			s.running--
			if s.running == 0 && s.idle != nil {
				close(s.idle)
				s.idle = nil
			}
			s.mu.Unlock()
			return
		}
		next := to.queue[0]
		to.queue = to.queue[1:]
		s.mu.Unlock()
		s.deliver(to, next)
	}
}

// deliver sends an event until it is received, at most MaxAttempts times.
func (s *webhookSender) deliver(to *receiver, event queued) {
	for range max(1, to.MaxAttempts) {
		d := Delivery{URL: to.URL, Action: event.action, Body: event.body}
		d.Status, d.Err = s.post(to, event)
		s.mu.Lock()
		removed := to.removed
		if !removed {
			s.history.add(d)
		}
		s.mu.Unlock()
		if removed || d.Status/100 == 2 || s.lifetime.ctx.Err() != nil {
			return
		}
	}
}

func (s *webhookSender) post(to *receiver, event queued) (int, error) {
	url := to.URL
	if url == "" {
		url = "http://webhook.localhost/"
	}
	req, err := http.NewRequestWithContext(s.lifetime.ctx, http.MethodPost, url, bytes.NewReader(event.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := to.client.Do(req)
	if err != nil {
		return 0, err
	}
	_ = res.Body.Close() // only the status counts
	return res.StatusCode, nil
}

// flush waits until the queues are empty and the last events have been delivered.
func (s *webhookSender) flush(ctx context.Context) error {
	s.mu.Lock()
	if s.running == 0 {
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

// reset removes the receivers and the events that wait for them. What is being delivered is not
// recorded.
func (s *webhookSender) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.receivers {
		r.removed, r.queue = true, nil
	}
	s.receivers = nil
}
