package supportbeeredis

import (
	"context"
	"time"
)

// Take tries to take a place once, and returns how long to wait for one.
func (l *Limiter) Take(ctx context.Context, place string) (time.Duration, error) {
	return l.run(ctx, take, place)
}
