package supportbee_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// counting yields 1 to n, and then err unless it is nil.
func counting(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i+1, nil) {
				return
			}
		}
		if err != nil {
			yield(0, err)
		}
	}
}

// each yields the values of a slice.
func each[T any](values []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, value := range values {
			if !yield(value, nil) {
				return
			}
		}
	}
}

// A loop over All that archives the tickets misses many of them, since the pages move. It says so.
// ForEach archives them all, and no others.
func TestForEachArchives5000Of20000Tickets(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	desk.AddTickets(15_000)
	desk.AddLabel("old", "#000000") // on no ticket so far
	seed := supportbeetest.TicketSeed{Text: "Hello", Labels: []string{"old"}}
	var old []supportbee.TicketID
	for range 5_000 {
		old = append(old, desk.AddTicket(seed))
	}
	ctx, client := t.Context(), desk.Client()
	opts := &supportbee.TicketListOptions{Label: "old"}
	wasArchived := archived(desk)

	var naive error
	for ticket, err := range client.Tickets.All(ctx, opts) {
		if err != nil {
			naive = err
			break
		}
		require.NoError(t, client.Tickets.Archive(ctx, ticket.ID))
	}
	require.ErrorIs(t, naive, supportbee.ErrIncomplete)
	require.Less(t, len(archived(desk)), len(wasArchived)+5_000)
	for _, id := range old {
		if desk.Ticket(id).Archived {
			require.NoError(t, client.Tickets.Unarchive(ctx, id))
		}
	}
	require.True(t, slices.Equal(wasArchived, archived(desk)))

	// Faults that are retried change nothing.
	desk.Inject(supportbeetest.Match{Probability: 0.02, Seed: 1}, supportbeetest.Status(http.StatusBadGateway))
	client = client.With(supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 10, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}))
	var last atomic.Int64
	err := supportbee.ForEach(ctx, client.Tickets.All(ctx, opts), func(ctx context.Context, ticket *supportbee.Ticket) error {
		return client.Tickets.Archive(ctx, ticket.ID)
	}, &supportbee.ForEachOptions{Workers: 8, Progress: func(done, total int) {
		assert.Equal(t, 5_000, total)
		assert.EqualValues(t, done, last.Add(1))
	}})
	require.NoError(t, err)
	assert.EqualValues(t, 5_000, last.Load())
	want := slices.Concat(wasArchived, old)
	slices.Sort(want)
	assert.True(t, slices.Equal(want, archived(desk)), "exactly these")
}

// While the client pauses because of status 429, no worker sends anything.
func TestForEachKeepsToTheRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		desk.Inject(supportbeetest.Match{Op: "Tickets.Archive", Skip: 9, Times: 1}, supportbeetest.RateLimited("10"))
		begin := time.Now()
		var mu sync.Mutex
		var sent []time.Duration
		client := desk.Client(supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			mu.Lock()
			sent = append(sent, time.Since(begin))
			mu.Unlock()
			return desk.Transport().RoundTrip(req)
		})))
		err := supportbee.ForEach(t.Context(), each(desk.AddTickets(40)), func(ctx context.Context, id supportbee.TicketID) error {
			return client.Tickets.Archive(ctx, id)
		}, nil)
		require.NoError(t, err)
		assert.Len(t, sent, 41)
		for _, at := range sent {
			assert.True(t, at == 0 || at >= 10*time.Second, at)
		}
	})
}

func archived(desk *supportbeetest.Desk) []supportbee.TicketID {
	var ids []supportbee.TicketID
	for _, ticket := range desk.Tickets() {
		if ticket.Archived {
			ids = append(ids, ticket.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

func TestForEachChecksItsArguments(t *testing.T) {
	t.Parallel()
	f := func(context.Context, int) error { t.Error("called"); return nil }
	rejected := func(field, reason string) error {
		return &supportbee.ArgumentError{Op: "ForEach", Field: field, Reason: reason}
	}
	assert.Equal(t, rejected("ctx", "must not be nil"), supportbee.ForEach(nil, counting(1, nil), f, nil)) //nolint:staticcheck // that is the point
	assert.Equal(t, rejected("seq", "must not be nil"), supportbee.ForEach(t.Context(), nil, f, nil))
	assert.Equal(t, rejected("f", "must not be nil"), supportbee.ForEach[int](t.Context(), counting(1, nil), nil, nil))
	assert.Equal(t, rejected("Workers", "must not be negative, got -1"), supportbee.ForEach(t.Context(), counting(1, nil), f, &supportbee.ForEachOptions{Workers: -1}))
	assert.NoError(t, supportbee.ForEach(t.Context(), counting(0, nil), f, nil))
}

func TestForEachWorksConcurrently(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		opts *supportbee.ForEachOptions
		most int
	}{
		{name: "by default", most: 4},
		{name: "as given", opts: &supportbee.ForEachOptions{Workers: 2}, most: 2},
		{name: "with more workers than values", opts: &supportbee.ForEachOptions{Workers: 50}, most: 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				running, most := 0, 0
				var values []int
				err := supportbee.ForEach(t.Context(), counting(10, nil), func(_ context.Context, n int) error {
					mu.Lock()
					running++
					most = max(most, running)
					values = append(values, n)
					mu.Unlock()
					<-time.After(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
					return nil
				}, tt.opts)
				require.NoError(t, err)
				assert.Equal(t, tt.most, most)
				slices.Sort(values)
				assert.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, values)
			})
		})
	}
}

