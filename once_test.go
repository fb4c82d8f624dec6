package supportbee_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/quirks"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func ExampleRepliesService_CreateOnce() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund"})

	// The reply is created, but its response is lost.
	desk.Inject(supportbeetest.Match{Op: "Replies.Create", Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))

	params := supportbee.ReplyParams{Content: supportbee.Text("Thank you. We will reply within a day.")}
	reply, err := client.Replies.CreateOnce(ctx, id, params, nil)
	if err != nil {
		log.Fatal(err)
	}
	// A program that does not know whether it got this far makes the call again, with Since.
	again, err := desk.Client().Replies.CreateOnce(ctx, id, params, &supportbee.OnceOptions{Since: desk.Ticket(id).CreatedAt})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.ID == again.ID, len(desk.Replies(id)))
	// Output: true 1
}

func ExampleRepliesService_Find() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	ticket := desk.Ticket(desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund"}))

	params := supportbee.ReplyParams{Content: supportbee.Text("Thank you. We will reply within a day.")}
	if _, err := client.Replies.Create(ctx, ticket.ID, params); err != nil {
		log.Fatal(err)
	}
	found, err := client.Replies.Find(ctx, ticket.ID, params, ticket.CreatedAt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), found[0].Content.Text)
	// Output: 1 Thank you. We will reply within a day.
}

func ExampleTicketsService_CreateOnce() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()

	// A contact form stores each message with its time, and sends it until that has succeeded.
	stored := time.Now()
	params := supportbee.TicketParams{
		Subject: "Refund", RequesterEmail: "ann@example.com", Content: supportbee.Text("Hello, can I get a refund?"),
	}
	for range 2 {
		_, err = desk.Client().Tickets.CreateOnce(context.Background(), params, &supportbee.OnceOptions{Since: stored, Settle: time.Millisecond})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("tickets created:", len(desk.Requests("Tickets.Create")))
	// Output: tickets created: 1
}

func ExampleTicketsService_Find() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	params := supportbee.TicketParams{
		Subject: "Refund", RequesterEmail: "ann@example.com", Content: supportbee.Text("Hello, can I get a refund?"),
	}
	ticket, err := client.Tickets.Create(ctx, params)
	if err != nil {
		log.Fatal(err)
	}
	found, err := client.Tickets.Find(ctx, params, ticket.CreatedAt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), found[0].Subject)
	// Output: 1 Refund
}

func ExampleCommentsService_CreateOnce() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund"})

	// The server fails after it has created the comment, which CreateOnce finds.
	desk.Inject(supportbeetest.Match{Op: "Comments.Create", Times: 1}, supportbeetest.AfterHandling(supportbeetest.Status(http.StatusBadGateway)))

	params := supportbee.CommentParams{Content: supportbee.Text("Refunded by the nightly job.")}
	if _, err := client.Comments.CreateOnce(ctx, id, params, nil); err != nil {
		log.Fatal(err)
	}
	found, err := client.Comments.Find(ctx, id, params, desk.Ticket(id).CreatedAt)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("comments:", len(found))
	// Output: comments: 1
}

// onceKind is one of the kinds of messages that can be created once.
type onceKind struct {
	name   string // of the service
	create func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, opts *supportbee.OnceOptions) (int64, error)
	find   func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, since time.Time) (int, error)
	// add creates a message without CreateOnce.
	add   func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams) error
	count func(desk *supportbeetest.Desk, ticket supportbee.TicketID) int
}

func onceTicket(content supportbee.ContentParams) supportbee.TicketParams {
	return supportbee.TicketParams{Subject: "Re: Refund", RequesterEmail: "Once@Example.com", Content: content}
}

