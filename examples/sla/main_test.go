package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	mainEnv = "SLA_TEST_MAIN"
	day     = 24 * time.Hour
	comment = "days without activity: 14"
)

// TestMain makes the test binary the program if a test has started it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// lab is a help desk on a Monday at 09:00 in Berlin, and a receiver of alerts.
type lab struct {
	desk     *supportbeetest.Desk
	monday   time.Time
	alertURL string
	around   atomic.Pointer[func(handle func())] // called around each alert; may be nil

	mu     sync.Mutex
	alerts []string // keys
	bodies []string
}

func newLab(t *testing.T) *lab {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	l := &lab{desk: supportbeetest.New(t, supportbeetest.WithoutSeed()), monday: time.Date(2026, 11, 2, 9, 0, 0, 0, berlin)}
	l.desk.Clock.Set(l.monday)
	l.desk.AddLabel("overdue", "#FF0000")
	l.desk.AddLabel("urgent", "#FF8800")
	l.desk.AddLabel("slow", "#888888")
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var content struct{ Key string }
		if !assert.NoError(t, err) || !assert.NoError(t, json.Unmarshal(body, &content)) || !assert.Equal(t, content.Key, r.Header.Get("Idempotency-Key")) {
			return
		}
		handle := func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.alerts, l.bodies = append(l.alerts, content.Key), append(l.bodies, string(body))
		}
		if around := l.around.Load(); around != nil {
			(*around)(handle)
			return
		}
		handle()
	}))
	t.Cleanup(server.Close)
	l.alertURL = server.URL + "/secret"
	return l
}

// requireAlerts checks the alerts, each given as a ticket and the time since which its customer waits.
func (l *lab) requireAlerts(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	require.ElementsMatch(t, want, l.alerts)
}

func key(id supportbee.TicketID, since time.Time) string {
	return fmt.Sprintf("%d@%s", id, since.UTC().Format(time.RFC3339))
}

// sweeper returns a program without the memory of others.
func (l *lab) sweeper(t *testing.T) *sweeper {
	cfg, err := parseConfig(exampleConfig)
	require.NoError(t, err)
	retry := supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8, MinBackoff: time.Millisecond})
	cfg.Targets["slow"] = 100 * time.Hour
	s := newSweeper(l.desk.Client(retry), cfg)
	s.settle, s.alertURL = 50*time.Millisecond, l.alertURL
	return s
}

func (l *lab) sweep(t *testing.T) {
	t.Helper()
	require.NoError(t, l.sweeper(t).run(t.Context()))
}

func (l *lab) add(seed supportbeetest.TicketSeed) supportbee.TicketID {
	seed.Subject, seed.Text = "Herons", "They ate the goldfish."
	return l.desk.AddTicket(seed)
}

func (l *lab) agent() supportbee.UserID { return l.desk.User(supportbeetest.AdminEmail).ID }

