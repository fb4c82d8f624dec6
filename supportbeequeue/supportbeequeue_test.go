package supportbeequeue_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeequeue"
)

const waitAtMost = 2 * time.Minute

type note struct {
	Text   string
	FileID int
}

type item = supportbeequeue.Item[note]

type handler = func(ctx context.Context, item *item) error

// sources are those that a process can use.
func sources(t *testing.T, test func(t *testing.T, source string)) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "a queue?.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, startPostgreSQL(t))
	})
}

// start opens and runs a queue until stop is called.
func start(t *testing.T, source string, handle handler, opts supportbeequeue.Options) (q *supportbeequeue.Queue[note], stop func()) {
	t.Helper()
	return startUntil(t.Context(), t, source, handle, opts)
}

// startUntil is start for a queue that stops when parent is done, too.
func startUntil(
	parent context.Context, t *testing.T, source string, handle handler, opts supportbeequeue.Options,
) (q *supportbeequeue.Queue[note], stop func()) {
	t.Helper()
	opts.Logger = cmp.Or(opts.Logger, slog.New(slog.NewTextHandler(t.Output(), nil)))
	q, err := supportbeequeue.Open(t.Context(), source, handle, opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(parent)
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
		assert.NoError(t, q.Close())
	})
	t.Cleanup(stop)
	return q, stop
}

func put(t *testing.T, q *supportbeequeue.Queue[note], key, text string) bool {
	t.Helper()
	added, err := q.Put(t.Context(), key, note{Text: text})
	require.NoError(t, err)
	return added
}

// count returns the numbers of waiting and rejected items, or -1 if they cannot be read.
func count(t *testing.T, q *supportbeequeue.Queue[note]) [2]int {
	waiting, rejected, err := q.Count(t.Context())
	if !assert.NoError(t, err) {
		return [2]int{-1, -1}
	}
	return [2]int{waiting, rejected}
}

func requireCount(t *testing.T, q *supportbeequeue.Queue[note], waiting, rejected int) {
	t.Helper()
	require.Eventually(t, func() bool { return count(t, q) == [2]int{waiting, rejected} }, waitAtMost, 10*time.Millisecond)
}

// serverError is an error whose text must not be in logs.
type serverError struct{}

func (serverError) Error() string        { return "422: ann@example.com is unknown" }
func (serverError) LogValue() slog.Value { return slog.GroupValue(slog.Int("status", 422)) }

func TestItems(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		var log syncBuffer
		var mu sync.Mutex
		seen := map[string][]item{}
		opened := time.Now()
		handle := func(ctx context.Context, i *item) error {
			mu.Lock()
			seen[i.Key] = append(seen[i.Key], item{Value: i.Value, Attempt: i.Attempt})
			mu.Unlock()
			assert.WithinDuration(t, opened, i.Added, waitAtMost)
			switch {
			case i.Key == "rejected":
				return supportbeequeue.Reject(serverError{})
			case i.Key == "saved" && i.Attempt == 1:
				i.Value.FileID = 17
				assert.NoError(t, i.Save(ctx))
				fallthrough
			case i.Attempt < 3:
				return errors.Join(errors.New("not yet"), serverError{})
			}
			return nil
		}
		opts := supportbeequeue.Options{MinPause: 10 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		q, stop := start(t, source, handle, opts)
		assert.True(t, put(t, q, "plain", "secret 1"))
		assert.True(t, put(t, q, "saved", "secret 2"))
		assert.True(t, put(t, q, "rejected", "secret 3"))
		assert.False(t, put(t, q, "plain", "another"))
		requireCount(t, q, 0, 1)
		for _, key := range []string{"plain", "saved", "rejected"} {
			assert.False(t, put(t, q, key, "again"), key)
		}
		stop()
		assert.Equal(t, map[string][]item{
			"plain":    {{Value: note{Text: "secret 1"}, Attempt: 1}, {Value: note{Text: "secret 1"}, Attempt: 2}, {Value: note{Text: "secret 1"}, Attempt: 3}},
			"saved":    {{Value: note{Text: "secret 2"}, Attempt: 1}, {Value: note{Text: "secret 2", FileID: 17}, Attempt: 2}, {Value: note{Text: "secret 2", FileID: 17}, Attempt: 3}},
			"rejected": {{Value: note{Text: "secret 3"}, Attempt: 1}},
		}, seen)
		assert.Contains(t, log.String(), `msg="attempt failed" key=plain attempt=1 error="[status=422]" pause=10ms`)
		assert.Contains(t, log.String(), `msg="item rejected" key=rejected attempt=1 error="[status=422]"`)
		for _, private := range []string{"ann@example.com", "secret"} {
			assert.NotContains(t, log.String(), private)
		}
		stored := dump(t, source)
		for _, handled := range []string{"secret 1", "secret 2"} {
			assert.NotContains(t, stored, handled, "a handled item is erased")
		}
		for _, kept := range []string{"secret 3", "422: ann@example.com is unknown", "plain", "saved"} {
			assert.Contains(t, stored, kept)
		}

		q, _ = start(t, source, handle, opts)
		for _, key := range []string{"plain", "saved", "rejected"} {
			assert.False(t, put(t, q, key, "again"), "%s, after a restart", key)
		}
		assert.Equal(t, [2]int{0, 1}, count(t, q))
	})
}