func TestForEachErrors(t *testing.T) {
	t.Parallel()
	three, five := errors.New("three"), errors.New("five")
	page := errors.New("page 2")
	incomplete := &supportbee.Error{Op: "Tickets.All", Err: supportbee.ErrIncomplete}
	tests := []struct {
		name  string
		list  error
		opts  supportbee.ForEachOptions
		fail  bool
		want  error
		calls []int
	}{
		{name: "none", calls: []int{1, 2, 3, 4, 5, 6}},
		{name: "the first stops", fail: true, want: three, calls: []int{1, 2, 3}},
		{name: "all are joined", opts: supportbee.ForEachOptions{ContinueOnError: true}, fail: true, want: errors.Join(three, five), calls: []int{1, 2, 3, 4, 5, 6}},
		{name: "the list fails", list: page, fail: true, want: page},
		{name: "the list is incomplete", list: incomplete, want: incomplete, calls: []int{1, 2, 3, 4, 5, 6}},
		{name: "the list is incomplete and a call fails", list: incomplete, fail: true, want: errors.Join(three, incomplete), calls: []int{1, 2, 3}},
		{
			name: "the list is incomplete and calls fail", list: incomplete, opts: supportbee.ForEachOptions{ContinueOnError: true}, fail: true,
			want: errors.Join(three, five, incomplete), calls: []int{1, 2, 3, 4, 5, 6},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var calls, progress []int
			tt.opts.Workers = 1
			tt.opts.Progress = func(done, total int) {
				assert.Equal(t, 6, total)
				progress = append(progress, done)
			}
			err := supportbee.ForEach(t.Context(), counting(6, tt.list), func(_ context.Context, n int) error {
				calls = append(calls, n)
				switch {
				case tt.fail && n == 3:
					return three
				case tt.fail && n == 5:
					return five
				}
				return nil
			}, &tt.opts)
			assert.Equal(t, tt.want, err)
			assert.Equal(t, tt.calls, calls)
			assert.Equal(t, tt.calls, progress)
		})
	}
}

// Errors are joined in the order of the values, whichever comes first.
func TestForEachJoinsErrorsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs := []error{errors.New("one"), errors.New("two"), errors.New("three")}
		err := supportbee.ForEach(t.Context(), counting(3, nil), func(_ context.Context, n int) error {
			<-time.After(time.Duration(10-n) * time.Second)
			return errs[n-1]
		}, &supportbee.ForEachOptions{ContinueOnError: true})
		assert.Equal(t, errors.Join(errs...), err)
	})
}

// An error begins no more calls, and waits for those that run without interrupting them.
func TestForEachWaitsForRunningCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		var calls, finished atomic.Int32
		err := supportbee.ForEach(t.Context(), counting(100, nil), func(ctx context.Context, n int) error {
			calls.Add(1)
			if n == 1 {
				return failed
			}
			<-time.After(time.Minute)
			assert.NoError(t, ctx.Err())
			finished.Add(1)
			return nil
		}, nil)
		assert.Equal(t, failed, err)
		assert.Equal(t, calls.Load()-1, finished.Load())
		assert.LessOrEqual(t, calls.Load(), int32(4))
	})
}

func TestForEachEndsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutting down")
	for _, continues := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		err := supportbee.ForEach(ctx, counting(10, nil), func(context.Context, int) error {
			if calls++; calls == 3 {
				cancel(cause)
			}
			return nil
		}, &supportbee.ForEachOptions{Workers: 1, ContinueOnError: continues})
		assert.ErrorIs(t, err, cause)
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 3, calls)

		// What was done to the end is no error.
		ctx, cancel = context.WithCancelCause(t.Context())
		assert.NoError(t, supportbee.ForEach(ctx, counting(1, nil), func(context.Context, int) error { cancel(cause); return nil }, nil))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	endless := func(yield func(int, error) bool) {
		for i := 0; yield(i, nil); i++ {
			if i == 1000 {
				cancel(cause)
			}
		}
	}
	err := supportbee.ForEach(ctx, endless, func(context.Context, int) error { t.Error("called"); return nil }, nil)
	assert.Equal(t, &supportbee.Error{Op: "ForEach", Err: fmt.Errorf("%w: %w", context.Canceled, cause)}, err)
}

// A panic reaches the caller when the other calls have returned.
func TestForEachPassesPanicsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which waits for all goroutines
		var running atomic.Int32
		assert.PanicsWithValue(t, "kettle", func() {
			_ = supportbee.ForEach(t.Context(), counting(100, nil), func(_ context.Context, n int) error {
				running.Add(1)
				defer running.Add(-1)
				if n == 2 {
					panic("kettle")
				}
				<-time.After(time.Second)
				return nil
			}, nil)
		})
		assert.Zero(t, running.Load())
		assert.PanicsWithValue(t, "progress", func() {
			_ = supportbee.ForEach(t.Context(), counting(9, nil), func(context.Context, int) error { return nil },
				&supportbee.ForEachOptions{Progress: func(int, int) { panic("progress") }})
		})
	})
}

// A call of FailNow in f ends the test, which would otherwise go on with values left out.
func TestForEachPassesTheEndOfAGoroutineOn(t *testing.T) {
	t.Parallel()
	returned, ended := false, make(chan struct{})
	go func() {
		defer close(ended)
		_ = supportbee.ForEach(t.Context(), counting(9, nil), func(context.Context, int) error { runtime.Goexit(); return nil }, nil)
		returned = true
	}()
	<-ended
	assert.False(t, returned)
}
