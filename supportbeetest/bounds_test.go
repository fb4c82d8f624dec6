package supportbeetest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests in this file look inside, because the bounds are too far out to be reached in time
// over HTTP.

func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	var log requestLog
	for i := range maxRequests + 3 {
		log.add(&Request{Status: i})
	}
	got := log.all()
	require.Len(t, got, maxRequests)
	assert.Equal(t, 3, got[0].Status)
	assert.Equal(t, maxRequests+2, got[maxRequests-1].Status)
}

func TestRecordedResponsesAreBounded(t *testing.T) {
	t.Parallel()
	res := &response{room: 3}
	n, err := res.Write([]byte("abc"))
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	_, err = res.Write([]byte("d"))
	require.ErrorIs(t, err, errTooLong)
	assert.Equal(t, "abc", string(res.body))
}

func TestWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	sender := newWebhookSender()
	release := make(chan struct{})
	arrived := make(chan struct{}, maxQueuedWebhooks)
	sender.subscribeHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	sender.enqueue("first", nil)
	<-arrived // and is on its way, no longer in the queue
	for range maxQueuedWebhooks {
		sender.enqueue("queued", nil)
	}
	sender.enqueue("one too many", nil)
	dropped := sender.deliveries()
	require.Len(t, dropped, 1)
	assert.Equal(t, "one too many", dropped[0].Action)
	require.ErrorIs(t, dropped[0].Err, errQueueFull)
	sender.interrupt()
	close(release)
	sender.close()
}
