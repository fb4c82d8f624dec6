package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// startDesk starts a help desk with the documented limit, whose minute lasts as long as per.
// Requests are passed to it after delay returns.
func startDesk(t *testing.T, per time.Duration, delay func()) (*supportbeetest.Desk, string) {
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed(), supportbeetest.WithRateLimits())
	front := &frontDesk{desk: desk, speed: float64(time.Minute) / float64(per), report: func(*http.Request, int) {}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			delay()
		}
		front.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return desk, server.URL
}

func newClient(t *testing.T, desk *supportbeetest.Desk, url string, opts ...supportbee.Option) *supportbee.Client {
	client, err := supportbee.New(supportbeetest.Company, desk.Token, append(opts, supportbee.WithBaseURL(url), supportbee.WithoutRetry())...)
	require.NoError(t, err)
	return client
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
		late := make(chan time.Duration, 8)
		for range 8 {
			late <- per / 2
		}
		desk, deskURL := startDesk(t, per, func() {
			select {
			case wait := <-late:
				<-time.After(wait)
			default:
			}
		})
		var group errgroup.Group
		for range 4 { // four processes
			limiter := NewLimiter(t.Context(), connect(t, url), "creates", 8, per, 30*time.Second)
			client := newClient(t, desk, deskURL, limiter.Options()...)
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
		limiter := NewLimiter(t.Context(), connect(t, url), "creates", 1, per, timeout)
		client := newClient(t, desk, desk.URL, limiter.Options()...)
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
		limiter := NewLimiter(t.Context(), connect(t, url), "creates", 1, time.Hour, time.Second)
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
		limiter := NewLimiter(t.Context(), connect(t, url), "creates", 1, time.Hour, time.Second)
		client := newClient(t, desk, desk.URL, limiter.Options()...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := client.Tickets.Create(ctx, order(1).params("1-0"))
		require.NoError(t, err)

		_, err = client.Tickets.Create(ctx, order(2).params("2-0"))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		assert.NoError(t, ctx.Err(), "it fails at once")
		_, err = client.Tickets.Count(ctx, nil)
		assert.NoError(t, err)
		desk.AssertRequests(t, "Tickets.Create", 1)
	})
}

func TestWithoutRedisNothingIsSent(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	desk := supportbeetest.New(t)
	limiter := NewLimiter(t.Context(), connect(t, "redis://"+server.Addr()), "creates", 8, time.Minute, time.Second)
	client := newClient(t, desk, desk.URL, limiter.Options()...)
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

func testConfig(t *testing.T, desk *supportbeetest.Desk) (config, *bytes.Buffer) {
	log := new(bytes.Buffer)
	return config{
		key: "test", limit: 1000, per: time.Second, attempt: 5 * time.Second, timeout: 20 * time.Second, settle: 100 * time.Millisecond,
		desk: newClient(t, desk, desk.URL), logger: slog.New(slog.NewTextHandler(log, nil)),
	}, log
}

// working runs a worker until cond holds, and returns its metrics.
func working(t *testing.T, cfg config, url string, cond func() bool) (metrics string) {
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	client := connect(t, url)
	ready := make(chan string, 1)
	cfg.metrics = "127.0.0.1:0"
	go func() { done <- cfg.work(ctx, client, func(addr string) { ready <- addr }) }()
	addr := <-ready
	assert.Eventually(t, cond, waitAtMost, 10*time.Millisecond)
	assert.Empty(t, get(t, addr, "/healthz"))
	metrics = get(t, addr, "/metrics")
	stop()
	require.NoError(t, <-done)
	return metrics
}

func get(t *testing.T, addr, path string) string {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusOK, response.StatusCode)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

func length(t *testing.T, client *redis.Client, key string) int64 {
	n, err := client.XLen(t.Context(), key).Result()
	require.NoError(t, err)
	return n
}

func TestEachMessageBecomesOneTicketDespiteFaults(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		desk.InjectChaos(0.3, 17)
		cfg, log := testConfig(t, desk)
		client := connect(t, url)
		q := cfg.newQueue(client)
		n, err := q.add(t.Context(), strings.NewReader(lines(10)))
		require.NoError(t, err)
		require.Equal(t, 10, n)
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: q.key, Values: []any{"message", invalid}}).Err())

		metrics := working(t, cfg, url, func() bool { return length(t, client, q.key) == 0 })

		assert.Contains(t, metrics, "sharedlimit_waiting 0\n")
		assert.Contains(t, metrics, `sharedlimit_messages_total{result="rejected"} 1`)
		assert.Contains(t, metrics, `http_client_request_duration`)
		assert.Equal(t, wantSubjects(10), subjects(desk))
		rejected, err := client.XRange(t.Context(), q.rejected(), "-", "+").Result()
		require.NoError(t, err)
		require.Len(t, rejected, 1)
		assert.JSONEq(t, invalid, fmt.Sprint(rejected[0].Values["message"]))
		assert.Contains(t, rejected[0].Values["error"], "RequesterEmail")
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
		cfg, _ := testConfig(t, desk)
		client := connect(t, url)
		q := cfg.newQueue(client)
		_, err := q.add(t.Context(), strings.NewReader(lines(2)))
		require.NoError(t, err)
		slow := cfg
		slow.limit, slow.per, slow.timeout = 1, time.Hour, 2*time.Hour // the second message waits
		pending := func() bool {
			p, err := client.XPending(t.Context(), q.key, group).Result()
			return err == nil && p.Count == 1 && len(desk.Tickets()) == 1
		}
		working(t, slow, url, pending)
		assert.EqualValues(t, 1, length(t, client, q.key))

		cfg.key = "test" // of the same queue, with a limit that is not used up
		require.NoError(t, client.Del(t.Context(), cfg.key+":creates").Err())
		cfg.timeout = slow.timeout
		working(t, cfg, url, func() bool { return length(t, client, q.key) == 0 })

		assert.Equal(t, wantSubjects(2), subjects(desk))
	})
}

