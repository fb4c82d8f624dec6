// Package conformance holds the SDK and the embedded desk against openapi.yaml.
//
// The validator is libopenapi-validator: it checks a document of OpenAPI 3.1 against that version's
// own schema, and a request together with its answer in one call.
package conformance
