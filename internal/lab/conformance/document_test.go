package conformance_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/supportbee-go/supportbee/internal/lab/conformance"
)

// A comma in an unquoted description of a {flow mapping} cuts it, and makes the rest a key without
// a value. That is valid YAML, and no schema rejects it.
func TestTheDescriptionHasNoKeyWithoutAValue(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../../../openapi.yaml", "../../../supportbeetest/control.yaml"} {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		var document any
		require.NoError(t, yaml.Unmarshal(data, &document))
		assert.Empty(t, keysWithoutValue("", document), path)
	}

	var cut any
	require.NoError(t, yaml.Unmarshal([]byte("a: [{b: {type: boolean, description: This, and that}}]"), &cut))
	assert.Equal(t, []string{"/a/b/and that"}, keysWithoutValue("", cut))
}

func TestTheDescriptionOfTheControlAPIIsValid(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../supportbeetest/control.yaml")
	require.NoError(t, err)
	_, err = conformance.Parse(data)
	require.NoError(t, err)
}

func keysWithoutValue(at string, value any) (found []string) {
	switch v := value.(type) {
	case map[string]any:
		for key, value := range v {
			if value == nil {
				found = append(found, at+"/"+key)
			}
			found = append(found, keysWithoutValue(at+"/"+key, value)...)
		}
	case []any:
		for _, value := range v {
			found = append(found, keysWithoutValue(at, value)...)
		}
	}
	return found
}
