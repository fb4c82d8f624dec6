// Command trim makes a description that code generators can take of openapi.yaml: the operations
// that the benchmarks use, in OpenAPI 3.0, in which a type is a single word.
//
//	go run ./internal/lab/cmd/trim openapi.yaml >internal/lab/bench/peers/trimmed.json
//
// What is lost: webhooks, the forms of a response beside the first (bare tickets, flat assignees, pictures in
// arrays, addresses in place of people, numbers as strings), limits of free-form objects, examples
// and evidence. The generated clients so have an easier task than the SDK.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// kept are the operations that the benchmarks use.
var kept = []string{"Tickets.Get", "Tickets.List", "Replies.Create", "Attachments.Upload"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: trim openapi.yaml")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "trim:", err)
		os.Exit(1)
	}
}

func run(path string, w io.Writer) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return err
	}
	doc["openapi"] = "3.0.3"
	delete(doc["info"].(map[string]any), "summary")
	doc["info"].(map[string]any)["license"] = map[string]any{"name": "MIT"}
	doc["servers"] = []any{map[string]any{"url": "http://127.0.0.1"}}
	delete(doc, "tags")
	delete(doc, "webhooks")
	paths := doc["paths"].(map[string]any)
	for path, item := range paths {
		operations := item.(map[string]any)
		for method, op := range operations {
			operation, ok := op.(map[string]any)
			if !ok {
				continue
			}
			if !slices.Contains(kept, operation["operationId"].(string)) {
				delete(operations, method)
				continue
			}
			operation["operationId"] = strings.ReplaceAll(operation["operationId"].(string), ".", "")
			for status := range operation["responses"].(map[string]any) {
				if status[0] != '2' {
					delete(operation["responses"].(map[string]any), status)
				}
			}
			operation["responses"].(map[string]any)["default"] = map[string]any{"description": "A failure."}
		}
		if len(operations) == 0 || len(operations) == 1 && operations["parameters"] != nil {
			delete(paths, path)
		}
	}
	simplify(doc)
	drop(doc)
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(doc)
}

// simplify writes what 3.0 has no words for in the words that it has.
func simplify(node any) {
	switch n := node.(type) {
	case []any:
		for _, item := range n {
			simplify(item)
		}
	case map[string]any:
		for name := range n {
			if strings.HasPrefix(name, "x-") || name == "examples" || name == "contentMediaType" {
				delete(n, name)
			}
		}
		if types, ok := n["type"].([]any); ok {
			n["type"], n["nullable"] = types[0], true
		}
		for _, choice := range []string{"anyOf", "oneOf"} {
			if variants, ok := n[choice].([]any); ok {
				delete(n, choice)
				if first, ok := variants[0].(map[string]any); ok && first["type"] != nil || first["$ref"] != nil {
					maps.Copy(n, first)
				}
			}
		}
		if n["$ref"] != nil {
			for name := range n {
				if name != "$ref" {
					delete(n, name)
				}
			}
		}
		if n["type"] == "array" && n["items"] == nil {
			n["items"] = map[string]any{}
		}
		if properties, ok := n["properties"].(map[string]any); ok && properties["files[]"] != nil {
			properties["files[]"] = map[string]any{"type": "string", "format": "binary"}
		}
		for _, child := range n {
			simplify(child)
		}
	}
}

// drop removes the components that nothing refers to any more.
func drop(doc map[string]any) {
	components := doc["components"].(map[string]any)
	delete(components, "responses")
	for {
		text, _ := json.Marshal(doc) // of maps, slices and scalars
		dropped := false
		for _, kind := range []string{"schemas", "parameters"} {
			for name := range components[kind].(map[string]any) {
				if !strings.Contains(string(text), `"#/components/`+kind+`/`+name+`"`) {
					delete(components[kind].(map[string]any), name)
					dropped = true
				}
			}
		}
		if !dropped {
			return
		}
	}
}
