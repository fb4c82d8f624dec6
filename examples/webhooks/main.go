// Command webhooks receives the events that SupportBee posts and sends a message to a Slack channel
// for each of them, once although an event can come twice.
//
// A request only stores its event in a queue, in SQLite or PostgreSQL; a worker then fetches the
// ticket and posts. Without an account, the program shows this on an embedded help desk, and prints
// the messages.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeequeue"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

const (
	storeTimeout = 8 * time.Second // of the 10 seconds that the sender waits
	checkTimeout = 5 * time.Second
	clockSkew    = 5 * time.Minute    // between the clocks of this machine and of Slack
	mark         = "supportbee_event" // the type of the metadata by which messages are found
)

// permanentErrors are the errors of Slack that remain until somebody changes the app or its token.
var permanentErrors = []string{
	"account_inactive", "channel_not_found", "invalid_auth", "missing_scope", "not_authed", "not_in_channel", "org_login_required",
	"token_expired", "token_revoked",
}

func main() { supportbeeservice.Main("webhooks", run) }

// config is the configuration of a receiver. Secrets come from the environment only.
type config struct {
	addr, metrics, queue, channel, secret string
	timeout                               time.Duration // of an attempt to handle an event
	settle                                time.Duration // after an attempt that can have posted, until its message is in the channel
	rate                                  rate.Limit    // of messages
	desk                                  *supportbee.Client
	slack                                 *slack.Client
	print                                 func(text string) // if not nil, called instead of posting
	log                                   *slog.Logger
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	cfg := config{
		secret: os.Getenv("WEBHOOK_SECRET"), channel: os.Getenv("SLACK_CHANNEL"),
		timeout: 20 * time.Second, log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	flags := flag.NewFlagSet("webhooks", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&cfg.addr, "addr", "localhost:8080", "`address` of the receiver, for POST /webhook/SECRET")
	flags.StringVar(&cfg.metrics, "metrics", "", "`address` for GET /metrics and GET /healthz; none if empty")
	flags.StringVar(&cfg.queue, "queue", "webhooks.db", "SQLite `file`, or the postgres:// URL of a database that several machines share")
	flags.DurationVar(&cfg.settle, "settle", 10*time.Second, "how long to wait after a failed attempt, before looking for its message in the channel")
	flags.Float64Var((*float64)(&cfg.rate), "rate", 1, "messages a second, after a burst of 5")
	dryRun := flags.Bool("dry-run", false, "print messages instead of posting them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if cfg.addr == "" || cfg.rate <= 0 {
		return errors.New("-addr must not be empty, and -rate must be positive")
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, cfg, out)
	}
	needed := []string{"WEBHOOK_SECRET", "SLACK_TOKEN", "SLACK_CHANNEL"}
	if *dryRun {
		cfg.print, needed = func(text string) { fmt.Fprintln(out, text) }, needed[:1]
	}
	if missing := slices.DeleteFunc(needed, func(name string) bool { return os.Getenv(name) != "" }); len(missing) > 0 {
		return fmt.Errorf("the environment needs %s", strings.Join(missing, ", "))
	}
	if cfg.desk, err = supportbee.FromEnv(); err != nil {
		return err
	}
	cfg.slack = slack.New(os.Getenv("SLACK_TOKEN"), slack.OptionAPIURL(cmp.Or(os.Getenv("SLACK_API_URL"), slack.APIURL)))
	return serve(ctx, cfg, func(_ context.Context, url string) error {
		cfg.log.Info("receiving events", "url", url, "desk", cfg.desk)
		return nil
	})
}

// serve runs a receiver until ctx is done. It calls ready, with the URL of the server, once it
// receives events.
func serve(ctx context.Context, cfg config, ready func(ctx context.Context, url string) error) error {
	service := supportbeeservice.New(ctx)
	cfg.desk = service.Instrument(cfg.desk)
	r, err := newReceiver(ctx, cfg)
	if err != nil {
		return err
	}
	service.Register(append(r.queue.Metrics("webhooks"), r.events)...)
	mux := http.NewServeMux()
	mux.Handle("/webhook/{secret}", r.handler())
	service.Go(r.queue.Run)
	service.Monitor(cfg.metrics, r.queue.Healthy)
	if url := service.Listen(cfg.addr, mux); url != "" {
		service.Go(func(ctx context.Context) error { return ready(ctx, url) })
	}
	return errors.Join(service.Wait(), r.queue.Close())
}

// event is what the queue stores: IDs only. The texts are fetched when they are posted, which also
// proves that the event is not forged, and the queue holds no personal data.
type event struct {
	Action  supportbee.WebhookAction
	Ticket  supportbee.TicketID
	Reply   supportbee.ReplyID   `json:",omitzero"`
	Comment supportbee.CommentID `json:",omitzero"`
}

type receiver struct {
	config
	queue   *supportbeequeue.Queue[event]
	limiter *rate.Limiter
	events  *prometheus.CounterVec
}

