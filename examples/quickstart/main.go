// Command quickstart shows the SDK at work: it lists and searches tickets, creates one with an
// attachment, labels and assigns it, comments, replies and archives it, and prints a typed error.
//
// Without an account it starts an embedded help desk. If SUPPORTBEE_TOKEN and SUPPORTBEE_COMPANY
// (or SUPPORTBEE_BASE_URL) are set, it uses that help desk, and only reads unless -write is given,
// since a reply sends mail to a customer.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() { supportbeeservice.Main("quickstart", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	write := flags.Bool("write", false, "also write to the help desk of the environment; this sends mail to the requester")
	requester := flags.String("requester", "ann@example.com", "`address` of the requester of the new ticket")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}

	var client *supportbee.Client
	if supportbeeservice.HasAccount() {
		var err error
		if client, err = supportbee.FromEnv(); err != nil {
			return err
		}
		fmt.Fprintf(out, "Using the help desk at %v\n\n", client)
	} else {
		desk, err := supportbeetest.Start()
		if err != nil {
			return err
		}
		defer desk.Close()
		client, *write = desk.Client(), true
		fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	}

	tour := tour{client: client, out: tabwriter.NewWriter(out, 0, 4, 2, ' ', 0), requester: *requester}
	err := tour.walk(ctx, *write)
	return errors.Join(err, tour.out.Flush()) // also what was printed before an error
}

// tour calls the API and prints each step in aligned columns.
type tour struct {
	client    *supportbee.Client
	out       *tabwriter.Writer
	requester string
}

func (t tour) step(name, format string, args ...any) {
	fmt.Fprintf(t.out, "%s\t%s\n", name, fmt.Sprintf(format, args...))
}

func (t tour) walk(ctx context.Context, write bool) error {
	if err := t.look(ctx); err != nil {
		return err
	}
	if write {
		if err := t.work(ctx); err != nil {
			return err
		}
	} else {
		t.step("write", "skipped: -write creates a ticket on this help desk")
	}
	return t.fail(ctx)
}

// look only reads.
func (t tour) look(ctx context.Context) error {
	open, err := t.client.Tickets.Count(ctx, nil)
	if err != nil {
		return err
	}
	t.step("count", "open tickets: %d", open)

	shown := 0
	for ticket, err := range t.client.Tickets.All(ctx, &supportbee.TicketListOptions{HasReplies: new(false), SortBy: supportbee.SortByCreationTime}) {
		if err != nil {
			return err
		}
		t.step("list", "#%d\t%s\t%s\t%s", ticket.ID, ticket.CreatedAt.Format("2006-01-02 15:04"), ticket.Requester.Email, ticket.Subject)
		if shown++; shown == 5 {
			break
		}
	}

	found, err := t.client.Tickets.Search(ctx, "invoice", nil)
	if err != nil {
		return err
	}
	t.step("search", "tickets that mention an invoice: %d", found.Total)
	return nil
}

// work creates a ticket and handles it until it is archived.
func (t tour) work(ctx context.Context) error {
	photo := bytes.NewReader(bytes.Repeat([]byte("pretend that this is a photo\n"), 1000))
	file, err := t.client.Attachments.Upload(ctx, "kettle.jpg", photo, nil)
	if err != nil {
		return err
	}
	t.step("upload", "#%d\t%s\t%s\t%d bytes", file.ID, file.Filename, file.ContentType, photo.Size())

	ticket, err := t.client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject:        "The kettle leaks",
		RequesterName:  "Ann Archer",
		RequesterEmail: t.requester,
		Content: supportbee.ContentParams{
			Text:          "Hello,\nmy new kettle leaks, see the photo. Can I get a refund?",
			AttachmentIDs: []supportbee.AttachmentID{file.ID},
		},
	})
	if err != nil {
		return err
	}
	t.step("create", "#%d\t%s\t%s\t%s", ticket.ID, ticket.CreatedAt.Format("2006-01-02 15:04"), ticket.Requester.Email, ticket.Subject)

	var back bytes.Buffer
	if err := t.client.Attachments.Download(ctx, ticket.Content.Attachments[0], &back, nil); err != nil {
		return err
	}
	t.step("download", "%d bytes", back.Len())

	labels, err := t.client.Labels.List(ctx)
	if err != nil {
		return err
	}
	if len(labels) > 0 {
		if _, err := t.client.Labels.Add(ctx, ticket.ID, labels[0].Name); err != nil {
			return err
		}
		t.step("label", "%q", labels[0].Name)
	}

	users, err := t.client.Users.List(ctx, &supportbee.UserListOptions{Roles: []supportbee.Role{supportbee.RoleAgent, supportbee.RoleAdmin}})
	if err != nil {
		return err
	}
	if len(users) > 0 {
		assignment, err := t.client.Tickets.AssignUser(ctx, ticket.ID, users[0].ID)
		if err != nil {
			return err
		}
		t.step("assign", "to %s", assignment.User.Name)
	}

	comment, err := t.client.Comments.Create(ctx, ticket.ID, supportbee.CommentParams{Content: supportbee.Text("The third leak this week.")})
	if err != nil {
		return err
	}
	t.step("comment", "%s: %s", comment.Commenter.Name, comment.Content.Text)

	reply, err := t.client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("Dear Ann,\na refund is on its way.")})
	if err != nil {
		return err
	}
	t.step("reply", "%s: %s", reply.Replier.Name, reply.Summary)

	if err := t.client.Tickets.Archive(ctx, ticket.ID); err != nil {
		return err
	}
	done, err := t.client.Tickets.Get(ctx, ticket.ID)
	if err != nil {
		return err
	}
	t.step("archive", "archived: %t, replies: %d, comments: %d", done.Archived, done.RepliesCount, done.CommentsCount)
	return nil
}

// fail shows a typed error.
func (t tour) fail(ctx context.Context) error {
	_, err := t.client.Tickets.Get(ctx, 999_999_999)
	var apiErr *supportbee.Error
	if !errors.Is(err, supportbee.ErrNotFound) || !errors.As(err, &apiErr) {
		return fmt.Errorf("want an unknown ticket to be not found, got %w", err)
	}
	t.step("error", "%s returned status %d, which is ErrNotFound (request %s)", apiErr.Op, apiErr.StatusCode, apiErr.RequestID)
	return nil
}
