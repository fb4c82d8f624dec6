package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver
)

// sqliteQueue is the queue of one process, in a file that it locks.
type sqliteQueue struct {
	config
	db     *sql.DB
	handle handleFunc
	added  chan struct{} // wakes a worker
}

func openSQLite(cfg config, handle handleFunc) (queue, error) {
	source := url.URL{Scheme: "file", Opaque: url.PathEscape(cfg.queue), RawQuery: "_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the one that has the lock
	// What a process that was killed had begun is due soon: no other one can be at it.
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS events (key TEXT PRIMARY KEY, event TEXT NOT NULL, attempt INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, done INTEGER);
		CREATE INDEX IF NOT EXISTS events_due ON events (due) WHERE done IS NULL;
		CREATE INDEX IF NOT EXISTS events_done ON events (done) WHERE done IS NOT NULL;
		UPDATE events SET due = min(due, ?) WHERE done IS NULL`, time.Now().Add(cfg.settle).UnixMilli())
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteQueue{config: cfg, db: db, handle: handle, added: make(chan struct{}, workers)}, nil
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
	select {
	case q.added <- struct{}{}:
	default: // all workers are busy or woken
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func (q *sqliteQueue) run(ctx context.Context) error {
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for ctx.Err() == nil {
				err := q.next(context.WithoutCancel(ctx)) // what has begun is finished
				if err == nil {
					continue
				}
				if !errors.Is(err, sql.ErrNoRows) {
					q.logger.Error("queue failed", "error", err)
				}
				select {
				case <-q.added:
				case <-time.After(time.Second): // an event can be due again
				case <-ctx.Done():
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// next handles one event. The attempt is counted before it begins, so that the next one knows of it
// even if the process is killed. The event is due again if the result cannot be stored.
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
		_, uncounted := errors.AsType[*slack.RateLimitedError](err) // since nothing was posted
		_, err = q.db.ExecContext(ctx, `UPDATE events SET attempt = attempt - ?, due = ? WHERE key = ?`, uncounted, time.Now().Add(q.pause(attempt, err)).UnixMilli(), e.Key)
		return err
	}
	if _, err := q.db.ExecContext(ctx, `UPDATE events SET done = ? WHERE key = ?`, now.UnixMilli(), e.Key); err != nil {
		return err
	}
	_, err = q.db.ExecContext(ctx, `DELETE FROM events WHERE done < ?`, now.Add(-keepEvents).UnixMilli())
	return err
}

func (q *sqliteQueue) waiting(ctx context.Context) (n int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT count(*) FROM events WHERE done IS NULL`).Scan(&n)
	return n, err
}

func (q *sqliteQueue) close() error { return q.db.Close() }
