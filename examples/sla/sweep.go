package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
)

type sweeper struct {
	client   *supportbee.Client
	cfg      *config
	max      uint          // tickets to change in a run
	settle   time.Duration // see [supportbee.OnceOptions]
	alertURL string        // can hold a secret
	dryRun   bool
	overdue  prometheus.Gauge

	// Of the current run.
	now            time.Time // by the clock of the help desk
	late, selected uint      // tickets
}

func newSweeper(client *supportbee.Client, cfg *config) *sweeper {
	return &sweeper{
		client: client, cfg: cfg, max: 50, settle: 30 * time.Second,
		overdue: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sla_overdue_tickets", Help: "Tickets whose response is late."}),
	}
}

// onlyPrint makes s print what it would write, and neither write nor alert.
func (s *sweeper) onlyPrint(out io.Writer) {
	s.dryRun = true
	s.client = s.client.With(supportbee.WithDryRun(supportbee.PrintPlanned(out)))
}

// run handles one ticket after the other: a kill interrupts one alert at most.
func (s *sweeper) run(ctx context.Context) error {
	var response supportbee.Response
	labels, err := s.client.Labels.List(supportbee.WithResponse(ctx, &response))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(labels, func(l *supportbee.Label) bool { return l.Name == s.cfg.Label }) {
		return fmt.Errorf("the help desk has no label %q", s.cfg.Label)
	}
	if s.now, err = response.Date(); err != nil {
		return err
	}
	s.late, s.selected = 0, 0
	open, err := supportbee.Collect(s.client.Tickets.All(ctx, nil))
	archived, err2 := supportbee.Collect(s.client.Tickets.All(ctx, &supportbee.TicketListOptions{Archived: supportbee.ArchivedOnly, Label: s.cfg.Label}))
	err = errors.Join(err, err2)
	// All alerts come first: what is archived is not to use up the limit.
	for _, handle := range []func(context.Context, *supportbee.Ticket) error{s.watch, s.archive} {
		for _, t := range slices.Concat(open, archived) {
			if ctx.Err() != nil {
				break
			}
			if failure := handle(ctx, t); failure != nil {
				slog.Error("ticket failed", "ticket", t.ID, "err", failure)
				err = errors.Join(err, failure)
			}
		}
	}
	s.overdue.Set(float64(s.late))
	slog.Info("run ended", "dry run", s.dryRun, "overdue", s.late, "selected", s.selected, "max", s.max)
	return errors.Join(err, ctx.Err())
}

// did logs what was done, unless it failed or was not sent.
func (s *sweeper) did(action string, id supportbee.TicketID, err error) error {
	if err == nil && !s.dryRun {
		slog.Info(action, "ticket", id)
	}
	return err
}

// watch alerts if the response to a ticket is late, and removes the label if it no longer is.
func (s *sweeper) watch(ctx context.Context, t *supportbee.Ticket) error {
	since := t.CreatedAt
	late := t.Unanswered && !t.Archived && s.now.After(s.due(t, since))
	if late { // unless it has been responded to
		thread, err := s.client.Tickets.Thread(ctx, t)
		if err != nil {
			return err
		}
		since = thread.WaitingSince()
		late = s.now.After(s.due(t, since))
	}
	if late {
		s.late++
	}
	if late == t.HasLabel(s.cfg.Label) || t.Archived && t.Unanswered || s.selected >= s.max {
		return nil
	}
	s.selected++
	if late {
		return s.breach(ctx, t, since)
	}
	return s.did("label removed", t.ID, s.client.Labels.Remove(ctx, t.ID, s.cfg.Label))
}

// due returns when the response to a customer who waits since the given time is late.
func (s *sweeper) due(t *supportbee.Ticket, since time.Time) time.Time {
	var shortest time.Duration
	for _, label := range t.Labels {
		if target, ok := s.cfg.Targets[label.Name]; ok && (shortest == 0 || target < shortest) {
			shortest = target
		}
	}
	return s.cfg.open.After(since, cmp.Or(shortest, s.cfg.Target))
}

