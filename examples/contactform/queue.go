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
	clockSkew = 5 * time.Minute  // how far the clock of this machine may be ahead of the help desk's
	retryWait = 30 * time.Second // before a message that could not be sent is due again
)

// queue holds messages until they are tickets. Then only their keys are kept.
type queue struct {
	db     *sql.DB
	client *supportbee.Client
	settle time.Duration // see supportbee.OnceOptions; 0 is its default
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
	// A message that is a ticket or was rejected is never due, which is NULL.
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, stored INTEGER NOT NULL, due INTEGER, message BLOB NOT NULL, rejected TEXT)`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &queue{db: db, client: client, log: slog.Default()}, nil
}

// put stores a message before it returns. It ignores one that was stored before.
func (q *queue) put(ctx context.Context, m message) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	// A form that was changed before it was sent again has the same ID and is another message.
	key := fmt.Sprintf("%x", sha256.Sum256(data))
	now := time.Now().UnixMilli()
	_, err = q.db.ExecContext(ctx, `INSERT INTO messages (id, stored, due, message) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, key, now, now, data)
	if err != nil {
		q.log.Error("message not stored", "error", err)
	}
	return err
}

// run sends the messages until ctx is done.
func (q *queue) run(ctx context.Context) error {
	for {
		err := q.next(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			continue
		case !errors.Is(err, sql.ErrNoRows):
			q.log.Error("queue failed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// next sends the message that has been due for longest. If it cannot be sent, it is due again later.
func (q *queue) next(ctx context.Context) error {
	var id string
	var stored int64
	var data []byte
	row := q.db.QueryRowContext(ctx, `SELECT id, stored, message FROM messages WHERE due <= ? ORDER BY due LIMIT 1`, time.Now().UnixMilli())
	if err := row.Scan(&id, &stored, &data); err != nil {
		return err
	}
	var m message
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	err := q.send(ctx, id, m, time.UnixMilli(stored))
	switch { // records of the SDK's errors do not have what the server said, which can repeat what somebody wrote
	case ctx.Err() != nil:
		return ctx.Err() // the next run looks for the ticket before it sends the message
	case err == nil:
		_, err = q.db.ExecContext(ctx, `UPDATE messages SET due = NULL, message = '' WHERE id = ?`, id)
	case errors.Is(err, supportbee.ErrValidation), errors.Is(err, supportbee.ErrInvalidArgument):
		q.log.Error("message rejected: see the table messages", "id", id, "error", err)
		_, err = q.db.ExecContext(ctx, `UPDATE messages SET due = NULL, rejected = ? WHERE id = ?`, err.Error(), id)
	default:
		q.log.Warn("message not sent yet", "id", id, "retry_after", retryWait, "error", err)
		_, err = q.db.ExecContext(ctx, `UPDATE messages SET due = ? WHERE id = ?`, time.Now().Add(retryWait).UnixMilli(), id)
	}
	return err
}

// send creates the ticket of a message, unless it is there. A file is uploaded once: it cannot be
// deleted.
func (q *queue) send(ctx context.Context, id string, m message, stored time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute) // much longer than what CreateOnce may wait
	defer cancel()
	if m.FileName != "" && m.Attachment == 0 {
		file, err := q.client.Attachments.Upload(ctx, m.FileName, bytes.NewReader(m.File), &supportbee.UploadOptions{ContentType: m.FileType})
		if err != nil {
			return err
		}
		m.Attachment, m.File = file.ID, nil
		data, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if _, err := q.db.ExecContext(ctx, `UPDATE messages SET message = ? WHERE id = ?`, data, id); err != nil {
			return err
		}
	}
	_, err := q.client.Tickets.CreateOnce(ctx, m.params(), &supportbee.OnceOptions{Since: stored.Add(-clockSkew), Settle: q.settle})
	return err
}

// count returns how many messages are to be sent, and how many the help desk has rejected.
func (q *queue) count(ctx context.Context) (waiting, rejected int, err error) {
	err = q.db.QueryRowContext(ctx, `SELECT count(due), count(rejected) FROM messages`).Scan(&waiting, &rejected)
	return waiting, rejected, err
}
