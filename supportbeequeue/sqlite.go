package supportbeequeue

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver
)

const pollEvery = 200 * time.Millisecond

//go:embed sqlite.sql
var sqliteSchema string

// sqlite is the queue of one process, in a file that it locks.
type sqlite struct {
	opts   Options
	db     *sql.DB
	handle func(ctx context.Context, e entry) error
}

func openSQLite(ctx context.Context, file string, opts Options, handle func(context.Context, entry) error) (engine, error) {
	if file != ":memory:" {
		// SQLite would create a file that others can read. It gives the files beside it the same mode.
		if f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			_ = f.Close()
		}
	}
	pragmas := url.Values{"_pragma": {"locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(1)"}}
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(file)+"?"+pragmas.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the one that has the lock
	if _, err := db.ExecContext(ctx, sqliteSchema); err != nil {
		return nil, fmt.Errorf("file %s, which one process at a time can use: %w", file, errors.Join(err, db.Close()))
	}
	return &sqlite{opts: opts, db: db, handle: handle}, nil
}

func (q *sqlite) put(ctx context.Context, key string, data []byte) (bool, error) {
	now := time.Now()
	var expired int64 // what was handled before is as if it were deleted
	if q.opts.Keep > 0 {
		expired = now.Add(-q.opts.Keep).UnixMilli()
	}
	result, err := q.db.ExecContext(ctx, `INSERT INTO items (key, added, due, data) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET added = excluded.added, attempt = 0, due = excluded.due, done = NULL, data = excluded.data WHERE done < ?`,
		key, now.UnixMilli(), now.UnixMilli(), data, expired)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

func (q *sqlite) run(ctx context.Context) error {
	attempts, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(q.opts.StopTimeout, stop) })()
	// What a process that was killed had begun is due soon: no other one can be at it.
	_, err := q.db.ExecContext(attempts, `UPDATE items SET due = min(due, ?) WHERE due IS NOT NULL`, time.Now().Add(q.opts.MinPause).UnixMilli())
	if err != nil {
		return err
	}
	var workers sync.WaitGroup
	for range q.opts.Workers {
		workers.Go(func() {
			for ctx.Err() == nil {
				err := q.next(attempts)
				if err == nil {
					continue
				}
				if !errors.Is(err, sql.ErrNoRows) {
					q.opts.Logger.Error("queue failed", "error", err)
				}
				select {
				case <-time.After(pollEvery):
				case <-ctx.Done():
				}
			}
		})
	}
	workers.Wait()
	return nil
}

// next handles the item that has been due for longest; the error is [sql.ErrNoRows] if none is due.
// The item is due again if its result cannot be stored.
func (q *sqlite) next(attempts context.Context) error {
	ctx := context.WithoutCancel(attempts)
	now := time.Now()
	var e entry
	var added int64
	err := q.db.QueryRowContext(ctx, `UPDATE items SET attempt = attempt + 1, due = ? WHERE key =
		(SELECT key FROM items WHERE due <= ? ORDER BY due LIMIT 1) RETURNING key, data, attempt, added`,
		now.Add(2*q.opts.Timeout).UnixMilli(), now.UnixMilli()).Scan(&e.key, &e.data, &e.attempt, &added)
	if err != nil {
		return err
	}
	e.added = time.UnixMilli(added)
	e.save = func(ctx context.Context, data []byte) error {
		_, err := q.db.ExecContext(ctx, `UPDATE items SET data = ? WHERE key = ?`, data, e.key)
		return err
	}
	attempt, cancel := context.WithTimeout(attempts, q.opts.Timeout)
	defer cancel()
	err = q.handle(attempt, e)
	now = time.Now()
	rejected, _ := errors.AsType[*rejection](err)
	switch {
	case err == nil:
		_, err = q.db.ExecContext(ctx, `UPDATE items SET due = NULL, done = ?, data = NULL WHERE key = ?`, now.UnixMilli(), e.key)
		if err == nil && q.opts.Keep > 0 {
			_, err = q.db.ExecContext(ctx, `DELETE FROM items WHERE done < ?`, now.Add(-q.opts.Keep).UnixMilli())
		}
		return err
	case rejected != nil:
		_, err = q.db.ExecContext(ctx, `UPDATE items SET due = NULL, rejected = ? WHERE key = ?`, storable(err.Error()), e.key)
		return err
	case attempts.Err() != nil:
		return nil // the next run begins with it, as if the process had been killed
	}
	_, err = q.db.ExecContext(ctx, `UPDATE items SET due = ? WHERE key = ?`, now.Add(q.opts.pause(e.attempt)).UnixMilli(), e.key)
	return err
}

func (q *sqlite) count(ctx context.Context) (waiting, rejected int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM items WHERE due IS NOT NULL),
		(SELECT count(*) FROM items WHERE rejected IS NOT NULL)`).Scan(&waiting, &rejected)
	return waiting, rejected, err
}

func (q *sqlite) close() error { return q.db.Close() }
