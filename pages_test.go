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
	page  func(number int) (status int, body string)
	delay time.Duration

	mu       sync.Mutex
	asked    []string // in the order in which they came
	inFlight int
	most     int
}

func (l *library) RoundTrip(req *http.Request) (*http.Response, error) {
	number, _ := strconv.Atoi(req.URL.Query().Get("page"))
	l.mu.Lock()
	l.asked = append(l.asked, req.URL.Query().Get("page")+"/"+req.URL.Query().Get("per_page"))
	l.inFlight++
	l.most = max(l.most, l.inFlight)
	status, body := l.page(number)
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
	return respond(req, status, body), nil
}

// pageOf is a page with the given tickets.
func pageOf(number, total int, ids ...int) (int, string) {
	var tickets []string
	for _, id := range ids {
		tickets = append(tickets, fmt.Sprintf(`{"id":%d}`, id))
	}
	return http.StatusOK, fmt.Sprintf(`{"total":9,"current_page":%d,"per_page":3,"total_pages":%d,"tickets":[%s]}`, number, total, strings.Join(tickets, ","))
}

func threes(n int) []int { return []int{3*n - 2, 3*n - 1, 3 * n} }

func ids(t *testing.T, seq iter.Seq2[*supportbee.Ticket, error]) []int {
	t.Helper()
	var list []int
	for ticket, err := range seq {
		require.NoError(t, err)
		list = append(list, int(ticket.ID))
	}
	return list
}

func TestWalks(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		page  func(number int) (int, string)
		opts  supportbee.TicketListOptions
		want  []int
		asked []string
	}{
		"in order": {
			page:  func(n int) (int, string) { return pageOf(n, 4, threes(n)...) },
			want:  []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
			asked: []string{"1/100", "2/100", "3/100", "4/100"},
		},
		"from a page on": {
			page: func(n int) (int, string) { return pageOf(n, 4, threes(n)...) },
			opts: supportbee.TicketListOptions{Page: 3, PerPage: 3}, want: []int{7, 8, 9, 10, 11, 12}, asked: []string{"3/3", "4/3"},
		},
		"none": {page: func(n int) (int, string) { return pageOf(n, 0) }, asked: []string{"1/100"}},
		"totals of 0 beside a ticket": {
			page: func(int) (int, string) {
				return http.StatusOK, `{"total":1,"current_page":1,"per_page":0,"total_pages":0,"tickets":[{"id":1}]}`
			},
			want: []int{1}, asked: []string{"1/100"},
		},
		"a page that is empty": {
			page: func(n int) (int, string) {
				if n == 3 {
					return pageOf(3, 1000)
				}
				return pageOf(n, 1000, threes(n)...)
			},
			want: []int{1, 2, 3, 4, 5, 6},
		},
		"a page that repeats": {
			page: func(n int) (int, string) { return pageOf(n, 1000, threes(min(n, 2))...) },
			want: []int{1, 2, 3, 4, 5, 6},
		},
		"a server that knows one page": {
			page: func(int) (int, string) { return pageOf(1, 1000, 1, 2, 3) }, want: []int{1, 2, 3},
		},
		"a server that knows one page, which changes": {
			page: func(n int) (int, string) { return pageOf(1, 1000, threes(n)...) }, want: []int{1, 2, 3},
		},
		"pages that shift": {
			page: func(n int) (int, string) {
				return pageOf(n, 3, map[int][]int{1: {9, 8, 7}, 2: {7, 6, 5}, 3: {6, 5, 4}}[n]...)
			},
			want:  []int{9, 8, 7, 6, 5, 4},
			asked: []string{"1/100", "2/100", "3/100"},
		},
		"a total that shrinks": {
			page: func(n int) (int, string) { return pageOf(n, 4-n, threes(n)...) },
			want: []int{1, 2, 3, 4, 5, 6},
		},
		"a null among the tickets": {
			page: func(int) (int, string) {
				return http.StatusOK, `{"current_page":1,"total_pages":1,"tickets":[null,{"id":1}]}`
			}, want: []int{1},
		},
	} {
		for prefetch := range 4 {
			synctest.Test(t, func(t *testing.T) {
				shelf := &library{page: tt.page, delay: time.Millisecond}
				client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
				before := tt.opts
				assert.Equal(t, tt.want, ids(t, client.Tickets.All(t.Context(), tt.opts)), "%s, %d ahead", name, prefetch)
				assert.Equal(t, before, tt.opts)
				if tt.asked != nil {
					slices.Sort(shelf.asked)
					assert.Equal(t, tt.asked, shelf.asked, "%s, %d ahead", name, prefetch)
				}
				assert.LessOrEqual(t, shelf.most, max(prefetch, 1))
				assert.LessOrEqual(t, len(shelf.asked), 4+prefetch, "a walk ends where nothing new comes")
				assert.Zero(t, shelf.inFlight)
			})
		}
	}
}

