package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
)

const (
	keepEvents   = 7 * 24 * time.Hour // handled events, to recognize repeated ones
	storeTimeout = 8 * time.Second    // of the 10 seconds that the sender waits
	workers      = 4                  // so that one event that is slow does not delay the others
	clockSkew    = 5 * time.Minute    // between the clocks of this machine and of Slack
	metadataType = "supportbee_event"
)

// event is what the queue stores: IDs only. The texts are fetched when they are posted, which also
// proves that the event is not forged, and the queue holds no personal data.
type event struct {
	Key      string                   `json:"key" river:"unique"` // also the mark of the message in Slack
	Action   supportbee.WebhookAction `json:"action"`
	Ticket   supportbee.TicketID      `json:"ticket"`
	Reply    supportbee.ReplyID       `json:"reply,omitzero"`
	Comment  supportbee.CommentID     `json:"comment,omitzero"`
	Received time.Time                `json:"received"`
}

// queue stores events and calls a [handleFunc] for each until it returns nil.
type queue interface {
	// put stores the event before it returns, unless there is one with its key.
	put(ctx context.Context, e event) (added bool, err error)
	run(ctx context.Context) error // until ctx is done and the calls in progress have returned
	waiting(ctx context.Context) (int, error)
	close() error
}

// handleFunc handles an event. The attempt is 1 only if no earlier one can have posted.
type handleFunc func(ctx context.Context, e event, attempt int) error

// openQueue opens the queue that name is the URL or the file of. An event whose machine died is
// handled by another one after twice the timeout.
func openQueue(ctx context.Context, cfg config, handle handleFunc) (queue, error) {
	if strings.HasPrefix(cfg.queue, "postgres://") || strings.HasPrefix(cfg.queue, "postgresql://") {
		return openRiver(ctx, cfg, handle)
	}
	return openSQLite(cfg, handle)
}

type receiver struct {
	config
	queue            queue
	limiter          *rate.Limiter
	received, posted *prometheus.CounterVec
}

func newReceiver(ctx context.Context, cfg config, registry *prometheus.Registry) (*receiver, error) {
	r := &receiver{
		config:   cfg,
		limiter:  rate.NewLimiter(cfg.rate, 5),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "webhooks_received_total", Help: "Events by result: stored, repeated, ignored or failed."}, []string{"result"}),
		posted:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "webhooks_posted_total", Help: "Attempts to post by result: posted, found in the channel, gone (no such ticket), or failed."}, []string{"result"}),
	}
	if err := r.checkSlack(ctx); err != nil {
		return nil, err
	}
	var err error
	if r.queue, err = openQueue(ctx, cfg, r.handle); err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	registry.MustRegister(r.received, r.posted, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "webhooks_waiting", Help: "Events in the queue; -1 if it cannot be reached."}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := r.queue.waiting(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	}))
	return r, nil
}

// checkSlack returns an error if Slack rejects what later calls need. If Slack is down, events can
// wait for it.
func (r *receiver) checkSlack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := r.slack.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: r.channel, Limit: 1})
	if err == nil {
		return nil
	}
	rejected, ok := errors.AsType[slack.SlackErrorResponse](err)
	if ok && !slices.Contains([]string{"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"}, rejected.Err) {
		return fmt.Errorf("reading the Slack channel, which needs the scope channels:history or groups:history and the app in the channel: %w", rejected)
	}
	r.logger.Warn("Slack cannot be reached", "error", err)
	return nil
}

// handler stores the events that come. The queue drops repeated ones, for all machines.
func (r *receiver) handler() http.Handler {
	return &supportbee.WebhookHandler{Secret: r.secret, KeepKeys: -1, Logger: r.logger, Handle: func(ctx context.Context, w *supportbee.Webhook) error {
		if !r.actions[w.Action] {
			r.received.WithLabelValues("ignored").Inc()
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		key := sha256.Sum256([]byte(w.Key()))
		e := event{Key: hex.EncodeToString(key[:]), Action: w.Action, Ticket: w.Ticket.ID, Received: time.Now().UTC()}
		if w.Reply != nil {
			e.Reply = w.Reply.ID
		}
		if w.Comment != nil {
			e.Comment = w.Comment.ID
		}
		added, err := r.queue.put(ctx, e)
		result := "stored"
		switch {
		case err != nil:
			result = "failed"
		case !added:
			result = "repeated"
		}
		r.received.WithLabelValues(result).Inc()
		return err
	}}
}

// handle posts the message of an event. If an earlier attempt can have posted it without having
// learned so, it first looks for it in the channel, by the key in the message's metadata.
func (r *receiver) handle(ctx context.Context, e event, attempt int) error {
	result, err := r.post(ctx, e, attempt)
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
		err = errors.New(apiErr.LogValue().String()) // without the server's message, which can have personal data
	}
	r.posted.WithLabelValues(result).Inc()
	log := r.logger.With("action", e.Action, "ticket", e.Ticket, "attempt", attempt)
	if err != nil {
		log.Warn("attempt failed", "error", err)
		return err
	}
	log.Info("event handled", "result", result)
	return nil
}

