package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	"golang.org/x/sync/errgroup"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

const (
	mainEnv    = "SHAREDLIMIT_TEST_MAIN"
	waitAtMost = 90 * time.Second
	invalid    = `{"email":"nobody","text":"Hello"}`
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

func order(i int) message {
	return message{Email: "ann@example.com", Name: "Ann", Subject: fmt.Sprintf("Order %d", i), Text: "Where is my kettle?"}
}

// lines returns n messages, of which each second one is equal to the one before.
func lines(n int) string {
	var b strings.Builder
	for i := range n {
		line, _ := json.Marshal(order(i / 2))
		b.Write(append(line, '\n'))
	}
	return b.String()
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
		counts[order(i/2).Subject]++
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

// Half of the requests arrive late, when those of the next window do.
func TestSlowRequestsAreCountedWhenTheyArrive(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		const per = 600 * time.Millisecond
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed(), supportbeetest.WithCreateLimit(8, per))
		desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 8}, supportbeetest.Delay(per/2))
		var group errgroup.Group
		for range 4 { // four processes
			limiter := NewLimiter(connect(t, url), "creates", 8, per, 30*time.Second)
			client := desk.Client(append(limiter.Options(), supportbee.WithoutRetry())...)
			for range 2 {
				group.Go(func() error {
					for i := range 4 {
						if _, err := client.Tickets.Create(t.Context(), order(i).params("1-0")); err != nil {
							return err
						}
					}
					return nil
				})
			}
		}

		require.NoError(t, group.Wait())

		assert.Equal(t, map[int]int{http.StatusCreated: 32}, statuses(desk))
		redisClient := connect(t, url)
		left, err := redisClient.PTTL(t.Context(), "creates").Result()
		require.NoError(t, err)
		assert.Positive(t, left, "the key expires")
		assert.LessOrEqual(t, left, 40*time.Second)
	})
}

func TestARequestWithoutResponseTakesItsPlaceUntilTheTimeout(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		const per, timeout = 50 * time.Millisecond, time.Second
		desk := supportbeetest.New(t)
		desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 1}, supportbeetest.Drop())
		limiter := NewLimiter(connect(t, url), "creates", 1, per, timeout)
		client := desk.Client(append(limiter.Options(), supportbee.WithoutRetry())...)
		start := time.Now()

		_, err := client.Tickets.Create(t.Context(), order(1).params("1-0"))
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		_, err = client.Tickets.Create(t.Context(), order(2).params("2-0"))

		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), per+timeout)
	})
}

func TestAScriptThatIsRepeatedTakesOnePlace(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		limiter := NewLimiter(connect(t, url), "creates", 1, time.Hour, time.Second)
		for range 2 {
			wait, err := limiter.run(t.Context(), take, "one")
			require.NoError(t, err)
			assert.Zero(t, wait)
		}
		wait, err := limiter.run(t.Context(), take, "two")
		require.NoError(t, err)
		assert.Greater(t, wait, time.Hour)
		assert.LessOrEqual(t, wait, time.Hour+time.Hour/100+time.Second)
	})
}

func TestWithoutAPlaceOnlyCreatesWait(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t)
		limiter := NewLimiter(connect(t, url), "creates", 1, time.Hour, time.Second)
		client := desk.Client(append(limiter.Options(), supportbee.WithoutRetry())...)
		_, err := client.Tickets.Create(t.Context(), order(1).params("1-0"))
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Tickets.Create(ctx, order(2).params("2-0"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		_, err = client.Tickets.Count(t.Context(), nil)
		assert.NoError(t, err)
		desk.AssertRequests(t, "Tickets.Create", 1)
	})
}

func TestWithoutRedisNothingIsSent(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	desk := supportbeetest.New(t)
	limiter := NewLimiter(connect(t, "redis://"+server.Addr()), "creates", 8, time.Minute, time.Second)
	client := desk.Client(append(limiter.Options(), supportbee.WithoutRetry())...)
	server.Close()

	_, err := client.Tickets.Create(t.Context(), order(1).params("1-0"))
	require.ErrorIs(t, err, ErrUnavailable)
	assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	desk.AssertNoWrites(t)
	_, err = client.Tickets.Count(t.Context(), nil)
	assert.NoError(t, err)

	require.NoError(t, server.Restart())
	_, err = client.Tickets.Create(t.Context(), order(1).params("1-0"))
	assert.NoError(t, err)
}