func TestSearchAllWalks(t *testing.T) {
	t.Parallel()
	client := newScript(t,
		exchange{"GET", "/tickets/search?page=1&per_page=100&query=a+b&spam=true", "", 200, `{"current_page":1,"total_pages":2,"tickets":[{"id":1}]}`, nil},
		exchange{"GET", "/tickets/search?page=2&per_page=100&query=a+b&spam=true", "", 200, `{"current_page":2,"total_pages":2,"tickets":[{"id":2}]}`, nil},
	)
	assert.Equal(t, []int{1, 2}, ids(t, client.Tickets.SearchAll(t.Context(), "a b", supportbee.TicketSearchOptions{Spam: true})))
	for _, err := range offline(t, "x").Tickets.SearchAll(t.Context(), "", supportbee.TicketSearchOptions{}) {
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	}
	for _, err := range offline(t, "x").Tickets.All(nil, supportbee.TicketListOptions{}) { //nolint:staticcheck // that is the point
		require.EqualError(t, err, "supportbee: Tickets.All: invalid argument: context is nil")
	}
}

// The next pages come while the caller works, no more than are allowed, and none too many.
func TestWalksFetchAhead(t *testing.T) {
	t.Parallel()
	for prefetch, want := range map[int]time.Duration{
		// Five pages of 1 s each, and 1 s of work on each.
		0: 10 * time.Second, 1: 6 * time.Second, 2: 6 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: func(n int) (int, string) { return pageOf(n, 5, n) }, delay: time.Second}
			client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
			start, got := time.Now(), 0
			for _, err := range client.Tickets.All(t.Context(), supportbee.TicketListOptions{}) {
				require.NoError(t, err)
				got++
				<-time.After(time.Second)
			}
			assert.Equal(t, 5, got)
			assert.Equal(t, want, time.Since(start))
			assert.Len(t, shelf.asked, 5)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		shelf := &library{page: func(n int) (int, string) { return pageOf(n, 9, n) }, delay: time.Second}
		start := time.Now()
		ids(t, newClient(t, supportbee.WithTransport(shelf)).Tickets.All(t.Context(), supportbee.TicketListOptions{}))
		assert.Equal(t, 5*time.Second, time.Since(start), "a quick caller waits for two at a time")
		assert.Equal(t, 2, shelf.most)
	})
}

// A bubble does not end while goroutines are left in it: these tests fail if a walk leaks one.
func TestWalksStopAtOnce(t *testing.T) {
	t.Parallel()
	endlessPages := func(n int) (int, string) { return pageOf(n, 1_000_000, threes(n)...) }
	synctest.Test(t, func(t *testing.T) {
		shelf := &library{page: endlessPages, delay: time.Second}
		client := newClient(t, supportbee.WithTransport(shelf))
		start := time.Now()
		for ticket, err := range client.Tickets.All(t.Context(), supportbee.TicketListOptions{}) {
			require.NoError(t, err)
			if ticket.ID == 2 {
				break
			}
		}
		assert.Equal(t, time.Second, time.Since(start), "break does not wait for the pages under way")
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
			for _, err := range client.Tickets.All(ctx, supportbee.TicketListOptions{}) {
				require.NoError(t, last, "an error is the last thing that is yielded")
				last = err
				<-time.After(work)
			}
			require.ErrorIs(t, last, context.DeadlineExceeded)
			assert.Zero(t, shelf.inFlight)
		})
	}
}