var onceKinds = []onceKind{
	{
		name: "Replies",
		create: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, opts *supportbee.OnceOptions) (int64, error) {
			reply, err := c.Replies.CreateOnce(ctx, ticket, supportbee.ReplyParams{Content: content}, opts)
			if err != nil {
				return 0, err
			}
			return int64(reply.ID), nil
		},
		find: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, since time.Time) (int, error) {
			found, err := c.Replies.Find(ctx, ticket, supportbee.ReplyParams{Content: content}, since)
			return len(found), err
		},
		add: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams) error {
			_, err := c.Replies.Create(ctx, ticket, supportbee.ReplyParams{Content: content})
			return err
		},
		count: func(desk *supportbeetest.Desk, ticket supportbee.TicketID) int { return len(desk.Replies(ticket)) },
	},
	{
		name: "Comments",
		create: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, opts *supportbee.OnceOptions) (int64, error) {
			comment, err := c.Comments.CreateOnce(ctx, ticket, supportbee.CommentParams{Content: content}, opts)
			if err != nil {
				return 0, err
			}
			return int64(comment.ID), nil
		},
		find: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams, since time.Time) (int, error) {
			found, err := c.Comments.Find(ctx, ticket, supportbee.CommentParams{Content: content}, since)
			return len(found), err
		},
		add: func(ctx context.Context, c *supportbee.Client, ticket supportbee.TicketID, content supportbee.ContentParams) error {
			_, err := c.Comments.Create(ctx, ticket, supportbee.CommentParams{Content: content})
			return err
		},
		count: func(desk *supportbeetest.Desk, ticket supportbee.TicketID) int { return len(desk.Comments(ticket)) },
	},
	{
		name: "Tickets",
		create: func(ctx context.Context, c *supportbee.Client, _ supportbee.TicketID, content supportbee.ContentParams, opts *supportbee.OnceOptions) (int64, error) {
			ticket, err := c.Tickets.CreateOnce(ctx, onceTicket(content), opts)
			if err != nil {
				return 0, err
			}
			return int64(ticket.ID), nil
		},
		find: func(ctx context.Context, c *supportbee.Client, _ supportbee.TicketID, content supportbee.ContentParams, since time.Time) (int, error) {
			found, err := c.Tickets.Find(ctx, onceTicket(content), since)
			return len(found), err
		},
		add: func(ctx context.Context, c *supportbee.Client, _ supportbee.TicketID, content supportbee.ContentParams) error {
			_, err := c.Tickets.Create(ctx, onceTicket(content))
			return err
		},
		count: func(desk *supportbeetest.Desk, _ supportbee.TicketID) int {
			n := 0
			for _, ticket := range desk.Tickets() {
				if ticket.Subject == onceTicket(supportbee.ContentParams{}).Subject {
					n++
				}
			}
			return n
		},
	},
}

// onceBed is a desk with a ticket, in a synctest bubble.
type onceBed struct {
	onceKind
	desk   *supportbeetest.Desk
	ticket supportbee.TicketID
	since  time.Time // when the ticket was created
	start  time.Time
}

// inject injects faults into the creates of the kind, or into its lists.
func (b *onceBed) inject(op string, match supportbeetest.Match, faults ...supportbeetest.Fault) *supportbeetest.Injection {
	match.Op = b.name + "." + op
	return b.desk.Inject(match, faults...)
}

func (b *onceBed) requests(op string) int { return len(b.desk.Requests(b.name + "." + op)) }

// eachOnceKind runs a test for each kind of message, on a desk of its own.
func eachOnceKind(t *testing.T, test func(t *testing.T, b *onceBed)) {
	t.Helper()
	for _, kind := range onceKinds {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &onceBed{onceKind: kind, desk: supportbeetest.New(t, supportbeetest.InMemory())}
				b.ticket = b.desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund"})
				b.since, b.start = b.desk.Ticket(b.ticket).CreatedAt, time.Now()
				test(t, b)
			})
		})
	}
}

var hello = supportbee.Text("Hello, Ann!")