// An error whose text a database cannot store holds up neither its item nor others.
func TestErrorsThatAreNoText(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		q, stop := start(t, source, func(_ context.Context, i *item) error {
			switch err := errors.New(i.Key + " \x00, \xff"); {
			case i.Key == "rejected":
				return supportbeequeue.Reject(err)
			case i.Attempt == 1:
				return err
			}
			return nil
		}, supportbeequeue.Options{MinPause: time.Millisecond})
		for _, key := range []string{"failed", "rejected"} {
			assert.True(t, put(t, q, key, ""))
		}
		requireCount(t, q, 0, 1)
		stop()
		assert.Contains(t, dump(t, source), "rejected \uFFFD, \uFFFD")
	})
}

func TestPutWithoutAKey(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		keys := make(chan string, 3)
		q, _ := start(t, source, func(_ context.Context, i *item) error { keys <- i.Key; return nil }, supportbeequeue.Options{})
		assert.True(t, put(t, q, "", "one"))
		assert.True(t, put(t, q, "", "two"))
		assert.False(t, put(t, q, "", "one"), "equal values are one item")
		requireCount(t, q, 0, 0)
		assert.False(t, put(t, q, "", "two"), "handled")
		require.Len(t, keys, 2)
		assert.Len(t, <-keys, 64, "a hash")
	})
}

// dump returns what the tables of a queue hold.
func dump(t *testing.T, source string) string {
	if strings.Contains(source, "://") {
		return dumpPostgreSQL(t, source)
	}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(source))
	require.NoError(t, err)
	defer db.Close()
	var text string
	require.NoError(t, db.QueryRow(`SELECT group_concat(concat(key, ' ', data, ' ', rejected), char(10)) FROM items`).Scan(&text))
	file, err := os.ReadFile(source)
	require.NoError(t, err)
	return text + string(file) // with what was deleted
}

// A stop lets attempts end, and what they have done is stored; one that does not end in time counts.
func TestStop(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		began, finish := make(chan string), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		q, stop := startUntil(ctx, t, source, func(ctx context.Context, i *item) error {
			began <- i.Key
			select {
			case <-finish:
				return ctx.Err()
			case <-ctx.Done():
				assert.Fail(t, "the attempt was ended")
				return ctx.Err()
			}
		}, supportbeequeue.Options{Workers: 1, StopTimeout: time.Hour, Timeout: 24 * time.Hour})
		put(t, q, "first", "")
		assert.Equal(t, "first", <-began)
		put(t, q, "second", "")
		cancel() // before the attempt ends, so that no other one begins
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		select {
		case <-stopped:
			require.Fail(t, "the attempt did not end")
		case finish <- struct{}{}:
		}
		<-stopped

		var attempts atomic.Int64
		q, stop = start(t, source, func(ctx context.Context, i *item) error {
			attempts.Store(int64(i.Attempt))
			began <- i.Key
			<-ctx.Done()
			return ctx.Err()
		}, supportbeequeue.Options{StopTimeout: time.Millisecond, MinPause: time.Millisecond})
		assert.Equal(t, [2]int{1, 0}, count(t, q), "the first one is done")
		assert.Equal(t, "second", <-began)
		assert.EqualValues(t, 1, attempts.Load())
		stop()

		q, _ = start(t, source, func(_ context.Context, i *item) error {
			attempts.Store(int64(i.Attempt))
			return nil
		}, supportbeequeue.Options{MinPause: time.Millisecond})
		requireCount(t, q, 0, 0)
		assert.EqualValues(t, 2, attempts.Load(), "an attempt that was ended counts")
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		q, _ := start(t, source, func(ctx context.Context, i *item) error {
			if i.Attempt == 1 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}, supportbeequeue.Options{Timeout: 50 * time.Millisecond, MinPause: time.Millisecond})
		put(t, q, "slow", "")
		requireCount(t, q, 0, 0)
	})
}

