package supportbee

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// object is a type that is read from a JSON object. Each type of a response has a readMember
// method beside its struct, which reads the value of the member with the given name, and passes
// names that it does not know to [reader.extra].
type object interface {
	readMember(r *reader, name []byte) error
}

// resource is a type that responses consist of. Usable reports whether it says what it is about,
// usually by an ID.
type resource interface {
	object
	usable() bool
}

// pointerTo is the constraint of functions that read a T through its methods.
type pointerTo[T any] interface {
	*T
	object
}

// resourceOf is the same for a T that responses consist of.
type resourceOf[T any] interface {
	*T
	resource
}

// textual is an object for which a string can stand, such as a person's e-mail address.
type textual interface{ readText(text string) }

// neighborly is a resource of which some members can stand beside its envelope.
type neighborly interface {
	readBeside(r *reader, name []byte) error
}

// A reader reads JSON into the types of this package. The JSON library would find the field of
// each name and the function of each type anew, which takes longer than reading them.
//
// It accepts what the server plainly means, and keeps what it cannot read: see [reader.extra].
type reader struct {
	jsontext.Decoder
	body  []byte
	input bytes.Buffer // of body, for the decoder
	drift driftSink

	// odd is the member that [reader.extra] keeps or forgets, if hasOdd is set.
	odd    json.RawMessage
	hasOdd bool
	stored bool // whether extra stored the last member

	found, want string // kinds of the last value that could not be read

	// known holds strings that were read before: people, labels and addresses repeat, and need
	// no new memory then.
	known [256]string
}

// maxKnown is the length in bytes of the longest string that is kept for reuse.
const maxKnown = 128

var readers = sync.Pool{New: func() any { return new(reader) }}

// JSON that repeats a name or has invalid UTF-8 comes from mails, and is no reason to lose them.
var readOptions = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

var byteOrderMark = []byte("\uFEFF")

// newReader returns a reader of body, to be released.
func newReader(body []byte) *reader {
	r := readers.Get().(*reader)
	body = bytes.TrimPrefix(body, byteOrderMark)
	if !utf8.Valid(body) {
		body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	}
	r.body = body
	r.input = *bytes.NewBuffer(body)
	r.Reset(&r.input, readOptions)
	return r
}

func (r *reader) release() {
	r.input = bytes.Buffer{}
	r.Reset(&r.input, readOptions) // drops the references to the body, whose memory is used again
	r.body, r.drift = nil, driftSink{key: r.drift.key}
	r.odd, r.hasOdd = nil, false
	readers.Put(r)
}

// end returns an error unless the body is read to its end.
func (r *reader) end() error {
	_, err := r.ReadToken()
	switch {
	case err == nil:
		return errors.New("more JSON follows the end of the response")
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// errMismatch reports a value that cannot be read as its type. The value has been consumed.
var errMismatch = errors.New("the value has another type")

// mismatch reports the value just read as drift and returns [errMismatch].
func (r *reader) mismatch(found jsontext.Kind, want string) error {
	r.found, r.want = kindName(found), want
	r.drift.report(r, "", r.found, want)
	return errMismatch
}

// tolerate reports the value just read as drift, although it could be read.
func (r *reader) tolerate(found jsontext.Kind, want string) {
	r.drift.report(r, "", kindName(found), want)
}

// readMembers reads the rest of an object.
func (r *reader) readMembers(v object) error {
	odd := false
	for r.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		if err := r.member(v, name, &odd); err != nil {
			return err
		}
	}
	r.stored = false // extra has stored members of v, which v itself is not
	_, err := r.ReadToken()
	return err
}

// member reads the value of one member. A value that does not have its type goes to Extra, under
// its own name. Odd reports whether that happened in this object.
func (r *reader) member(v object, name []byte, odd *bool) error {
	start := r.InputOffset()
	r.stored = false
	err := v.readMember(r, name)
	switch {
	case err == nil && (!*odd || r.stored):
		return nil
	case err == nil:
		r.odd = nil // the name may be repeated: what was kept of it is replaced
	case err == errMismatch: //nolint:errorlint // never wrapped, and compared for each such member
		*odd = true
		r.odd = rawValue(bytes.TrimLeft(r.body[start:r.InputOffset()], " \t\r\n:"))
	default:
		return err
	}
	r.hasOdd = true
	return v.readMember(r, nil)
}

// extra keeps a member that the type does not know in its Extra map.
func (r *reader) extra(extra *map[string]json.RawMessage, name []byte) error {
	if r.hasOdd { // a member that the type knows but could not read
		known := r.StackPointer().LastToken()
		if r.odd == nil {
			if delete(*extra, known); len(*extra) == 0 {
				*extra = nil
			}
		} else {
			keep(extra, known, r.odd)
		}
		r.odd, r.hasOdd = nil, false
		return nil
	}
	known := string(name)
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	r.stored = true
	r.drift.report(r, "", kindName(value.Kind()), "")
	keep(extra, known, rawValue(value))
	return nil
}

func keep(extra *map[string]json.RawMessage, name string, value json.RawMessage) {
	if *extra == nil {
		*extra = map[string]json.RawMessage{}
	}
	(*extra)[name] = value
}

// unknown skips the value of a member that has no place to be kept.
func (r *reader) unknown() error {
	if r.hasOdd {
		r.odd, r.hasOdd = nil, false
		return nil
	}
	kind := r.PeekKind()
	if err := r.SkipValue(); err != nil {
		return err
	}
	r.drift.report(r, "", kindName(kind), "")
	return nil
}

// rawValue returns a copy of a value as encoding/json would write it, so that writing and reading
// it again changes nothing.
func rawValue(value []byte) json.RawMessage {
	formatted, err := jsontext.AppendFormat(nil, value,
		readOptions, jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true))
	if err != nil { // cannot happen: it was read before
		return bytes.Clone(value)
	}
	return formatted
}

