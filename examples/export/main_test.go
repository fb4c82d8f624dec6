package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// TestMain makes the test binary the program to kill if EXPORT_DIR is set.
func TestMain(m *testing.M) {
	dir := os.Getenv("EXPORT_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := child(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var fast = supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8, MinBackoff: time.Millisecond})

func child(dir string) error {
	client, err := supportbee.FromEnv(fast)
	if err != nil {
		return err
	}
	store, err := openStore(dir)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	b := &backup{client: client, store: store, workers: 8}
	return b.run(context.Background())
}

// counter counts the requests of a desk.
type counter struct {
	slog.Handler
	n atomic.Int64
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }

func (c *counter) Handle(context.Context, slog.Record) error {
	c.n.Add(1)
	return nil
}

// injectChaos makes 5 % of the requests fail, like Desk.InjectChaos, but with short waits.
func injectChaos(desk *supportbeetest.Desk) (hits func() int) {
	faults := []supportbeetest.Fault{
		supportbeetest.HTMLPage(http.StatusBadGateway), supportbeetest.Status(http.StatusServiceUnavailable), supportbeetest.RateLimited(""),
		supportbeetest.Status(http.StatusInternalServerError), supportbeetest.Drop(), supportbeetest.AfterHandling(supportbeetest.Drop()),
		supportbeetest.DropBody(), supportbeetest.Truncate(), supportbeetest.Delay(50 * time.Millisecond),
	}
	var injections []*supportbeetest.Injection
	for i, fault := range faults {
		match := supportbeetest.Match{Probability: 0.05 / float64(len(faults)), Seed: uint64(i)}
		if fault.Name == supportbeetest.Truncate().Name { // a file that is shorter, and announced so, is not to be told from another file
			match.Func = func(r *http.Request) bool { return !strings.HasPrefix(r.URL.Path, "/files/") }
		}
		injections = append(injections, desk.Inject(match, fault))
	}
	return func() (n int) {
		for _, injection := range injections {
			n += injection.Hits()
		}
		return n
	}
}

func TestKilledTwentyTimes(t *testing.T) {
	t.Parallel()
	const tickets, kills = 5000, 20
	requests := &counter{}
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed(), supportbeetest.WithLogger(slog.New(requests)))
	random := rand.New(rand.NewPCG(1, 2))
	agent := desk.User(supportbeetest.AdminEmail).ID
	newFile := func(n int) supportbee.AttachmentID {
		return desk.AddFile("a.bin", "application/octet-stream", fmt.Appendf(nil, "file %d %s", n, strings.Repeat("x", n)))
	}
	start := time.Now().Add(-365 * 24 * time.Hour)
	var ids []supportbee.TicketID
	for i := range tickets {
		seed := supportbeetest.TicketSeed{
			Subject: fmt.Sprint("Ticket ", i), Text: "Hello",
			CreatedAt: start.Add(time.Duration(i/3) * time.Minute), // three in a second
			Archived:  i%4 == 1, Spam: i%20 == 2, Trash: i%20 == 3,
		}
		if i%40 == 0 {
			seed.AttachmentIDs = append(seed.AttachmentIDs, newFile(i))
		}
		ids = append(ids, desk.AddTicket(seed))
		if i%30 == 0 {
			desk.AddCustomerReply(ids[i], "Any news?")
		}
		if i%60 == 0 {
			desk.AddComment(ids[i], agent, "Wait for the part.")
		}
	}
	chaos := injectChaos(desk)
	polls := desk.Inject(supportbeetest.Match{Op: "Tickets.List", Func: func(r *http.Request) bool {
		return r.URL.Query().Get("sort_by") == string(supportbee.SortByLastActivity)
	}}, supportbeetest.Delay(0))

	// The writer changes the desk until the kills are done.
	stop, writing := make(chan struct{}), sync.WaitGroup{}
	defer writing.Wait()
	stopWriter := sync.OnceFunc(func() { close(stop) })
	defer stopWriter()
	changes := 0
	writing.Go(func() {
		random := rand.New(rand.NewPCG(3, 4))
		for {
			id := ids[random.IntN(len(ids))]
			switch changes++; random.IntN(5) {
			case 0:
				ids = append(ids, desk.AddTicket(supportbeetest.TicketSeed{Subject: "New", Text: "Hi", Spam: random.IntN(9) == 0}))
			case 1:
				desk.AddComment(id, agent, "Noted.")
			case 2:
				desk.AddCustomerReply(id, "See the file.", newFile(changes))
			default:
				desk.AddCustomerReply(id, "Hello?")
			}
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})

	dir, phases := t.TempDir(), map[string]int{}
	run := func(due func() bool) (killed bool, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "EXPORT_DIR="+dir, "SUPPORTBEE_TOKEN="+desk.Token, "SUPPORTBEE_BASE_URL="+desk.URL)
		var out bytes.Buffer
		cmd.Stderr = &out
		require.NoError(t, cmd.Start())
		go func() {
			if desk.Wait(ctx, due) == nil {
				_ = cmd.Process.Kill()
			}
		}()
		err = cmd.Wait()
		if err != nil && cmd.ProcessState.ExitCode() >= 0 { // by a request that failed too often
			require.Contains(t, out.String(), "supportbee: ")
		}
		return err != nil && cmd.ProcessState.ExitCode() < 0, err
	}
	begun := time.Now()
	for done, phase := 0, "export"; done < kills; {
		within := int64(80) // requests until the kill
		if phase == "watch" {
			within = 30
		}
		target := requests.n.Load() + 1 + random.Int64N(within)
		due := func() bool { return requests.n.Load() >= target }
		if phase == "export" && done == kills/2 { // the rest is for the changes, which the writer does not let end
			due = func() bool { return polls.Hits() >= 10 }
		}
		if killed, _ := run(due); killed {
			done++
			phases[phase]++
		}
		s, err := openStore(dir)
		require.NoError(t, err)
		require.NoError(t, s.verify(io.Discard))
		var watched supportbee.Checkpoint
		require.NoError(t, s.get("watch", &watched))
		if !watched.IsZero() {
			phase = "watch"
		}
		require.NoError(t, s.Close())
	}
	stopWriter()
	writing.Wait()
	t.Logf("%d kills in %v, phases %v, %d requests, %d faults, %d changes", kills, time.Since(begun), phases, requests.n.Load(), chaos(), changes)
	for complete := false; !complete; {
		_, err := run(func() bool { return false })
		complete = err == nil
	}
	t.Log("then complete in", time.Since(begun))
	assertBackup(t, desk, dir)
}

// assertBackup checks that a backup has everything once, in its newest state.
func assertBackup(t *testing.T, desk *supportbeetest.Desk, dir string) {
	t.Helper()
	s, err := openStore(dir)
	require.NoError(t, err)
	defer s.Close()
	var verified bytes.Buffer
	require.NoError(t, s.verify(&verified))
	newest, seen := map[supportbee.TicketID]record{}, map[string]bool{}
	for _, r := range readLines[record](t, filepath.Join(dir, "tickets.jsonl")) {
		id := r.Ticket.ID
		key := fmt.Sprint(id, " ", activity(r.Ticket))
		require.False(t, seen[key], "ticket %s is there twice", key)
		seen[key] = true
		newest[id] = r
	}
	require.Contains(t, verified.String(), fmt.Sprintf(": %d tickets and ", len(newest)))
	all := desk.Tickets()
	require.Len(t, newest, len(all))
	for _, want := range all {
		r := newest[want.ID]
		require.NotNil(t, r.Ticket, "ticket %d is missing", want.ID)
		require.Equal(t, activity(want), activity(r.Ticket), "ticket %d", want.ID)
		require.Equal(t, want.Subject, r.Ticket.Subject)
		var wantIDs, ids []int64
		attachments := want.Content.Attachments
		for _, reply := range desk.Replies(want.ID) {
			wantIDs = append(wantIDs, int64(reply.ID))
			attachments = append(attachments, reply.Content.Attachments...)
		}
		for _, comment := range desk.Comments(want.ID) {
			wantIDs = append(wantIDs, int64(comment.ID))
		}
		for _, reply := range r.Replies {
			ids = append(ids, int64(reply.ID))
		}
		for _, comment := range r.Comments {
			ids = append(ids, int64(comment.ID))
		}
		require.ElementsMatch(t, wantIDs, ids, "ticket %d", want.ID)
		require.Len(t, r.Files, len(attachments))
		for i, attachment := range attachments {
			data, err := os.ReadFile(s.path(attachment.ID))
			require.NoError(t, err)
			sum := sha256.Sum256(desk.File(attachment.ID))
			require.Equal(t, file{ID: attachment.ID, Size: int64(len(desk.File(attachment.ID))), SHA256: hex.EncodeToString(sum[:])}, r.Files[i])
			require.Equal(t, desk.File(attachment.ID), data)
		}
	}
	assert.Len(t, readLines[supportbee.Label](t, filepath.Join(dir, "labels.jsonl")), len(desk.Labels()))
	assert.Len(t, readLines[supportbee.Snippet](t, filepath.Join(dir, "snippets.jsonl")), len(desk.Snippets()))
	assert.Len(t, readLines[supportbee.User](t, filepath.Join(dir, "users.jsonl")), len(desk.Users()))
}

func readLines[T any](t *testing.T, path string) (values []T) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range bytes.Lines(data) {
		var value T
		require.NoError(t, json.Unmarshal(line, &value))
		values = append(values, value)
	}
	return values
}

