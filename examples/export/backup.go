package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/supportbee-go/supportbee"
)

const schema = `
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY, line TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL);`

// record is a line of tickets.jsonl.
type record struct {
	*supportbee.Thread
	Deleted bool `json:"deleted,omitzero"` // while it was read: something may be absent
}

// backup copies a help desk into a directory. The database has everything but the content of files,
// and the files of lines are written from it.
//
// A checkpoint is saved when the tickets before it are stored: after a kill between the two, a ticket
// is stored again, in place of itself. A power failure may undo the last changes to the database, but
// only together with those that were made after them.
type backup struct {
	client *supportbee.Client
	dir    string
	db     *sql.DB
}

// openBackup opens or creates a backup, and locks it until its database is closed.
func openBackup(dir string, client *supportbee.Client) (*backup, error) {
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "index.db")
	if file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = file.Close() // SQLite would create a file that others can read
	}
	path := url.URL{Path: filepath.ToSlash(name)}
	const pragmas = "?_pragma=locking_mode(exclusive)&_pragma=journal_mode(wal)&_pragma=synchronous(normal)"
	db, err := sql.Open("sqlite", "file:"+path.EscapedPath()+pragmas)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the lock is that of a connection
	if _, err := db.Exec(schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open index.db, which another program may be using: %w", err), db.Close())
	}
	return &backup{client, dir, db}, nil
}

// backUp creates or continues a backup in a directory, and prints what it has.
func backUp(ctx context.Context, client *supportbee.Client, dir string, opts supportbee.ExportOptions, out io.Writer) error {
	b, err := openBackup(dir, client)
	if err != nil {
		return err
	}
	defer func() { _ = b.db.Close() }()
	if err = errors.Join(b.lists(ctx), b.tickets(ctx, opts)); ctx.Err() != nil {
		return err
	}
	for _, list := range []string{"users", "teams", "labels", "snippets"} {
		const lines = "SELECT e.value FROM state, json_each(state.value) e WHERE name = ? AND e.type = 'object'"
		_, listErr := b.write(ctx, list+".jsonl", lines, list)
		err = errors.Join(err, listErr)
	}
	tickets, ticketsErr := b.write(ctx, "tickets.jsonl", "SELECT line FROM tickets ORDER BY id")
	files, filesErr := b.write(ctx, "SHA256SUMS", "SELECT sha256 || '  files/' || id FROM files ORDER BY id")
	_, printErr := fmt.Fprintf(out, "%s: %d tickets, %d files\n", dir, tickets, files)
	return errors.Join(err, ticketsErr, filesErr, printErr)
}

// lists stores what is small enough to be read as a whole by each run.
func (b *backup) lists(ctx context.Context) error {
	roles := []supportbee.Role{supportbee.RoleAdmin, supportbee.RoleAgent, supportbee.RoleCollaborator, supportbee.RoleCustomer}
	users, err := b.client.Users.List(ctx, &supportbee.UserListOptions{Roles: roles, IncludeInvited: true})
	teams, err2 := b.client.Teams.List(ctx, nil)
	labels, err3 := b.client.Labels.List(ctx)
	snippets, err4 := b.client.Snippets.List(ctx)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return err
	}
	return errors.Join(b.save("users", users), b.save("teams", teams), b.save("labels", labels), b.save("snippets", snippets))
}

// tickets exports all tickets, unless that is done, and then stores those with activity since.
func (b *backup) tickets(ctx context.Context, opts supportbee.ExportOptions) error {
	var exported, watched supportbee.Checkpoint
	if err := errors.Join(b.load("export", &exported), b.load("watch", &watched)); err != nil {
		return err
	}
	if !watched.IsZero() {
		return b.watch(ctx, &watched)
	}
	opts.Prepare = b.ticket
	var err error
	for _, err = range b.client.Tickets.Export(ctx, &exported, &opts) {
		if err = errors.Join(err, b.save("export", exported)); err != nil {
			break
		}
	}
	if err != nil && (!errors.Is(err, supportbee.ErrIncomplete) || exported.IsZero()) {
		return err
	}
	// If only tickets that cannot be read are missing, the export is complete nevertheless.
	// Otherwise Watch rejects its checkpoint, unless that is zero: then it would begin at this time.
	return errors.Join(err, b.watch(ctx, &exported))
}

