package supportbeequeue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// job is an item as River stores it.
type job struct {
	Key  string          `json:"key" river:"unique"`
	Data json.RawMessage `json:"data"`
}

func (job) Kind() string { return "supportbeequeue" }

// InsertOpts makes keys unique, those of rejected items too. The attempts never end by themselves.
func (job) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: math.MaxInt16, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()}}
}

// postgres is the queue of any number of processes, in a PostgreSQL database.
type postgres struct {
	river.WorkerDefaults[job]
	opts   Options
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
	handle func(ctx context.Context, e entry) error
}

func openPostgres(ctx context.Context, url string, opts Options, handle func(context.Context, entry) error) (engine, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	q := &postgres{opts: opts, pool: pool, handle: handle}
	if err := q.prepare(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return q, nil
}

// prepare creates or updates the tables, one process at a time.
func (q *postgres) prepare(ctx context.Context) error {
	driver := riverpgxv5.New(q.pool)
	err := pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('supportbeequeue'))`); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: q.opts.Logger})
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, q)
	q.client, err = river.NewClient(driver, &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: q.opts.Workers}},
		Workers:                     workers,
		Logger:                      q.opts.Logger,
		JobTimeout:                  q.opts.Timeout,
		RescueStuckJobsAfter:        2 * q.opts.Timeout,
		SoftStopTimeout:             max(q.opts.StopTimeout, 0), // 0 is at once
		CompletedJobRetentionPeriod: max(q.opts.Keep, -1),       // -1 is forever
		CancelledJobRetentionPeriod: -1,
		DiscardedJobRetentionPeriod: -1,
	})
	return err
}

func (q *postgres) put(ctx context.Context, key string, data []byte) (bool, error) {
	result, err := q.client.Insert(ctx, job{Key: key, Data: data}, nil)
	if err != nil {
		return false, err
	}
	// River deletes what has expired only now and then, and only while a queue runs.
	if old := result.Job; result.UniqueSkippedAsDuplicate && q.opts.Keep > 0 &&
		old.State == rivertype.JobStateCompleted && time.Since(*old.FinalizedAt) > q.opts.Keep {
		if _, err = q.client.JobDelete(ctx, old.ID); err != nil && !errors.Is(err, river.ErrNotFound) {
			return false, err
		}
		if result, err = q.client.Insert(ctx, job{Key: key, Data: data}, nil); err != nil {
			return false, err
		}
	}
	return !result.UniqueSkippedAsDuplicate, nil
}

// Work implements [river.Worker]. Its errors are stored and logged, so they say nothing private, and
// do not wrap that of a context: River would not count an attempt that was ended by a stop.
func (q *postgres) Work(ctx context.Context, j *river.Job[job]) error {
	defer func() {
		if value := recover(); value != nil {
			panic(storable(fmt.Sprint(value))) // River stores it, with the stack of the first panic
		}
	}()
	save := func(ctx context.Context, data []byte) error {
		_, err := q.pool.Exec(ctx, `UPDATE river_job SET args = jsonb_set(args, '{data}', $1) WHERE id = $2`, string(data), j.ID)
		return err
	}
	err := q.handle(ctx, entry{key: j.Args.Key, data: j.Args.Data, attempt: j.Attempt, added: j.CreatedAt, save: save})
	stored, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryTimeout)
	defer cancel()
	if err == nil {
		return pgx.BeginFunc(stored, q.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(stored, `UPDATE river_job SET args = args - 'data', errors = NULL WHERE id = $1`, j.ID)
			if err != nil {
				return err
			}
			_, err = river.JobCompleteTx[*riverpgxv5.Driver](stored, tx, j)
			return err
		})
	}
	if _, rejected := errors.AsType[*rejection](err); rejected {
		_, storeErr := q.pool.Exec(stored, `UPDATE river_job SET metadata = metadata || jsonb_build_object('rejected', $1::text) WHERE id = $2`, storable(err.Error()), j.ID)
		if storeErr == nil {
			return river.JobCancel(public(err))
		}
	}
	return public(err)
}

// NextRetry implements [river.Worker].
func (q *postgres) NextRetry(j *river.Job[job]) time.Time {
	return time.Now().Add(q.opts.pause(j.Attempt))
}

func (q *postgres) run(ctx context.Context) error {
	if err := q.client.Start(ctx); ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // it has not begun
	} else if err != nil {
		return err
	}
	<-q.client.Stopped() // once ctx is done and the attempts in progress have ended
	return nil
}

func (q *postgres) count(ctx context.Context) (waiting, rejected int, err error) {
	err = q.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE finalized_at IS NULL), count(*) FILTER (WHERE state IN ('cancelled', 'discarded'))
		FROM river_job WHERE kind = $1`, job{}.Kind()).Scan(&waiting, &rejected)
	return waiting, rejected, err
}

func (q *postgres) close() error {
	q.pool.Close()
	return nil
}
