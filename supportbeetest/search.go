package supportbeetest

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// finder reports whether texts contain a text, whatever the case of their letters. It allocates no
// memory for a text, and remembers its results for the texts that tickets share.
type finder struct {
	text  string // in lower case
	ascii bool
	lower byte // the first byte of text, and its upper case, if text is ASCII
	upper byte

	known [256]struct { // by address
		text  *byte
		size  int
		found bool
	}
}

func newFinder(text string) *finder {
	f := &finder{text: strings.ToLower(text), ascii: isASCII(text)}
	f.lower, f.upper = f.text[0], f.text[0]
	if 'a' <= f.lower && f.lower <= 'z' {
		f.upper -= 'a' - 'A'
	}
	return f
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// in reports whether text contains the text of the finder.
func (f *finder) in(text string) bool {
	if len(text) < len(f.text) {
		return !f.ascii && f.search(text)
	}
	address := unsafe.StringData(text)
	slot := &f.known[(uintptr(unsafe.Pointer(address))>>4)%uintptr(len(f.known))]
	if slot.text != address || slot.size != len(text) {
		slot.text, slot.size, slot.found = address, len(text), f.search(text)
	}
	return slot.found
}

func (f *finder) search(text string) bool {
	if !f.ascii {
		return strings.Contains(strings.ToLower(text), f.text)
	}
	for from := 0; from+len(f.text) <= len(text); {
		at := strings.IndexByte(text[from:], f.lower)
		if f.upper != f.lower {
			end := len(text)
			if at >= 0 {
				end = from + at
			}
			if other := strings.IndexByte(text[from:end], f.upper); other >= 0 {
				at = other
			}
		}
		if at < 0 {
			return false
		}
		from += at
		if from+len(f.text) <= len(text) && equalFold(text[from:from+len(f.text)], f.text) {
			return true
		}
		from++
	}
	return false
}

// equalFold reports whether a text equals another one of the same length, which is ASCII in lower
// case.
func equalFold(text, lower string) bool {
	for i := range len(lower) {
		b := text[i]
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != lower[i] {
			return false
		}
	}
	return true
}
