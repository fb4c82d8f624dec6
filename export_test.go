package supportbee_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/quirks"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// busyDesk is a desk in memory on which tickets change all the time.
type busyDesk struct {
	*supportbeetest.Desk
	t       *testing.T
	random  *rand.Rand // of the changes
	kills   *rand.Rand // of the consumer
	changes atomic.Int64
	mu      sync.Mutex
	ids     []supportbee.TicketID
	deleted map[supportbee.TicketID]bool
	admin   supportbee.UserID
	pause   time.Duration // what the consumer takes for a ticket
}

// newBusyDesk returns a desk whose lists take 5 ms. It must be called in a bubble.
func newBusyDesk(t *testing.T, seed uint64) *busyDesk {
	t.Helper()
	d := &busyDesk{
		Desk: supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed()), t: t,
		random: rand.New(rand.NewPCG(seed, 1)), kills: rand.New(rand.NewPCG(seed, 2)), deleted: map[supportbee.TicketID]bool{},
	}
	d.admin = d.User(supportbeetest.AdminEmail).ID
	d.Inject(supportbeetest.Match{Op: "Tickets.List"}, supportbeetest.Delay(5*time.Millisecond))
	return d
}

// run calls change perSecond times a second until the returned function is called.
func (d *busyDesk) run(perSecond int, change func()) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				d.changes.Add(1)
				change()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		running.Wait()
	}
}

func (d *busyDesk) pick() supportbee.TicketID { return d.ids[d.random.IntN(len(d.ids))] }

// change creates, replies to, archives, trashes or deletes a ticket.
func (d *busyDesk) change() {
	ctx, client, id := d.t.Context(), d.Client(), d.pick()
	switch d.random.IntN(5) {
	case 0:
		d.ids = append(d.ids, d.AddTicket(supportbeetest.TicketSeed{Subject: "new"}))
	case 1:
		if !d.deleted[id] {
			d.AddCustomerReply(id, "Any news?")
		}
	case 2:
		_ = client.Tickets.Archive(ctx, id)
	case 3:
		_ = client.Tickets.Trash(ctx, id)
	case 4:
		if client.Tickets.Trash(ctx, id) == nil && client.Tickets.Delete(ctx, id) == nil {
			d.deleted[id] = true
		}
	}
}

// tally compares what was yielded with the tickets that existed all the time.
func (d *busyDesk) tally(before []supportbee.TicketID, yielded map[supportbee.TicketID]int) (missed, repeated int) {
	for _, id := range before {
		if yielded[id] == 0 && d.Ticket(id) != nil {
			missed++
		}
	}
	for _, n := range yielded {
		if n > 1 {
			repeated++
		}
	}
	return missed, repeated
}

// stored returns the checkpoint as another process reads it.
func stored(t *testing.T, checkpoint supportbee.Checkpoint) supportbee.Checkpoint {
	t.Helper()
	data, err := json.Marshal(checkpoint)
	require.NoError(t, err)
	require.Less(t, len(data), 264)
	var read supportbee.Checkpoint
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, checkpoint, read)
	return read
}

// export exports all tickets. The program is killed and started again at random points, of which
// there are about the given number.
func (d *busyDesk) export(kills int, opts *supportbee.ExportOptions) map[supportbee.TicketID]int {
	d.t.Helper()
	yielded := map[supportbee.TicketID]int{}
	var checkpoint supportbee.Checkpoint
	size := len(d.Tickets())
	for complete := false; !complete; {
		complete = true
		left := -1
		if kills > 0 {
			left = d.kills.IntN(2*size/kills + 1)
		}
		saved := checkpoint
		ctx, cancel := context.WithCancel(d.t.Context())
		for ticket, err := range d.Client().Tickets.Export(ctx, &checkpoint, opts) {
			if err != nil && errors.Is(err, context.Canceled) {
				complete = false
				break
			}
			require.NoError(d.t, err)
			if left == 0 { // killed before the ticket is processed
				complete = false
				if d.kills.IntN(2) == 0 {
					break
				}
				cancel() // killed after
			}
			left--
			yielded[ticket.ID]++
			saved = checkpoint
			<-time.After(d.pause)
		}
		cancel()
		if !complete {
			require.Equal(d.t, saved, checkpoint, "the position after the last processed ticket")
		}
		checkpoint = stored(d.t, checkpoint)
	}
	for _, err := range d.Client().Tickets.Export(d.t.Context(), &checkpoint, opts) {
		assert.Fail(d.t, "a complete export yields", err)
	}
	return yielded
}

func TestExportMissesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	n, kills := 20_000, 100
	if testing.Short() || raceEnabled {
		n, kills = 3_000, 50
	}
	synctest.Test(t, func(t *testing.T) {
		d := newBusyDesk(t, 1)
		d.pause = time.Millisecond
		d.ids = d.AddTickets(n)
		before := d.ids[:n:n]
		stop := d.run(20, d.change)
		yielded := d.export(kills, nil)
		stop()
		missed, repeated := d.tally(before, yielded)
		t.Logf("Export: %d tickets, %d changes, %d requests, %d kills: missed %d, repeated %d",
			n, d.changes.Swap(0), len(d.Requests("Tickets.List")), kills, missed, repeated)
		assert.Zero(t, missed)
		assert.Zero(t, repeated)

		before, yielded = slices.Clip(d.ids), map[supportbee.TicketID]int{}
		stop = d.run(50, d.change)
		for ticket, err := range d.Client().Tickets.All(t.Context(), &supportbee.TicketListOptions{
			Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true,
		}) {
			if err != nil {
				break
			}
			yielded[ticket.ID]++
			<-time.After(d.pause)
		}
		stop()
		missed, repeated = d.tally(before, yielded)
		t.Logf("All: %d tickets, %d changes: missed %d, repeated %d", len(before), d.changes.Load(), missed, repeated)
	})
}

// distributions are ways in which the creation times of tickets can lie.
func distributions(now time.Time) map[string]func(i int) time.Time {
	second := func(n int) time.Time { return now.Add(time.Duration(-n) * time.Second) }
	return map[string]func(i int) time.Time{
		"one second":        func(int) time.Time { return second(3600) },
		"two seconds":       func(i int) time.Time { return second(3600 + i%2) },
		"pages of a second": func(i int) time.Time { return second(i / 100) },
		"clusters": func(i int) time.Time {
			if i%3 == 0 {
				return second(1000)
			}
			return second(i)
		},
		"one each second": second,
		"sparse":          func(i int) time.Time { return second(i * i * 100) },
		"future":          func(i int) time.Time { return second(60*i - 3600) },
		"crowded future":  func(i int) time.Time { return second(-3600 - i%2) },
		"migrated long ago": func(i int) time.Time {
			if i < 250 {
				return time.Date(1970, 1, 1, 0, 0, i/200, 0, time.UTC)
			}
			return second(i)
		},
	}
}

func TestExportUnderEachQuirk(t *testing.T) {
	t.Parallel()
	for quirk, q := range map[string]quirks.Quirks{
		"none":                    {},
		"exclusive":               {ExclusiveEnds: true},
		"clamped":                 {MaxPerPage: 15},
		"without totals":          {NoTotals: true},
		"unstable":                {UnstableOrder: true},
		"only":                    {OnlySpamTrash: true},
		"exclusive, clamped":      {ExclusiveEnds: true, MaxPerPage: 15},
		"all":                     {ExclusiveEnds: true, MaxPerPage: 40, NoTotals: true, OnlySpamTrash: true},
		"unstable without totals": {NoTotals: true, UnstableOrder: true, MaxPerPage: 50},
	} {
		t.Run(quirk, func(t *testing.T) {
			t.Parallel()
			for name, created := range distributions(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) {
				synctest.Test(t, func(t *testing.T) {
					d := newBusyDesk(t, 2)
					quirks.Apply(d.Desk, q)
					const n = 160
					for i := range n {
						d.ids = append(d.ids, d.AddTicket(supportbeetest.TicketSeed{
							CreatedAt: created(i), Archived: i%4 == 0, Spam: i%9 == 0, Trash: i%10 == 0,
						}))
					}
					before := d.ids[:n:n]
					stop := d.run(20, d.change)
					yielded := d.export(2, nil)
					stop()
					missed, repeated := d.tally(before, yielded)
					assert.Zero(t, missed, name)
					assert.Zero(t, repeated, name)
					t.Logf("%s: %d requests, %d changes", name, len(d.Requests("Tickets.List")), d.changes.Load())
				})
			}
		})
	}
}

