package supportbee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// encodeOptions write in requests what the server takes there: a role is a number, and a content
// that is empty says so.
var encodeOptions = jsonv2.WithMarshalers(jsonv2.JoinMarshalers(
	jsonv2.MarshalToFunc(func(enc *jsontext.Encoder, role Role) error {
		return enc.WriteToken(jsontext.Int(roleNumbers[role]))
	}),
	jsonv2.MarshalToFunc(func(enc *jsontext.Encoder, p ContentParams) error {
		if p.Text != "" || p.HTML != "" || len(p.AttachmentIDs) > 0 {
			return errors.ErrUnsupported // as the tags have it
		}
		return enc.WriteValue(jsontext.Value(`{"text":""}`))
	}),
))

// encodeBody returns {"key": value} as JSON, or the bare value for an empty key.
func encodeBody(key string, value any) ([]byte, error) {
	if text, ok := plainText(value); ok && key != "" {
		// What is sent most is written without the JSON library, which looks for the fields each time: that
		// takes 3 % of a call over loopback.
		body := append(make([]byte, 0, len(key)+len(text)+64), `{"`+key+`":{"content":{"text":`...)
		if body, err := jsontext.AppendQuote(body, text); err == nil { // otherwise the library says what is wrong
			return append(body, "}}}"...), nil
		}
	}
	options := encodeOptions
	switch value.(type) {
	case *TicketParams, *ReplyParams, *CommentParams: // have no role, and their content is never empty
		options = nil // looking for a function for each type takes most of the time
	}
	encoded, err := jsonv2.Marshal(value, options)
	if err != nil || key == "" {
		return encoded, err
	}
	return slices.Concat([]byte(`{"`), []byte(key), []byte(`":`), encoded, []byte(`}`)), nil
}

// plainText returns the text of params that have nothing else.
func plainText(params any) (text string, ok bool) {
	var content ContentParams
	switch p := params.(type) {
	case *CommentParams:
		if p == nil {
			return "", false
		}
		content = p.Content
	case *ReplyParams:
		if p == nil || len(p.CC)+len(p.BCC) > 0 || p.OnBehalfOf != (AgentRef{}) {
			return "", false
		}
		content = p.Content
	}
	return content.Text, content.Text != "" && content.HTML == "" && len(content.AttachmentIDs) == 0
}

// writeOptions write what [readOptions] read, and equal values in the same way.
var writeOptions = jsonv2.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsonv2.Deterministic(true))

// marshalObject writes a struct of a response in the API's own form: its fields by their tags,
// then the members of extra. A name in extra that the struct has is written while the field is
// zero.
//
// Besides "json", a field has the tag "envelope" if its value stands in an object under that
// name, and "alias" for the other spelling of its name, which is used where extra has the first.
func marshalObject(v any, extra map[string]json.RawMessage) ([]byte, error) {
	return marshalWith(extra, func(enc *jsontext.Encoder, extra map[string]json.RawMessage) error {
		return writeFields(enc, reflect.ValueOf(v), extra)
	})
}

// marshalWith writes an object: the members that write writes, then those that it leaves in extra.
func marshalWith(extra map[string]json.RawMessage, write func(*jsontext.Encoder, map[string]json.RawMessage) error) ([]byte, error) {
	var buffer bytes.Buffer
	enc := jsontext.NewEncoder(&buffer, writeOptions)
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	extra = maps.Clone(extra)
	if err := write(enc, extra); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if err := writeMember(enc, name, "", extra[name]); err != nil {
			return nil, err
		}
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(buffer.Bytes()), nil
}

// writeFields writes the fields of a struct, and removes from extra what they replace.
func writeFields(enc *jsontext.Encoder, v reflect.Value, extra map[string]json.RawMessage) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		if field.Anonymous {
			if err := writeFields(enc, value, extra); err != nil {
				return err
			}
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		_, kept := extra[name]
		switch zero := value.IsZero(); {
		case name == "-", zero && (kept || options == "omitzero"):
			continue
		case kept && field.Tag.Get("alias") != "":
			name = field.Tag.Get("alias")
		case kept:
			delete(extra, name)
		}
		if err := writeMember(enc, name, field.Tag.Get("envelope"), value.Interface()); err != nil {
			return fmt.Errorf("%s: %w", field.Name, err)
		}
	}
	return nil
}