func TestBreaches(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	plain, urgent := l.add(supportbeetest.TicketSeed{}), l.add(supportbeetest.TicketSeed{Labels: []string{"slow", "urgent"}})
	answered := l.add(supportbeetest.TicketSeed{Answered: true})
	first, second := key(urgent, l.monday), key(plain, l.monday)

	l.desk.Clock.Set(l.monday.Add(time.Hour)) // due now, and not late
	l.sweep(t)
	l.desk.AssertNoWrites(t)

	l.desk.Clock.Set(l.monday.Add(time.Hour + time.Second))
	for range 3 {
		l.sweep(t)
	}
	l.requireAlerts(t, first)
	assert.JSONEq(t, fmt.Sprintf(`{
		"key": %q, "ticket_id": %d, "waiting_since": "2026-11-02T08:00:00Z", "due": "2026-11-02T10:00:00+01:00",
		"text": "Ticket %[2]d was to be responded to by Monday 2026-11-02 10:00 CET."
	}`, first, urgent), l.bodies[0])
	l.desk.AssertLabels(t, urgent, "slow", "urgent", "overdue")
	l.desk.AssertLabels(t, plain)

	l.desk.Clock.Set(l.monday.Add(8 * time.Hour)) // when the plain ticket is due
	l.desk.AddReply(urgent, l.agent(), "They may.")
	l.sweep(t)
	l.desk.AssertLabels(t, urgent, "slow", "urgent")
	l.desk.AssertLabels(t, plain)

	reopened := l.monday.Add(day + 30*time.Minute)
	l.desk.Clock.Set(reopened)
	l.desk.AddCustomerReply(urgent, "They may not.")
	l.desk.Clock.Advance(10 * time.Minute)
	l.desk.AddCustomerReply(urgent, "Hello?") // does not begin the wait anew
	l.sweep(t)
	l.requireAlerts(t, first, second)
	l.desk.Clock.Advance(51 * time.Minute)
	l.sweep(t)
	l.sweep(t)
	l.requireAlerts(t, first, second, key(urgent, reopened))
	l.desk.AssertLabels(t, urgent, "slow", "urgent", "overdue")
	l.desk.AssertLabels(t, plain, "overdue")
	l.desk.AssertLabels(t, answered)

	// Between two runs, an agent responds and the customer writes again: that is not late.
	l.desk.AddReply(plain, l.agent(), "Sorry.")
	l.desk.AddCustomerReply(plain, "When?")
	// An agent archives a ticket, with and without a response.
	l.desk.AddReply(urgent, l.agent(), "Now.")
	require.NoError(t, l.desk.Client().Tickets.Archive(t.Context(), urgent))
	l.sweep(t)
	l.desk.AssertLabels(t, plain)
	l.desk.AssertLabels(t, urgent, "slow", "urgent")
	l.requireAlerts(t, first, second, key(urgent, reopened))
	assert.Empty(t, l.desk.Outbox())
}

func TestReplyThatLeavesTheTicketUnanswered(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	id := l.add(supportbeetest.TicketSeed{Labels: []string{"urgent"}})
	replied := l.monday.Add(30 * time.Minute)
	l.desk.Clock.Set(replied)
	l.desk.AddReply(id, l.agent(), "We are looking into it.")
	require.NoError(t, l.desk.Client().Tickets.MarkUnanswered(t.Context(), id))
	l.desk.Clock.Set(l.monday.Add(80 * time.Minute))
	l.sweep(t)
	l.requireAlerts(t)
	l.desk.Clock.Set(l.monday.Add(91 * time.Minute))
	l.sweep(t)
	l.requireAlerts(t, key(id, replied))
}

func TestArchive(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	idle := l.add(supportbeetest.TicketSeed{Answered: true})
	snoozed := l.add(supportbeetest.TicketSeed{Answered: true, SnoozedUntil: l.monday.Add(60 * day)})
	unanswered := l.add(supportbeetest.TicketSeed{})
	spam := l.add(supportbeetest.TicketSeed{Answered: true, Spam: true})
	commented := l.add(supportbeetest.TicketSeed{Answered: true})
	l.desk.Clock.Set(l.monday.Add(10 * day))
	l.desk.AddComment(commented, l.agent(), "The pond is frozen.")
	replied := l.add(supportbeetest.TicketSeed{Answered: true})
	requireArchived := func(want ...supportbee.TicketID) {
		t.Helper()
		l.sweep(t)
		var got []supportbee.TicketID
		for _, ticket := range l.desk.Tickets() {
			if ticket.Archived {
				got = append(got, ticket.ID)
				l.desk.AssertComments(t, ticket.ID, slices.Concat(map[bool][]string{true: {"pond"}}[ticket.ID == commented], []string{comment})...)
			}
		}
		require.ElementsMatch(t, want, got)
	}

	l.desk.Clock.Set(l.monday.Add(14*day - time.Second))
	requireArchived()
	l.desk.Clock.Set(l.monday.Add(14 * day))
	requireArchived(idle)
	requireArchived(idle)
	l.desk.AddCustomerReply(replied, "One more thing.")
	l.desk.Clock.Set(l.monday.Add(30 * day))
	requireArchived(idle, commented)
	l.desk.AssertComments(t, snoozed)
	l.desk.AssertComments(t, unanswered)
	l.desk.AssertComments(t, spam)
	l.desk.AssertComments(t, replied)
	assert.Empty(t, l.desk.Outbox())

	// What an agent unarchives is not archived again at once, though it moves no last activity.
	require.NoError(t, l.desk.Client().Tickets.Unarchive(t.Context(), idle))
	requireArchived(commented)
	l.desk.Clock.Set(l.monday.Add(44*day - time.Second))
	requireArchived(commented)
	l.desk.Clock.Set(l.monday.Add(44 * day))
	requireArchived(idle, commented)
}

