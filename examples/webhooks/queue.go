package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // the driver
)

const (
	workers    = 4                  // so that one event that is slow does not delay the others
	keepEvents = 7 * 24 * time.Hour // handled events, to recognize repeated ones
	pollEvery  = 200 * time.Millisecond
)

// queue stores events and calls a [handleFunc] for each until it returns nil.
type queue interface {
	// put stores the event before it returns, unless there is one with its key.
	put(ctx context.Context, e event) (added bool, err error)
	run(ctx context.Context) error // until ctx is done and the calls in progress have returned
	waiting(ctx context.Context) (int, error)
	close() error
}

type handleFunc func(ctx context.Context, e event, attempt int) error

// pause returns how long to wait after an attempt that has failed: at least the time after which a
// message that it has posted is in the channel.
func (cfg config) pause(attempt int) time.Duration {
	return max(cfg.settle, min(time.Second<<min(attempt-1, 12), time.Hour))
}

// sqliteQueue is the queue of one process, in a file that it locks.
type sqliteQueue struct {
	config
	db     *sql.DB
	handle handleFunc
}

func openSQLite(ctx context.Context, cfg config, handle handleFunc) (queue, error) {
	source := "file:" + url.PathEscape(cfg.queue) + "?_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the one that has the lock
	// What a process that was killed had begun is due soon: no other one can be at it.
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, event TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, done INTEGER);
		CREATE INDEX IF NOT EXISTS events_due ON events (due) WHERE done IS NULL;
		CREATE INDEX IF NOT EXISTS events_done ON events (done) WHERE done IS NOT NULL;
		UPDATE events SET due = min(due, ?) WHERE done IS NULL`, time.Now().Add(cfg.settle).UnixMilli())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteQueue{config: cfg, db: db, handle: handle}, nil
}

func (q *sqliteQueue) put(ctx context.Context, e event) (bool, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	result, err := q.db.ExecContext(ctx, `INSERT INTO events (key, event, due) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, e.Key, data, time.Now().UnixMilli())
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func (q *sqliteQueue) run(ctx context.Context) error {
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil {
				err := q.next(context.WithoutCancel(ctx)) // what has begun is finished
				if err == nil {
					continue
				}
				if !errors.Is(err, sql.ErrNoRows) {
					q.log.Error("queue failed", "error", err)
				}
				select {
				case <-time.After(pollEvery):
				case <-ctx.Done():
				}
			}
		})
	}
	group.Wait()
	return nil
}

// next handles one event; the error is [sql.ErrNoRows] if none is due. The attempt is counted before
// it begins, so that the next one knows of it even if the process is killed. The event is due again
// if the result cannot be stored.
func (q *sqliteQueue) next(ctx context.Context) error {
	now := time.Now()
	var data []byte
	var attempt int
	err := q.db.QueryRowContext(ctx, `UPDATE events SET attempt = attempt + 1, due = ? WHERE key =
		(SELECT key FROM events WHERE done IS NULL AND due <= ? ORDER BY due LIMIT 1) RETURNING event, attempt`,
		now.Add(2*q.timeout).UnixMilli(), now.UnixMilli()).Scan(&data, &attempt)
	if err != nil {
		return err
	}
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	attemptCtx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	if err := q.handle(attemptCtx, e, attempt); err != nil {
		_, err = q.db.ExecContext(ctx, `UPDATE events SET due = ? WHERE key = ?`, time.Now().Add(q.pause(attempt)).UnixMilli(), e.Key)
		return err
	}
	_, err = q.db.ExecContext(ctx, `UPDATE events SET done = ?1 WHERE key = ?2; DELETE FROM events WHERE done < ?3`,
		now.UnixMilli(), e.Key, now.Add(-keepEvents).UnixMilli())
	return err
}

func (q *sqliteQueue) waiting(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE done IS NULL`).Scan(&n)
	return n, err
}

func (q *sqliteQueue) close() error { return q.db.Close() }

// riverQueue is the queue of any number of processes, in a PostgreSQL database.
type riverQueue struct {
	river.WorkerDefaults[event]
	config
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	handle handleFunc
}

// Kind names events in the database and in Slack.
func (event) Kind() string { return "supportbee_event" }

// InsertOpts makes the key unique. An event is never given up: its attempts end when one succeeds
// or the job is canceled by hand.
func (event) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: math.MaxInt16, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

func openRiver(ctx context.Context, cfg config, handle handleFunc) (queue, error) {
	pool, err := pgxpool.New(ctx, cfg.queue)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { // creates or updates the tables, one process at a time
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('supportbee_event'))`); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	q := &riverQueue{config: cfg, pool: pool, handle: handle}
	registered := river.NewWorkers()
	river.AddWorker(registered, q)
	q.client, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:                     registered,
		Logger:                      cfg.log,
		JobTimeout:                  cfg.timeout,
		RescueStuckJobsAfter:        2 * cfg.timeout,
		SoftStopTimeout:             cfg.timeout,
		CompletedJobRetentionPeriod: keepEvents,
	})
	return q, err
}

// Work implements [river.Worker].
func (q *riverQueue) Work(ctx context.Context, job *river.Job[event]) error {
	return q.handle(ctx, job.Args, job.Attempt)
}

// NextRetry implements [river.Worker].
func (q *riverQueue) NextRetry(job *river.Job[event]) time.Time {
	return time.Now().Add(q.pause(job.Attempt))
}

func (q *riverQueue) put(ctx context.Context, e event) (bool, error) {
	result, err := q.client.Insert(ctx, e, nil)
	if err != nil {
		return false, err
	}
	return !result.UniqueSkippedAsDuplicate, nil
}

func (q *riverQueue) run(ctx context.Context) error {
	if err := q.client.Start(ctx); err != nil {
		return err
	}
	<-q.client.Stopped() // once ctx is done and the events in progress are handled
	return nil
}

func (q *riverQueue) waiting(ctx context.Context) (n int, err error) {
	err = q.pool.QueryRow(ctx, `SELECT count(*) FROM river_job WHERE kind = $1 AND finalized_at IS NULL`, event{}.Kind()).Scan(&n)
	return n, err
}

func (q *riverQueue) close() error {
	q.pool.Close()
	return nil
}
