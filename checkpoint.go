package supportbee

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"time"
)

// Checkpoint is a position of [TicketsService.Export] or [TicketsService.Watch]. The zero value is
// the start. It can be copied, and stored as JSON between any two tickets.
//
// After a completed export, Watch continues from the time at which the export began. Any other use
// of a checkpoint by another method, and a use with other options that select tickets, is an
// [*ArgumentError].
type Checkpoint struct{ data checkpointData }

// checkpointData is the JSON form of a checkpoint. Slices are only appended to, or replaced, so
// that copies stay what they are.
type checkpointData struct {
	Version int    `json:"v"`
	Kind    string `json:"kind,omitzero"`
	Options string `json:"options,omitzero"` // a hash of what selects tickets

	// Of an export: all tickets created after Second have been yielded, and of that second those
	// with an ID of Last or higher. If Last is 0, none of that second has.
	Began    int64    `json:"began,omitzero"` // by the server's clock, in Unix time
	Second   int64    `json:"second,omitzero"`
	Last     TicketID `json:"last,omitzero"`
	Done     int      `json:"done,omitzero"`
	Total    int      `json:"total,omitzero"`
	Lists    int      `json:"lists,omitzero"` // see exportLists
	Unread   bool     `json:"unread,omitzero"`
	Complete bool     `json:"complete,omitzero"`

	// Of a watch: everything before High less the overlap has been reported, and Seen after it.
	High int64    `json:"high,omitzero"`
	Seen []change `json:"seen,omitzero"`
}

const (
	checkpointVersion = 1
	kindExport        = "export"
	kindWatch         = "watch"

	maxCheckpoint = 8 << 20
)

// change identifies a state of a ticket: its ID, the second of its last activity, and the numbers
// of its replies and comments.
type change [4]int64

func changeOf(t *Ticket) change {
	return change{int64(t.ID), t.LastActivityAt.Unix(), int64(t.RepliesCount), int64(t.CommentsCount)}
}

func (c change) second() int64 { return c[1] }

// olderThan reports whether another state of the ticket came later.
func (c change) olderThan(other change) bool {
	return cmp.Or(cmp.Compare(c[1], other[1]), cmp.Compare(c[2]+c[3], other[2]+other[3])) < 0
}

// MarshalJSON implements [json.Marshaler].
func (c Checkpoint) MarshalJSON() ([]byte, error) {
	c.data.Version = checkpointVersion
	return json.Marshal(c.data)
}

// UnmarshalJSON implements [json.Unmarshaler]. It returns an error, and leaves c unchanged, if data
// is not a checkpoint of this version.
func (c *Checkpoint) UnmarshalJSON(data []byte) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return nil
	}
	if len(data) > maxCheckpoint {
		return errors.New("supportbee: checkpoint: it is too large")
	}
	var read checkpointData
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil {
		return fmt.Errorf("supportbee: checkpoint: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("supportbee: checkpoint: there is more than one JSON value")
	}
	if err := read.validate(); err != nil {
		return fmt.Errorf("supportbee: checkpoint: %w", err)
	}
	c.data = read
	c.data.Version = 0 // so that the zero value reads itself
	return nil
}

// validate returns an error if no checkpoint of this version is like this.
func (d *checkpointData) validate() error {
	export := *d
	export.Version, export.Kind, export.Options, export.High, export.Seen = 0, "", "", 0, nil
	switch isExport, isWatch := !export.isZero(), d.High != 0 || d.Seen != nil; {
	case d.Version != checkpointVersion:
		return fmt.Errorf("its version must be %d, got %d", checkpointVersion, d.Version)
	case d.Kind == "" && (isExport || isWatch || d.Options != ""),
		d.Kind == kindExport && isWatch, d.Kind == kindWatch && isExport,
		d.Kind != "" && d.Kind != kindExport && d.Kind != kindWatch,
		(d.Kind == "") != (d.Options == ""):
		return errors.New("its members do not fit together")
	case d.Last < 0 || d.Done < 0 || d.Total < 0 || d.Lists < 0 || d.Lists > len(exportLists(maxLists)):
		return errors.New("a number is out of range")
	}
	for _, second := range []int64{d.Began, d.Second, d.High} {
		if second < minSecond || second > maxSecond {
			return errors.New("a time is out of range")
		}
	}
	for _, c := range d.Seen {
		if c[0] <= 0 || c[1] < minSecond || c[1] > maxSecond || c[2] < 0 || c[3] < 0 {
			return errors.New("a ticket is out of range")
		}
	}
	return nil
}

// The times that the server can be asked for have four digits for the year.
var (
	minSecond = time.Date(1, 1, 3, 0, 0, 0, 0, time.UTC).Unix()
	maxSecond = time.Date(9999, 12, 29, 0, 0, 0, 0, time.UTC).Unix()
)

func (d *checkpointData) isZero() bool {
	return d.Seen == nil && d.Kind == "" && d.Options == "" && d.Began == 0 && d.Second == 0 && d.Last == 0 &&
		d.Done == 0 && d.Total == 0 && d.Lists == 0 && !d.Unread && !d.Complete && d.High == 0
}

// IsZero reports whether c is the start.
func (c Checkpoint) IsZero() bool { return c.data.isZero() }

// use returns an error if the checkpoint is not of this kind and of these options.
func (c *Checkpoint) use(kind, options string) error {
	switch {
	case c.IsZero():
		return nil
	case c.data.Kind != kind:
		return invalid("checkpoint", "must be one of %s, not of %s", kind, c.data.Kind)
	case c.data.Options != options:
		return invalid("checkpoint", "must be used with the options that it was made with")
	}
	return nil
}

// try sets *c to next while f runs. If f returns false or panics, it restores the former value.
func (c *Checkpoint) try(next checkpointData, f func() bool) (ok bool) {
	former := *c
	c.data = next
	defer func() {
		if !ok {
			*c = former
		}
	}()
	return f()
}

// hashOptions returns a short hash of values.
func hashOptions(values ...any) string {
	hash := fnv.New32a()
	for _, value := range values {
		if at, ok := value.(time.Time); ok {
			value = at.UnixNano()
			if at.IsZero() {
				value = ""
			}
		}
		fmt.Fprintf(hash, "%v|", value)
	}
	return fmt.Sprintf("%08x", hash.Sum32())
}