func TestCommentWithoutArchive(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		later func(l *lab, id supportbee.TicketID)
		want  bool // whether the next run archives it
	}{
		{name: "killed", later: func(*lab, supportbee.TicketID) {}, want: true},
		{name: "and the next run is a day later", later: func(l *lab, _ supportbee.TicketID) { l.desk.Clock.Advance(day) }, want: true},
		{name: "and a comment", later: func(l *lab, id supportbee.TicketID) { l.desk.AddComment(id, l.agent(), comment) }},
		{name: "and a customer's reply", later: func(l *lab, id supportbee.TicketID) { l.desk.AddCustomerReply(id, "No!") }},
		{name: "and an agent's reply", later: func(l *lab, id supportbee.TicketID) { l.desk.AddReply(id, l.agent(), "No!") }},
		{name: "and a label", later: func(l *lab, id supportbee.TicketID) {
			_, err := l.desk.Client().Labels.Add(context.Background(), id, "urgent")
			if err != nil {
				panic(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			id := l.add(supportbeetest.TicketSeed{Answered: true})
			l.desk.Clock.Set(l.monday.Add(20 * day))
			ctx, kill := context.WithCancel(t.Context())
			l.desk.Inject(supportbeetest.Match{Op: "Tickets.Archive", Times: 1}, supportbeetest.Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				kill()
				panic(http.ErrAbortHandler)
			})))
			require.ErrorIs(t, l.sweeper(t).run(ctx), context.Canceled)
			l.desk.AssertComments(t, id, comment)
			test.later(l, id)
			l.desk.ClearHistory()

			l.sweep(t)

			assert.Equal(t, test.want, l.desk.Ticket(id).Archived)
			l.desk.AssertRequests(t, "Comments.Create", 0)
		})
	}
}

func TestCustomerWritesWhileTheTicketIsArchived(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Tickets.Audit", "Comments.Create", "Tickets.Archive"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			id := l.add(supportbeetest.TicketSeed{Answered: true})
			l.desk.Clock.Set(l.monday.Add(20 * day))
			l.desk.Inject(supportbeetest.Match{Op: op, Times: 1}, supportbeetest.Fault{Name: "reply", Wrap: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					l.desk.AddCustomerReply(id, "Wait!")
					next.ServeHTTP(w, r)
				})
			}})

			l.sweep(t)

			l.desk.AssertRequests(t, "Tickets.Archive", map[bool]int{true: 1}[op == "Tickets.Archive"])
			assert.True(t, l.desk.Ticket(id).Unanswered)
			assert.False(t, l.desk.Ticket(id).Archived)
		})
	}
}

func TestDryRunAndLimit(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for range 20 {
		l.add(supportbeetest.TicketSeed{Answered: true}) // which is listed before the late ones, or after them
		l.add(supportbeetest.TicketSeed{})
		l.add(supportbeetest.TicketSeed{Answered: true})
	}
	l.desk.Clock.Set(l.monday.Add(20 * day))
	l.desk.ClearHistory()
	var planned strings.Builder
	dry := l.sweeper(t)
	dry.max = 25
	dry.onlyPrint(&planned)
	require.NoError(t, dry.run(t.Context()))
	l.desk.AssertNoWrites(t)
	l.requireAlerts(t)
	assert.Equal(t, 20+2*5, strings.Count(planned.String(), "\n")) // labels, then comments and archives

	for run, want := range [][2]int{{15, 0}, {20, 10}, {20, 25}, {20, 40}, {20, 40}} {
		s := l.sweeper(t)
		s.max = 15
		require.NoError(t, s.run(t.Context()))
		var overdue, archived int
		for _, ticket := range l.desk.Tickets() {
			if len(ticket.Labels) > 0 {
				overdue++
			}
			if ticket.Archived {
				archived++
			}
		}
		assert.Equal(t, want, [2]int{overdue, archived}, "run %d", run)
		assert.EqualValues(t, 20, testutil.ToFloat64(s.overdue), "run %d", run)
	}
	assert.Len(t, l.alerts, 20)
}

