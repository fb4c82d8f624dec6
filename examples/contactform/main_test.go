package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/supportbeequeue"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

var png = []byte("\x89PNG\r\n\x1a\n and so on")

// post sends a form, with a file unless its name is empty.
func post(t *testing.T, site http.Handler, fields map[string]string, fileName string, file []byte, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	for name, value := range fields {
		require.NoError(t, parts.WriteField(name, value))
	}
	if fileName != "" {
		part, err := parts.CreateFormFile("file", fileName)
		require.NoError(t, err)
		_, err = part.Write(file)
		require.NoError(t, err)
	}
	require.NoError(t, parts.Close())
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", &body)
	r.Header.Set("Content-Type", parts.FormDataContentType())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w
}

func TestForm(t *testing.T) {
	t.Parallel()
	good := map[string]string{"id": "7", "name": "Ann Archer", "email": "ann@example.com", "subject": "Kettle", "text": "It leaks."}
	with := func(name, value string) map[string]string {
		fields := map[string]string{name: value}
		for n, v := range good {
			if n != name {
				fields[n] = v
			}
		}
		return fields
	}
	for _, tt := range []struct {
		name     string
		fields   map[string]string
		fileName string
		file     []byte
		headers  []string
		status   int
		stored   bool
		shown    []string // in the page
	}{
		{name: "good", fields: good, status: http.StatusSeeOther, stored: true},
		{name: "with a file", fields: good, fileName: "leak.png", file: png, status: http.StatusSeeOther, stored: true},
		{name: "an empty file field", fields: good, fileName: "", status: http.StatusSeeOther, stored: true},
		{name: "no message", fields: with("text", "  "), status: http.StatusUnprocessableEntity, shown: []string{`id="text-error">Please write a message.`, `value="ann@example.com"`}},
		{name: "no address", fields: with("email", ""), status: http.StatusUnprocessableEntity, shown: []string{`id="email-error">Please enter`, "It leaks.</textarea>"}},
		{name: "an odd address", fields: with("email", "ann@"), status: http.StatusUnprocessableEntity, shown: []string{`id="email-error">This is not an e-mail address`, `value="ann@"`}},
		{name: "a header in the address", fields: with("email", "a@b.c\r\nBcc: d@e.f"), status: http.StatusUnprocessableEntity, shown: []string{`id="email-error"`}},
		{name: "a program", fields: with("website", "http://spam.example"), status: http.StatusSeeOther},
		{name: "a program in a file", fields: good, fileName: "leak.png", file: []byte("MZ\x90\x00\x03"), status: http.StatusUnprocessableEntity, shown: []string{`id="file-error">The file must be`, "must be chosen again"}},
		{name: "a large file", fields: good, fileName: "leak.png", file: make([]byte, maxFile+1), status: http.StatusUnprocessableEntity, shown: []string{`id="file-error">This must have at most 5120 kB`, "It leaks.</textarea>"}},
		{name: "a huge file", fields: good, fileName: "leak.png", file: make([]byte, 22*maxFile), status: http.StatusBadRequest},
		{name: "a large message", fields: with("text", strings.Repeat("x", maxField+1)), status: http.StatusUnprocessableEntity, shown: []string{`id="text-error">This must have at most 64 kB`}},
		{name: "markup", fields: with("subject", `"><script>alert(1)</script>`), fileName: "x", file: []byte("MZ\x00"), status: http.StatusUnprocessableEntity, shown: []string{"&#34;&gt;&lt;script&gt;"}},
		{name: "from another site", fields: good, headers: []string{"Sec-Fetch-Site", "cross-site"}, status: http.StatusForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stored []message
			site := newSite(func(_ context.Context, m message) error { stored = append(stored, m); return nil })
			w := post(t, site, tt.fields, tt.fileName, tt.file, tt.headers...)
			assert.Equal(t, tt.status, w.Code)
			for _, part := range tt.shown {
				assert.Contains(t, w.Body.String(), part)
			}
			if !tt.stored {
				assert.Empty(t, stored)
				return
			}
			require.Len(t, stored, 1)
			want := message{ID: "7", Values: map[string]string{"name": "Ann Archer", "email": "ann@example.com", "subject": "Kettle", "text": "It leaks."}}
			if tt.fileName != "" {
				want.FileName, want.FileType, want.File = tt.fileName, "image/png", tt.file
			}
			assert.Equal(t, want, stored[0])
		})
	}
	t.Run("cannot be stored", func(t *testing.T) {
		t.Parallel()
		site := newSite(func(context.Context, message) error { return errors.New("disk full") })
		assert.Equal(t, http.StatusServiceUnavailable, post(t, site, good, "", nil).Code)
	})
	t.Run("fields that are not in the form", func(t *testing.T) {
		t.Parallel()
		fields := with("more", "x")
		var stored message
		site := newSite(func(_ context.Context, m message) error { stored = m; return nil })
		assert.Equal(t, http.StatusSeeOther, post(t, site, fields, "", nil).Code)
		assert.Equal(t, map[string]string{"name": "Ann Archer", "email": "ann@example.com", "subject": "Kettle", "text": "It leaks."}, stored.Values)
	})
	t.Run("a file with a blank name", func(t *testing.T) {
		t.Parallel()
		var stored message
		site := newSite(func(_ context.Context, m message) error { stored = m; return nil })
		assert.Equal(t, http.StatusSeeOther, post(t, site, good, "   ", png).Code)
		assert.Equal(t, message{ID: "7", Values: map[string]string{"name": "Ann Archer", "email": "ann@example.com", "subject": "Kettle", "text": "It leaks."}, FileName: "file", FileType: "image/png", File: png}, stored)
	})
	t.Run("more parts than a form has", func(t *testing.T) {
		t.Parallel()
		fields := map[string]string{}
		for i := range 1 + maxForm/maxField {
			fields[fmt.Sprint("x", i)] = strings.Repeat("x", maxField)
		}
		site := newSite(func(context.Context, message) error { return nil })
		assert.Equal(t, http.StatusBadRequest, post(t, site, fields, "", nil).Code)
	})
	t.Run("no form", func(t *testing.T) {
		t.Parallel()
		w := httptest.NewRecorder()
		newSite(nil).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader("x")))
		assert.Equal(t, http.StatusBadRequest, w.Code)
	})
}