func (b *backup) watch(ctx context.Context, checkpoint *supportbee.Checkpoint) error {
	opts := &supportbee.WatchOptions{
		IncludeSpam: true, IncludeTrash: true, UntilCurrent: true,
		OnError: func(err error) { slog.Warn("poll failed", "error", err) },
	}
	for ticket, err := range b.client.Tickets.Watch(ctx, checkpoint, opts) {
		if err != nil {
			return err // without the checkpoint, which may be that of an export that is not complete
		}
		has, err := b.has(ticket)
		if err == nil && has {
			continue // the export was late enough to see its activity
		} else if err == nil {
			err = b.ticket(ctx, ticket)
		}
		if err != nil {
			return err
		}
		if err := b.save("watch", checkpoint); err != nil {
			return err
		}
	}
	return b.save("watch", checkpoint)
}

// has reports whether the stored state of a ticket is of the same activity.
func (b *backup) has(t *supportbee.Ticket) (has bool, err error) {
	const query = `SELECT EXISTS (SELECT 1 FROM tickets WHERE id = ? AND line->>'$.ticket.last_activity_at' = ?
		AND line->>'$.ticket.replies_count' = ? AND line->>'$.ticket.comments_count' = ?)`
	err = b.db.QueryRow(query, t.ID, t.LastActivityAt.Format(time.RFC3339Nano), t.RepliesCount, t.CommentsCount).Scan(&has)
	return has, err
}

// ticket fetches what belongs to a ticket, and stores it in place of its earlier state. What was not
// there when the ticket was listed is activity that watch sees.
func (b *backup) ticket(ctx context.Context, ticket *supportbee.Ticket) error {
	thread, err := b.client.Tickets.Thread(ctx, ticket)
	deleted, insert := false, "INSERT OR REPLACE INTO tickets VALUES (?, ?)"
	if errors.Is(err, supportbee.ErrNotFound) {
		deleted, insert = true, "INSERT OR IGNORE INTO tickets VALUES (?, ?)" // an earlier state has more
	} else if err != nil {
		return err
	}
	for _, attachment := range thread.Attachments() {
		if err := b.file(ctx, attachment); err != nil {
			return err
		}
	}
	line, err := json.Marshal(record{thread, deleted})
	if err != nil {
		return err
	}
	_, err = b.db.Exec(insert, ticket.ID, string(line))
	return err
}

// file downloads a file, unless the backup has it: an attachment does not change.
func (b *backup) file(ctx context.Context, attachment supportbee.Attachment) error {
	var has bool
	if err := b.db.QueryRow("SELECT EXISTS (SELECT 1 FROM files WHERE id = ?)", attachment.ID).Scan(&has); err != nil || has {
		return err
	}
	path, sum := filepath.Join(b.dir, "files", fmt.Sprint(attachment.ID)), sha256.New()
	err := b.client.Attachments.DownloadFile(ctx, attachment, path, &supportbee.DownloadOptions{MaxSize: 1 << 40, Hash: sum})
	if errors.Is(err, supportbee.ErrNotFound) {
		slog.Warn("the help desk does not have the file", "attachment", attachment.ID)
		return nil
	} else if err != nil {
		return err
	}
	_, err = b.db.Exec("INSERT OR REPLACE INTO files VALUES (?, ?)", attachment.ID, fmt.Sprintf("%x", sum.Sum(nil)))
	return err
}

// load reads a value that was saved. If there is none, it leaves *value unchanged.
func (b *backup) load(name string, value any) error {
	text := "null"
	err := b.db.QueryRow("SELECT value FROM state WHERE name = ?", name).Scan(&text)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	return json.Unmarshal([]byte(text), value)
}

func (b *backup) save(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = b.db.Exec("INSERT OR REPLACE INTO state VALUES (?, ?)", name, string(text))
	return err
}

// write replaces a file by the rows of a query, as a whole or not at all, and returns their number.
// What a killed program has left of it is overwritten.
func (b *backup) write(ctx context.Context, name, query string, args ...any) (n int, err error) {
	path := filepath.Join(b.dir, name)
	file, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	rows, err := b.db.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	w := bufio.NewWriter(file)
	for ; err == nil && rows.Next(); n++ {
		var line string
		err = rows.Scan(&line)
		fmt.Fprintln(w, line) // Flush returns its error
	}
	if err := errors.Join(err, rows.Err(), w.Flush(), file.Sync(), file.Close()); err != nil {
		return 0, err
	}
	return n, os.Rename(path+".tmp", path)
}
