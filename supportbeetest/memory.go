package supportbeetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// memoryServer runs the goroutines of requests that are served without a socket, until it is
// closed.
type memoryServer struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
	ctx     context.Context // done when the server is closed
	cancel  context.CancelFunc
}

func newMemoryServer() *memoryServer {
	ctx, cancel := context.WithCancel(context.Background())
	return &memoryServer{ctx: ctx, cancel: cancel}
}

// transport returns a transport that sends requests to handler.
func (s *memoryServer) transport(handler http.Handler) memoryTransport {
	return memoryTransport{s, handler}
}

// start runs f on a new goroutine, unless the server is closed.
func (s *memoryServer) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(f)
	}
	return !s.closed
}

// close ends all requests and waits for their handlers.
func (s *memoryServer) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}

// memoryTransport sends requests to a handler without a socket. The body of the response is a
// pipe, so that faults which interrupt or slow the body work as they do over TCP, and so that
// everything can run in a [testing/synctest] bubble.
type memoryTransport struct {
	server  *memoryServer
	handler http.Handler
}

var (
	errCut    = fmt.Errorf("supportbeetest: connection closed: %w", io.ErrUnexpectedEOF)
	errClosed = errors.New("supportbeetest: the desk is closed")
)

// RoundTrip serves the request on a goroutine of its own, which ends with the request's context,
// with the body of the response, or when the desk is closed.
func (t memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	reader, writer := io.Pipe()
	stopWithRequest := context.AfterFunc(req.Context(), func() { reader.CloseWithError(context.Cause(req.Context())) })
	stopWithServer := context.AfterFunc(t.server.ctx, func() {
		reader.CloseWithError(errClosed)
		cancel()
	})
	stop := func() { stopWithRequest(); stopWithServer() }
	w := &memoryWriter{header: http.Header{}, pipe: writer, started: make(chan struct{})}

	served := req.Clone(ctx)
	served.RequestURI = req.URL.RequestURI()
	served.Host = req.URL.Host
	served.RemoteAddr = "127.0.0.1:1"
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1
	if served.Body == nil {
		served.Body = http.NoBody
	}
	if !t.server.start(func() {
		defer cancel()
		defer func() {
			err := error(nil)
			if cause := recover(); cause != nil {
				if abort, ok := cause.(error); !ok || !errors.Is(abort, http.ErrAbortHandler) {
					panic(cause)
				}
				err = errCut
			}
			_ = served.Body.Close()
			w.finish(err)
		}()
		t.handler.ServeHTTP(w, served)
	}) {
		stop()
		cancel()
		_ = served.Body.Close()
		return nil, errClosed
	}

	select {
	case <-w.started:
	case <-req.Context().Done():
		stopWithServer()
		cancel()
		return nil, context.Cause(req.Context())
	case <-t.server.ctx.Done():
		stopWithRequest()
		cancel()
		return nil, errClosed
	}
	if w.failed != nil {
		stop()
		return nil, w.failed
	}
	body := &memoryBody{PipeReader: reader, end: func() { stop(); cancel() }}
	res := &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Body: body, ContentLength: -1, Request: req,
	}
	if length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		res.ContentLength = length
	}
	if w.status == http.StatusNoContent {
		res.Body, res.ContentLength = http.NoBody, 0
		_ = body.Close()
	}
	return res, nil
}

// memoryBody ends the request when the client closes it.
type memoryBody struct {
	*io.PipeReader
	end func()
}

func (b *memoryBody) Close() error {
	defer b.end()
	return b.PipeReader.Close()
}

// memoryWriter writes the response to a request of a memoryTransport.
type memoryWriter struct {
	header  http.Header
	pipe    *io.PipeWriter
	once    sync.Once
	started chan struct{} // closed when the header or failed is set
	sent    http.Header
	status  int
	failed  error
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.started)
	})
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(p)
}

// Flush does nothing, since the pipe has no buffer. It is for [http.ResponseController].
func (w *memoryWriter) Flush() {}

func (w *memoryWriter) finish(err error) {
	if err != nil {
		w.once.Do(func() {
			w.failed = err
			close(w.started)
		})
	}
	w.WriteHeader(http.StatusOK)
	w.pipe.CloseWithError(err)
}