func writeMember(enc *jsontext.Encoder, name, envelope string, value any) error {
	if err := enc.WriteToken(jsontext.String(name)); err != nil {
		return err
	}
	if envelope != "" {
		value = map[string]any{envelope: value}
	}
	return jsonv2.MarshalEncode(enc, value, writeOptions)
}

// unmarshalObject reads one value as tolerantly as the client reads responses.
func unmarshalObject[T any, P pointerTo[T]](data []byte, v P) error {
	r := newReader(data)
	defer r.release()
	err := readObject[T](r, v)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return fmt.Errorf("supportbee: %T: %s", *v, r.describe(err, transport.Token{}))
	}
	return nil
}

// describe returns what is wrong with the JSON: where, what was found, and what was expected. It
// leaves out values, which may be personal data, and the token, of which a long name could show a part.
func (r *reader) describe(err error, token transport.Token) string {
	if err == errMismatch { //nolint:errorlint // never wrapped
		return fmt.Sprintf("at %s: got %s, want %s", pointerText(r.StackPointer(), token), article(r.found), article(r.want))
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Sprintf("at %s: invalid JSON at byte %d: %v", pointerText(syntactic.JSONPointer, token), syntactic.ByteOffset, syntactic.Err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the JSON ends too early"
	}
	return err.Error()
}

// describeJSON is the same for errors of the JSON library's own encoding and decoding.
func describeJSON(err error, token transport.Token) string {
	semantic, ok := errors.AsType[*jsonv2.SemanticError](err)
	if !ok {
		return new(reader).describe(err, token)
	}
	text := "at " + pointerText(semantic.JSONPointer, token) + ": "
	if semantic.JSONKind != 0 {
		text += "got " + article(kindName(semantic.JSONKind))
	} else {
		text += "unexpected value"
	}
	if semantic.GoType != nil {
		text += ", want a " + semantic.GoType.String()
	}
	return text
}

// describeEncoding returns what cannot be written as JSON. It leaves out values.
func describeEncoding(err error) string {
	if semantic, ok := errors.AsType[*jsonv2.SemanticError](err); ok && semantic.GoType != nil {
		return "at " + pointerText(semantic.JSONPointer, transport.Token{}) + ": a Go value of type " + semantic.GoType.String()
	}
	return new(reader).describe(err, transport.Token{})
}

func pointerText(p jsontext.Pointer, token transport.Token) string {
	if p == "" {
		return "the top"
	}
	return printable(token.Redact(string(p)), 128)
}

// kindName returns the name of a JSON kind, as in [Drift].
func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case '0':
		return "number"
	case 't', 'f':
		return "boolean"
	}
	return "null"
}

// article puts the indefinite article before the name of a JSON kind.
func article(kind string) string {
	switch kind {
	case "object", "array":
		return "an " + kind
	case "null":
		return kind
	}
	return "a " + kind
}

// failureBody is the body of an error response, in the forms that are known and likely.
type failureBody struct {
	Error   any `json:"error"`
	Errors  any `json:"errors"`
	Message any `json:"message"`
}

// read reads body. It returns the value of a body that is not an object, and whether body is JSON.
func (f *failureBody) read(body []byte) (bare any, ok bool) {
	// The standard library's decoder is the more tolerant one, and nothing here is hot.
	if json.Unmarshal(body, f) == nil {
		return nil, true
	}
	*f = failureBody{}
	err := json.Unmarshal(body, &bare)
	return bare, err == nil
}

// reports reports whether the body is that of an error.
func (f *failureBody) reports() bool { return flatten(f.Error) != "" || flatten(f.Errors) != "" }

// errorMessage returns the server's message in the body of an error response, or "".
func errorMessage(body []byte) string {
	var failure failureBody
	bare, ok := failure.read(body)
	if !ok {
		text := strings.TrimSpace(string(body))
		if strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			return ""
		}
		return text
	}
	for _, value := range []any{failure.Error, failure.Errors, failure.Message, bare} {
		if text := flatten(value); text != "" {
			return text
		}
	}
	return ""
}

// flatten returns a value of an error body as one sentence, and "" for one that says nothing.
func flatten(value any) string {
	switch v := value.(type) {
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
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if text := flatten(v[name]); text != "" {
				parts = append(parts, name+" "+text)
			}
		}
		return strings.Join(parts, ", ")
	}
	return ""
}