func TestCreateOnceByFault(t *testing.T) {
	t.Parallel()
	after, drop, status := supportbeetest.AfterHandling, supportbeetest.Drop, supportbeetest.Status
	for name, test := range map[string]struct {
		times   int
		faults  []supportbeetest.Fault
		err     error
		sent    int // requests of the create
		looks   int
		created int
		after   time.Duration
	}{
		"success":                      {faults: nil, sent: 1, created: 1},
		"response lost":                {times: 1, faults: []supportbeetest.Fault{after(drop())}, sent: 1, looks: 1, created: 1},
		"gateway error after handling": {times: 1, faults: []supportbeetest.Fault{after(status(502))}, sent: 1, looks: 1, created: 1},
		"unreadable":                   {times: 1, faults: []supportbeetest.Fault{supportbeetest.Truncate()}, sent: 1, looks: 1, created: 1},
		"body lost":                    {times: 1, faults: []supportbeetest.Fault{supportbeetest.DropBody()}, sent: 1, looks: 1, created: 1},
		// Looks at 0, .25, .75, 1.75, 3.75, then each 4 s until 27.75, and at 30.
		"request lost":  {times: 1, faults: []supportbeetest.Fault{drop()}, sent: 2, looks: 12, created: 1, after: 30 * time.Second},
		"gateway error": {times: 1, faults: []supportbeetest.Fault{status(502)}, sent: 2, looks: 12, created: 1, after: 30 * time.Second},
		"lost twice":    {times: 2, faults: []supportbeetest.Fault{drop()}, sent: 3, looks: 24, created: 1, after: time.Minute},
		"always lost":   {faults: []supportbeetest.Fault{drop()}, err: supportbee.ErrOutcomeUnknown, sent: 8, looks: 96, after: 4 * time.Minute},
		"accepted and never listed": {
			faults: []supportbeetest.Fault{supportbeetest.HTMLPage(200)}, err: supportbee.ErrOutcomeUnknown, sent: 1, looks: 12, after: 30 * time.Second,
		},
		"rejected":     {faults: []supportbeetest.Fault{status(422)}, err: supportbee.ErrValidation, sent: 1},
		"access":       {faults: []supportbeetest.Fault{status(403)}, err: supportbee.ErrAccessDenied, sent: 1},
		"rate limited": {times: 9, faults: []supportbeetest.Fault{supportbeetest.RateLimited("120")}, sent: 10, created: 1, after: 18 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachOnceKind(t, func(t *testing.T, b *onceBed) {
				if test.faults != nil {
					b.inject("Create", supportbeetest.Match{Times: test.times}, test.faults...)
				}
				_, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
				if test.err == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, test.err)
				}
				type outcome struct {
					sent, looks, created int
					after                time.Duration
				}
				assert.Equal(t, outcome{test.sent, test.looks, test.created, test.after},
					outcome{b.requests("Create"), b.requests("List"), b.count(b.desk, b.ticket), time.Since(b.start)})
			})
		})
	}
}

func TestCreateOnceFindsWhatAKilledProgramSent(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		opts := &supportbee.OnceOptions{Since: b.since}
		first, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
		require.NoError(t, err)
		again, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, opts)
		require.NoError(t, err)
		assert.Equal(t, first, again)
		assert.Equal(t, 1, b.requests("Create"))
		assert.Zero(t, time.Since(b.start), "it waited for what it had found")

		// Later, the same call says something new.
		<-time.After(time.Hour)
		second, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
		require.NoError(t, err)
		assert.NotEqual(t, first, second)
		third, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, &supportbee.OnceOptions{Since: b.start.Add(time.Hour)})
		require.NoError(t, err)
		assert.Equal(t, second, third)
		found, err := b.find(t.Context(), b.desk.Client(), b.ticket, hello, b.start.Add(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, 1, found)
		found, err = b.find(t.Context(), b.desk.Client(), b.ticket, hello, time.Time{})
		require.NoError(t, err)
		assert.Equal(t, 2, found)
	})
}

func TestCreateOnceWaitsForTheRequestOfAKilledProgram(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		opts := &supportbee.OnceOptions{Since: b.since}
		client := b.desk.Client()
		quirks.Apply(b.desk, quirks.Quirks{CarryOut: true, Late: 20 * time.Second})
		lost := b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.Delay(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.create(ctx, client, b.ticket, hello, opts) // waits, since the client is new
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Zero(t, lost.Hits())

		<-time.After(time.Minute)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = b.create(ctx, client, b.ticket, hello, opts) // old enough to send at once
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		assert.Equal(t, 1, lost.Hits())

		// Neither a new client nor the old one, whose own request it was, sends another.
		for _, again := range []*supportbee.Client{b.desk.Client(), client.With()} {
			_, err = b.create(t.Context(), again, b.ticket, hello, opts)
			require.NoError(t, err)
		}
		<-time.After(time.Hour)
		assert.Equal(t, 1, b.count(b.desk, b.ticket))
	})
}

func TestCreateOnceAfterAnUnknownCreateWaits(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		client := b.desk.Client()
		<-time.After(time.Hour)
		b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.Drop())
		require.ErrorIs(t, b.add(t.Context(), client, b.ticket, hello), supportbee.ErrOutcomeUnknown)
		_, err := b.create(t.Context(), client, b.ticket, hello, &supportbee.OnceOptions{Since: b.start.Add(time.Hour)})
		require.NoError(t, err)
		assert.Equal(t, time.Hour+30*time.Second, time.Since(b.start))
		assert.Equal(t, 1, b.count(b.desk, b.ticket))
	})
}

