package transport

import "strings"

const redacted = "[redacted]"

// Token is a secret that no fmt verb, logger or encoder shows. The zero Token is no token.
type Token struct {
	// It is a closure because printers read unexported fields, even where they ignore the
	// methods of their types. Of a func they show at most the address.
	authorization func() string // returns the value of the Authorization header
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

// IsZero reports whether t is no token.
func (t Token) IsZero() bool { return t.authorization == nil }

// Redact returns text with the secret replaced by "[redacted]".
func (t Token) Redact(text string) string {
	if t.IsZero() {
		return text
	}
	return strings.ReplaceAll(text, t.authorization()[len(scheme):], redacted)
}
