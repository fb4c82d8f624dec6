package supportbee

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// ExportOptions configures [TicketsService.Export].
type ExportOptions struct {
	Since time.Time // only tickets created at this time or later
	Until time.Time // only tickets created at this time or earlier; default no limit

	// Prepare, if it is not nil, is called for each ticket before it is yielded, by up to Workers
	// goroutines, to fetch or to store what belongs to it. It is called again for tickets that
	// were not yielded before a restart. If it returns an error, the iterator yields the error in
	// place of the ticket and ends. A panic is passed on to the loop.
	Prepare func(ctx context.Context, ticket *Ticket) error

	Workers int // calls of Prepare at a time; default 4

	// Progress, if it is not nil, is called after each ticket. The total is an estimate.
	Progress func(done, total int)
}

func (o *ExportOptions) validate() error {
	switch {
	case o.Workers < 0:
		return notNegative("Workers", o.Workers)
	case !o.Since.IsZero() && !o.Until.IsZero() && o.Until.Before(o.Since):
		return invalid("Until", "must not be before Since")
	}
	return nil
}

// Export returns an iterator over all tickets, in any state, newest first by creation time. Each
// ticket that the server lists when the export begins, and still has when the iterator reaches its
// creation time, is yielded exactly once, however the list changes. Tickets created later may be
// left out; see [TicketsService.Watch] for them.
//
// The iterator resumes at *checkpoint. While the loop body runs, *checkpoint is the position after
// the ticket: store it when the ticket is processed. If the body breaks or panics, it is the
// position before the ticket. When the iterator has yielded all tickets, the export is complete:
// another iterator with the checkpoint yields no ticket. If checkpoint is nil, the iterator starts at
// the newest ticket.
//
// The iterator fetches one page ahead while the loop body runs, unless [WithPrefetch] is 0, and
// holds no more than a few pages. It ends after yielding an error. The error is [ErrIncomplete] if
// the server's lists are not as documented, so that tickets could be missed.
func (s *TicketsService) Export(ctx context.Context, checkpoint *Checkpoint, opts *ExportOptions) iter.Seq2[*Ticket, error] {
	const name = "Tickets.Export"
	o := valueOf(opts)
	return func(yield func(*Ticket, error) bool) {
		checkpoint := cmp.Or(checkpoint, new(Checkpoint)) // each iteration without one starts anew
		options := hashOptions(kindExport, o.Since, o.Until)
		err := firstError(o.validate(), checkpoint.use(kindExport, options))
		if ctx == nil {
			err = invalid("ctx", "must not be nil")
		}
		if err != nil {
			yield(nil, rejected(name, err))
			return
		}
		if checkpoint.data.Complete {
			if checkpoint.data.Unread {
				yield(nil, &Error{Op: name, Err: errUnread})
			}
			return
		}
		e := &exporter{ExportOptions: o, workers: cmp.Or(o.Workers, 4), batches: make(chan batch)}
		var cancel context.CancelFunc
		e.ctx, cancel = context.WithCancel(withoutResponse(ctx))
		defer e.running.Wait()
		defer cancel()
		w := newExportWalk(e.ctx, s, checkpoint.data, &o)
		w.state.Kind, w.state.Options = kindExport, options
		if s.client == nil || s.client.config.prefetch == 0 {
			e.next = w.next
		} else {
			e.running.Go(func() { e.walk(w) })
		}
		e.run(ctx, name, checkpoint, yield)
	}
}

var errUnread = fmt.Errorf("%w: tickets that cannot be read were left out", ErrIncomplete)

// batch is a number of tickets to yield, or an error.
type batch struct {
	tickets []*Ticket
	state   *checkpointData // with what was found out before them
	left    int             // tickets from the first of these on; 0 if unknown
	end     bool            // there are no more tickets
	err     error
}

// exporter prepares and yields the tickets of an exportWalk.
type exporter struct {
	ExportOptions
	workers int
	ctx     context.Context
	running sync.WaitGroup
	batches chan batch
	next    func() batch // in place of batches, if nothing is fetched ahead

	batch batch // of which tickets have not been prepared
	ended bool  // there are no batches after this one
	queue []prepared
}

type prepared struct {
	ticket *Ticket
	state  *checkpointData
	left   int              // tickets from this one on; 0 if unknown
	done   <-chan preparing // nil if there is nothing to prepare
}

