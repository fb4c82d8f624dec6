package supportbee

import (
	"context"
	"net/url"
)

// TeamID identifies a team.
type TeamID int64

// Team is a group of users that tickets can be assigned to.
type Team struct {
	ID      TeamID  `json:"id"`
	Name    string  `json:"name"`
	Private bool    `json:"private"` // false also where the server leaves it out
	Picture Picture `json:"picture"`
}

// TeamListOptions selects teams; the zero value lists all.
type TeamListOptions struct {
	WithUsers bool // only teams that have users
	Mine      bool // only teams of the token's user
}

// TeamsService lists teams.
type TeamsService struct{ service }

// List returns teams.
//
// API: GET /teams
func (s *TeamsService) List(ctx context.Context, opts TeamListOptions) ([]*Team, error) {
	query := url.Values{}
	setBool(query, "with_users", opts.WithUsers)
	if opts.Mine {
		query.Set("user", "me")
	}
	return do[[]*Team](ctx, s.client, call{op: "Teams.List", route: "/teams", query: query, key: "teams"})
}
