package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	"github.com/slack-go/slack"
)

// riverQueue is the queue of any number of processes, in a PostgreSQL database.
type riverQueue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// Kind names events in the database.
func (event) Kind() string { return "supportbee_event" }

// InsertOpts makes the key unique. An event is never given up: its attempts end when one succeeds
// or the job is canceled by hand.
func (event) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: math.MaxInt16, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

type retryPolicy struct{ config }

func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(p.pause(job.Attempt, nil))
}

func openRiver(ctx context.Context, cfg config, handle handleFunc) (queue, error) {
	pool, err := pgxpool.New(ctx, cfg.queue)
	if err != nil {
		return nil, err
	}
	q := &riverQueue{pool: pool}
	if err := q.migrate(ctx); err != nil {
		return nil, errors.Join(err, q.close())
	}
	registered := river.NewWorkers()
	river.AddWorker(registered, river.WorkFunc(func(ctx context.Context, job *river.Job[event]) error {
		err := handle(ctx, job.Args, job.Attempt)
		if _, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			return river.JobSnooze(cfg.pause(job.Attempt, err)) // not an error, and the attempt does not count
		}
		return err
	}))
	q.client, err = river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:                     registered,
		Logger:                      cfg.logger,
		RetryPolicy:                 retryPolicy{cfg},
		JobTimeout:                  cfg.timeout,
		RescueStuckJobsAfter:        2 * cfg.timeout,
		SoftStopTimeout:             cfg.timeout,
		CompletedJobRetentionPeriod: keepEvents,
	})
	if err != nil {
		return nil, errors.Join(err, q.close())
	}
	return q, nil
}

// migrate creates or updates River's tables, one process at a time.
func (q *riverQueue) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('supportbee_event'))`); err != nil {
			return err
		}
		migrator, err := rivermigrate.New(riverpgxv5.New(q.pool), nil)
		if err != nil {
			return err
		}
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
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
