package supportbee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Result types have plain tags for the usual form. A function below stands for each part that has
// other forms on record, or is read by hand. They are options and not methods, so that no type of
// the JSON library shows in the exported API.
var decodeOptions = jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(
	jsonv2.UnmarshalFromFunc(by((*reader).ticket)),
	jsonv2.UnmarshalFromFunc(by((*reader).reply)),
	jsonv2.UnmarshalFromFunc(by((*reader).comment)),
	jsonv2.UnmarshalFromFunc(by((*reader).userAssignment)),
	jsonv2.UnmarshalFromFunc(by((*reader).teamAssignment)),
	jsonv2.UnmarshalFromFunc(by((*reader).person)),
	jsonv2.UnmarshalFromFunc(by((*reader).recipients)),
	jsonv2.UnmarshalFromFunc(by((*reader).team)),
	jsonv2.UnmarshalFromFunc(by((*reader).picture)),
	jsonv2.UnmarshalFromFunc(by((*reader).content)),
	jsonv2.UnmarshalFromFunc(by((*reader).attachment)),
	jsonv2.UnmarshalFromFunc(by((*reader).source)),
	jsonv2.UnmarshalFromFunc(decodeDataPoint),
	jsonv2.UnmarshalFromFunc(decodeText[RuleID]),
	jsonv2.UnmarshalFromFunc(decodeText[ConsequenceID]),
	jsonv2.UnmarshalFromFunc(decodeText[FilterID]),
	jsonv2.UnmarshalFromFunc(decodeForwardingAddressID),
))

// encodeOptions write what the server takes where that differs from what it gives: a role is a
// number in requests.
var encodeOptions = jsonv2.WithMarshalers(jsonv2.MarshalToFunc(func(enc *jsontext.Encoder, r Role) error {
	return enc.WriteToken(jsontext.Int(roleNumbers[r]))
}))

// encodeBody returns {"key": value} as JSON, or the bare value for an empty key.
func encodeBody(key string, value any) ([]byte, error) {
	encoded, err := jsonv2.Marshal(value, encodeOptions)
	if err != nil || key == "" {
		return encoded, err
	}
	return slices.Concat([]byte(`{"`), []byte(key), []byte(`":`), encoded, []byte(`}`)), nil
}

// keyed is an answer that knows which key it lacks, after it was decoded; "" if it is whole.
type keyed interface{ missingKey() string }

// decode reads the body into out in one pass: the value of key, or the whole if key is "". It
// empties the body.
func decode(body *bytes.Buffer, key string, out any) error {
	r := readers.Get().(*reader)
	defer r.release()
	r.own.Reset(body, decodeOptions)
	r.Decoder = &r.own
	if err := r.readAt(key, out); err != nil {
		return err
	}
	if _, err := r.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			return errors.New("more JSON follows the answer's end")
		}
		return err
	}
	if k, ok := out.(keyed); ok && k.missingKey() != "" {
		return missingError{key: k.missingKey()}
	}
	return nil
}

// missingError is an answer without the key that it should have.
type missingError struct {
	key  string
	null bool // it is there, with nothing in it
}

func (e missingError) Error() string { return fmt.Sprintf("key %q is missing or null", e.key) }

// describe says what is wrong with the JSON: where, what is there, and what was wanted. It
// leaves the values out, which may be personal data.
func describe(err error) string {
	if semantic, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		text := "at " + pointer(semantic.JSONPointer) + ": "
		if semantic.JSONKind != 0 {
			text += "got " + kindName(semantic.JSONKind)
		} else {
			text += "unexpected value"
		}
		if semantic.GoType != nil {
			text += ", want " + wantName(semantic.GoType)
		}
		return text
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("at %s: invalid JSON at byte %d: %v", pointer(syntactic.JSONPointer), syntactic.ByteOffset, syntactic.Err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the JSON ends too early"
	}
	return err.Error()
}

func pointer(p jsontext.Pointer) string {
	if p == "" {
		return "the top"
	}
	return printable(string(p), 128)
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "no JSON"
}

func wantName(t reflect.Type) string {
	if t == reflect.TypeFor[time.Time]() {
		return "an RFC 3339 time"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "an array"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Pointer:
		return wantName(t.Elem())
	}
	return t.String()
}

// skipNull reads a null, if one is next.
func skipNull(dec *jsontext.Decoder) (bool, error) {
	if dec.PeekKind() != 'n' {
		return false, nil
	}
	_, err := dec.ReadToken()
	return true, err
}

// readText reads a string, or a number as it is written; null is "".
func readText[T any](dec *jsontext.Decoder) (string, error) {
	switch dec.PeekKind() {
	case '"', '0':
		token, err := dec.ReadToken()
		return token.String(), err
	case 'n':
		return "", dec.SkipValue()
	}
	return "", mismatch[T](dec)
}

func decodeText[T ~string](dec *jsontext.Decoder, out *T) error {
	text, err := readText[T](dec)
	*out = T(text)
	return err
}

func decodeForwardingAddressID(dec *jsontext.Decoder, id *ForwardingAddressID) error {
	text, err := readText[ForwardingAddressID](dec)
	if err != nil || text == "" {
		*id = 0
		return err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return &jsonv2.SemanticError{JSONKind: '"', GoType: reflect.TypeFor[int64]()}
	}
	*id = ForwardingAddressID(n)
	return nil
}

// decimal is a number that may be written as a string.
type decimal float64

func decodeDataPoint(dec *jsontext.Decoder, p *DataPoint) error {
	var wire struct {
		Value     decimal `json:"value"`
		Timestamp decimal `json:"timestamp"`
	}
	if null, err := skipNull(dec); null {
		*p = DataPoint{}
		return err
	}
	if err := jsonv2.UnmarshalDecode(dec, &wire, decimalOption); err != nil {
		return err
	}
	*p = DataPoint{Value: float64(wire.Value)}
	if wire.Timestamp != 0 {
		if math.Abs(float64(wire.Timestamp)) > maxUnixSeconds {
			return &jsonv2.SemanticError{JSONKind: '0', GoType: reflect.TypeFor[time.Time]()}
		}
		p.Time = time.Unix(int64(wire.Timestamp), 0).UTC()
	}
	return nil
}

// maxUnixSeconds is the end of the year 9999, the last that RFC 3339 can write.
const maxUnixSeconds = 253402300799

var decimalOption = jsonv2.WithUnmarshalers(jsonv2.UnmarshalFromFunc(func(dec *jsontext.Decoder, d *decimal) error {
	text, err := readText[decimal](dec)
	if err != nil || text == "" {
		*d = 0
		return err
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return &jsonv2.SemanticError{JSONKind: '"', GoType: reflect.TypeFor[float64]()}
	}
	*d = decimal(f)
	return nil
}))

// errorMessage returns the server's message in the body of an error answer, or "".
func errorMessage(body []byte) string {
	var shape struct {
		Error   any `json:"error"`
		Errors  any `json:"errors"`
		Message any `json:"message"`
	}
	// The standard library's decoder is the more tolerant one, and nothing here is hot.
	if json.Unmarshal(body, &shape) != nil {
		return ""
	}
	for _, value := range []any{shape.Error, shape.Errors, shape.Message} {
		if text := flatten(value); text != "" {
			return text
		}
	}
	return ""
}

// flatten writes what an "errors" key may hold as one sentence.
func flatten(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSpace(v)
	case []any:
		parts := make([]string, 0, len(v))
		for _, item := range v {
			if text := flatten(item); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	}
	text, _ := json.Marshal(value) // what came from JSON can be written as JSON
	return string(text)
}
