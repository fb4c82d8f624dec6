package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeequeue"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	secret     = "herons"
	channelID  = "C0TEST"
	mainEnv    = "WEBHOOKS_TEST_MAIN"
	waitAtMost = 90 * time.Second
)

// TestMain runs the program itself if a test has started it as a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const (
	postMessage = "/chat.postMessage"
	history     = "/conversations.history"
	pageSize    = 10
)

// fakeSlack is a Slack with one channel and the two methods that the receiver calls.
type fakeSlack struct {
	// called is called after each call, with the number of messages. If it returns false, there is
	// no response.
	called func(r *http.Request, n int) bool

	mu       sync.Mutex
	messages []slack.Message // newest first
}

func (s *fakeSlack) list() []slack.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

func (s *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response := map[string]any{"ok": true}
	switch r.URL.Path {
	case postMessage:
		var message slack.Message
		message.Text, message.Timestamp = r.FormValue("text"), strconv.FormatFloat(float64(time.Now().UnixMicro())/1e6, 'f', 6, 64)
		if err := json.Unmarshal([]byte(r.FormValue("metadata")), &message.Metadata); err != nil {
			response = map[string]any{"ok": false, "error": "invalid_metadata_format"}
			break
		}
		s.mu.Lock()
		s.messages = append([]slack.Message{message}, s.messages...)
		s.mu.Unlock()
	case history:
		messages := s.list()
		offset, _ := strconv.Atoi(r.FormValue("cursor"))
		response["messages"] = messages[min(offset, len(messages)):min(offset+pageSize, len(messages))]
		if offset+pageSize < len(messages) {
			response["has_more"], response["response_metadata"] = true, map[string]any{"next_cursor": strconv.Itoa(offset + pageSize)}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if s.called != nil && !s.called(r, len(s.list())) {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(response)
}

// lab is a help desk, whose events come twice, and a Slack.
type lab struct {
	desk     *supportbeetest.Desk
	channel  *fakeSlack
	slackURL string
	broken   atomic.Pointer[func(r *http.Request) int] // returns the status of a call to Slack that fails, or 0
	want     int                                       // messages
}

func newLab(t *testing.T, called func(r *http.Request, n int) bool) *lab {
	l := &lab{desk: supportbeetest.New(t, supportbeetest.WithoutSeed()), channel: &fakeSlack{called: called}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken := l.broken.Load(); broken != nil {
			if status := (*broken)(r); status != 0 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(status)
				return
			}
		}
		l.channel.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.slackURL = server.URL + "/"
	return l
}

// deliver sends each event to every receiver, and to a single one twice, at the same time. Each is
// sent again until it was accepted.
func (l *lab) deliver(t *testing.T, receivers ...string) {
	if len(receivers) == 1 {
		receivers = append(receivers, receivers[0])
	}
	var sending sync.WaitGroup
	t.Cleanup(sending.Wait)
	l.desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if !assert.NoError(t, err) {
			return
		}
		for i := range receivers {
			sending.Go(func() {
				for try := i; t.Context().Err() == nil; try++ { // the next time to the other one, as a load balancer does
					if status, err := post(t.Context(), receivers[try%len(receivers)], body); err == nil && status == http.StatusOK {
						return
					}
					<-time.After(50 * time.Millisecond)
				}
			})
		}
	})})
}

