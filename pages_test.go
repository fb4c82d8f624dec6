package supportbee_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// library serves pages of tickets.
type library struct {
	page  func(number int) page
	delay time.Duration

	mu       sync.Mutex
	asked    []string // "page/per_page", in the order of arrival
	inFlight int
	most     int // requests in flight at once
}

// page is a page as a server sends it.
type page struct {
	status                     int // 200 if zero
	total, number, size, pages int // sent as they are, unless negative
	ids                        []int
}

func (p page) body() string {
	var members, tickets []string
	for _, id := range p.ids {
		tickets = append(tickets, fmt.Sprintf(`{"id":%d}`, id))
	}
	for _, m := range []struct {
		name  string
		value int
	}{{"total", p.total}, {"current_page", p.number}, {"per_page", p.size}, {"total_pages", p.pages}} {
		if m.value >= 0 {
			members = append(members, fmt.Sprintf("%q:%d", m.name, m.value))
		}
	}
	return "{" + strings.Join(append(members, `"tickets":[`+strings.Join(tickets, ",")+"]"), ",") + "}"
}

func (l *library) RoundTrip(req *http.Request) (*http.Response, error) {
	number, _ := strconv.Atoi(req.URL.Query().Get("page"))
	l.mu.Lock()
	l.asked = append(l.asked, req.URL.Query().Get("page")+"/"+req.URL.Query().Get("per_page"))
	l.inFlight++
	l.most = max(l.most, l.inFlight)
	p := l.page(number)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.inFlight--
		l.mu.Unlock()
	}()
	timer := time.NewTimer(l.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if p.status == 0 {
		p.status = http.StatusOK
	}
	return respond(req, p.status, p.body()), nil
}

// numbers returns the numbers from first to last.
func numbers(first, last int) []int {
	list := []int{}
	for n := first; n <= last; n++ {
		list = append(list, n)
	}
	return list
}

// pagesOf serves the tickets in pages of the given size, as a correct server does.
func pagesOf(size int, tickets []int) func(number int) page {
	return func(number int) page {
		from, to := min((number-1)*size, len(tickets)), min(number*size, len(tickets))
		return page{total: len(tickets), number: number, size: size, pages: (len(tickets) + size - 1) / size, ids: tickets[from:to]}
	}
}

// but changes the pages of a server.
func but(pages func(int) page, change func(number int, p *page)) func(int) page {
	return func(number int) page {
		p := pages(number)
		p.ids = slices.Clone(p.ids)
		change(number, &p)
		return p
	}
}