func TestTicketsThatAreNotIdleDoNotCount(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	idle := l.add(supportbeetest.TicketSeed{Answered: true})
	for range 10 {
		l.add(supportbeetest.TicketSeed{Answered: true})
	}
	l.desk.Clock.Set(l.monday.Add(20 * day))
	for _, ticket := range l.desk.Tickets() {
		if ticket.ID != idle {
			l.desk.AddComment(ticket.ID, l.agent(), "The pond is frozen.")
		}
	}
	s := l.sweeper(t)
	s.max = 1
	require.NoError(t, s.run(t.Context()))
	assert.True(t, l.desk.Ticket(idle).Archived)
	l.desk.AssertRequests(t, "Tickets.Archive", 1)
}

func TestAlertFails(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	id := l.add(supportbeetest.TicketSeed{})
	l.desk.Clock.Set(l.monday.Add(2 * day))
	for _, test := range []struct {
		name, want string
		handler    http.HandlerFunc
	}{
		{name: "status", want: "status 503", handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }},
		{name: "redirect", want: "auto redirect is disabled", handler: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, l.alertURL, http.StatusFound) }},
		{name: "no response", want: "EOF", handler: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		server := httptest.NewServer(test.handler)
		s := l.sweeper(t)
		s.alertURL = server.URL + "/secret"
		err := s.run(t.Context())
		server.Close()
		require.ErrorContains(t, err, test.want, test.name)
		assert.NotContains(t, err.Error(), "secret")
		l.desk.AssertLabels(t, id)
	}
	s := l.sweeper(t)
	s.alertURL = "http://secret:a b/"
	assert.EqualError(t, s.run(t.Context()), fmt.Sprintf("alert of ticket %d: the URL is invalid", id))
	l.requireAlerts(t)
	l.sweep(t)
	l.requireAlerts(t, key(id, l.monday))
}

func TestNothingIsDoneWithoutTheLabel(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.add(supportbeetest.TicketSeed{})
	l.desk.Clock.Set(l.monday.Add(20 * day))
	s := l.sweeper(t)
	s.cfg.Label = "late"
	assert.EqualError(t, s.run(t.Context()), `the help desk has no label "late"`)
	l.desk.AssertNoWrites(t)
}

// A clean stop at any request loses nothing, and is never between an alert and its label.
func TestStoppedInChaos(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	w := l.addMany(40)
	for i, fault := range []supportbeetest.Fault{
		supportbeetest.HTMLPage(http.StatusBadGateway), supportbeetest.Status(http.StatusServiceUnavailable), supportbeetest.Drop(),
		supportbeetest.AfterHandling(supportbeetest.Drop()), supportbeetest.DropBody(), supportbeetest.Corrupt(), supportbeetest.RateLimited(""),
	} {
		l.desk.Inject(supportbeetest.Match{Probability: 0.01, Seed: uint64(i)}, fault)
	}
	var requests, stopAt atomic.Int64
	var stop atomic.Pointer[context.CancelFunc]
	l.desk.Inject(supportbeetest.Match{}, supportbeetest.Fault{Name: "stop", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == stopAt.Load() {
				(*stop.Load())()
			}
			next.ServeHTTP(rw, r)
		})
	}})
	random, stops := rand.New(rand.NewPCG(1, 2)), 0
	for run := 0; ; run++ {
		require.Less(t, run, 500)
		ctx, cancel := context.WithCancel(t.Context())
		stop.Store(&cancel)
		stopAt.Store(1 << 40)
		if stops < 30 {
			stopAt.Store(requests.Load() + 1 + random.Int64N(60))
		}
		s := l.sweeper(t)
		s.max = 10
		err := s.run(ctx)
		if ctx.Err() != nil {
			stops++
		}
		cancel()
		if err == nil && stops >= 30 && w.isDone(l) {
			break
		}
	}
	w.require(t, l)
	l.requireAlerts(t, w.keys...)
	t.Logf("%d requests", requests.Load())
}

// work is what a sweeper has to do, and what it must leave alone.
type work struct {
	late, idle, left []supportbee.TicketID
	keys             []string
}

