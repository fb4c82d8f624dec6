package transport

import (
	"context"
	"time"
)

// Wait passes the gate as one request does that succeeds.
func (g *Gate) Wait(ctx context.Context, limit time.Duration) error {
	var got turn
	err := g.enter(ctx, limit, new(time.Time), &got)
	g.leave(got, err == nil)
	return err
}