func post(ctx context.Context, receiver string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, receiver+"/webhook/"+secret, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// write adds tickets with a reply and a comment each: three events.
func (l *lab) write(tickets int) {
	admin := l.desk.User(supportbeetest.AdminEmail).ID
	for i := range tickets {
		id := l.desk.AddTicket(supportbeetest.TicketSeed{Subject: fmt.Sprintf("Heron %d", i), Text: "It ate the goldfish."})
		l.desk.AddCustomerReply(id, "All of them.")
		l.desk.AddComment(id, admin, "A net helps.")
	}
	l.want += 3 * tickets
}

// requireEachOnce waits until all messages are in the channel, and fails if one is there twice.
func (l *lab) requireEachOnce(t *testing.T, idle func() bool) {
	t.Helper()
	require.Eventually(t, func() bool { return len(l.channel.list()) >= l.want && idle() }, waitAtMost, 20*time.Millisecond)
	texts, keys := make(map[any]int), make(map[any]int)
	for _, message := range l.channel.list() {
		texts[message.Text]++
		keys[message.Metadata.EventPayload["key"]]++
	}
	for _, times := range []map[any]int{texts, keys} {
		assert.Len(t, times, l.want)
		for what, n := range times {
			assert.Equal(t, 1, n, what)
		}
	}
}

func (l *lab) config(t *testing.T) config {
	return config{
		addr: "127.0.0.1:0", queue: filepath.Join(t.TempDir(), "a queue?.db"), channel: channelID, secret: secret, timeout: 10 * time.Second, settle: time.Second, rate: math.MaxFloat64,
		desk: l.desk.Client(), slack: slack.New("xoxb-test", slack.OptionAPIURL(l.slackURL)), log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// start runs the receiver in this process until stop is called, which fails the test if it fails.
func (l *lab) start(t *testing.T, cfg config) (url string, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, cfg, func(_ context.Context, url string) error { ready <- url; return nil })
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	select {
	case url := <-ready:
		return url, stop
	case err := <-ended:
		require.NoError(t, err)
		panic("not reached")
	}
}

// process is the program in a process of its own.
type process struct {
	cmd                   *exec.Cmd
	url, metrics, healthz string
	stderr                bytes.Buffer
	exited                chan struct{}
}

func (l *lab) startProcess(t *testing.T, queue, addr, token string) *process {
	metrics := freeAddr(t)
	cmd := exec.Command(os.Args[0], "-addr", addr, "-metrics", metrics, "-queue", queue, "-settle", "3s", "-rate", "1e6")
	p := &process{cmd: cmd, url: "http://" + addr, metrics: "http://" + metrics + "/metrics", healthz: "http://" + metrics + "/healthz", exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.stderr, &p.stderr
	cmd.Env = append(os.Environ(), mainEnv+"=1", "SUPPORTBEE_BASE_URL="+l.desk.URL, "SUPPORTBEE_TOKEN="+l.desk.Token,
		"SLACK_API_URL="+l.slackURL, "SLACK_TOKEN="+token, "SLACK_CHANNEL="+channelID, "WEBHOOK_SECRET="+secret)
	require.NoError(t, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.exited
		if t.Failed() {
			t.Log(p.stderr.String())
		}
		assert.NotContains(t, p.stderr.String(), l.desk.Token)
		assert.NotContains(t, p.stderr.String(), token)
		assert.NotContains(t, p.stderr.String(), "eve@example.com")
	})
	return p
}

func (p *process) requireHealthy(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return get(t, p.healthz).status == http.StatusOK }, waitAtMost, 20*time.Millisecond)
}

type page struct {
	status int
	body   string
}

