package supportbee_test

import (
	"context"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestTeamsList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		opts  *supportbee.TeamListOptions
		query string
	}{
		{opts: nil},
		{opts: &supportbee.TeamListOptions{}},
		{opts: &supportbee.TeamListOptions{WithUsers: true}, query: "?with_users=true"},
		{opts: &supportbee.TeamListOptions{WithUsers: true, OnlyMine: true}, query: "?user=me&with_users=true"},
	} {
		check(t, "Teams.List", exchange{method: "GET", uri: "/teams" + tt.query, status: 200, reply: "teams.json"},
			func(ctx context.Context, c *supportbee.Client) ([]*supportbee.Team, error) {
				return c.Teams.List(ctx, tt.opts)
			}, theTeams)
	}
}
