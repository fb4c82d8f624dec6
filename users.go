package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
)

// UserID identifies a person: an agent, a customer or a customer group.
type UserID int64

func (id UserID) segment() (string, error) { return idSegment(int64(id)) }

// Person is a person or a customer group as part of a ticket, reply, comment or assignment.
type Person struct {
	ID                             UserID                     `json:"id,omitzero"` // 0 for an address only
	Type                           UserType                   `json:"type,omitzero"`
	Email                          string                     `json:"email"` // empty for a customer group
	Name                           string                     `json:"name"`
	FirstName                      string                     `json:"first_name,omitzero"`
	LastName                       string                     `json:"last_name,omitzero"`
	Role                           Role                       `json:"role,omitzero"`
	Agent                          bool                       `json:"agent"` // whether the person works in the help desk
	TwoFactorAuthenticationEnabled bool                       `json:"two_factor_authentication_enabled,omitzero"`
	CanMembersAccessGroupTickets   bool                       `json:"can_members_access_group_tickets,omitzero"` // customer groups only
	Picture                        Picture                    `json:"picture,omitzero"`
	ActiveTicketsCount             int                        `json:"active_tickets_count,omitzero"` // not sent for most people in 2026
	MembersCount                   int                        `json:"members_count,omitzero"`        // customer groups only
	EmailDomains                   []string                   `json:"email_domains,omitzero"`        // customer groups only
	Extra                          map[string]json.RawMessage `json:"-"`                             // see Ticket.Extra
}

func (p *Person) usable() bool { return p.ID > 0 || p.Email != "" || p.Name != "" }

// readText reads "a@b.c" or "Name <a@b.c>".
func (p *Person) readText(text string) {
	if address, err := mail.ParseAddress(text); err == nil {
		p.Name, p.Email = address.Name, address.Address
		return
	}
	p.Email = strings.TrimSpace(text)
}

