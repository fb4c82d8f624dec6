package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeredis"
)

// The keys in Redis. The queue is a stream: a message that a worker has read is pending until it is
// removed, and is read again if the worker does not do that in time.
const (
	creates  = "supportbee:creates" // of the limiter
	queue    = "supportbee:messages"
	rejected = "supportbee:messages:rejected" // a stream
	group    = "workers"                      // of the queue
)

const (
	clockSkew = time.Hour       // between the clocks of Redis and of the help desk, at most
	retryWait = 5 * time.Second // before a message that failed is handled again
)

// worker opens a ticket for each message of the queue, one at a time.
type worker struct {
	desk            *supportbee.Client
	redis           *redis.Client
	log             *slog.Logger
	limit           supportbeeredis.LimiterOptions
	timeout, settle time.Duration
	from            string // where to look for pending messages next
}

// lease is how long a message is pending until it is read again.
func (w *worker) lease() time.Duration { return w.timeout + w.settle }

// run handles messages until ctx is done.
func (w *worker) run(ctx context.Context) error {
	w.desk = w.desk.With(supportbeeredis.NewLimiter(w.redis, creates, &w.limit).Options()...)
	for ctx.Err() == nil {
		m, again, err := w.next(ctx)
		if err == nil && m.ID != "" {
			err = w.handle(ctx, m, again)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("the queue failed", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

// next returns a message, and whether a worker has already read it, or none after a second.
func (w *worker) next(ctx context.Context) (m redis.XMessage, again bool, err error) {
	if err := w.redis.XGroupCreateMkStream(ctx, queue, group, "0").Err(); err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return m, false, err
	}
	// One name for all workers: entries are looked after each by itself, and no names are left over.
	pending, from, err := w.redis.XAutoClaim(ctx, &redis.XAutoClaimArgs{
		Stream: queue, Group: group, Consumer: group, MinIdle: w.lease(), Start: cmp.Or(w.from, "0-0"), Count: 1,
	}).Result()
	if err != nil {
		return m, false, err
	}
	if w.from = from; len(pending) > 0 {
		return pending[0], true, nil
	}
	streams, err := w.redis.XReadGroup(ctx, &redis.XReadGroupArgs{Group: group, Consumer: group, Streams: []string{queue, ">"}, Count: 1, Block: time.Second}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return m, false, nil
	case err != nil:
		return m, false, err
	}
	return streams[0].Messages[0], false, nil
}

// params returns the ticket of a message. The ID in its subject makes it differ from those of equal
// messages, so that CreateOnce can tell them apart.
func params(m redis.XMessage) supportbee.TicketParams {
	field := func(name string) string {
		text, _ := m.Values[name].(string)
		return text
	}
	return supportbee.TicketParams{
		Subject:       strings.TrimSpace(field("subject") + " [" + m.ID + "]"),
		RequesterName: field("name"), RequesterEmail: field("email"), Content: supportbee.Text(field("text")),
	}
}

// handle opens the ticket of a message and removes it from the queue. If that fails, the message is
// read again later. A request whose response is not awaited, because the program is stopped, is one
// without a response: another worker looks for its ticket.
func (w *worker) handle(ctx context.Context, m redis.XMessage, again bool) error {
	opts := &supportbee.OnceOptions{Settle: w.settle}
	if again { // look for the ticket first
		added, _, _ := strings.Cut(m.ID, "-")
		ms, _ := strconv.ParseInt(added, 10, 64)
		opts.Since = time.UnixMilli(ms).Add(-clockSkew)
	}
	limited, cancel := context.WithTimeout(ctx, w.timeout)
	ticket, err := w.desk.Tickets.CreateOnce(limited, params(m), opts)
	cancel()

	storing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second) // also if the call was canceled
	defer cancel()
	log := w.log.With("message", m.ID, "again", again)
	switch {
	case err == nil:
		log.Info("created", "ticket", ticket.ID)
		return w.remove(storing, m, nil)
	case errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
		log.Error("rejected; see the stream of rejected messages", "stream", rejected)
		return w.remove(storing, m, err)
	}
	log.Warn("failed; the message stays in the queue", "error", err) // without the server's message, which can have personal data
	wait := retryWait
	switch {
	case errors.Is(err, supportbee.ErrOutcomeUnknown):
		wait = w.lease()
	case ctx.Err() != nil:
		wait = 0 // for another worker, at once
	}
	return w.redis.Do(storing, "XCLAIM", queue, group, group, 0, m.ID, "IDLE", max(w.lease()-wait, 0).Milliseconds(), "JUSTID").Err()
}

// remove removes a message from the queue. If it was rejected, it is kept in a stream of its own.
func (w *worker) remove(ctx context.Context, m redis.XMessage, why error) error {
	_, err := w.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if why != nil {
			m.Values["error"] = why.Error()
			p.XAdd(ctx, &redis.XAddArgs{Stream: rejected, Values: m.Values})
		}
		p.XAck(ctx, queue, group, m.ID)
		p.XDel(ctx, queue, m.ID)
		return nil
	})
	return err
}

// plan prints what would be sent for the messages of the queue, without changing it.
func (w *worker) plan(ctx context.Context, out io.Writer) error {
	desk := w.desk.With(supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
		fmt.Fprintf(out, "would send %s %s %s\n", request.Method, request.Path, request.Body)
	}))
	messages, err := w.redis.XRange(ctx, queue, "-", "+").Result()
	if err != nil {
		return err
	}
	for _, m := range messages {
		if _, err := desk.Tickets.Create(ctx, params(m)); err != nil {
			fmt.Fprintf(out, "would reject message %s: %v\n", m.ID, err)
		}
	}
	return nil
}