// newBackup returns a backup of a desk.
func newBackup(t *testing.T, desk *supportbeetest.Desk, dir string) *backup {
	t.Helper()
	s, err := openStore(dir)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return &backup{client: desk.Client(fast), store: s, workers: 4}
}

func TestWhatIsGoneDoesNotStopTheBackup(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	lost := desk.AddFile("lost.txt", "text/plain", []byte("lost"))
	first := desk.AddTicket(supportbeetest.TicketSeed{Subject: "A", Text: "A", AttachmentIDs: []supportbee.AttachmentID{lost}})
	second := desk.AddTicket(supportbeetest.TicketSeed{Subject: "B", Text: "B"})
	desk.AddCustomerReply(second, "C")
	desk.Inject(supportbeetest.Match{Op: "Attachments.Download"}, supportbeetest.Status(http.StatusNotFound))
	desk.Inject(supportbeetest.Match{Op: "Replies.List", TicketID: second}, supportbeetest.Status(http.StatusNotFound))
	dir := t.TempDir()
	require.NoError(t, newBackup(t, desk, dir).run(t.Context()))
	records := readLines[record](t, filepath.Join(dir, "tickets.jsonl"))
	require.Len(t, records, 2)
	got := map[supportbee.TicketID]record{}
	for _, r := range records {
		got[r.Ticket.ID] = r
	}
	assert.Equal(t, []file{{ID: lost, Missing: true}}, got[first].Files)
	assert.False(t, got[first].Deleted)
	assert.True(t, got[second].Deleted)
}

