package supportbeecheck

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// openapi is a copy of the repository's openapi.yaml.
//
//go:embed openapi.yaml
var openapi []byte

// description is the part of openapi.yaml that is about responses.
type description struct {
	Info       struct{ Version string }
	Paths      map[string]struct{ Get, Post, Put, Patch, Delete operation }
	Components struct {
		Responses map[string]*response
		Schemas   map[string]*schema
	}
	operations map[string]operation // by name in the SDK
	names      map[string]bool      // of all members, and other words
}

type operation struct {
	ID        string               `yaml:"operationId"`
	Responses map[string]*response // by status
}

type response struct {
	Ref       string `yaml:"$ref"`
	Content   map[string]struct{ Schema *schema }
	EmptyBody bool `yaml:"x-empty-body"`
}

func (r *response) schema() *schema { return r.Content["application/json"].Schema }

type schema struct {
	Ref        string `yaml:"$ref"`
	Type       types
	Format     string
	MaxLength  *int `yaml:"maxLength"`
	Required   []string
	Properties map[string]*schema
	Items      *schema
	AnyOf      []*schema `yaml:"anyOf"`
	OneOf      []*schema `yaml:"oneOf"`
	AllOf      []*schema `yaml:"allOf"`
}

// types are the JSON types of a value. The description has one or a list.
type types []string

func (t *types) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*t = types{node.Value}
		return nil
	}
	return node.Decode((*[]string)(t))
}

// described is the description. It is not changed once it was parsed.
var described = sync.OnceValues(func() (*description, error) {
	d := &description{operations: map[string]operation{}, names: map[string]bool{}}
	if err := yaml.Unmarshal(openapi, d); err != nil {
		return nil, err
	}
	for _, p := range d.Paths {
		for _, op := range []operation{p.Get, p.Post, p.Put, p.Patch, p.Delete} {
			d.operations[op.ID] = op
		}
	}
	d.operations["Tickets.Count"] = d.operations["Tickets.List"]
	for _, word := range regexp.MustCompile(`([a-z0-9_]+):`).FindAllSubmatch(openapi, -1) {
		d.names[string(word[1])] = true
	}
	return d, nil
})

// response returns the response of an operation with a status, or nil if there is none.
func (d *description) response(op string, status int) *response {
	res := d.operations[op].Responses[strconv.Itoa(status)]
	if res != nil && res.Ref != "" {
		return d.Components.Responses[path.Base(res.Ref)]
	}
	return res
}

// alternatives returns the forms that a value of s can have, without references.
func (d *description) alternatives(s *schema) (forms []*schema) {
	switch {
	case s.Ref != "":
		return d.alternatives(d.Components.Schemas[path.Base(s.Ref)])
	case len(s.AnyOf)+len(s.OneOf) > 0:
		for _, part := range slices.Concat(s.AnyOf, s.OneOf) {
			forms = append(forms, d.alternatives(part)...)
		}
		return forms
	case len(s.AllOf) > 0:
		all := &schema{Type: types{"object"}, Properties: map[string]*schema{}}
		for _, part := range s.AllOf {
			form := d.alternatives(part)[0]
			all.Required = append(all.Required, form.Required...)
			maps.Copy(all.Properties, form.Properties)
		}
		return []*schema{all}
	}
	return []*schema{s}
}

// compare returns how a value differs from the form of s that it fits best, which is the one of the
// lowest rank.
func (d *description) compare(s *schema, value any, pointer string) (best []Difference, rank int) {
	for i, form := range d.alternatives(s) {
		if found, r := d.compareForm(form, value, pointer); i == 0 || r < rank {
			best, rank = found, r
		}
	}
	return best, rank
}

// The ranks of differences that tell one form from another. That of others is 1.
const (
	ofMember = 1000
	ofType   = 1_000_000
)

func (d *description) compareForm(s *schema, value any, pointer string) (found []Difference, rank int) {
	add := func(pointer, what string, r int) {
		found, rank = append(found, Difference{Pointer: pointer, What: what}), rank+r
	}
	compare := func(s *schema, value any, pointer string) {
		more, r := d.compare(s, value, pointer)
		found, rank = append(found, more...), rank+min(r, ofMember-1)
	}
	kind := kindOf(value)
	if len(s.Type) > 0 && !slices.ContainsFunc(s.Type, func(t string) bool { return fits(t, value) }) {
		want := s.Type[0]
		if want == "integer" && kind != "number" {
			want = "number" // as the SDK says
		} else if s.Format == "date-time" {
			want = "time"
		}
		add(pointer, kind+" in place of "+want, ofType)
		return found, rank
	}
	switch value := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, value); s.Format == "date-time" && err != nil {
			add(pointer, "string in place of time", 1)
		}
		if s.MaxLength != nil && utf8.RuneCountInString(value) > *s.MaxLength {
			add(pointer, fmt.Sprintf("string longer than %d", *s.MaxLength), ofMember)
		}
	case []any:
		for _, element := range value {
			if s.Items != nil {
				compare(s.Items, element, pointer+"/*")
			}
		}
	case map[string]any:
		if s.Properties == nil {
			return nil, 0 // its names can be anything
		}
		for name, part := range value {
			if known, at := s.Properties[name], pointer+"/"+escape(name); known == nil {
				add(at, "unknown member, "+kindOf(part), 1)
			} else if part != nil { // null and absent mean the same
				compare(known, part, at)
			}
		}
		for _, name := range s.Required {
			if part, ok := value[name]; part == nil && !(ok && d.canBeNull(s.Properties[name])) {
				add(pointer+"/"+escape(name), "missing", ofMember)
			}
		}
	}
	return found, rank
}

func (d *description) canBeNull(s *schema) bool {
	return s != nil && slices.ContainsFunc(d.alternatives(s), func(s *schema) bool { return slices.Contains(s.Type, "null") })
}

func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func fits(want string, value any) bool {
	kind := kindOf(value)
	if want == "integer" {
		return kind == "number" && !strings.ContainsAny(value.(json.Number).String(), ".eE")
	}
	return want == kind
}

func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
