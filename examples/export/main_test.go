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
	return backUp(context.Background(), client, dir, supportbee.ExportOptions{Workers: 8}, io.Discard)
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
	tickets, kills := 5000, 20
	if raceEnabled {
		tickets = 1500 // it takes ten times as long
	}
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
	threads := desk.Inject(supportbeetest.Match{Op: "Replies.List"}, supportbeetest.Delay(10*time.Millisecond))

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
		target := requests.n.Load() + 1 + random.Int64N(80)
		due := func() bool { return requests.n.Load() >= target }
		if phase == "watch" { // while it stores a ticket, after those that it has stored
			target := threads.Hits() + 1 + random.IntN(15)
			due = func() bool { return threads.Hits() >= target }
		}
		if phase == "export" && done == kills/2 { // the rest is for the changes, which the writer does not let end
			past := 0 // the first 200, most of which have not changed since they were exported
			due = func() bool {
				if past == 0 && polls.Hits() > 0 {
					past = threads.Hits() + 200
				}
				return past > 0 && threads.Hits() >= past
			}
		}
		if killed, _ := run(due); killed {
			done++
			phases[phase]++
		}
		if assertStored(t, dir) {
			phase = "watch"
		}
	}
	stopWriter()
	threads.Remove()
	writing.Wait()
	t.Logf("%d kills in %v, phases %v, %d requests, %d faults, %d changes", kills, time.Since(begun), phases, requests.n.Load(), chaos(), changes)
	for complete := false; !complete; {
		_, err := run(func() bool { return false })
		complete = err == nil
	}
	t.Log("then complete in", time.Since(begun))
	assertBackup(t, desk, dir)
}

// assertStored checks, while no program runs, that each ticket of the database has its files, and
// each file its checksum. It reports whether the export is complete.
func assertStored(t *testing.T, dir string) bool {
	t.Helper()
	b, err := openBackup(dir, nil)
	require.NoError(t, err)
	defer b.db.Close()
	rows, err := b.db.Query("SELECT line FROM tickets")
	require.NoError(t, err)
	defer rows.Close()
	var attachments []supportbee.Attachment
	for rows.Next() {
		var line []byte
		require.NoError(t, rows.Scan(&line))
		var r record
		require.NoError(t, json.Unmarshal(line, &r))
		attachments = append(attachments, attachmentsOf(r)...)
	}
	require.NoError(t, rows.Err())
	for _, attachment := range attachments {
		var sum string
		require.NoError(t, b.db.QueryRow("SELECT sha256 FROM files WHERE id = ?", attachment.ID).Scan(&sum))
		require.Equal(t, sum, checksum(t, dir, fmt.Sprint("files/", attachment.ID)))
	}
	var watched supportbee.Checkpoint
	require.NoError(t, b.load("watch", &watched))
	return !watched.IsZero()
}

func attachmentsOf(r record) []supportbee.Attachment {
	attachments := slices.Clone(r.Ticket.Content.Attachments)
	for _, reply := range r.Replies {
		attachments = append(attachments, reply.Content.Attachments...)
	}
	for _, comment := range r.Comments {
		attachments = append(attachments, comment.Content.Attachments...)
	}
	return attachments
}

