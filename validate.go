package supportbee

import (
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// invalid returns the error of an argument that is rejected. [rejected] adds the operation.
func invalid(field, reason string, args ...any) error {
	return &ArgumentError{Field: field, Reason: fmt.Sprintf(reason, args...)}
}

// rejected returns err, the error of an argument of op, with the name of op.
func rejected(op string, err error) error {
	if argument, ok := err.(*ArgumentError); ok { //nolint:errorlint // it is never wrapped before this
		named := *argument
		named.Op = op
		return &named
	}
	return &ArgumentError{Op: op, Reason: "cannot be used", Err: err}
}

// firstError returns the first error that is not nil. An ID of 0, which a dry run accepts, comes
// after all others.
func firstError(errs ...error) error {
	var zeroID error
	for _, err := range errs {
		switch {
		case err != nil && !isZeroID(err):
			return err
		case zeroID == nil:
			zeroID = err
		}
	}
	return zeroID
}

// errZeroID is why an ID of 0 is rejected.
var errZeroID = errors.New("must be positive, got 0")

// isZeroID reports whether err rejects the ID of a resource that was not created, which a dry run
// accepts.
func isZeroID(err error) bool {
	argument, ok := err.(*ArgumentError) //nolint:errorlint // it is never wrapped before this
	return ok && (argument.Reason == errZeroID.Error() || argument.Reason == isRequired && strings.HasSuffix(argument.Field, "ID"))
}

const isRequired = "is required"

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

func required[T ~string](field string, value T) error {
	if isBlank(string(value)) {
		return invalid(field, isRequired)
	}
	return nil
}

// positive rejects an ID that no resource has.
func positive[ID ~int64](field string, id ID) error {
	if id <= 0 {
		return invalid(field, "must be positive, got %d", id)
	}
	return nil
}

func allPositive[ID ~int64](field string, ids []ID) error {
	var err error
	for _, id := range ids {
		err = firstError(err, positive(field, id))
	}
	return err
}

// notNegative rejects an ID that is given and that no resource has.
func notNegative[T ~int | ~int64](field string, n T) error {
	if n < 0 {
		return invalid(field, "must not be negative, got %d", n)
	}
	return nil
}

// maxPerPage is the size of the largest page that the server is known to send.
const maxPerPage = 100

func validatePage(page, perPage int) error {
	if perPage < 0 || perPage > maxPerPage {
		return invalid("PerPage", "must be between 1 and %d, or 0 for the default, got %d", maxPerPage, perPage)
	}
	return notNegative("Page", page)
}

// maxCopies is the number of addresses that the server accepts as CC, and as BCC.
const maxCopies = 25

func validateCopies(field string, addresses []string) error {
	if len(addresses) > maxCopies {
		return invalid(field, "must have at most %d addresses, got %d", maxCopies, len(addresses))
	}
	for i, address := range addresses {
		if !isMailbox(address) {
			return invalid(field, "[%d] must be of the form \"a@example.com\" or \"Name <a@example.com>\"", i)
		}
	}
	return nil
}

// isMailbox reports whether text is an address with or without a name. Comments, which net/mail
// allows, and characters that end a header are not part of one.
func isMailbox(text string) bool {
	if strings.ContainsFunc(text, isSeparator) {
		return false
	}
	address, err := mail.ParseAddress(text)
	return err == nil && strings.Count(address.Address, "@") == 1 && !hasComment(text)
}

// hasComment reports whether text has parentheses outside quotes.
func hasComment(text string) bool {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case (c == '(' || c == ')') && !quoted:
			return true
		}
	}
	return false
}

// isSeparator reports whether r can end a line or hide text.
func isSeparator(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
}

// validateEmail rejects what is no e-mail address. Whether it exists is not known before a mail
// is sent.
func validateEmail(field, email string) error {
	if isBlank(email) {
		return invalid(field, "is required")
	}
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email || !isMailbox(email) {
		return invalid(field, "must be an e-mail address")
	}
	return nil
}

func validateRole(role Role) error {
	if _, known := roleNumbers[role]; role != "" && !known {
		return invalid("Role", "must be %q, %q or %q, got %q", RoleAdmin, RoleAgent, RoleCollaborator, role)
	}
	return nil
}

// segment is a part of a path that comes from the caller.
type segment interface{ segment() (string, error) }

// idSegment is the [segment] of a numeric ID.
func idSegment(id int64) (string, error) {
	switch {
	case id == 0:
		return "", errZeroID
	case id < 0:
		return "", fmt.Errorf("must be positive, got %d", id)
	}
	return strconv.FormatInt(id, 10), nil
}

// nameSegment is a name in a path, such as a label's.
type nameSegment string

func (s nameSegment) segment() (string, error) {
	switch strings.TrimSpace(string(s)) {
	case "":
		return "", fmt.Errorf("is required")
	case ".", "..":
		return "", fmt.Errorf("must not be %q, which is removed from a path", string(s))
	}
	return url.PathEscape(string(s)), nil
}

func isDNSLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
