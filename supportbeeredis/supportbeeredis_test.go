package supportbeeredis_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeredis"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

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
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 90*time.Second, 20*time.Millisecond)
	return url
}

func connect(t *testing.T, url string) *redis.Client {
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func newLimiter(t *testing.T, url string, requests int, per, timeout time.Duration) *supportbeeredis.Limiter {
	return supportbeeredis.NewLimiter(connect(t, url), "creates", &supportbeeredis.LimiterOptions{Requests: requests, Per: per, Timeout: timeout})
}

func newClient(desk *supportbeetest.Desk, limiter *supportbeeredis.Limiter) *supportbee.Client {
	return desk.Client(append(limiter.Options(), supportbee.WithoutRetry())...)
}

func order(i int) supportbee.TicketParams {
	return supportbee.TicketParams{RequesterEmail: "ann@example.com", Subject: fmt.Sprintf("Order %d", i), Content: supportbee.Text("Where is it?")}
}

// Half of the requests arrive late, when those of the next window do.
func TestSlowRequestsAreCountedWhenTheyArrive(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		const per = 600 * time.Millisecond
		desk := supportbeetest.New(t, supportbeetest.WithoutSeed(), supportbeetest.WithCreateLimit(8, per))
		desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 8}, supportbeetest.Delay(per/2))
		var group sync.WaitGroup
		for range 4 { // four processes
			client := newClient(desk, newLimiter(t, url, 8, per, 30*time.Second))
			for range 2 {
				group.Go(func() {
					for i := range 4 {
						_, err := client.Tickets.Create(t.Context(), order(i))
						assert.NoError(t, err)
					}
				})
			}
		}

		group.Wait()

		statuses := make(map[int]int)
		for _, r := range desk.Requests("Tickets.Create") {
			statuses[r.Status]++
		}
		assert.Equal(t, map[int]int{http.StatusCreated: 32}, statuses)
		left, err := connect(t, url).PTTL(t.Context(), "creates").Result()
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
		client := newClient(desk, newLimiter(t, url, 1, per, timeout))
		start := time.Now()

		_, err := client.Tickets.Create(t.Context(), order(1))
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		_, err = client.Tickets.Create(t.Context(), order(2))

		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), per+timeout)
	})
}

func TestAResponseFreesThePlace(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		client := newClient(supportbeetest.New(t), newLimiter(t, url, 1, 50*time.Millisecond, time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		for i := range 2 {
			_, err := client.Tickets.Create(ctx, order(i))
			assert.NoError(t, err)
		}
	})
}

func TestOptionsSetTheTimeout(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create"}, supportbeetest.Delay(time.Hour))
	client := newClient(desk, newLimiter(t, "redis://"+miniredis.RunT(t).Addr(), 1, time.Hour, 50*time.Millisecond))

	_, err := client.Tickets.Create(t.Context(), order(1))

	assert.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	assert.ErrorContains(t, err, "no complete response within 50ms")
}

func TestAScriptThatIsRepeatedTakesOnePlace(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		limiter := newLimiter(t, url, 1, time.Hour, time.Second)
		for range 2 {
			wait, err := limiter.Take(t.Context(), "one")
			require.NoError(t, err)
			assert.Zero(t, wait)
		}
		wait, err := limiter.Take(t.Context(), "two")
		require.NoError(t, err)
		assert.Greater(t, wait, time.Hour)
		assert.LessOrEqual(t, wait, time.Hour+time.Hour/100+time.Second)
	})
}

func TestWithoutAPlaceOnlyCreatesWait(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, url string) {
		desk := supportbeetest.New(t)
		client := newClient(desk, newLimiter(t, url, 1, time.Hour, time.Second))
		_, err := client.Tickets.Create(t.Context(), order(1))
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Tickets.Create(ctx, order(2))
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		_, err = client.Tickets.Count(t.Context(), nil)
		assert.NoError(t, err)
		desk.AssertRequests(t, "Tickets.Create", 1)
	})
}

func TestOtherOperationsCanBeLimited(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	limiter := supportbeeredis.NewLimiter(connect(t, "redis://"+miniredis.RunT(t).Addr()), "labels", &supportbeeredis.LimiterOptions{
		Requests: 1, Operations: []string{"Labels.List", "Labels.Create"},
	})
	client := newClient(desk, limiter)
	_, err := client.Labels.List(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = client.Labels.List(ctx)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	for i := range 2 {
		_, err = client.Tickets.Create(t.Context(), order(i))
		assert.NoError(t, err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*supportbeeredis.LimiterOptions{"nil": nil, "zero": {}, "negative": {Requests: -1, Per: -1, Timeout: -1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := miniredis.RunT(t)
			server.SetTime(time.Unix(1_800_000_000, 0))
			limiter := supportbeeredis.NewLimiter(connect(t, "redis://"+server.Addr()), "creates", opts)
			for i := range 8 {
				wait, err := limiter.Take(t.Context(), fmt.Sprint(i))
				require.NoError(t, err)
				assert.Zero(t, wait)
			}

			wait, err := limiter.Take(t.Context(), "9")

			require.NoError(t, err)
			assert.Equal(t, time.Minute+time.Minute/100+30*time.Second, wait)
		})
	}
}

func TestWithoutRedisNothingIsSent(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	desk := supportbeetest.New(t)
	client := newClient(desk, newLimiter(t, "redis://"+server.Addr(), 8, time.Minute, time.Second))
	server.Close()

	_, err := client.Tickets.Create(t.Context(), order(1))
	require.ErrorIs(t, err, supportbeeredis.ErrUnavailable)
	assert.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
	desk.AssertNoWrites(t)
	_, err = client.Tickets.Count(t.Context(), nil)
	assert.NoError(t, err)

	require.NoError(t, server.Restart())
	_, err = client.Tickets.Create(t.Context(), order(1))
	assert.NoError(t, err)
}
