package transport

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

const redacted = "[redacted]"

// Token is a secret that no fmt verb, logger or encoder shows. The zero Token is no token.
type Token struct {
	// They are closures because printers read unexported fields, even where they ignore the
	// methods of their types. Of a func they show at most the address.
	header  func() []string       // returns the values of the Authorization header
	escaped func() *regexp.Regexp // matches the secret with the escapes of JSON, JSON pointers and URLs
}

const scheme = "Bearer "

// NewToken returns a Token that holds secret. An empty secret gives the zero Token.
func NewToken(secret string) Token {
	if secret == "" {
		return Token{}
	}
	header := []string{scheme + secret}
	return Token{
		header: func() []string { return header },
		escaped: sync.OnceValue(func() *regexp.Regexp {
			var pattern strings.Builder
			for _, c := range []byte(secret) {
				quoted := regexp.QuoteMeta(string(rune(c)))
				fmt.Fprintf(&pattern, `(?:%s|\\%s|\\u00(?i:%02x)|%%(?i:%02x)`, quoted, quoted, c, c)
				switch c {
				case '~':
					pattern.WriteString("|~0")
				case '/':
					pattern.WriteString("|~1")
				}
				pattern.WriteByte(')')
			}
			return regexp.MustCompile(pattern.String())
		}),
	}
}

// IsZero reports whether t is no token.
func (t Token) IsZero() bool { return t.header == nil }

// Redact returns text with the secret replaced by "[redacted]", also where it is escaped as in JSON, in
// JSON pointers or in URLs.
func (t Token) Redact(text string) string {
	if t.IsZero() {
		return text
	}
	text = strings.ReplaceAll(text, t.secret(), redacted)
	if strings.ContainsAny(text, `\%~`) {
		text = t.escaped().ReplaceAllString(text, redacted)
	}
	return text
}

// RedactCut is Redact of the first limit bytes of a text that may go on. It also removes a
// beginning of the secret at the end.
func (t Token) RedactCut(text string, limit int) string {
	if t.IsZero() || len(text) < limit {
		return t.Redact(text)
	}
	text = text[:limit]
	secret := t.secret()
	for n := min(len(secret)-1, len(text)); n > 0; n-- {
		if strings.HasSuffix(text, secret[:n]) {
			text = text[:len(text)-n]
			break
		}
	}
	return t.Redact(text)
}

func (t Token) secret() string { return t.header()[0][len(scheme):] }
