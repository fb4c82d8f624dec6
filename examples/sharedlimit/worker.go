package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
)

const (
	group     = "workers"
	clockSkew = time.Hour        // between the clocks of Redis and of the help desk, at most
	retryWait = 5 * time.Second  // before a message that failed is handled again
	stopWait  = 10 * time.Second // for the request in progress, when the program is stopped
)

// message is a ticket to open.
type message struct {
	Email   string `json:"email"`
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

// params returns the ticket of a message. The ID in its subject makes it differ from those of equal
// messages, so that CreateOnce can tell them apart.
func (m message) params(id string) supportbee.TicketParams {
	return supportbee.TicketParams{
		Subject:       strings.TrimSpace(m.Subject + " [" + id + "]"),
		RequesterName: m.Name, RequesterEmail: m.Email, Content: supportbee.Text(m.Text),
	}
}

// queue is a Redis stream. A message that a worker has read is pending until it is finished; it is
// read again if the worker does not do that in time.
type queue struct {
	redis *redis.Client
	key   string
	lease time.Duration // until a pending message is read again
	from  string        // where to look for pending messages next
}

func (q *queue) rejected() string { return q.key + ":rejected" }

// add adds the JSON lines of in, all of them or none.
func (q *queue) add(ctx context.Context, in io.Reader) (n int, err error) {
	_, err = q.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		lines := bufio.NewScanner(in)
		for lines.Buffer(nil, 16<<20); lines.Scan(); n++ {
			var m message
			err := json.Unmarshal(lines.Bytes(), &m)
			if err == nil {
				err = m.params("").Validate()
			}
			if err != nil {
				return fmt.Errorf("line %d: %w", n+1, err)
			}
			p.XAdd(ctx, &redis.XAddArgs{Stream: q.key, Values: []any{"message", lines.Text()}})
		}
		return lines.Err()
	})
	return n, err
}

// next returns a message, and whether a worker has already read it, or none after a second.
func (q *queue) next(ctx context.Context) (m redis.XMessage, again bool, err error) {
	if err := q.redis.XGroupCreateMkStream(ctx, q.key, group, "0").Err(); err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return m, false, err
	}
	// One name for all workers: entries are looked after each by itself, and no names are left over.
	pending, from, err := q.redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{Stream: q.key, Group: group, Consumer: group, MinIdle: q.lease, Start: q.from, Count: 1}).Result()
	if err != nil {
		return m, false, err
	}
	if q.from = from; len(pending) > 0 {
		return pending[0], true, nil
	}
	streams, err := q.redis.XReadGroup(ctx, &redis.XReadGroupArgs{Group: group, Consumer: group, Streams: []string{q.key, ">"}, Count: 1, Block: time.Second}).Result()
	if errors.Is(err, redis.Nil) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	return streams[0].Messages[0], false, nil
}

// finish removes a message. If it was rejected, it is kept in a stream of its own.
func (q *queue) finish(ctx context.Context, m redis.XMessage, why error) error {
	_, err := q.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if why != nil {
			p.XAdd(ctx, &redis.XAddArgs{Stream: q.rejected(), Values: []any{"message", m.Values["message"], "error", why.Error()}})
		}
		p.XAck(ctx, q.key, group, m.ID)
		p.XDel(ctx, q.key, m.ID)
		return nil
	})
	return err
}

// retry makes a message to be read again after wait.
func (q *queue) retry(ctx context.Context, m redis.XMessage, wait time.Duration) error {
	return q.redis.Do(ctx, "XCLAIM", q.key, group, group, 0, m.ID, "IDLE", max(q.lease-wait, 0).Milliseconds(), "JUSTID").Err()
}

// worker opens a ticket for each message of the queue, one at a time.
type worker struct {
	config
	queue   *queue
	handled *prometheus.CounterVec
}

// run handles messages until ctx is done.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		m, again, err := w.queue.next(ctx)
		if err == nil && m.ID != "" {
			err = w.handle(ctx, m, again)
		}
		if err != nil && ctx.Err() == nil {
			w.logger.Error("the queue failed", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
}

// handle opens the ticket of a message. When the program is stopped, a request in progress has a
// while to end.
func (w *worker) handle(stopped context.Context, m redis.XMessage, again bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(stopped), w.timeout)
	defer cancel()
	defer context.AfterFunc(stopped, func() { time.AfterFunc(stopWait, cancel) })()

	params, err := parse(m)
	var ticket *supportbee.Ticket
	if err == nil {
		opts := &supportbee.OnceOptions{Settle: w.settle}
		if again { // look for the ticket first
			opts.Since = enqueued(m).Add(-clockSkew)
		}
		ticket, err = w.desk.Tickets.CreateOnce(ctx, params, opts)
	}
	// The result is stored even if the call above was canceled.
	storing, end := context.WithTimeout(context.WithoutCancel(stopped), 10*time.Second)
	defer end()
	log := w.logger.With("message", m.ID, "again", again)
	switch {
	case err == nil:
		log.Info("created", "ticket", ticket.ID)
		w.handled.WithLabelValues("created").Inc()
		return w.queue.finish(storing, m, nil)
	case errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
		log.Error("rejected; see the stream of rejected messages", "stream", w.queue.rejected())
		w.handled.WithLabelValues("rejected").Inc()
		return w.queue.finish(storing, m, err)
	}
	var reason any = err
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok && !errors.Is(err, ErrUnavailable) {
		reason = apiErr.LogValue() // without the server's message, which can have personal data
	}
	log.Warn("failed; the message stays in the queue", "error", reason)
	w.handled.WithLabelValues("failed").Inc()
	wait := retryWait
	switch {
	case errors.Is(err, supportbee.ErrOutcomeUnknown):
		wait = w.queue.lease
	case stopped.Err() != nil:
		wait = 0 // for another worker, at once
	}
	return w.queue.retry(storing, m, wait)
}

// plan prints what would be sent for the messages of the queue, without changing it.
func (cfg config) plan(ctx context.Context, client *redis.Client, out io.Writer) error {
	desk := cfg.desk.With(supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
		fmt.Fprintf(out, "would send %s %s %s\n", request.Method, request.Path, request.Body)
	}))
	messages, err := client.XRange(ctx, cfg.newQueue(client).key, "-", "+").Result()
	if err != nil {
		return err
	}
	for _, m := range messages {
		params, err := parse(m)
		if err == nil {
			_, err = desk.Tickets.Create(ctx, params)
		}
		if err != nil {
			fmt.Fprintf(out, "would reject message %s: %v\n", m.ID, err)
		}
	}
	return nil
}

func parse(m redis.XMessage) (supportbee.TicketParams, error) {
	var parsed message
	text, _ := m.Values["message"].(string)
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return supportbee.TicketParams{}, fmt.Errorf("%w: the message is not JSON", supportbee.ErrInvalidArgument)
	}
	return parsed.params(m.ID), nil
}

// enqueued returns when a message was added, which its ID begins with.
func enqueued(m redis.XMessage) time.Time {
	ms, _, _ := strings.Cut(m.ID, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n)
}