func get(t *testing.T, url string) page {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return page{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return page{status: response.StatusCode, body: string(body)}
}

// freeAddr returns an address that is free now.
func freeAddr(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestTheDemo(t *testing.T) {
	for _, name := range []string{"SUPPORTBEE_TOKEN", "SUPPORTBEE_COMPANY", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
	var out syncBuffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://127.0.0.1:")
	for _, part := range []string{
		`(?m)^\d\. \*ticket created\* <http://127\.0\.0\.1:\d+/tickets/(\d+)\|#\d+ The kettle leaks> by Eve Evans\n> My new kettle leaks\. Can I get a refund\?$`,
		`(?m)^\d\. \*comment created\* <.*\|#\d+ The kettle leaks> by Ben Bauer\n> The third leak this week\.$`,
		`(?m)^\d\. \*ticket created\* <.*\|#\d+ Hello &lt;!channel&gt;> by Max$`,
		`(?m)^10 deliveries, 5 messages$`,
	} {
		assert.Regexp(t, part, out.String())
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	cfg := l.config(t)
	texts := make(chan string)
	cfg.print, cfg.slack = func(text string) { texts <- text }, nil
	receiver, stop := l.start(t, cfg)
	l.deliver(t, receiver)
	l.write(1)
	var got []string
	for range l.want {
		got = append(got, <-texts)
	}
	stop()
	assert.Len(t, got, 3)
	assert.Contains(t, strings.Join(got, "\n"), " Heron 0> by eve@example.com\n> All of them.")
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(r *http.Request, n int) bool { return r.URL.Path != postMessage || n != 2 }) // the response is lost
	cfg := l.config(t)
	cfg.metrics = freeAddr(t)
	receiver, _ := l.start(t, cfg)
	l.deliver(t, receiver)
	l.write(2)
	l.requireEachOnce(t, func() bool {
		text := get(t, "http://"+cfg.metrics+"/metrics").body
		return strings.Contains(text, "webhooks_waiting 0\n") && strings.Contains(text, `result="repeated"} 6`)
	})
	assert.Equal(t, page{status: http.StatusOK, body: ""}, get(t, "http://"+cfg.metrics+"/healthz"))
	text := get(t, "http://"+cfg.metrics+"/metrics").body
	for _, line := range []string{
		`webhooks_events_total{result="stored"} 6`, `webhooks_events_total{result="repeated"} 6`,
		`webhooks_events_total{result="posted"} 5`, `webhooks_events_total{result="failed"} 1`, `webhooks_events_total{result="found"} 1`,
		`supportbee_client_operation_duration_seconds_count{`,
	} {
		assert.Contains(t, text, line)
	}
	assert.NotContains(t, text, "@")
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// Two machines behind a load balancer. Each event comes to both; one is killed while it posts.
func TestTwoMachinesAndPostgreSQL(t *testing.T) {
	t.Parallel()
	database, stopDatabase := startPostgreSQL(t)
	var first atomic.Pointer[process]
	var killed, searches atomic.Int64
	called := func(r *http.Request, n int) bool {
		if r.FormValue("include_all_metadata") == "1" {
			searches.Add(1)
		}
		if r.URL.Path == postMessage && n >= 10 && tokenOf(r) == "xoxb-first" && killed.CompareAndSwap(0, 1) {
			_ = first.Load().cmd.Process.Kill()
		}
		return tokenOf(r) != "xoxb-first" || killed.Load() == 0
	}
	l := newLab(t, called)
	first.Store(l.startProcess(t, database, freeAddr(t), "xoxb-first"))
	first.Load().requireHealthy(t)
	db, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer db.Close(context.Background())
	query := func(text string) (n int) {
		require.NoError(t, db.QueryRow(t.Context(), text).Scan(&n))
		return n
	}
	require.Eventually(t, func() bool { return query(`SELECT count(*) FROM river_leader`) == 1 }, waitAtMost, 20*time.Millisecond)
	second := l.startProcess(t, database, freeAddr(t), "xoxb-second")
	second.requireHealthy(t)

	l.deliver(t, first.Load().url, second.url)
	l.write(30)
	<-first.Load().exited
	if os.Getenv("WEBHOOKS_TEST_REAL_TIME") == "" {
		// As if the 15 seconds had passed after which another machine takes the place of the leader,
		// and the 40 seconds after which it takes over what the first one had begun.
		require.Eventually(t, func() bool { return len(l.channel.list()) >= l.want-4 }, waitAtMost, 20*time.Millisecond)
		_, err = db.Exec(t.Context(), `UPDATE river_job SET attempted_at = attempted_at - interval '1 minute' WHERE state = 'running'`)
		require.NoError(t, err)
		_, err = db.Exec(t.Context(), `UPDATE river_leader SET expires_at = now()`)
		require.NoError(t, err)
	}
	began := time.Now()
	l.requireEachOnce(t, func() bool { return query(`SELECT count(*) FROM river_job WHERE state <> 'completed'`) == 0 })
	t.Logf("the second machine had finished the work of the first one after %v", time.Since(began))
	assert.Equal(t, l.want, query(`SELECT count(*) FROM river_job`))
	assert.Positive(t, searches.Load(), "the message of the first machine was not searched for")
	for _, delivery := range l.desk.Deliveries() {
		status, err := post(t.Context(), second.url, delivery.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
	}
	assert.Equal(t, l.want, query(`SELECT count(*) FROM river_job`), "an event that comes again later")

	stopDatabase()
	require.Eventually(t, func() bool { return get(t, second.healthz).status == http.StatusServiceUnavailable }, waitAtMost, 20*time.Millisecond)
}

func TestEachEventOnceDespiteFaults(t *testing.T) {
	t.Parallel()
	called := func(r *http.Request, n int) bool { return r.URL.Path != postMessage || n%5 != 0 } // the response is lost
	l := newLab(t, called)
	l.desk.InjectChaos(0.05, 7)
	var calls atomic.Int64
	broken := func(r *http.Request) int {
		if r.URL.Path == postMessage {
			switch n := calls.Add(1); {
			case n%19 == 0:
				return http.StatusTooManyRequests
			case n%17 == 0:
				return http.StatusBadGateway
			}
		}
		return 0
	}
	l.broken.Store(&broken)
	cfg := l.config(t)
	cfg.metrics = freeAddr(t)
	receiver, stop := l.start(t, cfg)
	l.deliver(t, receiver)
	l.write(20)
	l.requireEachOnce(t, func() bool {
		return strings.Contains(get(t, "http://"+cfg.metrics+"/metrics").body, "webhooks_waiting 0\n")
	})
	stop()
	assert.Equal(t, 0, countWaiting(t, cfg.queue))
}

// countWaiting reads the file of a queue that is closed.
func countWaiting(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(file))
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(`SELECT count(*) FROM items WHERE due IS NOT NULL`).Scan(&n))
	return n
}

// The worst moment for the process to die: the message is in the channel, and nothing here says so.
func TestEachEventOnceAlthoughTheProcessIsKilledWhilePosting(t *testing.T) {
	t.Parallel()
	addr, queue := freeAddr(t), filepath.Join(t.TempDir(), "webhooks.db")
	var running atomic.Pointer[process]
	var stops atomic.Int64
	called := func(r *http.Request, n int) bool {
		if r.URL.Path != postMessage || n%7 != 0 {
			return true
		}
		sig := syscall.SIGKILL
		if stops.Add(1)%4 == 0 {
			sig = syscall.SIGTERM // ends well
		}
		_ = running.Load().cmd.Process.Signal(sig)
		return sig == syscall.SIGTERM
	}
	l := newLab(t, called)
	running.Store(l.startProcess(t, queue, addr, "xoxb-secret"))
	l.deliver(t, "http://"+addr)
	l.write(20)
	deadline, restarts := time.After(waitAtMost), 0
	for done := false; !done; {
		select {
		case <-running.Load().exited:
			running.Store(l.startProcess(t, queue, addr, "xoxb-secret"))
			restarts++
		case <-time.After(20 * time.Millisecond):
			done = len(l.channel.list()) >= l.want && strings.Contains(get(t, running.Load().metrics).body, "webhooks_waiting 0\n")
		case <-deadline:
			require.FailNow(t, "messages are missing", "%d of %d", len(l.channel.list()), l.want)
		}
	}
	require.NoError(t, running.Load().cmd.Process.Signal(syscall.SIGTERM))
	<-running.Load().exited
	assert.Equal(t, 0, running.Load().cmd.ProcessState.ExitCode())
	l.requireEachOnce(t, func() bool { return true })
	assert.GreaterOrEqual(t, restarts, 5)
	assert.Equal(t, 0, countWaiting(t, queue))
}

func TestEventsAreAcceptedUnderLoadWhileNothingElseWorks(t *testing.T) {
	t.Parallel()
	for name, queue := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return filepath.Join(t.TempDir(), "webhooks.db") },
		"PostgreSQL": func(t *testing.T) string { database, _ := startPostgreSQL(t); return database },
	} {
		t.Run(name, func(t *testing.T) { testLoad(t, queue(t)) })
	}
}

func testLoad(t *testing.T, queue string) {
	l := newLab(t, nil)
	cfg := l.config(t)
	cfg.queue, cfg.timeout, cfg.metrics = queue, 2*time.Second, freeAddr(t)
	cfg.log = slog.New(slog.DiscardHandler)
	receiver, _ := l.start(t, cfg)
	down := func(*http.Request) int { return http.StatusBadGateway }
	l.broken.Store(&down)
	l.desk.Inject(supportbeetest.Match{Op: "Tickets.Get"}, supportbeetest.Status(http.StatusServiceUnavailable))

	const senders, each = 100, 20
	var statuses sync.Map
	var slowest atomic.Int64
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() {
			for j := range each {
				body := fmt.Sprintf(`{"payload":{"action_type":"ticket.created","company":{"subdomain":"acme"},"ticket":{"id":%d}}}`, 1+i*each+j)
				began := time.Now()
				status, err := post(t.Context(), receiver, []byte(body))
				assert.NoError(t, err)
				for took := int64(time.Since(began)); ; {
					if old := slowest.Load(); took <= old || slowest.CompareAndSwap(old, took) {
						break
					}
				}
				count, _ := statuses.LoadOrStore(status, new(atomic.Int64))
				count.(*atomic.Int64).Add(1)
			}
		})
	}
	sending.Wait()
	got := make(map[int]int64)
	statuses.Range(func(status, count any) bool {
		got[status.(int)] = count.(*atomic.Int64).Load()
		return true
	})
	assert.Equal(t, map[int]int64{http.StatusOK: senders * each}, got, "an event that cannot be stored within 8 seconds has status 500")
	t.Logf("%d events, slowest response after %v", senders*each, time.Duration(slowest.Load()))
	assert.Contains(t, get(t, "http://"+cfg.metrics+"/metrics").body, fmt.Sprintf("webhooks_waiting %d\n", senders*each))
}

