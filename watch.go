package supportbee

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// WatchOptions configures [TicketsService.Watch].
type WatchOptions struct {
	Since        time.Time     // where to start if the checkpoint is zero, in whole seconds; default now
	IncludeSpam  bool          // also yield spam
	IncludeTrash bool          // also yield tickets in the trash
	MinInterval  time.Duration // between polls while there is activity; default 5 s
	MaxInterval  time.Duration // between polls while there is none; default 1 min
	UntilCurrent bool          // end, without an error, once a poll finds nothing new

	// OnError, if it is not nil, is called with each error that is retried.
	OnError func(error)
}

// watchOverlap is how many seconds before the last poll a poll begins, since the server may show
// changes later than they are dated.
const watchOverlap = 5

// maxUnchanged is how many pages in a row without another ticket end a poll, since the server may
// ignore the number of the page.
const maxUnchanged = 30

// Watch returns an iterator that polls for tickets with new activity until ctx is done: tickets
// that were created, replied to or commented on. It does not see what the server does not count as
// activity, such as archiving, labeling, assigning, answering, marking as spam, trashing and
// deleting a ticket, nor the states that a ticket had between two polls.
//
// Each ticket that is created, replied to or commented on is yielded in that state or in a later
// one, and no state is yielded twice, if the server shows it within 5 seconds. The clock is the
// server's. A poll yields the tickets by their last activity, oldest first.
//
// The iterator resumes at *checkpoint, which can be that of a completed [TicketsService.Export], and
// which is used as by Export. If it is nil or zero, the iterator starts at opts.Since. Between polls,
// *checkpoint is the position after the last poll.
//
// With opts.UntilCurrent, the iterator ends after the first poll that finds nothing new, for programs
// that run now and then and continue where they ended. It then polls again at once after a poll that
// found something.
//
// Temporary errors are passed to opts.OnError and retried, with growing intervals. Other errors, such
// as that of ctx or [ErrAccessDenied], are yielded and end the iterator.
func (s *TicketsService) Watch(ctx context.Context, checkpoint *Checkpoint, opts *WatchOptions) iter.Seq2[*Ticket, error] {
	const name = "Tickets.Watch"
	o := valueOf(opts)
	return func(yield func(*Ticket, error) bool) {
		checkpoint := cmp.Or(checkpoint, new(Checkpoint)) // each iteration without one starts anew
		w := &watcher{tickets: s, WatchOptions: o, min: cmp.Or(o.MinInterval, 5*time.Second)}
		w.max = max(cmp.Or(o.MaxInterval, time.Minute), w.min)
		options := hashOptions(kindWatch, o.IncludeSpam, o.IncludeTrash)
		err := o.validate()
		if completed := checkpoint.data.Kind == kindExport && checkpoint.data.Complete; !completed {
			err = firstError(err, checkpoint.use(kindWatch, options))
		}
		if ctx == nil {
			err = invalid("ctx", "must not be nil")
		}
		if err != nil {
			yield(nil, rejected(name, err))
			return
		}
		w.ctx = withoutResponse(ctx)
		w.state = checkpointData{Kind: kindWatch, Options: options}
		switch data := checkpoint.data; {
		case data.Kind == kindWatch:
			w.state = data
			w.state.Seen = slices.Clip(data.Seen) // the copies of the checkpoint share it
		case data.Kind == kindExport:
			w.state.High = data.Began
		case !o.Since.IsZero():
			w.state.High = o.Since.Unix() + watchOverlap // so that nothing before that second is reported
		}
		for wait := w.min; ; {
			yielded, goOn, err := w.poll(checkpoint, yield)
			if !goOn {
				return
			}
			cause := transport.ContextError(ctx)
			switch {
			case cause != nil:
				yield(nil, &Error{Op: name, Err: cause})
				return
			case err != nil && !isTemporary(err):
				yield(nil, err)
				return
			case err != nil && o.OnError != nil:
				o.OnError(err)
			case err == nil && o.UntilCurrent && !yielded:
				return
			case err == nil && o.UntilCurrent:
				wait = w.min
				continue
			}
			next := min(2*wait, w.max)
			if yielded {
				wait, next = w.min, w.min
			}
			if e, ok := errors.AsType[*Error](err); ok {
				wait = max(wait, e.RetryAfter)
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				yield(nil, &Error{Op: name, Err: transport.ContextError(ctx)})
				return
			}
			wait = next
		}
	}
}

func (o *WatchOptions) validate() error {
	switch {
	case o.MinInterval < 0:
		return notNegative("MinInterval", o.MinInterval)
	case o.MaxInterval < 0:
		return notNegative("MaxInterval", o.MaxInterval)
	case o.MaxInterval > 0 && o.MaxInterval < o.MinInterval:
		return invalid("MaxInterval", "must not be less than MinInterval")
	}
	return nil
}

// isTemporary reports whether a request may succeed later.
func isTemporary(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || errors.Is(err, ErrResponseTooLarge) {
		return false
	}
	switch status := e.StatusCode; {
	case status == 0, status/100 == 2, status >= http.StatusInternalServerError:
		return true
	default:
		return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests
	}
}

// watcher polls for changes. All times are in Unix time, by the server's clock.
type watcher struct {
	WatchOptions
	tickets  *TicketsService
	ctx      context.Context
	state    checkpointData
	lists    []TicketListOptions // that have all tickets together; nil until the first poll
	min, max time.Duration
}