func (p *Person) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &p.ID)
	case "type":
		return readString(r, &p.Type)
	case "email":
		return readString(r, &p.Email)
	case "name":
		return readString(r, &p.Name)
	case "first_name":
		return readString(r, &p.FirstName)
	case "last_name":
		return readString(r, &p.LastName)
	case "role":
		return readRole(r, &p.Role)
	case "agent":
		return readBool(r, &p.Agent)
	case "picture":
		return readObject(r, &p.Picture)
	case "active_tickets_count":
		return readInt(r, &p.ActiveTicketsCount)
	case "two_factor_authentication_enabled":
		return readBool(r, &p.TwoFactorAuthenticationEnabled)
	case "can_members_access_group_tickets":
		return readBool(r, &p.CanMembersAccessGroupTickets)
	case "email_domains":
		return readStrings(r, &p.EmailDomains)
	case "members_count":
		return readInt(r, &p.MembersCount)
	}
	return r.extra(&p.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (p Person) MarshalJSON() ([]byte, error) { return marshalObject(p, p.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (p *Person) UnmarshalJSON(data []byte) error { return unmarshalObject(data, p) }

// readPeople reads an array of people, or their addresses in one string.
func readPeople(r *reader, people *[]Person) error {
	if r.PeekKind() != '"' {
		return readList(r, people)
	}
	return readAddresses(r, people)
}

// readAddresses is a function of its own because it takes much of the stack, which grows by copying.
func readAddresses(r *reader, people *[]Person) error {
	*people = nil
	text, err := r.text()
	if err != nil || text == "" {
		return err
	}
	r.tolerate('"', "array")
	if list, err := mail.ParseAddressList(text); err == nil {
		for _, address := range list {
			*people = append(*people, Person{Name: address.Name, Email: address.Address})
		}
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		if !isBlank(part) {
			*people = append(*people, Person{Email: strings.TrimSpace(part)})
		}
	}
	return nil
}

// User is a person with the details that [UsersService] returns.
type User struct {
	Person
	RequestedTicketsCount int             `json:"requested_tickets_count,omitzero"`
	Signature             string          `json:"signature,omitzero"` // HTML or text
	Teams                 []Team          `json:"teams,omitzero"`
	CustomerGroups        []CustomerGroup `json:"customer_groups,omitzero"`
	Tickets               []*Ticket       `json:"tickets,omitzero"` // recent tickets; from Get only
}

func (u *User) usable() bool { return u.ID > 0 }

func (u *User) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "requested_tickets_count":
		return readInt(r, &u.RequestedTicketsCount)
	case "signature":
		return readString(r, &u.Signature)
	case "teams":
		return readList(r, &u.Teams)
	case "customer_groups":
		return readList(r, &u.CustomerGroups)
	case "tickets":
		_, err := readResources(r, &u.Tickets)
		return err
	}
	return u.Person.readMember(r, name)
}

// readBeside reads the tickets that stand beside the envelope on the vendor's page.
func (u *User) readBeside(r *reader, name []byte) error {
	if string(name) == "tickets" && u.Tickets == nil {
		_, err := readResources(r, &u.Tickets)
		return err
	}
	return r.unknown()
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (u User) MarshalJSON() ([]byte, error) { return marshalObject(u, u.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (u *User) UnmarshalJSON(data []byte) error { return unmarshalObject(data, u) }

// CustomerGroup is a group that a user is a member of.
type CustomerGroup struct {
	ID    UserID                     `json:"id"`
	Name  string                     `json:"name"`
	Extra map[string]json.RawMessage `json:"-"`
}

func (g *CustomerGroup) readText(text string) { g.Name = text }

func (g *CustomerGroup) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &g.ID)
	case "name":
		return readString(r, &g.Name)
	}
	return r.extra(&g.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (g CustomerGroup) MarshalJSON() ([]byte, error) { return marshalObject(g, g.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (g *CustomerGroup) UnmarshalJSON(data []byte) error { return unmarshalObject(data, g) }

// UserType distinguishes users from customer groups.
type UserType string

// The types of users.
const (
	UserTypeUser          UserType = "user"
	UserTypeCustomerGroup UserType = "customer_group"
)

// Role is the role of a person in the help desk. Unknown roles are passed through.
type Role string

// The known roles.
const (
	RoleAdmin        Role = "admin"
	RoleAgent        Role = "agent"
	RoleCollaborator Role = "collaborator"
	RoleCustomer     Role = "customer" // in responses and filters only
)

// roleNumbers are the roles in requests.
var roleNumbers = map[Role]int64{RoleAdmin: 20, RoleAgent: 10, RoleCollaborator: 9}

// readRole reads the name of a role, or its number as in requests.
func readRole(r *reader, role *Role) error {
	isNumber := r.PeekKind() == '0'
	err := readString(r, role)
	if isNumber {
		for name, number := range roleNumbers {
			if string(*role) == strconv.FormatInt(number, 10) {
				*role = name
				break
			}
		}
	}
	return err
}

// Picture holds the URLs of a picture by width in pixels. Those of a person are absolute, those of
// a team are relative to the base URL.
type Picture struct {
	Thumb20  string                     `json:"thumb20,omitzero"`
	Thumb24  string                     `json:"thumb24,omitzero"`
	Thumb32  string                     `json:"thumb32,omitzero"`
	Thumb48  string                     `json:"thumb48,omitzero"`
	Thumb64  string                     `json:"thumb64,omitzero"`
	Thumb128 string                     `json:"thumb128,omitzero"`
	Thumb256 string                     `json:"thumb256,omitzero"` // teams only
	Extra    map[string]json.RawMessage `json:"-"`
}

func (p *Picture) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "thumb20":
		return readString(r, &p.Thumb20)
	case "thumb24":
		return readString(r, &p.Thumb24)
	case "thumb32":
		return readString(r, &p.Thumb32)
	case "thumb48":
		return readString(r, &p.Thumb48)
	case "thumb64":
		return readString(r, &p.Thumb64)
	case "thumb128":
		return readString(r, &p.Thumb128)
	case "thumb256":
		return readString(r, &p.Thumb256)
	}
	return r.extra(&p.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (p Picture) MarshalJSON() ([]byte, error) { return marshalObject(p, p.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (p *Picture) UnmarshalJSON(data []byte) error { return unmarshalObject(data, p) }

// UsersService manages users and customer groups. The API cannot delete them.
type UsersService struct{ service }

// UserListOptions selects users. The default is all admins, agents and collaborators.
type UserListOptions struct {
	Roles          []Role
	Type           UserType
	IncludeInvited bool // also select those who have not accepted their invitation
}

// List returns all users that opts selects. If opts is nil, it returns all admins, agents and
// collaborators.
//
// API: GET /users
func (s *UsersService) List(ctx context.Context, opts *UserListOptions) ([]*User, error) {
	query, o := url.Values{}, valueOf(opts)
	setBool(query, "with_invited", o.IncludeInvited)
	setList(query, "with_roles", o.Roles)
	setString(query, "type", o.Type)
	return doList[User](ctx, s.client, operation{name: "Users.List", route: "/users", query: query, key: "users"})
}

// UserGetOptions configures [UsersService.Get].
type UserGetOptions struct {
	MaxTickets int // recent tickets to return; default 5, negative means all
}

// Get returns the user or customer group with the given ID, and its most recent tickets. If opts
// is nil, it returns at most 5 tickets.
//
// API: GET /users/{id}
func (s *UsersService) Get(ctx context.Context, id UserID, opts *UserGetOptions) (*User, error) {
	query, o := url.Values{}, valueOf(opts)
	setNumber(query, "max_tickets", max(o.MaxTickets, 0))
	if o.MaxTickets < 0 {
		query.Set("max_tickets", "false")
	}
	return do[User](ctx, s.client, operation{name: "Users.Get", route: "/users/{id}", args: []segment{id}, query: query, key: "user"})
}

// UserParams describes a user to invite or a customer group to create. A user requires Email, a
// customer group Type and Name.
type UserParams struct {
	Type                         UserType `json:"type,omitzero"` // default UserTypeUser
	Email                        string   `json:"email,omitzero"`
	Name                         string   `json:"name,omitzero"`
	Role                         Role     `json:"role,omitzero"` // sent as its number; not RoleCustomer
	TeamIDs                      []TeamID `json:"team_ids,omitzero"`
	CanMembersAccessGroupTickets *bool    `json:"can_members_access_group_tickets,omitzero"`
	EmailDomains                 []string `json:"email_domains,omitzero"`
}

// Validate returns an [*ArgumentError] if the server would reject p.
func (p UserParams) Validate() error {
	identity := validateEmail("Email", p.Email)
	if p.Type == UserTypeCustomerGroup {
		identity = required("Name", p.Name)
		if p.Email != "" {
			identity = invalid("Email", "must be empty for a customer group")
		}
	}
	return firstError(identity, validateRole(p.Role), allPositive("TeamIDs", p.TeamIDs))
}

// Create invites a user, who is sent mail, or creates a customer group. It is never sent twice: if
// the user may have been created, the error is [ErrOutcomeUnknown].
//
// API: POST /users
func (s *UsersService) Create(ctx context.Context, params UserParams) (*User, error) {
	return do[User](ctx, s.client, operation{
		name: "Users.Create", method: http.MethodPost, route: "/users", invalid: params.Validate(), wrap: "user", body: &params, key: "user",
	})
}

// UserUpdateParams describes changes to a user. Zero fields do not change; an empty slice clears.
type UserUpdateParams struct {
	Type                         UserType `json:"type,omitzero"`
	Email                        *string  `json:"email,omitzero"`
	Name                         *string  `json:"name,omitzero"`
	FirstName                    *string  `json:"first_name,omitzero"`
	LastName                     *string  `json:"last_name,omitzero"`
	Role                         Role     `json:"role,omitzero"` // sent as its number; not RoleCustomer
	TeamIDs                      []TeamID `json:"team_ids,omitzero"`
	CanMembersAccessGroupTickets *bool    `json:"can_members_access_group_tickets,omitzero"`
	EmailDomains                 []string `json:"email_domains,omitzero"`
}

// Validate returns an [*ArgumentError] if p changes nothing or the server would reject it.
func (p UserUpdateParams) Validate() error {
	if p.Type == "" && p.Email == nil && p.Name == nil && p.FirstName == nil && p.LastName == nil && p.Role == "" &&
		p.TeamIDs == nil && p.CanMembersAccessGroupTickets == nil && p.EmailDomains == nil {
		return invalid("UserUpdateParams", "must set at least one field")
	}
	if p.Email != nil {
		if err := validateEmail("Email", *p.Email); err != nil {
			return err
		}
	}
	return firstError(validateRole(p.Role), allPositive("TeamIDs", p.TeamIDs))
}

// Update changes a user or a customer group. The server rejects changes to the token's own user.
//
// API: PUT /users/{id}
func (s *UsersService) Update(ctx context.Context, id UserID, params UserUpdateParams) (*User, error) {
	return do[User](ctx, s.client, operation{
		name: "Users.Update", method: http.MethodPut, route: "/users/{id}", args: []segment{id},
		invalid: params.Validate(), wrap: "user", body: &params, key: "user",
	})
}

// Members returns all members of a customer group.
//
// API: GET /users/{id}/members
func (s *UsersService) Members(ctx context.Context, group UserID) ([]*User, error) {
	return doList[User](ctx, s.client, operation{name: "Users.Members", route: "/users/{id}/members", args: []segment{group}, key: "users"})
}

// MemberParams describes a member to add to a customer group. UserID is required.
type MemberParams struct {
	UserID UserID `json:"id"`
}

// Validate returns an [*ArgumentError] if p names no user.
func (p MemberParams) Validate() error { return positive("UserID", p.UserID) }

// AddMember adds a user to a customer group. The API cannot remove one.
//
// API: POST /users/{id}/members
func (s *UsersService) AddMember(ctx context.Context, group UserID, params MemberParams) (*User, error) {
	return do[User](ctx, s.client, operation{
		name: "Users.AddMember", method: http.MethodPost, route: "/users/{id}/members", args: []segment{group},
		invalid: params.Validate(), wrap: "member", body: &params, key: "user",
	})
}
