package supportbee

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// What may vary in the server's answers is decoded here, and nowhere else. Result types have
// plain tags for the usual form; a function below stands for each part that has other forms on
// record. They are options and not methods, so that no type of the JSON library shows in the
// exported API.
var decodeOptions = jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(
	jsonv2.UnmarshalFromFunc(decodeTicket),
	jsonv2.UnmarshalFromFunc(decodeTicketAnswer),
	jsonv2.UnmarshalFromFunc(decodeContent),
	jsonv2.UnmarshalFromFunc(decodePicture),
	jsonv2.UnmarshalFromFunc(decodePeople),
	jsonv2.UnmarshalFromFunc(decodeSource),
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
	if key != "" {
		value = map[string]any{key: value}
	}
	return jsonv2.Marshal(value, encodeOptions)
}

// scratch is the memory of one answer: the body, and the decoder that reads it.
type scratch struct {
	body bytes.Buffer
	dec  jsontext.Decoder
}

// maxPooledBody keeps one huge answer from holding its memory for ever.
const maxPooledBody = 4 << 20

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	if s.body.Cap() <= maxPooledBody {
		scratches.Put(s)
	}
}

// keyed is an answer that knows which key it lacks, after it was decoded; "" if it is whole.
type keyed interface{ missingKey() string }

// methodical is an answer that decodes what may vary by methods alone, and needs no function.
type methodical interface{ methodical() }