func TestExportEndsWithAnErrorWhereListsCannotBeTrusted(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]quirks.Quirks{
		"until ignored":       {IgnoreUntil: true},
		"until is activity":   {UntilByActivity: true},
		"pages of one ticket": {MaxPerPage: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newBusyDesk(t, 3)
				d.AddTickets(300)
				quirks.Apply(d.Desk, q)
				_, err := supportbee.Collect(d.Client().Tickets.Export(t.Context(), nil, nil))
				require.ErrorIs(t, err, supportbee.ErrIncomplete)
				var e *supportbee.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, "Tickets.Export", e.Op)
			})
		})
	}
}

func TestExportEndsWithAnErrorWhereNoTicketHasACreationTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			ticket := strings.ReplaceAll(ticketJSON(7), `"created_at":"2026-03-01T09:00:00Z",`, "")
			return respond(req, http.StatusOK, `{"total":9,"current_page":1,"per_page":1,"total_pages":9,"tickets":[`+ticket+`]}`), nil
		})))
		_, err := supportbee.Collect(client.Tickets.Export(t.Context(), nil, nil))
		require.ErrorIs(t, err, supportbee.ErrIncomplete)
		var e *supportbee.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "Tickets.Export", e.Op)
	})
}

func TestExportSelects(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var ids []supportbee.TicketID
	for i := range 5 {
		ids = append(ids, desk.AddTicket(supportbeetest.TicketSeed{CreatedAt: noon.Add(time.Duration(i) * time.Second)}))
	}
	for name, test := range map[string]struct {
		opts supportbee.ExportOptions
		want []supportbee.TicketID
	}{
		"all":   {want: []supportbee.TicketID{ids[4], ids[3], ids[2], ids[1], ids[0]}},
		"since": {opts: supportbee.ExportOptions{Since: noon.Add(3 * time.Second)}, want: []supportbee.TicketID{ids[4], ids[3]}},
		"until": {opts: supportbee.ExportOptions{Until: noon.Add(time.Second)}, want: []supportbee.TicketID{ids[1], ids[0]}},
		"both": {
			opts: supportbee.ExportOptions{Since: noon.Add(time.Second), Until: noon.Add(2500 * time.Millisecond)},
			want: []supportbee.TicketID{ids[2], ids[1]},
		},
		"none": {opts: supportbee.ExportOptions{Since: noon.AddDate(1, 0, 0)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []supportbee.TicketID
			for ticket, err := range desk.Client().Tickets.Export(t.Context(), nil, &test.opts) {
				require.NoError(t, err)
				got = append(got, ticket.ID)
			}
			assert.Equal(t, test.want, got)
		})
	}
}

func TestExportPreparesAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newBusyDesk(t, 4)
		d.ids = d.AddTickets(250)
		var running, most atomic.Int64
		preparedTimes := map[supportbee.TicketID]int{}
		broken := errors.New("broken")
		var fail atomic.Int64
		opts := &supportbee.ExportOptions{Workers: 7, Prepare: func(ctx context.Context, ticket *supportbee.Ticket) error {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			d.mu.Lock()
			preparedTimes[ticket.ID]++
			d.mu.Unlock()
			<-time.After(time.Second)
			if fail.Load() == int64(ticket.ID) {
				return broken
			}
			return ctx.Err()
		}}
		var totals []int
		opts.Progress = func(done, total int) {
			assert.LessOrEqual(t, done, total)
			totals = append(totals, total)
		}
		fail.Store(int64(d.ids[100]))
		var checkpoint supportbee.Checkpoint
		yielded := map[supportbee.TicketID]int{}
		walk := func() (err error) {
			for ticket, failed := range d.Client().Tickets.Export(t.Context(), &checkpoint, opts) {
				if failed != nil {
					err = failed
					continue
				}
				yielded[ticket.ID]++
			}
			return err
		}
		require.Equal(t, broken, walk())
		assert.Zero(t, running.Load(), "goroutines end before the iterator")
		assert.Zero(t, yielded[d.ids[100]])
		first := len(yielded)
		fail.Store(0)
		start := time.Now()
		require.NoError(t, walk())
		assert.Less(t, time.Since(start), time.Duration(250-first)*time.Second/6)
		assert.Equal(t, int64(7), most.Load())
		missed, repeated := d.tally(d.ids, yielded)
		assert.Zero(t, missed+repeated)
		assert.Len(t, preparedTimes, 250)
		assert.Equal(t, 250, totals[0])
		assert.Equal(t, 250, totals[len(totals)-1])
	})
}