// The times of a queue in a file, by a clock of the test.
func TestTimes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		var attempts []time.Duration
		var began time.Time
		opts := supportbeequeue.Options{Workers: 1, MinPause: 10 * time.Second, MaxPause: time.Minute, Keep: 20 * time.Minute}
		q, stop := start(t, file, func(context.Context, *item) error {
			attempts = append(attempts, time.Since(began).Round(time.Second))
			if len(attempts) < 6 {
				return errors.New("not yet")
			}
			return nil
		}, opts)
		began = time.Now()
		put(t, q, "a", "")
		<-time.After(19 * time.Minute)
		assert.Equal(t, []time.Duration{0, 10 * time.Second, 30 * time.Second, 70 * time.Second, 130 * time.Second, 190 * time.Second}, attempts)
		assert.False(t, put(t, q, "a", ""))
		<-time.After(5 * time.Minute)
		put(t, q, "b", "") // old keys are deleted when an item is handled
		<-time.After(time.Minute)
		assert.True(t, put(t, q, "a", ""), "after Keep")
		<-time.After(21 * time.Minute)
		assert.True(t, put(t, q, "a", ""), "after Keep, when nothing was handled since")
		assert.False(t, put(t, q, "a", ""))
		<-time.After(time.Minute)
		assert.Len(t, attempts, 9)
		stop()

		// What is waiting for long is due soon after a restart.
		opts.MaxPause = 24 * time.Hour
		failing := func(context.Context, *item) error { return errors.New("not yet") }
		q, stop = start(t, file, failing, opts)
		put(t, q, "c", "")
		<-time.After(15 * time.Minute)
		stop()
		attempts, began = attempts[:5], time.Now()
		_, stop = start(t, file, func(context.Context, *item) error {
			attempts = append(attempts, time.Since(began).Round(time.Second))
			return nil
		}, opts)
		<-time.After(time.Minute)
		stop()
		assert.Equal(t, []time.Duration{10 * time.Second}, attempts[5:])
	})
}

// A key can be used again after Keep, also if the database still has it.
func TestPutAfterKeep(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		handled := make(chan item, 2)
		q, _ := start(t, source, func(_ context.Context, i *item) error {
			handled <- item{Key: i.Key, Value: i.Value, Attempt: i.Attempt}
			return nil
		}, supportbeequeue.Options{Keep: time.Millisecond})
		for _, text := range []string{"one", "two"} {
			require.True(t, put(t, q, "a", text), text)
			assert.Equal(t, item{Key: "a", Value: note{Text: text}, Attempt: 1}, <-handled)
			requireCount(t, q, 0, 0)
			<-time.After(10 * time.Millisecond)
		}
	})
}

func TestKeepForever(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		for _, key := range []string{"a", "b", "c"} {
			q, stop := start(t, file, func(context.Context, *item) error { return nil }, supportbeequeue.Options{Keep: -1})
			assert.True(t, put(t, q, key, ""))
			<-time.After(time.Minute)
			assert.False(t, put(t, q, "a", ""))
			stop()
			<-time.After(1000 * time.Hour)
		}
	})
}

