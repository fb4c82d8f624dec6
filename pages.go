package supportbee

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Collect returns all values of seq. If seq yields an error, Collect returns the values before it
// and the error. If seq is nil, Collect returns an [*ArgumentError].
//
//	tickets, err := supportbee.Collect(client.Tickets.All(ctx, nil))
func Collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	if seq == nil {
		return nil, rejected("Collect", invalid("seq", "must not be nil"))
	}
	var all []T
	for value, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, value)
	}
	return all, nil
}

// pageOf returns the page as callers see it.
func pageOf(page *listedPage, err error) (*TicketPage, error) {
	if err != nil {
		return nil, err
	}
	return &page.TicketPage, nil
}

// maxStale is the number of pages without a new ticket after which a list is given up.
const maxStale = 3

// allPages yields the tickets of all pages from first on, each once. Up to the client's prefetch
// pages are fetched beyond the one that the loop is at or waits for, but none beyond the last page
// that is known to exist. When the iterator ends, for whatever reason, its requests have ended.
//
// The service's totals cannot be trusted, nor can the size of a page: an iterator ends without a
// further request only at a page that is short, completes the total and is the last one.
// Otherwise it goes on while a full page, the total or the number of pages says that there is
// more, and yields [ErrIncomplete] if tickets are missing in the end.
func allPages(ctx context.Context, name string, c *Client, first, perPage int, fetch func(ctx context.Context, page, perPage int) (*listedPage, error)) iter.Seq2[*Ticket, error] {
	return func(yield func(*Ticket, error) bool) {
		if ctx == nil {
			yield(nil, rejected(name, invalid("ctx", "must not be nil")))
			return
		}
		w := walk{first: max(first, 1), perPage: perPage}
		if w.perPage == 0 {
			w.perPage = maxPerPage
		}
		if first < 0 {
			w.first = first // rejected by fetch
		}
		prefetch := 0
		if c != nil { // otherwise fetch rejects it
			prefetch = c.config.prefetch
		}
		pages := fetcher{fetch: fetch, prefetch: prefetch, next: w.first, perPage: w.perPage}
		var cancel context.CancelFunc
		pages.ctx, cancel = context.WithCancel(withoutResponse(ctx))
		defer pages.running.Wait()
		defer cancel()

		for number := w.first; ; number++ {
			page, err := pages.get(number)
			if err != nil {
				yield(nil, onPage(err, number))
				return
			}
			fresh, verdict := w.add(page, number)
			if verdict == more {
				pages.ahead(w.lastKnown)
			}
			for _, ticket := range fresh {
				if !yield(ticket, nil) {
					return
				}
				if err := ctx.Err(); err != nil {
					yield(nil, &Error{Op: name, Err: transport.ContextError(ctx)})
					return
				}
			}
			switch verdict {
			case complete:
				return
			case incomplete:
				yield(nil, &Error{Op: name, Page: number, Err: fmt.Errorf(
					"%w: got %d of %d tickets", ErrIncomplete, w.count, w.total)})
				return
			}
		}
	}
}

// onPage returns the error with the number of the page that could not be fetched.
func onPage(err error, number int) error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // as the client returns it
		numbered := *e
		numbered.Page = number
		return &numbered
	}
	return err
}

type verdict int

const (
	more verdict = iota
	complete
	incomplete
)

// walk is what the pages so far say.
type walk struct {
	first, perPage int
	seen           idSet
	count          int // distinct tickets, with those that cannot be read and those of skipped pages
	total          int // the largest total of all pages
	lastKnown      int // the last page that is known to exist
	stale          int // pages in a row without a new ticket
}

// add takes a page into account. It returns the tickets that are new, and what to do next.
func (w *walk) add(page *listedPage, number int) (fresh []*Ticket, next verdict) {
	if number == w.first {
		w.count = (w.first - 1) * w.perPage
	}
	unread := page.listed - len(page.Tickets) // what cannot be read counts as new
	fresh = slices.DeleteFunc(page.Tickets, func(t *Ticket) bool { return !w.seen.add(t.ID) })
	isNew := unread+len(fresh) > 0
	w.count += unread + len(fresh)
	w.total = max(w.total, page.Total)
	size := w.perPage
	if page.PerPage > 0 {
		size = min(size, page.PerPage) // the server sends fewer than were asked for
	}
	w.lastKnown = max(w.lastKnown, page.TotalPages, number)
	if w.total > 0 {
		w.lastKnown = max(w.lastKnown, (w.total+size-1)/size)
	}
	if isNew {
		w.stale = 0
	} else {
		w.stale++
	}
	short := page.listed < size
	end := short && number >= page.TotalPages && w.count >= w.total
	switch {
	case end:
		return fresh, complete
	case page.listed == 0 && number >= w.lastKnown, w.stale >= maxStale:
		if w.count >= w.total {
			return fresh, complete
		}
		return fresh, incomplete
	}
	return fresh, more
}

// fetcher fetches pages in order, some of them before they are needed.
type fetcher struct {
	ctx      context.Context
	fetch    func(ctx context.Context, page, perPage int) (*listedPage, error)
	prefetch int
	perPage  int
	next     int // the next page to start fetching
	last     int // the last page to fetch
	started  []<-chan fetched
	running  sync.WaitGroup
}

type fetched struct {
	page *listedPage
	err  error
}

// get returns a page, which must be the one after the last that it returned.
func (f *fetcher) get(number int) (*listedPage, error) {
	if len(f.started) > 0 {
		wanted := f.started[0]
		f.started = f.started[1:]
		f.ahead(f.last) // it is not ahead any more, so that another can be fetched while it is awaited
		got := <-wanted
		return got.page, got.err
	}
	f.next = number + 1
	return f.fetch(f.ctx, number, f.perPage)
}

// ahead starts fetching pages up to last.
func (f *fetcher) ahead(last int) {
	f.last = last
	for len(f.started) < f.prefetch && f.next <= last {
		number, done := f.next, make(chan fetched, 1)
		f.running.Go(func() {
			page, err := f.fetch(f.ctx, number, f.perPage)
			done <- fetched{page, err}
		})
		f.started = append(f.started, done)
		f.next++
	}
}

// idSet remembers IDs in little memory: one bit each where they are close together.
type idSet map[TicketID]uint64

// add reports whether the ID is new.
func (s *idSet) add(id TicketID) bool {
	if *s == nil {
		*s = idSet{}
	}
	word, bit := id>>6, uint64(1)<<(id&63)
	if (*s)[word]&bit != 0 {
		return false
	}
	(*s)[word] |= bit
	return true
}

// has reports whether the ID was added.
func (s idSet) has(id TicketID) bool { return s[id>>6]&(1<<(id&63)) != 0 }
