package supportbeetest

import (
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests in this file use unexported parts, because the limits cannot be reached in time over
// HTTP.

func TestTheHistoryIsLimited(t *testing.T) {
	t.Parallel()
	kept := &history{limit: 4 * sizeOf(Mail{Text: "0"}), clock: new(Clock), changes: new(changes)}
	texts := func() []string { return recorded(kept, func(m Mail) (string, bool) { return m.Text, true }) }
	for i := range 6 {
		kept.add(Mail{Text: strconv.Itoa(i)})
	}
	assert.Equal(t, []string{"2", "3", "4", "5"}, texts())
	assert.Equal(t, kept.limit, kept.size)
	request := &Request{}
	e := kept.add(request)
	assert.Equal(t, []string{"5"}, texts(), "a request takes as much as two or three mails")
	kept.update(e, func() { request.Body = make([]byte, kept.limit) })
	assert.Empty(t, kept.entries)
	kept.update(e, func() { request.Body = nil })
	assert.Zero(t, kept.size)
	kept.add(Mail{})
	kept.reset()
	assert.Zero(t, kept.size)
	assert.Empty(t, texts())
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
	kept := &history{limit: 1 << 30, clock: new(Clock), changes: new(changes)}
	sender := newWebhookSender(life, kept)
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
	dropped := recorded(kept, func(d Delivery) (Delivery, bool) { return d, true })
	assert.Equal(t, []Delivery{{Action: "one too many", Body: []byte("x"), Err: errQueueFull}}, dropped)
	life.interrupt()
	life.wait()
	close(release)
}

func TestClientsMustSendTheirHeaders(t *testing.T) {
	t.Parallel()
	storage, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	desk := New(t, WithStorageListener(storage))
	assert.Equal(t, headerTimeout, desk.api.http.ReadHeaderTimeout)
	assert.Equal(t, headerTimeout, desk.storage.http.ReadHeaderTimeout)
}
