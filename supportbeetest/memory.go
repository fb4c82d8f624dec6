package supportbeetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// memoryTransport hands requests to a handler without a socket. Responses stream through a pipe,
// so that faults which drop or slow the body work as they do over TCP, and so that everything can
// run in a [testing/synctest] bubble.
type memoryTransport struct {
	handler  http.Handler
	lifetime *lifetime
}

var (
	// errDropped is what a client gets from a connection that was closed.
	errDropped = fmt.Errorf("supportbeetest: connection closed: %w", io.ErrUnexpectedEOF)

	// errClosed is what a client gets when the desk was closed before the request.
	errClosed = &net.OpError{Op: "dial", Net: "memory", Err: errors.New("supportbeetest: the desk is closed")}
)

// RoundTrip serves the request on a goroutine of its own, which ends with the request's context,
// with the response body, or when the desk is closed.
func (t memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := req.Body
	if body == nil {
		body = http.NoBody
	}
	if !t.lifetime.begin() {
		_ = body.Close()
		return nil, errClosed
	}
	ctx, cancel := context.WithCancel(t.lifetime.join(req.Context(), nil))
	sent := body
	body = foreignBody{sent, ctx}
	reader, writer := io.Pipe()
	w := &memoryWriter{header: http.Header{}, pipe: writer, started: make(chan struct{}), head: req.Method == http.MethodHead}
	interrupt := func(err error) {
		cancel()
		_ = sent.Close() // the handler may be waiting for it
		writer.CloseWithError(err)
	}
	stopClient := context.AfterFunc(req.Context(), func() { interrupt(context.Cause(req.Context())) })
	stopDesk := context.AfterFunc(t.lifetime.ctx, func() { interrupt(errDropped) })

	served := req.Clone(ctx)
	served.RequestURI = req.URL.RequestURI()
	served.Host = req.URL.Host
	served.RemoteAddr = "127.0.0.1:1"
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1
	served.Body = body
	go func() {
		defer t.lifetime.done()
		defer cancel()
		defer stopClient()
		defer stopDesk()
		defer func() {
			err := error(nil)
			if cause := recover(); cause != nil {
				if !isAbort(cause) {
					panic(cause)
				}
				err = errDropped
			}
			_ = body.Close()
			w.finish(err)
		}()
		t.handler.ServeHTTP(w, served)
	}()

	select {
	case <-w.started:
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	case <-t.lifetime.ctx.Done():
		return nil, errDropped
	}
	if w.failed != nil {
		return nil, w.failed
	}
	res := &http.Response{
		Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.sent, Body: memoryBody{reader, cancel}, ContentLength: -1, Request: req,
	}
	if length, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil {
		res.ContentLength = length
	}
	if !bodyAllowed(w.status) || req.Method == http.MethodHead {
		_ = res.Body.Close()
		res.Body, res.ContentLength = http.NoBody, 0
	}
	return res, nil
}

// memoryBody ends the request when the client closes it.
type memoryBody struct {
	*io.PipeReader
	end func()
}

func (b memoryBody) Close() error {
	defer b.end()
	return b.PipeReader.Close()
}

// memoryWriter is the server's side of a memoryTransport's request. Like the one of net/http, it
// sends nothing before the first byte of the body, a flush, or the end of the handler.
type memoryWriter struct {
	header  http.Header
	pipe    *io.PipeWriter
	status  int
	sent    http.Header
	once    sync.Once
	started chan struct{} // closed when there is a response, or there will be none
	failed  error
	head    bool // whether the request is HEAD, so that the body is discarded
}

func (w *memoryWriter) Header() http.Header { return w.header }

func (w *memoryWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(p) == 0 {
		return 0, nil // a pipe would wait for a reader
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.Flush()
	if w.head {
		return len(p), nil
	}
	return w.pipe.Write(p)
}

// Flush implements [http.Flusher]. The pipe buffers nothing.
func (w *memoryWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	w.once.Do(func() { close(w.started) })
}

func (w *memoryWriter) finish(err error) {
	if err != nil {
		w.once.Do(func() {
			w.failed = err
			close(w.started)
		})
	}
	w.Flush()
	w.pipe.CloseWithError(err)
}

// bodyAllowed reports whether a response with the status may have a body.
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}