// breach alerts and then labels: if the program is killed between the two, the next run repeats the
// alert, with the same key. In the other order the alert would be lost.
func (s *sweeper) breach(ctx context.Context, t *supportbee.Ticket, since time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second) // a clean stop is not between the two
	defer cancel()
	key := fmt.Sprintf("%d@%s", t.ID, since.UTC().Format(time.RFC3339))
	due := s.due(t, since).In(s.cfg.open.Zone)
	if err := s.post(ctx, key, map[string]any{
		"key": key, "ticket_id": t.ID, "waiting_since": since, "due": due,
		"text": fmt.Sprintf("Ticket %d was to be responded to by %s.", t.ID, due.Format("Monday 2006-01-02 15:04 MST")),
	}); err != nil {
		return fmt.Errorf("alert of ticket %d: %w", t.ID, err)
	}
	slog.Warn("response overdue", "ticket", t.ID, "since", since, "due", due, "key", key)
	_, err := s.client.Labels.Add(ctx, t.ID, s.cfg.Label)
	return s.did("label added", t.ID, err)
}

// post posts an alert. It follows no redirect, since the URL can hold a secret.
func (s *sweeper) post(ctx context.Context, key string, alert map[string]any) error {
	if s.alertURL == "" || s.dryRun {
		return nil
	}
	client := resty.New().SetRedirectPolicy(resty.NoRedirectPolicy())
	response, err := client.R().SetContext(ctx).SetHeader("Idempotency-Key", key).SetBody(alert).Post(s.alertURL)
	switch e, ok := errors.AsType[*url.Error](err); {
	case ok && e.Op == "parse":
		return errors.New("the URL is invalid")
	case ok:
		return e.Err // without the URL
	case err == nil && !response.IsSuccess():
		return fmt.Errorf("status %d", response.StatusCode())
	}
	return err
}

func (s *sweeper) mayArchive(t *supportbee.Ticket) bool {
	return !t.Unanswered && !t.Snoozed && !t.SnoozedUntil.After(s.now) && !t.Archived && !t.Spam && !t.Trash
}

func (s *sweeper) isIdle(since time.Time) bool {
	return s.now.Sub(since) >= time.Duration(s.cfg.ArchiveAfterDays)*24*time.Hour
}

// archive comments on a ticket and archives it, if it is answered and idle.
func (s *sweeper) archive(ctx context.Context, listed *supportbee.Ticket) error {
	// A recent comment may be of a run that was killed before it archived.
	isCandidate := s.isIdle(listed.LastActivityAt) || listed.CommentsCount > 0 && s.isIdle(listed.CreatedAt) && s.isIdle(listed.LastReplyAt)
	if s.cfg.ArchiveAfterDays == 0 || !isCandidate || !s.mayArchive(listed) || listed.HasLabel(s.cfg.Label) || s.selected >= s.max {
		return nil
	}
	id := listed.ID
	ctx, cancel := context.WithTimeout(ctx, 4*s.settle+2*time.Minute)
	defer cancel()
	t, err := s.client.Tickets.Get(ctx, id) // since the list may be old by now
	if err != nil || !s.mayArchive(t) {
		return err
	}
	trail, err := s.client.Tickets.Audit(ctx, id)
	if err != nil || len(trail) == 0 {
		return err
	}
	why := supportbee.CommentParams{Content: supportbee.Text(fmt.Sprintf(
		"Archived automatically, since the ticket is answered and idle (days without activity: %d).", s.cfg.ArchiveAfterDays,
	))}
	// What does not move the last activity, such as that an agent unarchived the ticket, is in the trail.
	last := trail[len(trail)-1]
	if !s.isIdle(t.LastActivityAt) || !s.isIdle(last.HappenedAt) {
		// Go on only where a run was killed: after its comment, if nothing has happened since.
		found, err := s.client.Comments.Find(ctx, id, why, last.HappenedAt)
		if err != nil || len(found) == 0 || t.LastActivityAt.After(last.HappenedAt.Add(2*time.Second)) ||
			!strings.HasSuffix(last.URL, fmt.Sprintf("comments/%d", found[len(found)-1].ID)) {
			return err
		}
	}
	s.selected++
	if s.isIdle(t.LastActivityAt) {
		if _, err := s.client.Comments.CreateOnce(ctx, id, why, &supportbee.OnceOptions{Since: t.LastActivityAt, Settle: s.settle}); err != nil {
			return err
		}
	}
	if t, err = s.client.Tickets.Get(ctx, id); err != nil || !s.mayArchive(t) { // since CreateOnce can wait
		return err
	}
	if err := s.did("archived", id, s.client.Tickets.Archive(ctx, id)); err != nil {
		return err
	}
	if t, err = s.client.Tickets.Get(ctx, id); err != nil || !t.Unanswered {
		return err
	}
	return s.did("unarchived", id, s.client.Tickets.Unarchive(ctx, id)) // the customer wrote meanwhile
}