func TestTheTicketOfAWorkerThatWasKilledIsFound(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
		cfg, log := testConfig(t, desk)
		cfg.timeout = time.Second
		client := connect(t, url)
		q := cfg.newQueue(client)
		_, err := q.add(t.Context(), strings.NewReader(lines(2)))
		require.NoError(t, err)
		killed, again, err := q.next(t.Context())
		require.NoError(t, err)
		assert.False(t, again)
		params, err := parse(killed)
		require.NoError(t, err)
		_, err = cfg.desk.Tickets.Create(t.Context(), params)
		require.NoError(t, err)

		working(t, cfg, url, func() bool { return length(t, client, q.key) == 0 })

		assert.Equal(t, wantSubjects(2), subjects(desk))
		assert.Contains(t, log.String(), "message="+killed.ID+" again=true")
		desk.AssertRequests(t, "Tickets.Create", 2)
	})
}

func TestThreeProcessesShareTheLimitAndOneIsKilled(t *testing.T) {
	t.Parallel()
	const per, messages = 500 * time.Millisecond, 60
	url := startServer(t)
	desk, deskURL := startDesk(t, per, func() {})
	args := []string{"-redis", url, "-per", per.String(), "-attempt", "20s", "-timeout", "4s", "-settle", "500ms"}
	logs := make([]bytes.Buffer, 3)
	start := func(i int, extra ...string) *exec.Cmd {
		command := exec.Command(os.Args[0], append(args, extra...)...)
		command.Env = append(os.Environ(), mainEnv+"=1", "SUPPORTBEE_COMPANY="+supportbeetest.Company, "SUPPORTBEE_TOKEN="+desk.Token, "SUPPORTBEE_BASE_URL="+deskURL)
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
	require.Eventually(t, func() bool { return length(t, client, "supportbee:messages") == 0 }, waitAtMost, 10*time.Millisecond)
	for _, process := range processes[1:] {
		require.NoError(t, process.Process.Signal(syscall.SIGTERM))
	}
	for i, process := range processes[1:] {
		require.NoError(t, process.Wait(), logs[i+1].String())
	}

	assert.Equal(t, wantSubjects(messages), subjects(desk))
	assert.Equal(t, map[int]int{http.StatusCreated: messages}, statuses(desk))
	for i := range logs {
		assert.Contains(t, logs[i].String(), "msg=created", "each process has created some")
	}
}

func TestNoMessageIsAddedIfOneIsInvalid(t *testing.T) {
	t.Parallel()
	client := connect(t, "redis://"+miniredis.RunT(t).Addr())
	q := config{key: "test"}.newQueue(client)

	_, err := q.add(t.Context(), strings.NewReader(lines(2)+invalid))

	assert.ErrorContains(t, err, "line 3: ")
	assert.Zero(t, length(t, client, q.key))
}

func TestDemo(t *testing.T) {
	t.Setenv("SUPPORTBEE_TOKEN", "")
	t.Setenv("SUPPORTBEE_COMPANY", "")
	t.Setenv("SUPPORTBEE_BASE_URL", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-per", "300ms"}, nil, &out))
	assert.Contains(t, out.String(), "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://")
	assert.Equal(t, demoMessages, strings.Count(out.String(), "201 Created"))
	assert.Contains(t, out.String(), " 0 responses with status 429\n")

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-dry-run"}, nil, &out))
	assert.Equal(t, demoMessages, strings.Count(out.String(), "would send POST /tickets "))
}
