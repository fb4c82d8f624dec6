package supportbee_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/quirks"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// state is a state of a ticket that a watch reports.
type state struct {
	id                supportbee.TicketID
	at                time.Time
	replies, comments int
}

func stateOf(t *supportbee.Ticket) state {
	return state{t.ID, t.LastActivityAt, t.RepliesCount, t.CommentsCount}
}

// activity creates a ticket, or adds a reply or a comment to one.
func (d *busyDesk) activity() {
	switch d.random.IntN(3) {
	case 0:
		d.ids = append(d.ids, d.AddTicket(supportbeetest.TicketSeed{Subject: "new"}))
	case 1:
		d.AddCustomerReply(d.pick(), "Any news?")
	case 2:
		d.AddComment(d.pick(), d.admin, "None.")
	}
}

func TestWatchMissesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		quirks    quirks.Quirks
		skew      time.Duration
		perSecond int
	}{
		"plain":          {perSecond: 50},
		"clock ahead":    {skew: 10 * time.Minute, perSecond: 50},
		"clock behind":   {skew: -10 * time.Minute, perSecond: 50},
		"400 a second":   {perSecond: 400},
		"exclusive":      {quirks: quirks.Quirks{ExclusiveEnds: true}, perSecond: 50},
		"clamped":        {quirks: quirks.Quirks{MaxPerPage: 15}, perSecond: 50},
		"without totals": {quirks: quirks.Quirks{NoTotals: true}, perSecond: 50},
		"until ignored":  {quirks: quirks.Quirks{IgnoreUntil: true}, perSecond: 400},
		"unstable":       {quirks: quirks.Quirks{UnstableOrder: true}, perSecond: 50},
		"only":           {quirks: quirks.Quirks{OnlySpamTrash: true}, perSecond: 50},
		"stale":          {quirks: quirks.Quirks{Stale: 3 * time.Second}, perSecond: 50},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newBusyDesk(t, 5)
				d.Clock.Advance(test.skew)
				d.ids = d.AddTickets(200)
				d.AddTicket(supportbeetest.TicketSeed{CreatedAt: d.Clock.Now().AddDate(1, 0, 0)})
				d.ids = append(d.ids, d.AddTicket(supportbeetest.TicketSeed{Spam: true}))
				<-time.After(10 * time.Second)
				quirks.Apply(d.Desk, test.quirks)

				opts := &supportbee.WatchOptions{IncludeSpam: true, MinInterval: 200 * time.Millisecond, MaxInterval: time.Second}
				var checkpoint supportbee.Checkpoint
				seen := map[state]int{}
				last := map[supportbee.TicketID]state{}
				largest := 0
				// watch runs one process, which is killed after about the given time.
				watch := func(life time.Duration) {
					ctx, cancel := context.WithTimeout(t.Context(), life)
					defer cancel()
					for ticket, err := range d.Client().Tickets.Watch(ctx, &checkpoint, opts) {
						if err != nil {
							assert.ErrorIs(t, err, context.DeadlineExceeded)
							break
						}
						if d.kills.IntN(40) == 0 {
							break // killed before the ticket is processed
						}
						seen[stateOf(ticket)]++
						last[ticket.ID] = stateOf(ticket)
					}
					data, err := json.Marshal(checkpoint)
					require.NoError(t, err)
					largest = max(largest, len(data))
					checkpoint = supportbee.Checkpoint{}
					require.NoError(t, json.Unmarshal(data, &checkpoint))
				}
				watch(time.Second) // until it has begun
				before := map[supportbee.TicketID]state{}
				for _, ticket := range d.Tickets() {
					before[ticket.ID] = stateOf(ticket)
				}
				stop := d.run(test.perSecond, d.activity)
				changes := time.Duration(1000)
				if raceEnabled {
					changes = 300
				}
				changing := changes * time.Second / time.Duration(test.perSecond)
				for start := time.Now(); time.Since(start) < changing; {
					watch(2 * time.Second)
				}
				stop()
				for start := time.Now(); time.Since(start) < 15*time.Second; {
					watch(5 * time.Second)
				}
				missed, doubled := 0, 0
				for _, ticket := range d.Tickets() {
					if got := stateOf(ticket); got != before[ticket.ID] && got != last[ticket.ID] {
						missed++
					}
				}
				for _, n := range seen {
					doubled += n - 1
				}
				t.Logf("Watch %s: %d changes, %d events, missed %d, doubled %d, checkpoint at most %d bytes", name, d.changes.Load(), len(seen), missed, doubled, largest)
				assert.Zero(t, missed)
				assert.Zero(t, doubled)
				assert.Less(t, largest, 400*test.perSecond)
			})
		})
	}
}

func TestWatchContinuesAfterAnExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newBusyDesk(t, 6)
		d.ids = d.AddTickets(300)
		<-time.After(time.Minute)
		var checkpoint supportbee.Checkpoint
		for _, err := range d.Client().Tickets.Export(t.Context(), &checkpoint, nil) {
			require.NoError(t, err)
			if d.changes.Add(1) == 150 {
				d.AddCustomerReply(d.ids[7], "during the export")
			}
		}
		var got []supportbee.TicketID
		for ticket, err := range d.Client().Tickets.Watch(t.Context(), &checkpoint, nil) {
			require.NoError(t, err)
			if got = append(got, ticket.ID); len(got) == 1 {
				d.AddCustomerReply(d.ids[8], "after the export")
				continue
			}
			break
		}
		assert.Equal(t, []supportbee.TicketID{d.ids[7], d.ids[8]}, got)
	})
}

