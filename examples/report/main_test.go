package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return zone
}

const secret = "Mallory"

// newDesk returns a desk with a known week, and a job that reports on it.
func newDesk(t *testing.T, opts ...supportbeetest.Option) (*supportbeetest.Desk, job) {
	t.Helper()
	desk := supportbeetest.New(t, append(opts, supportbeetest.WithoutSeed())...)
	zone := berlin(t)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, zone) }
	desk.AddLabel("bug", "#FF0000")
	desk.AddLabel("<b>&refund", "#00FF00")
	billing := desk.AddTeam("Billing")
	agent := desk.User(supportbeetest.AdminEmail).ID
	add := func(created time.Time, responses []time.Duration, seed supportbeetest.TicketSeed) supportbee.TicketID {
		seed.Subject, seed.Text, seed.CreatedAt = secret+" subject", secret+" text", created
		seed.RequesterName, seed.RequesterEmail = secret, "mallory@example.com"
		id := desk.AddTicket(seed)
		for _, response := range responses {
			desk.Clock.Set(created.Add(response))
			desk.AddReply(id, agent, secret+" reply")
		}
		return id
	}
	// The week is from 16 to 22 November. The zone is an hour ahead of UTC.
	add(at(16, 0, 0), []time.Duration{time.Hour}, supportbeetest.TicketSeed{Labels: []string{"bug"}, Archived: true})
	add(at(16, 10, 30), []time.Duration{30 * time.Minute, 9 * time.Hour}, supportbeetest.TicketSeed{Labels: []string{"bug", "<b>&refund"}, AssignedTeamID: billing, Archived: true})
	waiting := add(at(18, 10, 59), nil, supportbeetest.TicketSeed{AssignedTeamID: billing})
	desk.Clock.Set(at(18, 11, 5))
	desk.AddCustomerReply(waiting, secret+" reply") // which is no response
	add(at(22, 23, 59), []time.Duration{50 * time.Hour}, supportbeetest.TicketSeed{})
	add(at(17, 12, 0), nil, supportbeetest.TicketSeed{Spam: true})
	add(at(17, 12, 0), nil, supportbeetest.TicketSeed{Trash: true})
	// Just before, and just after. The latter and one of long ago are open.
	add(at(15, 23, 59).Add(59*time.Second), nil, supportbeetest.TicketSeed{Archived: true})
	add(at(9, 0, 0), nil, supportbeetest.TicketSeed{Archived: true})
	add(at(8, 23, 59), nil, supportbeetest.TicketSeed{Archived: true})
	add(at(23, 0, 0), nil, supportbeetest.TicketSeed{})
	add(at(1, 12, 0).AddDate(0, -2, 0), []time.Duration{time.Minute}, supportbeetest.TicketSeed{})
	now := at(25, 9, 0)
	desk.Clock.Set(now)
	client := desk.Client(supportbee.WithDryRun(nil), supportbee.WithRetry(supportbee.RetryPolicy{MinBackoff: time.Millisecond}))
	return desk, job{client: client, now: now, first: at(16, 0, 0), out: io.Discard}
}

// golden is the report of newDesk. Its numbers were checked by hand.
//
//go:embed testdata/report.txt
var golden string