// The program can recover from a panic where it runs the loop, and FailNow ends a test.
func TestExportPassesPanicsOfPrepareOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // which waits for all goroutines
		d := newBusyDesk(t, 4)
		d.AddTickets(9)
		tickets, err := supportbee.Collect(d.Client().Tickets.Export(t.Context(), nil, nil))
		require.NoError(t, err)
		yielded, returned := 0, false
		walk := func(prepare func()) {
			yielded, returned = 0, false
			opts := &supportbee.ExportOptions{Prepare: func(_ context.Context, ticket *supportbee.Ticket) error {
				if ticket.ID == tickets[2].ID {
					prepare()
				}
				return nil
			}}
			for _, err := range d.Client().Tickets.Export(t.Context(), nil, opts) {
				assert.NoError(t, err)
				yielded++
			}
			returned = true
		}
		assert.PanicsWithValue(t, "kettle", func() { walk(func() { panic("kettle") }) })
		assert.Equal(t, 2, yielded)

		ended := make(chan struct{})
		go func() {
			defer close(ended)
			walk(runtime.Goexit)
		}()
		<-ended
		assert.Equal(t, 2, yielded)
		assert.False(t, returned)
	})
}

// Without a checkpoint, every loop over the iterator is a new one.
func TestExportAndWatchWithoutACheckpointStartAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newBusyDesk(t, 4)
		d.AddTickets(3)
		client := d.Client()
		<-time.After(time.Minute)
		for name, seq := range map[string]iter.Seq2[*supportbee.Ticket, error]{
			"Export": client.Tickets.Export(t.Context(), nil, nil),
			"Watch":  client.Tickets.Watch(t.Context(), nil, &supportbee.WatchOptions{Since: time.Now().AddDate(-10, 0, 0), UntilCurrent: true}),
		} {
			for range 2 {
				tickets, err := supportbee.Collect(seq)
				require.NoError(t, err, name)
				assert.Len(t, tickets, 3, name)
			}
		}
	})
}

func TestExportRestoresTheCheckpointAfterAPanic(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	var checkpoint supportbee.Checkpoint
	assert.Panics(t, func() {
		for range desk.Client().Tickets.Export(t.Context(), &checkpoint, nil) {
			panic("in the body")
		}
	})
	assert.True(t, checkpoint.IsZero())
}

func TestCheckpointsOfOtherUses(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	ctx, tickets := t.Context(), desk.Client().Tickets
	var started, completed supportbee.Checkpoint
	for _, err := range tickets.Export(ctx, &started, nil) {
		require.NoError(t, err)
		completed = started
	}
	completed, started = started, completed
	watched := completed
	desk.AddTicket(supportbeetest.TicketSeed{}) // for the watch to yield
	ended, cancel := context.WithCancel(ctx)
	for _, err := range tickets.Watch(ended, &watched, &supportbee.WatchOptions{OnError: func(error) { cancel() }}) {
		if err == nil {
			cancel()
		}
	}
	cancel()
	for name, test := range map[string]struct {
		run  func(supportbee.Checkpoint) error
		with supportbee.Checkpoint
		want string
	}{
		"export of another period": {
			with: started,
			run: func(c supportbee.Checkpoint) error {
				_, err := supportbee.Collect(tickets.Export(ctx, &c, &supportbee.ExportOptions{Since: time.Unix(1, 0)}))
				return err
			},
			want: "must be used with the options that it was made with",
		},
		"export of a watch": {
			with: watched,
			run: func(c supportbee.Checkpoint) error {
				_, err := supportbee.Collect(tickets.Export(ctx, &c, nil))
				return err
			},
			want: "must be one of export, not of watch",
		},
		"watch of an unfinished export": {
			with: started,
			run: func(c supportbee.Checkpoint) error {
				_, err := supportbee.Collect(tickets.Watch(ctx, &c, nil))
				return err
			},
			want: "must be one of watch, not of export",
		},
		"watch of other tickets": {
			with: watched,
			run: func(c supportbee.Checkpoint) error {
				_, err := supportbee.Collect(tickets.Watch(ctx, &c, &supportbee.WatchOptions{IncludeSpam: true}))
				return err
			},
			want: "must be used with the options that it was made with",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e *supportbee.ArgumentError
			require.ErrorAs(t, test.run(test.with), &e)
			assert.Equal(t, []string{"checkpoint", test.want}, []string{e.Field, e.Reason})
		})
	}
}

