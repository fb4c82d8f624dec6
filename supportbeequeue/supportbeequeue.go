// Package supportbeequeue keeps items in a durable queue, in a file or in a PostgreSQL database, and
// calls a function for each until it succeeds, so that none is lost if the program is killed or
// another service is down.
//
//	queue, err := supportbeequeue.Open(ctx, "orders.db", handle, supportbeequeue.Options{})
//	...
//	service.Go(queue.Run) // a supportbeeservice.Service
//	...
//	added, err := queue.Put(ctx, "order-17", order{Number: 17}) // stored if err is nil
//
//	func handle(ctx context.Context, item *supportbeequeue.Item[order]) error { ... }
//
// An item is handled at least once: the program can be killed when its work is done and this is not
// stored yet. [Item.Attempt] tells that an earlier attempt has begun, so that the function can look
// for what it has done.
package supportbeequeue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const queryTimeout = 5 * time.Second // of queries for metrics and health checks

// Options configures a queue.
type Options struct {
	// Workers is how many items this process handles at the same time. The default is 4.
	Workers int

	// Timeout is how long an attempt may take until its context is done. The default is 1 minute.
	// An item whose attempt has no result after twice that time, as when its process was killed, is
	// handled again: a function must return when its context is done.
	Timeout time.Duration

	// StopTimeout is how long the attempts in progress may go on once the context of Run is done,
	// until theirs are done too. The default is 10 seconds; if it is negative, they are done at once.
	StopTimeout time.Duration

	// MinPause is the least time between an attempt that failed and the next one. It doubles with
	// each attempt, up to MaxPause. The defaults are 1 second and 1 hour.
	MinPause, MaxPause time.Duration

	// Keep is how long keys of handled items are kept, for Put to ignore them. The default is 7
	// days; if it is negative, they are kept forever. Keys of rejected items always are.
	Keep time.Duration

	// Logger gets failed attempts and rejected items, with their keys. Of errors that implement
	// [slog.LogValuer], as those of the SDK do, it gets that value only, which has no personal
	// data. The default is [slog.Default].
	Logger *slog.Logger
}

// withDefaults returns a copy whose zero fields have their defaults.
func (o Options) withDefaults() Options {
	o.Workers = cmp.Or(max(o.Workers, 0), 4)
	o.Timeout = cmp.Or(max(o.Timeout, 0), time.Minute)
	o.StopTimeout = cmp.Or(o.StopTimeout, 10*time.Second)
	o.MinPause = cmp.Or(max(o.MinPause, 0), time.Second)
	o.MaxPause = max(o.MinPause, cmp.Or(max(o.MaxPause, 0), time.Hour))
	o.Keep = cmp.Or(o.Keep, 7*24*time.Hour)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	return o
}

// pause returns how long to wait after an attempt that has failed.
func (o Options) pause(attempt int) time.Duration {
	pause := o.MinPause
	for i := 1; i < attempt && pause < o.MaxPause; i++ {
		pause *= 2
	}
	return min(pause, o.MaxPause)
}

// Item is an item of a queue, with a value that is stored as JSON.
type Item[T any] struct {
	Key     string
	Value   T
	Attempt int       // 1 for the first; counted before it begins, so that one that was killed counts
	Added   time.Time // by the clock of the machine or database that stored the item

	save func(ctx context.Context, data []byte) error
}

// Save stores the value, changed by an attempt, for later attempts.
func (i *Item[T]) Save(ctx context.Context) error {
	if i.save == nil {
		return errors.New("the item was not made by a queue: it cannot be saved")
	}
	data, err := json.Marshal(i.Value)
	if err != nil {
		return err
	}
	return i.save(ctx, data)
}

// Reject returns an error that makes a queue try an item no more. The queue keeps the item, for a
// person to see, and the text of err: in the columns data and rejected of the table items of a file;
// in args and metadata of the table river_job of a PostgreSQL database. In the text, U+FFFD is in place of
// NUL and invalid UTF-8. Reject returns nil if err is nil.
func Reject(err error) error {
	if err == nil {
		return nil
	}
	return &rejection{err}
}

type rejection struct{ error }

func (r *rejection) Unwrap() error { return r.error }

// Queue is a queue of items with values of one type. It must be made by [Open]. Its methods are safe
// for concurrent use.
type Queue[T any] struct {
	opts   Options
	handle func(ctx context.Context, item *Item[T]) error
	engine engine
}

// engine stores items in a database and calls a function for each.
type engine interface {
	put(ctx context.Context, key string, data []byte) (added bool, err error)
	run(ctx context.Context) error
	count(ctx context.Context) (waiting, rejected int, err error)
	close() error
}

// entry is an item in a database.
type entry struct {
	key     string
	data    []byte
	attempt int
	added   time.Time
	save    func(ctx context.Context, data []byte) error
}