func TestCreateOnceCreatesEqualMessagesOnPurpose(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		client := b.desk.Client()
		quirks.Apply(b.desk, quirks.Quirks{CarryOut: true, Late: 8 * time.Second, Stale: 3 * time.Second, Seed: 5})
		b.inject("Create", supportbeetest.Match{Probability: .5, Seed: 7}, supportbeetest.Drop())
		var mu sync.Mutex
		ids := map[int64]bool{}
		var calls sync.WaitGroup
		for range 10 {
			calls.Go(func() {
				id, err := b.create(t.Context(), client.With(), b.ticket, hello, nil)
				mu.Lock()
				defer mu.Unlock()
				assert.NoError(t, err)
				ids[id] = true
			})
		}
		calls.Wait()
		<-time.After(time.Hour)
		assert.Len(t, ids, 10)
		assert.Equal(t, 10, b.count(b.desk, b.ticket))
	})
}

func TestCreateOnceLearnsNothingFromAFailedLook(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]supportbeetest.Fault{
		"unavailable": supportbeetest.Status(503), "dropped": supportbeetest.Drop(), "unreadable": supportbeetest.Truncate(),
		"rate limited": supportbeetest.RateLimited(""), "a page": supportbeetest.HTMLPage(200),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachOnceKind(t, func(t *testing.T, b *onceBed) {
				b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
				failing := b.inject("List", supportbeetest.Match{}, fault)
				time.AfterFunc(5*time.Minute, failing.Remove)
				_, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(b.start), 5*time.Minute)
				assert.Equal(t, 1, b.count(b.desk, b.ticket))
				assert.Equal(t, 1, b.requests("Create"))

				b.inject("List", supportbeetest.Match{}, fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err = b.create(ctx, b.desk.Client(), b.ticket, hello, &supportbee.OnceOptions{Since: b.since})
				require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
				assert.Equal(t, 1, b.requests("Create"))
			})
		})
	}
}

func TestCreateOnceCannotLook(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		// With Since, a look that is rejected is the error: nothing was sent.
		failing := b.inject("List", supportbeetest.Match{}, supportbeetest.Status(403))
		_, err := b.create(t.Context(), b.desk.Client(), b.ticket, hello, &supportbee.OnceOptions{Since: b.since})
		require.ErrorIs(t, err, supportbee.ErrAccessDenied)
		require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)

		// After a request it is not, and the call ends without a deadline, too.
		b.inject("Create", supportbeetest.Match{}, supportbeetest.AfterHandling(supportbeetest.Drop()))
		_, err = b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		require.ErrorIs(t, err, supportbee.ErrAccessDenied)
		assert.Equal(t, 30*time.Second, time.Since(b.start))

		// Without the server's time, no message can be told from older ones.
		failing.Remove()
		b.inject("List", supportbeetest.Match{}, supportbeetest.Header("Date", "today"))
		_, err = b.create(t.Context(), b.desk.Client(), b.ticket, hello, nil)
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "the response has no Date header")
		assert.Equal(t, 2, b.requests("Create"))
	})
}

func TestCreateOnceUsesTheServersClock(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, time.Hour} {
		eachOnceKind(t, func(t *testing.T, b *onceBed) {
			b.desk.Clock.Advance(skew)
			client := b.desk.Client()
			require.NoError(t, b.add(t.Context(), client, b.ticket, hello)) // an older one
			<-time.After(time.Minute)
			b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
			failing := b.inject("List", supportbeetest.Match{}, supportbeetest.Drop())
			time.AfterFunc(time.Minute, failing.Remove)
			_, err := b.create(t.Context(), client, b.ticket, hello, nil)
			require.NoError(t, err)
			assert.Equal(t, 2, b.requests("Create"))
			assert.Equal(t, 2, b.count(b.desk, b.ticket))

			b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.Drop())
			<-time.After(time.Minute)
			_, err = b.create(t.Context(), client, b.ticket, hello, nil)
			require.NoError(t, err)
			assert.Equal(t, 3, b.count(b.desk, b.ticket), "an older one was taken for it")
		})
	}
}

func TestCreateOnceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		client := b.desk.Client()
		b.inject("Create", supportbeetest.Match{}, supportbeetest.Drop())
		stopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(stopped) })
		waiting := make(chan error)
		go func() {
			<-time.After(time.Second)
			_, err := b.create(ctx, client, b.ticket, hello, nil) // waits for its turn
			waiting <- err
		}()
		_, err := b.create(ctx, client, b.ticket, hello, nil)
		require.ErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, stopped)
		e, ok := errors.AsType[*supportbee.Error](err)
		require.True(t, ok)
		assert.Equal(t, []any{b.name + ".CreateOnce", http.MethodPost, 1}, []any{e.Op, e.Method, e.Attempts})

		err = <-waiting
		require.ErrorIs(t, err, stopped)
		require.NotErrorIs(t, err, supportbee.ErrOutcomeUnknown)
		assert.Equal(t, 1, b.requests("Create"))
		assert.Equal(t, 10*time.Second, time.Since(b.start))

		// A wait for status 429 that the deadline would cut short is not begun.
		b.desk.Reset()
		b.ticket = b.desk.AddTicket(supportbeetest.TicketSeed{})
		b.inject("Create", supportbeetest.Match{}, supportbeetest.RateLimited("120"))
		ctx, stop := context.WithTimeout(t.Context(), 119*time.Second)
		defer stop()
		_, err = b.create(ctx, b.desk.Client(), b.ticket, hello, nil)
		require.ErrorIs(t, err, supportbee.ErrRateLimited)
		assert.Equal(t, 10*time.Second, time.Since(b.start))
	})
}

func TestCreateOnceReportsItsLastResponse(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		var response supportbee.Response
		b.inject("Create", supportbeetest.Match{Times: 1}, supportbeetest.AfterHandling(supportbeetest.Drop()))
		_, err := b.create(supportbee.WithResponse(t.Context(), &response), b.desk.Client(), b.ticket, hello, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode)
	})
}

func TestCreateOnceInADryRun(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		planned := 0
		client := b.desk.Client(supportbee.WithDryRun(func(context.Context, supportbee.PlannedRequest) { planned++ }))
		for _, opts := range []*supportbee.OnceOptions{nil, {Since: b.since}} {
			_, err := b.create(t.Context(), client, b.ticket, hello, opts)
			require.NoError(t, err)
		}
		_, err := b.create(t.Context(), client, 0, hello, nil) // on a ticket that was not created
		require.NoError(t, err)
		assert.Equal(t, 3, planned)
		assert.Equal(t, 1, b.requests("List"))
		assert.Zero(t, time.Since(b.start), "it waited for a request that is not sent")
		b.desk.AssertNoWrites(t)
	})
}

func TestCreateOnceChecksItsArguments(t *testing.T) {
	t.Parallel()
	eachOnceKind(t, func(t *testing.T, b *onceBed) {
		for name, test := range map[string]struct {
			client  *supportbee.Client
			content supportbee.ContentParams
			opts    *supportbee.OnceOptions
			want    string
		}{
			"no content":      {content: supportbee.Text(" "), want: "Content must have Text, HTML or AttachmentIDs"},
			"negative settle": {opts: &supportbee.OnceOptions{Settle: -time.Second}, want: "Settle must not be negative, got -1s"},
			"no token":        {client: b.desk.Client(supportbee.WithToken("")), want: "token must be given to New: token required"},
			"invalid option":  {client: b.desk.Client().With(supportbee.WithTimeout(-1)), want: "timeout must not be negative"},
		} {
			client, content := b.desk.Client(), hello
			if test.client != nil {
				client = test.client
			}
			if test.content.Text != "" {
				content = test.content
			}
			_, err := b.create(t.Context(), client, b.ticket, content, test.opts)
			require.ErrorIs(t, err, supportbee.ErrInvalidArgument, name)
			require.ErrorContains(t, err, test.want, name)
		}
		_, err := b.find(t.Context(), b.desk.Client(), b.ticket, supportbee.ContentParams{}, time.Time{})
		require.EqualError(t, err, "supportbee: "+b.name+".Find: invalid argument: Content must have Text, HTML or AttachmentIDs")
		if b.name != "Tickets" {
			_, err = b.create(t.Context(), b.desk.Client(), 0, hello, nil)
			require.EqualError(t, err, "supportbee: "+b.name+".CreateOnce: invalid argument: id must be positive, got 0")
		}
		assert.Empty(t, b.desk.Requests())
	})
}

