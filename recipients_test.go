package supportbee_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// staging allows the addresses of the own company, and records which it was asked for.
type staging struct {
	mu    sync.Mutex
	asked []string
}

func (s *staging) allow(address string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, address)
	return strings.HasSuffix(address, "@acme.example")
}

func TestAllowedRecipients(t *testing.T) {
	t.Parallel()
	const (
		colleague = "Bo <BO@Acme.Example>"
		stranger  = "Eve <eve@example.com>"
	)
	text := supportbee.Text("Hello")
	from := func(email string, cc ...string) supportbeetest.TicketSeed {
		return supportbeetest.TicketSeed{RequesterEmail: email, CC: cc}
	}
	reply := func(seed supportbeetest.TicketSeed, params supportbee.ReplyParams) func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error {
		return func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error {
			return errorOf(c.Replies.Create(ctx, desk.AddTicket(seed), params))
		}
	}
	tests := []struct {
		name   string
		call   func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error
		asked  []string
		op     string
		field  string // empty if the call is allowed
		reason string
	}{
		{
			name: "a ticket of a colleague", asked: []string{"ann@acme.example", "bo@acme.example", "cy@acme.example"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{
					RequesterEmail: "Ann@acme.example", CC: []string{colleague}, BCC: []string{"cy@ACME.example"}, Content: text,
				}))
			},
		},
		{
			name: "a ticket of a stranger", op: "Tickets.Create", field: "RequesterEmail", reason: "is not allowed", asked: []string{"eve@example.com"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "eve@example.com", Content: text}))
			},
		},
		{
			name: "a ticket with a stranger as CC", op: "Tickets.Create", field: "CC", reason: "[1] is not allowed",
			asked: []string{"ann@acme.example", "bo@acme.example", "eve@example.com"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "ann@acme.example", CC: []string{colleague, stranger}, Content: text}))
			},
		},
		{
			name: "a ticket with a stranger as BCC", op: "Tickets.Create", field: "BCC", reason: "[0] is not allowed",
			asked: []string{"ann@acme.example", "eve@example.com"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "ann@acme.example", BCC: []string{stranger}, Content: text}))
			},
		},
		{
			name: "an invalid ticket", op: "Tickets.Create", field: "Content", reason: "must have Text, HTML or AttachmentIDs",
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "eve@example.com"}))
			},
		},
		{
			name: "an invited colleague", asked: []string{"new@acme.example"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Users.Create(ctx, supportbee.UserParams{Email: "new@acme.example", Role: supportbee.RoleAgent}))
			},
		},
		{
			name: "an invited stranger", op: "Users.Create", field: "Email", reason: "is not allowed", asked: []string{"eve@example.com"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Users.Create(ctx, supportbee.UserParams{Email: "eve@example.com"}))
			},
		},
		{
			name: "a customer group",
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.Users.Create(ctx, supportbee.UserParams{Type: supportbee.UserTypeCustomerGroup, Name: "Example Ltd"}))
			},
		},
		{
			name: "another name",
			call: func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error {
				return errorOf(c.Users.Update(ctx, desk.User(supportbeetest.CustomerEmail).ID, supportbee.UserUpdateParams{Name: new("Eve")}))
			},
		},
		{
			name: "another address", op: "Users.Update", field: "Email", reason: "is not allowed", asked: []string{"eve@example.org"},
			call: func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error {
				return errorOf(c.Users.Update(ctx, desk.User(supportbeetest.CustomerEmail).ID, supportbee.UserUpdateParams{Email: new("eve@example.org")}))
			},
		},
		{
			name: "a forwarding address", op: "ForwardingAddresses.Create", field: "Email", reason: "is not allowed", asked: []string{"help@example.com"},
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return errorOf(c.ForwardingAddresses.Create(ctx, supportbee.ForwardingAddressParams{Email: "help@example.com"}))
			},
		},
		{
			name: "a reply to colleagues", asked: []string{"cy@acme.example", "ann@acme.example", "bo@acme.example"},
			call: reply(from("ann@acme.example", colleague), supportbee.ReplyParams{Content: text, CC: []string{"cy@acme.example"}}),
		},
		{
			name: "a reply to a stranger", op: "Replies.Create", field: "ticket", reason: "has a requester that is not allowed", asked: []string{"eve@example.com"},
			call: reply(from("eve@example.com"), supportbee.ReplyParams{Content: text}),
		},
		{
			name: "a reply on a ticket with a stranger as CC", op: "Replies.Create", field: "ticket", reason: "has a CC that is not allowed",
			asked: []string{"ann@acme.example", "bo@acme.example", "eve@example.com"},
			call:  reply(from("ann@acme.example", colleague, stranger), supportbee.ReplyParams{Content: text}),
		},
		{
			name: "a reply with a stranger as BCC", op: "Replies.Create", field: "BCC", reason: "[0] is not allowed", asked: []string{"eve@example.com"},
			call: reply(from("ann@acme.example"), supportbee.ReplyParams{Content: text, BCC: []string{stranger}}),
		},
		{
			name: "a request of Do", op: "Do", field: "method", reason: "must be GET or HEAD: the recipients of other requests are not known",
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return c.Do(ctx, http.MethodPost, "/tickets", supportbee.TicketParams{RequesterEmail: "ann@acme.example", Content: text}, nil)
			},
		},
		{
			name: "a read of Do",
			call: func(ctx context.Context, c *sb, _ *supportbeetest.Desk) error {
				return c.Do(ctx, http.MethodGet, "/labels", nil, nil)
			},
		},
		{
			name: "writes that send no mail",
			call: func(ctx context.Context, c *sb, desk *supportbeetest.Desk) error {
				id := desk.AddTicket(supportbeetest.TicketSeed{Answered: true})
				if err := c.Tickets.MarkUnanswered(ctx, id); err != nil {
					return err
				}
				if _, err := c.Drafts.Create(ctx, id, supportbee.DraftParams{Content: text, CC: []string{stranger}}); err != nil {
					return err
				}
				return errorOf(c.Comments.Create(ctx, id, supportbee.CommentParams{Content: text}))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, supportbeetest.InMemory())
			var s staging
			err := tt.call(t.Context(), desk.Client(supportbee.WithAllowedRecipients(s.allow)), desk)
			assert.Equal(t, tt.asked, s.asked)
			if tt.field == "" {
				require.NoError(t, err)
				return
			}
			want := &supportbee.ArgumentError{Op: tt.op, Field: tt.field, Reason: tt.reason}
			if tt.field != "Content" {
				want.Err = supportbee.ErrRecipientNotAllowed
			}
			assert.Equal(t, want, err)
			desk.AssertNoWrites(t)
			desk.AssertMailed(t)

			// A dry run rejects the same.
			dry := desk.Client(supportbee.WithDryRun(nil), supportbee.WithAllowedRecipients(s.allow))
			assert.Equal(t, want, tt.call(t.Context(), dry, desk))
		})
	}
}

