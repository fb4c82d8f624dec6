package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeredis"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	mainEnv    = "SHAREDLIMIT_TEST_MAIN"
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

// startServer starts redis-server on a socket, which unlike a port no other program can take.
func startServer(t *testing.T) (url string) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed; on Debian it is in the package of that name")
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // since the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "socket")
	server := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir)
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	url = "unix://" + socket
	client := connect(t, url)
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, waitAtMost, 20*time.Millisecond)
	return url
}

func connect(t *testing.T, url string) *redis.Client {
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// eachRedis runs a test with the substitute and with the real one.
func eachRedis(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, "redis://"+miniredis.RunT(t).Addr())
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, startServer(t))
	})
}

func subject(i int) string { return fmt.Sprintf("Order %d", i) }

func add(t *testing.T, client *redis.Client, values ...any) {
	t.Helper()
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: queue, Values: values}).Err())
}

// addOrders adds n messages to the queue, of which each second one is equal to the one before.
func addOrders(t *testing.T, client *redis.Client, n int) {
	t.Helper()
	for i := range n {
		add(t, client, "email", "ann@example.com", "name", "Ann", "subject", subject(i/2), "text", "Where is my kettle?")
	}
}

// subjects returns how many tickets there are by subject, without the IDs of messages.
func subjects(desk *supportbeetest.Desk) map[string]int {
	counts := make(map[string]int)
	for _, ticket := range desk.Tickets() {
		subject, _, _ := strings.Cut(ticket.Subject, " [")
		counts[subject]++
	}
	return counts
}

func wantSubjects(n int) map[string]int {
	counts := make(map[string]int)
	for i := range n {
		counts[subject(i/2)]++
	}
	return counts
}

func statuses(desk *supportbeetest.Desk) map[int]int {
	counts := make(map[int]int)
	for _, r := range desk.Requests("Tickets.Create") {
		counts[r.Status]++
	}
	return counts
}

func newWorker(t *testing.T, desk *supportbeetest.Desk, url string) (*worker, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return &worker{
		desk: desk.Client(supportbee.WithoutRetry()), redis: connect(t, url), log: slog.New(slog.NewTextHandler(log, nil)),
		limit: supportbeeredis.LimiterOptions{Requests: 1000, Per: time.Second}, timeout: 20 * time.Second, settle: 100 * time.Millisecond,
	}, log
}

// working runs a worker until cond holds, and returns its metrics.
func working(t *testing.T, w *worker, cond func() bool) (metrics string) {
	service := supportbeeservice.New(t.Context())
	url := w.serve(service, "127.0.0.1:0")
	assert.Eventually(t, cond, waitAtMost, 10*time.Millisecond)
	assert.Empty(t, get(t, url+"/healthz"))
	metrics = get(t, url+"/metrics")
	require.NoError(t, service.Stop())
	return metrics
}

func get(t *testing.T, url string) string {
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

func isEmpty(t *testing.T, client *redis.Client) bool {
	n, err := client.XLen(t.Context(), queue).Result()
	return assert.NoError(t, err) && n == 0
}

func TestEachMessageBecomesOneTicketDespiteFaults(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		desk.InjectChaos(0.3, 17)
		w, log := newWorker(t, desk, url)
		addOrders(t, w.redis, 10)
		add(t, w.redis, "email", "nobody", "text", "Hello")

		metrics := working(t, w, func() bool { return isEmpty(t, w.redis) })

		assert.Contains(t, metrics, "sharedlimit_waiting 0\n")
		assert.Contains(t, metrics, "sharedlimit_rejected 1\n")
		assert.Contains(t, metrics, `http_client_request_duration`)
		assert.Equal(t, wantSubjects(10), subjects(desk))
		kept, err := w.redis.XRange(t.Context(), rejected, "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, kept, 1)
		assert.Equal(t, "nobody", kept[0].Values["email"])
		assert.Equal(t, "Hello", kept[0].Values["text"])
		assert.Contains(t, kept[0].Values["error"], "RequesterEmail")
		for _, secret := range []string{"ann@example.com", "kettle", "nobody", desk.Token} {
			assert.NotContains(t, log.String()+metrics, secret)
		}
	})
}