// Each message becomes one ticket, and its requester is notified once, although the program is
// killed again and again, the help desk limits the rate, and requests fail.
func TestKilledFormsLoseNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "queue.db")
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed(), supportbeetest.WithRateLimits())
		random := rand.New(rand.NewPCG(17, 2))
		const messages = 60
		want := map[string]string{} // file by text
		var killed atomic.Value     // the function that kills the program
		life := func(long time.Duration, more int) {
			ctx, kill := context.WithCancel(t.Context())
			killed.Store(kill)
			time.AfterFunc(long, kill)
			opts := queueOptions
			opts.StopTimeout, opts.Logger = -1, slog.New(slog.DiscardHandler)
			s, err := newSender(path, desk.Client(), opts)
			require.NoError(t, err)
			for range more {
				i := len(want)
				m := message{ID: fmt.Sprint(i), Values: map[string]string{"email": fmt.Sprintf("user%d@example.com", i), "text": fmt.Sprintf("Message %d\r\nof many.", i)}}
				if i%5 == 0 {
					m.FileName, m.FileType, m.File = "leak.png", "image/png", fmt.Append(png, i)
				}
				want[m.Values["text"]] = string(m.File)
				require.NoError(t, s.put(t.Context(), m))
				require.NoError(t, s.put(t.Context(), m), "the form was sent twice")
			}
			require.NoError(t, s.queue.Run(ctx))
			require.NoError(t, s.queue.Close())
		}
		chaos := desk.InjectChaos(0.1, 2)
		unseen := desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Probability: 0.2, Seed: 3},
			supportbeetest.AfterHandling(supportbeetest.Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				killed.Load().(context.CancelFunc)() // the ticket is there, and the program does not know
			}))))
		for range 20 {
			life(time.Duration(random.IntN(100_000))*time.Millisecond, messages/20)
		}
		chaos.Remove()
		unseen.Remove()
		life(30*time.Minute, 0)
		got := map[string]string{}
		for _, ticket := range desk.Tickets() {
			file := ""
			for _, a := range ticket.Content.Attachments {
				file += string(desk.File(a.ID))
			}
			assert.NotContains(t, got, ticket.Content.Text, "a second ticket")
			got[ticket.Content.Text] = file
		}
		assert.Equal(t, want, got)
		mails := map[string]int{}
		for _, mail := range desk.Outbox() {
			mails[mail.To]++
			assert.Equal(t, supportbeetest.MailNotify, mail.Reason)
		}
		assert.Len(t, mails, messages)
		for to, n := range mails {
			assert.Equal(t, 1, n, to)
		}
		assert.Positive(t, chaos.Hits())
		assert.Positive(t, unseen.Hits())
	})
}

