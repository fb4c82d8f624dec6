package transport

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"
)

// Limiter delays requests. Wait returns when the next one may be sent, or an error if ctx is done
// or would be before then. A *rate.Limiter of golang.org/x/time/rate is one.
type Limiter interface {
	Wait(ctx context.Context) error
}

// passage is an operation's way through its gates.
type passage struct {
	own, shared         *Gate // nil for requests to other origins
	ownPass, sharedPass pass
}

func (p *passage) enter(ctx context.Context, limit time.Duration) error {
	if err := p.own.enter(ctx, limit, &p.ownPass); err != nil {
		return err
	}
	return p.shared.enter(ctx, limit, &p.sharedPass)
}

func (p *passage) leave(succeeded bool) {
	p.own.leave(&p.ownPass, succeeded)
	p.shared.leave(&p.sharedPass, succeeded)
}

// pause closes the gate that the rate limit of the operation concerns, and reports whether there
// is one.
func (t *Retry) pause(req *http.Request, report *Report, until time.Time) bool {
	gate := cmp.Or(report.Gate, t.Gate)
	if gate == nil || !SameOrigin(req.URL, t.Origin) {
		return false
	}
	gate.Close(until)
	return true
}

// wait waits until the gates and the limiter let the next attempt pass.
func (t *Retry) wait(req *http.Request, report *Report, p *passage, limit time.Duration) error {
	if t.Limiter == nil && report.Gate.isOpen() && t.Gate.isOpen() {
		return nil
	}
	if SameOrigin(req.URL, t.Origin) {
		p.own, p.shared = report.Gate, t.Gate
	}
	start := time.Now()
	ctx := operationOf(req)
	err := p.enter(ctx, limit)
	if err == nil && t.Limiter != nil {
		// The limiter comes second: if its turns were used up at a closed gate, all requests
		// would leave together when the gate opens.
		if err = t.Limiter.Wait(WithReport(ctx, report)); err != nil {
			err = fmt.Errorf("waiting for the rate limiter: %w", err)
		} else {
			err = p.enter(ctx, limit) // a gate may have closed meanwhile
		}
	}
	if err != nil {
		p.leave(false)
	}
	report.waited += time.Since(start)
	return err
}