// preparing is how a call of Prepare ended.
type preparing struct {
	err        error
	panicked   bool
	panicValue any
	exited     bool // whether it ended its goroutine, as testing.T.FailNow does
}

// walk sends the batches of a walk.
func (e *exporter) walk(w *exportWalk) {
	for {
		next := w.next()
		select {
		case e.batches <- next:
		case <-e.ctx.Done():
			return
		}
		if next.end || next.err != nil {
			return
		}
	}
}

// receive makes e.batch the next batch that is not empty, if there is one. If it must not wait, it
// may leave e.batch empty.
func (e *exporter) receive(wait bool) {
	for len(e.batch.tickets) == 0 && !e.ended {
		var next batch
		switch {
		case e.next != nil && !wait:
			return
		case e.next != nil:
			next = e.next()
		case wait:
			select {
			case next = <-e.batches:
			case <-e.ctx.Done():
				next.err = transport.ContextError(e.ctx)
			}
		default:
			select {
			case next = <-e.batches:
			default:
				return
			}
		}
		e.batch, e.ended = next, next.end || next.err != nil
	}
}

// fill starts to prepare the tickets that come next.
func (e *exporter) fill() {
	for len(e.queue) < e.workers {
		e.receive(len(e.queue) == 0)
		if len(e.batch.tickets) == 0 {
			return
		}
		p := prepared{ticket: e.batch.tickets[0], state: e.batch.state, left: e.batch.left}
		e.batch.tickets[0] = nil // not kept in memory
		e.batch.tickets = e.batch.tickets[1:]
		e.batch.left = max(e.batch.left-1, 0)
		if e.Prepare == nil {
			e.queue = append(e.queue, p)
			return // the others have nothing to wait for
		}
		done := make(chan preparing, 1)
		p.done = done
		e.running.Go(func() { e.prepare(p.ticket, done) })
		e.queue = append(e.queue, p)
	}
}

// prepare calls Prepare. A panic must not end the program: it belongs to the loop.
func (e *exporter) prepare(ticket *Ticket, done chan<- preparing) {
	end := preparing{exited: true}
	defer func() {
		if value := recover(); value != nil {
			end = preparing{panicked: true, panicValue: value}
		}
		done <- end
	}()
	end = preparing{err: e.Prepare(e.ctx, ticket)}
}