func TestAnIncompleteExportIsResumed(t *testing.T) {
	t.Parallel()
	for _, skip := range []int{0, 4} { // before the first ticket, and later
		testIncompleteExport(t, skip)
	}
}

func testIncompleteExport(t *testing.T, skip int) {
	t.Helper()
	desk := supportbeetest.New(t)
	desk.AddTickets(300)
	fault := desk.Inject(supportbeetest.Match{Op: "Tickets.List", Skip: skip}, supportbeetest.Fault{Name: "reverse", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			r.Header.Del("Accept-Encoding")
			next.ServeHTTP(recorder, r)
			var page map[string]any
			if assert.NoError(t, json.Unmarshal(recorder.Body.Bytes(), &page)) {
				slices.Reverse(page["tickets"].([]any))
			}
			w.Header().Set("Content-Type", "application/json")
			assert.NoError(t, json.NewEncoder(w).Encode(page))
		})
	}})
	dir := t.TempDir()
	b := newBackup(t, desk, dir)
	require.ErrorIs(t, b.run(t.Context()), supportbee.ErrIncomplete)
	fault.Remove()
	require.NoError(t, b.run(t.Context()))
	require.NoError(t, b.store.Close())
	assertBackup(t, desk, dir)
}

func TestMembersOfTheServerAreKept(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.List"}, supportbeetest.Fault{Name: "member", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			recorder := httptest.NewRecorder()
			r.Header.Del("Accept-Encoding")
			next.ServeHTTP(recorder, r)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.ReplaceAll(recorder.Body.String(), `"subject":`, `"priority":{"<b>":1.50},"subject":`))
		})
	}})
	dir := t.TempDir()
	b := newBackup(t, desk, dir)
	require.NoError(t, b.run(t.Context()))
	require.NoError(t, b.store.Close())
	for _, r := range readLines[struct {
		Ticket map[string]json.RawMessage `json:"ticket"`
	}](t, filepath.Join(dir, "tickets.jsonl")) {
		assert.JSONEq(t, `{"<b>":1.50}`, string(r.Ticket["priority"]))
	}
	assertBackup(t, desk, dir)
}

func TestOneProgramAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openStore(dir)
	require.NoError(t, err)
	_, err = openStore(dir)
	require.ErrorContains(t, err, "which another program may be using")
	require.NoError(t, s.Close())
	s, err = openStore(dir)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

func TestVerifyFindsDamage(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	id := desk.AddFile("a.txt", "text/plain", []byte("good"))
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "A", Text: "A", AttachmentIDs: []supportbee.AttachmentID{id}})
	dir := t.TempDir()
	b := newBackup(t, desk, dir)
	require.NoError(t, b.run(t.Context()))
	require.NoError(t, b.store.Close())
	verify := func() (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), []string{"-verify", "-dir", dir}, &out)
		return out.String(), err
	}
	out, err := verify()
	require.NoError(t, err)
	assert.Equal(t, dir+": 1 tickets and 1 files are as they were stored\n", out)

	require.NoError(t, os.WriteFile(b.store.path(id), []byte("evil"), 0o600))
	_, err = verify()
	require.ErrorContains(t, err, fmt.Sprintf("file %d is not as it was stored", id))
	require.NoError(t, os.WriteFile(b.store.path(id), []byte("good"), 0o600))
	lines := filepath.Join(dir, "tickets.jsonl")
	data, err := os.ReadFile(lines)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(lines, bytes.Replace(data, []byte(`{`), []byte(`[`), 1), 0o600))
	_, err = verify()
	require.ErrorContains(t, err, "is not as it was stored")
	require.NoError(t, os.WriteFile(lines, data[:10], 0o600))
	_, err = verify()
	require.ErrorContains(t, err, "tickets.jsonl is damaged: it has 10 bytes")
}

func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
}

func TestDemo(t *testing.T) {
	clearEnv(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://127.0.0.1:")
	assert.Contains(t, out.String(), ": 400 tickets and 16 files are as they were stored")
	assert.Contains(t, out.String(), ": 1010 tickets and 50 files are as they were stored")
}

func TestWrongUse(t *testing.T) {
	clearEnv(t)
	dir := filepath.Join(t.TempDir(), "absent")
	require.ErrorIs(t, run(t.Context(), []string{"-verify", "-dir", dir}, io.Discard), fs.ErrNotExist)
	require.ErrorContains(t, run(t.Context(), []string{"-rate", "0"}, io.Discard), "-rate must be positive")
	t.Setenv("SUPPORTBEE_COMPANY", "acme")
	require.ErrorIs(t, run(t.Context(), []string{"-dir", dir}, io.Discard), supportbee.ErrTokenRequired)
	require.NoDirExists(t, dir)
}

func TestFollowUntilAnInterrupt(t *testing.T) {
	clearEnv(t)
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "a dir?")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	var out bytes.Buffer
	result := make(chan error, 1)
	go func() {
		result <- run(ctx, []string{"-follow", "-rate", "1000", "-dir", dir, "-metrics", address}, &out)
	}()
	require.NoError(t, desk.Wait(t.Context(), func() bool { // until it has begun to watch
		return slices.ContainsFunc(desk.Requests("Tickets.List"), func(r supportbeetest.Request) bool {
			return r.Query.Get("sort_by") == string(supportbee.SortByLastActivity)
		})
	}))
	for path, want := range map[string]string{"/healthz": "", "/metrics": "export_stored_total 10\n"} {
		response, err := http.Get("http://" + address + path)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Contains(t, string(body), want)
		assert.NotContains(t, string(body), desk.Token)
		assert.NotContains(t, string(body), "@")
	}
	cancel()
	require.NoError(t, <-result)
	desk.AssertNoWrites(t)
	assertBackup(t, desk, dir)
}
