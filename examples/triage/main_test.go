package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

func newBot(t *testing.T, desk *supportbeetest.Desk) *bot {
	t.Helper()
	rules, err := parseRules(demoRules)
	require.NoError(t, err)
	b := &bot{client: desk.Client(), rules: rules}
	require.NoError(t, b.rules.resolve(t.Context(), desk.Client()))
	return b
}

// killed is the error of what a killed program can no longer do.
type killed struct{}

func (killed) Error() string { return "killed" }

// Each of 1,000 tickets gets its labels, its team or agent and one reply, although requests fail and
// the bot is killed 50 times.
func TestKilledBotsReplyOnce(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state.json")
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed(), supportbeetest.WithHistoryLimit(1<<20))
		for _, name := range []string{"refund", "invoice", "vip", "triaged"} {
			desk.AddLabel(name, "#336699")
		}
		desk.AddTeam("Billing")
		kinds := []struct {
			seed     supportbeetest.TicketSeed
			labels   []string
			assignee string
			reply    string
		}{
			{seed: supportbeetest.TicketSeed{Subject: "Refund, please", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer"}, labels: []string{"refund", "triaged"}, assignee: "Billing", reply: "Hello Ann,\nwe are looking into your refund and will reply within a day.\n"},
			{seed: supportbeetest.TicketSeed{Subject: "Wrong", Text: "invoice 12 is wrong", RequesterEmail: "bea@bigshop.example", RequesterName: "Bea"}, labels: []string{"invoice", "vip", "triaged"}, assignee: "Billing", reply: "Hello Bea,\nthank you for your message. We will reply within a day.\n"},
			{seed: supportbeetest.TicketSeed{Subject: "Hello", RequesterEmail: "ceo@smallshop.example", RequesterName: "Cid"}, labels: []string{"vip", "triaged"}, assignee: "Ada Adams", reply: "Hello Cid,\nthank you for your message. We will reply within a day.\n"},
			{seed: supportbeetest.TicketSeed{Subject: "Refunds are no matter", RequesterEmail: "dan@smallshop.example", RequesterName: "Dan"}, labels: []string{"triaged"}, reply: "Hello Dan,\nthank you for your message. We will reply within a day.\n"},
		}
		start := desk.Clock.Now()
		const tickets = 1000
		var ids []supportbee.TicketID
		added := make(chan struct{})
		go func() {
			defer close(added)
			for i := range tickets {
				ids = append(ids, desk.AddTicket(kinds[i%len(kinds)].seed))
				<-time.After(2 * time.Second)
			}
		}()
		newBot(t, desk) // the labels and users are read before requests fail
		chaos := desk.InjectChaos(0.05, 14)
		random := rand.New(rand.NewPCG(17, 4))
		life := func(kill time.Duration) {
			rules := newRules(t, desk)
			var dead atomic.Bool
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			time.AfterFunc(kill, func() { dead.Store(true); cancel(killed{}) })
			b := &bot{client: desk.Client(), rules: rules}
			opts := supportbeeservice.TicketOptions{State: state, Watch: supportbee.WatchOptions{Since: start, MinInterval: time.Second}}
			handle := func(ctx context.Context, ticket *supportbee.Ticket) (changed bool, err error) {
				if changed, err = b.handle(ctx, ticket); dead.Load() {
					return false, killed{} // before the position is stored
				}
				return changed, err
			}
			require.ErrorIs(t, supportbeeservice.HandleTickets(ctx, b.client, opts, handle), killed{})
		}
		for range 50 {
			life(time.Duration(30+random.IntN(60_000))*time.Millisecond + time.Duration(random.IntN(2))*30*time.Second)
		}
		<-added
		chaos.Remove()
		life(time.Hour)
		for i, id := range ids {
			want, got := kinds[i%len(kinds)], desk.Ticket(id)
			require.True(t, desk.AssertReplies(t, id, want.reply))
			require.True(t, desk.AssertLabels(t, id, want.labels...))
			var assignee string
			if got.AssignedTeam != nil {
				assignee = got.AssignedTeam.Name
			}
			if got.AssignedUser != nil {
				assignee = got.AssignedUser.Name
			}
			require.Equal(t, want.assignee, assignee, got.Subject)
		}
		assert.Positive(t, chaos.Hits())
	})
}

