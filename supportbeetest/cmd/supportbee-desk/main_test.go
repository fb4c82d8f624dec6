package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newOutput() *output { return &output{more: make(chan struct{}, 100)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start runs the command, and returns its URL, its token, what it logs, and how to stop it.
func start(t *testing.T, args ...string) (url, token string, logs *output, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, logs := newOutput(), newOutput()
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), out, logs) }()
	select {
	case <-out.more:
	case err := <-done:
		t.Fatal(err)
	}
	found := regexp.MustCompile(`The desk is at\s+(\S+)\s+Its token is\s+(\S+)\n`).FindStringSubmatch(out.String())
	require.NotNil(t, found, out.String())
	var once sync.Once
	var stopped error
	stop = func() error {
		once.Do(func() {
			cancel()
			stopped = <-done
		})
		return stopped
	}
	t.Cleanup(func() { assert.NoError(t, stop()) })
	return found[1], found[2], logs, stop
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(data)
}

func TestTheDeskStandsAlone(t *testing.T) {
	t.Parallel()
	url, token, logs, _ := start(t, "-seed", "60")
	client, err := supportbee.New("", token, supportbee.WithBaseURL(url))
	require.NoError(t, err)
	total, err := client.Tickets.Count(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true})
	require.NoError(t, err)
	assert.Equal(t, 70, total)
	_, err = client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrNotFound)

	status, body := get(t, url)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "Tickets (70)")
	assert.Contains(t, body, "Tickets.Get")
	status, body = get(t, url+"/desk/tickets/1018")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "Looks like the caps lock case again.")
	for _, path := range []string{"/desk/tickets/1", "/desk/tickets/x"} {
		status, _ = get(t, url+path)
		assert.Equal(t, http.StatusNotFound, status)
	}
	assert.Contains(t, logs.String(), "op=Tickets.Get status=404")
	assert.NotContains(t, logs.String(), token)
}

func TestTheDeskKeepsItsState(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "desk.json")
	url, token, _, stop := start(t, "-state", file)
	client, err := supportbee.New("", token, supportbee.WithBaseURL(url))
	require.NoError(t, err)
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("Keep me")})
	require.NoError(t, err)
	require.NoError(t, stop())

	url, _, _, _ = start(t, "-state", file)
	again, err := supportbee.New("", token, supportbee.WithBaseURL(url)) // the old token still works
	require.NoError(t, err)
	got, err := again.Tickets.Get(t.Context(), ticket.ID)
	require.NoError(t, err)
	assert.Equal(t, "Keep me", got.Content.Text)
}

func TestChaosIsOnPurpose(t *testing.T) {
	t.Parallel()
	url, token, logs, _ := start(t, "-chaos", "1", "-dialect", "documented", "-rate-limits")
	client, err := supportbee.New("", token, supportbee.WithBaseURL(url), supportbee.WithoutRetry())
	require.NoError(t, err)
	failed := 0
	for range 6 {
		if _, err := client.Labels.List(t.Context()); err != nil {
			failed++
		}
	}
	assert.Positive(t, failed)
	assert.Regexp(t, `fault=\S`, logs.String())
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unexpected argument "x"`:       {"x"},
		"-seed must not be negative":    {"-seed", "-1"},
		"-chaos must be 0 to 1":         {"-chaos", "2"},
		"flag provided but not defined": {"-unknown"},
		"listen tcp":                    {"-addr", "127.0.0.1:99999"},
		"no such file or directory":     {"-addr", "127.0.0.1:0", "-state", filepath.Join(t.TempDir(), "none", "x", "..", "y", "desk.json")},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := run(ctx, args, io.Discard, io.Discard)
		if strings.HasPrefix(want, "no such") {
			require.ErrorContains(t, err, want)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}