func checksum(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// assertBackup checks that a backup has everything once, in its newest state.
func assertBackup(t *testing.T, desk *supportbeetest.Desk, dir string) {
	t.Helper()
	newest := map[supportbee.TicketID]record{}
	for _, r := range readLines[record](t, filepath.Join(dir, "tickets.jsonl")) {
		require.NotContains(t, newest, r.Ticket.ID, "ticket %d is there twice", r.Ticket.ID)
		newest[r.Ticket.ID] = r
	}
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	require.NoError(t, err)
	listed := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		require.NotContains(t, listed, name)
		require.Equal(t, sum, checksum(t, dir, name))
		listed[name] = sum
	}
	all := desk.Tickets()
	require.Len(t, newest, len(all))
	files := 0
	for _, want := range all {
		r := newest[want.ID]
		require.NotNil(t, r.Ticket, "ticket %d is missing", want.ID)
		require.Equal(t, want.LastActivityAt.Unix(), r.Ticket.LastActivityAt.Unix(), "ticket %d", want.ID)
		require.Equal(t, want.RepliesCount, r.Ticket.RepliesCount, "ticket %d", want.ID)
		require.Equal(t, want.CommentsCount, r.Ticket.CommentsCount, "ticket %d", want.ID)
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
		for _, attachment := range attachments {
			name := fmt.Sprint("files/", attachment.ID)
			require.Contains(t, listed, name)
			data, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, desk.File(attachment.ID), data)
		}
		files += len(attachments)
	}
	require.Len(t, listed, files)
	assert.Len(t, readLines[supportbee.Label](t, filepath.Join(dir, "labels.jsonl")), len(desk.Labels()))
	assert.Len(t, readLines[supportbee.Snippet](t, filepath.Join(dir, "snippets.jsonl")), len(desk.Snippets()))
	assert.Len(t, readLines[supportbee.User](t, filepath.Join(dir, "users.jsonl")), len(desk.Users()))
}

// assertPrivate checks that nobody else can read the files of a backup.
func assertPrivate(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			assert.Zero(t, info.Mode().Perm()&0o077, path)
		}
		return err
	}))
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

func backUpDesk(ctx context.Context, desk *supportbeetest.Desk, dir string) error {
	return backUp(ctx, desk.Client(fast), dir, supportbee.ExportOptions{}, io.Discard)
}

func TestWhatIsGoneDoesNotStopTheBackup(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	lost := desk.AddFile("lost.txt", "text/plain", []byte("lost"))
	first := desk.AddTicket(supportbeetest.TicketSeed{Subject: "A", Text: "A", AttachmentIDs: []supportbee.AttachmentID{lost}})
	second := desk.AddTicket(supportbeetest.TicketSeed{Subject: "B", Text: "B"})
	desk.AddCustomerReply(second, "C")
	third := desk.AddTicket(supportbeetest.TicketSeed{Subject: "D", Text: "D"})
	desk.AddCustomerReply(third, "E")
	desk.Inject(supportbeetest.Match{Op: "Attachments.Download"}, supportbeetest.Status(http.StatusNotFound))
	desk.Inject(supportbeetest.Match{Op: "Replies.List", TicketID: second}, supportbeetest.Status(http.StatusNotFound))
	dir := t.TempDir()
	read := func() map[supportbee.TicketID]record {
		require.NoError(t, backUpDesk(t.Context(), desk, dir))
		got := map[supportbee.TicketID]record{}
		for _, r := range readLines[record](t, filepath.Join(dir, "tickets.jsonl")) {
			got[r.Ticket.ID] = r
		}
		require.Len(t, got, 3)
		return got
	}
	got := read()
	sums, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	require.NoError(t, err)
	assert.Empty(t, sums)
	assert.False(t, got[first].Deleted)
	assert.True(t, got[second].Deleted)
	assert.False(t, got[third].Deleted)

	// What was stored before a ticket was deleted stays.
	desk.AddCustomerReply(third, "F")
	gone := desk.Inject(supportbeetest.Match{Op: "Replies.List", TicketID: third}, supportbeetest.Status(http.StatusNotFound))
	got = read()
	assert.Equal(t, 1, gone.Hits())
	assert.Len(t, got[third].Replies, 1)
	assert.False(t, got[third].Deleted)
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
	require.ErrorIs(t, backUpDesk(t.Context(), desk, dir), supportbee.ErrIncomplete)
	fault.Remove()
	require.NoError(t, backUpDesk(t.Context(), desk, dir))
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
	require.NoError(t, backUpDesk(t.Context(), desk, dir))
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
	b, err := openBackup(dir, nil)
	require.NoError(t, err)
	_, err = openBackup(dir, nil)
	require.ErrorContains(t, err, "which another program may be using")
	require.NoError(t, b.db.Close())
	b, err = openBackup(dir, nil)
	require.NoError(t, err)
	require.NoError(t, b.save("x", 1))
	assertPrivate(t, dir) // also of the write-ahead log
	require.NoError(t, b.db.Close())
}