// readObject reads an object, or what can stand for one: a list of one, or a string for a type
// that has readText. Null, "" and [] are the zero value.
func readObject[T any, P pointerTo[T]](r *reader, v P) error {
	_, err := readPresent[T](r, v)
	return err
}

// readPresent is readObject, and reports whether there was a value.
func readPresent[T any, P pointerTo[T]](r *reader, v P) (bool, error) {
	*v = *new(T)
	present, err := r.readValue(v)
	if err != nil {
		*v = *new(T)
	}
	return present, err
}

func (r *reader) readValue(v object) (present bool, err error) {
	switch kind := r.PeekKind(); kind {
	case '{':
		if _, err := r.ReadToken(); err != nil {
			return false, err
		}
		return true, r.readMembers(v)
	case 'n':
		return false, r.SkipValue()
	case '[':
		return r.readOnly(v)
	case '"':
		text, err := r.text()
		if err != nil || text == "" {
			return false, err
		}
		if t, ok := v.(textual); ok {
			r.tolerate(kind, "object")
			t.readText(text)
			return true, nil
		}
		return false, r.mismatch(kind, "object")
	default:
		if err := r.SkipValue(); err != nil {
			return false, err
		}
		return false, r.mismatch(kind, "object")
	}
}

// readOnly reads the only value of an array.
func (r *reader) readOnly(v object) (present bool, err error) {
	if _, err := r.ReadToken(); err != nil {
		return false, err
	}
	if r.PeekKind() != ']' {
		present, err = r.readValue(v)
	}
	if err != nil && err != errMismatch { //nolint:errorlint // never wrapped
		return false, err
	}
	single := r.PeekKind() == ']'
	if skipErr := r.skipRest(']'); skipErr != nil {
		return false, skipErr
	}
	switch {
	case err != nil:
		return false, err
	case !single:
		return false, r.mismatch('[', "object")
	case present:
		r.tolerate('[', "object")
	}
	return present, nil
}

// skipRest skips the rest of an object or array.
func (r *reader) skipRest(end jsontext.Kind) error {
	for r.PeekKind() != end {
		if err := r.SkipValue(); err != nil {
			return err
		}
	}
	_, err := r.ReadToken()
	return err
}

// readPointer reads an object into new memory, or sets nil if there is none.
func readPointer[T any, P pointerTo[T]](r *reader, p **T) error {
	*p = nil
	if r.PeekKind() == 'n' {
		return r.SkipValue()
	}
	v := new(T)
	present, err := readPresent[T](r, P(v))
	if present && err == nil {
		*p = v
	}
	return err
}

