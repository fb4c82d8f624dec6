package supportbeetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxQueuedWebhooks bounds what waits for slow receivers.
const maxQueuedWebhooks = 10_000

// errQueueFull is the [Delivery.Err] of an event that was dropped.
var errQueueFull = errors.New("supportbeetest: webhook dropped: 10,000 are waiting for their receivers already")

// handlerURL is where receivers are that are no more than a handler.
const handlerURL = "http://webhook.localhost/"

// Delivery is a webhook that the desk has sent, or tried to.
type Delivery struct {
	URL    string
	Action string // such as "ticket.created"
	Body   []byte
	Status int   // of the receiver's answer; 0 if there was none
	Err    error // why there was none

	client *http.Client
}

// receiver is somebody who is told of events.
type receiver struct {
	url    string
	client *http.Client
}

// webhookSender posts events to receivers, in the order in which they happened, one at a time.
// Its goroutine lives while something is queued.
type webhookSender struct {
	mu        sync.Mutex
	client    *http.Client
	receivers []receiver
	queue     []Delivery
	sent      []Delivery
	running   bool
	idle      chan struct{} // closed when nothing is queued; nil while nobody waits
	ctx       context.Context
	interrupt context.CancelFunc
}

func newWebhookSender() *webhookSender {
	ctx, cancel := context.WithCancel(context.Background())
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext}
	return &webhookSender{client: &http.Client{Timeout: 10 * time.Second, Transport: transport}, ctx: ctx, interrupt: cancel}
}

func (s *webhookSender) subscribe(url string) { s.add(receiver{url, s.client}) }

// subscribeHandler tells a handler of events, without a socket.
func (s *webhookSender) subscribeHandler(handler http.Handler) {
	s.add(receiver{handlerURL, &http.Client{Timeout: s.client.Timeout, Transport: memoryTransport{handler, &lifetime{ctx: s.ctx}}}})
}

func (s *webhookSender) add(r receiver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.receivers = append(s.receivers, r)
}

// enabled reports whether anybody listens, so that the desk need not encode events for nobody.
func (s *webhookSender) enabled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.receivers) > 0
}

// enqueue sends an event to all receivers, later and without blocking.
func (s *webhookSender) enqueue(action string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range s.receivers {
		delivery := Delivery{URL: to.url, Action: action, Body: body, client: to.client}
		if len(s.queue) >= maxQueuedWebhooks {
			delivery.Err = errQueueFull
			s.sent = append(s.sent, delivery)
			continue
		}
		s.queue = append(s.queue, delivery)
	}
	if len(s.queue) > 0 && !s.running {
		s.running = true
		go s.run()
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
		next := s.queue[0]
		s.queue = s.queue[1:]
		s.mu.Unlock()

		next.Status, next.Err = s.post(next)

		s.mu.Lock()
		s.sent = append(s.sent, next)
		s.mu.Unlock()
	}
}

func (s *webhookSender) post(d Delivery) (int, error) {
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, err := d.client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// flush waits until nothing is queued.
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

func (s *webhookSender) deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery(nil), s.sent...)
}

// close drops what is queued and waits for the one on its way.
func (s *webhookSender) close() {
	s.interrupt()
	_ = s.flush(context.Background())
	s.client.CloseIdleConnections()
}

// emit tells the webhooks of an event. It is the one place that every event goes through.
func (s *Desk) emit(c *call, event string, t *ticket, parts object) {
	if !s.webhooks.enabled() {
		return
	}
	body := c.encoder.ticket(t)
	body.URL = s.URL + "/tickets/" + itoa(t.ID)
	payload := object{
		"action_type": event,
		"company":     object{"subdomain": Company, "name": "Acme"},
		"ticket":      body,
	}
	maps.Copy(payload, parts)
	if c.user != nil {
		payload["agent"] = c.person(c.user.ID)
	}
	encoded, _ := json.Marshal(object{"payload": payload}) // of plain values, which cannot fail
	s.webhooks.enqueue(event, encoded)
}

// AddWebhook posts every event from now on to the URL, in the order in which they happen. What
// waits for slow receivers is bounded: beyond 10,000, events are dropped with an error in
// [Desk.Deliveries].
func (s *Desk) AddWebhook(url string) { s.webhooks.subscribe(url) }

// AddWebhookHandler is [Desk.AddWebhook] for a handler that listens at no address. It works
// inside a [testing/synctest] bubble.
func (s *Desk) AddWebhookHandler(handler http.Handler) { s.webhooks.subscribeHandler(handler) }

// FlushWebhooks waits until every webhook so far has been delivered, or has failed.
func (s *Desk) FlushWebhooks(ctx context.Context) error { return s.webhooks.flush(ctx) }

// Deliveries returns the webhooks that were delivered, or failed, in their order.
func (s *Desk) Deliveries() []Delivery { return s.webhooks.deliveries() }