// Open opens a queue, which it creates if it does not exist. Run then calls handle for each item,
// until it returns nil or the error of [Reject].
//
// The source is the name of an SQLite file, on a local disk, which one process at a time can use and
// others find locked; ":memory:" for a queue that is lost with the program; or the postgres:// URL of
// a database that any number of processes share. A file that Open creates can be read by its owner
// only. In a database, the tables are those of River (https://riverqueue.com), which are created in the
// schema of the connection. Each queue needs a database of its own, or an existing schema named by the
// parameter search_path of the URL.
//
// The values of handled items are erased: in a file at once, apart from its write-ahead log, which is
// overwritten; in PostgreSQL when it vacuums the table.
func Open[T any](ctx context.Context, source string, handle func(ctx context.Context, item *Item[T]) error, opts Options) (*Queue[T], error) {
	if source == "" || handle == nil {
		return nil, errors.New("opening the queue: give the name of a file or a postgres:// URL, and a function that handles items")
	}
	q := &Queue[T]{opts: opts.withDefaults(), handle: handle}
	var err error
	scheme, _, isURL := strings.Cut(source, "://")
	switch {
	case !isURL:
		q.engine, err = openSQLite(ctx, source, q.opts, q.attempt)
	case scheme == "postgres" || scheme == "postgresql":
		q.engine, err = openPostgres(ctx, source, q.opts, q.attempt)
	default:
		err = errors.New("its URL must begin with postgres://")
	}
	if err != nil {
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	return q, nil
}

// open returns the engine, or one that only fails for a queue that was not made by Open.
func (q *Queue[T]) open() engine {
	if q == nil || q.engine == nil {
		return unopened{}
	}
	return q.engine
}

var errUnopened = errors.New("the queue must be made by supportbeequeue.Open")

type unopened struct{}

func (unopened) put(context.Context, string, []byte) (bool, error) { return false, errUnopened }
func (unopened) run(context.Context) error                         { return errUnopened }
func (unopened) count(context.Context) (int, int, error)           { return 0, 0, errUnopened }
func (unopened) close() error                                      { return nil }

// attempt handles an item and logs what a person may need to know.
func (q *Queue[T]) attempt(ctx context.Context, e entry) error {
	item := &Item[T]{Key: e.key, Attempt: e.attempt, Added: e.added, save: e.save}
	err := json.Unmarshal(e.data, &item.Value)
	if err == nil {
		err = q.handle(ctx, item)
	}
	log := q.opts.Logger.With("key", e.key, "attempt", e.attempt)
	if _, rejected := errors.AsType[*rejection](err); rejected {
		log.Error("item rejected", "error", public(err))
	} else if err != nil {
		log.Warn("attempt failed", "error", public(err), "pause", q.opts.pause(e.attempt))
	}
	return err
}

// public returns an error for logs, without what the error of a server says, which can repeat what
// somebody wrote. It wraps nothing.
func public(err error) error {
	type logged interface {
		error
		slog.LogValuer
	}
	if l, ok := errors.AsType[logged](err); ok {
		return errors.New(storable(l.LogValue().Resolve().String()))
	}
	return errors.New(storable(err.Error()))
}

// storable returns the text of an error as each database can store it. PostgreSQL has no NUL, and River
// stores results in batches: one that cannot be stored would hold up those of other items.
func storable(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}

// Put stores an item before it returns, unless there is one with its key, or there was one that was
// handled within the time of [Options.Keep]. Then added is false and the error nil. If key is empty, it
// is a hash of the value, so that equal values are one item.
//
// PostgreSQL stores no texts with the character NUL: the error of Put says so.
func (q *Queue[T]) Put(ctx context.Context, key string, value T) (added bool, err error) {
	data, err := json.Marshal(value)
	if err != nil {
		return false, err
	}
	if key == "" {
		key = fmt.Sprintf("%x", sha256.Sum256(data))
	}
	return q.open().put(ctx, key, data)
}

// Run handles items, those that have waited longest first, until ctx is done and the attempts in
// progress have ended: see [Options.StopTimeout]. It must be called once. What an earlier process had
// begun is handled again after [Options.MinPause] if the queue is a file, after about twice
// [Options.Timeout] and a minute if it is shared.
//
// The error is nil if ctx is done, and otherwise says why the queue cannot run.
func (q *Queue[T]) Run(ctx context.Context) error { return q.open().run(ctx) }

// Count returns how many items are to be handled, and how many were rejected.
func (q *Queue[T]) Count(ctx context.Context) (waiting, rejected int, err error) {
	return q.open().count(ctx)
}

// Healthy returns an error if the queue cannot be read within 5 seconds. It is a health check for
// supportbeeservice, and says nothing that must not be public.
func (q *Queue[T]) Healthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if _, _, err := q.Count(ctx); err != nil {
		return errors.New("the queue cannot be reached")
	}
	return nil
}

// Metrics returns the gauges NAMESPACE_waiting and NAMESPACE_rejected, which are -1 if the queue
// cannot be read within 5 seconds.
func (q *Queue[T]) Metrics(namespace string) []prometheus.Collector {
	gauge := func(name, help string, choose func(waiting, rejected int) int) prometheus.Collector {
		opts := prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help + "; -1 if the queue cannot be reached."}
		return prometheus.NewGaugeFunc(opts, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
			defer cancel()
			waiting, rejected, err := q.Count(ctx)
			if err != nil {
				return -1
			}
			return float64(choose(waiting, rejected))
		})
	}
	return []prometheus.Collector{
		gauge("waiting", "Items that are to be handled", func(waiting, _ int) int { return waiting }),
		gauge("rejected", "Items that were rejected, for a person to see", func(_, rejected int) int { return rejected }),
	}
}

// Close closes the queue, once Run has returned.
func (q *Queue[T]) Close() error { return q.open().close() }
