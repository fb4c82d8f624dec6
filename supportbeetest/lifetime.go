package supportbeetest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// lifetime counts the goroutines of a desk, so that [Desk.Close] can wait for them. A goroutine that
// runs code of others, such as the handler of a webhook, is not counted meanwhile: that code may
// never return, or may call Close itself.
type lifetime struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex // orders begin and interrupt
	running int
	idle    chan struct{} // closed when none is running; nil while nobody waits
}

func newLifetime() *lifetime {
	ctx, cancel := context.WithCancel(context.Background())
	return &lifetime{ctx: ctx, cancel: cancel}
}

// begin counts a goroutine, which calls done. It returns false if the time is over.
func (l *lifetime) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return false
	}
	l.running++
	return true
}

// add counts a goroutine, even if the time is over.
func (l *lifetime) add() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running++
}

func (l *lifetime) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.running == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// interrupt ends the time, which cancels all requests.
func (l *lifetime) interrupt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
}

// wait waits until no goroutine is counted.
func (l *lifetime) wait() {
	l.mu.Lock()
	if l.running == 0 {
		l.mu.Unlock()
		return
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	idle := l.idle
	l.mu.Unlock()
	<-idle
}

// member is a counted goroutine. It is in the context of the requests that it serves.
type member struct {
	lifetime *lifetime
	mu       sync.Mutex
	outside  int // calls of others' code that have not returned
}

type memberKey struct{}

// join returns a context for the requests of a counted goroutine. It can be a
// [http.Server.ConnContext].
func (l *lifetime) join(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, memberKey{}, &member{lifetime: l})
}

// foreign calls code of others. While it runs, the goroutine is not counted.
func foreign(ctx context.Context, f func()) {
	m, counted := ctx.Value(memberKey{}).(*member)
	if !counted { // a server of others serves the desk
		f()
		return
	}
	m.mu.Lock()
	if m.outside++; m.outside == 1 {
		m.lifetime.done()
	}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.outside--; m.outside == 0 {
			m.lifetime.add()
		}
	}()
	f()
}

// foreignHandler is a handler that is code of others.
type foreignHandler struct{ http.Handler }

func (h foreignHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	foreign(r.Context(), func() { h.Handler.ServeHTTP(w, r) })
}

// foreignBody is the body of a client's request in memory.
type foreignBody struct {
	body io.ReadCloser
	ctx  context.Context
}

func (b foreignBody) Read(p []byte) (n int, err error) {
	foreign(b.ctx, func() { n, err = b.body.Read(p) })
	return n, err
}

func (b foreignBody) Close() (err error) {
	foreign(b.ctx, func() { err = b.body.Close() })
	return err
}