func TestWhatIsNotPosted(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	r, err := newReceiver(t.Context(), l.config(t))
	require.NoError(t, err)
	defer r.queue.Close()
	ticket := l.desk.AddTicket(supportbeetest.TicketSeed{Subject: "Heron"})

	for name, body := range map[string]string{
		"another action":       fmt.Sprintf(`{"payload":{"action_type":"ticket.archived","ticket":{"id":%d}}}`, ticket),
		"a check of the URL":   `{"payload":null}`,
		"an action not listed": fmt.Sprintf(`{"payload":{"action_type":"ticket.%s","ticket":{"id":%d}}}`, strings.Repeat("x", 1e6), ticket),
	} {
		req := httptest.NewRequest(http.MethodPost, "/?secret="+secret, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		recorder := httptest.NewRecorder()
		r.handler().ServeHTTP(recorder, req)
		assert.Equal(t, http.StatusOK, recorder.Code, name)
	}
	n, _, err := r.queue.Count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 0, n)

	for name, forged := range map[string]event{
		"ticket":  {Action: supportbee.WebhookTicketCreated, Ticket: 999_999},
		"reply":   {Action: supportbee.WebhookAgentReplyCreated, Ticket: ticket, Reply: 999_999},
		"comment": {Action: supportbee.WebhookCommentCreated, Ticket: ticket, Comment: 999_999},
	} {
		require.Error(t, r.handle(t.Context(), &supportbeequeue.Item[event]{Value: forged, Attempt: 1}), "%s: it may be visible soon", name)
		require.NoError(t, r.handle(t.Context(), &supportbeequeue.Item[event]{Value: forged, Attempt: 5}), name)
	}
	assert.Empty(t, l.channel.list())
}