// A message that the help desk rejects stays in the queue for a person to see, and holds back none.
func TestRejectedMessages(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory())
	var log bytes.Buffer
	s := open(t, desk, func(opts *supportbeequeue.Options) { opts.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	desk.Inject(supportbeetest.Match{Op: "Tickets.Create", Times: 1}, supportbeetest.Status(http.StatusUnprocessableEntity))
	for _, id := range []string{"a", "b"} {
		require.NoError(t, s.put(t.Context(), message{ID: id, Values: map[string]string{"email": "ann@example.com", "text": "Secret " + id}}))
	}
	stop := start(t, s)
	requireSent(t, s, 1)
	stop()
	desk.AssertMailed(t, "ann@example.com")
	assert.Contains(t, log.String(), "item rejected")
	assert.NotContains(t, log.String(), "ann@")
	assert.NotContains(t, log.String(), "Secret")
}

// open opens a queue of its own.
func open(t *testing.T, desk *supportbeetest.Desk, change func(opts *supportbeequeue.Options)) *sender {
	t.Helper()
	opts := queueOptions
	if change != nil {
		change(&opts)
	}
	s, err := newSender(filepath.Join(t.TempDir(), "queue.db"), desk.Client(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.queue.Close() })
	s.settle = time.Millisecond
	return s
}

// start sends messages until stop is called.
func start(t *testing.T, s *sender) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.queue.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(stop)
	return stop
}

// requireSent waits until no message waits.
func requireSent(t *testing.T, s *sender, wantRejected int) {
	t.Helper()
	require.Eventually(t, func() bool {
		waiting, rejected, err := s.queue.Count(t.Context())
		return err == nil && waiting == 0 && rejected == wantRejected
	}, time.Minute, 10*time.Millisecond)
}

// A form that is sent again, as with the browser's back button, is the same message only if nothing
// was changed, also when it is a ticket already.
func TestFormsSentAgain(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.InMemory(), supportbeetest.WithoutSeed())
	path := filepath.Join(t.TempDir(), "queue.db")
	s, err := newSender(path, desk.Client(), queueOptions)
	require.NoError(t, err)
	s.settle = time.Millisecond
	first := message{ID: "a", Values: map[string]string{"email": "ann@example.com", "text": "My kettle leaks.\r\nHelp!"}}
	edited := message{ID: "a", Values: map[string]string{"email": "ann@example.com", "text": "Never mind, it was the cup."}}
	withFile := first
	withFile.FileName, withFile.FileType, withFile.File = "leak.png", "image/png", png
	other := withFile
	other.File = fmt.Append(png, "other")
	for _, m := range []message{first, first, edited} {
		require.NoError(t, s.put(t.Context(), m))
	}
	stop := start(t, s)
	requireSent(t, s, 0)
	for _, m := range []message{first, withFile, other} {
		require.NoError(t, s.put(t.Context(), m))
	}
	requireSent(t, s, 0)
	var got []string
	for _, ticket := range desk.Tickets() {
		text := ticket.Content.Text
		for _, a := range ticket.Content.Attachments {
			text += string(desk.File(a.ID))
		}
		got = append(got, text)
	}
	want := first.Values["text"]
	assert.ElementsMatch(t, []string{want, edited.Values["text"], want + string(withFile.File), want + string(other.File)}, got)
	desk.AssertMailed(t, "ann@example.com", "ann@example.com", "ann@example.com", "ann@example.com")
	stop()
	require.NoError(t, s.queue.Close())
	stored, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(stored), "ann@example.com", "no text is kept")
}

// A dry run neither sends nor forgets the messages of the queue that a running program has.
func TestDryRunLeavesTheQueueAlone(t *testing.T) {
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	path := filepath.Join(t.TempDir(), "queue.db")
	s, err := newSender(path, desk.Client(), queueOptions)
	require.NoError(t, err)
	defer s.queue.Close()
	require.NoError(t, s.put(t.Context(), message{ID: "a", Values: map[string]string{"email": "ann@example.com", "text": "Hello"}}))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, run(stopped, []string{"-dry-run", "-queue", path, "-addr", "127.0.0.1:0"}, io.Discard))
	require.ErrorContains(t, run(stopped, []string{"-queue", path, "-addr", "127.0.0.1:0"}, io.Discard), "locked", "the queue is in use")
	waiting, _, err := s.queue.Count(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, waiting)
}

