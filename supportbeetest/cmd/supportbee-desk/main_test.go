package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
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

// desk is a running command.
type desk struct {
	url, token string
	out, logs  *output
	stop       func() error
}

// start runs the command.
func start(t *testing.T, args ...string) desk {
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
	var once sync.Once
	var stopped error
	stop := func() error {
		once.Do(func() {
			cancel()
			stopped = <-done
		})
		return stopped
	}
	t.Cleanup(func() { assert.NoError(t, stop()) })
	url, token := addresses(t, out.String())
	return desk{url, token, out, logs, stop}
}

// addresses returns the URL and the token that the command has printed.
func addresses(t *testing.T, printed string) (url, token string) {
	t.Helper()
	found := regexp.MustCompile(`The desk is at\s+(\S+)\s+Its token is\s+(\S+)\n`).FindStringSubmatch(printed)
	require.NotNil(t, found, printed)
	return found[1], found[2]
}

// tokenOf returns the token that the command has printed for a role.
func tokenOf(t *testing.T, printed, role string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^  ` + role + ` .*?(\S+)$`).FindStringSubmatch(printed)
	require.NotNil(t, found, printed)
	return found[1]
}

// client returns a client of a desk.
func client(t *testing.T, url, token string) *supportbee.Client {
	t.Helper()
	c, err := supportbee.New("", token, supportbee.WithBaseURL(url), supportbee.WithoutRetry())
	require.NoError(t, err)
	return c
}

// curl runs the arguments of a curl command that the command has printed, and returns the status
// and the body.
func curl(t *testing.T, line string, more ...string) (status int, body string) {
	t.Helper()
	method, data, url := http.MethodGet, "", ""
	header := http.Header{}
	args := append(regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1)[1:], more...)
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-H":
			i++
			name, value, _ := strings.Cut(strings.Trim(args[i], "'"), ": ")
			header.Set(name, value)
		case "-d":
			i++
			method, data = http.MethodPost, args[i]
		default:
			url = args[i]
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(data))
	require.NoError(t, err)
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(read)
}

// lines returns the printed lines that begin with a prefix.
func lines(printed, prefix string) []string {
	var list []string
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, prefix) {
			list = append(list, strings.TrimSpace(line))
		}
	}
	return list
}

func TestTheDeskStandsAlone(t *testing.T) {
	t.Parallel()
	d := start(t, "-seed", "60")
	total, err := client(t, d.url, d.token).Tickets.Count(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true})
	require.NoError(t, err)
	assert.Equal(t, 70, total)
	_, err = client(t, d.url, d.token).Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrNotFound)

	status, body := curl(t, "curl "+d.url) // redirected to the page
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, "/tickets/7")
	_, body = curl(t, "curl "+d.url+"/_desk/?archived=any&spam=true&trash=true")
	assert.Contains(t, body, "Tickets (70)")
	assert.Contains(t, d.logs.String(), "op=Tickets.Get status=404")
	assert.NotContains(t, d.logs.String(), d.token)
	assert.NotContains(t, d.logs.String(), "warning")
}

func TestWhatIsPrintedWorks(t *testing.T) {
	t.Parallel()
	d := start(t, "-token", "secret")
	assert.Equal(t, "secret", d.token)
	printed := d.out.String()
	commands := lines(printed, "curl ")
	require.Len(t, commands, 2)
	for _, line := range commands {
		status, body := curl(t, line)
		assert.Equal(t, http.StatusOK, status, line+": "+body)
	}
	for _, role := range []string{"admin", "agent", "collaborator", "customer"} {
		status, body := curl(t, "curl -H 'Accept: application/json' "+d.url+"/tickets", "-H", "Authorization: Bearer "+tokenOf(t, printed, role))
		assert.Equal(t, http.StatusOK, status, role+": "+body)
	}
	_, err := client(t, d.url, tokenOf(t, printed, "agent")).Reports.TicketsCount(t.Context(), nil)
	require.ErrorIs(t, err, supportbee.ErrAccessDenied, "an agent is no admin")
}

// What a test in another language does.
func TestTheDeskIsControlledOverHTTP(t *testing.T) {
	t.Parallel()
	d := start(t)
	status, body := curl(t, "curl "+d.url+"/_desk/tickets", "-d", `{"subject":"Refund","text":"Please."}`)
	require.Equal(t, http.StatusCreated, status, body)
	id := regexp.MustCompile(`\d+`).FindString(body)
	status, body = curl(t, "curl "+d.url+"/_desk/faults", "-d", `{"op":"Replies.Create","times":1,"faults":[{"type":"status","status":502}]}`)
	require.Equal(t, http.StatusCreated, status, body)

	reply := "curl -H 'Accept: application/json' -H 'Content-Type: application/json' -H 'Authorization: Bearer " + d.token + "' " + d.url + "/tickets/" + id + "/replies"
	status, _ = curl(t, reply, "-d", `{"reply":{"content":{"text":"It is on its way."}}}`)
	assert.Equal(t, http.StatusBadGateway, status)
	status, _ = curl(t, reply, "-d", `{"reply":{"content":{"text":"It is on its way."}}}`)
	assert.Equal(t, http.StatusCreated, status)

	_, body = curl(t, "curl "+d.url+"/_desk/outbox")
	assert.Regexp(t, `"to":"eve@example.com","reason":"reply","subject":"Re: Refund","text":"It is on its way."`, body)
	_, body = curl(t, "curl "+d.url+"/_desk/faults/1")
	assert.Contains(t, body, `"hits":1`)
}

func TestTheDeskIsReachedFromOutside(t *testing.T) {
	t.Parallel()
	d := start(t, "-addr", ":0")
	assert.Regexp(t, `^http://localhost:\d+$`, d.url)
	assert.Contains(t, d.logs.String(), "warning: ")
	printed := d.out.String()
	for _, line := range lines(printed, "curl ") {
		status, body := curl(t, line)
		assert.Equal(t, http.StatusOK, status, line+": "+body)
	}
	status, _ := curl(t, "curl "+d.url+"/_desk/outbox")
	assert.Equal(t, http.StatusUnauthorized, status, "even from loopback, since it may be a proxy")
	status, _ = curl(t, "curl "+d.url+"/_desk/outbox", "-H", "Authorization: Bearer "+tokenOf(t, printed, "control"))
	assert.Equal(t, http.StatusOK, status)
	for _, url := range []string{d.url, strings.Replace(d.url, "localhost", "127.0.0.1", 1)} {
		downloads(t, url, d.token)
	}
}

func TestFilesHaveAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := start(t, "-storage-addr", "127.0.0.1:0")
	downloads(t, d.url, d.token)
	assert.Contains(t, d.logs.String(), "op=Attachments.Storage status=200")
}

// downloads checks that a file is sent back.
func downloads(t *testing.T, url, token string) {
	t.Helper()
	c := client(t, url, token)
	file, err := c.Attachments.Upload(t.Context(), "a.txt", strings.NewReader("abc"), nil)
	require.NoError(t, err)
	var back bytes.Buffer
	require.NoError(t, c.Attachments.Download(t.Context(), *file, &back, nil))
	assert.Equal(t, "abc", back.String())
}

func TestAPublicURL(t *testing.T) {
	t.Parallel()
	d := start(t, "-public-url", "http://desk.example/x/")
	assert.Equal(t, "http://desk.example/x", d.url)
	assert.NotEmpty(t, tokenOf(t, d.out.String(), "control"), "who comes through a proxy comes from loopback")
	assert.Contains(t, d.out.String(), "SUPPORTBEE_INSECURE_HTTP=true")
}

func TestTheDeskKeepsItsState(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "desk.json")
	d := start(t, "-state", file, "-seed", "3")
	ticket, err := client(t, d.url, d.token).Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("Keep me")})
	require.NoError(t, err)
	require.NoError(t, d.stop())

	again := start(t, "-state", file, "-seed", "3")
	assert.Equal(t, d.token, again.token)
	assert.Equal(t, tokenOf(t, d.out.String(), "agent"), tokenOf(t, again.out.String(), "agent"))
	got, err := client(t, again.url, d.token).Tickets.Get(t.Context(), ticket.ID)
	require.NoError(t, err)
	assert.Equal(t, "Keep me", got.Content.Text)
	total, err := client(t, again.url, d.token).Tickets.Count(t.Context(), &supportbee.TicketListOptions{Archived: supportbee.ArchivedAny, IncludeSpam: true, IncludeTrash: true})
	require.NoError(t, err)
	assert.Equal(t, 14, total, "the seed is for a new state only")
}

func TestTheDeskIsStrictByDefault(t *testing.T) {
	t.Parallel()
	for want, args := range map[int][]string{http.StatusBadRequest: nil, http.StatusOK: {"-lenient"}} {
		d := start(t, args...)
		status, body := curl(t, "curl -H 'Accept: application/json' -H 'Authorization: Bearer "+d.token+"' "+d.url+"/tickets?color=red")
		assert.Equal(t, want, status, body)
	}
}

func TestChaosIsOnPurpose(t *testing.T) {
	t.Parallel()
	d := start(t, "-chaos", "1", "-dialect", "documented", "-rate-limits")
	failed := 0
	for range 6 {
		if _, err := client(t, d.url, d.token).Labels.List(t.Context()); err != nil {
			failed++
		}
	}
	assert.Positive(t, failed)
	assert.Regexp(t, `fault=\S`, d.logs.String())
}

// command starts the test binary as the command; see [TestMain].
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

const asCommand = "SUPPORTBEE_DESK_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestTheStateSurvivesAKill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "desk.json")
	cmd := command(t, "-addr", "127.0.0.1:0", "-state", file)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var printed strings.Builder
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() && !strings.HasPrefix(scanner.Text(), "export ") {
		fmt.Fprintln(&printed, scanner.Text())
	}
	url, token := addresses(t, printed.String())
	ticket, err := client(t, url, token).Tickets.Create(t.Context(), supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("Keep me")})
	require.NoError(t, err)
	for { // the file is written soon after the response
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		if bytes.Contains(data, []byte("Keep me")) {
			break
		}
		require.NoError(t, t.Context().Err())
		runtime.Gosched()
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait(), "it was killed")

	d := start(t, "-state", file)
	got, err := client(t, d.url, token).Tickets.Get(t.Context(), ticket.ID)
	require.NoError(t, err)
	assert.Equal(t, "Keep me", got.Content.Text)
}

func TestHelpIsNoError(t *testing.T) {
	t.Parallel()
	output, err := command(t, "-h").CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(output), "-public-url URL")
	err = command(t, "-unknown").Run()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 2, exit.ExitCode())
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		`unexpected argument "x"`:       {"x"},
		"-seed must not be negative":    {"-seed", "-1"},
		"-chaos must be 0 to 1":         {"-chaos", "2"},
		"-chaos must be 0 to 1 ":        {"-chaos", "NaN"},
		"the public URL":                {"-addr", "127.0.0.1:0", "-public-url", "desk.example"},
		"flag provided but not defined": {"-unknown"},
		"listen tcp":                    {"-addr", "127.0.0.1:99999"},
		"no such file or directory":     {"-addr", "127.0.0.1:0", "-state", filepath.Join(t.TempDir(), "none", "x", "..", "y", "desk.json")},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := run(ctx, args, io.Discard, io.Discard)
		require.ErrorContains(t, err, strings.TrimSpace(want))
	}
}