func (r *receiver) post(ctx context.Context, e event, attempt int) (result string, err error) {
	text, err := r.message(ctx, e)
	if errors.Is(err, supportbee.ErrNotFound) && attempt >= 5 { // not at once: a ticket that is new may not be visible yet
		return "gone", nil
	}
	if err == nil && attempt > 1 {
		var found bool
		if found, err = r.find(ctx, e); found {
			return "found", nil
		}
	}
	if err == nil {
		err = r.limiter.Wait(ctx)
	}
	if err == nil {
		_, _, err = r.slack.PostMessageContext(ctx, r.channel, slack.MsgOptionText(text, false), slack.MsgOptionDisableLinkUnfurl(),
			slack.MsgOptionMetadata(slack.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"key": e.Key}}))
	}
	if err != nil {
		return "failed", err
	}
	return "posted", nil
}

// find reports whether the message of the event is in the channel.
func (r *receiver) find(ctx context.Context, e event) (bool, error) {
	params := &slack.GetConversationHistoryParameters{ChannelID: r.channel, IncludeAllMetadata: true, Limit: 200, Oldest: strconv.FormatInt(e.Received.Add(-clockSkew).Unix(), 10)}
	for {
		page, err := r.slack.GetConversationHistoryContext(ctx, params)
		if err != nil {
			return false, err
		}
		for _, message := range page.Messages {
			if message.Metadata.EventType == metadataType && message.Metadata.EventPayload["key"] == e.Key {
				return true, nil
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" {
			return false, nil
		}
	}
}

// message returns the text of a message, from what the help desk has now.
func (r *receiver) message(ctx context.Context, e event) (string, error) {
	ticket, err := r.desk.Tickets.Get(ctx, e.Ticket)
	if err != nil {
		return "", err
	}
	title, who, quote := strings.ReplaceAll(string(e.Action), ".", " "), "", ""
	switch {
	case e.Reply != 0:
		reply, err := r.desk.Replies.Get(ctx, e.Ticket, e.Reply)
		if err != nil {
			return "", err
		}
		who, quote = reply.Replier.Name, reply.Summary
	case e.Comment != 0:
		comments, err := r.desk.Comments.List(ctx, e.Ticket)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(comments, func(c *supportbee.Comment) bool { return c.ID == e.Comment })
		if i < 0 {
			return "", fmt.Errorf("comment %d: %w", e.Comment, supportbee.ErrNotFound)
		}
		who, quote = comments[i].Commenter.Name, comments[i].Content.Text
	case e.Action == supportbee.WebhookTicketCreated:
		who, quote = ticket.Requester.Name, ticket.Summary
	}
	text := fmt.Sprintf("*%s* <%s/tickets/%d|#%d %s>", plain(title), r.desk, ticket.ID, ticket.ID, plain(ticket.Subject))
	if who != "" {
		text += " by " + plain(who)
	}
	if quote != "" {
		text += "\n> " + plain(quote)
	}
	return text, nil
}

// plain makes a text fit for a line of a message. It escapes it, since customers could otherwise
// write <!channel>.
func plain(text string) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > 200 {
		line = append(line[:200], '…')
	}
	return slackutilsx.EscapeMessage(string(line))
}

// pause returns how long to wait after an attempt that has failed. It is at least the time after
// which a message that was posted is in the channel, unless none was.
func (cfg config) pause(attempt int, err error) time.Duration {
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return limited.RetryAfter
	}
	return max(cfg.settle, min(time.Second<<min(attempt-1, 12), time.Hour))
}
