package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/supportbee-go/supportbee"
)

// sweeper changes nothing if its client is one of [supportbee.WithDryRun] and alertURL is empty.
type sweeper struct {
	client             *supportbee.Client
	cfg                *config
	max                int           // tickets to change in a run
	settle             time.Duration // see [supportbee.OnceOptions]
	alertURL           string        // can hold a secret
	log                *slog.Logger
	actions            *prometheus.CounterVec
	overdue, succeeded prometheus.Gauge
}

func newSweeper(client *supportbee.Client, cfg *config, metrics prometheus.Registerer) *sweeper {
	auto := promauto.With(metrics)
	return &sweeper{
		client: client, cfg: cfg, max: 50, settle: 30 * time.Second, log: slog.Default(),
		actions:   auto.NewCounterVec(prometheus.CounterOpts{Name: "sla_actions_total", Help: "What was done to tickets."}, []string{"action"}),
		overdue:   auto.NewGauge(prometheus.GaugeOpts{Name: "sla_overdue_tickets", Help: "Tickets whose response is late."}),
		succeeded: auto.NewGauge(prometheus.GaugeOpts{Name: "sla_last_success_timestamp_seconds", Help: "When the last run without an error ended."}),
	}
}

// pass is one run of a sweeper over all tickets.
type pass struct {
	*sweeper
	now                 time.Time // by the clock of the help desk
	late, changed, left atomic.Int64
	alerting            sync.Mutex
	answered            []*supportbee.Ticket
}

func (s *sweeper) run(ctx context.Context) error {
	var response supportbee.Response
	labels, err := s.client.Labels.List(supportbee.WithResponse(ctx, &response))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(labels, func(l *supportbee.Label) bool { return l.Name == s.cfg.Label }) {
		return fmt.Errorf("the help desk has no label %q", s.cfg.Label)
	}
	p := &pass{sweeper: s}
	if p.now, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		return fmt.Errorf("the time of the help desk is not known: %w", err)
	}
	opts := &supportbee.ForEachOptions{ContinueOnError: true}
	err = errors.Join(supportbee.ForEach(ctx, p.watched(ctx), p.handle, opts), supportbee.ForEach(ctx, p.rest, p.handle, opts))
	s.overdue.Set(float64(p.late.Load()))
	if err == nil {
		s.succeeded.SetToCurrentTime()
	}
	s.log.Info("run ended", "overdue", p.late.Load(), "changed", p.changed.Load(), "left for the next run", p.left.Load())
	return err
}

// watched yields the tickets that are unanswered or have the label, and keeps the others for later:
// what is archived is not to use up the limit before the alerts.
func (p *pass) watched(ctx context.Context) iter.Seq2[*supportbee.Ticket, error] {
	return func(yield func(*supportbee.Ticket, error) bool) {
		for _, opts := range []supportbee.TicketListOptions{{}, {Archived: supportbee.ArchivedOnly, Label: p.cfg.Label}} {
			for t, err := range p.client.Tickets.All(ctx, &opts) {
				if err == nil && !t.Unanswered && !p.isLabeled(t) {
					p.answered = append(p.answered, t)
				} else if !yield(t, err) {
					return
				}
			}
		}
	}
}

func (p *pass) rest(yield func(*supportbee.Ticket, error) bool) {
	for _, t := range p.answered {
		if !yield(t, nil) {
			return
		}
	}
}

func (p *pass) handle(ctx context.Context, t *supportbee.Ticket) error {
	var since, due time.Time
	var err error
	late, labeled := t.Unanswered && !t.Archived && p.now.After(p.due(t, t.CreatedAt)), p.isLabeled(t)
	if late { // unless it has been responded to
		if since, err = p.waitingSince(ctx, t); err != nil {
			return err
		}
		due = p.due(t, since)
		late = p.now.After(due)
	}
	conversation := t.CreatedAt // a recent comment may be of a run that was killed before it archived
	if t.LastReplyAt.After(conversation) {
		conversation = t.LastReplyAt
	}
	switch {
	case late:
		p.late.Add(1)
		if labeled || !p.take() {
			return nil
		}
		return p.breach(ctx, t, since, due)
	case labeled && !(t.Archived && t.Unanswered):
		if !p.take() {
			return nil
		}
		return p.did("label removed", t.ID, p.client.Labels.Remove(ctx, t.ID, p.cfg.Label))
	case p.mayArchive(t) && (p.isIdle(t.LastActivityAt) || t.CommentsCount > 0 && p.isIdle(conversation)):
		return p.archive(ctx, t.ID)
	}
	return nil
}

// take reports whether another ticket may be changed.
func (p *pass) take() bool {
	if p.changed.Add(1) <= int64(p.max) {
		return true
	}
	p.changed.Add(-1)
	p.left.Add(1)
	return false
}

func (p *pass) did(action string, id supportbee.TicketID, err error) error {
	if err == nil {
		p.actions.WithLabelValues(action).Inc()
		p.log.Info(action, "ticket", id)
	}
	return err
}

func (s *sweeper) isLabeled(t *supportbee.Ticket) bool {
	return slices.ContainsFunc(t.Labels, func(l supportbee.Label) bool { return l.Name == s.cfg.Label })
}

