package supportbee_test

import (
	"context"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

// Names of people can have any characters if they are written as net/mail writes them.
func TestAddressesWithNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Ann", "Ann Archer", "Bauer, Ben", `Ben "the kettle" Bauer`, "Ben (Acme)", "Ben [Acme] <Support>", "ben@acme", "Jürgen Müller", "山田, 太郎", `back\slash`, "a; b: c", "",
	} {
		address := (&mail.Address{Name: name, Address: "ben@acme.example"}).String()
		for _, copies := range [][]string{{address}, {"a@b.c", address}} {
			assert.NoError(t, supportbee.TicketParams{RequesterEmail: "a@b.c", Content: supportbee.Text("x"), CC: copies, BCC: copies}.Validate(), address)
			assert.NoError(t, supportbee.ReplyParams{Content: supportbee.Text("x"), CC: copies, BCC: copies}.Validate(), address)
			assert.NoError(t, supportbee.DraftParams{CC: copies, BCC: copies}.Validate(), address)
		}
	}
	for _, address := range []string{"Jürgen Müller <j@b.c>", "a+tag@b.c", "a.b_c-d@sub.example.com", "ä@exämple.com", `"a b"@c.d`} {
		assert.NoError(t, supportbee.DraftParams{CC: []string{address}}.Validate(), address)
	}
}

// badAddresses are no addresses, with or without a name.
var badAddresses = []string{
	"Ann", "@", "a@", "@b.c", "a@@b", "a@b@c", "a b@c.d", "a@b.c, d@e.f", "a@b.c; d@e.f", "a@b.c>", "<a@b.c", "Bauer, Ben <a@b.c>",
	"a@b.c\r\nBcc: d@e.f", "a@b.c\nBcc: d@e.f", "a@b.c\r", "Ann\n <a@b.c>", "\"Ann\r\n Archer\" <a@b.c>", "a@b.c\x00", "\x00Ann <a@b.c>", "Ann\x1b[31m <a@b.c>", "Ann\x7f <a@b.c>",
	"Ann\u0085 <a@b.c>", "Ann\u2028 <a@b.c>", "Ann\u2029 <a@b.c>", "Ann\xff <a@b.c>",
	"a@b.c (Ann)", "(Ann) a@b.c", "a(comment)@b.c", "Ann (Acme) <a@b.c>", `"Ann" (Acme) <a@b.c>`, `"a@b"@c.d`,
}

func TestAddressesAreRejected(t *testing.T) {
	t.Parallel()
	const form = `[0] must be of the form "a@example.com" or "Name <a@example.com>"`
	for _, address := range badAddresses {
		for _, field := range []string{"CC", "BCC"} {
			params := supportbee.DraftParams{CC: []string{address}}
			if field == "BCC" {
				params = supportbee.DraftParams{BCC: []string{address}}
			}
			assert.Equal(t, &supportbee.ArgumentError{Field: field, Reason: form}, params.Validate(), "%q", address)
		}
		for _, params := range []interface{ Validate() error }{
			supportbee.UserParams{Email: address}, supportbee.UserUpdateParams{Email: &address}, supportbee.ForwardingAddressParams{Email: address},
		} {
			assert.Equal(t, &supportbee.ArgumentError{Field: "Email", Reason: "must be an e-mail address"}, params.Validate(), "%q", address)
		}
		assert.Equal(t, &supportbee.ArgumentError{Field: "RequesterEmail", Reason: "must be an e-mail address"},
			supportbee.TicketParams{RequesterEmail: address, Content: supportbee.Text("x")}.Validate(), "%q", address)
		assert.Equal(t, &supportbee.ArgumentError{Field: "OnBehalfOf.Email", Reason: "must be an e-mail address"},
			supportbee.ReplyParams{Content: supportbee.Text("x"), OnBehalfOf: supportbee.AgentRef{Email: address}}.Validate(), "%q", address)
	}
	for _, address := range []string{"Ann <a@b.c>", "<a@b.c>", " a@b.c", "a@b.c "} {
		assert.Equal(t, &supportbee.ArgumentError{Field: "Email", Reason: "must be an e-mail address"}, supportbee.UserParams{Email: address}.Validate(), "%q", address)
	}
	assert.Equal(t, &supportbee.ArgumentError{Field: "RequesterEmails", Reason: "must be an e-mail address", Op: "Tickets.List"},
		errorOf(offline(t, "the-token").Tickets.List(t.Context(), &supportbee.TicketListOptions{RequesterEmails: []string{"a@@b"}})))
}

