package supportbeetest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests in this file use unexported parts, because the limits cannot be reached in time over
// HTTP.

func TestTheHistoryIsLimited(t *testing.T) {
	t.Parallel()
	var history ring[int]
	for i := range maxHistory + 3 {
		history.add(i)
	}
	var got []int
	history.each(func(i int) { got = append(got, i) })
	require.Len(t, got, maxHistory)
	assert.Equal(t, 3, got[0])
	assert.Equal(t, maxHistory+2, got[maxHistory-1])
}

func TestRecordedResponsesAreLimited(t *testing.T) {
	t.Parallel()
	res := &recording{room: 3}
	n, err := res.Write([]byte("abc"))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	_, err = res.Write([]byte("d"))
	require.ErrorIs(t, err, errTooLong)
	assert.Equal(t, "abc", string(res.body))
}

func TestWebhooksAreLimited(t *testing.T) {
	t.Parallel()
	life := newLifetime()
	sender := newWebhookSender(life)
	release := make(chan struct{})
	arrived := make(chan struct{}, maxQueuedWebhooks)
	sender.add(Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})})
	sender.send("first", nil)
	<-arrived // and is no longer in the queue
	for range maxQueuedWebhooks {
		sender.send("queued", nil)
	}
	sender.send("one too many", []byte("x"))
	var dropped []Delivery
	sender.sent.each(func(d Delivery) { dropped = append(dropped, d) })
	assert.Equal(t, []Delivery{{Action: "one too many", Body: []byte("x"), Err: errQueueFull}}, dropped)
	sender.interrupt()
	close(release)
	sender.close()
	life.end()
}