func TestFindComparesContent(t *testing.T) {
	t.Parallel()
	const long = "Thank you for your message. We will reply within a day."
	for name, test := range map[string]struct {
		quirks  quirks.Quirks
		sent    supportbee.ContentParams
		listed  supportbee.ContentParams // default sent
		differs bool
	}{
		"text":                     {sent: hello},
		"another text":             {sent: hello, listed: supportbee.Text("Hello, Anna!"), differs: true},
		"another case and spaces":  {sent: hello, listed: supportbee.Text("hello  ANN")},
		"another digit":            {sent: supportbee.Text("Code 17"), listed: supportbee.Text("Code 18"), differs: true},
		"another symbol":           {sent: supportbee.Text("5 €"), listed: supportbee.Text("5 $"), differs: true},
		"another emoji":            {sent: supportbee.Text("👍"), listed: supportbee.Text("👎"), differs: true},
		"punctuation only":         {sent: supportbee.Text(" ? "), listed: supportbee.Text("?")},
		"other punctuation":        {sent: supportbee.Text("?"), listed: supportbee.Text("!"), differs: true},
		"text with markup":         {sent: supportbee.Text("if a < b && c > d: <b>no</b>")},
		"text as HTML":             {sent: supportbee.Text("a < b &\nc"), listed: supportbee.HTML("<p>a &lt; b &amp;<br>c</p>")},
		"HTML":                     {sent: supportbee.HTML("<p>Hello, <b>Ann</b>!</p>")},
		"HTML with other tags":     {sent: supportbee.HTML("<p>Hello,\n<b title='>'>Ann</b>!</p>"), listed: supportbee.HTML("<div>Hello, Ann!<br></div><!-- 1 -->")},
		"HTML with entities":       {sent: supportbee.HTML("<p>Café &amp; Bar</p>"), listed: supportbee.HTML("<p>Caf&eacute; &#38; Bar</p>")},
		"HTML without styles":      {sent: supportbee.HTML("<style>p { color: red }</style><p>Hi</p>"), listed: supportbee.HTML("<p>Hi</p>")},
		"HTML rewritten":           {quirks: quirks.Quirks{RewriteHTML: true}, sent: supportbee.HTML("<p>It's <b>é</b> &lt; 1\n</p>")},
		"cut text":                 {quirks: quirks.Quirks{CutContent: 10}, sent: supportbee.Text(long)},
		"cut HTML":                 {quirks: quirks.Quirks{CutContent: 10}, sent: supportbee.HTML("<p>Hi</p><blockquote>" + long + "</blockquote>")},
		"cut entity":               {quirks: quirks.Quirks{CutContent: 5}, sent: supportbee.HTML("Hi &eacute;")},
		"cut at 100":               {quirks: quirks.Quirks{CutContent: 100}, sent: supportbee.Text(long + strings.Repeat(" More.", 30))},
		"cut, and different":       {quirks: quirks.Quirks{CutContent: 100}, sent: supportbee.Text(long), listed: supportbee.Text("No. " + strings.Repeat(" More.", 30)), differs: true},
		"a signature":              {quirks: quirks.Quirks{Signature: "Ada Adams, Acme"}, sent: supportbee.Text(long)},
		"a marked signature":       {quirks: quirks.Quirks{Signature: "-- \nAda Adams, Acme"}, sent: hello},
		"a signature in HTML":      {quirks: quirks.Quirks{Signature: "Ada Adams, Acme"}, sent: supportbee.HTML("<p>" + long + "</p>")},
		"a longer text":            {sent: hello, listed: supportbee.Text(hello.Text + " How are you?"), differs: true},
		"a shorter text":           {sent: supportbee.Text(hello.Text + " How are you?"), listed: hello, differs: true},
		"39 bytes and more":        {sent: supportbee.Text(strings.Repeat("x", 39)), listed: supportbee.Text(strings.Repeat("x", 50)), differs: true},
		"40 bytes and more":        {sent: supportbee.Text(strings.Repeat("x", 40)), listed: supportbee.Text(strings.Repeat("x", 50))},
		"the first 40 bytes":       {sent: supportbee.Text(strings.Repeat("x", 50)), listed: supportbee.Text(strings.Repeat("x", 40))},
		"text or HTML":             {sent: supportbee.ContentParams{Text: "Hello, Ann!", HTML: "<p>Hi!</p>"}, listed: supportbee.HTML("<p>Hi!</p>")},
		"an attachment":            {sent: hello.Attach(1)},
		"another attachment":       {sent: hello.Attach(1), listed: hello.Attach(2), differs: true},
		"attachments not listed":   {sent: hello.Attach(1), listed: hello},
		"attachments only":         {sent: supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{1}}, listed: supportbee.Text("-").Attach(1)},
		"other attachments only":   {sent: supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{1}}, listed: supportbee.Text("-").Attach(2), differs: true},
		"attachments without text": {sent: supportbee.ContentParams{AttachmentIDs: []supportbee.AttachmentID{1}}, listed: hello, differs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachOnceKind(t, func(t *testing.T, b *onceBed) {
				if test.quirks.Signature != "" && b.name != "Replies" {
					return // only replies are signed
				}
				files := []supportbee.AttachmentID{b.desk.AddFile("a", "text/plain", []byte("a")), b.desk.AddFile("b", "text/plain", []byte("b"))}
				withFiles := func(c supportbee.ContentParams) supportbee.ContentParams {
					c.AttachmentIDs = slices.Clone(c.AttachmentIDs)
					for i, id := range c.AttachmentIDs {
						c.AttachmentIDs[i] = files[id-1]
					}
					return c
				}
				sent, listed := withFiles(test.sent), withFiles(test.listed)
				if test.listed.Text+test.listed.HTML == "" {
					listed = sent
				}
				quirks.Apply(b.desk, test.quirks)
				require.NoError(t, b.add(t.Context(), b.desk.Client(), b.ticket, listed))
				want := 1
				if test.differs {
					want = 0
				}
				found, err := b.find(t.Context(), b.desk.Client(), b.ticket, sent, b.since)
				require.NoError(t, err)
				assert.Equal(t, want, found)
				found, err = b.find(t.Context(), b.desk.Client(), b.ticket, sent, time.Now().Add(4*time.Second))
				require.NoError(t, err)
				assert.Zero(t, found, "created before")
			})
		})
	}
}