func TestAReplyToACustomerGroupGoesToItsMembers(t *testing.T) {
	t.Parallel()
	group := func(members string) *sb {
		return newClient(t, supportbee.WithAllowedRecipients(new(staging).allow), supportbee.WithTransport(transportFunc(func(req *http.Request) (*http.Response, error) {
			switch req.Method + " " + req.URL.Path {
			case "GET /tickets/7":
				return respond(req, http.StatusOK, `{"ticket":{"id":7,"requester":{"id":13,"type":"customer_group","name":"Example Ltd"}}}`), nil
			case "GET /users/13/members":
				if members == "" {
					return respond(req, http.StatusForbidden, `{"error":"eve@example.com may not"}`), nil
				}
				return respond(req, http.StatusOK, members), nil
			case "POST /tickets/7/replies":
				return respond(req, http.StatusCreated, `{"reply":{"id":1}}`), nil
			}
			t.Errorf("unexpected request %s %s", req.Method, req.URL)
			return nil, http.ErrNotSupported
		})))
	}
	rejected := func(reason string) error {
		return &supportbee.ArgumentError{Op: "Replies.Create", Field: "ticket", Reason: reason, Err: supportbee.ErrRecipientNotAllowed}
	}
	params := supportbee.ReplyParams{Content: supportbee.Text("Hello")}
	for _, tt := range []struct {
		name, members string
		want          error
	}{
		{name: "all are allowed", members: `{"users":[{"id":1,"email":"ann@acme.example"},{"id":2,"email":"bo@acme.example"}]}`},
		{
			name: "one is not", members: `{"users":[{"id":1,"email":"ann@acme.example"},{"id":2,"email":"eve@example.com"}]}`,
			want: rejected("has a customer group with a member that is not allowed"),
		},
		{
			name: "one has no address", members: `{"users":[{"id":1,"email":"ann@acme.example"},{"id":2,"name":"Bo"}]}`,
			want: rejected("has a customer group with a member that is not allowed"),
		},
		{name: "there are none", members: `{"users":[]}`, want: rejected("has a customer group whose members cannot be found out")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := group(tt.members).Replies.Create(t.Context(), 7, params)
			if tt.want == nil {
				assert.NoError(t, err)
				return
			}
			assert.Equal(t, tt.want, err)
		})
	}
	t.Run("they cannot be read", func(t *testing.T) {
		t.Parallel()
		_, err := group("").Replies.Create(t.Context(), 7, params)
		require.ErrorIs(t, err, supportbee.ErrRecipientNotAllowed)
		require.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		require.ErrorIs(t, err, supportbee.ErrAccessDenied)
		assert.EqualError(t, err, "supportbee: Replies.Create: invalid argument: ticket has a customer group whose members cannot be found out: "+
			"recipient not allowed: supportbee: Users.Members: GET /users/13/members: 403 Forbidden (request the-request)")
	})
}