// IDs that no resource has are rejected by every operation on one.
func TestIDsAreRejected(t *testing.T) {
	t.Parallel()
	type client = *supportbee.Client
	text := supportbee.Text("x")
	for op, call := range map[string]func(context.Context, client, supportbee.TicketID) error{
		"Tickets.Get": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Tickets.Get(ctx, id))
		},
		"Tickets.Delete":    func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.Delete(ctx, id) },
		"Tickets.Archive":   func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.Archive(ctx, id) },
		"Tickets.Unarchive": func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.Unarchive(ctx, id) },
		"Tickets.MarkAnswered": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Tickets.MarkAnswered(ctx, id)
		},
		"Tickets.MarkUnanswered": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Tickets.MarkUnanswered(ctx, id)
		},
		"Tickets.MarkSpam": func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.MarkSpam(ctx, id) },
		"Tickets.UnmarkSpam": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Tickets.UnmarkSpam(ctx, id)
		},
		"Tickets.Trash":   func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.Trash(ctx, id) },
		"Tickets.Untrash": func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Tickets.Untrash(ctx, id) },
		"Tickets.AssignUser": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Tickets.AssignUser(ctx, id, 1))
		},
		"Tickets.AssignTeam": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Tickets.AssignTeam(ctx, id, 1))
		},
		"Tickets.UnassignUser": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Tickets.UnassignUser(ctx, id)
		},
		"Tickets.UnassignTeam": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Tickets.UnassignTeam(ctx, id)
		},
		"Tickets.Audit": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Tickets.Audit(ctx, id))
		},
		"Replies.List": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Replies.List(ctx, id))
		},
		"Replies.Get": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Replies.Get(ctx, id, 1))
		},
		"Replies.Create": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Replies.Create(ctx, id, supportbee.ReplyParams{Content: text}))
		},
		"Comments.List": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Comments.List(ctx, id))
		},
		"Comments.Create": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Comments.Create(ctx, id, supportbee.CommentParams{Content: text}))
		},
		"Drafts.Get": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Drafts.Get(ctx, id, nil))
		},
		"Drafts.Create": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Drafts.Create(ctx, id, supportbee.DraftParams{}))
		},
		"Drafts.Update": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Drafts.Update(ctx, id, supportbee.DraftParams{}))
		},
		"Drafts.Delete": func(ctx context.Context, c client, id supportbee.TicketID) error { return c.Drafts.Delete(ctx, id) },
		"Labels.Add": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Labels.Add(ctx, id, "x"))
		},
		"Labels.Remove": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Labels.Remove(ctx, id, "x")
		},
		"Users.Get": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Users.Get(ctx, supportbee.UserID(id), nil))
		},
		"Users.Update": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Users.Update(ctx, supportbee.UserID(id), supportbee.UserUpdateParams{Name: new("x")}))
		},
		"Users.Members": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Users.Members(ctx, supportbee.UserID(id)))
		},
		"Users.AddMember": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Users.AddMember(ctx, supportbee.UserID(id), supportbee.MemberParams{UserID: 1}))
		},
		"Snippets.Update": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return errorOf(c.Snippets.Update(ctx, supportbee.SnippetID(id), supportbee.SnippetUpdateParams{Name: new("x")}))
		},
		"Snippets.Delete": func(ctx context.Context, c client, id supportbee.TicketID) error {
			return c.Snippets.Delete(ctx, supportbee.SnippetID(id))
		},
	} {
		checkRejected(t, supportbee.ArgumentError{Op: op, Field: "id", Reason: "must be positive, got 0"}, func(ctx context.Context, c client) error { return call(ctx, c, 0) })
		checkRejected(t, supportbee.ArgumentError{Op: op, Field: "id", Reason: "must be positive, got -1"}, func(ctx context.Context, c client) error { return call(ctx, c, -1) })
	}
	checkRejected(t, supportbee.ArgumentError{Op: "Replies.Get", Field: "reply_id", Reason: "must be positive, got 0"}, func(ctx context.Context, c client) error {
		return errorOf(c.Replies.Get(ctx, 7, 0))
	})
}

func TestNilContextsAreRejected(t *testing.T) {
	t.Parallel()
	checkRejected(t, supportbee.ArgumentError{Op: "Teams.List", Field: "ctx", Reason: "must not be nil"}, func(_ context.Context, c *supportbee.Client) error {
		return errorOf(c.Teams.List(nil, nil)) //nolint:staticcheck // that is the point
	})
}

func TestArgumentErrors(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]*supportbee.ArgumentError{
		"supportbee: <nil>":            nil,
		"supportbee: invalid argument": {},
		"supportbee: Tickets.Create: invalid argument: RequesterEmail is required":              {Op: "Tickets.Create", Field: "RequesterEmail", Reason: "is required"},
		"supportbee: invalid argument: Content must have Text, HTML or AttachmentIDs":           {Field: "Content", Reason: "must have Text, HTML or AttachmentIDs"},
		"supportbee: Do: invalid argument: token must be given to New: token required":          {Op: "Do", Field: "token", Reason: "must be given to New", Err: supportbee.ErrTokenRequired},
		"supportbee: Labels.Add: invalid argument: name must not be \"\", or have line [2Jends": {Op: "Labels.Add", Field: "name", Reason: "must not be \"\", or\r\nhave line \x1b[2Jends"},
	} {
		assert.EqualError(t, err, want)
		assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		assert.NotErrorIs(t, err, supportbee.ErrValidation)
	}
	long := &supportbee.ArgumentError{Reason: strings.Repeat("x", 5000)}
	assert.Less(t, len(long.Error()), 1100)
}
