package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest Retry-After that is believed. What is longer is a mistake, such
// as a Unix timestamp.
const maxRetryAfter = 24 * time.Hour

// failure is the kind of error that an attempt ended with.
type failure int

const (
	noFailure    failure = iota
	notSent              // decide has nothing to decide
	notConnected         // no connection was made
	wrongPeer            // the TLS handshake failed, and would fail again
	lost                 // the request was possibly processed, and its response did not arrive
	switched             // the status was 101
	broken               // the status was 2xx, and the body was not whole or that of a proxy
	unusable             // the status was 2xx, and the response would not be better next time
)

// result is all that decide needs to know.
type result struct {
	class      Class
	attempt    int    // the number of the attempt, from 1
	policy     Policy // without zero fields
	replayable bool   // whether the request's body can be sent again
	earlier    history

	status  int // 0 if there was no response
	header  http.Header
	failure failure

	now      time.Time
	deadline time.Time // of the context, zero if there is none
	random   float64   // from 0 to 1, for the backoff
}

// history is what earlier attempts left.
type history struct {
	acted      bool // the server may have processed the request
	unanswered bool // … and the response was lost
	failed     bool // the status was 500, which is worth one retry
}

// decision is what becomes of a request after an attempt.
type decision struct {
	again bool
	wait  time.Duration // before the next attempt

	pause          time.Duration // how long a 429 holds back other requests
	retryAfter     time.Duration // what the response asked for
	outcomeUnknown bool
	history        history // for the next attempt
}

// decide decides whether a request is sent again after an attempt that came to r. A Read is sent
// again if the connection failed, on 429, on the statuses of proxies and overloaded servers, and
// once on 500; a Repeatable likewise, except on 500; a Create only if it was certainly not
// processed: on 429, or if no connection was made.
func decide(r result) decision {
	var (
		safe     = r.class != Create // to send again although it was possibly processed
		retry    bool
		definite bool // it is known what became of the request
		acted    bool
		vanished bool // acted, and the response was lost
		limited  bool
		failed   bool
	)
	switch r.failure {
	case notConnected:
		retry = true
	case wrongPeer:
	case lost:
		retry, acted, vanished = safe, true, true
	case switched:
		acted = true
	case broken:
		retry, acted, vanished = safe, true, true
	case unusable:
		acted = true
	case noFailure:
		switch status := r.status; status {
		case http.StatusTooManyRequests:
			retry, limited = true, true
		case http.StatusTooEarly:
			retry = safe
		case http.StatusRequestTimeout, http.StatusBadGateway, http.StatusGatewayTimeout, 520, 522, 524:
			retry, acted, vanished = safe, true, true
		case http.StatusServiceUnavailable, 521, 523, 529, 530:
			retry, acted = safe, true
		case http.StatusInternalServerError:
			retry, acted, failed = r.class == Read && !r.earlier.failed, true, true
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
			http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			// A server may redirect before it has done its work, or because it has.
			acted, definite = !safe, safe
		default:
			acted, definite = status >= 500, status < 500
		}
	}

	d := decision{history: history{
		acted:      r.earlier.acted || acted,
		unanswered: r.earlier.unanswered,
		failed:     r.earlier.failed || failed,
	}}
	d.outcomeUnknown = r.class != Read && d.history.acted && !definite
	if r.status == http.StatusTooManyRequests || r.status == http.StatusServiceUnavailable {
		d.retryAfter = retryAfter(r.header, r.now)
	}
	wait := d.retryAfter
	if wait == 0 {
		wait = r.policy.backoff(r.attempt, r.random)
	}
	if retry && r.replayable && r.attempt < r.policy.MaxAttempts && wait <= r.policy.MaxWait &&
		(r.deadline.IsZero() || r.now.Add(wait).Before(r.deadline)) {
		d.again, d.wait = true, wait
		d.history.unanswered = d.history.unanswered || vanished
	}
	if limited && (d.again || d.retryAfter > 0) {
		d.pause = wait
	}
	return d
}

// retryAfter returns the wait that the Retry-After header asks for. It returns zero if the
// header is absent, malformed or in the past, or asks for more than maxRetryAfter.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		if seconds > uint64(maxRetryAfter/time.Second) {
			return 0
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	// The server's own clock, if it sends it, makes the wait right whatever ours says.
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	wait := until.Sub(now)
	if wait < 0 || wait > maxRetryAfter {
		return 0
	}
	return wait
}

// failureOf returns the kind of err, the error of an attempt with the given connection.
func failureOf(err error, conn *connection) failure {
	if response, ok := errors.AsType[*ResponseError](err); ok {
		switch {
		case response.StatusCode == http.StatusSwitchingProtocols:
			return switched
		case response.final, errors.Is(err, ErrTooLarge):
			return unusable
		}
		return broken
	}
	switch {
	case conn.state() == connMade:
		return lost // whatever the error: the handshake is over
	case isWrongPeer(err):
		return wrongPeer
	case conn.state() == connWanted, isDialFailure(err):
		return notConnected
	}
	return lost
}

// isDialFailure reports whether err says that no connection was made.
func isDialFailure(err error) bool {
	if isError[*net.DNSError](err) {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect" || op.Op == "socks connect")
}

// isWrongPeer reports whether err is that of a handshake with a peer that is not the right one.
func isWrongPeer(err error) bool {
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return record.Conn != nil // it is nil after the handshake
	}
	return isError[*tls.CertificateVerificationError](err) ||
		isError[x509.UnknownAuthorityError](err) ||
		isError[x509.HostnameError](err) ||
		isError[x509.CertificateInvalidError](err) ||
		isError[x509.SystemRootsError](err)
}

func isError[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