// newRules returns the rules, found in the desk, whatever requests fail.
func newRules(t *testing.T, desk *supportbeetest.Desk) *rules {
	t.Helper()
	r, err := parseRules(demoRules)
	require.NoError(t, err)
	for r.resolve(t.Context(), desk.Client()) != nil {
		<-time.After(time.Second)
	}
	return r
}

func TestRules(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	prepare(desk)
	r := newRules(t, desk)
	billing, ada := desk.Team("Billing").ID, desk.User(supportbeetest.AdminEmail).ID
	const received = "Hello Ann,\nthank you for your message. We will reply within a day.\n"
	const refund = "Hello Ann,\nwe are looking into your refund and will reply within a day.\n"
	for _, tt := range []struct {
		name, subject, text, email string
		want                       rule
	}{
		{name: "no rule but the last", subject: "Hello", email: "ann@example.com", want: rule{Reply: received}},
		{name: "a word in the text", text: "I want my MONEY BACK!", email: "ann@example.com", want: rule{Labels: []string{"refund"}, team: billing, Reply: refund}},
		{name: "a part of a word", subject: "refundable", email: "ann@example.com", want: rule{Reply: received}},
		{name: "a pattern", subject: "Invoice #12", email: "ann@example.com", want: rule{Labels: []string{"invoice"}, team: billing, Reply: received}},
		{name: "a domain", email: "ann@BigShop.example", want: rule{Labels: []string{"vip"}, user: ada, Reply: received}},
		{name: "a subdomain", email: "ann@x.bigshop.example", want: rule{Reply: received}},
		{name: "an address", email: "CEO@smallshop.example", want: rule{Labels: []string{"vip"}, user: ada, Reply: received}},
		{name: "several", subject: "refund of invoice 7", email: "ann@bigshop.example", want: rule{Labels: []string{"refund", "invoice", "vip"}, team: billing, Reply: refund}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, r.apply(&supportbee.Ticket{
				Subject: tt.subject, Content: supportbee.Content{Text: tt.text}, Requester: supportbee.Person{Email: tt.email, Name: "Ann Archer"},
			}))
		})
	}
}

func TestMistakesInRules(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, rules, want string }{
		{name: "an unknown field", rules: "done: x\nrules: [{lable: y}]", want: "field lable not found"},
		{name: "an empty file", want: "the file is empty"},
		{name: "no label for what is done", rules: "rules: []", want: "done is not set"},
		{name: "a pattern", rules: "done: x\nrules: [{match: '('}]", want: "missing closing )"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := parseRules([]byte(tt.rules))
			require.ErrorContains(t, err, tt.want)
		})
	}
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	r, err := parseRules([]byte("done: x\nrules: [{labels: [y], team: z, user: a@b.c}]"))
	require.NoError(t, err)
	assert.EqualError(t, r.resolve(t.Context(), desk.Client()), "the help desk has no label \"y\"\nthe help desk has no team \"z\"\nthe help desk has no agent \"a@b.c\"\nthe help desk has no label \"x\"")
}

// What agents have done is left as it is.
func TestAgentsComeFirst(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	prepare(desk)
	ada := desk.User(supportbeetest.AdminEmail).ID
	assigned := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", AssignedUserID: ada, Labels: []string{"refund"}})
	desk.AddReply(assigned, ada, "It is on its way.")
	spam := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Spam: true})
	done := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Labels: []string{"triaged"}})
	b := newBot(t, desk)
	for id, want := range map[supportbee.TicketID]string{assigned: "handled", spam: "left alone", done: "left alone"} {
		got, err := b.triage(t.Context(), id)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	desk.AssertReplies(t, assigned, "It is on its way.")
	desk.AssertLabels(t, assigned, "refund", "triaged")
	desk.AssertRequests(t, "Tickets.AssignTeam", 0)
	desk.AssertMailed(t)
}

