package bench_test

import (
	"bytes"
	"encoding/json"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// Both exports have the same tickets, replies and comments, by as many requests.
func TestExportsDoTheSameWork(t *testing.T) {
	t.Parallel()
	const tickets = 250
	desk, err := bench.NewDesk(tickets, 0)
	require.NoError(t, err)
	t.Cleanup(desk.Close)
	read := func(lines *bytes.Buffer) map[int64][]string {
		got := map[int64][]string{}
		for decoder := json.NewDecoder(lines); ; {
			type text struct{ Content struct{ Text string } }
			var line struct {
				Ticket            struct{ ID int64 }
				Replies, Comments []text
			}
			if err := decoder.Decode(&line); err == io.EOF { //nolint:errorlint // documented to be this
				return got
			} else {
				require.NoError(t, err)
			}
			require.NotEmpty(t, line.Replies)
			require.NotEmpty(t, line.Comments)
			for _, post := range append(line.Replies, line.Comments...) {
				got[line.Ticket.ID] = append(got[line.Ticket.ID], post.Content.Text)
			}
		}
	}
	var byHand, bySDK bytes.Buffer
	n, err := desk.ExportByHand(t.Context(), &byHand)
	require.NoError(t, err)
	assert.Equal(t, tickets, n)
	assert.Equal(t, int64(2*tickets+3), desk.Requests.Swap(0))
	n, err = desk.Export(t.Context(), &bySDK, 8, true)
	require.NoError(t, err)
	assert.Equal(t, tickets, n)
	assert.InDelta(t, 2*tickets+3, desk.Requests.Load(), 10, "it looks whether the server is as documented")
	assert.Equal(t, read(&byHand), read(&bySDK))
}

func TestTheDeskIsMeasured(t *testing.T) {
	t.Parallel()
	figures, err := bench.MeasureDesk(t.Context(), 51_000, time.Millisecond)
	require.NoError(t, err)
	assert.Len(t, figures, 10)
	for _, f := range figures {
		assert.NotEmpty(t, f.Value, f.What)
	}
}

func TestPeak(t *testing.T) {
	t.Parallel()
	peak, err := bench.Peak(func() error {
		held := make([]byte, 64<<20)
		<-time.After(time.Second)
		runtime.KeepAlive(held)
		return nil
	})
	require.NoError(t, err)
	assert.Greater(t, peak, uint64(32<<20))
}
