package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/renameio/v2"

	"github.com/supportbee-go/supportbee"
)

// backup copies a help desk into a store.
type backup struct {
	client   *supportbee.Client
	store    *store
	workers  int                   // tickets that are fetched at a time
	follow   bool                  // whether to go on until the context ends
	progress func(done, total int) // of the export
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
	if err != nil && (!errors.Is(err, supportbee.ErrIncomplete) || exported.IsZero()) {
		return err
	}
	// If only tickets that cannot be read are missing, the export is complete nevertheless.
	// Otherwise Watch rejects its checkpoint, unless that is zero: then it would begin at this time.
	return errors.Join(err, b.watch(ctx, &exported))
}

// export stores all tickets, newest first.
func (b *backup) export(ctx context.Context, checkpoint *supportbee.Checkpoint) error {
	var prepared sync.Map // records by ticket
	opts := &supportbee.ExportOptions{
		Workers: b.workers, Progress: b.progress,
		Prepare: func(ctx context.Context, ticket *supportbee.Ticket) error {
			r, err := b.fetch(ctx, ticket)
			prepared.Store(ticket, r)
			return err
		},
	}
	var records []*record
	for ticket, err := range b.client.Tickets.Export(ctx, checkpoint, opts) {
		if err != nil { // also that of an interrupt
			return errors.Join(err, b.store.commit("export", *checkpoint, records...))
		}
		r, _ := prepared.LoadAndDelete(ticket)
		records = append(records, r.(*record))
		if len(records) == 20 {
			if err := b.store.commit("export", *checkpoint, records...); err != nil {
				return err
			}
			records = nil
		}
	}
	return b.store.commit("export", *checkpoint, records...)
}

// watch stores tickets with new activity as further lines. Unless b.follow is set, it ends when
// there are no more.
func (b *backup) watch(ctx context.Context, checkpoint *supportbee.Checkpoint) error {
	opts := &supportbee.WatchOptions{
		IncludeSpam: true, IncludeTrash: true, UntilCurrent: !b.follow,
		OnError: func(err error) { slog.Warn("poll failed", "error", err) },
	}
	for ticket, err := range b.client.Tickets.Watch(ctx, checkpoint, opts) {
		if err != nil {
			return err // without the checkpoint, which may be that of an export that is not complete
		}
		if has, err := b.store.has(ticket); err != nil {
			return err
		} else if has {
			continue // the export was late enough to see its activity
		}
		r, err := b.fetch(ctx, ticket)
		if err != nil {
			return err
		}
		if err := b.store.commit("watch", *checkpoint, r); err != nil {
			return err
		}
	}
	return b.store.commit("watch", *checkpoint)
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
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		err := b.client.Attachments.DownloadFile(ctx, attachment, path, &supportbee.DownloadOptions{MaxSize: 1 << 40})
		if errors.Is(err, supportbee.ErrNotFound) {
			slog.Warn("the help desk does not have the file", "attachment", attachment.ID)
			return file{ID: attachment.ID, Missing: true}, nil
		} else if err != nil {
			return file{}, err
		}
	}
	f, err := checksum(path)
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
	var lines bytes.Buffer
	for _, value := range values {
		err = errors.Join(err, json.NewEncoder(&lines).Encode(value))
	}
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, name+".jsonl"), lines.Bytes(), 0o600)
}