// Iterators end only when they are complete, or with an error.
func TestIterators(t *testing.T) {
	t.Parallel()
	ten := pagesOf(3, numbers(1, 10))
	nine := pagesOf(3, numbers(1, 9))
	for _, tt := range []struct {
		name  string
		page  func(number int) page
		opts  supportbee.TicketListOptions
		want  []int
		lost  string   // of ErrIncomplete; empty for none
		asked []string // sorted; nil for any
	}{
		{name: "none", page: pagesOf(3, nil), asked: []string{"1/100"}},
		{name: "short last page", page: ten, want: numbers(1, 10), asked: []string{"1/100", "2/100", "3/100", "4/100"}},
		{name: "full last page", page: nine, want: numbers(1, 9), asked: []string{"1/100", "2/100", "3/100", "4/100"}},
		{name: "from a page on", page: ten, opts: supportbee.TicketListOptions{Page: 3, PerPage: 3}, want: numbers(7, 10), asked: []string{"3/3", "4/3"}},
		{name: "from beyond the end", page: ten, opts: supportbee.TicketListOptions{Page: 9, PerPage: 3}, asked: []string{"9/3"}},
		{name: "the documented example", page: func(int) page { return page{total: 1, number: 1, ids: []int{1}} }, want: []int{1}, asked: []string{"1/100"}},
		{name: "no totals", page: but(ten, func(_ int, p *page) { p.total, p.pages, p.number, p.size = -1, -1, -1, 3 }), want: numbers(1, 10)},
		{name: "no total pages", page: but(ten, func(_ int, p *page) { p.pages = -1 }), want: numbers(1, 10)},
		{name: "total pages 0", page: but(ten, func(_ int, p *page) { p.pages = 0 }), want: numbers(1, 10)},
		{name: "total pages too low", page: but(ten, func(_ int, p *page) { p.pages = 2 }), want: numbers(1, 10)},
		{name: "total pages lower for a moment", page: but(ten, func(n int, p *page) { p.pages -= n % 2 * 3 }), want: numbers(1, 10)},
		{name: "total pages too high", page: but(ten, func(_ int, p *page) { p.pages = 5 }), want: numbers(1, 10)},
		{name: "total too low", page: but(ten, func(_ int, p *page) { p.total = 2 }), want: numbers(1, 10)},
		{name: "total too high", page: but(ten, func(_ int, p *page) { p.total = 11 }), want: numbers(1, 10), lost: "got 10 of 11 tickets"},
		{name: "total lower for a moment", page: but(ten, func(n int, p *page) { p.total -= n % 2 * 8 }), want: numbers(1, 10)},
		{name: "current page always 1", page: but(ten, func(_ int, p *page) { p.number = 1 }), want: numbers(1, 10)},
		{name: "current page from 0", page: but(ten, func(_ int, p *page) { p.number-- }), want: numbers(1, 10)},
		{name: "fewer than asked for", page: but(pagesOf(15, numbers(1, 40)), func(_ int, p *page) { p.size = 100 }), want: numbers(1, 40)},
		{name: "a page of new tickets came in between", page: but(nine, func(n int, p *page) {
			if n > 1 { // three new ones push all others to the next page
				p.total = 12
				p.ids = nine(n - 1).ids
			}
		}), want: numbers(1, 9), lost: "got 9 of 12 tickets"},
		{name: "single tickets pushed to the next page", page: but(pagesOf(1, numbers(1, 3)), func(n int, p *page) {
			p.total = 4
			if n > 1 {
				p.ids = pagesOf(1, numbers(1, 3))(n - 1).ids
			}
		}), opts: supportbee.TicketListOptions{PerPage: 1}, want: numbers(1, 3), lost: "got 3 of 4 tickets"},
		{name: "an empty page in the middle", page: but(ten, func(n int, p *page) {
			if n == 2 {
				p.ids = nil
			}
		}), want: []int{1, 2, 3, 7, 8, 9, 10}, lost: "got 7 of 10 tickets"},
		{name: "two pages that take turns", page: func(n int) page {
			return page{total: 1000, number: n, size: 3, pages: 334, ids: numbers(1+n%2*3, 3+n%2*3)}
		}, want: []int{4, 5, 6, 1, 2, 3}, lost: "got 6 of 1000 tickets"},
		{name: "the same page again and again", page: func(n int) page {
			return page{total: -1, number: n, size: 3, pages: -1, ids: []int{1, 2, 3}}
		}, want: []int{1, 2, 3}},
		{name: "tickets that leave meanwhile", page: func(n int) page { // two of three leave before each page
			return page{total: 11 - 2*n, number: n, size: 3, pages: 4 - n, ids: map[int][]int{1: {1, 2, 3}, 2: {6, 7, 8}}[n]}
		}, want: []int{1, 2, 3, 6, 7, 8}, lost: "got 6 of 9 tickets"},
		{name: "a ticket twice on a page", page: func(n int) page {
			return page{total: 2, number: n, size: 3, pages: 1, ids: []int{1, 1}}
		}, want: []int{1}, lost: "got 1 of 2 tickets"},
		{name: "a ticket that cannot be read", page: but(ten, func(_ int, p *page) {
			for i, id := range p.ids {
				if id == 5 {
					p.ids[i] = -5
				}
			}
		}), want: []int{1, 2, 3, 4, 6, 7, 8, 9, 10}},
	} {
		for prefetch := range 4 {
			synctest.Test(t, func(t *testing.T) {
				shelf := &library{page: tt.page, delay: time.Millisecond}
				client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
				opts := tt.opts
				tickets, err := supportbee.Collect(client.Tickets.All(t.Context(), &opts))
				assert.Equal(t, tt.want, idsOf(tickets), "%s, %d ahead", tt.name, prefetch)
				assert.Equal(t, tt.opts, opts, "the caller's options are not changed")
				if tt.lost == "" {
					require.NoError(t, err, "%s, %d ahead", tt.name, prefetch)
				} else {
					require.ErrorIs(t, err, supportbee.ErrIncomplete, "%s, %d ahead", tt.name, prefetch)
					require.ErrorContains(t, err, "supportbee: Tickets.All (page ")
					require.ErrorContains(t, err, ": incomplete list: "+tt.lost)
				}
				if tt.asked != nil {
					slices.Sort(shelf.asked)
					assert.Equal(t, tt.asked, shelf.asked, "%s, %d ahead", tt.name, prefetch)
				}
				assert.LessOrEqual(t, shelf.most, prefetch+1)
				assert.LessOrEqual(t, len(shelf.asked), 8+prefetch, "%s: it ends where nothing new comes", tt.name)
				assert.Zero(t, shelf.inFlight)
			})
		}
	}
}