// run yields the tickets.
func (e *exporter) run(ctx context.Context, name string, checkpoint *Checkpoint, yield func(*Ticket, error) bool) {
	for {
		e.fill()
		if len(e.queue) == 0 {
			break
		}
		p := e.queue[0]
		e.queue = slices.Delete(e.queue, 0, 1)
		var end preparing
		if p.done != nil {
			select {
			case end = <-p.done:
			case <-ctx.Done():
			}
		}
		switch {
		case end.panicked:
			panic(end.panicValue)
		case end.exited:
			runtime.Goexit()
		}
		err := end.err
		if cause := transport.ContextError(ctx); cause != nil {
			err = &Error{Op: name, Err: cause}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		next := *p.state
		next.Second, next.Last = p.ticket.CreatedAt.Unix(), p.ticket.ID
		next.Done = checkpoint.data.Done + 1
		next.Total = max(checkpoint.data.Total, next.Done)
		if p.left > 0 {
			next.Total = checkpoint.data.Done + p.left
		}
		if !checkpoint.try(next, func() bool { return yield(p.ticket, nil) }) {
			return
		}
		if e.Progress != nil {
			e.Progress(next.Done, next.Total)
		}
	}
	last := e.batch
	if last.err != nil {
		if cause := transport.ContextError(ctx); cause != nil {
			last.err = &Error{Op: name, Err: cause}
		}
		yield(nil, last.err)
		return
	}
	final := *last.state
	final.Done, final.Total = checkpoint.data.Done, checkpoint.data.Done
	final.Second, final.Last, final.Complete = checkpoint.data.Second, checkpoint.data.Last, true
	checkpoint.data = final
	if final.Unread {
		yield(nil, &Error{Op: name, Err: errUnread})
	}
}

// exportWalk reads all tickets, newest first.
//
// Each request lists the tickets that were created until the second after one that has been
// reached. The page is one moment of the server. If it begins at or above this second and ends
// below it, the page has all of the second: nothing can have moved out of it unseen. Its last
// second may go on below the page, so this is where the next request begins. The second more makes
// it irrelevant whether the server takes until as inclusive.
type exportWalk struct {
	tickets *TicketsService
	ctx     context.Context
	opts    *ExportOptions
	state   checkpointData

	begun  bool              // there is a position, in state.Second and state.Last
	bottom map[TicketID]bool // listed at state.Second by the last pages; not kept over a restart
	lists  []TicketListOptions
}

const (
	maxLists = 8
	maxWalks = 60 // through the tickets of one second
	maxTries = 90 // to find the end of a second
)

// exportLists returns the lists that have all tickets together. One has them all, if the server
// takes its parameters as documented: spam and trash are included. If they are not, but selected
// only, or if archived tickets are not, each kind has a list of its own.
func exportLists(n int) []TicketListOptions {
	all := []TicketListOptions{{}}
	split := func(a, b func(*TicketListOptions)) {
		both := slices.Concat(all, all)
		for i := range both {
			if i < len(all) {
				a(&both[i])
			} else {
				b(&both[i])
			}
		}
		all = both
	}
	for i := range all {
		all[i].Archived, all[i].SortBy, all[i].PerPage = ArchivedAny, SortByCreationTime, maxPerPage
		all[i].IncludeSpam, all[i].IncludeTrash = true, true
	}
	if n > 1 {
		split(func(o *TicketListOptions) { o.IncludeSpam = false }, func(o *TicketListOptions) {})
		split(func(o *TicketListOptions) { o.IncludeTrash = false }, func(o *TicketListOptions) {})
	}
	if n == maxLists {
		split(func(o *TicketListOptions) { o.Archived = "" }, func(o *TicketListOptions) { o.Archived = ArchivedOnly })
	}
	return all
}

func newExportWalk(ctx context.Context, s *TicketsService, state checkpointData, opts *ExportOptions) *exportWalk {
	w := &exportWalk{tickets: s, ctx: ctx, opts: opts, state: state}
	w.begun = state.Second != 0 || state.Last != 0
	if !w.begun && !opts.Until.IsZero() {
		w.begun, w.state.Second = true, opts.Until.Unix()
	}
	if state.Lists > 0 {
		w.lists = exportLists(state.Lists)
	}
	return w
}

// selects reports whether the options select a ticket.
func (w *exportWalk) selects(t *Ticket) bool {
	return !t.CreatedAt.Before(w.opts.Since) && (w.opts.Until.IsZero() || !t.CreatedAt.After(w.opts.Until))
}

// incomplete returns the error of a server whose lists cannot be relied on.
func (w *exportWalk) incomplete(format string, args ...any) error {
	return &Error{Op: "Tickets.Export", Err: fmt.Errorf("%w: %s", ErrIncomplete, fmt.Sprintf(format, args...))}
}

// next returns the tickets of the next page.
func (w *exportWalk) next() batch {
	b, err := w.read()
	if err != nil {
		return batch{err: err}
	}
	return b
}

func (w *exportWalk) read() (batch, error) {
	if w.lists == nil {
		if err := w.begin(); err != nil {
			return batch{}, err
		}
	}
	found := map[TicketID]*Ticket{}
	floor, left, ended := minSecond, 0, true
	for pass := range min(len(w.lists), 2) { // the second finds what moved from list to list during the first
		for _, list := range w.lists {
			part, err := w.cross(list)
			if err != nil {
				return batch{}, err
			}
			for _, t := range part.tickets {
				found[t.ID] = t
			}
			if !part.ended {
				ended, floor = false, max(floor, part.tickets[len(part.tickets)-1].CreatedAt.Unix())
			}
			if pass == 0 {
				left += part.total
			}
		}
	}
	if err := w.checkBottom(found); err != nil {
		return batch{}, err
	}
	state := w.state
	b := batch{state: &state, left: left, end: ended}
	bottom := map[TicketID]bool{}
	for id, t := range found {
		second := t.CreatedAt.Unix()
		done := w.begun && (second > w.state.Second || second == w.state.Second && w.state.Last > 0 && t.ID >= w.state.Last)
		switch {
		case done:
			if b.left > 0 {
				b.left--
			}
		case !ended && second == floor:
			bottom[id] = true
		case !ended && second < floor: // other lists have not come this far
		case w.selects(t):
			b.tickets = append(b.tickets, t)
		case t.CreatedAt.Before(w.opts.Since):
			b.end = true
		}
	}
	if b.left < len(b.tickets) {
		b.left = 0 // there are no totals, or not correct ones
	}
	slices.SortFunc(b.tickets, func(x, y *Ticket) int {
		return cmp.Or(cmp.Compare(y.CreatedAt.Unix(), x.CreatedAt.Unix()), cmp.Compare(y.ID, x.ID))
	})
	w.begun, w.bottom = true, bottom
	w.state.Second, w.state.Last = floor, 0
	return b, nil
}

// begin finds out which lists have all tickets, and whether they are cut where until says.
func (w *exportWalk) begin() error {
	combined := exportLists(1)
	w.lists = combined
	first, err := w.page(combined[0], window{from: w.since(), to: w.until()})
	if err != nil {
		return err
	}
	if w.state.Began == 0 {
		w.state.Began = first.sent().Unix()
	}
	lists, err := w.checkKinds(first)
	if err != nil {
		return err
	}
	w.lists, w.state.Lists = exportLists(lists), lists
	if first.ended() {
		return nil
	}
	var active *Ticket // the one whose activity is the longest after its creation
	gap := func(t *Ticket) time.Duration { return t.LastActivityAt.Sub(t.CreatedAt) }
	for _, t := range first.Tickets {
		if gap(t) > 2*time.Second && (active == nil || gap(t) > gap(active)) {
			active = t
		}
	}
	if active == nil {
		return nil
	}
	listed, certain, err := w.hasTicket(active)
	if err == nil && !listed && certain {
		err = w.incomplete("the server does not compare until with the creation time: it leaves out ticket %d", active.ID)
	}
	return err
}

// checkKinds returns the number of lists that have all tickets together.
func (w *exportWalk) checkKinds(first *listedPage) (int, error) {
	kinds := []struct {
		is    func(*Ticket) bool
		list  TicketListOptions
		lists int // if the combined list does not have such tickets
	}{
		{func(t *Ticket) bool { return !t.Archived && !t.Spam && !t.Trash }, TicketListOptions{}, 4},
		{func(t *Ticket) bool { return t.Spam }, TicketListOptions{Archived: ArchivedAny, IncludeSpam: true}, 4},
		{func(t *Ticket) bool { return t.Trash }, TicketListOptions{Archived: ArchivedAny, IncludeTrash: true}, 4},
		{func(t *Ticket) bool { return t.Archived }, TicketListOptions{Archived: ArchivedOnly}, maxLists},
	}
	lists := 1
	for _, kind := range kinds {
		if slices.ContainsFunc(first.Tickets, kind.is) {
			continue
		}
		kind.list.SortBy, kind.list.PerPage = SortByCreationTime, 1
		sample, err := w.page(kind.list, window{from: w.since(), to: w.until()})
		if err != nil {
			return 0, err
		}
		if len(sample.Tickets) == 0 || !kind.is(sample.Tickets[0]) {
			continue
		}
		listed, _, err := w.hasTicket(sample.Tickets[0])
		if err != nil {
			return 0, err
		}
		if !listed {
			lists = max(lists, kind.lists)
		}
	}
	return lists, nil
}

// hasTicket reports whether the lists have a ticket where its creation time says. If the second has
// more tickets than a page, it turns pages, and is not certain if it finds nothing.
func (w *exportWalk) hasTicket(t *Ticket) (has, certain bool, err error) {
	second := t.CreatedAt.Unix()
	certain = true
	for _, list := range w.lists {
		for at := (window{from: w.since(), to: second + 1, page: 1}); ; at.page++ {
			page, err := w.page(list, at)
			if err != nil {
				return false, false, err
			}
			if slices.ContainsFunc(page.Tickets, func(other *Ticket) bool { return other.ID == t.ID }) {
				return true, true, nil
			}
			if n := len(page.Tickets); page.ended() || n > 0 && page.Tickets[n-1].CreatedAt.Unix() < second {
				break
			}
			certain = at.page == 1 && certain
		}
	}
	exists, err := w.exists(t.ID, second)
	return !exists, certain, err
}

// exists reports whether the server has a ticket that was created in the second.
func (w *exportWalk) exists(id TicketID, second int64) (bool, error) {
	t, err := w.tickets.Get(w.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && t.CreatedAt.Unix() == second, err
}

// checkBottom returns an error if tickets at the position are not found any more, though they
// exist.
func (w *exportWalk) checkBottom(found map[TicketID]*Ticket) error {
	if !w.begun {
		return nil
	}
	for id := range w.bottom {
		if found[id] != nil {
			return nil
		}
	}
	bottom := w.bottom
	if len(bottom) == 0 && w.state.Last > 0 && found[w.state.Last] == nil {
		bottom = map[TicketID]bool{w.state.Last: true} // the first page after a restart
	}
	checked := 0
	for id := range bottom {
		exists, err := w.exists(id, w.state.Second)
		if err != nil {
			return err
		}
		if exists {
			return w.incomplete("the list until %s leaves out ticket %d", format(w.state.Second+1), id)
		}
		if checked++; checked == 3 {
			break
		}
	}
	return nil
}

func format(second int64) string { return time.Unix(second, 0).UTC().Format(time.RFC3339) }

// window selects tickets by creation time. An end that is 0 is open.
type window struct {
	from, to int64
	page     int
	perPage  int
}

func (w *exportWalk) since() int64 {
	if w.opts.Since.IsZero() {
		return 0
	}
	return w.opts.Since.Unix() - 1 // one more, in case the server excludes it
}

func (w *exportWalk) until() int64 {
	if !w.begun {
		return 0
	}
	return w.state.Second + 1
}

// page fetches a page of a list and checks that it is one.
func (w *exportWalk) page(list TicketListOptions, at window) (*listedPage, error) {
	if at.from != 0 {
		list.Since = time.Unix(at.from, 0)
	}
	if at.to != 0 {
		list.Until = time.Unix(at.to, 0)
		if list.Until.Before(list.Since) {
			list.Since = list.Until
		}
	}
	list.Page, list.PerPage = at.page, cmp.Or(at.perPage, list.PerPage)
	page, err := w.tickets.list(w.ctx, list)
	if err != nil {
		return nil, onPage(err, at.page)
	}
	page.Tickets = slices.DeleteFunc(page.Tickets, func(t *Ticket) bool { return t.CreatedAt.IsZero() })
	if page.listed > len(page.Tickets) {
		w.state.Unread = true
	}
	for i, t := range page.Tickets {
		switch {
		case i > 0 && t.CreatedAt.Unix() > page.Tickets[i-1].CreatedAt.Unix():
			return nil, w.incomplete("the list is not in the order of creation at ticket %d", t.ID)
		case at.to != 0 && t.CreatedAt.Unix() > at.to+1:
			return nil, w.incomplete("the list until %s has ticket %d of %s", format(at.to), t.ID, format(t.CreatedAt.Unix()))
		case at.from != 0 && t.CreatedAt.Unix() < at.from-1:
			return nil, w.incomplete("the list since %s has ticket %d of %s", format(at.from), t.ID, format(t.CreatedAt.Unix()))
		}
	}
	return page, nil
}

// ended reports whether a first page is known to have the whole list.
func (p *listedPage) ended() bool { return p.listed == 0 || p.Total > 0 && p.listed >= p.Total }

// crossing is a part of a list that reaches from the position to below it, at one moment.
type crossing struct {
	tickets []*Ticket
	ended   bool // the list ends with them
	total   int  // of the list, from the position on; 0 if unknown
}

// below reports whether a ticket is older than the second of the position.
func (w *exportWalk) below(t *Ticket) bool { return !w.begun || t.CreatedAt.Unix() < w.state.Second }

// reaches reports whether the page ends below the position.
func (w *exportWalk) reaches(p *listedPage) bool {
	return len(p.Tickets) > 0 && w.below(p.Tickets[len(p.Tickets)-1])
}

// cross returns the part of a list from the position on.
func (w *exportWalk) cross(list TicketListOptions) (crossing, error) {
	at := window{from: w.since(), to: w.until()}
	for range maxWalks {
		page, err := w.page(list, at)
		switch {
		case err != nil:
			return crossing{}, err
		case page.ended() || w.reaches(page):
			return crossing{page.Tickets, page.ended(), page.Total}, nil
		case page.Total > 0:
			return w.crossCrowded(list, page)
		}
		at.page = 2
		second, err := w.page(list, at)
		if err != nil {
			return crossing{}, err
		}
		if second.listed > 0 {
			return w.crossCrowded(list, page)
		}
		// The list had no second page, unless it became shorter meanwhile. If the first is still
		// all above, there is nothing below it.
		at.page = 0
		if page, err = w.page(list, at); err != nil {
			return crossing{}, err
		}
		if !w.reaches(page) {
			return crossing{page.Tickets, true, 0}, nil
		}
	}
	return crossing{}, w.incomplete("the list until %s changes too fast", format(w.until()))
}

// crossCrowded is cross for a second with more tickets than the first page.
func (w *exportWalk) crossCrowded(list TicketListOptions, first *listedPage) (crossing, error) {
	crowd, err := w.collectSecond(list)
	if err != nil {
		return crossing{}, err
	}
	end, err := w.findEnd(list, len(crowd), first.listed)
	end.tickets, end.total = slices.Concat(crowd, end.tickets), first.Total
	return end, err
}

// collectSecond returns the tickets of a list that were created in the second of the position. In
// the window around it only deletions move tickets, towards the first page, so it is read from the
// last page to the first.
func (w *exportWalk) collectSecond(list TicketListOptions) ([]*Ticket, error) {
	var crowd []*Ticket
	seen := map[TicketID]bool{}
	unchanged := 0
	for range maxWalks {
		fresh, total, agree := 0, 0, true
		walked, twice := map[TicketID]bool{}, false
		read := func(number int) (int, error) {
			page, err := w.page(list, window{from: w.state.Second - 1, to: w.state.Second + 1, page: number})
			if err != nil {
				return 0, err
			}
			for _, t := range page.Tickets {
				twice = twice || number > 1 && walked[t.ID]
				if walked[t.ID] = true; seen[t.ID] {
					continue
				}
				seen[t.ID] = true
				if t.CreatedAt.Unix() == w.state.Second {
					fresh++
					crowd = append(crowd, t)
				}
			}
			if number == 1 && total == 0 {
				total = page.Total
			}
			agree = agree && total > 0 && page.Total == total
			return page.listed, nil
		}
		size, err := read(1)
		if err != nil {
			return nil, err
		}
		last := 1
		if size > 0 {
			last = (total + size - 1) / size
		}
		for n := size; total == 0 && n > 0; { // without a total, turn pages to the last one
			last++
			if n, err = read(last); err != nil {
				return nil, err
			}
		}
		clear(walked)
		for number := last; number >= 1; number-- {
			if _, err := read(number); err != nil {
				return nil, err
			}
		}
		if unchanged++; fresh > 0 {
			unchanged = 0
		}
		enough := 2
		if twice { // tickets of equal times may have no order, so that each walk misses some
			enough = 8
		}
		if agree && len(walked) == total || unchanged >= enough {
			return crowd, nil
		}
	}
	return nil, w.incomplete("the tickets of %s change too fast", format(w.state.Second))
}

// findEnd finds the page on which a list goes on below the position, which is after about n
// tickets.
func (w *exportWalk) findEnd(list TicketListOptions, n, size int) (crossing, error) {
	at := window{from: w.since(), to: w.until(), perPage: size, page: n/size + 1}
	above, under := 0, 0 // pages that are all above the position, and all below it
	for range maxTries {
		page, err := w.page(list, at)
		if err != nil {
			return crossing{}, err
		}
		ended := page.Total > 0 && (at.page-1)*at.perPage+page.listed >= page.Total
		switch {
		case page.listed == 0 && at.page == 1:
			return crossing{ended: true}, nil
		case len(page.Tickets) == 0 && at.page == 1:
			return crossing{}, w.incomplete("none of the tickets until %s can be read", format(w.until()))
		case len(page.Tickets) == 0 && above == at.page-1:
			at.page-- // see cross
			again, err := w.page(list, at)
			if err != nil {
				return crossing{}, err
			}
			if len(again.Tickets) > 0 && !w.reaches(again) {
				return crossing{tickets: again.Tickets, ended: true}, nil
			}
		case len(page.Tickets) == 0:
			at.page--
		case !w.reaches(page) && ended:
			return crossing{tickets: page.Tickets, ended: true}, nil
		case !w.reaches(page):
			above = at.page
			at.page++
		case at.page == 1 || !w.below(page.Tickets[0]):
			return crossing{tickets: page.Tickets, ended: ended}, nil
		default:
			under = at.page
			at.page--
		}
		if above > 0 && under == above+1 { // a page ends where the second ends
			if at.perPage--; at.perPage == 0 {
				break
			}
			at.page, above, under = n/at.perPage+1, 0, 0
		}
	}
	return crossing{}, w.incomplete("the end of %s cannot be found", format(w.state.Second))
}
