package supportbeetest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// stubborn is a body whose Read does not end when it is closed.
type stubborn struct{ reading, release chan struct{} }

func (s stubborn) Read([]byte) (int, error) {
	close(s.reading)
	<-s.release
	return 0, io.EOF
}

func (stubborn) Close() error { return nil }

func TestCloseDoesNotWaitForOthers(t *testing.T) {
	t.Parallel()
	handlers := map[string]func(desk *supportbeetest.Desk, code func()){
		"fault": func(desk *supportbeetest.Desk, code func()) {
			desk.Inject(supportbeetest.Match{}, supportbeetest.Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { code() })))
			go func() { _, _ = desk.Client(supportbee.WithoutRetry()).Labels.List(context.Background()) }()
		},
		"match": func(desk *supportbeetest.Desk, code func()) {
			desk.Inject(supportbeetest.Match{Func: func(*http.Request) bool { code(); return false }}, supportbeetest.Drop())
			go func() { _, _ = desk.Client(supportbee.WithoutRetry()).Labels.List(context.Background()) }()
		},
		"webhook": func(desk *supportbeetest.Desk, code func()) {
			desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { code() })})
			desk.AddTicket(supportbeetest.TicketSeed{})
		},
	}
	for name, start := range handlers {
		for place, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
			t.Run(name+"/"+place+"/blocks", func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				called, release := make(chan struct{}), make(chan struct{})
				start(desk, func() {
					close(called)
					<-release
				})
				<-called
				desk.Close()
				close(release)
			})
			t.Run(name+"/"+place+"/closes", func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				closed := make(chan struct{})
				start(desk, func() {
					desk.Close()
					close(closed)
				})
				<-closed
			})
		}
	}
	t.Run("body", func(t *testing.T) {
		t.Parallel()
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		body := stubborn{make(chan struct{}), make(chan struct{})}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, desk.URL+"/tickets", body)
		require.NoError(t, err)
		req.Header.Set("Accept", "application/json")
		failed := make(chan error)
		go func() {
			_, err := desk.Transport().RoundTrip(req) //nolint:bodyclose // there is none
			failed <- err
		}()
		<-body.reading
		desk.Close()
		require.ErrorIs(t, <-failed, io.ErrUnexpectedEOF)
		close(body.release)
	})
}

func TestCloseTakesNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		closeWhileBusy(t, desk, synctest.Wait)
		before := time.Now()
		desk.Close()
		assert.Equal(t, before, time.Now())
	})
}

// closeWhileBusy sends 200 requests that are delayed, and returns when they have arrived.
func closeWhileBusy(tb testing.TB, desk *supportbeetest.Desk, arrived func()) {
	tb.Helper()
	desk.Inject(supportbeetest.Match{}, supportbeetest.Delay(time.Hour))
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })})
	desk.AddTicket(supportbeetest.TicketSeed{})
	var all sync.WaitGroup
	tb.Cleanup(all.Wait)
	client := desk.Client(supportbee.WithoutRetry())
	for range 200 {
		all.Go(func() {
			_, err := client.Comments.Create(context.Background(), 1, supportbee.CommentParams{Content: supportbee.Text("x")})
			assert.Error(tb, err)
		})
	}
	arrived()
}

func BenchmarkClose200(b *testing.B) {
	for name, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				desk, err := supportbeetest.Start(opts...)
				require.NoError(b, err)
				closeWhileBusy(b, desk, func() {
					require.NoError(b, desk.Wait(b.Context(), func() bool { return len(desk.Requests()) == 200 }))
				})
				b.StartTimer()
				desk.Close()
			}
		})
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, opts ...supportbeetest.Option) {
		t.Helper()
		desk := supportbeetest.New(t, opts...)
		desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
		require.NoError(t, desk.Wait(t.Context(), func() bool { return true }))
		for name, wait := range map[string]struct {
			act  func()
			cond func() bool
		}{
			"state": {
				act:  func() { desk.AddLabel("new", "#000000") },
				cond: func() bool { return len(desk.Labels()) == 5 },
			},
			"request": {
				act:  func() { _, _ = desk.Client().Teams.List(t.Context(), nil) },
				cond: func() bool { r := desk.Requests("Teams.List"); return len(r) == 1 && r[0].Status == 200 },
			},
			"delivery": {
				act:  func() { desk.AddTicket(supportbeetest.TicketSeed{}) },
				cond: func() bool { return len(desk.Deliveries()) == 1 },
			},
			"reply": {
				act: func() {
					_, _ = desk.Client().Replies.Create(t.Context(), desk.Tickets()[0].ID, supportbee.ReplyParams{Content: supportbee.Text("waited for")})
				},
				cond: func() bool {
					return len(desk.Outbox()) == 1 && strings.Contains(desk.Outbox()[0].Text, "waited for")
				},
			},
		} {
			go wait.act()
			require.NoError(t, desk.Wait(t.Context(), wait.cond), name)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, desk.Wait(ctx, func() bool { return false }), context.DeadlineExceeded)
		go desk.Close()
		require.EqualError(t, desk.Wait(t.Context(), func() bool { return false }), "supportbeetest: Wait: the desk is closed")
	}
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		test(t)
	})
	t.Run("synctest", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, supportbeetest.InMemory()) })
	})
}

func TestSlowReceiversDelayNobody(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	release := make(chan struct{})
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })})
	fast := make(chan struct{}, 3)
	desk.AddWebhook(supportbeetest.Webhook{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fast <- struct{}{} })})
	for range 3 {
		desk.AddTicket(supportbeetest.TicketSeed{})
	}
	for range 3 {
		<-fast
	}
	close(release)
	require.NoError(t, desk.FlushWebhooks(t.Context()))
	assert.Len(t, desk.Deliveries(), 6)
}

func TestTheHistoryCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithHistoryLimit(0))
	_, err := desk.Client().Labels.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, desk.Requests())
}