// readEnveloped reads an object that has the value under key, or is the value itself, into new
// memory. It leaves *p alone where nobody is named, since the other spelling of the member may
// have named somebody.
func readEnveloped[T any, P resourceOf[T]](r *reader, p **T, key string) error {
	kind := r.PeekKind()
	if kind == 'n' {
		return r.SkipValue()
	}
	v := new(T)
	switch kind {
	case '{':
	case '[':
		return readOnlyEnveloped[T, P](r, p, key)
	default: // flat, in a form that readValue knows
		_, err := readPresent[T](r, P(v))
		if err == nil && P(v).usable() {
			*p = v
		}
		return err
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	var failed error
	found, odd := false, false
	for r.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		switch {
		case string(name) == key:
			found = true
			err = readObject[T](r, P(v))
		case found:
			err = r.unknown()
		default:
			err = r.member(P(v), name, &odd)
		}
		if err == errMismatch { //nolint:errorlint // never wrapped
			failed = err
		} else if err != nil {
			return err
		}
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	r.stored = false
	switch {
	case failed != nil:
		return failed
	case P(v).usable():
		*p = v
	case !reflect.ValueOf(v).Elem().IsZero(): // something is there, but nobody is named
		return r.mismatch('{', "object")
	}
	return nil
}

// readOnlyEnveloped is readEnveloped of the only value of an array.
func readOnlyEnveloped[T any, P resourceOf[T]](r *reader, p **T, key string) (err error) {
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	var only *T
	if r.PeekKind() != ']' {
		err = readEnveloped[T, P](r, &only, key)
	}
	if err != nil && err != errMismatch { //nolint:errorlint // never wrapped
		return err
	}
	single := r.PeekKind() == ']'
	if skipErr := r.skipRest(']'); skipErr != nil {
		return skipErr
	}
	if err == nil && !single {
		return r.mismatch('[', "object")
	}
	if err == nil && only != nil {
		r.tolerate('[', "object")
		*p = only
	}
	return err
}

// readList reads an array of objects, or one object. Null and "" are nil; null elements are left
// out.
func readList[T any, P pointerTo[T]](r *reader, list *[]T) error {
	return readArray(r, list, func(v *T) (bool, error) { return readPresent[T](r, P(v)) })
}

// readArray reads an array, or one value in its place, whose elements element reads. If an
// element cannot be read, the array cannot.
func readArray[T any](r *reader, list *[]T, element func(*T) (present bool, err error)) error {
	*list = nil
	kind := r.PeekKind()
	switch kind {
	case '[':
		if _, err := r.ReadToken(); err != nil {
			return err
		}
	case 'n':
		return r.SkipValue()
	case '"':
		if value := bytes.TrimLeft(r.body[r.InputOffset():], " \t\r\n:,"); bytes.HasPrefix(value, []byte(`""`)) {
			return r.SkipValue()
		}
	case jsontext.KindInvalid:
		return r.SkipValue() // returns why
	}
	*list = []T{}
	var failed error
	for r.PeekKind() != ']' {
		last := len(*list)
		*list = slices.Grow(*list, 1)[:last+1] // append would hold a T on the stack; element sets it
		present, err := element(&(*list)[last])
		if err == errMismatch { //nolint:errorlint // never wrapped
			failed = err
		} else if err != nil {
			return err
		}
		if !present {
			*list = (*list)[:last]
		}
		if kind != '[' {
			if failed == nil {
				r.tolerate(kind, "array")
			}
			break
		}
	}
	if failed != nil {
		*list = nil
	}
	if kind == '[' {
		if _, err := r.ReadToken(); err != nil {
			return err
		}
	}
	return failed
}

// readResources reads an array of resources. An element that is not a usable resource is left
// out, since it must not cost the others. It returns the number of elements that are not null.
func readResources[T any, P resourceOf[T]](r *reader, list *[]*T) (elements int, err error) {
	isArray := r.PeekKind() == '['
	err = readArray(r, list, func(v **T) (bool, error) {
		if r.PeekKind() == 'n' {
			err := r.SkipValue()
			r.tolerate('n', "object")
			return false, err
		}
		elements++
		*v = new(T)
		present, err := readPresent[T](r, P(*v))
		if err == errMismatch && isArray { //nolint:errorlint // never wrapped
			return false, nil // reported as drift
		}
		usable := present && err == nil && P(*v).usable()
		if !usable && err == nil {
			r.drift.report(r, "/id", "null", "number")
		}
		return usable, err
	})
	return elements, err
}

// readStrings reads an array of strings, or one string.
func readStrings(r *reader, list *[]string) error {
	return readArray(r, list, func(text *string) (bool, error) {
		err := readString(r, text)
		return err == nil, err
	})
}

// name reads the name of a member. It is valid until the next read.
func (r *reader) name() ([]byte, error) {
	quoted, err := r.ReadValue()
	if err != nil {
		return nil, err
	}
	return unquote(quoted), nil
}

// text reads a string.
func (r *reader) text() (string, error) {
	value, err := r.ReadValue()
	if err != nil {
		return "", err
	}
	return string(unquote(value)), nil
}

// unquote returns the text of a JSON string, in the same memory unless it has escapes. A lone
// surrogate becomes U+FFFD.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		text, _ := jsontext.AppendUnquote(nil, quoted) // its only error is of a lone surrogate
		return text
	}
	return quoted[1 : len(quoted)-1]
}

