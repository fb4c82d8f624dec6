package browser_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
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

// contrasts returns the texts whose contrast with what is behind them is too low for WCAG AA.
const contrasts = `(() => {
	const rgb = text => text.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3) return c; } };
	const low = [];
	for (const e of document.body.querySelectorAll("*")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility({ visibilityProperty: true })) continue;
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 4.5) low.push(e.outerHTML);
	}
	return low;
})()`

func TestThePageShowsWhatAnIntegrationDoes(t *testing.T) {
	t.Parallel()
	ctx := chromium(t)
	url, token := desk(t, "-seed", "120")
	client, err := supportbee.New("", token, supportbee.WithBaseURL(url), supportbee.WithoutRetry())
	require.NoError(t, err)
	control := func(path, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/_desk/"+path, strings.NewReader(body))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Less(t, res.StatusCode, 300)
	}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(hook.Close)
	control("webhooks", `{"url":"`+hook.URL+`"}`)
	ticket, err := client.Tickets.Create(t.Context(), supportbee.TicketParams{
		Subject: "A <b>bold</b> kettle", RequesterEmail: "ann@example.com", RequesterName: "Ann Archer", CC: []string{"carl@example.com"},
		Content: supportbee.ContentParams{Text: "It leaks.", HTML: `<p>It <b>leaks</b> <img src=x onerror="parent.document.title='bad'"><script>parent.document.title = "bad"</script></p>`},
	})
	require.NoError(t, err)
	_, err = client.Labels.Add(t.Context(), ticket.ID, "refund")
	require.NoError(t, err)
	_, err = client.Replies.Create(t.Context(), ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("A new one is on its way.")})
	require.NoError(t, err)
	_, err = client.Comments.Create(t.Context(), ticket.ID, supportbee.CommentParams{Content: supportbee.Text("The third this week.")})
	require.NoError(t, err)
	_, err = client.Drafts.Create(t.Context(), ticket.ID, supportbee.DraftParams{Content: supportbee.Text("Has the new one arrived?")})
	require.NoError(t, err)
	_, err = client.Tickets.Get(t.Context(), 7)
	require.ErrorIs(t, err, supportbee.ErrNotFound)
	control("faults", `{"op":"Tickets.Archive","times":1,"faults":[{"type":"status","status":502}]}`)
	require.Error(t, client.Tickets.Archive(t.Context(), ticket.ID))

	shot := func(name string) { // into the folder SCREENSHOTS, to look at
		if folder := os.Getenv("SCREENSHOTS"); folder != "" {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), do(ctx, t, chromedp.CaptureScreenshot()), 0o600))
		}
	}
	is := func(expression string) bool { return do(ctx, t, chromedp.Evaluate[bool](expression)) }
	wait := func(expression string) {
		t.Helper()
		require.Eventually(t, func() bool {
			holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
			return err == nil && holds // the error of a page that is being left
		}, time.Minute, 20*time.Millisecond, expression)
	}
	text := func(id string) string { return do(ctx, t, chromedp.TextContent("#"+id)) }
	visible := func() []string {
		return do(ctx, t, chromedp.Evaluate[[]string](`[...document.querySelectorAll("section")].filter(e => e.checkVisibility({ visibilityProperty: true })).map(e => e.id)`))
	}

	// Side by side.
	do(ctx, t, chromedp.EmulateViewport(1280, 800))
	do(ctx, t, chromedp.Navigate(url))
	wait(`document.getElementById("live").textContent === "live"`)
	assert.Equal(t, "Embedded SupportBee desk", do(ctx, t, chromedp.Title()))
	assert.Equal(t, []string{"requests", "tickets", "ticket"}, visible())
	assert.Contains(t, text("tickets-list"), "A <b>bold</b> kettle", "what others write is shown, not obeyed")
	assert.Equal(t, 30, do(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll("#tickets-list li").length`)))
	assert.Equal(t, 7, do(ctx, t, chromedp.Evaluate[int](`document.querySelectorAll("#requests-list li").length`)), "looking at the page leaves no trace")
	do(ctx, t, chromedp.Click(fmt.Sprint("#link-", ticket.ID)))
	wait(`document.querySelector("#draft") !== null`)
	for _, part := range []string{"It leaks.", "Ann Archer", "cc: carl@example.com", "Ada Adams", "A new one is on its way.", "The third this week.", "not sent", "reply", "ticket.created"} {
		assert.Contains(t, text("ticket"), part)
	}
	assert.Equal(t, "Embedded SupportBee desk", do(ctx, t, chromedp.Title()), "the HTML of a message has no scripts")
	ids := do(ctx, t, chromedp.Evaluate[[]string](`[...document.querySelectorAll("#requests-list li")].map(e => "#" + e.id)`))
	opened := []string{ids[1], ids[5]}
	for _, id := range opened {
		do(ctx, t, chromedp.Evaluate[any](`document.querySelector("`+id+` summary").click(), null`))
	}

	// What is new appears, and the rest stays in place.
	do(ctx, t, chromedp.Evaluate[any](`getSelection().selectAllChildren(document.querySelector(".agent .text")), null`))
	do(ctx, t, chromedp.Evaluate[any](`document.querySelector("[name=query]").value = "kettle", document.getElementById("tickets").scrollTop = 300, null`))
	frame := `document.querySelector("iframe")`
	do(ctx, t, chromedp.Evaluate[any](`window.frame = `+frame+`, null`))
	require.NoError(t, client.Tickets.MarkAnswered(t.Context(), ticket.ID))
	_, err = client.Comments.Create(t.Context(), ticket.ID, supportbee.CommentParams{Content: supportbee.Text("Live.")})
	require.NoError(t, err)
	wait(`document.getElementById("ticket").textContent.includes("Live.")`)
	wait(`document.querySelectorAll("#requests-list li").length === 9`)
	for _, id := range opened {
		assert.True(t, is(`document.querySelector("`+id+` details").open`))
	}
	assert.Equal(t, "A new one is on its way.", do(ctx, t, chromedp.Evaluate[string](`getSelection().toString().trim()`)))
	assert.True(t, is(`document.querySelector("[name=query]").value === "kettle"`))
	assert.Equal(t, 300, do(ctx, t, chromedp.Evaluate[int](`document.getElementById("tickets").scrollTop`)))
	assert.True(t, is(`window.frame === `+frame), "the frame need not load again")
	do(ctx, t, chromedp.Evaluate[any](`document.getElementById("tickets").scrollTop = 0, getSelection().removeAllRanges(), null`))

	for _, scheme := range []string{"light", "dark"} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		require.NoError(t, err)
		do(ctx, t, chromedp.EmulateViewport(1280, 800))
		assert.Empty(t, do(ctx, t, chromedp.Evaluate[[]string](contrasts)), scheme)
		shot("desk-wide-" + scheme)

		// One tap apart.
		do(ctx, t, chromedp.EmulateViewport(390, 844))
		for _, view := range []string{"requests", "tickets", "ticket"} {
			do(ctx, t, chromedp.Click("#tab-"+view))
			wait(`document.querySelector("#tab-` + view + `[aria-current]") !== null`)
			assert.Equal(t, []string{view}, visible())
			assert.LessOrEqual(t, do(ctx, t, chromedp.Evaluate[int](`Math.max(...[...document.querySelectorAll("html, section")].map(e => e.scrollWidth - e.clientWidth))`)), 0, "nothing is wider than a phone")
			assert.Empty(t, do(ctx, t, chromedp.Evaluate[[]string](contrasts)), scheme)
			shot("desk-phone-" + view + "-" + scheme)
		}
	}

	// Filters.
	do(ctx, t, chromedp.EmulateViewport(1280, 800))
	do(ctx, t, chromedp.Evaluate[any](`document.getElementById("filters").open = true, document.getElementById("form").requestSubmit(), null`))
	wait(`document.querySelectorAll("#tickets-list li").length < 30`)
	assert.Equal(t, "?"+fmt.Sprintf("view=tickets&ticket=%d&query=kettle", ticket.ID), do(ctx, t, chromedp.Evaluate[string](`location.search`)))
	shot("desk-filters")
	do(ctx, t, chromedp.NavigateBack())
	wait(`document.querySelectorAll("#tickets-list li").length === 30`)

	// Without scripts, the page is the same and loads itself again.
	_, err = chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	require.NoError(t, err)
	do(ctx, t, chromedp.Navigate(fmt.Sprintf("%s/_desk/?view=ticket&ticket=%d", url, ticket.ID)))
	assert.Contains(t, text("ticket"), "Live.")
	assert.NotContains(t, do(ctx, t, chromedp.OuterHTML("html")), token)
}