func newWorker(t *testing.T, desk *supportbeetest.Desk, url string) (*worker, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return &worker{
		desk: desk.Client(supportbee.WithoutRetry()), redis: connect(t, url), log: slog.New(slog.NewTextHandler(log, nil)),
		limit: 1000, per: time.Second, timeout: 20 * time.Second, settle: 100 * time.Millisecond,
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
		n, err := add(t.Context(), w.redis, strings.NewReader(lines(10)))
		require.NoError(t, err)
		require.Equal(t, 10, n)
		require.NoError(t, w.redis.XAdd(t.Context(), &redis.XAddArgs{Stream: queue, Values: []any{"message", invalid}}).Err())

		metrics := working(t, w, func() bool { return isEmpty(t, w.redis) })

		assert.Contains(t, metrics, "sharedlimit_waiting 0\n")
		assert.Contains(t, metrics, "sharedlimit_rejected 1\n")
		assert.Contains(t, metrics, `http_client_request_duration`)
		assert.Equal(t, wantSubjects(10), subjects(desk))
		kept, err := w.redis.XRange(t.Context(), rejected, "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, kept, 1)
		assert.JSONEq(t, invalid, fmt.Sprint(kept[0].Values["message"]))
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
		_, err := add(t.Context(), slow.redis, strings.NewReader(lines(2)))
		require.NoError(t, err)
		slow.limit, slow.per, slow.timeout = 1, time.Hour, 2*time.Hour // the second message waits
		pending := func() bool {
			p, err := slow.redis.XPending(t.Context(), queue, group).Result()
			return err == nil && p.Count == 1 && len(desk.Tickets()) == 1
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
		_, err := add(t.Context(), w.redis, strings.NewReader(lines(2)))
		require.NoError(t, err)
		killed, again, err := w.next(t.Context())
		require.NoError(t, err)
		assert.False(t, again)
		params, err := parse(killed)
		require.NoError(t, err)
		_, err = w.desk.Tickets.Create(t.Context(), params)
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
		_, err := add(t.Context(), stopped.redis, strings.NewReader(lines(1)))
		require.NoError(t, err)
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
	args := []string{"-redis", url, "-per", per.String(), "-timeout", "4s", "-settle", "500ms"}
	logs := make([]bytes.Buffer, 3)
	start := func(i int, extra ...string) *exec.Cmd {
		command := exec.Command(os.Args[0], append(args, extra...)...)
		command.Env = append(os.Environ(), mainEnv+"=1", "SUPPORTBEE_COMPANY="+supportbeetest.Company, "SUPPORTBEE_TOKEN="+desk.Token, "SUPPORTBEE_BASE_URL="+desk.URL)
		command.Stderr = &logs[i]
		return command
	}
	add := start(0, "-add")
	add.Stdin = strings.NewReader(lines(messages))
	added, err := add.Output()
	require.NoError(t, err)
	assert.Equal(t, "60 messages added\n", string(added))

	processes := make([]*exec.Cmd, 3)
	for i := range processes {
		processes[i] = start(i)
		require.NoError(t, processes[i].Start())
		t.Cleanup(func() { processes[i].Process.Kill() })
	}
	require.Eventually(t, func() bool { return len(desk.Tickets()) >= messages/3 }, waitAtMost, time.Millisecond)
	require.NoError(t, processes[0].Process.Kill())
	processes[0].Wait()
	client := connect(t, url)
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

func TestNoMessageIsAddedIfOneIsInvalid(t *testing.T) {
	t.Parallel()
	client := connect(t, "redis://"+miniredis.RunT(t).Addr())

	_, err := add(t.Context(), client, strings.NewReader(lines(2)+invalid))

	assert.ErrorContains(t, err, "line 3: ")
	assert.True(t, isEmpty(t, client))
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
