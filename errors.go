package supportbee

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Sentinels to test an error against with [errors.Is].
var (
	// ErrInvalidArgument says that a call was refused before it reached the network.
	// The error's text names the field and the reason.
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrTokenRequired says that the client has no token. Only [TicketsService.Create]
	// works without one.
	ErrTokenRequired = errors.New("an API token is required")

	// ErrNotFound is an answer 404: the ticket, user, reply or label does not exist.
	ErrNotFound = errors.New("not found")

	// ErrAccessDenied is an answer 401 or 403: a bad token, or a call that the token's
	// user may not make.
	ErrAccessDenied = errors.New("access denied")

	// ErrValidation is an answer 400 or 422: the server refused the input.
	ErrValidation = errors.New("refused by the server's validation")

	// ErrConflict is an answer 409, such as assigning a user who is not in the ticket's team.
	ErrConflict = errors.New("conflict")

	// ErrRateLimited is an answer 429, or a call that could not wait for the end of one.
	// See [RateLimitError].
	ErrRateLimited = errors.New("rate limited")

	// ErrServer is an answer of 500 or above.
	ErrServer = errors.New("server error")

	// ErrOutcomeUnknown says that a write may or may not have happened: it was sent, and no
	// definite answer came. The SDK never repeats such a write; look before you do.
	ErrOutcomeUnknown = errors.New("outcome unknown")

	// ErrMalformedResponse says that the server answered with success, but what it sent could
	// not be understood. A write answered so has been carried out.
	ErrMalformedResponse = errors.New("malformed response")

	// ErrResponseTooLarge says that an answer or a download is larger than the client takes.
	// See [WithMaxResponseSize] and [MaxSize].
	ErrResponseTooLarge = transport.ErrTooLarge
)

const (
	maxErrorBody    = 64 << 10
	maxErrorMessage = 512
)

// Error is a call that failed after it passed validation: an answer other than 2xx, an answer
// that could not be understood, or no answer at all.
//
// Test for kinds of failure with [errors.Is] and the sentinels of this package. Network
// failures and the errors of the context unwrap from it.
type Error struct {
	Op         string        // the method called, such as "Tickets.Get"
	Method     string        // the HTTP method
	Path       string        // the request's path, without the query
	StatusCode int           // 0 when no answer came
	Message    string        // the server's own words, if it sent any; never match on them
	RequestID  string        // the X-Request-Id of the answer, to quote to the vendor's support
	Header     http.Header   // the answer's header, without cookies
	Body       []byte        // the answer's body, at most 64 KiB
	Attempts   int           // how often the request was sent
	RetryAfter time.Duration // the wait that the server asked for, 0 if none
	Err        error         // why there is no usable answer; nil if the status says it all

	outcomeUnknown bool
}

// Error describes the failure on one printable line: operation, request, status, the server's
// message and the request ID.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("supportbee: " + e.Op + ": " + e.Method + " " + printable(e.Path, maxErrorMessage))
	if e.StatusCode != 0 {
		b.WriteString(": " + strconv.Itoa(e.StatusCode))
		if text := http.StatusText(e.StatusCode); text != "" {
			b.WriteString(" " + text)
		}
	}
	if e.Message != "" {
		b.WriteString(": " + printable(e.Message, maxErrorMessage))
	}
	if e.Err != nil {
		b.WriteString(": " + printable(e.Err.Error(), maxErrorMessage))
	}
	if e.outcomeUnknown {
		b.WriteString(": outcome unknown, the request may have been carried out")
	}
	var notes []string
	if e.RequestID != "" {
		notes = append(notes, "request "+e.RequestID)
	}
	if e.Attempts > 1 {
		notes = append(notes, strconv.Itoa(e.Attempts)+" attempts")
	}
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+e.RetryAfter.String())
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	return b.String()
}

// Is reports whether the failure is of the kind that the sentinel target stands for.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrAccessDenied:
		return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
	case ErrValidation:
		return e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusUnprocessableEntity
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError
	case ErrOutcomeUnknown:
		return e.outcomeUnknown
	}
	return false
}

// Unwrap returns the cause of a failure that is not in the status.
func (e *Error) Unwrap() error { return e.Err }

// RateLimitError is an answer 429, or a call that was not sent because an earlier 429 still
// holds the client back for longer than the call may wait.
type RateLimitError struct {
	// RetryAfter is how long to wait before the next call, 0 if the server did not say.
	RetryAfter time.Duration

	err *Error
}

// Error describes the failure as [Error] does.
func (e *RateLimitError) Error() string { return e.err.Error() }

// Is reports whether target is [ErrRateLimited].
func (e *RateLimitError) Is(target error) bool { return target == ErrRateLimited }

// Unwrap returns the [*Error] with the whole answer.
func (e *RateLimitError) Unwrap() error { return e.err }

// asRateLimit wraps err in a [*RateLimitError] where a rate limit is what stopped the call.
func asRateLimit(err *Error) error {
	if wait, ok := errors.AsType[*transport.WaitError](err.Err); ok {
		err.RetryAfter = wait.Wait
		return &RateLimitError{RetryAfter: wait.Wait, err: err}
	}
	if err.StatusCode == http.StatusTooManyRequests {
		return &RateLimitError{RetryAfter: err.RetryAfter, err: err}
	}
	return err
}

// invalid returns the reason for which an argument is refused, to be wrapped by [refuse].
func invalid(field, reason string, args ...any) error {
	return fmt.Errorf("%w: %s "+reason, append([]any{ErrInvalidArgument, field}, args...)...)
}

// refuse is the error of a call that is not sent.
func refuse(op string, reason error) error {
	return fmt.Errorf("supportbee: %s: %w", op, reason)
}

// printable cuts s to limit bytes and makes it one line that is safe to show in a terminal:
// every run of white space and control characters becomes one space.
func printable(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r):
			return ' '
		default:
			return r
		}
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// redacted is an error whose text held the token.
type redacted struct {
	text  string
	cause error
}

func (e redacted) Error() string { return e.text }

// Is keeps context errors recognisable; the cause itself stays hidden, because its text holds
// the token.
func (e redacted) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(e.cause, target)
}