func TestReport(t *testing.T) {
	t.Parallel()
	desk, j := newDesk(t)
	dir := t.TempDir()
	var out bytes.Buffer
	j.out, j.from, j.to = &out, "desk@acme.example", "ada@acme.example, ben@acme.example"
	j.html, j.xlsx, j.eml = filepath.Join(dir, "report.html"), filepath.Join(dir, "report.xlsx"), filepath.Join(dir, "report.eml")
	require.NoError(t, j.run(t.Context()))
	assert.Equal(t, golden, out.String())
	desk.AssertNoWrites(t)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{j.eml, j.html, j.xlsx}, left)

	f, err := excelize.OpenFile(j.xlsx)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	assert.Equal(t, []string{"Summary", "By label", "By team", "Open by age", "Reports of the help desk"}, f.GetSheetList())
	rows, err := f.GetRows("By label", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	const day = 24.0 // of which the workbook has times as parts
	assert.Equal(t, [][]string{
		{"Label", "Tickets", "Responded", "Median", "90th percentile"},
		{"(none)", "2", "1", fmt.Sprint(50 / day), fmt.Sprint(50 / day)},
		{"bug", "2", "2", fmt.Sprint(0.5 / day), fmt.Sprint(1 / day)},
		{"<b>&refund", "1", "1", fmt.Sprint(0.5 / day), fmt.Sprint(0.5 / day)},
	}, rows)
	rows, err = f.GetRows("By label")
	require.NoError(t, err)
	assert.Equal(t, []string{"(none)", "2", "1", "50:00:00", "50:00:00"}, rows[1])
	assert.Equal(t, []string{"bug", "2", "2", "00:30", "01:00"}, rows[2])

	page, err := os.ReadFile(j.html)
	require.NoError(t, err)
	assert.Contains(t, string(page), "&lt;b&gt;&amp;refund")
	var bars []string
	for _, bar := range regexp.MustCompile(`width="(\d+)%"`).FindAllSubmatch(page, -1) {
		bars = append(bars, string(bar[1]))
	}
	assert.Equal(t, "100 100 50 100 100 0 100 50 0 50 50 100 50 0 0 0 100", strings.Join(bars, " "))
	for _, external := range []string{"<script", "src=", "<b>", "ZgotmplZ", "url(", "href=\""} {
		assert.NotContains(t, string(page), external)
	}
	parts := readMail(t, j.eml)
	assert.Equal(t, out.String(), strings.ReplaceAll(string(parts["text/plain"]), "\r\n", "\n"))
	assert.Equal(t, string(page), strings.ReplaceAll(string(parts["text/html"]), "\r\n", "\n"))
	workbook, err := excelize.OpenReader(bytes.NewReader(parts["report.xlsx"]))
	require.NoError(t, err)
	assert.Equal(t, f.GetSheetList(), workbook.GetSheetList())
	require.NoError(t, workbook.Close())
	for name, part := range parts {
		assert.NotContains(t, strings.ToLower(string(part)), strings.ToLower(secret), name)
	}
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		require.NoError(t, err)
		assert.NotContains(t, fmt.Sprint(rows), secret)
	}
	assert.NotContains(t, string(page), secret)
}

// readMail returns the parts of a mail by their Content-ID, name or type.
func readMail(t *testing.T, path string) map[string][]byte {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { assert.NoError(t, f.Close()) }()
	m, err := mail.ReadMessage(f)
	require.NoError(t, err)
	assert.Equal(t, "<desk@acme.example>", m.Header.Get("From"))
	to, err := m.Header.AddressList("To")
	require.NoError(t, err)
	assert.Len(t, to, 2)
	parts := map[string][]byte{}
	var read func(contentType string, r io.Reader)
	read = func(contentType string, r io.Reader) {
		_, params, err := mime.ParseMediaType(contentType)
		require.NoError(t, err)
		for body := multipart.NewReader(r, params["boundary"]); ; {
			part, err := body.NextPart()
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
			kind, _, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
			require.NoError(t, err)
			if strings.HasPrefix(kind, "multipart/") {
				read(part.Header.Get("Content-Type"), part)
				continue
			}
			data, err := io.ReadAll(decoded(part))
			require.NoError(t, err)
			switch {
			case part.Header.Get("Content-ID") != "":
				parts[part.Header.Get("Content-ID")] = data
			case part.FileName() != "":
				parts[part.FileName()] = data
			default:
				parts[kind] = data
			}
		}
	}
	read(m.Header.Get("Content-Type"), m.Body)
	return parts
}

func decoded(part *multipart.Part) io.Reader {
	if part.Header.Get("Content-Transfer-Encoding") == "base64" {
		return base64.NewDecoder(base64.StdEncoding, part)
	}
	return part // multipart decodes quoted-printable
}