func (l *lab) addMany(n int) (w work) {
	for range n {
		w.late = append(w.late, l.add(supportbeetest.TicketSeed{}))
		w.keys = append(w.keys, key(w.late[len(w.late)-1], l.monday))
		w.idle = append(w.idle, l.add(supportbeetest.TicketSeed{Answered: true}))
		w.left = append(w.left, l.add(supportbeetest.TicketSeed{Answered: true, SnoozedUntil: l.monday.Add(100 * day)}))
	}
	l.desk.Clock.Set(l.monday.Add(20 * day))
	for range n {
		w.left = append(w.left, l.add(supportbeetest.TicketSeed{}), l.add(supportbeetest.TicketSeed{Answered: true}))
	}
	return w
}

func (w work) isDone(l *lab) bool { return l.changed() == len(w.late)+len(w.idle) }

// changed returns how many tickets are labelled or archived.
func (l *lab) changed() (n int) {
	for _, ticket := range l.desk.Tickets() {
		if ticket.Archived || len(ticket.Labels) > 0 {
			n++
		}
	}
	return n
}

// require checks that all is done once, and nothing else.
func (w work) require(t *testing.T, l *lab) {
	t.Helper()
	for _, id := range w.late {
		l.desk.AssertLabels(t, id, "overdue")
		l.desk.AssertComments(t, id)
		assert.False(t, l.desk.Ticket(id).Archived)
	}
	for _, id := range w.idle {
		l.desk.AssertLabels(t, id)
		l.desk.AssertComments(t, id, comment)
		assert.True(t, l.desk.Ticket(id).Archived)
	}
	for _, id := range w.left {
		l.desk.AssertLabels(t, id)
		l.desk.AssertComments(t, id)
		assert.False(t, l.desk.Ticket(id).Archived)
	}
	assert.Empty(t, l.desk.Outbox())
}

// process starts the program in a process of its own.
func (l *lab) process(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	path := filepath.Join(t.TempDir(), "sla.yaml")
	require.NoError(t, os.WriteFile(path, exampleConfig, 0o600))
	cmd := exec.Command(os.Args[0], append([]string{"-config", path, "-settle", "100ms"}, args...)...)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), mainEnv+"=1", "SUPPORTBEE_BASE_URL="+l.desk.URL, "SUPPORTBEE_TOKEN="+l.desk.Token, "SLA_ALERT_URL="+l.alertURL)
	return cmd, out
}

// The process is killed before, during and after each kind of write. Only a kill between an alert
// and its label repeats an alert, and then with its key.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills, limit = 30, 8
	l := newLab(t)
	w := l.addMany(40)
	var writes, killAt atomic.Int64
	var killed atomic.Bool
	var kill atomic.Pointer[func()]
	around := func(handle func()) {
		at := writes.Add(1)
		if at != killAt.Load() {
			handle()
			return
		}
		mode := at % 3
		if mode == 0 {
			handle()
		}
		killed.Store(true)
		(*kill.Load())()
		if mode == 1 { // the request of a process that is no more
			handle()
		}
	}
	l.around.Store(&around)
	l.desk.Inject(supportbeetest.Match{Func: func(r *http.Request) bool { return r.Method != http.MethodGet }}, supportbeetest.Fault{Name: "kill", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			r = r.WithContext(context.WithoutCancel(r.Context()))
			around(func() { next.ServeHTTP(rw, r) })
		})
	}})
	random, done, stray := rand.New(rand.NewPCG(3, 4)), 0, 0
	for run := 0; done < kills || !w.isDone(l); run++ {
		require.Less(t, run, 300)
		killAt.Store(0)
		if done < kills {
			killAt.Store(writes.Load() + 1 + random.Int64N(4))
		}
		before := l.changed()
		cmd, out := l.process(t, "-apply", "-max", fmt.Sprint(limit))
		exited := make(chan struct{})
		kill.Store(new(func() {
			_ = cmd.Process.Kill()
			<-exited
		}))
		require.NoError(t, cmd.Start())
		err := cmd.Wait()
		close(exited)
		assert.LessOrEqual(t, l.changed()-before, limit+stray)
		stray = 0
		if killed.Swap(false) {
			done++
			stray = 1 // its request that may be carried out during the next run
		} else {
			require.NoError(t, err, out)
		}
	}
	w.require(t, l)
	l.mu.Lock()
	defer l.mu.Unlock()
	alerts := slices.Clone(l.alerts)
	slices.Sort(alerts)
	assert.LessOrEqual(t, len(alerts)-len(w.keys), kills)
	t.Logf("%d kills, %d writes, %d repeated alerts", done, writes.Load(), len(alerts)-len(w.keys))
	slices.Sort(w.keys)
	assert.Equal(t, w.keys, slices.Compact(alerts))
}

