// Package bench measures the SDK beside its peers, in one binary, on one loopback server, with one
// set of payloads, so that every figure is a ratio within one run.
//
// The peers are a careful hand-written client of net/http and encoding/json, resty v2 and v3 with
// SetResult, and clients that oapi-codegen and ogen generate from openapi.yaml. Neither generator
// takes the description as it is; command trim says what is lost.
package bench

//go:generate sh -c "go run ../cmd/trim ../../../openapi.yaml >peers/trimmed.json"
//go:generate go run github.com/ogen-go/ogen/cmd/ogen@v1.24.0 --config peers/ogen.yaml --target peers/ogenclient --package ogenclient --clean peers/trimmed.json
//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -generate types,client -package oapiclient -o peers/oapiclient/client.gen.go peers/trimmed.json
