package transport

import (
	"fmt"
	"log/slog"
	"strings"
)

const redacted = "[redacted]"

// Token is a secret that prints as "[redacted]" in every form: fmt verbs, JSON, text and slog.
// The zero Token is no token.
type Token struct {
	// A closure, not a string: fmt and deep printers read unexported fields of enclosing
	// structs without asking Format, and a func shows them only an address.
	authorization func() string // what the header of that name says
}

const scheme = "Bearer "

// NewToken returns a Token that holds secret. An empty secret gives the zero Token.
func NewToken(secret string) Token {
	if secret == "" {
		return Token{}
	}
	header := scheme + secret
	return Token{func() string { return header }}
}

// IsZero reports whether there is no token.
func (t Token) IsZero() bool { return t.authorization == nil }

// Redact returns text without the secret in it.
func (t Token) Redact(text string) string {
	if t.IsZero() {
		return text
	}
	return strings.ReplaceAll(text, t.authorization()[len(scheme):], redacted)
}

// String returns "[redacted]".
func (t Token) String() string { return redacted }

// GoString returns "[redacted]".
func (t Token) GoString() string { return redacted }

// Format prints "[redacted]" whatever the verb and flags.
func (t Token) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[redacted]".
func (t Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON returns "[redacted]" as a JSON string.
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns "[redacted]".
func (t Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }
