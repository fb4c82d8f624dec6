package supportbeetest_test

import (
	"errors"
	"fmt"
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

func TestFaultsOfReads(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault supportbeetest.Fault
		check func(t *testing.T, err error)
	}{
		"status": {supportbeetest.Fault{Status: http.StatusTeapot, Body: `{"error":"short and stout"}`}, func(t *testing.T, err error) {
			assert.ErrorContains(t, err, "418 I'm a teapot: short and stout")
		}},
		"header": {supportbeetest.Fault{Status: http.StatusInternalServerError, Header: http.Header{"x-request-id": {"the-id"}}}, func(t *testing.T, err error) {
			assert.ErrorContains(t, err, "the-id")
		}},
		"cut before handling": {supportbeetest.Fault{Cut: supportbeetest.BeforeHandling}, isCut},
		"cut after handling":  {supportbeetest.Fault{Cut: supportbeetest.AfterHandling}, isCut},
		"cut in mid-body": {supportbeetest.Fault{Cut: supportbeetest.MidBody}, func(t *testing.T, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.ErrorContains(t, err, "200 OK")
		}},
		"truncated":          {supportbeetest.Fault{Truncate: true}, isMalformed},
		"corrupt":            {supportbeetest.Fault{Corrupt: true}, isMalformed},
		"html":               {supportbeetest.Fault{HTML: true}, isMalformed},
		"wrong content type": {supportbeetest.Fault{ContentType: "text/html"}, func(t *testing.T, err error) { assert.NoError(t, err) }},
		"oversized": {supportbeetest.Fault{Oversize: 3 << 20}, func(t *testing.T, err error) {
			assert.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
		}},
		"never-ending": {supportbeetest.Fault{Endless: true}, func(t *testing.T, err error) {
			assert.ErrorIs(t, err, supportbee.ErrResponseTooLarge)
		}},
		"redirect to another origin": {supportbeetest.Fault{RedirectTo: "https://elsewhere.example/tickets"}, func(t *testing.T, err error) {
			assert.ErrorContains(t, err, "302 Found: redirect to https://elsewhere.example not followed")
		}},
		"redirect in a loop": {supportbeetest.Fault{RedirectLoop: true}, func(t *testing.T, err error) {
			assert.ErrorContains(t, err, "307 Temporary Redirect")
		}},
		"429 bare":             {supportbeetest.Fault{Status: http.StatusTooManyRequests}, isLimited(0)},
		"429 with seconds":     {supportbeetest.Fault{RetryAfter: "90"}, isLimited(90 * time.Second)},
		"429 with a date":      {supportbeetest.Fault{RetryAfter: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}, isLimited(time.Hour)},
		"429 with an old date": {supportbeetest.Fault{RetryAfter: "Sunday, 06-Nov-94 08:49:37 GMT"}, isLimited(0)},
		"429 with nonsense":    {supportbeetest.Fault{RetryAfter: "soon"}, isLimited(0)},
	}
	for name, tt := range tests {
		for place, opts := range map[string][]supportbeetest.Option{"http": nil, "memory": {supportbeetest.InMemory()}} {
			t.Run(name+"/"+place, func(t *testing.T) {
				t.Parallel()
				desk := supportbeetest.New(t, opts...)
				fault := tt.fault
				fault.Times = 11 // of a redirect loop, every turn
				injection := desk.Inject(fault)
				client := desk.Client(supportbee.WithoutRetry(), supportbee.WithMaxResponseSize(2<<20))
				_, err := client.Tickets.List(t.Context(), supportbee.TicketListOptions{})
				tt.check(t, err)
				assert.Positive(t, injection.Hits())
				assert.NotEmpty(t, desk.Requests()[0].Fault)
				injection.Remove()
				_, err = desk.Client().Teams.List(t.Context(), supportbee.TeamListOptions{})
				assert.NoError(t, err)
			})
		}
	}
}

func isCut(t *testing.T, err error) {
	t.Helper()
	var apiErr *supportbee.Error
	require.ErrorAs(t, err, &apiErr)
	assert.Zero(t, apiErr.StatusCode)
	assert.True(t, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF), err)
}

func isMalformed(t *testing.T, err error) {
	t.Helper()
	assert.ErrorIs(t, err, supportbee.ErrMalformedResponse)
}

func isLimited(want time.Duration) func(*testing.T, error) {
	return func(t *testing.T, err error) {
		t.Helper()
		var limited *supportbee.RateLimitError
		require.ErrorAs(t, err, &limited)
		assert.InDelta(t, want, limited.RetryAfter, float64(time.Minute))
	}
}

func TestFaultsOfWrites(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault   supportbeetest.Fault
		written int
	}{
		"cut before handling": {supportbeetest.Fault{Cut: supportbeetest.BeforeHandling}, 0},
		"cut after handling":  {supportbeetest.Fault{Cut: supportbeetest.AfterHandling}, 1},
		"gateway timeout":     {supportbeetest.Fault{Status: http.StatusGatewayTimeout}, 0},
		"the same, handled":   {supportbeetest.Fault{Status: http.StatusGatewayTimeout, Handle: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := supportbeetest.New(t)
			id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "x", Text: "y"})
			fault := tt.fault
			fault.Op = "Replies.Create"
			desk.Inject(fault)
			_, err := desk.Client().Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: supportbee.Text("Hi")})
			require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
			desk.AssertRequests(t, "Replies.Create", 1)
			assert.Len(t, desk.Replies(id), tt.written)
		})
	}
}

func TestFaultsSelectRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		client := desk.Client(supportbee.WithoutRetry())
		list := func() error { _, err := client.Teams.List(t.Context(), supportbee.TeamListOptions{}); return err }

		some := desk.Inject(supportbeetest.Fault{Op: "Teams.List", Skip: 1, Times: 2, Status: http.StatusBadGateway})
		var failed []bool
		for range 5 {
			failed = append(failed, list() != nil)
		}
		assert.Equal(t, []bool{false, true, true, false, false}, failed)
		assert.Equal(t, 2, some.Hits())

		byRoute := desk.Inject(supportbeetest.Fault{Method: http.MethodGet, Route: "/labels", Status: http.StatusBadGateway})
		require.NoError(t, list())
		_, err := client.Labels.List(t.Context())
		require.Error(t, err)
		byRoute.Remove()

		slow := desk.Inject(supportbeetest.Fault{Op: "Teams.List", Times: 1, Delay: time.Hour})
		start := time.Now()
		require.ErrorContains(t, list(), "no complete answer within 30s")
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.Equal(t, 1, slow.Hits())

		desk.Inject(supportbeetest.Fault{Op: "Teams.List", Times: 1, SlowBody: time.Second})
		start = time.Now()
		require.NoError(t, list())
		assert.Equal(t, 8*time.Second, time.Since(start))
		desk.Inject(supportbeetest.Fault{Op: "Teams.List", Times: 1, SlowBody: 10 * time.Second})
		require.ErrorContains(t, list(), "no complete answer within 30s")
	})
}

func TestChanceIsRepeatable(t *testing.T) {
	t.Parallel()
	pattern := func(seed uint64) string {
		desk, err := supportbeetest.Start(supportbeetest.InMemory())
		require.NoError(t, err)
		defer desk.Close()
		desk.Inject(supportbeetest.Fault{Probability: 0.3, Seed: seed, Status: http.StatusBadGateway})
		client := desk.Client(supportbee.WithoutRetry())
		var hits string
		for range 200 {
			_, err := client.Labels.List(t.Context())
			hits += map[bool]string{true: "x", false: "."}[err != nil]
		}
		return hits
	}
	first := pattern(1)
	assert.Equal(t, first, pattern(1))
	assert.NotEqual(t, first, pattern(2))
}

// A client on a bad network gets its work done, and never writes twice.
func TestChaosNeverDoublesAWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
		for _, fault := range supportbeetest.Chaos(0.3, 7) {
			desk.Inject(fault)
		}
		client := desk.Client(supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}))
		var created, unknown int
		for i := range 200 {
			subject := fmt.Sprint("ticket ", i)
			ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
				Subject: subject, RequesterEmail: "ann@example.com", Content: supportbee.Text("x"),
			})
			switch {
			case err == nil:
				created++
				if err := client.Tickets.Archive(t.Context(), ticket.ID); err != nil {
					require.ErrorIs(t, err, supportbee.ErrServer) // a 500 is no invitation to repeat a write
				} else {
					assert.True(t, desk.Ticket(ticket.ID).Archived)
				}
			case errors.Is(err, supportbee.ErrOutcomeUnknown), errors.Is(err, supportbee.ErrMalformedResponse):
				unknown++
			default:
				t.Errorf("ticket %d: %v", i, err)
			}
		}
		seen := map[string]bool{}
		for _, ticket := range desk.Tickets() {
			assert.False(t, seen[ticket.Subject], "%s is there twice", ticket.Subject)
			seen[ticket.Subject] = true
		}
		assert.GreaterOrEqual(t, len(seen), created)
		assert.LessOrEqual(t, len(seen), created+unknown)
		assert.Positive(t, unknown)
	})
}