func TestReadsAreRetried(t *testing.T) {
	t.Parallel()
	desk, j := newDesk(t)
	var out bytes.Buffer
	j.out = &out
	var hits []*supportbeetest.Injection
	for _, op := range []string{"Tickets.List", "Replies.List", "Reports.TicketsCount", "Reports.AvgFirstResponseTime"} {
		hits = append(hits, desk.Inject(supportbeetest.Match{Op: op, Times: 2}, supportbeetest.Status(http.StatusBadGateway)))
	}
	hits = append(hits, desk.Inject(supportbeetest.Match{Op: "Replies.List", Times: 1}, supportbeetest.Truncate()))
	require.NoError(t, j.run(t.Context()))
	assert.Equal(t, golden, out.String())
	for _, hit := range hits {
		assert.NotZero(t, hit.Hits())
	}
}

func TestRepliesOfSeveralTicketsAreReadAtATime(t *testing.T) {
	t.Parallel()
	desk, j := newDesk(t)
	var requests atomic.Int32
	second := make(chan struct{})
	desk.Inject(supportbeetest.Match{Op: "Replies.List"}, supportbeetest.Fault{Name: "wait", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) == 2 {
				close(second)
			}
			select {
			case <-second:
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		})
	}})
	require.NoError(t, j.run(t.Context()))
}

// withOldFiles makes a job write to files that exist, and returns a function that checks that they
// have not changed and that there are no others.
func withOldFiles(t *testing.T, j *job) (check func()) {
	t.Helper()
	dir := t.TempDir()
	j.html, j.xlsx, j.eml = filepath.Join(dir, "report.html"), filepath.Join(dir, "report.xlsx"), filepath.Join(dir, "report.eml")
	j.from, j.to = "desk@acme.example", "ada@acme.example"
	for _, name := range []string{j.html, j.xlsx, j.eml} {
		require.NoError(t, os.WriteFile(name, []byte("old"), 0o600))
	}
	return func() {
		t.Helper()
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, entries, 3)
		for _, entry := range entries {
			data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
			require.NoError(t, err)
			assert.Equal(t, "old", string(data), entry.Name())
		}
	}
}

func TestAnErrorLeavesTheFiles(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"Tickets.List", "Replies.List", "Reports.RepliesCount"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			desk, j := newDesk(t)
			check := withOldFiles(t, &j)
			var out bytes.Buffer
			j.out = &out
			desk.Inject(supportbeetest.Match{Op: op}, supportbeetest.Status(http.StatusInternalServerError))
			err := j.run(t.Context())
			require.ErrorIs(t, err, supportbee.ErrServer)
			assert.NotContains(t, err.Error(), secret)
			assert.Empty(t, out.String())
			check()
		})
	}
	t.Run("address", func(t *testing.T) {
		t.Parallel()
		_, j := newDesk(t)
		check := withOldFiles(t, &j)
		j.to = "ada"
		require.ErrorContains(t, j.run(t.Context()), "report.eml: ")
		check()
	})
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		_, j := newDesk(t)
		j.xlsx = filepath.Join(t.TempDir(), "none", "report.xlsx")
		require.ErrorIs(t, j.run(t.Context()), os.ErrNotExist)
	})
}

func TestAnInterruptLeavesTheFiles(t *testing.T) {
	t.Parallel()
	desk, j := newDesk(t)
	require.NoError(t, j.run(t.Context()))
	requests := len(desk.Requests())
	require.Greater(t, requests, 8)
	check := withOldFiles(t, &j)
	for n := range requests {
		ctx, cancel := context.WithCancel(t.Context())
		hit := desk.Inject(supportbeetest.Match{Skip: n}, supportbeetest.Fault{Name: "cancel", Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done()
			})
		}})
		require.ErrorIs(t, j.run(ctx), context.Canceled, n)
		hit.Remove()
		check()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j.client = j.client.With(supportbee.WithObserver(supportbee.Observer{
		End: func(_ context.Context, op supportbee.Operation, _ supportbee.Response, err error) {
			if op.Name == "Reports.AvgFirstResponseTime" && err == nil { // which is the last
				cancel()
			}
		},
	}))
	require.ErrorIs(t, j.run(ctx), context.Canceled)
	require.Error(t, ctx.Err())
	check()
}

