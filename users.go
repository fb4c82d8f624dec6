package supportbee

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// UserType tells users from customer groups.
type UserType string

// The types of users.
const (
	UserTypeUser          UserType = "user"
	UserTypeCustomerGroup UserType = "customer_group"
)

// User is somebody who works in the help desk, a customer, or a group of customers. Counts are
// 0 also where the server leaves them out.
type User struct {
	ID                             UserID    `json:"id"`
	Type                           UserType  `json:"type"`
	Email                          string    `json:"email"` // empty for a customer group
	Name                           string    `json:"name"`
	FirstName                      string    `json:"first_name"`
	LastName                       string    `json:"last_name"`
	Role                           Role      `json:"role"`
	Agent                          bool      `json:"agent"`
	Picture                        Picture   `json:"picture"`
	TwoFactorAuthenticationEnabled bool      `json:"two_factor_authentication_enabled"`
	CanMembersAccessGroupTickets   bool      `json:"can_members_access_group_tickets"` // customer groups only
	EmailDomains                   []string  `json:"email_domains"`                    // customer groups only
	MembersCount                   int       `json:"members_count"`                    // customer groups only
	ActiveTicketsCount             int       `json:"active_tickets_count"`
	RequestedTicketsCount          int       `json:"requested_tickets_count"`
	Teams                          []*Team   `json:"teams"`
	Tickets                        []*Ticket `json:"tickets,omitempty"` // recent ones, from Get only
}

// UserListOptions selects users; the zero value lists admins, agents and collaborators.
type UserListOptions struct {
	IncludeInvited bool // also those who have not accepted their invitation
	Roles          []Role
	Type           UserType
}

// UserGetOptions says how many of the user's tickets come along.
type UserGetOptions struct {
	MaxTickets int  // 0 leaves it to the server, whose default is 5
	AllTickets bool // instead of MaxTickets
}

// UserParams is a user to invite, or a customer group to make. Email is required for a user,
// Name for a group.
type UserParams struct {
	Type                         UserType `json:"type,omitzero"` // the server's default is a user
	Email                        string   `json:"email,omitzero"`
	Name                         string   `json:"name,omitzero"`
	Role                         Role     `json:"role,omitzero"` // not RoleCustomer
	TeamIDs                      []TeamID `json:"team_ids,omitzero"`
	CanMembersAccessGroupTickets bool     `json:"can_members_access_group_tickets,omitzero"`
	EmailDomains                 []string `json:"email_domains,omitzero"`
}

func (u UserParams) validate() error {
	if u.Type == UserTypeCustomerGroup {
		if isBlank(u.Name) {
			return invalid("Name", "is required for a customer group")
		}
		if u.Email != "" {
			return invalid("Email", "must be empty for a customer group")
		}
	} else if err := validateEmail("Email", u.Email); err != nil {
		return err
	}
	return firstError(validateRole(u.Role), validateTeams(u.TeamIDs))
}

// UserUpdateParams changes the fields that are set. In lists, nil leaves them and empty clears them.
type UserUpdateParams struct {
	Email                        *string  `json:"email,omitzero"`
	Name                         *string  `json:"name,omitzero"`
	Role                         Role     `json:"role,omitzero"` // not RoleCustomer
	TeamIDs                      []TeamID `json:"team_ids,omitzero"`
	CanMembersAccessGroupTickets *bool    `json:"can_members_access_group_tickets,omitzero"`
	EmailDomains                 []string `json:"email_domains,omitzero"`
}

func (u UserUpdateParams) validate() error {
	if u.Email == nil && u.Name == nil && u.Role == "" && u.TeamIDs == nil &&
		u.CanMembersAccessGroupTickets == nil && u.EmailDomains == nil {
		return invalid("UserUpdateParams", "changes nothing: set at least one field")
	}
	if u.Email != nil {
		if err := validateEmail("Email", *u.Email); err != nil {
			return err
		}
	}
	return firstError(validateRole(u.Role), validateTeams(u.TeamIDs))
}

func validateRole(role Role) error {
	if _, known := roleNumbers[role]; role != "" && !known {
		return invalid("Role", "must be %q, %q or %q, got %q", RoleAdmin, RoleAgent, RoleCollaborator, role)
	}
	return nil
}

func validateTeams(ids []TeamID) error {
	for _, id := range ids {
		if err := positive("TeamIDs", id); err != nil {
			return err
		}
	}
	return nil
}

// UsersService manages the help desk's users and customer groups. None can be deleted.
type UsersService struct{ service }

// List returns users.
//
// API: GET /users
func (s *UsersService) List(ctx context.Context, opts UserListOptions) ([]*User, error) {
	query := url.Values{}
	setBool(query, "with_invited", opts.IncludeInvited)
	roles := make([]string, len(opts.Roles))
	for i, role := range opts.Roles {
		roles[i] = string(role)
	}
	setIf(query, "with_roles", strings.Join(roles, ","))
	setIf(query, "type", string(opts.Type))
	return do[[]*User](ctx, s.client, call{op: "Users.List", route: "/users", query: query, key: "users"})
}

// Create invites a user or makes a customer group.
//
// API: POST /users
func (s *UsersService) Create(ctx context.Context, user UserParams) (*User, error) {
	return do[*User](ctx, s.client, call{
		op: "Users.Create", method: http.MethodPost, route: "/users", invalid: user.validate(), wrap: "user", body: &user, key: "user",
	})
}

// Get returns a user or customer group with its most recent tickets.
//
// API: GET /users/{id}
func (s *UsersService) Get(ctx context.Context, id UserID, opts UserGetOptions) (*User, error) {
	query := url.Values{}
	var reason error
	switch {
	case opts.MaxTickets < 0:
		reason = invalid("MaxTickets", "must not be negative, got %d", opts.MaxTickets)
	case opts.AllTickets && opts.MaxTickets > 0:
		reason = invalid("MaxTickets", "cannot be combined with AllTickets")
	case opts.AllTickets:
		query.Set("max_tickets", "false")
	default:
		setIf(query, "max_tickets", decimalOrNone(opts.MaxTickets))
	}
	answer, err := do[userAnswer](ctx, s.client, call{op: "Users.Get", route: "/users/{id}", args: []segment{id}, invalid: reason, query: query})
	return answer.user(), err
}

// Update changes a user or customer group. The server refuses to change the token's own user.
//
// API: PUT /users/{id}
func (s *UsersService) Update(ctx context.Context, id UserID, changes UserUpdateParams) (*User, error) {
	return do[*User](ctx, s.client, call{
		op: "Users.Update", method: http.MethodPut, route: "/users/{id}", args: []segment{id},
		invalid: changes.validate(), wrap: "user", body: &changes, key: "user",
	})
}

// Members returns the members of a customer group.
//
// API: GET /users/{id}/members
func (s *UsersService) Members(ctx context.Context, group UserID) ([]*User, error) {
	return do[[]*User](ctx, s.client, call{op: "Users.Members", route: "/users/{id}/members", args: []segment{group}, key: "users"})
}

// AddMember puts a user into a customer group. There is no way to take one out.
//
// API: POST /users/{id}/members
func (s *UsersService) AddMember(ctx context.Context, group, user UserID) (*User, error) {
	return do[*User](ctx, s.client, call{
		op: "Users.AddMember", method: http.MethodPost, route: "/users/{id}/members", args: []segment{group},
		invalid: positive("user", user), wrap: "member", body: map[string]UserID{"id": user}, key: "user",
	})
}
