package supportbee

import (
	"context"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
)

// Drift is a difference between a response and this package's types: a member that this package
// does not know, or a value of another type than expected. It never holds a value.
//
// Members that are not known, and values that cannot be read as their type, are kept in the Extra
// map of the value that they belong to. What stands beside the user in an envelope such as
// current_user_assignee is not kept.
type Drift struct {
	Op       string // such as "Tickets.List"
	Pointer  string // JSON pointer with "*" for array indexes, such as "/tickets/*/snoozed"
	Found    string // the JSON kind found, such as "string"; "null" if a required value is missing
	Expected string // the JSON kind expected, or "time"; empty for an unknown member
}

// maxDrifts is the number of differences that a client reports, which bounds its memory.
const maxDrifts = 1000

// drifts remembers what was reported. Copies of a client share it.
type drifts struct {
	mu   sync.Mutex
	seen map[uint64]struct{} // hashes, since names of members can hold anything
}

var driftSeed = maphash.MakeSeed()

// isNew reports whether key was not seen before, and remembers it.
func (d *drifts) isNew(key []byte) bool {
	hash := maphash.Bytes(driftSeed, key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, seen := d.seen[hash]; seen || len(d.seen) == maxDrifts {
		return false
	}
	if d.seen == nil {
		d.seen = map[uint64]struct{}{}
	}
	d.seen[hash] = struct{}{}
	return true
}

// driftSink is where a reader reports drift. The zero value drops it.
type driftSink struct {
	ctx    context.Context
	client *Client // nil if nobody listens
	op     string
	key    []byte // scratch
}

// listensToDrift reports whether drift is reported to anybody.
func (cfg *config) listensToDrift() bool {
	if cfg.logger != nil {
		return true
	}
	for _, o := range cfg.observers {
		if o.Drift != nil {
			return true
		}
	}
	return false
}

// report reports the value that r has read last, or the part of it that suffix names.
func (s *driftSink) report(r *reader, suffix, found, expected string) {
	if s.client == nil {
		return
	}
	key := append(append(s.key[:0], s.op...), ' ')
	depth, index := r.StackDepth(), 0
	start := len(key)
	for token := range strings.SplitSeq(strings.TrimPrefix(string(r.StackPointer()), "/"), "/") {
		index++
		key = append(key, '/')
		if kind, _ := r.StackIndex(min(index, depth)); kind == '[' {
			key = append(key, '*')
			continue
		}
		key = append(key, token...)
	}
	key = append(key, suffix...)
	end := len(key)
	key = append(append(key, ' '), found...)
	s.key = key
	cfg := &s.client.config
	if !cfg.drift.isNew(key) {
		return
	}
	drift := Drift{Op: s.op, Pointer: printable(cfg.token.Redact(string(key[start:end])), 512), Found: found, Expected: expected}
	for _, o := range cfg.observers {
		if o.Drift != nil {
			o.Drift(s.ctx, drift)
		}
	}
	if cfg.logger != nil {
		cfg.logger.LogAttrs(s.ctx, slog.LevelWarn, "response differs from the SDK's types",
			slog.String("op", drift.Op), slog.String("pointer", drift.Pointer),
			slog.String("found", drift.Found), slog.String("expected", drift.Expected))
	}
}