// The server's times have no fractions: a ticket of the second of Since may be later than Since.
func TestWatchSince(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	now := time.Now().Truncate(time.Second)
	var ids []supportbee.TicketID
	for i := range 4 {
		ids = append(ids, desk.AddTicket(supportbeetest.TicketSeed{CreatedAt: now.Add(time.Duration(i-10) * time.Second)}))
	}
	var got []supportbee.TicketID
	for ticket, err := range desk.Client().Tickets.Watch(t.Context(), nil, &supportbee.WatchOptions{Since: now.Add(-9*time.Second + time.Second/2)}) {
		require.NoError(t, err)
		if got = append(got, ticket.ID); len(got) == 3 {
			break
		}
	}
	assert.Equal(t, ids[1:], got)
}

func TestWatchUntilCurrent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
		ids := desk.AddTickets(3)
		<-time.After(time.Minute)
		var checkpoint supportbee.Checkpoint
		var failures []error
		opts := &supportbee.WatchOptions{UntilCurrent: true, OnError: func(err error) { failures = append(failures, err) }}
		run := func(each func(*supportbee.Ticket)) (got []supportbee.TicketID) {
			for ticket, err := range desk.Client(supportbee.WithoutRetry()).Tickets.Watch(t.Context(), &checkpoint, opts) {
				require.NoError(t, err)
				got = append(got, ticket.ID)
				each(ticket)
			}
			return got
		}
		nothing := func(*supportbee.Ticket) {}
		start := time.Now()
		assert.Empty(t, run(nothing), "a new watch begins here")
		assert.Empty(t, run(nothing))
		desk.AddCustomerReply(ids[0], "Any news?")
		desk.AddCustomerReply(ids[2], "None?")
		more := 0
		assert.Equal(t, []supportbee.TicketID{ids[0], ids[2], ids[1]}, run(func(*supportbee.Ticket) {
			if more++; more == 2 {
				desk.AddCustomerReply(ids[1], "While it runs.")
			}
		}))
		assert.Zero(t, time.Since(start))
		assert.Empty(t, run(nothing))

		desk.AddCustomerReply(ids[1], "Again.")
		desk.Inject(supportbeetest.Match{Times: 2}, supportbeetest.Status(http.StatusBadGateway))
		assert.Equal(t, []supportbee.TicketID{ids[1]}, run(nothing))
		assert.Len(t, failures, 2)
		assert.Equal(t, 15*time.Second, time.Since(start), "a failed poll proves nothing")
	})
}

func TestWatchRetriesTemporaryErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		<-time.After(time.Minute)
		client := desk.Client(supportbee.WithoutRetry())
		desk.Inject(supportbeetest.Match{Skip: 1, Times: 3}, supportbeetest.Status(http.StatusInternalServerError))
		desk.Inject(supportbeetest.Match{Skip: 2, Times: 1}, supportbeetest.Status(http.StatusForbidden))
		var retried []error
		opts := &supportbee.WatchOptions{OnError: func(err error) {
			retried = append(retried, err)
			desk.AddTicket(supportbeetest.TicketSeed{})
		}}
		start, yielded := time.Now(), 0
		var last error
		for _, err := range client.Tickets.Watch(t.Context(), nil, opts) {
			if last = err; err == nil {
				yielded++
			}
		}
		require.ErrorIs(t, last, supportbee.ErrAccessDenied)
		require.Len(t, retried, 3)
		assert.ErrorIs(t, retried[0], supportbee.ErrServer)
		assert.Equal(t, 3, yielded)
		// Polls at 0, 5, 15, 35 and 75 s, and 5 s later, since there were tickets.
		assert.Equal(t, 80*time.Second, time.Since(start))
		desk.AssertRequests(t, "Tickets.List", 6)
	})
}

func TestWatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Hour, func() { cancel(cause) })
		var errs []error
		for _, err := range desk.Client().Tickets.Watch(ctx, nil, nil) {
			errs = append(errs, err)
		}
		assert.Equal(t, []error{&supportbee.Error{Op: "Tickets.Watch", Err: fmt.Errorf("%w: %w", context.Canceled, cause)}}, errs)
		desk.AssertRequests(t, "Tickets.List", 63) // at 0, 5, 15 and 35 s, then each minute
	})
}

func TestJobsRejectOptions(t *testing.T) {
	t.Parallel()
	tickets := newClient(t).Tickets
	ctx, noon := t.Context(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for field, seq := range map[string]func(func(*supportbee.Ticket, error) bool){
		"Workers":     tickets.Export(ctx, nil, &supportbee.ExportOptions{Workers: -1}),
		"Until":       tickets.Export(ctx, nil, &supportbee.ExportOptions{Since: noon, Until: noon.Add(-1)}),
		"MinInterval": tickets.Watch(ctx, nil, &supportbee.WatchOptions{MinInterval: -1}),
		"MaxInterval": tickets.Watch(ctx, nil, &supportbee.WatchOptions{MinInterval: 2, MaxInterval: 1}),
		"ctx":         tickets.Watch(nil, nil, nil), //nolint:staticcheck // that is the test
	} {
		_, err := supportbee.Collect(seq)
		var e *supportbee.ArgumentError
		require.ErrorAs(t, err, &e, field)
		assert.Equal(t, field, e.Field)
	}
}
