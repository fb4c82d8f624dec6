package supportbeeservice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// bot is a program that labels each ticket and replies to it.
type bot struct {
	desk   *supportbeetest.Desk
	client *supportbee.Client
	opts   supportbeeservice.TicketOptions
	ids    []supportbee.TicketID
}

func newBot(t *testing.T) *bot {
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	desk.AddLabel("done", "#336699")
	return &bot{desk: desk, client: desk.Client(), opts: supportbeeservice.TicketOptions{
		State: filepath.Join(t.TempDir(), "state.json"),
		Watch: supportbee.WatchOptions{MinInterval: time.Second, UntilCurrent: true},
	}}
}

func (b *bot) add(n int) {
	for range n {
		b.ids = append(b.ids, b.desk.AddTicket(supportbeetest.TicketSeed{}))
		<-time.After(10 * time.Second)
	}
}

func (b *bot) run(ctx context.Context) error {
	return supportbeeservice.HandleTickets(ctx, b.client, b.opts, b.handle)
}

func (b *bot) handle(ctx context.Context, listed *supportbee.Ticket) (changed bool, err error) {
	ticket, err := b.client.Tickets.Get(ctx, listed.ID)
	if err != nil || len(ticket.Labels) > 0 {
		return false, err
	}
	if ticket.AgentRepliesCount == 0 {
		reply := supportbee.ReplyParams{Content: supportbee.Text("Thank you.")}
		if _, err := b.client.Replies.CreateOnce(ctx, ticket.ID, reply, &supportbee.OnceOptions{Since: ticket.CreatedAt}); err != nil {
			return false, err
		}
	}
	_, err = b.client.Labels.Add(ctx, ticket.ID, "done")
	return true, err
}

func (b *bot) requireHandled(t *testing.T, want ...supportbee.TicketID) {
	t.Helper()
	var got []supportbee.TicketID
	for _, id := range b.ids {
		if len(b.desk.Ticket(id).Labels) > 0 {
			got = append(got, id)
			b.desk.AssertReplies(t, id, "Thank you.")
		}
	}
	require.Equal(t, want, got)
}

// Tickets from before the first run are left alone, and each run begins where the one before ended.
func TestPosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBot(t)
		b.add(1)
		old := b.ids[0]
		b.opts.ReadOnly = true
		require.NoError(t, b.run(t.Context()))
		require.NoFileExists(t, b.opts.State)
		b.opts.ReadOnly = false
		require.NoError(t, b.run(t.Context()))
		first, err := os.ReadFile(b.opts.State)
		require.NoError(t, err)

		<-time.After(10 * time.Second)
		b.add(2) // while no program runs
		b.desk.AddCustomerReply(old, "Hello?")
		require.NoError(t, b.run(t.Context()))
		b.requireHandled(t, b.ids[1:]...)
		b.add(1)
		b.desk.ClearHistory()
		require.NoError(t, b.run(t.Context()))
		b.requireHandled(t, b.ids[1:]...)
		for _, request := range b.desk.Requests("Tickets.Get") {
			require.Equal(t, fmt.Sprintf("/tickets/%d", b.ids[3]), request.Path)
		}

		// A program that ends before the position is stored handles the tickets again.
		require.NoError(t, os.WriteFile(b.opts.State, first, 0o600))
		b.desk.ClearHistory()
		require.NoError(t, b.run(t.Context()))
		assert.NotEmpty(t, b.desk.Requests("Tickets.Get"))
		b.desk.AssertNoWrites(t)

		require.NoError(t, os.WriteFile(b.opts.State, []byte("{"), 0o600))
		require.ErrorContains(t, b.run(t.Context()), b.opts.State)
	})
}

// The first run begins at the time that is given, and without a file each run does.
func TestPositionWithoutFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBot(t)
		b.add(1)
		b.opts.State, b.opts.Watch.Since = "", b.desk.Clock.Now()
		b.add(1)
		require.NoError(t, b.run(t.Context()))
		require.NoError(t, b.run(t.Context()))
		b.requireHandled(t, b.ids[1])
	})
}

// An error of the program itself is tried again, and a done context ends the attempts.
func TestHandleFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBot(t)
		b.opts.Watch.Since = b.desk.Clock.Now()
		b.add(1)
		failures := 0
		require.NoError(t, supportbeeservice.HandleTickets(t.Context(), b.client, b.opts, func(ctx context.Context, ticket *supportbee.Ticket) (bool, error) {
			if failures++; failures < 4 {
				return false, errors.New("it went wrong")
			}
			return b.handle(ctx, ticket)
		}))
		b.requireHandled(t, b.ids...)

		b.add(1)
		stopped := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(20*time.Second, func() { cancel(stopped) })
		require.ErrorIs(t, supportbeeservice.HandleTickets(ctx, b.client, b.opts, func(context.Context, *supportbee.Ticket) (bool, error) {
			return false, errors.New("it went wrong")
		}), stopped)
		require.NoError(t, b.run(t.Context()))
		b.requireHandled(t, b.ids...)
	})
}