// Requesters that are no customers get no reply.
func TestWhoGetsNoReply(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	prepare(desk)
	b := newBot(t, desk)
	for _, tt := range []struct {
		seed supportbeetest.TicketSeed
		want string
	}{
		{seed: supportbeetest.TicketSeed{RequesterEmail: "MAILER-DAEMON@example.com"}, want: "handled"},
		{seed: supportbeetest.TicketSeed{RequesterEmail: "no_reply@example.com"}, want: "handled"},
		{seed: supportbeetest.TicketSeed{RequesterEmail: supportbeetest.AgentEmail}, want: "handled"},
	} {
		got, err := b.triage(t.Context(), desk.AddTicket(tt.seed))
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, tt.seed.RequesterEmail)
	}
	desk.AssertRequests(t, "Replies.Create", 0)
}

func TestTeamAndUser(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	ada := desk.User(supportbeetest.AdminEmail)
	desk.AddTeam("Billing", ada.ID)
	desk.AddLabel("done", "#336699")
	r, err := parseRules([]byte("done: done\nrules: [{team: Billing, user: " + ada.Email + "}]"))
	require.NoError(t, err)
	require.NoError(t, r.resolve(t.Context(), desk.Client()))
	b := &bot{client: desk.Client(), rules: r}
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	_, err = b.triage(t.Context(), id)
	require.NoError(t, err)
	got := desk.Ticket(id)
	require.NotNil(t, got.AssignedTeam)
	require.NotNil(t, got.AssignedUser)
	assert.Equal(t, [2]string{"Billing", ada.Name}, [2]string{got.AssignedTeam.Name, got.AssignedUser.Name})
}

func TestDemo(t *testing.T) {
	t.Setenv("SUPPORTBEE_TOKEN", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "Refund                 refund triaged    Billing      1\n")
}

// The program itself, against a desk on a port: a dry run prints and writes nothing, and an
// interrupt ends a run without an error.
func TestProgram(t *testing.T) {
	desk := supportbeetest.New(t)
	prepare(desk)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	dir := t.TempDir()
	rules := filepath.Join(dir, "rules.yaml")
	require.NoError(t, os.WriteFile(rules, demoRules, 0o600))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printed, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-rules", rules, "-state", filepath.Join(dir, "state.json"), "-interval", "20ms", "-dry-run", "-metrics", address}, out)
	}()
	require.NoError(t, desk.Wait(ctx, func() bool { return len(desk.Requests("Tickets.List")) > 0 }))
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", CreatedAt: time.Now().Add(time.Second)})
	line := make([]byte, 100)
	n, err := printed.Read(line)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("not sent: Labels.Add, POST /tickets/%d/labels/refund\n", id), string(line[:n]))
	go func() { _, _ = io.Copy(io.Discard, printed) }()
	for path, want := range map[string]string{"/healthz": "", "/metrics": "Labels.List"} {
		response, err := http.Get("http://" + address + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Contains(t, string(body), want)
		assert.NotContains(t, string(body), desk.Token)
	}
	cancel()
	require.NoError(t, <-ended)
	desk.AssertNoWrites(t)
}

// A run that ends before the first ticket leaves where it began.
func TestTheFirstPosition(t *testing.T) {
	desk := supportbeetest.New(t)
	prepare(desk)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	desk.Clock.Set(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	dir := t.TempDir()
	rules, state := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "state.json")
	require.NoError(t, os.WriteFile(rules, demoRules, 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-rules", rules, "-state", state}, io.Discard) }()
	require.NoError(t, desk.Wait(ctx, func() bool { return len(desk.Requests("Tickets.List")) > 0 }))
	cancel()
	require.NoError(t, <-ended)
	data, err := os.ReadFile(state)
	require.NoError(t, err)
	var got struct{ Since time.Time }
	require.NoError(t, json.Unmarshal(data, &got))
	assert.Equal(t, desk.Clock.Now(), got.Since)
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"rules.yaml", "-dry-run"}, io.Discard), `unexpected argument "rules.yaml"`)
}