// A worker that is stopped while it waits for the limit leaves its message to the others at once.
func TestAStoppedWorkerGivesItsMessageBack(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		slow, _ := newWorker(t, desk, url)
		addOrders(t, slow.redis, 2)
		slow.limit.Requests, slow.limit.Per, slow.timeout = 1, time.Hour, 2*time.Hour // the second message waits
		pending := func() bool {                                                      // the second message: the first is removed
			n, err := slow.redis.XLen(t.Context(), queue).Result()
			p, err2 := slow.redis.XPending(t.Context(), queue, group).Result()
			return err == nil && err2 == nil && n == 1 && p.Count == 1 && len(desk.Tickets()) == 1
		}
		working(t, slow, pending)
		assert.False(t, isEmpty(t, slow.redis))

		require.NoError(t, slow.redis.Del(t.Context(), creates).Err()) // so that the limit is not used up
		other, _ := newWorker(t, desk, url)
		other.timeout = slow.timeout
		working(t, other, func() bool { return isEmpty(t, other.redis) })

		assert.Equal(t, wantSubjects(2), subjects(desk))
	})
}

func TestTheTicketOfAWorkerThatWasKilledIsFound(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		w, log := newWorker(t, desk, url)
		w.timeout = time.Second
		addOrders(t, w.redis, 2)
		killed, again, err := w.next(t.Context())
		require.NoError(t, err)
		assert.False(t, again)
		_, err = w.desk.Tickets.Create(t.Context(), params(killed))
		require.NoError(t, err)

		working(t, w, func() bool { return isEmpty(t, w.redis) })

		assert.Equal(t, wantSubjects(2), subjects(desk))
		assert.Contains(t, log.String(), "message="+killed.ID+" again=true")
		desk.AssertRequests(t, "Tickets.Create", 2)
	})
}

// A worker that is stopped does not await the response to its request.
func TestTheTicketOfAWorkerThatWasStoppedIsFound(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 1}, supportbeetest.AfterHandling(supportbeetest.Respond(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}))))
		stopped, _ := newWorker(t, desk, url)
		stopped.timeout = time.Second
		addOrders(t, stopped.redis, 1)
		working(t, stopped, func() bool { return len(desk.Tickets()) == 1 })
		assert.False(t, isEmpty(t, stopped.redis))

		other, log := newWorker(t, desk, url)
		other.timeout = time.Second
		working(t, other, func() bool { return isEmpty(t, other.redis) })

		assert.Equal(t, wantSubjects(1), subjects(desk))
		assert.Contains(t, log.String(), "again=true")
		desk.AssertRequests(t, "Tickets.Create", 1)
	})
}

func TestThreeProcessesShareTheLimitAndOneIsKilled(t *testing.T) {
	t.Parallel()
	const per, messages = 500 * time.Millisecond, 60
	url := startServer(t)
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed(), supportbeetest.WithCreateLimit(8, per))
	client := connect(t, url)
	addOrders(t, client, messages)
	logs := make([]bytes.Buffer, 3)
	processes := make([]*exec.Cmd, 3)
	for i := range processes {
		processes[i] = exec.Command(os.Args[0], "-per", per.String(), "-timeout", "4s", "-settle", "500ms")
		processes[i].Env = append(os.Environ(), mainEnv+"=1", "REDIS_URL="+url,
			"SUPPORTBEE_COMPANY="+supportbeetest.Company, "SUPPORTBEE_TOKEN="+desk.Token, "SUPPORTBEE_BASE_URL="+desk.URL)
		processes[i].Stderr = &logs[i]
		require.NoError(t, processes[i].Start())
		t.Cleanup(func() { processes[i].Process.Kill() })
	}
	require.Eventually(t, func() bool { return len(desk.Tickets()) >= messages/3 }, waitAtMost, time.Millisecond)
	require.NoError(t, processes[0].Process.Kill())
	processes[0].Wait()
	require.Eventually(t, func() bool { return isEmpty(t, client) }, waitAtMost, 10*time.Millisecond)
	for _, process := range processes[1:] {
		require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	}
	for i, process := range processes[1:] {
		require.NoError(t, process.Wait(), logs[i+1].String())
	}

	assert.Equal(t, wantSubjects(messages), subjects(desk))
	assert.Equal(t, map[int]int{http.StatusCreated: messages}, statuses(desk))
	for i := range logs {
		assert.Contains(t, logs[i].String(), "INFO created", "each process has created some")
	}
}

func TestDemo(t *testing.T) {
	t.Setenv("SUPPORTBEE_TOKEN", "")
	t.Setenv("SUPPORTBEE_COMPANY", "")
	t.Setenv("SUPPORTBEE_BASE_URL", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://")
	assert.Equal(t, demoMessages, strings.Count(out.String(), "201 Created"))
	assert.Contains(t, out.String(), " 0 responses with status 429\n")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-dry-run"}, &out))
	assert.Equal(t, demoMessages, strings.Count(out.String(), "would send POST /tickets "))
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}
