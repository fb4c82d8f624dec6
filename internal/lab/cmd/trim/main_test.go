package main

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the peers are generated from is what the description says today.
func TestTheTrimmedDescriptionIsUpToDate(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run("../../../../openapi.yaml", &out))
	want, err := os.ReadFile("../../bench/peers/trimmed.json")
	require.NoError(t, err)
	assert.Equal(t, string(want), out.String(), "run go generate in internal/lab/bench")

	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &doc))
	assert.Equal(t, "3.0.3", doc.OpenAPI)
	operations := 0
	for _, item := range doc.Paths {
		for method := range item {
			if method != "parameters" {
				operations++
			}
		}
	}
	assert.Equal(t, len(kept), operations)
}