func newReceiver(ctx context.Context, cfg config) (*receiver, error) {
	r := &receiver{config: cfg, limiter: rate.NewLimiter(cfg.rate, 5), events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "webhooks_events_total",
		Help: "Events that came (ignored, stored, repeated, not_stored), and attempts to post one (posted, found in the channel, printed, gone, failed).",
	}, []string{"result"})}
	if cfg.print == nil {
		// If Slack is down, events can wait for it. What only a person can correct is an error now.
		checkCtx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		_, err := cfg.slack.GetConversationHistoryContext(checkCtx, &slack.GetConversationHistoryParameters{ChannelID: cfg.channel, Limit: 1})
		rejected, _ := errors.AsType[slack.SlackErrorResponse](err)
		if slices.Contains(permanentErrors, rejected.Err) {
			return nil, fmt.Errorf("reading the Slack channel: %w", err)
		}
	}
	var err error
	r.queue, err = supportbeequeue.Open(ctx, cfg.queue, r.handle, supportbeequeue.Options{Timeout: cfg.timeout, MinPause: cfg.settle, Logger: cfg.log})
	return r, err
}

// handler stores the events that name a new ticket, reply or comment, so that their keys are their
// own. The queue drops repeated ones, for all machines.
func (r *receiver) handler() http.Handler {
	return &supportbee.WebhookHandler{Secret: r.secret, KeepKeys: -1, Logger: r.log, Handle: func(ctx context.Context, w *supportbee.Webhook) error {
		e := event{Action: w.Action, Ticket: w.Ticket.ID}
		switch {
		case w.Action == supportbee.WebhookTicketCreated:
		case w.Action == supportbee.WebhookCommentCreated && w.Comment != nil:
			e.Comment = w.Comment.ID
		case (w.Action == supportbee.WebhookAgentReplyCreated || w.Action == supportbee.WebhookCustomerReplyCreated) && w.Reply != nil:
			e.Reply = w.Reply.ID
		default:
			r.events.WithLabelValues("ignored").Inc()
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		added, err := r.queue.Put(ctx, fmt.Sprintf("%x", sha256.Sum256([]byte(w.Key()))), e)
		result := "stored"
		if err != nil {
			result = "not_stored"
		} else if !added {
			result = "repeated"
		}
		r.events.WithLabelValues(result).Inc()
		return err
	}}
}

// handle posts the message of an event.
func (r *receiver) handle(ctx context.Context, item *supportbeequeue.Item[event]) error {
	result, err := r.post(ctx, item)
	if err != nil {
		r.events.WithLabelValues("failed").Inc()
		return err // the queue logs it
	}
	r.events.WithLabelValues(result).Inc()
	r.log.Info("event handled", "action", item.Value.Action, "ticket", item.Value.Ticket, "attempt", item.Attempt, "result", result)
	return nil
}

func (r *receiver) post(ctx context.Context, item *supportbeequeue.Item[event]) (result string, err error) {
	text, err := r.message(ctx, item.Value)
	switch {
	case errors.Is(err, supportbee.ErrNotFound) && item.Attempt >= 5: // not at once: a ticket that is new may not be visible yet
		return "gone", nil
	case err != nil:
		return "", err
	case r.print != nil:
		r.print(text)
		return "printed", nil
	}
	if item.Attempt > 1 { // an earlier one can have posted without having learned so
		if found, err := r.find(ctx, item); err != nil || found {
			return "found", err
		}
	}
	if err := r.limiter.Wait(ctx); err != nil {
		return "", err
	}
	_, _, err = r.slack.PostMessageContext(ctx, r.channel, slack.MsgOptionText(text, false), slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: mark, EventPayload: map[string]any{"key": item.Key}}))
	return "posted", err
}

// find reports whether the message of an event is in the channel, by the key in its metadata.
func (r *receiver) find(ctx context.Context, item *supportbeequeue.Item[event]) (bool, error) {
	params := &slack.GetConversationHistoryParameters{
		ChannelID: r.channel, IncludeAllMetadata: true, Limit: 200, Oldest: strconv.FormatInt(item.Added.Add(-clockSkew).Unix(), 10),
	}
	for {
		page, err := r.slack.GetConversationHistoryContext(ctx, params)
		if err != nil {
			return false, err
		}
		for _, message := range page.Messages {
			if message.Metadata.EventPayload["key"] == item.Key {
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
	who, quote := ticket.Requester, ticket.Summary
	switch {
	case e.Reply != 0:
		reply, err := r.desk.Replies.Get(ctx, e.Ticket, e.Reply)
		if err != nil {
			return "", err
		}
		who, quote = reply.Replier, reply.Summary
	case e.Comment != 0:
		comments, err := r.desk.Comments.List(ctx, e.Ticket)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(comments, func(c *supportbee.Comment) bool { return c.ID == e.Comment })
		if i < 0 {
			return "", fmt.Errorf("comment %d: %w", e.Comment, supportbee.ErrNotFound)
		}
		who, quote = comments[i].Commenter, comments[i].Content.Text
	}
	title := strings.ReplaceAll(string(e.Action), ".", " ")
	return fmt.Sprintf("*%s* <%s/tickets/%d|#%d %s> by %s\n> %s",
		title, r.desk, ticket.ID, ticket.ID, plain(ticket.Subject), plain(cmp.Or(who.Name, who.Email)), plain(quote)), nil
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