// A ticket that fails as the service is stopped is logged, and no failure of the service.
func TestStopWhileATicketFails(t *testing.T) { //nolint:paralleltest // it sets the default logger
	for name, tt := range map[string]struct { //nolint:paralleltest // see above
		err    func(ctx context.Context) error
		logged string
	}{
		"by itself":     {err: func(context.Context) error { return errors.New("it went wrong") }, logged: "level=WARN msg=\"ticket failed\" ticket=1002 err=\"it went wrong\"\n"},
		"denied":        {err: func(context.Context) error { return supportbee.ErrAccessDenied }, logged: "level=WARN msg=\"ticket failed\" ticket=1002 err=\"access denied\"\n"},
		"with the stop": {err: func(ctx context.Context) error { return fmt.Errorf("handling: %w", ctx.Err()) }},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			defer slog.SetDefault(slog.Default())
			slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			}})))
			synctest.Test(t, func(t *testing.T) {
				b := newBot(t)
				b.opts.Watch.Since = b.desk.Clock.Now()
				b.add(1)
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				service := supportbeeservice.New(ctx)
				service.Go(func(ctx context.Context) error {
					return supportbeeservice.HandleTickets(ctx, b.client, b.opts, func(ctx context.Context, _ *supportbee.Ticket) (bool, error) {
						stop()
						return false, tt.err(ctx)
					})
				})
				require.NoError(t, service.Wait())
				require.NoError(t, b.run(t.Context()))
				b.requireHandled(t, b.ids...)
			})
			assert.Equal(t, tt.logged, log.String())
		})
	}
}

// A ticket that alone keeps failing, or that the help desk does not know, is skipped; a help desk that is
// down is waited for.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"fails": http.StatusInternalServerError, "rejected": http.StatusNotFound} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBot(t)
				b.opts.Watch.Since = b.desk.Clock.Now()
				b.add(2)
				b.desk.Inject(supportbeetest.Match{Op: "Tickets.Get", TicketID: b.ids[0]}, supportbeetest.Status(status))
				require.NoError(t, b.run(t.Context()))
				b.requireHandled(t, b.ids[1])

				b.add(1)
				var down *supportbeetest.Injection
				require.NoError(t, supportbeeservice.HandleTickets(t.Context(), b.client, b.opts, func(ctx context.Context, ticket *supportbee.Ticket) (bool, error) {
					if down == nil {
						down = b.desk.Inject(supportbeetest.Match{}, supportbeetest.Status(http.StatusServiceUnavailable))
						time.AfterFunc(time.Hour, down.Remove)
					}
					return b.handle(ctx, ticket)
				}))
				b.requireHandled(t, b.ids[1:]...)
			})
		})
	}
}

// The ticket that failed while the help desk was down is not skipped when it responds again.
func TestHelpDeskIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBot(t)
		b.opts.Watch.Since = b.desk.Clock.Now()
		b.add(1)
		var down *supportbeetest.Injection
		attempts := 0
		require.NoError(t, supportbeeservice.HandleTickets(t.Context(), b.client, b.opts, func(ctx context.Context, ticket *supportbee.Ticket) (bool, error) {
			switch attempts++; attempts {
			case 1:
				down = b.desk.Inject(supportbeetest.Match{}, supportbeetest.Status(http.StatusServiceUnavailable))
			case 20:
				defer down.Remove()
			}
			return b.handle(ctx, ticket)
		}))
		b.requireHandled(t, b.ids...)
	})
}

// A ticket that alone may not be changed does not end the program. A token without rights does, and
// the next run begins at the first ticket that was denied.
func TestDeniedTickets(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Labels.Add", "Replies.Create", "Tickets.Get"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBot(t)
				b.opts.Watch.Since = b.desk.Clock.Now()
				b.add(5)
				one := b.desk.Inject(supportbeetest.Match{Op: op, TicketID: b.ids[1]}, supportbeetest.Status(http.StatusForbidden))
				require.NoError(t, b.run(t.Context()))
				handled := slices.Delete(slices.Clone(b.ids), 1, 2)
				b.requireHandled(t, handled...)
				one.Remove()

				<-time.After(10 * time.Second)
				lost := b.desk.Inject(supportbeetest.Match{Op: op}, supportbeetest.Status(http.StatusForbidden))
				b.add(5)
				unchanged := b.desk.AddTicket(supportbeetest.TicketSeed{Labels: []string{"done"}}) // shows no rights
				require.ErrorIs(t, b.run(t.Context()), supportbee.ErrAccessDenied)
				b.requireHandled(t, handled...)
				lost.Remove()
				require.NoError(t, b.run(t.Context()))
				if handled = slices.Delete(slices.Clone(b.ids), 1, 2); op == "Labels.Add" {
					handled = b.ids // the reply to the ticket that was denied came after the position
				}
				b.requireHandled(t, handled...)
				assert.Empty(t, b.desk.Replies(unchanged))
			})
		})
	}
}

func TestHandleTicketsWithoutArguments(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, *supportbee.Ticket) (bool, error) { return false, nil }
	for _, err := range []error{
		supportbeeservice.HandleTickets(t.Context(), nil, supportbeeservice.TicketOptions{}, handle),
		supportbeeservice.HandleTickets(t.Context(), supportbeetest.New(t).Client(), supportbeeservice.TicketOptions{}, nil),
	} {
		require.EqualError(t, err, "supportbeeservice: HandleTickets needs a client and a function")
	}
}
