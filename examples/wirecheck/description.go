package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// openapi is a copy of the repository's openapi.yaml, so that this folder works on its own.
//
//go:embed openapi.yaml
var openapi []byte

// description is the part of openapi.yaml that is about responses.
type description struct {
	Info       struct{ Version string }
	Paths      map[string]map[string]yaml.Node
	Components struct {
		Responses map[string]*response
		Schemas   map[string]*schema
	}
	operations map[string]map[string]*response // by operationId and status
	names      map[string]bool                 // of all members
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
	AllOf      []*schema `yaml:"allOf"`
	OneOf      []*schema `yaml:"oneOf"`

	name  string    // "Ticket", or "Ticket.source" within it
	forms []*schema // the alternatives, without references; made once
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

func parse(data []byte) (*description, error) {
	d := &description{operations: map[string]map[string]*response{}, names: map[string]bool{}}
	if err := yaml.Unmarshal(data, d); err != nil {
		return nil, err
	}
	for _, methods := range d.Paths {
		for method, node := range methods {
			if method == "parameters" {
				continue
			}
			var op struct {
				ID        string `yaml:"operationId"`
				Responses map[string]*response
			}
			if err := node.Decode(&op); err != nil {
				return nil, err
			}
			for status, res := range op.Responses {
				if res.Ref != "" {
					res = d.Components.Responses[last(res.Ref)]
					op.Responses[status] = res
				}
				d.name(res.schema(), op.ID)
			}
			d.operations[op.ID] = op.Responses
		}
	}
	for name, s := range d.Components.Schemas {
		d.name(s, name)
	}
	return d, nil
}

func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }

// name names a schema and those within it.
func (d *description) name(s *schema, name string) {
	if s == nil {
		return
	}
	s.name = name
	d.name(s.Items, name)
	for _, part := range slices.Concat(s.AnyOf, s.AllOf, s.OneOf) {
		d.name(part, name)
	}
	for member, part := range s.Properties {
		d.names[member] = true
		d.name(part, name+"."+member)
	}
}

// alternatives returns the forms that a value of s can have.
func (d *description) alternatives(s *schema) []*schema {
	switch {
	case s.forms != nil:
	case s.Ref != "":
		s.forms = d.alternatives(d.Components.Schemas[last(s.Ref)])
	case len(s.AnyOf)+len(s.OneOf) > 0:
		for _, part := range slices.Concat(s.AnyOf, s.OneOf) {
			s.forms = append(s.forms, d.alternatives(part)...)
		}
	case len(s.AllOf) > 0:
		all := &schema{Type: types{"object"}, Properties: map[string]*schema{}, name: s.name}
		for _, part := range s.AllOf {
			form := d.alternatives(part)[0]
			all.Required = append(all.Required, form.Required...)
			maps.Copy(all.Properties, form.Properties)
		}
		s.forms = []*schema{all}
	default:
		s.forms = []*schema{s}
	}
	return s.forms
}

// difference is a difference between a value and its schema.
type difference struct{ pointer, what string }

// member counts a member of the objects of a schema.
type member struct{ schema, name, state string } // state: "value", "null" or "absent"

// comparison is the result of comparing a value with a schema.
type comparison struct {
	differences []difference
	members     []member
	rank        int // the form of the lowest rank is the one that is meant
}

// compare compares a value with the form of s that it fits best.
func (d *description) compare(s *schema, value any, pointer string) (best comparison) {
	for i, form := range d.alternatives(s) {
		if c := d.compareForm(form, value, pointer); i == 0 || c.rank < best.rank {
			best = c
		}
	}
	return best
}

func (d *description) compareForm(s *schema, value any, pointer string) (c comparison) {
	add := func(pointer, what string, rank int) {
		c.differences = append(c.differences, difference{pointer, what})
		c.rank += rank
	}
	kind := kindOf(value)
	if len(s.Type) > 0 && !slices.ContainsFunc(s.Type, func(t string) bool { return fits(t, value) }) {
		want := s.Type[0]
		if want == "integer" && kind != "number" {
			want = "number" // as the SDK says
		} else if s.Format == "date-time" {
			want = "time"
		}
		add(pointer, kind+" in place of "+want, 1_000_000)
		return c
	}
	switch value := value.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, value); s.Format == "date-time" && err != nil {
			add(pointer, "string in place of time", 1)
		}
		if s.MaxLength != nil && utf8.RuneCountInString(value) > *s.MaxLength {
			add(pointer, fmt.Sprintf("string longer than %d", *s.MaxLength), 1000)
		}
	case []any:
		if s.Items == nil {
			return c
		}
		for _, element := range value {
			c.join(d.compare(s.Items, element, pointer+"/*"))
		}
	case map[string]any:
		if s.Properties == nil {
			return c // its names can be anything
		}
		for name, part := range value {
			known := s.Properties[name]
			switch {
			case known == nil:
				add(pointer+"/"+escape(name), "unknown member, "+kindOf(part), 1)
			case part != nil: // null and absent mean the same
				c.join(d.compare(known, part, pointer+"/"+escape(name)))
			}
		}
		for name := range s.Properties {
			state := "value"
			if part, ok := value[name]; !ok {
				state = "absent"
			} else if part == nil {
				state = "null"
			}
			c.members = append(c.members, member{s.name, name, state})
			if state != "value" && slices.Contains(s.Required, name) && !d.nullable(s.Properties[name], state) {
				add(pointer+"/"+escape(name), "missing", 1000)
			}
		}
	}
	return c
}

// nullable reports whether a required member can be in the state.
func (d *description) nullable(s *schema, state string) bool {
	return state == "null" && slices.ContainsFunc(d.alternatives(s), func(s *schema) bool { return slices.Contains(s.Type, "null") })
}

func (c *comparison) join(part comparison) {
	c.differences = append(c.differences, part.differences...)
	c.members = append(c.members, part.members...)
	c.rank += min(part.rank, 999)
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