func TestAnEventThatComesAgainLaterIsNotPosted(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	cfg := l.config(t)
	cfg.metrics = freeAddr(t)
	receiver, stop := l.start(t, cfg)
	l.deliver(t, receiver)
	l.write(2)
	l.requireEachOnce(t, func() bool {
		return strings.Contains(get(t, "http://"+cfg.metrics+"/metrics").body, "webhooks_waiting 0\n")
	})
	stop()
	receiver, _ = l.start(t, cfg)
	for _, delivery := range l.desk.Deliveries() {
		status, err := post(t.Context(), receiver, delivery.Body)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status)
	}
	text := get(t, "http://"+cfg.metrics+"/metrics").body
	assert.Contains(t, text, `webhooks_events_total{result="repeated"} 6`)
	assert.NotContains(t, text, `result="stored"`)
}

func TestLogsHoldNoTextsOfTheHelpDesk(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	var log syncBuffer
	cfg := l.config(t)
	cfg.log = slog.New(slog.NewTextHandler(&log, nil))
	receiver, stop := l.start(t, cfg)
	l.deliver(t, receiver)
	l.desk.Inject(supportbeetest.Match{}, supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"error":"eve@example.com is unknown"}`)
	})))
	l.write(1)
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "status=422") }, waitAtMost, 20*time.Millisecond, "%s", &log)
	stop()
	assert.NotContains(t, log.String(), "eve@example.com")
}

func TestStartsThatFail(t *testing.T) {
	l := newLab(t, nil)
	for name, value := range map[string]string{"SUPPORTBEE_TOKEN": l.desk.Token, "SUPPORTBEE_BASE_URL": l.desk.URL, "SLACK_TOKEN": "", "SLACK_CHANNEL": channelID, "WEBHOOK_SECRET": secret, "SLACK_API_URL": l.slackURL} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "webhooks.db")
	args := []string{"-addr", "127.0.0.1:0", "-queue", file}
	require.EqualError(t, run(t.Context(), args, io.Discard), "the environment needs SLACK_TOKEN")
	t.Setenv("WEBHOOK_SECRET", "")
	require.EqualError(t, run(t.Context(), args, io.Discard), "the environment needs WEBHOOK_SECRET, SLACK_TOKEN")
	require.EqualError(t, run(t.Context(), append(args, "-dry-run"), io.Discard), "the environment needs WEBHOOK_SECRET")
	t.Setenv("WEBHOOK_SECRET", secret)

	t.Setenv("SLACK_TOKEN", "xoxb-test")
	require.Error(t, run(t.Context(), append(args, "-unknown"), io.Discard))
	require.ErrorContains(t, run(t.Context(), append(args, "-addr", "127.0.0.1:-1"), io.Discard), "listen tcp")
	require.ErrorContains(t, run(t.Context(), append(args, "-queue", "postgres://localhost:1/x?connect_timeout=5"), io.Discard), "opening the queue: ")

	cfg := l.config(t)
	l.start(t, cfg)
	require.ErrorContains(t, run(t.Context(), append(args, "-queue", cfg.queue), io.Discard), "locked", "one process has the file")

	var rejection string
	slackServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"ok":false,"error":%q}`, rejection)
	}))
	defer slackServer.Close()
	t.Setenv("SLACK_API_URL", slackServer.URL+"/")
	for _, rejection = range []string{
		"account_inactive", "channel_not_found", "invalid_auth", "missing_scope", "not_authed", "not_in_channel", "org_login_required",
		"token_expired", "token_revoked",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), waitAtMost) // or it would serve
		require.EqualError(t, run(ctx, args, io.Discard), "reading the Slack channel: "+rejection)
		cancel()
	}
}

