// Package conformance checks the SDK and the embedded desk against openapi.yaml.
//
// The validator is libopenapi-validator: it checks a document of OpenAPI 3.1 against that version's
// own schema, and requests, responses and webhooks against the document.
package conformance
