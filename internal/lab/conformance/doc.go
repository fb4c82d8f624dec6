// Package conformance holds the SDK and the embedded desk against openapi.yaml.
//
// The validator is libopenapi-validator: it checks against JSON Schema 2020-12, which OpenAPI 3.1
// is built on, so that type arrays, null and anyOf mean what they say. kin-openapi translates 3.1
// into its model of 3.0 first, in which a type is a single word.
package conformance
