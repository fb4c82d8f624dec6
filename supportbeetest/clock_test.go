package supportbeetest_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestTheClockRunsUnlessItWasSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		start := time.Now()
		assert.Equal(t, start, desk.Clock.Now())
		desk.Clock.Advance(time.Hour)
		<-time.After(time.Minute)
		assert.Equal(t, start.Add(time.Hour+time.Minute), desk.Clock.Now())

		desk.Clock.Set(noon)
		<-time.After(time.Minute)
		assert.Equal(t, noon, desk.Clock.Now())
		desk.Clock.Advance(time.Hour)
		assert.Equal(t, noon.Add(time.Hour), desk.Clock.Now())

		desk.Clock.Set(time.Time{})
		assert.Equal(t, time.Now(), desk.Clock.Now())
	})
}

func TestTheClockHasTimesThatJSONHas(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	last := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	desk.Clock.Set(last)
	assert.PanicsWithValue(t, "supportbeetest: Clock.Advance: the year of 10000-01-01T00:00:00Z is not from 1 to 9999", func() { desk.Clock.Advance(time.Second) })
	assert.PanicsWithValue(t, "supportbeetest: Clock.Set: the year of 10000-01-01T00:00:00Z is not from 1 to 9999", func() { desk.Clock.Set(last.Add(time.Second)) })
	assert.Equal(t, last, desk.Clock.Now())
	desk.AddTickets(200)
	require.NoError(t, desk.Save(io.Discard))
}

func TestARunningClockIsAheadByADuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithControl(""))
		const years = 250 * 365 * 24 * time.Hour
		desk.Clock.Advance(years)
		const message = "Clock.Advance: the clock is 2190000h0m0s ahead, and cannot be 1277777h46m40s more"
		assert.PanicsWithValue(t, "supportbeetest: "+message, func() { desk.Clock.Advance(4_600_000_000 * time.Second) })
		code, body := control(t, desk, http.MethodPut, "/_desk/clock", `{"advance":4600000000}`)
		assert.Equal(t, http.StatusBadRequest, code)
		assert.JSONEq(t, `{"error":"`+message+`"}`, body)
		assert.Equal(t, time.Now().Add(years), desk.Clock.Now())
	})
}

func TestTheClockIsTheTimeOfResponses(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t, opts...)
			desk.Clock.Set(noon)
			for _, path := range []string{"/labels", "/nothing"} {
				assert.Equal(t, "Tue, 10 Mar 2026 12:00:00 GMT", send(t, desk, "GET", path, "").Header.Get("Date"), path)
			}
			desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Status(http.StatusBadGateway))
			assert.Equal(t, "Tue, 10 Mar 2026 12:00:00 GMT", send(t, desk, "GET", "/labels", "").Header.Get("Date"))
			assert.Equal(t, noon, desk.Requests()[0].Time)
		})
	}
}

func TestRateLimitsFollowTheClock(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithRateLimits(), supportbeetest.WithRetryAfter(supportbeetest.RetryAfterDate))
	desk.Clock.Set(noon)
	client := desk.Client(supportbee.WithoutRetry())
	for range 8 {
		open(t, client, "x")
	}
	_, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("x")})
	require.ErrorIs(t, err, supportbee.ErrRateLimited)
	desk.Clock.Advance(time.Minute)
	open(t, desk.Client(supportbee.WithoutRetry()), "x")
}

func TestRateLimitsForgetWhatIsInTheFuture(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithRateLimits())
	client := desk.Client(supportbee.WithoutRetry())
	for _, day := range []time.Time{noon, noon.AddDate(0, 0, -1)} {
		desk.Clock.Set(day)
		for range 8 {
			open(t, client, "x")
		}
		_, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("x")})
		require.ErrorIs(t, err, supportbee.ErrRateLimited, day)
	}
}