// A reply whose recipients cannot be found out is rejected.
func TestRecipientsThatAreNotKnownAreRejected(t *testing.T) {
	t.Parallel()
	reply := func(ctx context.Context, c *sb) error {
		return errorOf(c.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("Hello")}))
	}
	allowAll := supportbee.WithAllowedRecipients(func(string) bool { return true })
	for name, ticket := range map[string]string{
		"no requester":         `{"ticket":{"id":7}}`,
		"no address":           `{"ticket":{"id":7,"requester":{"id":11,"name":"Ann"}}}`,
		"two addresses in one": `{"ticket":{"id":7,"requester":{"id":11,"email":"eve@example.com, ann@acme.example"}}}`,
		"a copy without one":   `{"ticket":{"id":7,"requester":{"id":11,"email":"ann@acme.example"},"bcc":[{"id":12,"name":"Bo"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := reply(t.Context(), always(t, http.StatusOK, ticket, allowAll))
			assert.ErrorIs(t, err, supportbee.ErrRecipientNotAllowed)
			assert.ErrorIs(t, err, supportbee.ErrInvalidArgument)
		})
	}
	var response supportbee.Response
	err := reply(supportbee.WithResponse(t.Context(), &response), always(t, http.StatusNotFound, `{"error":"none of ann@acme.example"}`, allowAll))
	require.ErrorIs(t, err, supportbee.ErrRecipientNotAllowed)
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	assert.NotContains(t, err.Error(), "acme.example")
	assert.Zero(t, response)

	// In a dry run, a ticket that was not created has no others than its own parameters name.
	dry := offline(t, "the-token").With(allowAll, supportbee.WithDryRun(nil))
	_, err = dry.Replies.Create(t.Context(), 0, supportbee.ReplyParams{Content: supportbee.Text("Hello")})
	assert.NoError(t, err)
}

// Letters that become ASCII letters in lower case belong to another address.
func TestAllowGetsTheAddressThatIsSent(t *testing.T) {
	t.Parallel()
	var s staging
	client := offline(t, "the-token").With(supportbee.WithAllowedRecipients(s.allow))
	_, err := client.Users.Create(t.Context(), supportbee.UserParams{Email: "Ann@\u212aettle.example"})
	require.ErrorIs(t, err, supportbee.ErrRecipientNotAllowed)
	assert.Equal(t, []string{"ann@\u212aettle.example"}, s.asked)
}

func TestAllowedRecipientsNeedAFunction(t *testing.T) {
	t.Parallel()
	_, err := supportbee.New("acme", "the-token", supportbee.WithAllowedRecipients(nil))
	assert.Equal(t, &supportbee.ArgumentError{Op: "New", Field: "allow", Reason: "must not be nil"}, err)
}

func TestRecipientList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		list, address string
		want          bool
	}{
		{list: "example.com", address: "ann@example.com", want: true},
		{list: "Example.com", address: "ann@example.com", want: true},
		{list: "example.com", address: "Ann@Example.COM", want: true},
		{list: "Ann@example.com", address: "ann@example.COM", want: true},
		{list: "a@b.c, ann@example.com ", address: "ann@example.com", want: true},
		{list: "example.org,example.com", address: "ann@example.com", want: true},
		{list: "*", address: "ann@example.com"},
		{list: "*.example.com", address: "ann@a.example.com"},
		{list: "example.com", address: "ann@a.example.com"},
		{list: "example.com", address: "ann@badexample.com"},
		{list: "example.com", address: "ann@example.com.evil.example"},
		{list: "ann@example.com", address: "joann@example.com"},
		{list: "ann@example.com", address: "bo@example.com"},
		{list: "@example.com", address: "ann@example.com"},
		{list: "example.com", address: "eve@evil.example,ann@example.com"},
		{list: "example.com", address: "eve@evil.example@example.com"},
		{list: "example.com", address: `"eve@evil.example"@example.com`},
		{list: "example.com", address: "eve,ann@example.com"},
		{list: "kettle.example", address: "ann@\u212aettle.example"},
		{list: "\u212aettle.example", address: "ann@kettle.example"},
		{list: "example.com", address: "example.com"},
		{list: "example.com", address: ""},
		{list: "", address: "ann@example.com"},
		{list: " , ,", address: "ann@example.com"},
	} {
		allow := supportbee.RecipientList(strings.Split(tt.list, ",")...)
		client := offline(t, "the-token").With(supportbee.WithAllowedRecipients(allow), supportbee.WithDryRun(nil))
		_, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: tt.address, Content: supportbee.Text("Hello")})
		assert.Equal(t, tt.want, err == nil, "%q %q: %v", tt.list, tt.address, err)
	}
	// Without the checks of the client, too.
	for _, address := range []string{"", "@", "ann@", "example.com", "eve@evil.example@example.com"} {
		assert.False(t, supportbee.RecipientList("example.com", "", " ")(address), address)
	}
	assert.False(t, supportbee.RecipientList()("ann@example.com"))
}
