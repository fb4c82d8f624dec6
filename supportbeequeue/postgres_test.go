package supportbeequeue_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeequeue"
)

// server is the PostgreSQL server of all tests.
var server struct {
	start   sync.Once
	url     string // without the name of a database; "" if PostgreSQL is not installed
	err     error
	stop    func()
	created atomic.Int64 // databases
}

func TestMain(m *testing.M) {
	server.stop = func() {}
	status := m.Run()
	server.stop()
	os.Exit(status)
}

// startPostgreSQL returns the URL of an empty database, and skips the test if PostgreSQL is not installed.
func startPostgreSQL(t *testing.T) (source string) {
	server.start.Do(func() { server.err = startServer() })
	require.NoError(t, server.err)
	if server.url == "" {
		t.Skip("PostgreSQL is not installed: neither initdb in PATH nor /usr/lib/postgresql/*/bin/initdb")
	}
	name := fmt.Sprint("test", server.created.Add(1))
	execute(t, server.url+"postgres", "CREATE DATABASE "+name)
	return server.url + name
}

// startServer starts a server on a free port, as another user if this one is root.
func startServer() error {
	initdb, err := exec.LookPath("initdb")
	if programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); len(programs) > 0 {
		initdb = programs[len(programs)-1]
	} else if err != nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "supportbeequeue")
	if err != nil {
		return err
	}
	server.stop = func() { _ = os.RemoveAll(dir) }
	var as []string
	if os.Getuid() == 0 {
		account, err := user.Lookup("postgres")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(account.Uid)
		if err := os.Chown(dir, uid, -1); err != nil {
			return err
		}
		as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"}
	}
	command := func(name string, args ...string) *exec.Cmd {
		args = append(append(as, filepath.Join(filepath.Dir(initdb), name)), args...)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command("initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := listener.Addr().String()
	host, port, err := net.SplitHostPort(address)
	if err := errors.Join(err, listener.Close()); err != nil {
		return err
	}
	postgres := command("postgres", "-D", data, "-h", host, "-p", port, "-k", dir, "-F")
	if err := postgres.Start(); err != nil {
		return err
	}
	server.stop = func() {
		_ = postgres.Process.Signal(os.Interrupt) // the fast shutdown
		_ = postgres.Wait()
		_ = os.RemoveAll(dir)
	}
	server.url = "postgres://postgres@" + address + "/"
	for deadline := time.Now().Add(waitAtMost); ; <-time.After(50 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), server.url+"postgres")
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

func execute(t *testing.T, source, statement string) {
	conn, err := pgx.Connect(t.Context(), source)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

func dumpPostgreSQL(t *testing.T, source string) (text string) {
	conn, err := pgx.Connect(t.Context(), source)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT string_agg(river_job::text, chr(10)) FROM river_job`).Scan(&text))
	return text
}

// Several machines open a new database at once and add the same items.
func TestMachinesThatShareADatabase(t *testing.T) {
	t.Parallel()
	source := startPostgreSQL(t)
	const machines, items = 4, 50
	var added, handled atomic.Int64
	var keys sync.Map
	var group sync.WaitGroup
	for range machines {
		group.Go(func() {
			q, err := supportbeequeue.Open(t.Context(), source, func(_ context.Context, i *item) error {
				handled.Add(1)
				_, again := keys.LoadOrStore(i.Key, true)
				assert.False(t, again, i.Key)
				return nil
			}, supportbeequeue.Options{})
			if !assert.NoError(t, err) {
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- q.Run(ctx) }()
			for i := range items {
				isNew, err := q.Put(t.Context(), strconv.Itoa(i), note{})
				assert.NoError(t, err)
				if isNew {
					added.Add(1)
				}
			}
			assert.Eventually(t, func() bool { return count(t, q) == [2]int{} }, waitAtMost, 10*time.Millisecond)
			cancel()
			assert.NoError(t, errors.Join(<-ended, q.Close()))
		})
	}
	group.Wait()
	assert.EqualValues(t, items, added.Load())
	assert.EqualValues(t, items, handled.Load())
}

func TestQueuesInSchemasOfOneDatabase(t *testing.T) {
	t.Parallel()
	source := startPostgreSQL(t)
	execute(t, source, "CREATE SCHEMA a; CREATE SCHEMA b")
	handled := make(chan string, 1)
	handle := func(_ context.Context, i *item) error {
		handled <- i.Value.Text
		return nil
	}
	a, _ := start(t, source+"?search_path=a", handle, supportbeequeue.Options{})
	b, err := supportbeequeue.Open(t.Context(), source+"?search_path=b", handle, supportbeequeue.Options{})
	require.NoError(t, err)
	defer b.Close()
	assert.True(t, put(t, b, "key", "of b"))
	assert.True(t, put(t, a, "key", "of a"))
	assert.Equal(t, "of a", <-handled)
	requireCount(t, a, 0, 0)
	assert.Equal(t, [2]int{1, 0}, count(t, b))
}

func TestPostgreSQLStoresNoNUL(t *testing.T) {
	t.Parallel()
	q, _ := start(t, startPostgreSQL(t), func(context.Context, *item) error { return nil }, supportbeequeue.Options{})
	_, err := q.Put(t.Context(), "key", note{Text: "\x00"})
	require.ErrorContains(t, err, "Unicode")
	assert.Equal(t, [2]int{}, count(t, q))
}

// River recovers from panics, and stores their values.
func TestPanicWithNUL(t *testing.T) {
	t.Parallel()
	source := startPostgreSQL(t)
	stored := make(chan string, 1)
	q, _ := start(t, source, func(_ context.Context, i *item) error {
		if i.Attempt == 1 {
			panic("it went \x00")
		}
		stored <- dumpPostgreSQL(t, source)
		return nil
	}, supportbeequeue.Options{MinPause: time.Millisecond})
	put(t, q, "key", "")
	requireCount(t, q, 0, 0)
	text := <-stored
	assert.Contains(t, text, "it went \uFFFD")
	assert.Contains(t, text, "TestPanicWithNUL.func1", "the stack")
}
