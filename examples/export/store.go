package main

import (
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
	"time"

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
// lines have reached the disk, one transaction stores where they end, their index and the
// checkpoint after them. What a killed program has written beyond that is cut off.
type store struct {
	dir   string
	db    *sql.DB
	lines *os.File
	end   int64   // of the lines, committed or not
	tx    *sql.Tx // nil if everything is committed
	begun time.Time
	added int // lines to commit
}

// openStore opens or creates a backup, and locks it until the program ends.
func openStore(dir string) (*store, error) {
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
	if _, err = db.Exec(schema); err != nil {
		err = fmt.Errorf("open index.db, which another program may be using: %w", err)
	} else if s.lines, err = os.OpenFile(filepath.Join(dir, "tickets.jsonl"), os.O_RDWR|os.O_CREATE, 0o600); err == nil {
		err = errors.Join(s.get("end", &s.end), s.cut(), syncDir(dir))
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *store) cut() error {
	info, err := s.lines.Stat()
	if err == nil && info.Size() < s.end {
		return fmt.Errorf("tickets.jsonl is damaged: it has %d bytes, the index has %d", info.Size(), s.end)
	}
	return errors.Join(err, s.lines.Truncate(s.end))
}

// Close drops what has not been committed.
func (s *store) Close() error {
	if s.tx != nil {
		_ = s.tx.Rollback()
	}
	return errors.Join(s.db.Close(), s.lines.Close())
}

// get reads a value that was committed. If there is none, it leaves *value unchanged.
func (s *store) get(name string, value any) error {
	var text string
	err := s.db.QueryRow("SELECT value FROM state WHERE name = ?", name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), value)
}

// has reports whether the newest line of a ticket is of the same activity.
func (s *store) has(t *supportbee.Ticket) (has bool, err error) {
	err = s.db.QueryRow("SELECT EXISTS (SELECT 1 FROM tickets WHERE id = ? AND activity = ?)", t.ID, activity(t)).Scan(&has)
	return has, err
}

func activity(t *supportbee.Ticket) string {
	return fmt.Sprint(t.LastActivityAt.Unix(), "/", t.RepliesCount, "/", t.CommentsCount)
}

// add appends a line, which commit makes durable.
func (s *store) add(r *record) error {
	if err := s.begin(); err != nil {
		return err
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := s.lines.WriteAt(append(line, '\n'), s.end); err != nil {
		return err
	}
	_, err = s.tx.Exec("INSERT OR REPLACE INTO tickets VALUES (?, ?, ?, ?)", r.Ticket.ID, activity(r.Ticket), s.end, len(line)+1)
	s.end += int64(len(line)) + 1
	s.added++
	return err
}

func (s *store) begin() (err error) {
	if s.tx == nil {
		s.begun, s.added = time.Now(), 0
		s.tx, err = s.db.Begin()
	}
	return err
}

// commit stores the lines that were added and the checkpoint after them, all or nothing.
func (s *store) commit(name string, checkpoint supportbee.Checkpoint) error {
	text, err := json.Marshal(checkpoint)
	if err := errors.Join(err, s.begin(), s.lines.Sync(), syncDir(filepath.Join(s.dir, "files"))); err != nil {
		return err
	}
	if _, err = s.tx.Exec("INSERT OR REPLACE INTO state VALUES ('end', ?), (?, ?)", s.end, name, string(text)); err == nil {
		err = s.tx.Commit()
		s.tx = nil
		stored.Add(float64(s.added))
	}
	return err
}

func (s *store) path(id supportbee.AttachmentID) string {
	return filepath.Join(s.dir, "files", strconv.FormatInt(int64(id), 10))
}

// verify reads the newest line and the files of each ticket, and returns their numbers. It returns
// an error if something is not as it was stored.
func (s *store) verify() (tickets, files int, err error) {
	rows, err := s.db.Query("SELECT id, offset, length FROM tickets")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id supportbee.TicketID
		var offset, length int64
		var r record
		if err := rows.Scan(&id, &offset, &length); err != nil {
			return 0, 0, err
		}
		err := json.NewDecoder(io.NewSectionReader(s.lines, offset, length)).Decode(&r)
		if err != nil || r.Ticket == nil || r.Ticket.ID != id {
			return 0, 0, errors.Join(fmt.Errorf("the line of ticket %d is not as it was stored", id), err)
		}
		for _, f := range r.Files {
			if f.Missing {
				continue
			}
			if got, err := checksum(s.path(f.ID)); err != nil || got.Size != f.Size || got.SHA256 != f.SHA256 {
				return 0, 0, errors.Join(fmt.Errorf("file %d is not as it was stored", f.ID), err)
			}
			files++
		}
		tickets++
	}
	return tickets, files, rows.Err()
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