func idsOf(tickets []*supportbee.Ticket) []int {
	var list []int
	for _, ticket := range tickets {
		list = append(list, int(ticket.ID))
	}
	return list
}

func collect(t *testing.T, seq iter.Seq2[*supportbee.Ticket, error]) []int {
	t.Helper()
	tickets, err := supportbee.Collect(seq)
	require.NoError(t, err)
	return idsOf(tickets)
}

func TestSearchAll(t *testing.T) {
	t.Parallel()
	client := newScript(t,
		exchange{method: "GET", uri: "/tickets/search?page=1&per_page=100&query=a+b&spam=true", status: 200, reply: `{"total":2,"per_page":1,"total_pages":2,"tickets":[{"id":1}]}`},
		exchange{method: "GET", uri: "/tickets/search?page=2&per_page=100&query=a+b&spam=true", status: 200, reply: `{"total":2,"per_page":2,"total_pages":2,"tickets":[{"id":2}]}`},
	)
	assert.Equal(t, []int{1, 2}, collect(t, client.Tickets.SearchAll(t.Context(), "a b", &supportbee.TicketSearchOptions{IncludeSpam: true})))
	for _, err := range offline(t, "x").Tickets.SearchAll(t.Context(), "", nil) {
		require.Equal(t, &supportbee.ArgumentError{Op: "Tickets.Search", Field: "query", Reason: "is required"}, err)
	}
	for _, err := range offline(t, "x").Tickets.All(nil, nil) { //nolint:staticcheck // that is the point
		require.EqualError(t, err, "supportbee: Tickets.All: invalid argument: ctx must not be nil")
	}
}

// The next pages are fetched while the loop body runs, no more than are allowed, and none too many.
func TestIteratorsFetchAhead(t *testing.T) {
	t.Parallel()
	five := but(pagesOf(2, numbers(1, 9)), func(_ int, p *page) { p.size = 2 })
	for prefetch, want := range map[int]time.Duration{
		// Five pages of 1 s each, and 1 s of work for each.
		0: 10 * time.Second, 1: 6 * time.Second, 2: 6 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: five, delay: time.Second}
			client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
			start, got := time.Now(), 0
			for ticket, err := range client.Tickets.All(t.Context(), nil) {
				require.NoError(t, err)
				if got++; ticket.ID%2 == 1 {
					<-time.After(time.Second)
				}
			}
			assert.Equal(t, 9, got)
			assert.Equal(t, want, time.Since(start))
			assert.Len(t, shelf.asked, 5)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		shelf := &library{page: pagesOf(2, numbers(1, 17)), delay: time.Second}
		start := time.Now()
		collect(t, newClient(t, supportbee.WithTransport(shelf)).Tickets.All(t.Context(), nil))
		assert.Equal(t, 4*time.Second, time.Since(start), "a quick caller waits for one, while two more are fetched")
		assert.Equal(t, 3, shelf.most)
	})
}

// A bubble does not end while goroutines are left in it: these tests fail if an iterator leaks one.
func TestIteratorsStopAtOnce(t *testing.T) {
	t.Parallel()
	endlessPages := pagesOf(3, numbers(1, 30_000))
	synctest.Test(t, func(t *testing.T) {
		shelf := &library{page: endlessPages, delay: time.Second}
		client := newClient(t, supportbee.WithTransport(shelf))
		start := time.Now()
		for ticket, err := range client.Tickets.All(t.Context(), nil) {
			require.NoError(t, err)
			if ticket.ID == 2 {
				break
			}
		}
		assert.Equal(t, time.Second, time.Since(start), "break does not wait for pages in flight")
		assert.Zero(t, shelf.inFlight)
		assert.LessOrEqual(t, len(shelf.asked), 3)
	})
	for _, work := range []time.Duration{0, time.Second} {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: endlessPages, delay: time.Second}
			client := newClient(t, supportbee.WithTransport(shelf))
			ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
			defer cancel()
			var last error
			for _, err := range client.Tickets.All(ctx, nil) {
				require.NoError(t, last, "an error is the last thing that is yielded")
				last = err
				<-time.After(work)
			}
			require.ErrorIs(t, last, context.DeadlineExceeded)
			assert.Zero(t, shelf.inFlight)
		})
	}
}