// poll reads all changes and yields those that are new. On an error, the state is unchanged.
func (w *watcher) poll(checkpoint *Checkpoint, yield func(*Ticket, error) bool) (yielded, goOn bool, err error) {
	if w.lists == nil {
		if err := w.begin(); err != nil {
			return false, true, err
		}
	}
	latest := map[TicketID]*Ticket{}
	var first *listedPage
	newest := minSecond
	for _, list := range w.lists {
		page, err := w.read(list, latest)
		if err != nil {
			return false, true, err
		}
		if first == nil {
			first = page
		}
		if len(page.Tickets) > 0 {
			newest = max(newest, page.Tickets[0].LastActivityAt.Unix())
		}
	}
	// Without the minimum, one ticket dated in the future would hide all changes until then.
	high := max(w.state.High, min(newest, first.sent().Unix()))
	isNew := w.state.High == 0 // everything is old to a new watch
	if isNew {
		high = first.sent().Unix()
	}
	seen, reported := map[change]bool{}, map[int64]change{}
	for _, c := range w.state.Seen {
		seen[c] = true
		if !c.olderThan(reported[c[0]]) {
			reported[c[0]] = c
		}
	}
	var changed []*Ticket
	for _, t := range latest {
		switch c := changeOf(t); {
		case c.second() < w.state.High-watchOverlap, seen[c], c.olderThan(reported[c[0]]):
			// Old, or a read that is behind the one that was reported.
		case isNew && c.second() >= high-watchOverlap:
			w.state.Seen = append(w.state.Seen, c)
		case !isNew:
			changed = append(changed, t)
		}
	}
	slices.SortFunc(changed, func(a, b *Ticket) int {
		return cmp.Or(cmp.Compare(a.LastActivityAt.Unix(), b.LastActivityAt.Unix()), cmp.Compare(a.ID, b.ID))
	})
	for i, t := range changed {
		c := changeOf(t)
		next := w.state
		next.Seen = append(next.Seen, c)
		// Everything up to this second has been reported, but for the tickets of the same one.
		next.advance(min(c.second(), high))
		if !checkpoint.try(next, func() bool { return yield(t, nil) }) {
			return true, false, nil
		}
		w.state = next
		changed[i] = nil
		if w.ctx.Err() != nil {
			return true, true, nil // reported by the caller
		}
	}
	w.state.advance(high)
	checkpoint.data = w.state
	return len(changed) > 0, true, nil
}

// advance moves High to a second, unless it is there, and forgets what is older than the overlap.
func (d *checkpointData) advance(high int64) {
	if high <= d.High {
		return
	}
	d.High = high
	var kept []change
	for _, c := range d.Seen {
		if c.second() >= high-watchOverlap {
			kept = append(kept, c)
		}
	}
	d.Seen = kept
}

// begin finds out which lists have the tickets. Whether the server takes spam=true as "also" or as
// "only" is seen in the tickets of the combined list.
func (w *watcher) begin() error {
	combined := TicketListOptions{
		Archived: ArchivedAny, SortBy: SortByLastActivity, PerPage: maxPerPage, IncludeSpam: w.IncludeSpam, IncludeTrash: w.IncludeTrash,
	}
	w.lists = []TicketListOptions{combined}
	if !w.IncludeSpam && !w.IncludeTrash {
		return nil
	}
	page, err := w.tickets.list(w.ctx, combined)
	if err != nil {
		w.lists = nil
		return err
	}
	if slices.ContainsFunc(page.Tickets, func(t *Ticket) bool { return !t.Spam && !t.Trash }) {
		return nil
	}
	for _, flags := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		list := combined
		list.IncludeSpam, list.IncludeTrash = flags[0] && w.IncludeSpam, flags[1] && w.IncludeTrash
		if !slices.ContainsFunc(w.lists, func(l TicketListOptions) bool {
			return l.IncludeSpam == list.IncludeSpam && l.IncludeTrash == list.IncludeTrash
		}) {
			w.lists = append(w.lists, list)
		}
	}
	return nil
}

// read adds to latest the tickets of a list with activity since the overlap, and returns the first
// page.
func (w *watcher) read(list TicketListOptions, latest map[TicketID]*Ticket) (first *listedPage, err error) {
	isNew := w.state.High == 0
	oldest := w.state.High - watchOverlap
	if !isNew {
		list.Since = time.Unix(oldest-1, 0) // one more, in case the server excludes it
	}
	usesUntil, unchanged := true, 0
	for bottom, size := int64(0), 0; ; {
		page, err := w.tickets.list(w.ctx, list)
		if err != nil {
			return nil, onPage(err, list.Page)
		}
		if first == nil {
			first, size = page, max(page.listed, 1)
			if isNew {
				oldest = page.sent().Unix() - watchOverlap
			}
		}
		if !list.Until.IsZero() && len(page.Tickets) > 0 && page.Tickets[0].LastActivityAt.Unix() > list.Until.Unix()+1 {
			usesUntil, list.Until, list.Page = false, time.Time{}, 2 // the server ignores it
			continue
		}
		unchanged++
		for _, t := range page.Tickets {
			if old := latest[t.ID]; old == nil || !t.LastActivityAt.Before(old.LastActivityAt) {
				if latest[t.ID] = t; old == nil {
					unchanged = 0
				}
			}
		}
		if unchanged == maxUnchanged || page.listed == 0 || page.Total > 0 && (max(list.Page, 1)-1)*size+page.listed >= page.Total {
			return first, nil
		}
		if len(page.Tickets) > 0 {
			last := page.Tickets[len(page.Tickets)-1].LastActivityAt.Unix()
			if last < oldest {
				return first, nil
			}
			// A page that moves until by a second or less may be the same again.
			if usesUntil && (bottom == 0 || last < bottom-1) {
				bottom, list.Page = last, 0
				list.Until = time.Unix(last+1, 0)
				continue
			}
		}
		list.Page = max(list.Page, 1) + 1
	}
}
