package supportbee_test

import (
	"context"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestUsersList(t *testing.T) {
	t.Parallel()
	list := func(opts *supportbee.UserListOptions) func(context.Context, *supportbee.Client) ([]*supportbee.User, error) {
		return func(ctx context.Context, c *supportbee.Client) ([]*supportbee.User, error) {
			return c.Users.List(ctx, opts)
		}
	}
	for _, tt := range []struct {
		opts  *supportbee.UserListOptions
		query string
	}{
		{opts: nil},
		{opts: &supportbee.UserListOptions{}},
		{
			opts: &supportbee.UserListOptions{
				Roles: []supportbee.Role{supportbee.RoleAdmin, supportbee.RoleCustomer}, Type: supportbee.UserTypeUser, IncludeInvited: true,
			},
			query: "?type=user&with_invited=true&with_roles=admin%2Ccustomer",
		},
		{opts: &supportbee.UserListOptions{Type: supportbee.UserTypeCustomerGroup}, query: "?type=customer_group"},
	} {
		check(t, "Users.List", exchange{method: "GET", uri: "/users" + tt.query, status: 200, reply: listOf(t, "users", "user.json")}, list(tt.opts), []*supportbee.User{&theUser})
	}
}

func TestUsersGet(t *testing.T) {
	t.Parallel()
	get := func(opts *supportbee.UserGetOptions) func(context.Context, *supportbee.Client) (*supportbee.User, error) {
		return func(ctx context.Context, c *supportbee.Client) (*supportbee.User, error) {
			return c.Users.Get(ctx, 12, opts)
		}
	}
	for _, tt := range []struct {
		opts  *supportbee.UserGetOptions
		query string
	}{
		{opts: nil},
		{opts: &supportbee.UserGetOptions{}},
		{opts: &supportbee.UserGetOptions{MaxTickets: 2}, query: "?max_tickets=2"},
		{opts: &supportbee.UserGetOptions{MaxTickets: -1}, query: "?max_tickets=false"},
	} {
		check(t, "Users.Get", exchange{method: "GET", uri: "/users/12" + tt.query, status: 200, reply: "user.json"}, get(tt.opts), &theUser)
	}
	// The vendor's page has the tickets beside the user.
	beside := &supportbee.User{Person: supportbee.Person{ID: 12}, Tickets: []*supportbee.Ticket{{ID: 7}}}
	for _, reply := range []string{
		`{"user":{"id":12},"tickets":[{"id":7}]}`,
		`{"tickets":[{"id":7}],"user":{"id":12}}`,
		`{"tickets":[{"id":7}],"user":{"id":12,"tickets":[{"id":7}]}}`,
		`{"user":{"id":12,"tickets":[{"id":7}]},"tickets":[{"id":8}]}`,
	} {
		check(t, "Users.Get", exchange{method: "GET", uri: "/users/12", status: 200, reply: reply}, get(nil), beside)
	}
}

func TestUsersCreate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		params supportbee.UserParams
		body   string
	}{
		{
			params: supportbee.UserParams{
				Type: supportbee.UserTypeUser, Email: "ben@acme.example", Name: "Ben", Role: supportbee.RoleAdmin, TeamIDs: []supportbee.TeamID{21, 22},
			},
			body: `{"user":{"type":"user","email":"ben@acme.example","name":"Ben","role":20,"team_ids":[21,22]}}`,
		},
		{params: supportbee.UserParams{Email: "ben@acme.example"}, body: `{"user":{"email":"ben@acme.example"}}`},
		{params: supportbee.UserParams{Email: "ben@acme.example", Role: supportbee.RoleAgent}, body: `{"user":{"email":"ben@acme.example","role":10}}`},
		{params: supportbee.UserParams{Email: "ben@acme.example", Role: supportbee.RoleCollaborator}, body: `{"user":{"email":"ben@acme.example","role":9}}`},
		{
			params: supportbee.UserParams{
				Type: supportbee.UserTypeCustomerGroup, Name: "Example Ltd", CanMembersAccessGroupTickets: new(true), EmailDomains: []string{"example.com"},
			},
			body: `{"user":{"type":"customer_group","name":"Example Ltd","can_members_access_group_tickets":true,"email_domains":["example.com"]}}`,
		},
		{
			params: supportbee.UserParams{
				Type: supportbee.UserTypeCustomerGroup, Name: "Example Ltd", CanMembersAccessGroupTickets: new(false), TeamIDs: []supportbee.TeamID{}, EmailDomains: []string{},
			},
			body: `{"user":{"type":"customer_group","name":"Example Ltd","team_ids":[],"can_members_access_group_tickets":false,"email_domains":[]}}`,
		},
	} {
		check(t, "Users.Create", exchange{method: "POST", uri: "/users", body: tt.body, status: 201, reply: "user.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.User, error) {
				return c.Users.Create(ctx, tt.params)
			}, &theUser)
	}
	type params = supportbee.UserParams
	checkParams(t, "Users.Create", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Users.Create(ctx, p))
	}, params{Email: "a@b.c"}, []invalidParams[params]{
		{params: params{Name: "x"}, field: "Email", reason: "is required"},
		{params: params{Email: "x"}, field: "Email", reason: "must be an e-mail address"},
		{params: params{Type: supportbee.UserTypeCustomerGroup}, field: "Name", reason: "is required"},
		{params: params{Type: supportbee.UserTypeCustomerGroup, Name: "x", Email: "a@b.c"}, field: "Email", reason: "must be empty for a customer group"},
		{
			params: params{Email: "a@b.c", Role: supportbee.RoleCustomer},
			field:  "Role", reason: `must be "admin", "agent" or "collaborator", got "customer"`,
		},
		{params: params{Email: "a@b.c", TeamIDs: []supportbee.TeamID{21, 0}}, field: "TeamIDs", reason: "must be positive, got 0"},
	})
}