func TestWithoutAnAdminsToken(t *testing.T) {
	t.Parallel()
	desk, j := newDesk(t)
	agent := desk.AddUser(supportbeetest.UserSeed{Email: "ben@acme.example", Name: "Ben", Role: supportbee.RoleAgent})
	j.client = j.client.With(supportbee.WithToken(desk.AddToken(agent)))
	var out bytes.Buffer
	j.out = &out
	require.NoError(t, j.run(t.Context()))
	assert.Contains(t, out.String(), "Note: The help desk's own reports are left out: they need an admin's token.")
	assert.NotContains(t, out.String(), "Avg. first response")
}

func TestAnEmptyWeek(t *testing.T) {
	t.Parallel()
	_, j := newDesk(t)
	dir := t.TempDir()
	var out bytes.Buffer
	j.out, j.first, j.html, j.xlsx = &out, time.Date(2026, 5, 5, 0, 0, 0, 0, berlin(t)), filepath.Join(dir, "a.html"), filepath.Join(dir, "a.xlsx")
	require.NoError(t, j.run(t.Context()))
	assert.Contains(t, out.String(), "Help desk, 5 May to 11 May 2026")
	assert.Regexp(t, `(?m)^  First response +– +median$`, out.String())
}

func TestLastMonday(t *testing.T) {
	t.Parallel()
	zone := berlin(t)
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, zone)
	}
	for _, test := range []struct{ now, want time.Time }{
		{now: day(2026, 11, 25).Add(9 * time.Hour), want: day(2026, 11, 16)},
		{now: day(2026, 11, 23), want: day(2026, 11, 16)},
		{now: day(2026, 11, 23).Add(-time.Second), want: day(2026, 11, 9)},
		{now: day(2026, 4, 1), want: day(2026, 3, 23)}, // with the start of summer time
		{now: day(2026, 1, 7), want: day(2025, 12, 29)},
	} {
		assert.Equal(t, test.want, lastMonday(test.now), test.now)
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	hours := func(n int) (times []time.Duration) {
		for i := range n {
			times = append(times, time.Duration(n-i)*time.Hour)
		}
		return append(times, never)
	}
	for n, want := range map[int][]any{
		0:  {"a", 1, 0, "–", "–"},
		1:  {"a", 2, 1, time.Hour, time.Hour},
		2:  {"a", 3, 2, time.Hour, 2 * time.Hour},
		3:  {"a", 4, 3, 2 * time.Hour, 3 * time.Hour},
		10: {"a", 11, 10, 5 * time.Hour, 9 * time.Hour},
		11: {"a", 12, 11, 6 * time.Hour, 10 * time.Hour},
	} {
		assert.Equal(t, want, summarize("a", hours(n)))
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", 29 * time.Second: "0s", 30 * time.Second: "1m", 10 * time.Minute: "10m", 50 * time.Hour: "50h0m",
	} {
		assert.Equal(t, want, format(d))
	}
}

func TestFlags(t *testing.T) {
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://127.0.0.1:")
	assert.Regexp(t, `(?m)^  Tickets received +1\d\d +1\d\d with a response`, out.String())
	require.ErrorContains(t, run(t.Context(), []string{"-eml", "a.eml"}, io.Discard), "-eml needs -from and -to")
	require.ErrorContains(t, run(t.Context(), []string{"-week", "Mars"}, io.Discard), "Mars")

	desk, _ := newDesk(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-week", "2026-11-18"}, &out))
	assert.Contains(t, out.String(), "Help desk, 18 November to 24 November 2026\n")
	assert.Regexp(t, `(?m)^  Tickets received +3 `, out.String())
	assert.NotContains(t, out.String(), desk.Token)
	desk.AssertNoWrites(t)
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}

func TestTwoFilesWithOneName(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "same")
	for _, args := range [][]string{{"-html", name, "-xlsx", name}, {"-xlsx", name, "-eml", name + "/.", "-from", "a@b.c", "-to", "a@b.c"}} {
		assert.EqualError(t, run(t.Context(), args, io.Discard), fmt.Sprintf("%q is named for two files", name))
		assert.NoFileExists(t, name)
	}
}