func TestFindComparesAuthors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		client, id := desk.Client(), desk.AddTicket(supportbeetest.TicketSeed{})
		desk.AddCustomerReply(id, hello.Text)
		find := func(agent supportbee.AgentRef) int {
			found, err := client.Replies.Find(t.Context(), id, supportbee.ReplyParams{Content: hello, OnBehalfOf: agent}, time.Time{})
			require.NoError(t, err)
			return len(found)
		}
		assert.Zero(t, find(supportbee.AgentRef{}), "of a customer")
		ben := supportbee.AgentRef{Email: supportbeetest.AgentEmail}
		_, err := client.Replies.Create(t.Context(), id, supportbee.ReplyParams{Content: hello, OnBehalfOf: ben})
		require.NoError(t, err)
		assert.Equal(t, []int{1, 1, 1, 0, 0}, []int{
			find(supportbee.AgentRef{}), find(supportbee.AgentRef{Email: "BEN@acme.example"}), find(supportbee.AgentRef{ID: desk.User(supportbeetest.AgentEmail).ID}),
			find(supportbee.AgentRef{Email: supportbeetest.AdminEmail}), find(supportbee.AgentRef{ID: desk.User(supportbeetest.AdminEmail).ID}),
		})
	})
}

func TestFindTickets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
		seed := supportbeetest.TicketSeed{Subject: "RE: refund ", Text: hello.Text, RequesterEmail: "once@example.com"}
		var want []supportbee.TicketID
		for _, change := range []func(*supportbeetest.TicketSeed){
			func(s *supportbeetest.TicketSeed) {},
			func(s *supportbeetest.TicketSeed) { s.Archived = true },
			func(s *supportbeetest.TicketSeed) { s.Spam = true },
			func(s *supportbeetest.TicketSeed) { s.Trash = true },
		} {
			same := seed
			change(&same)
			want = append(want, desk.AddTicket(same))
		}
		for _, change := range []func(*supportbeetest.TicketSeed){
			func(s *supportbeetest.TicketSeed) { s.Subject = "Refund" },
			func(s *supportbeetest.TicketSeed) { s.Text = "Hello" },
			func(s *supportbeetest.TicketSeed) { s.RequesterEmail = "twice@example.com" },
		} {
			other := seed
			change(&other)
			desk.AddTicket(other)
		}
		found, err := desk.Client().Tickets.Find(t.Context(), onceTicket(hello), time.Time{})
		require.NoError(t, err)
		var got []supportbee.TicketID
		for _, ticket := range found {
			got = append(got, ticket.ID)
		}
		assert.Equal(t, want, got)
	})
}

// Each ticket gets messages, some of them equal, while 30 % of the requests fail, lost ones are
// carried out late and reads are behind. Programs are killed at any point; a new one makes all
// calls of its ticket again.
func TestCreateOnceUnderFaultsAndKills(t *testing.T) {
	t.Parallel()
	desks := 4
	if testing.Short() || raceEnabled {
		desks = 1
	}
	for seed := range desks {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { createOnceUnderFaultsAndKills(t, uint64(seed)) })
		})
	}
}