// Without prefetching, an iterator asks for a page only when its first ticket is needed.
func TestIteratorsCanBeLazy(t *testing.T) {
	t.Parallel()
	for prefetch, most := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: pagesOf(3, numbers(1, 27))}
			all := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch)).Tickets.All(t.Context(), nil)
			assert.Empty(t, shelf.asked, "nothing is requested before the loop")
			for range 2 { // it can be ranged over again, from the start
				shelf.asked = nil
				for ticket, err := range all {
					require.NoError(t, err)
					synctest.Wait()
					if ticket.ID == 3 {
						break
					}
				}
				assert.Len(t, shelf.asked, most)
				assert.Equal(t, "1/100", shelf.asked[0])
			}
		})
	}
}

// The same iterator can be ranged over by several goroutines.
func TestIteratorsAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	all := newClient(t, supportbee.WithTransport(&library{page: pagesOf(3, numbers(1, 20))})).Tickets.All(t.Context(), nil)
	var loops sync.WaitGroup
	for range 8 {
		loops.Go(func() {
			tickets, err := supportbee.Collect(all)
			assert.NoError(t, err)
			assert.Equal(t, numbers(1, 20), idsOf(tickets))
		})
	}
	loops.Wait()
}

func TestIteratorsRejectWhatListRejects(t *testing.T) {
	t.Parallel()
	for _, opts := range []supportbee.TicketListOptions{{PerPage: 101}, {PerPage: -1}, {Page: -1}} {
		tickets, err := supportbee.Collect(offline(t, "the-token").Tickets.All(t.Context(), &opts))
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		assert.Empty(t, tickets)
	}
}

// A canceled context ends the loop at once, in the middle of a page that has been fetched.
func TestACancelEndsTheLoopWithinAPage(t *testing.T) {
	t.Parallel()
	shelf := &library{page: pagesOf(3, numbers(1, 2))}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []supportbee.TicketID
	var last error
	for ticket, err := range newClient(t, supportbee.WithTransport(shelf)).Tickets.All(ctx, nil) {
		if last = err; err == nil {
			got = append(got, ticket.ID)
		}
		cancel()
	}
	require.EqualError(t, last, "supportbee: Tickets.All: context canceled")
	require.ErrorIs(t, last, context.Canceled)
	assert.Equal(t, []supportbee.TicketID{1}, got)
}

func TestAnErrorEndsTheLoop(t *testing.T) {
	t.Parallel()
	for prefetch := range 3 {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: but(pagesOf(3, numbers(1, 27)), func(n int, p *page) {
				if n == 3 {
					p.status = http.StatusForbidden
				}
			})}
			client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
			var got []int
			failures := 0
			for ticket, err := range client.Tickets.All(t.Context(), nil) {
				if err != nil {
					assert.Nil(t, ticket)
					require.ErrorIs(t, err, supportbee.ErrAccessDenied)
					require.EqualError(t, err, "supportbee: Tickets.List: GET /tickets (page 3): 403 Forbidden (request the-request)")
					failures++
					continue
				}
				got = append(got, int(ticket.ID))
			}
			assert.Equal(t, numbers(1, 6), got)
			assert.Equal(t, 1, failures, "it is yielded once, and nothing after it")
		})
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	seq := func(yield func(int, error) bool) {
		_ = yield(1, nil) && yield(2, nil) && yield(0, errors.New("no more")) && yield(3, nil)
	}
	got, err := supportbee.Collect(seq)
	require.EqualError(t, err, "no more")
	assert.Equal(t, []int{1, 2}, got)
	_, err = supportbee.Collect[int](nil)
	require.Equal(t, &supportbee.ArgumentError{Op: "Collect", Field: "seq", Reason: "must not be nil"}, err)
}
