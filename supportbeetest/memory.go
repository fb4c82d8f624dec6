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

// memoryTransport hands requests to a handler without a socket. Answers stream through a pipe,
// so that faults which cut or slow the body work as they do over TCP, and so that everything can
// run in a [testing/synctest] bubble.
type memoryTransport struct{ handler http.Handler }

// errCut is what a client sees of a connection that was cut.
var errCut = fmt.Errorf("supportbeetest: connection cut: %w", io.ErrUnexpectedEOF)

// RoundTrip serves the request on a goroutine of its own, which ends with the request's context
// or with the answer's body.
func (t memoryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	reader, writer := io.Pipe()
	stop := context.AfterFunc(req.Context(), func() { reader.CloseWithError(context.Cause(req.Context())) })
	w := &memoryWriter{header: http.Header{}, pipe: writer, started: make(chan struct{})}

	served := req.Clone(ctx)
	served.RequestURI = req.URL.RequestURI()
	served.Host = req.URL.Host
	served.RemoteAddr = "127.0.0.1:1"
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1
	if served.Body == nil {
		served.Body = http.NoBody
	}
	go func() {
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
	}()

	select {
	case <-w.started:
	case <-req.Context().Done():
		cancel()
		return nil, context.Cause(req.Context())
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

// memoryBody ends the exchange when the client closes it.
type memoryBody struct {
	*io.PipeReader
	end func()
}

func (b *memoryBody) Close() error {
	defer b.end()
	return b.PipeReader.Close()
}

// memoryWriter is the server's side of a memoryTransport's exchange.
type memoryWriter struct {
	header  http.Header
	pipe    *io.PipeWriter
	once    sync.Once
	started chan struct{} // closed once there is an answer, or none will come
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

// Flush is for [http.ResponseController]: the pipe holds nothing back.
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
