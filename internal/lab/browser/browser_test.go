package browser_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
)

// chromium returns a context of a new browser, or skips the test where none is installed.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: install the package chromium to run this test")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx)) // starts the browser, which lives as long as this context
	browser := ctx
	t.Cleanup(func() { _ = chromedp.Cancel(browser) }) // waits for it to let go of its folder
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// desk builds and starts the command, and returns its URL and token.
func desk(t *testing.T, args ...string) (url, token string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "supportbee-desk")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/supportbee-go/supportbee/supportbeetest/cmd/supportbee-desk")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found, ok := strings.CutPrefix(lines.Text(), "The desk is at"); ok {
			url = strings.TrimSpace(found)
		}
		if found, ok := strings.CutPrefix(lines.Text(), "Its token is"); ok {
			token = strings.TrimSpace(found)
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	require.NotEmpty(t, token)
	return url, token
}

// do runs one action.
func do[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return result
}

func TestThePageShowsWhatAnIntegrationDoes(t *testing.T) {
	t.Parallel()
	ctx := chromium(t)
	url, token := desk(t, "-seed", "120")
	client, err := supportbee.New("", token, supportbee.WithBaseURL(url))
	require.NoError(t, err)
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
		Subject: "A <b>bold</b> kettle", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer", Content: supportbee.Text("It leaks <script>alert(1)</script>"),
	})
	require.NoError(t, err)
	_, err = client.Replies.Create(t.Context(), ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("A new one is on its way.")})
	require.NoError(t, err)
	_, err = client.Comments.Create(t.Context(), ticket.ID, supportbee.CommentParams{Content: supportbee.Text("The third this week.")})
	require.NoError(t, err)
	_, err = client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrNotFound)

	do(ctx, t, chromedp.EmulateViewport(390, 844)) // a phone
	do(ctx, t, chromedp.Navigate(url))
	title := do(ctx, t, chromedp.Title())
	list := do(ctx, t, chromedp.Text("main"))
	tickets := do(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll(".tickets li").length`))
	requests := do(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll(".requests li").length`))
	wide := do(ctx, t, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
	scripts := do(ctx, t, chromedp.Evaluate[int](`document.scripts.length`))
	picture := do(ctx, t, chromedp.FullScreenshot(100))
	do(ctx, t, chromedp.Click(`.tickets li a`))
	do(ctx, t, chromedp.WaitVisible(".message.comment"))
	conversation := do(ctx, t, chromedp.Text("main"))
	wideOne := do(ctx, t, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
	do(ctx, t, chromedp.Navigate(url+"/_desk/?page=3"))
	older := do(ctx, t, chromedp.Text("main"))
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "desk.png"), picture, 0o600))
	}
	assert.Equal(t, "Embedded SupportBee desk", title)
	assert.Contains(t, list, "Tickets (131)")
	assert.Equal(t, 50, tickets)
	assert.Equal(t, 4, requests, "looking at the page leaves no trace")
	assert.Contains(t, list, "A <b>bold</b> kettle", "what others write is shown, not obeyed")
	assert.Regexp(t, `404 GET /tickets/7 · Tickets\.Get`, list)
	assert.LessOrEqual(t, wide, 0, "nothing is wider than a phone")
	assert.LessOrEqual(t, wideOne, 0)
	assert.Zero(t, scripts)
	for _, text := range []string{"It leaks <script>alert(1)</script>", "Ada Adams", "A new one is on its way.", "comment by Ada Adams", "The third this week."} {
		assert.Contains(t, conversation, text)
	}
	assert.NotContains(t, list+conversation+older, token)
	assert.Contains(t, older, "← newer")
}