func createOnceUnderFaultsAndKills(t *testing.T, seed uint64) {
	const tickets, messages, kills = 125, 20, 25
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	var ids []supportbee.TicketID
	for range tickets {
		ids = append(ids, desk.AddTicket(supportbeetest.TicketSeed{}))
	}
	quirks.Apply(desk, quirks.Quirks{CarryOut: true, Late: 8 * time.Second, Stale: 3 * time.Second, Seed: seed})
	after, drop := supportbeetest.AfterHandling, supportbeetest.Drop
	for i, f := range []struct {
		op     string
		share  float64
		faults []supportbeetest.Fault
	}{
		{"Replies.Create", .07, []supportbeetest.Fault{drop()}},
		{"Replies.Create", .07, []supportbeetest.Fault{after(drop())}},
		{"Replies.Create", .05, []supportbeetest.Fault{supportbeetest.HTMLPage(502)}},
		{"Replies.Create", .04, []supportbeetest.Fault{after(supportbeetest.Status(504))}},
		{"Replies.Create", .03, []supportbeetest.Fault{supportbeetest.Truncate()}},
		{"Replies.Create", .03, []supportbeetest.Fault{supportbeetest.DropBody()}},
		{"Replies.Create", .03, []supportbeetest.Fault{supportbeetest.RateLimited("1")}},
		{"Replies.Create", .02, []supportbeetest.Fault{supportbeetest.Delay(40 * time.Second)}},
		{"Replies.List", .15, []supportbeetest.Fault{supportbeetest.Status(503)}},
		{"Replies.List", .15, []supportbeetest.Fault{drop()}},
	} {
		desk.Inject(supportbeetest.Match{Op: f.op, Probability: f.share, Seed: seed<<8 | uint64(i)}, f.faults...)
	}
	var killed atomic.Int64
	var programs sync.WaitGroup
	want := map[supportbee.TicketID][]string{}
	for i := range tickets {
		id := ids[i]
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		var texts []string
		for m := range messages {
			texts = append(texts, fmt.Sprintf("Message %d", m*4/5)) // one in five is equal to the one before
		}
		slices.Sort(texts)
		want[id] = texts
		const settle = 12 * time.Second // longer than a request can be late and its reply hidden
		opts, plain := &supportbee.OnceOptions{Since: desk.Ticket(id).CreatedAt, Settle: settle}, &supportbee.OnceOptions{Settle: settle}
		programs.Go(func() {
			run := func(ctx context.Context, opts *supportbee.OnceOptions, before func(message int)) error {
				client := desk.Client()
				for m, text := range texts {
					before(m)
					if _, err := client.Replies.CreateOnce(ctx, id, supportbee.ReplyParams{Content: supportbee.Text(text)}, opts); err != nil {
						return err
					}
				}
				return nil
			}
			if i < kills {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				at, within := random.IntN(messages), time.Duration(random.Int64N(int64(20*time.Second)))
				since := opts
				if i%2 == 0 {
					since = plain
				}
				err := run(ctx, since, func(message int) {
					if message == at {
						if random.IntN(2) == 0 {
							within /= 10_000 // right after the request
						}
						time.AfterFunc(within, cancel)
					} else if message < at {
						<-time.After(time.Duration(random.IntN(100)) * time.Millisecond)
					} else {
						<-time.After(time.Second)
					}
				})
				if errors.Is(err, context.Canceled) {
					killed.Add(1)
				} else {
					assert.NoError(t, err) // it had just finished
				}
			}
			since := opts
			if i >= kills && i%2 == 0 {
				since = plain
			}
			assert.NoError(t, run(t.Context(), since, func(int) {}))
		})
	}
	programs.Wait()
	<-time.After(time.Hour) // until everything is carried out
	duplicated, lost := 0, 0
	for id, texts := range want {
		counts := map[string]int{}
		for _, text := range texts {
			counts[text]--
		}
		for _, reply := range desk.Replies(id) {
			counts[reply.Content.Text]++
		}
		for _, n := range counts {
			duplicated += max(n, 0)
			lost += max(-n, 0)
		}
	}
	assert.Equal(t, []int{0, 0}, []int{duplicated, lost}, "duplicated, lost")
	assert.Greater(t, int(killed.Load()), kills/2, "programs killed before they had finished")
}
