package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/supportbee-go/supportbee"
	_ "modernc.org/sqlite" // the driver
)

const (
	clockSkew = 5 * time.Minute // how far the clock of this machine may be ahead of the help desk's
	remember  = 24 * time.Hour  // how long a form that is sent again is recognized
)

// queue holds messages until they are tickets. Then only their keys are kept.
type queue struct {
	db     *sql.DB
	client *supportbee.Client
	settle time.Duration // see supportbee.OnceOptions; 0 is its default
	sent   func()
	wake   chan struct{}
	log    *slog.Logger
}

// openQueue opens or creates the queue in a file, which it locks.
func openQueue(path string, client *supportbee.Client) (*queue, error) {
	source := url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: "_pragma=locking_mode(EXCLUSIVE)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the one that has the lock
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, stored INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 0, due INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
		message TEXT NOT NULL, file BLOB, attachment INTEGER NOT NULL DEFAULT 0, rejected TEXT NOT NULL DEFAULT '')`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &queue{db: db, client: client, sent: func() {}, wake: make(chan struct{}, 1), log: slog.Default()}, nil
}

// put stores a message before it returns. It ignores one that was stored before.
func (q *queue) put(ctx context.Context, m message) error {
	file := m.File
	m.File = nil
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// A form that was changed before it was sent again has the same ID and is another message.
	key := fmt.Sprintf("%x", sha256.Sum256(append(text, file...)))
	now := time.Now().UnixMilli()
	_, err = q.db.ExecContext(ctx, `INSERT INTO messages (id, stored, due, message, file) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, key, now, now, text, file)
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return err
}

// run sends the messages until ctx is done.
func (q *queue) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := q.next(ctx)
		if err == nil {
			continue
		}
		if !errors.Is(err, sql.ErrNoRows) && ctx.Err() == nil {
			q.log.Error("queue failed", "error", err)
		}
		select {
		case <-q.wake:
		case <-time.After(time.Second): // a message can be due again
		case <-ctx.Done():
		}
	}
}

// next sends the message that has been due for longest. If it cannot be sent, it is due again later.
func (q *queue) next(ctx context.Context) error {
	var id, text string
	var file []byte
	var stored, attempts, attachment int64
	now := time.Now()
	row := q.db.QueryRowContext(ctx, `SELECT id, stored, attempts, message, file, attachment FROM messages WHERE sent = 0 AND rejected = '' AND due <= ? ORDER BY due LIMIT 1`, now.UnixMilli())
	if err := row.Scan(&id, &stored, &attempts, &text, &file, &attachment); err != nil {
		return err
	}
	var m message
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	m.File = file
	err := q.send(ctx, id, m, time.UnixMilli(stored), supportbee.AttachmentID(attachment))
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // the next run looks for the ticket before it sends the message
	case err == nil:
		q.sent()
		if _, err = q.db.ExecContext(ctx, `UPDATE messages SET sent = ?, message = '', file = NULL WHERE id = ?`, time.Now().UnixMilli(), id); err != nil {
			return err
		}
		_, err = q.db.ExecContext(ctx, `DELETE FROM messages WHERE sent BETWEEN 1 AND ?`, now.Add(-remember).UnixMilli())
		return err
	case errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
		q.log.Error("message rejected: see the table messages", "id", id, "error", withoutText(err))
		_, err = q.db.ExecContext(ctx, `UPDATE messages SET rejected = ? WHERE id = ?`, err.Error(), id)
		return err
	}
	wait := min(time.Second<<min(attempts, 9), 5*time.Minute)
	q.log.Warn("message not sent yet", "id", id, "retry_after", wait, "error", withoutText(err))
	_, err = q.db.ExecContext(ctx, `UPDATE messages SET attempts = attempts + 1, due = ? WHERE id = ?`, time.Now().Add(wait).UnixMilli(), id)
	return err
}

// send creates the ticket of a message, unless it is there. A file is uploaded once: it cannot be
// deleted.
func (q *queue) send(ctx context.Context, id string, m message, stored time.Time, attachment supportbee.AttachmentID) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // much longer than what CreateOnce may wait
	defer cancel()
	params := m.params()
	if m.FileName != "" {
		if attachment == 0 {
			file, err := q.client.Attachments.Upload(ctx, m.FileName, bytes.NewReader(m.File), &supportbee.UploadOptions{ContentType: m.FileType})
			if err != nil {
				return err
			}
			attachment = file.ID
			if _, err := q.db.ExecContext(ctx, `UPDATE messages SET attachment = ?, file = NULL WHERE id = ?`, attachment, id); err != nil {
				return err
			}
		}
		params.Content = params.Content.Attach(attachment)
	}
	_, err := q.client.Tickets.CreateOnce(ctx, params, &supportbee.OnceOptions{Since: stored.Add(-clockSkew), Settle: q.settle})
	return err
}

// waiting returns how many messages are not sent, and how many of these never will be.
func (q *queue) waiting(ctx context.Context) (all, rejected int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN rejected <> '' THEN 1 END) FROM messages WHERE sent = 0`).Scan(&all, &rejected)
	return all, rejected, err
}

// withoutText returns an error without what the server said, which can repeat what somebody wrote.
func withoutText(err error) any {
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
		return apiErr.LogValue()
	}
	return err
}