func TestMonitoring(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{}, supportbeetest.Status(http.StatusServiceUnavailable))
	s := open(t, desk, func(opts *supportbeequeue.Options) { opts.Logger, opts.StopTimeout = slog.New(slog.DiscardHandler), -1 })
	require.NoError(t, s.put(t.Context(), message{ID: "a", Values: map[string]string{"email": "ann@example.com", "text": "Hello"}}))
	service := supportbeeservice.New(t.Context())
	_, url := serve(service, s, "127.0.0.1:0", "127.0.0.1:0")
	get := func(path string) (int, string) {
		res, err := http.Get(url + path)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(body)
	}
	status, _ := get("/healthz")
	assert.Equal(t, http.StatusOK, status)
	_, body := get("/metrics")
	assert.Contains(t, body, "\ncontactform_waiting 1\n")
	assert.Contains(t, body, "\ncontactform_rejected 0\n")
	require.NoError(t, s.queue.Close())
	status, _ = get("/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	require.NoError(t, service.Stop())
}

func TestDemo(t *testing.T) {
	t.Setenv("SUPPORTBEE_TOKEN", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "mail to ann@example.com: Where is my parcel?\n")
}

// The program with an account: a file and a message from a browser become a ticket.
func TestBrowser(t *testing.T) {
	ctx := chromium(t)
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	s := open(t, desk, nil)
	service := supportbeeservice.New(context.WithoutCancel(t.Context())) // until the browser has ended
	url, _ := serve(service, s, "127.0.0.1:0", "127.0.0.1:0")
	t.Cleanup(func() { assert.NoError(t, errors.Join(service.Stop(), s.queue.Close())) })
	file := filepath.Join(t.TempDir(), "leak.png")
	require.NoError(t, os.WriteFile(file, png, 0o600))
	text := func(selector string) string {
		return do(ctx, t, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.textContent ?? ""`, selector)))
	}
	shot := func(name string) { // into the folder SCREENSHOTS, to look at
		if folder := os.Getenv("SCREENSHOTS"); folder != "" {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".png"), do(ctx, t, chromedp.CaptureScreenshot()), 0o600))
		}
	}
	fill := func(values map[string]string) {
		for name, value := range values {
			do(ctx, t, chromedp.Evaluate[any](fmt.Sprintf(`document.querySelector("[name=%s]").value = %q, null`, name, value)))
		}
	}
	send := func() {
		do(ctx, t, chromedp.Evaluate[any](`window.old = true, document.querySelector("button").click(), null`))
		require.Eventually(t, func() bool {
			shown, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!window.old && document.readyState === "complete"`))
			return err == nil && shown // the error of a page that is being left
		}, time.Minute, 20*time.Millisecond)
	}
	do(ctx, t, chromedp.EmulateViewport(1280, 1030))
	do(ctx, t, chromedp.Navigate(url))
	assert.Equal(t, "Contact us", text("h1"))
	fill(map[string]string{"name": "Ann Archer", "email": "ann@", "subject": "The kettle leaks"})
	send()
	assert.Contains(t, text("#email-error"), "This is not an e-mail address")
	assert.Equal(t, "Please write a message.", text("#text-error"))
	assert.Equal(t, "Error: Contact us", text("title"))
	assert.Equal(t, "The kettle leaks", do(ctx, t, chromedp.Evaluate[string](`document.querySelector("[name=subject]").value`)), "what was typed is kept")
	shot("contactform-errors")
	for _, scheme := range []string{"dark", "light"} {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		require.NoError(t, err)
		do(ctx, t, chromedp.EmulateViewport(390, 844))
		assert.LessOrEqual(t, do(ctx, t, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)), 0, "nothing is wider than a phone")
		shot("contactform-phone-" + scheme)
	}
	do(ctx, t, chromedp.EmulateViewport(1280, 1030))
	fill(map[string]string{"email": "ann@example.com", "text": "It has leaked since Monday, see the picture.\nCan I get a new one?"})
	do(ctx, t, chromedp.SetUploadFiles("#file", []string{file}))
	shot("contactform")
	send()
	assert.Equal(t, "Thank you", text("h1"))
	require.NoError(t, desk.Wait(t.Context(), func() bool { return len(desk.Outbox()) > 0 }))
	tickets := desk.Tickets()
	ticket := tickets[len(tickets)-1]
	assert.Equal(t, [2]string{"The kettle leaks", "Ann Archer"}, [2]string{ticket.Subject, ticket.Requester.Name})
	require.Len(t, ticket.Content.Attachments, 1)
	assert.Equal(t, png, desk.File(ticket.Content.Attachments[0].ID))
	desk.AssertMailed(t, "ann@example.com")
}

// do runs one action.
func do[T any](ctx context.Context, t *testing.T, action chromedp.Action[T]) T {
	t.Helper()
	result, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return result
}

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
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(time.Minute),
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

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}
