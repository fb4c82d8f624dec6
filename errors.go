package supportbee

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Sentinel errors, for use with [errors.Is].
var (
	// ErrInvalidArgument is the error of a call that was rejected before any request was sent.
	// The error is an [*ArgumentError].
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrTokenRequired is the error of a call that requires a token, by a client without one.
	// Only [TicketsService.Create] works without a token.
	ErrTokenRequired = errors.New("token required")

	// ErrRecipientNotAllowed is the error of a call that could send mail to an address that is not
	// allowed. See [WithAllowedRecipients].
	ErrRecipientNotAllowed = errors.New("recipient not allowed")

	// ErrValidation is status 400 or 422: the server rejected the request.
	ErrValidation = errors.New("validation failed")

	// ErrAccessDenied is status 401 or 403: the token is invalid, or its user may not do this.
	ErrAccessDenied = errors.New("access denied")

	// ErrNotFound is status 404: the ticket, user, reply or label does not exist.
	ErrNotFound = errors.New("not found")

	// ErrConflict is status 409, such as when a ticket is assigned to a user who is not in the
	// ticket's team.
	ErrConflict = errors.New("conflict")

	// ErrRateLimited is status 429, or a rate-limit pause longer than the call may wait. See
	// [Error.RetryAfter].
	ErrRateLimited = errors.New("rate limited")

	// ErrServer is a status of 500 or above.
	ErrServer = errors.New("server error")

	// ErrOutcomeUnknown is the error of a create that was sent and may have happened: there was
	// no response that says whether it did. It is not retried. See [RepliesService.CreateOnce].
	ErrOutcomeUnknown = errors.New("outcome unknown")

	// ErrMalformedResponse is the error of a response that is not one of this API's, such as an
	// HTML page with status 200.
	ErrMalformedResponse = errors.New("malformed response")

	// ErrResponseTooLarge is the error of a response or download that exceeds its limit. See
	// [WithMaxResponseSize] and [DownloadOptions].
	ErrResponseTooLarge = transport.ErrTooLarge

	// ErrIncomplete is yielded by an iterator that missed values because the list changed.
	ErrIncomplete = errors.New("incomplete list")
)

const (
	maxErrorBody    = 64 << 10
	maxErrorMessage = 512
)

// Error is the error of a call that failed after its arguments were accepted: a status other than
// 2xx, a response that cannot be read, or no response.
//
// Its kind is tested with [errors.Is] and the sentinel errors of this package. Fakes can construct
// it: &Error{StatusCode: 429} matches [ErrRateLimited].
type Error struct {
	Op         string        // such as "Tickets.Get"
	Method     string        // such as "GET"
	Path       string        // without the query
	Page       int           // the page that an iterator failed to fetch; 0 for other calls
	StatusCode int           // 0 if there was no response
	Message    string        // the server's message; do not match on it
	RequestID  string        // the X-Request-Id of the response
	Header     http.Header   // without cookies
	Body       []byte        // at most 64 KiB
	Attempts   int           // requests sent
	RetryAfter time.Duration // how long to wait before the next call; 0 if unknown
	Err        error         // the underlying error; nil if StatusCode describes the failure
}

// Error returns a description on one printable line.
func (e *Error) Error() string {
	if e == nil {
		return "supportbee: <nil>"
	}
	var b strings.Builder
	b.WriteString("supportbee: " + printable(e.Op, 128))
	if e.Method != "" || e.Path != "" {
		b.WriteString(": " + printable(e.Method, 32) + " " + printable(e.Path, maxErrorMessage))
	}
	if e.Page > 0 {
		b.WriteString(" (page " + strconv.Itoa(e.Page) + ")")
	}
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
	var notes []string
	if e.RequestID != "" {
		notes = append(notes, "request "+printable(e.RequestID, 128))
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

// Is reports whether the failure is of the kind of target, one of the sentinel errors.
func (e *Error) Is(target error) bool {
	if e == nil {
		return false
	}
	switch target {
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrAccessDenied:
		return e.StatusCode == http.StatusUnauthorized || e.StatusCode == http.StatusForbidden
	case ErrValidation:
		return e.StatusCode == http.StatusBadRequest || e.StatusCode == http.StatusUnprocessableEntity
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrRateLimited:
		_, waits := errors.AsType[*transport.WaitError](e.Err)
		return waits || e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= http.StatusInternalServerError
	}
	return false
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// LogValue implements [slog.LogValuer]. It omits Message, Header and Body, which can hold personal
// data, and the text of Err.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{slog.String("op", e.Op), slog.String("method", e.Method), slog.Int("attempts", e.Attempts)}
	if e.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	if e.RequestID != "" {
		attrs = append(attrs, slog.String("request_id", e.RequestID))
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.Page > 0 {
		attrs = append(attrs, slog.Int("page", e.Page))
	}
	var kinds []string
	for _, kind := range []error{
		ErrOutcomeUnknown, ErrMalformedResponse, ErrResponseTooLarge, ErrIncomplete, ErrRateLimited,
		context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(e, kind) {
			kinds = append(kinds, kind.Error())
		}
	}
	if len(kinds) > 0 {
		attrs = append(attrs, slog.String("error", strings.Join(kinds, ", ")))
	} else if e.Err != nil {
		attrs = append(attrs, slog.String("error", "no response"))
	}
	return slog.GroupValue(attrs...)
}

// ArgumentError reports an argument or an option that was rejected before any request was sent. It
// matches [ErrInvalidArgument].
type ArgumentError struct {
	Op     string // such as "Tickets.Create", "New" or "WithHeader"; empty from Validate
	Field  string // such as "RequesterEmail" or "Content.AttachmentIDs"
	Reason string // such as "is required"
	Err    error  // such as [ErrTokenRequired] or [ErrRecipientNotAllowed]; nil if Reason says it all
}

// Error returns the operation, the field and the reason.
func (e *ArgumentError) Error() string {
	if e == nil {
		return "supportbee: <nil>"
	}
	parts := []string{"supportbee"}
	if e.Op != "" {
		parts = append(parts, e.Op)
	}
	parts = append(parts, ErrInvalidArgument.Error())
	if text := strings.TrimSpace(e.Field + " " + e.Reason); text != "" {
		parts = append(parts, text)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return printable(strings.Join(parts, ": "), 2*maxErrorMessage)
}

// Is reports whether target is [ErrInvalidArgument].
func (e *ArgumentError) Is(target error) bool { return target == ErrInvalidArgument }

// Unwrap returns e.Err.
func (e *ArgumentError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// printable returns s on one line that is safe to show in a terminal, cut to limit bytes: every
// run of white space and control characters becomes one space.
func printable(s string, limit int) string {
	if len(s) > 4*limit {
		s = s[:4*limit]
	}
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// redactedError is an error whose text had the token.
type redactedError struct {
	text    string
	isCause func(target error) bool // a function, which prints as an address: the cause has the token
}

func (e *redactedError) Error() string { return e.text }

// Is matches context errors. The cause is not unwrapped, because its text has the token.
func (e *redactedError) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && e.isCause(target)
}

// shortError is an error with another text.
type shortError struct {
	text string
	err  error
}

func (e *shortError) Error() string { return e.text }
func (e *shortError) Unwrap() error { return e.err }

// isAny reports whether err is one of the targets.
func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