// A walk that fetches nothing ahead asks for a page only when its first ticket is wanted.
func TestWalksCanBeLazy(t *testing.T) {
	t.Parallel()
	for prefetch, most := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: func(n int) (int, string) { return pageOf(n, 9, threes(n)...) }}
			all := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch)).Tickets.All(t.Context(), supportbee.TicketListOptions{})
			assert.Empty(t, shelf.asked, "nothing before it is ranged over")
			for ticket, err := range all {
				require.NoError(t, err)
				synctest.Wait()
				if ticket.ID == 3 {
					break
				}
			}
			assert.Len(t, shelf.asked, most)
			tickets, err := supportbee.Collect(all, 3)
			require.NoError(t, err)
			assert.Len(t, tickets, 3, "it can be walked again, from the start")
			if prefetch == 0 {
				assert.Equal(t, []string{"1/100", "1/100"}, shelf.asked)
			}
		})
	}
}

func TestWalksRefuseWhatListRefuses(t *testing.T) {
	t.Parallel()
	tickets, err := supportbee.Collect(offline(t, "the-token").Tickets.All(t.Context(), supportbee.TicketListOptions{PerPage: 101}), 0)
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
	assert.Empty(t, tickets)
}

// A cancel counts at once, in the middle of a page that is there.
func TestACancelEndsTheWalkWithinAPage(t *testing.T) {
	t.Parallel()
	shelf := &library{page: func(n int) (int, string) { return pageOf(n, 1, threes(n)...) }}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []supportbee.TicketID
	var last error
	for ticket, err := range newClient(t, supportbee.WithTransport(shelf)).Tickets.All(ctx, supportbee.TicketListOptions{}) {
		if last = err; err == nil {
			got = append(got, ticket.ID)
		}
		cancel()
	}
	require.EqualError(t, last, "supportbee: Tickets.All: context canceled")
	require.ErrorIs(t, last, context.Canceled)
	assert.Equal(t, []supportbee.TicketID{1}, got)
}

func TestAnErrorEndsTheWalk(t *testing.T) {
	t.Parallel()
	for prefetch := range 3 {
		synctest.Test(t, func(t *testing.T) {
			shelf := &library{page: func(n int) (int, string) {
				if n == 3 {
					return http.StatusForbidden, ""
				}
				return pageOf(n, 9, threes(n)...)
			}}
			client := newClient(t, supportbee.WithTransport(shelf), supportbee.WithPrefetch(prefetch))
			tickets, err := supportbee.Collect(client.Tickets.All(t.Context(), supportbee.TicketListOptions{}), 0)
			require.ErrorIs(t, err, supportbee.ErrAccessDenied)
			assert.Len(t, tickets, 6)

			var got []int
			failures := 0
			for ticket, err := range client.Tickets.All(t.Context(), supportbee.TicketListOptions{}) { // again, from the first page
				if err != nil {
					assert.Nil(t, ticket)
					failures++
					continue
				}
				got = append(got, int(ticket.ID))
			}
			assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, got)
			assert.Equal(t, 1, failures, "it is yielded once, and nothing after it")
		})
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()
	pulled := 0
	numbers := func(yield func(int, error) bool) {
		for pulled = 1; ; pulled++ {
			if pulled == 6 {
				yield(0, errors.New("no more"))
				return
			}
			if !yield(pulled, nil) {
				return
			}
		}
	}
	got, err := supportbee.Collect(numbers, 3)
	require.NoError(t, err)
	assert.Equal(t, []int{1, 2, 3}, got)
	assert.Equal(t, 3, pulled)
	got, err = supportbee.Collect(numbers, 0)
	require.EqualError(t, err, "no more")
	assert.Equal(t, []int{1, 2, 3, 4, 5}, got)
	_, err = supportbee.Collect(numbers, -1)
	require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
}
