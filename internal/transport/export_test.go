package transport

import (
	"context"
	"time"
)

// Wait passes the gate as one request does that succeeds.
func (g *Gate) Wait(ctx context.Context, limit time.Duration) error {
	var p pass
	err := g.enter(ctx, limit, &p)
	g.leave(&p, err == nil)
	return err
}