// readString reads a string, or a number as it is written.
func readString[T ~string](r *reader, s *T) error {
	*s = ""
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	switch kind := value.Kind(); kind {
	case '"':
		*s = T(r.keep(unquote(value)))
	case '0':
		*s = T(value)
		r.tolerate(kind, "string")
	case 'n':
	default:
		return r.mismatch(kind, "string")
	}
	return nil
}

// readID reads an ID that is a string here, and a string or a number in responses.
func readID[T ~string](r *reader, id *T) error {
	if r.PeekKind() != '0' {
		return readString(r, id)
	}
	value, err := r.ReadValue()
	*id = T(value)
	return err
}

// keep returns text as a string: one that was read before if possible.
func (r *reader) keep(text []byte) string {
	if len(text) > maxKnown {
		return string(text)
	}
	known := &r.known[slot(text)]
	if *known != string(text) {
		*known = string(text)
	}
	return *known
}

// slot is the index at which a text is kept. It looks at both ends, where addresses and names
// differ.
func slot(text []byte) byte {
	var first, last uint64
	if n := len(text); n >= 8 {
		first, last = binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
	} else {
		for _, c := range text {
			last = last<<8 | uint64(c)
		}
	}
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f // spread the bits to the top
	return byte((first*odd1 ^ last*odd2) >> 56)
}

// readInt reads an integer, also one that is written as 2.0 or "2".
func readInt[T ~int | ~int64](r *reader, n *T) error {
	*n = 0
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	kind := value.Kind()
	text := []byte(value)
	switch kind {
	case 'n':
		return nil
	case '"':
		if text = bytes.TrimSpace(unquote(value)); len(text) == 0 {
			return nil
		}
	case '0':
	default:
		return r.mismatch(kind, "number")
	}
	whole, err := strconv.ParseInt(string(text), 10, 64)
	if err == nil && int64(T(whole)) == whole {
		*n = T(whole)
		if kind == '"' {
			r.tolerate(kind, "number")
		}
		return nil
	}
	const exact = 1 << 53 // beyond it a float64 is no exact integer
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= exact || float64(T(f)) != f {
		return r.mismatch(kind, "number")
	}
	*n = T(f)
	r.tolerate(kind, "number")
	return nil
}

// readFloat reads a number that may be written as a string.
func readFloat(r *reader, f *float64) error {
	*f = 0
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	text := []byte(value)
	switch kind := value.Kind(); kind {
	case 'n':
		return nil
	case '"':
		if text = bytes.TrimSpace(unquote(value)); len(text) == 0 {
			return nil
		}
	case '0':
	default:
		return r.mismatch(kind, "number")
	}
	parsed, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(parsed) || math.IsInf(parsed, 0) {
		return r.mismatch(value.Kind(), "number")
	}
	*f = parsed
	return nil
}

// readBool reads a boolean, also one that is written as "true", 1 or "1".
func readBool(r *reader, b *bool) error {
	*b = false
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	kind := value.Kind()
	text := []byte(value)
	switch kind {
	case 't', 'f', 'n':
		*b = kind == 't'
		return nil
	case '"':
		text = bytes.TrimSpace(unquote(value))
	}
	switch string(text) {
	case "":
		return nil
	case "true", "1":
		*b = true
	case "false", "0":
	default:
		return r.mismatch(kind, "boolean")
	}
	r.tolerate(kind, "boolean")
	return nil
}

// readTruth reads a value of which only null and false are known: anything else is true.
func readTruth(r *reader, b *bool) error {
	value, err := r.ReadValue()
	kind := value.Kind()
	*b = err == nil && kind != 'n' && kind != 'f'
	if *b && kind != 't' {
		r.tolerate(kind, "boolean")
	}
	return err
}

// readTime reads a time, in RFC 3339 or another form that has only one meaning.
func readTime(r *reader, t *time.Time) error {
	*t = time.Time{}
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	kind := value.Kind()
	text := []byte(value)
	switch kind {
	case 'n':
		return nil
	case '"':
		if text = unquote(value); len(text) == 0 {
			return nil
		}
		if t.UnmarshalText(text) == nil && t.Year() <= 9999 {
			return nil
		}
	}
	parsed, ok := parseTime(string(text))
	*t = parsed
	if !ok {
		return r.mismatch(kind, "time")
	}
	r.tolerate(kind, "time")
	return nil
}