func TestProgram(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	late, idle := l.add(supportbeetest.TicketSeed{}), l.add(supportbeetest.TicketSeed{Answered: true})
	l.desk.Clock.Set(l.monday.Add(20 * day))

	cmd, out := l.process(t) // a dry run
	require.NoError(t, cmd.Run(), out)
	l.desk.AssertNoWrites(t)
	l.requireAlerts(t)
	for _, line := range []string{fmt.Sprintf("Labels.Add, POST /tickets/%d/labels/overdue", late), fmt.Sprintf("Comments.Create, POST /tickets/%d/comments", idle), fmt.Sprintf("Tickets.Archive, POST /tickets/%d/archive", idle)} {
		assert.Contains(t, out.String(), "not sent: "+line+"\n")
	}
	assert.NotContains(t, out.String(), "label added")
	assert.NotContains(t, out.String(), "archived")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	cmd, out = l.process(t, "-apply", "-every", "50ms", "-metrics", addr)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, l.desk.Wait(ctx, func() bool { return l.desk.Ticket(idle).Archived && len(l.desk.Ticket(late).Labels) == 1 }))
	get := func(path string) (string, error) {
		response, err := http.Get("http://" + addr + path)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK {
			return "", fmt.Errorf("status %d", response.StatusCode)
		}
		return string(body), err
	}
	health, err := get("/healthz")
	require.NoError(t, err)
	assert.Empty(t, health)
	require.Eventually(t, func() bool {
		metrics, err := get("/metrics")
		return err == nil && strings.Contains(metrics, "Tickets.Archive") &&
			strings.Contains(metrics, "sla_overdue_tickets 1\n") && strings.Contains(metrics, "\nservice_last_success_timestamp_seconds ") && strings.Contains(metrics, "http_client_request_duration")
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), out)
	for _, secret := range []string{l.desk.Token, supportbeetest.CustomerEmail, "secret", "goldfish", "Herons"} {
		assert.NotContains(t, out.String(), secret)
	}
	l.requireAlerts(t, key(late, l.monday))

	l.desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"error":"no such user eve@example.com"}`)
	})))
	cmd, out = l.process(t)
	require.Error(t, cmd.Run())
	assert.Contains(t, out.String(), "sla: supportbee: Tickets.List: GET /tickets (page 1): 422 Unprocessable Entity\n")
	assert.NotContains(t, out.String(), "eve@example.com")

	cmd, out = l.process(t, "-config", "missing.yaml")
	require.Error(t, cmd.Run())
	assert.Equal(t, "sla: open missing.yaml: no such file or directory\n", out.String())
}

func TestDemo(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	require.NoError(t, demo(t.Context(), &out))
	assert.Equal(t, 1, strings.Count(out.String(), "not sent: Labels.Add, POST"))
	assert.Equal(t, 5, strings.Count(out.String(), "\nsent: "))
	assert.Contains(t, out.String(), "/archive\n")
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"sla.yaml", "-max", "1"}, io.Discard), `unexpected argument "sla.yaml"`)
}

func TestHelpHoldsNoSecrets(t *testing.T) {
	t.Setenv("SLA_ALERT_URL", "https://example.com/hush")
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out), flag.ErrHelp)
	require.ErrorContains(t, run(t.Context(), []string{"-unknown"}, &out), "not defined")
	assert.Contains(t, out.String(), "SLA_ALERT_URL")
	assert.NotContains(t, out.String(), "hush")
}

func TestNegativeFlags(t *testing.T) {
	t.Parallel()
	assert.ErrorContains(t, run(t.Context(), []string{"-max=-1"}, io.Discard), `invalid value "-1" for flag -max`)

	l := newLab(t)
	cmd, out := l.process(t, "-every=-1m")
	require.Error(t, cmd.Run())
	assert.Equal(t, "sla: the interval is -1m0s, but must be positive\n", out.String())
	l.desk.AssertNoWrites(t)
}