func TestMonitoring(t *testing.T) {
	t.Parallel()
	q, err := supportbeequeue.Open(t.Context(), ":memory:", func(context.Context, *item) error { return nil }, supportbeequeue.Options{})
	require.NoError(t, err)
	put(t, q, "a", "")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(q.Metrics("notes")...)
	want := func(waiting, rejected int) string {
		return "# HELP notes_rejected Items that were rejected, for a person to see; -1 if the queue cannot be reached.\n# TYPE notes_rejected gauge\nnotes_rejected " + strconv.Itoa(rejected) +
			"\n# HELP notes_waiting Items that are to be handled; -1 if the queue cannot be reached.\n# TYPE notes_waiting gauge\nnotes_waiting " + strconv.Itoa(waiting) + "\n"
	}
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want(1, 0))))
	require.NoError(t, q.Healthy(t.Context()))
	require.NoError(t, q.Close())
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(want(-1, -1))))
	require.EqualError(t, q.Healthy(t.Context()), "the queue cannot be reached")
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, *item) error { return nil }
	open := func(source string, handle handler) error {
		_, err := supportbeequeue.Open(t.Context(), source, handle, supportbeequeue.Options{})
		return err
	}
	require.ErrorContains(t, open("", handle), "give the name of a file")
	require.ErrorContains(t, open("queue.db", nil), "and a function")
	require.EqualError(t, open("mysql://localhost", handle), "opening the queue: its URL must begin with postgres://")
	err := open("postgres://ann:hush@localhost:1/x?connect_timeout=5", handle)
	require.ErrorContains(t, err, "opening the queue: ")
	assert.NotContains(t, err.Error(), "hush")

	file := filepath.Join(t.TempDir(), "queue.db")
	start(t, file, handle, supportbeequeue.Options{})
	require.ErrorContains(t, open(file, handle), "which one process at a time can use: database is locked")

	require.Error(t, new(item).Save(t.Context()))
	require.NoError(t, supportbeequeue.Reject(nil))
	require.ErrorIs(t, supportbeequeue.Reject(os.ErrNotExist), os.ErrNotExist)
}

// An item that a newer program cannot read waits for a program that can.
func TestValuesOfAnotherType(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "queue.db")
	failed := make(chan struct{}, 1)
	logger := slog.New(slog.NewTextHandler(writer(func(record string) {
		if strings.Contains(record, "attempt failed") {
			select {
			case failed <- struct{}{}:
			default:
			}
		}
	}), nil))
	old, err := supportbeequeue.Open(t.Context(), file, func(context.Context, *supportbeequeue.Item[string]) error { return nil }, supportbeequeue.Options{})
	require.NoError(t, err)
	_, err = old.Put(t.Context(), "a", "text")
	require.NoError(t, err)
	require.NoError(t, old.Close())
	q, _ := start(t, file, func(context.Context, *item) error { return nil }, supportbeequeue.Options{Logger: logger})
	<-failed
	assert.Equal(t, [2]int{1, 0}, count(t, q))
}

type writer func(record string)

func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
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

// The values are private: only the owner can read new files. An existing one keeps its mode.
func TestFileModes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]os.FileMode{"new": 0o600, "existing": 0o640} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "a queue?.db")
			if name == "existing" {
				require.NoError(t, os.WriteFile(file, nil, want))
				require.NoError(t, os.Chmod(file, want), "whatever the umask")
			}
			q, _ := start(t, file, func(context.Context, *item) error { return nil }, supportbeequeue.Options{})
			put(t, q, "a", "")
			modes := map[string]os.FileMode{}
			entries, err := os.ReadDir(filepath.Dir(file))
			require.NoError(t, err)
			for _, entry := range entries {
				info, err := entry.Info()
				require.NoError(t, err)
				modes[entry.Name()] = info.Mode()
			}
			assert.Equal(t, map[string]os.FileMode{"a queue?.db": want, "a queue?.db-wal": want}, modes)
		})
	}
}

func TestZeroQueue(t *testing.T) {
	t.Parallel()
	const want = "the queue must be made by supportbeequeue.Open"
	for _, queue := range []*supportbeequeue.Queue[int]{nil, {}} {
		_, err := queue.Put(t.Context(), "a", 1)
		require.EqualError(t, err, want)
		require.EqualError(t, queue.Run(t.Context()), want)
		_, _, err = queue.Count(t.Context())
		require.EqualError(t, err, want)
		require.Error(t, queue.Healthy(t.Context()))
		require.Len(t, queue.Metrics("a"), 2)
		require.NoError(t, queue.Close())
	}
}

func TestRunAfterAStop(t *testing.T) {
	t.Parallel()
	sources(t, func(t *testing.T, source string) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		handled := func(context.Context, *item) error { return errors.New("not to be handled") }
		_, stop := startUntil(ctx, t, source, handled, supportbeequeue.Options{})
		stop() // checks that Run returns nil
	})
}