// timeLayouts are the forms of a time besides RFC 3339. Without a zone it is UTC.
var timeLayouts = []string{
	"2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 -07:00",
	"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
	time.RFC1123Z,
}

// maxUnixSeconds is the end of the year 9999, the last that RFC 3339 can write.
const maxUnixSeconds = 253402300799

func parseTime(text string) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		// Fewer digits are no Unix time but something like a year.
		if seconds != math.Trunc(seconds) || seconds < 1e8 || seconds > maxUnixSeconds {
			return time.Time{}, false
		}
		return time.Unix(int64(seconds), 0).UTC(), true
	}
	for _, zone := range []string{" UTC", " GMT", " Z"} {
		text = strings.TrimSuffix(text, zone)
	}
	for _, layout := range timeLayouts {
		t, err := time.Parse(layout, text)
		if t = t.UTC(); err == nil && t.Year() >= 0 && t.Year() <= 9999 { // which UTC decides: it is written so
			return t, true
		}
	}
	return time.Time{}, false
}

// readMap reads an object whose members have no types.
func readMap(r *reader, m *map[string]json.RawMessage) error {
	*m = nil
	kind := r.PeekKind()
	switch kind {
	case '{':
	case 'n':
		return r.SkipValue()
	default:
		value, err := r.ReadValue()
		if err != nil || string(value) == `""` {
			return err
		}
		return r.mismatch(kind, "object")
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	*m = map[string]json.RawMessage{}
	for r.PeekKind() != '}' {
		quoted, err := r.name()
		if err != nil {
			return err
		}
		name := string(quoted)
		value, err := r.ReadValue()
		if err != nil {
			return err
		}
		(*m)[name] = rawValue(value)
	}
	_, err := r.ReadToken()
	return err
}

// result is what a response is read into: one resource, or a list of them.
type result struct {
	one  resource
	many interface{ readFrom(r *reader) error }
}

// read reads the result itself.
func (out result) read(r *reader) error {
	if out.one == nil {
		return out.many.readFrom(r)
	}
	_, err := r.readValue(out.one)
	return err
}

// list is the [result] of an operation that returns a list.
type list[T any, P resourceOf[T]] []*T

func (l *list[T, P]) readFrom(r *reader) error {
	_, err := readResources[T, P](r, (*[]*T)(l))
	return err
}

// readResult reads the body of a response.
func (r *reader) readResult(op *operation, out result) error {
	err := r.readEnvelope(op, out)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return err
	}
	switch {
	case out.one == nil || op.mayBeHollow || out.one.usable():
		return nil
	case op.key == "":
		return missingError{key: op.needs}
	}
	return hollowError{op.key}
}

// readEnvelope reads the object that has the result under op.key, or is the result if that is
// empty.
func (r *reader) readEnvelope(op *operation, out result) error {
	kind := r.PeekKind()
	switch {
	case kind == jsontext.KindInvalid:
		return r.SkipValue() // returns why
	case kind == '[' && op.anyKey, kind == '{' && op.key == "":
		return out.read(r)
	case kind != '{':
		return fmt.Errorf("want a JSON object, got %s", article(kindName(kind)))
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	found, null, used, odd := false, false, false, false
	for r.PeekKind() != '}' {
		name, err := r.name()
		if err != nil {
			return err
		}
		named := string(name) == op.key || op.alias != "" && string(name) == op.alias
		switch {
		case named && r.PeekKind() == 'n':
			null = true
			err = r.SkipValue()
		case named, op.anyKey && !found && r.PeekKind() == '[':
			if out.one != nil && (found || used) {
				reflect.ValueOf(out.one).Elem().SetZero() // of a repeated key, or of what stands beside it
			}
			found = true
			err = out.read(r)
		case op.bare && !found:
			used = true
			err = r.member(out.one, name, &odd)
		default:
			if n, ok := out.one.(neighborly); ok {
				if err = n.readBeside(r, name); err == errMismatch { //nolint:errorlint // never wrapped
					err = nil // reported as drift; the resource itself is there
				}
			} else {
				err = r.unknown()
			}
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	if !found && !op.mayBeHollow && (!op.bare || !out.one.usable()) {
		return missingError{key: op.key, null: null}
	}
	return nil
}

// missingError reports a response without the member that it should have.
type missingError struct {
	key  string
	null bool // it is there, with nothing in it
}

func (e missingError) Error() string { return fmt.Sprintf("key %q is missing or null", e.key) }

// hollowError reports a response whose result says nothing.
type hollowError struct{ key string }

func (e hollowError) Error() string {
	return fmt.Sprintf("the value of key %q has no ID that can be used", e.key)
}