func TestUsersUpdate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		params supportbee.UserUpdateParams
		body   string
	}{
		{
			params: supportbee.UserUpdateParams{
				Type: supportbee.UserTypeUser, Email: new("b@acme.example"), Name: new("Ben"), FirstName: new("B"), LastName: new("Bauer"),
				Role: supportbee.RoleCollaborator, TeamIDs: []supportbee.TeamID{21}, CanMembersAccessGroupTickets: new(true), EmailDomains: []string{"b.c"},
			},
			body: `{"user":{"type":"user","email":"b@acme.example","name":"Ben","first_name":"B","last_name":"Bauer","role":9,"team_ids":[21],` +
				`"can_members_access_group_tickets":true,"email_domains":["b.c"]}}`,
		},
		{ // what clears
			params: supportbee.UserUpdateParams{
				Name: new(""), FirstName: new(""), LastName: new(""), TeamIDs: []supportbee.TeamID{}, CanMembersAccessGroupTickets: new(false), EmailDomains: []string{},
			},
			body: `{"user":{"name":"","first_name":"","last_name":"","team_ids":[],"can_members_access_group_tickets":false,"email_domains":[]}}`,
		},
		{params: supportbee.UserUpdateParams{Type: supportbee.UserTypeCustomerGroup}, body: `{"user":{"type":"customer_group"}}`},
		{params: supportbee.UserUpdateParams{Email: new("b@acme.example")}, body: `{"user":{"email":"b@acme.example"}}`},
		{params: supportbee.UserUpdateParams{FirstName: new("B")}, body: `{"user":{"first_name":"B"}}`},
		{params: supportbee.UserUpdateParams{LastName: new("B")}, body: `{"user":{"last_name":"B"}}`},
		{params: supportbee.UserUpdateParams{Role: supportbee.RoleAgent}, body: `{"user":{"role":10}}`},
	} {
		check(t, "Users.Update", exchange{method: "PUT", uri: "/users/12", body: tt.body, status: 200, reply: "user.json"},
			func(ctx context.Context, c *supportbee.Client) (*supportbee.User, error) {
				return c.Users.Update(ctx, 12, tt.params)
			}, &theUser)
	}
	type params = supportbee.UserUpdateParams
	checkParams(t, "Users.Update", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.Users.Update(ctx, 12, p))
	}, params{EmailDomains: []string{}}, []invalidParams[params]{
		{params: params{}, field: "UserUpdateParams", reason: "must set at least one field"},
		{params: params{Email: new("")}, field: "Email", reason: "is required"},
		{params: params{Email: new("Ben")}, field: "Email", reason: "must be an e-mail address"},
		{params: params{Role: "boss"}, field: "Role", reason: `must be "admin", "agent" or "collaborator", got "boss"`},
		{params: params{TeamIDs: []supportbee.TeamID{-1}}, field: "TeamIDs", reason: "must be positive, got -1"},
	})
}

func TestUsersMembers(t *testing.T) {
	t.Parallel()
	check(t, "Users.Members", exchange{method: "GET", uri: "/users/13/members", status: 200, reply: listOf(t, "users", "user.json")},
		func(ctx context.Context, c *supportbee.Client) ([]*supportbee.User, error) {
			return c.Users.Members(ctx, 13)
		}, []*supportbee.User{&theUser})
}

func TestUsersAddMember(t *testing.T) {
	t.Parallel()
	check(t, "Users.AddMember", exchange{method: "POST", uri: "/users/13/members", body: `{"member":{"id":12}}`, status: 201, reply: "user.json"},
		func(ctx context.Context, c *supportbee.Client) (*supportbee.User, error) {
			return c.Users.AddMember(ctx, 13, supportbee.MemberParams{UserID: 12})
		}, &theUser)
	checkParams(t, "Users.AddMember", func(ctx context.Context, c *supportbee.Client, p supportbee.MemberParams) error {
		return errorOf(c.Users.AddMember(ctx, 13, p))
	}, supportbee.MemberParams{UserID: 12}, []invalidParams[supportbee.MemberParams]{
		{params: supportbee.MemberParams{}, field: "UserID", reason: "must be positive, got 0"},
	})
}
