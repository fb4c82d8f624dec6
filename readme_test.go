package supportbee_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// flush takes away indentation, which the README has none of.
var flush = regexp.MustCompile(`(?m)^[ \t]+`)

func TestReadmeShowsCodeThatCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var compiled string
	for _, path := range []string{"example_test.go", "supportbeeotel/example_test.go", "supportbeeservice/example_test.go"} {
		examples, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("a module that was downloaded has no nested ones: ", path)
		}
		require.NoError(t, err)
		compiled += flush.ReplaceAllString(string(examples), "")
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, blocks, 9)
	for _, block := range blocks {
		assert.Contains(t, compiled, flush.ReplaceAllString(block[1], ""))
	}
}

// The README's code is not only compiled, it runs.
func TestReadmeCodeRuns(t *testing.T) {
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", "")
	require.ErrorIs(t, readmeFirstCallOffline(t), context.Canceled)
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("invoice.pdf", []byte("%PDF-"), 0o600))
	client := desk.Client()
	require.NoError(t, readmeLists(t.Context(), client))
	readmeErrors(t.Context(), client, id, 1)
	require.NoError(t, readmeFiles(t.Context(), client, id))
	require.ErrorIs(t, readmeDo(t.Context(), client), supportbee.ErrNotFound)
	desk.AssertReplies(t, id, "Here it is.")

	t.Setenv("WEBHOOK_SECRET", "s3cret")
	mux := http.NewServeMux()
	var notes []string
	webhooks := readmeWebhooks(mux, func(_ context.Context, text string) error {
		notes = append(notes, text)
		return nil
	})
	receiver := httptest.NewServer(mux)
	t.Cleanup(receiver.Close)
	desk.AddWebhook(supportbeetest.Webhook{URL: receiver.URL + "/supportbee/s3cret"})
	id = desk.AddTicket(supportbeetest.TicketSeed{Subject: "Toaster"})
	desk.AddCustomerReply(id, "Hello?")
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	require.NoError(t, webhooks.Shutdown(t.Context()))
	assert.Equal(t, []string{"New: Toaster", "Eve Evans replied to Toaster"}, notes)
}

// readmeFirstCallOffline makes the first call with a context that has ended, since it names a
// real host.
func readmeFirstCallOffline(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return readmeFirstCall(ctx)
}
