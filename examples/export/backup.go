package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/supportbee-go/supportbee"
)

// backup copies a help desk into a store.
type backup struct {
	client   *supportbee.Client
	store    *store
	workers  int                   // tickets that are fetched at a time
	follow   bool                  // whether to go on until the context ends
	interval time.Duration         // between polls for changes, at least
	progress func(done, total int) // of the export
	log      *slog.Logger
}

// run exports all tickets, unless that is done, and then stores what has changed since.
func (b *backup) run(ctx context.Context) error {
	var exported, watched supportbee.Checkpoint
	if err := errors.Join(b.lists(ctx), b.store.get("export", &exported), b.store.get("watch", &watched)); err != nil {
		return err
	}
	if !watched.IsZero() {
		return b.watch(ctx, &watched)
	}
	err := b.export(ctx, &exported)
	if err != nil && !errors.Is(err, supportbee.ErrIncomplete) {
		return err
	}
	// If only tickets that cannot be read are missing, the export is complete nevertheless.
	// Otherwise Watch rejects its checkpoint.
	return errors.Join(err, b.watch(ctx, &exported))
}

// export stores all tickets, newest first.
func (b *backup) export(ctx context.Context, checkpoint *supportbee.Checkpoint) error {
	var records sync.Map // by ticket
	opts := &supportbee.ExportOptions{
		Workers: b.workers, Progress: b.progress,
		Prepare: func(ctx context.Context, ticket *supportbee.Ticket) error {
			r, err := b.fetch(ctx, ticket)
			records.Store(ticket, r)
			return err
		},
	}
	for ticket, err := range b.client.Tickets.Export(ctx, checkpoint, opts) {
		if err != nil { // also that of an interrupt
			return errors.Join(err, b.store.commit("export", *checkpoint))
		}
		r, _ := records.LoadAndDelete(ticket)
		if err := b.store.add(r.(*record)); err != nil {
			return err
		}
		if b.store.added == 100 || time.Since(b.store.begun) > time.Second {
			if err := b.store.commit("export", *checkpoint); err != nil {
				return err
			}
		}
	}
	return b.store.commit("export", *checkpoint)
}

var errCaughtUp = errors.New("caught up")

// watch stores tickets with new activity as further lines. Unless b.follow is set, it ends when
// there are no more.
func (b *backup) watch(ctx context.Context, checkpoint *supportbee.Checkpoint) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Between polls, Watch is idle for b.interval: it is caught up if it is idle for a third of that
	// after a list was read. Failures do not count. If the machine stalls, so that this ends the
	// watch too early, nothing is lost: the next run continues at the checkpoint.
	idle := time.AfterFunc(time.Hour, func() { cancel(errCaughtUp) })
	idle.Stop()
	wait := func() {
		if !b.follow {
			idle.Reset(b.interval / 3)
		}
	}
	client := b.client.With(supportbee.WithObserver(supportbee.Observer{
		Start: func(ctx context.Context, _ supportbee.Operation) context.Context {
			idle.Stop()
			return ctx
		},
		End: func(_ context.Context, _ supportbee.Operation, _ supportbee.Response, err error) {
			if err == nil {
				wait()
			}
		},
	}))
	opts := &supportbee.WatchOptions{
		IncludeSpam: true, IncludeTrash: true, MinInterval: b.interval, MaxInterval: 4 * b.interval,
		OnError: func(err error) { b.log.Warn("poll failed", "error", err) },
	}
	var ended error
	for ticket, err := range client.Tickets.Watch(ctx, checkpoint, opts) {
		idle.Stop()
		var r *record
		if err == nil {
			r, err = b.changed(ctx, ticket)
		}
		if err != nil {
			ended = err
			break // which leaves the checkpoint before the ticket
		}
		if r != nil {
			err = b.store.add(r)
		}
		if err == nil {
			err = b.store.commit("watch", *checkpoint)
		}
		if err != nil {
			return err
		}
		wait()
	}
	if errors.Is(context.Cause(ctx), errCaughtUp) {
		ended = nil
	}
	return errors.Join(ended, b.store.commit("watch", *checkpoint))
}

// changed gets the record of a ticket. It is nil if the export was late enough to see its activity.
func (b *backup) changed(ctx context.Context, ticket *supportbee.Ticket) (*record, error) {
	if has, err := b.store.has(ticket); has || err != nil {
		return nil, err
	}
	return b.fetch(ctx, ticket)
}

// fetch gets what belongs to a ticket. What was not there when the ticket was listed is activity
// that watch sees.
func (b *backup) fetch(ctx context.Context, ticket *supportbee.Ticket) (_ *record, err error) {
	r := &record{Ticket: ticket, Replies: []*supportbee.Reply{}, Comments: []*supportbee.Comment{}, Files: []file{}}
	if ticket.RepliesCount > 0 {
		r.Replies, err = b.client.Replies.List(ctx, ticket.ID)
	}
	if ticket.CommentsCount > 0 && err == nil {
		r.Comments, err = b.client.Comments.List(ctx, ticket.ID)
	}
	if r.Deleted = errors.Is(err, supportbee.ErrNotFound); err != nil && !r.Deleted {
		return nil, err
	}
	attachments := slices.Clone(ticket.Content.Attachments)
	for _, reply := range r.Replies {
		attachments = append(attachments, reply.Content.Attachments...)
	}
	for _, comment := range r.Comments {
		attachments = append(attachments, comment.Content.Attachments...)
	}
	for _, attachment := range attachments {
		f, err := b.download(ctx, attachment)
		if err != nil {
			return nil, err
		}
		r.Files = append(r.Files, f)
	}
	return r, nil
}

// download gets a file, unless it is there as a whole: an attachment does not change.
func (b *backup) download(ctx context.Context, attachment supportbee.Attachment) (file, error) {
	path := b.store.path(attachment.ID)
	f, err := checksum(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = b.client.Attachments.DownloadFile(ctx, attachment, path, &supportbee.DownloadOptions{MaxSize: 1 << 40}); err == nil {
			f, err = checksum(path)
		} else if errors.Is(err, supportbee.ErrNotFound) {
			b.log.Warn("the help desk does not have the file", "attachment", attachment.ID)
			f.Missing, err = true, nil
		}
	}
	f.ID = attachment.ID
	return f, err
}

// lists stores what is small enough to be read as a whole by each run.
func (b *backup) lists(ctx context.Context) error {
	roles := []supportbee.Role{supportbee.RoleAdmin, supportbee.RoleAgent, supportbee.RoleCollaborator, supportbee.RoleCustomer}
	users, err := b.client.Users.List(ctx, &supportbee.UserListOptions{Roles: roles, IncludeInvited: true})
	err = save(b.store.dir, "users", users, err)
	teams, err2 := b.client.Teams.List(ctx, nil)
	err2 = save(b.store.dir, "teams", teams, err2)
	labels, err3 := b.client.Labels.List(ctx)
	err3 = save(b.store.dir, "labels", labels, err3)
	snippets, err4 := b.client.Snippets.List(ctx)
	return errors.Join(err, err2, err3, save(b.store.dir, "snippets", snippets, err4))
}

// save replaces a file of JSON lines as a whole or not at all.
func save[T any](dir, name string, values []T, err error) error {
	var lines []byte
	for _, value := range values {
		line, e := json.Marshal(value)
		lines, err = append(append(lines, line...), '\n'), errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, name+".jsonl"), lines, os.FileMode(0o600))
}