// tokenOf returns the token of a request to Slack.
func tokenOf(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return r.FormValue("token")
}

// startPostgreSQL starts a server with an empty database, and skips the test if there is none.
func startPostgreSQL(t *testing.T) (database string, stop func()) {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	initdb, err := exec.LookPath("initdb")
	if err != nil && len(programs) == 0 {
		t.Skip("PostgreSQL is not installed: neither initdb in PATH nor /usr/lib/postgresql/*/bin/initdb")
	} else if err != nil {
		initdb = programs[len(programs)-1]
	}
	dir, err := os.MkdirTemp("", "webhooks-postgresql") //nolint:usetesting // another user must reach it
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(filepath.Dir(initdb), name), args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, t.Output(), t.Output()
		if os.Getuid() == 0 { // PostgreSQL does not run as root
			account, err := user.Lookup("postgres")
			if err != nil {
				account, err = user.Lookup("nobody")
			}
			require.NoError(t, err)
			uid, _ := strconv.Atoi(account.Uid)
			gid, _ := strconv.Atoi(account.Gid)
			require.NoError(t, os.Chown(dir, uid, gid))
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		}
		return cmd
	}
	data := filepath.Join(dir, "data")
	require.NoError(t, command("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale").Run())
	host, port, err := net.SplitHostPort(freeAddr(t))
	require.NoError(t, err)
	server := command("postgres", "-D", data, "-h", host, "-p", port, "-k", dir, "-F")
	require.NoError(t, server.Start())
	stop = sync.OnceFunc(func() {
		_ = server.Process.Signal(syscall.SIGINT) // the fast shutdown
		_ = server.Wait()
	})
	t.Cleanup(stop)
	database = "postgres://postgres@" + net.JoinHostPort(host, port) + "/postgres?sslmode=disable"
	require.Eventually(t, func() bool {
		conn, err := pgx.Connect(t.Context(), database)
		if err != nil {
			return false
		}
		return conn.Close(t.Context()) == nil
	}, waitAtMost, 50*time.Millisecond)
	return database, stop
}

func TestHelpHoldsNoSecrets(t *testing.T) {
	t.Setenv("WEBHOOK_SECRET", "hush")
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, &out), flag.ErrHelp)
	assert.Contains(t, out.String(), "-queue")
	assert.NotContains(t, out.String(), "hush")
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}

func TestFlagsThatAreRejected(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"-addr=", "-rate=0", "-rate=-1"} {
		assert.EqualError(t, run(t.Context(), []string{arg}, io.Discard), "-addr must not be empty, and -rate must be positive", arg)
	}
}