func TestCheckpointJSON(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(supportbee.Checkpoint{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"v":1}`, string(data))
	for _, garbage := range []string{
		``, `{}`, `[]`, `7`, `{"v":2}`, `{"v":1,"kind":"other","options":"x"}`, `{"v":1,"kind":"export"}`, `{"v":1,"done":3}`,
		`{"v":1,"kind":"export","options":"x","done":-1}`, `{"v":1,"kind":"export","options":"x","seen":[]}`,
		`{"v":1,"kind":"export","options":"x","second":99999999999999}`, `{"v":1,"kind":"watch","options":"x","complete":true}`,
		`{"v":1,"kind":"watch","options":"x","seen":[[-1,2,3,4]]}`, `{"v":1,"more":1}`, `{"v":1} {"v":1}`,
	} {
		checkpoint := supportbee.Checkpoint{}
		assert.Error(t, json.Unmarshal([]byte(garbage), &checkpoint), garbage)
		assert.True(t, checkpoint.IsZero(), garbage)
	}
}

func FuzzCheckpoint(f *testing.F) {
	for _, seed := range []string{
		`{"v":1}`, `null`, `{"v":1,"kind":"watch","options":"x","high":7,"seen":[[1,7,0,2]]}`,
		`{"v":1,"kind":"export","options":"x","began":9,"second":7,"last":3,"done":1,"total":2,"lists":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var checkpoint, again supportbee.Checkpoint
		if checkpoint.UnmarshalJSON(data) != nil {
			assert.True(t, checkpoint.IsZero())
			return
		}
		first, err := json.Marshal(checkpoint)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(first, &again))
		second, err := json.Marshal(again)
		require.NoError(t, err)
		assert.Equal(t, string(first), string(second))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		client := newClient(t)
		for _, err := range client.Tickets.Export(ctx, &checkpoint, nil) {
			assert.Error(t, err)
		}
		for _, err := range client.Tickets.Watch(ctx, &again, nil) {
			assert.Error(t, err)
		}
	})
}

// ticketEachSecond is a server with a ticket each second, which it makes anew for each page.
type ticketEachSecond int

func (n ticketEachSecond) RoundTrip(req *http.Request) (*http.Response, error) {
	query, start := req.URL.Query(), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	last := int(n)
	if until, err := time.Parse(time.RFC3339, query.Get("until")); err == nil {
		last = min(last, int(until.Sub(start)/time.Second))
	}
	if query.Get("archived") == "true" {
		last = 0
	}
	perPage, _ := strconv.Atoi(query.Get("per_page"))
	var list []string
	for i := last; i > 0 && len(list) < perPage; i-- {
		at := start.Add(time.Duration(i) * time.Second).Format(time.RFC3339)
		list = append(list, strings.ReplaceAll(ticketJSON(i), "2026-03-01T09:00:00Z", at))
	}
	return respond(req, http.StatusOK, fmt.Sprintf(`{"total":%d,"current_page":1,"per_page":%d,"total_pages":%d,"tickets":[%s]}`,
		last, perPage, (last+perPage-1)/perPage, strings.Join(list, ","))), nil
}

// The memory is that of the walk and its pages, since a fresh transport makes each page.
func BenchmarkExport(b *testing.B) {
	const n = 20_000
	client := newClient(b, supportbee.WithTransport(ticketEachSecond(n)))
	var stats runtime.MemStats
	live := func() uint64 {
		runtime.GC()
		runtime.GC() // what pools hold is not live
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	if _, err := client.Tickets.List(b.Context(), &supportbee.TicketListOptions{PerPage: 1}); err != nil {
		b.Fatal(err) // what the first call sets up is not the walk's
	}
	start, most := live(), uint64(0)
	for b.Loop() {
		count := 0
		for _, err := range client.Tickets.Export(b.Context(), nil, nil) {
			if err != nil {
				b.Fatal(err)
			}
			if count++; count%1000 == 0 {
				most = max(most, live())
			}
		}
		if count != n {
			b.Fatal(count)
		}
	}
	b.ReportMetric(float64(int64(most-start))/(1<<20), "MiB-above-start")
}