// due returns when the response to a customer who waits since the given time is late.
func (s *sweeper) due(t *supportbee.Ticket, since time.Time) time.Time {
	var targets []time.Duration
	for _, label := range t.Labels {
		if target, ok := s.cfg.Targets[label.Name]; ok {
			targets = append(targets, target)
		}
	}
	if targets == nil {
		targets = append(targets, s.cfg.Target)
	}
	return s.cfg.open.after(since, slices.Min(targets))
}

// waitingSince returns when the customer first wrote after the last reply of an agent. If there is
// no such message, as after a reply that left the ticket unanswered, it returns the time of that reply.
func (p *pass) waitingSince(ctx context.Context, t *supportbee.Ticket) (time.Time, error) {
	replies, err := p.client.Replies.List(ctx, t.ID)
	slices.SortFunc(replies, func(a, b *supportbee.Reply) int { return a.CreatedAt.Compare(b.CreatedAt) })
	since, responded := t.CreatedAt, false
	for _, reply := range replies {
		if reply.Replier.Agent || responded {
			since, responded = reply.CreatedAt, reply.Replier.Agent
		}
	}
	return since, err
}

// breach alerts and then labels: if the program is killed between the two, the next run repeats the
// alert, with the same key. In the other order the alert would be lost. One breach at a time, so that
// a kill repeats one alert at most.
func (p *pass) breach(ctx context.Context, t *supportbee.Ticket, since, due time.Time) error {
	p.alerting.Lock()
	defer p.alerting.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // a clean stop is not between the two
	defer cancel()
	key := fmt.Sprintf("%d@%s", t.ID, since.UTC().Format(time.RFC3339))
	if err := p.post(ctx, key, t.ID, since, due); err != nil {
		return fmt.Errorf("alert of ticket %d: %w", t.ID, err)
	}
	p.log.Warn("response overdue", "ticket", t.ID, "since", since, "due", due, "key", key)
	_, err := p.client.Labels.Add(ctx, t.ID, p.cfg.Label)
	return p.did("label added", t.ID, err)
}

var alertClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (p *pass) post(ctx context.Context, key string, id supportbee.TicketID, since, due time.Time) error {
	if p.alertURL == "" {
		return nil
	}
	body, err := json.Marshal(map[string]any{
		"key": key, "ticket_id": id, "waiting_since": since, "due": due,
		"text": fmt.Sprintf("Ticket %d was to be responded to by %s.", id, due.In(p.cfg.open.zone).Format("Monday 2006-01-02 15:04 MST")),
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.alertURL, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL is invalid")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	response, err := alertClient.Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err // without the URL
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func (p *pass) mayArchive(t *supportbee.Ticket) bool {
	return p.cfg.ArchiveAfterDays > 0 && !t.Unanswered && !t.Snoozed && !t.SnoozedUntil.After(p.now) && !t.Archived && !t.Spam && !t.Trash
}

func (p *pass) isIdle(since time.Time) bool {
	return p.now.Sub(since) >= time.Duration(p.cfg.ArchiveAfterDays)*24*time.Hour
}

// archive comments on a ticket and archives it, if it is idle.
func (p *pass) archive(ctx context.Context, id supportbee.TicketID) error {
	if p.changed.Load() >= int64(p.max) { // before the requests below
		p.left.Add(1)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*p.settle+2*time.Minute)
	defer cancel()
	t, err := p.client.Tickets.Get(ctx, id) // since the list may be old by now
	if err != nil || !p.mayArchive(t) {
		return err
	}
	trail, err := p.client.Tickets.Audit(ctx, id)
	if err != nil || len(trail) == 0 {
		return err
	}
	why := supportbee.CommentParams{Content: supportbee.Text(fmt.Sprintf(
		"Archived automatically, since the ticket is answered and idle (days without activity: %d).", p.cfg.ArchiveAfterDays,
	))}
	// What does not move the last activity, such as that an agent unarchived the ticket, is in the trail.
	last := trail[len(trail)-1]
	if !p.isIdle(t.LastActivityAt) || !p.isIdle(last.HappenedAt) {
		// Go on only where a run was killed: after its comment, if nothing has happened since.
		found, err := p.client.Comments.Find(ctx, id, why, last.HappenedAt)
		if err != nil || len(found) == 0 || t.LastActivityAt.After(last.HappenedAt.Add(2*time.Second)) ||
			!strings.HasSuffix(last.URL, fmt.Sprintf("comments/%d", found[len(found)-1].ID)) {
			return err
		}
	}
	if !p.take() {
		return nil
	}
	if p.isIdle(t.LastActivityAt) {
		if _, err := p.client.Comments.CreateOnce(ctx, id, why, &supportbee.OnceOptions{Since: t.LastActivityAt, Settle: p.settle}); err != nil {
			return err
		}
	}
	if t, err = p.client.Tickets.Get(ctx, id); err != nil || !p.mayArchive(t) { // since CreateOnce can wait
		return err
	}
	if err := p.did("archived", id, p.client.Tickets.Archive(ctx, id)); err != nil {
		return err
	}
	if t, err = p.client.Tickets.Get(ctx, id); err != nil || !t.Unanswered {
		return err
	}
	return p.did("unarchived", id, p.client.Tickets.Unarchive(ctx, id)) // the customer wrote meanwhile
}