// decode reads the body into out in one pass: the value of key, or the whole if key is "".
func (s *scratch) decode(key string, out any) error {
	options := decodeOptions
	if _, ok := out.(methodical); ok {
		options = nil
	}
	s.dec.Reset(&s.body, options)
	if err := s.decodeAt(key, out); err != nil {
		return err
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
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

func (s *scratch) decodeAt(key string, out any) error {
	if key == "" {
		return jsonv2.UnmarshalDecode(&s.dec, out)
	}
	token, err := s.dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '{' {
		return fmt.Errorf("want a JSON object with key %q, got %s", key, kindName(token.Kind()))
	}
	found, null := false, false
	for s.dec.PeekKind() != '}' {
		name, err := s.dec.ReadToken()
		if err != nil {
			return err
		}
		switch wanted := name.String() == key; {
		case wanted && s.dec.PeekKind() != 'n':
			found = true
			err = jsonv2.UnmarshalDecode(&s.dec, out)
		default:
			null = null || wanted
			err = s.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return err
	}
	if !found {
		return missingError{key, null}
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

// mismatch is the error of a value of a kind that none of the known forms has.
func mismatch[T any](dec *jsontext.Decoder) error {
	kind := dec.PeekKind()
	if kind == 0 { // no value at all: the decoder knows why
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	return &jsonv2.SemanticError{JSONKind: kind, GoType: reflect.TypeFor[T]()}
}

// skipNull reads a null, if one is next.
func skipNull(dec *jsontext.Decoder) (bool, error) {
	if dec.PeekKind() != 'n' {
		return false, nil
	}
	_, err := dec.ReadToken()
	return true, err
}

// plain turns the functions above off. Inside a ticket, where there are thousands of values, the
// types below find them by their methods: looking the functions up for every value takes a tenth
// of the time of a list.
var plain = jsonv2.WithUnmarshalers(nil)

type (
	// The defined types below have the fields of their originals, but no function and no
	// method, so that their objects are decoded in the plain way.
	ticketFields  Ticket
	personFields  Person
	teamFields    Team
	contentFields Content
	pictureFields Picture

	// These decode what may vary by their methods.
	personWire  Person
	teamWire    Team
	peopleWire  []Person
	pictureWire Picture
	sourceWire  Source
	ratingWire  map[string]any
	ticketItem  Ticket // of a list

	// ticketWire is a ticket with every spelling and shape that its parts have on record. Its
	// own fields go before those of the same name in Fields, and point into the same ticket, so
	// that nothing has to be copied.
	ticketWire struct {
		Fields       *ticketFields `json:",embed"`
		Source       *sourceWire   `json:"source"`
		CC           *peopleWire   `json:"cc"`
		BCC          *peopleWire   `json:"bcc"`
		Requester    personForm    `json:"requester"`
		Content      contentForm   `json:"content"`
		Rating       *ratingWire   `json:"customer_rating"`
		UserAssignee userAssignee  `json:"current_user_assignee"`
		UserAsignee  userAssignee  `json:"current_user_asignee"`
		TeamAssignee *teamAssignee `json:"current_team_assignee"`
		TeamAsignee  *teamAssignee `json:"current_team_asignee"`
	}

	// personForm is a person whose picture may vary.
	personForm struct {
		Fields  *personFields `json:",embed"`
		Picture *pictureWire  `json:"picture"`
	}

	// contentForm is a content that may have its text in "body", as older ones have.
	contentForm struct {
		Fields *contentFields `json:",embed"`
		Body   string         `json:"body"`
	}

	// userAssignee is {"user": Person} or a flat Person.
	userAssignee struct{ person *Person }

	// teamAssignee is {"team": Team} or a flat Team.
	teamAssignee struct {
		Team    *teamWire    `json:"team"`
		Flat    *teamFields  `json:",embed"`
		Picture *pictureWire `json:"picture"` // of the flat one
	}
)

func (p *personWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*p = personWire{}
	form := formOf((*Person)(p))
	return jsonv2.UnmarshalDecode(dec, &form)
}

func formOf(p *Person) personForm {
	return personForm{(*personFields)(p), (*pictureWire)(&p.Picture)}
}

func (a *userAssignee) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	a.person = nil
	if null, err := skipNull(dec); null {
		return err
	}
	user := new(Person)
	wire := struct {
		User    personForm    `json:"user"`
		Flat    *personFields `json:",embed"`
		Picture *pictureWire  `json:"picture"` // of the flat one
	}{User: formOf(user)}
	if err := jsonv2.UnmarshalDecode(dec, &wire); err != nil {
		return err
	}
	if wire.Flat != nil && wire.Flat.ID != 0 && user.ID == 0 {
		user = (*Person)(wire.Flat)
		if wire.Picture != nil {
			user.Picture = Picture(*wire.Picture)
		}
	}
	if *user != (Person{}) {
		a.person = user
	}
	return nil
}

func (t *teamWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*t = teamWire{}
	return jsonv2.UnmarshalDecode(dec, &struct {
		Fields  *teamFields  `json:",embed"`
		Picture *pictureWire `json:"picture"`
	}{(*teamFields)(t), (*pictureWire)(&t.Picture)})
}

func (p *peopleWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return decodePeople(dec, (*[]Person)(p))
}

func (p *pictureWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return decodePicture(dec, (*Picture)(p))
}

func (s *sourceWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return decodeSource(dec, (*Source)(s))
}

func (r *ratingWire) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*r = nil
	if null, err := skipNull(dec); null {
		return err
	}
	if dec.PeekKind() != '{' {
		return mismatch[map[string]any](dec)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	*r = ratingWire{}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String() // the token is gone with the next one
		var value any
		// The functions are on again here: the library wants some wherever there is an any.
		if err := jsonv2.UnmarshalDecode(dec, &value, decodeOptions); err != nil {
			return err
		}
		(*r)[key] = value
	}
	_, err := dec.ReadToken()
	return err
}

// wireOf returns the form in which a ticket is decoded into t.
func wireOf(t *Ticket) ticketWire {
	return ticketWire{
		Fields: (*ticketFields)(t),
		Source: (*sourceWire)(&t.Source), CC: (*peopleWire)(&t.CC), BCC: (*peopleWire)(&t.BCC),
		Requester: formOf(&t.Requester), Content: contentForm{Fields: (*contentFields)(&t.Content)}, Rating: (*ratingWire)(&t.CustomerRating),
	}
}

func decodeTicket(dec *jsontext.Decoder, t *Ticket) error {
	return decodeTicketWith(dec, t, plain)
}

func (t *ticketItem) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return decodeTicketWith(dec, (*Ticket)(t))
}

// decodeTicketWith decodes a ticket whose parts need no function, with options that say so where
// the decoder has functions.
func decodeTicketWith(dec *jsontext.Decoder, t *Ticket, opts ...jsonv2.Options) error {
	*t = Ticket{}
	wire := wireOf(t)
	if err := jsonv2.UnmarshalDecode(dec, &wire, opts...); err != nil {
		return err
	}
	wire.finish(t)
	return nil
}

// finish gives t what could not be decoded in place.
func (w *ticketWire) finish(t *Ticket) {
	w.Content.finish(&t.Content)
	t.AssignedUser, t.AssignedTeam = w.UserAssignee.person, w.TeamAssignee.team()
	if t.AssignedUser == nil {
		t.AssignedUser = w.UserAsignee.person
	}
	if t.AssignedTeam == nil {
		t.AssignedTeam = w.TeamAsignee.team()
	}
}

// team returns the team, or nil if there is none.
func (a *teamAssignee) team() *Team {
	switch {
	case a == nil:
		return nil
	case a.Team != nil:
		return (*Team)(a.Team)
	case a.Flat == nil || a.Flat.ID == 0:
		return nil
	case a.Picture != nil:
		a.Flat.Picture = Picture(*a.Picture)
	}
	return (*Team)(a.Flat)
}

// decodeContent takes "body" for "text", which older contents have.
func decodeContent(dec *jsontext.Decoder, c *Content) error {
	*c = Content{}
	form := contentForm{Fields: (*contentFields)(c)}
	if err := jsonv2.UnmarshalDecode(dec, &form); err != nil {
		return err
	}
	form.finish(c)
	return nil
}

func (f *contentForm) finish(c *Content) {
	if c.Text == "" {
		c.Text = f.Body
	}
}

// decodePicture takes an object, an array of which the first counts, null, and "".
func decodePicture(dec *jsontext.Decoder, p *Picture) error {
	*p = Picture{}
	switch dec.PeekKind() {
	case '{':
		return jsonv2.UnmarshalDecode(dec, (*pictureFields)(p))
	case '[':
		var all []pictureFields
		err := jsonv2.UnmarshalDecode(dec, &all)
		if len(all) > 0 {
			*p = Picture(all[0])
		}
		return err
	case 'n', '"':
		return dec.SkipValue()
	}
	return mismatch[Picture](dec)
}

// decodePeople takes objects, and bare strings as addresses.
func decodePeople(dec *jsontext.Decoder, people *[]Person) error {
	*people = nil
	if null, err := skipNull(dec); null {
		return err
	}
	if dec.PeekKind() != '[' {
		return mismatch[[]Person](dec)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var p personWire
		var err error
		if dec.PeekKind() == '"' {
			err = jsonv2.UnmarshalDecode(dec, &p.Email)
		} else {
			err = jsonv2.UnmarshalDecode(dec, &p)
		}
		if err != nil {
			return err
		}
		*people = append(*people, Person(p))
	}
	_, err := dec.ReadToken()
	return err
}

// decodeSource takes the one key that the object has, whatever it is called.
func decodeSource(dec *jsontext.Decoder, s *Source) error {
	*s = Source{}
	if null, err := skipNull(dec); null {
		return err
	}
	if dec.PeekKind() != '{' {
		return mismatch[Source](dec)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		channel := name.String()
		if s.Channel != "" || dec.PeekKind() != '"' {
			if s.Channel == "" {
				s.Channel = channel
			}
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := jsonv2.UnmarshalDecode(dec, &s.Address); err != nil {
			return err
		}
		s.Channel = channel
	}
	_, err := dec.ReadToken()
	return err
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
