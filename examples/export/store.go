package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/supportbee-go/supportbee"
	_ "modernc.org/sqlite" // the driver
)

const schema = `
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY, activity TEXT NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL);`

// record is a line of tickets.jsonl.
type record struct {
	Ticket   *supportbee.Ticket    `json:"ticket"`
	Replies  []*supportbee.Reply   `json:"replies"`
	Comments []*supportbee.Comment `json:"comments"`
	Files    []file                `json:"files"`
	Deleted  bool                  `json:"deleted,omitzero"` // while it was fetched: something may be absent
}

// file is a file of the directory files, where its name is its ID.
type file struct {
	ID      supportbee.AttachmentID `json:"id"`
	Size    int64                   `json:"size"`
	SHA256  string                  `json:"sha256"`
	Missing bool                    `json:"missing,omitzero"` // the help desk does not have it
}

// store is a backup in a directory. Its database decides how much of tickets.jsonl counts: when
// lines have reached the disk, one transaction stores their index and the checkpoint after them.
// What a killed program has written beyond that is cut off.
type store struct {
	dir    string
	db     *sql.DB
	lines  *os.File
	end    int64 // of the lines that are committed
	stored prometheus.Counter
}

// openStore opens or creates a backup, and locks it until the program ends.
func openStore(dir string) (_ *store, err error) {
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o700); err != nil {
		return nil, err
	}
	path := url.URL{Path: filepath.ToSlash(filepath.Join(dir, "index.db"))}
	db, err := sql.Open("sqlite", "file:"+path.EscapedPath()+"?_pragma=locking_mode(exclusive)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // the lock is that of a connection
	s := &store{dir: dir, db: db}
	s.stored = prometheus.NewCounter(prometheus.CounterOpts{Name: "export_stored_total", Help: "Lines of tickets that were stored."})
	defer func() {
		if err != nil {
			_ = s.Close()
		}
	}()
	if _, err := db.Exec(schema); err != nil {
		return nil, fmt.Errorf("open index.db, which another program may be using: %w", err)
	}
	// The last line is the newest one of its ticket, so that the index has it.
	if err := db.QueryRow("SELECT coalesce(max(offset + length), 0) FROM tickets").Scan(&s.end); err != nil {
		return nil, err
	}
	if s.lines, err = os.OpenFile(filepath.Join(dir, "tickets.jsonl"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if info, err := s.lines.Stat(); err != nil {
		return nil, err
	} else if info.Size() < s.end {
		return nil, fmt.Errorf("tickets.jsonl is damaged: it has %d bytes, the index has %d", info.Size(), s.end)
	}
	return s, errors.Join(s.lines.Truncate(s.end), syncDir(dir))
}

func (s *store) Close() error { return errors.Join(s.db.Close(), s.lines.Close()) }

// get reads a checkpoint that was committed. If there is none, it leaves *checkpoint unchanged.
func (s *store) get(name string, checkpoint *supportbee.Checkpoint) error {
	var text string
	err := s.db.QueryRow("SELECT value FROM state WHERE name = ?", name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), checkpoint)
}

// has reports whether the newest line of a ticket is of the same activity.
func (s *store) has(t *supportbee.Ticket) (has bool, err error) {
	err = s.db.QueryRow("SELECT EXISTS (SELECT 1 FROM tickets WHERE id = ? AND activity = ?)", t.ID, activity(t)).Scan(&has)
	return has, err
}

func activity(t *supportbee.Ticket) string {
	return fmt.Sprint(t.LastActivityAt.Unix(), "/", t.RepliesCount, "/", t.CommentsCount)
}

// commit appends lines, and stores the checkpoint after them, all or nothing.
func (s *store) commit(name string, checkpoint supportbee.Checkpoint, records ...*record) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // has no effect after Commit
	var lines bytes.Buffer
	for _, r := range records {
		start := lines.Len()
		if err := json.NewEncoder(&lines).Encode(r); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?, ?)",
			r.Ticket.ID, activity(r.Ticket), s.end+int64(start), lines.Len()-start); err != nil {
			return err
		}
	}
	if _, err := s.lines.WriteAt(lines.Bytes(), s.end); err != nil {
		return err
	}
	text, err := json.Marshal(checkpoint)
	if err := errors.Join(err, s.lines.Sync(), syncDir(filepath.Join(s.dir, "files"))); err != nil {
		return err
	}
	if _, err := tx.Exec("INSERT OR REPLACE INTO state VALUES (?, ?)", name, string(text)); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.end += int64(lines.Len())
	s.stored.Add(float64(len(records)))
	return nil
}

func (s *store) path(id supportbee.AttachmentID) string {
	return filepath.Join(s.dir, "files", strconv.FormatInt(int64(id), 10))
}

// verify reads the newest line and the files of each ticket, and prints their numbers. It returns
// an error if something is not as it was stored.
func (s *store) verify(out io.Writer) error {
	rows, err := s.db.Query("SELECT id, offset, length FROM tickets")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	tickets, files := 0, 0
	for ; rows.Next(); tickets++ {
		var id supportbee.TicketID
		var offset, length int64
		var r record
		if err := rows.Scan(&id, &offset, &length); err != nil {
			return err
		}
		err := json.NewDecoder(io.NewSectionReader(s.lines, offset, length)).Decode(&r)
		if err != nil || r.Ticket == nil || r.Ticket.ID != id {
			return errors.Join(fmt.Errorf("the line of ticket %d is not as it was stored", id), err)
		}
		for _, f := range r.Files {
			if f.Missing {
				continue
			}
			if got, err := checksum(s.path(f.ID)); err != nil || got.Size != f.Size || got.SHA256 != f.SHA256 {
				return errors.Join(fmt.Errorf("file %d is not as it was stored", f.ID), err)
			}
			files++
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d tickets and %d files are as they were stored\n", s.dir, tickets, files)
	return err
}

func checksum(path string) (f file, err error) {
	r, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer r.Close()
	hash := sha256.New()
	f.Size, err = io.Copy(hash, r)
	f.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return f, err
}

// syncDir makes durable that files of a directory are new or renamed.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
