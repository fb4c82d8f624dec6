package supportbee

import (
	"context"
	"encoding/json"
	"net/url"
)

// TeamID identifies a team.
type TeamID int64

// Team is a group of users that tickets can be assigned to.
type Team struct {
	ID      TeamID                     `json:"id"`
	Name    string                     `json:"name"`
	Private bool                       `json:"private,omitzero"`
	Picture Picture                    `json:"picture,omitzero"`
	Users   []User                     `json:"users,omitzero"` // with TeamListOptions.WithUsers, if the server sends them
	Extra   map[string]json.RawMessage `json:"-"`              // see Ticket.Extra
}

func (t *Team) usable() bool { return t.ID > 0 || t.Name != "" }

func (t *Team) readText(text string) { t.Name = text }

func (t *Team) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &t.ID)
	case "name":
		return readString(r, &t.Name)
	case "private":
		return readBool(r, &t.Private)
	case "picture":
		return readObject(r, &t.Picture)
	case "users":
		return readList(r, &t.Users)
	}
	return r.extra(&t.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (t Team) MarshalJSON() ([]byte, error) { return marshalObject(t, t.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (t *Team) UnmarshalJSON(data []byte) error { return unmarshalObject(data, t) }

// TeamsService lists teams.
type TeamsService struct{ service }

// TeamListOptions selects teams. The default is all teams.
type TeamListOptions struct {
	// WithUsers sends with_users=true. The server then returns only teams that have users, or
	// teams with their users in [Team.Users]; which of both is not known.
	WithUsers bool

	OnlyMine bool // only teams of the token's user
}

// List returns all teams that opts selects. If opts is nil, it returns all teams.
//
// API: GET /teams
func (s *TeamsService) List(ctx context.Context, opts *TeamListOptions) ([]*Team, error) {
	query, o := url.Values{}, valueOf(opts)
	setBool(query, "with_users", o.WithUsers)
	if o.OnlyMine {
		query.Set("user", "me")
	}
	return doList[Team](ctx, s.client, operation{name: "Teams.List", route: "/teams", query: query, key: "teams"})
}