func TestChecksumsFindDamage(t *testing.T) {
	t.Parallel()
	sha256sum, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("there is no sha256sum")
	}
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	id := desk.AddFile("a.txt", "text/plain", []byte("good"))
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "A", Text: "A", AttachmentIDs: []supportbee.AttachmentID{id}})
	dir := t.TempDir()
	require.NoError(t, backUpDesk(t.Context(), desk, dir))
	assertPrivate(t, dir)
	check := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), sha256sum, "-c", "SHA256SUMS")
		cmd.Dir = dir
		out, err := cmd.Output()
		return string(out), err
	}
	out, err := check()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("files/%d: OK\n", id), out)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "files", fmt.Sprint(id)), []byte("evil"), 0o600))
	_, err = check()
	require.Error(t, err)
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
	assert.Contains(t, out.String(), "interrupted at ticket 400: supportbee: Tickets.Export: context canceled\n")
	assert.Equal(t, 2, strings.Count(out.String(), ": 1010 tickets, 50 files\n"))
}

func TestTicketsAreReadOnce(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithoutSeed())
	for range 20 {
		id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle", Text: "Hello"})
		desk.AddCustomerReply(id, "One more thing.")
	}
	dir := t.TempDir()
	for range 2 {
		require.NoError(t, backUp(t.Context(), desk.Client(), dir, supportbee.ExportOptions{}, io.Discard))
		desk.AssertRequests(t, "Replies.List", 20) // although the tickets have activity since the export began
	}
	desk.AddComment(desk.Tickets()[0].ID, desk.Users()[0].ID, "The third this week.")
	require.NoError(t, backUp(t.Context(), desk.Client(), dir, supportbee.ExportOptions{}, io.Discard))
	desk.AssertRequests(t, "Replies.List", 21)
	assertBackup(t, desk, dir)
}

func TestWrongUse(t *testing.T) {
	clearEnv(t)
	dir := filepath.Join(t.TempDir(), "absent")
	require.ErrorContains(t, run(t.Context(), []string{"-rate", "0"}, io.Discard), "-rate must be positive")
	t.Setenv("SUPPORTBEE_COMPANY", "acme")
	require.ErrorIs(t, run(t.Context(), []string{"-dir", dir}, io.Discard), supportbee.ErrTokenRequired)
	require.NoDirExists(t, dir)
}

func TestAnInterruptLosesNothing(t *testing.T) {
	clearEnv(t)
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	desk.AddTickets(300)
	withReplies := 0
	for _, ticket := range desk.Tickets() {
		if ticket.RepliesCount > 0 {
			withReplies++
		}
	}
	dir := filepath.Join(t.TempDir(), "a dir?")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	args := []string{"-rate", "1000", "-dir", dir}
	go func() { result <- run(ctx, args, io.Discard) }()
	require.NoError(t, desk.Wait(t.Context(), func() bool { return len(desk.Requests("Replies.List")) >= 20 }))
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	require.NoFileExists(t, filepath.Join(dir, "tickets.jsonl"))
	taken := strings.TrimPrefix(desk.URL, "http://")
	require.ErrorContains(t, run(t.Context(), append(args, "-metrics", taken), io.Discard), taken)
	require.NoFileExists(t, filepath.Join(dir, "tickets.jsonl"))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), append(args, "-metrics", "127.0.0.1:0"), &out))
	assert.Equal(t, fmt.Sprintf("%s: %d tickets, 0 files\n", dir, len(desk.Tickets())), out.String())
	const again = 4 // by the workers that were interrupted
	assert.LessOrEqual(t, len(desk.Requests("Replies.List")), withReplies+again)
	desk.AssertNoWrites(t)
	assertBackup(t, desk, dir)
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}
