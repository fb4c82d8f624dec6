package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// outcome is what one attempt tells about its request.
type outcome struct {
	retry      bool // another attempt may help and does no harm
	definite   bool // the server said what became of the request
	acted      bool // the server may have acted, and nothing definite says so
	unanswered bool // it may have acted, and its answer was lost on the way
	unsent     bool // the attempt was never started
	limited    bool // 429
	failed     bool // 500: worth one more attempt, no more
}

// judge classifies the result of an attempt at a request of the given class.
func judge(class Class, resp *http.Response, err error, conn *connection) outcome {
	if err != nil {
		return judgeError(class, err, conn)
	}
	switch status := resp.StatusCode; status {
	case http.StatusTooManyRequests:
		return outcome{retry: true, limited: true}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return outcome{retry: class != Once, acted: true, unanswered: true}
	case http.StatusServiceUnavailable:
		return outcome{retry: class != Once, acted: true}
	case http.StatusInternalServerError:
		return outcome{retry: class == Read, acted: true, failed: true}
	default:
		return outcome{acted: status >= 500, definite: status < 500}
	}
}

func judgeError(class Class, err error, conn *connection) outcome {
	if _, ok := errors.AsType[*unsentError](err); ok {
		return outcome{unsent: true}
	}
	if body, ok := errors.AsType[*BodyError](err); ok && (class != Read || errors.Is(err, ErrTooLarge)) {
		// The status came: a write was carried out. Repeating it could only lose more.
		return outcome{definite: body.StatusCode/100 == 2}
	}
	if isTLSFailure(err) {
		return outcome{} // it fails before the request is written, and will again
	}
	if conn.neverMade() || isDialFailure(err) {
		return outcome{retry: true}
	}
	return outcome{retry: class != Once, acted: true, unanswered: true}
}

// isDialFailure reports whether err says that no connection was made.
func isDialFailure(err error) bool {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect")
}

// isTLSFailure reports whether the peer is not whom we want to talk to.
func isTLSFailure(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) ||
		isError[*tls.CertificateVerificationError](err) ||
		isError[tls.RecordHeaderError](err) ||
		isError[x509.UnknownAuthorityError](err) ||
		isError[x509.HostnameError](err) ||
		isError[x509.CertificateInvalidError](err) ||
		isError[x509.SystemRootsError](err)
}

func isError[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// connection follows through httptrace whether an attempt got as far as having a connection.
// Transports that fire no traces leave it saying nothing.
type connection struct {
	state atomic.Int32 // hooks may run on other goroutines
}

const (
	connSilent int32 = iota
	connWanted
	connMade
)

// trace returns a context that reports to c, besides any trace already in ctx.
func (c *connection) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http asks for a second connection only when it wrote nothing to the first.
		GetConn: func(string) { c.state.Store(connWanted) },
		GotConn: func(httptrace.GotConnInfo) { c.state.Store(connMade) },
	})
}

func (c *connection) neverMade() bool { return c != nil && c.state.Load() == connWanted }
