// Command report makes the report of a week of a help desk: tickets by day, hour, label and team,
// the first response time, and the age of the open tickets. It prints text, and writes HTML with
// charts, a workbook, and a mail that has all three.
//
// It only reads. Without SUPPORTBEE_TOKEN it reports on an embedded help desk.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
	_ "time/tzdata" // also where the system has no time zones, such as in a small container

	"github.com/google/renameio/v2"
	"golang.org/x/time/rate"

	"github.com/supportbee-go/supportbee"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// job is a report to be made.
type job struct {
	client         *supportbee.Client
	now            time.Time // in the time zone of the report
	week           string    // as of parseWeek
	workers        int
	html, xlsx     string // files to write; empty for none
	eml, from, to  string
	out            io.Writer
	beforeReplaced func() // for tests; may be nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	j := job{out: out}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&j.week, "week", "", "`week`, such as 2026-W47, or the first of seven days, such as 2026-11-16 (default the last full week)")
	zone := flags.String("tz", "Local", "time `zone` of days and hours, such as Europe/Berlin")
	flags.StringVar(&j.html, "html", "", "write a page with charts to this `file`")
	flags.StringVar(&j.xlsx, "xlsx", "", "write a workbook to this `file`")
	flags.StringVar(&j.eml, "eml", "", "write a mail with text, page and workbook to this `file`, for sendmail -t; needs -from and -to")
	flags.StringVar(&j.from, "from", "", "`address` of the mail's sender")
	flags.StringVar(&j.to, "to", "", "`addresses` of the mail's recipients, separated by commas")
	flags.IntVar(&j.workers, "workers", 4, "requests for replies at a time")
	perSecond := flags.Float64("rate", 10, "requests per second, at most")
	if err := flags.Parse(args); err != nil {
		return err
	}
	location, err := time.LoadLocation(*zone)
	switch {
	case err != nil:
		return fmt.Errorf("-tz: %w", err)
	case *perSecond <= 0:
		return errors.New("-rate must be positive")
	case j.eml != "" && (j.from == "" || j.to == ""):
		return errors.New("-eml needs -from and -to")
	}
	j.now = time.Now().In(location)
	if os.Getenv("SUPPORTBEE_TOKEN")+os.Getenv("SUPPORTBEE_COMPANY")+os.Getenv("SUPPORTBEE_BASE_URL") == "" {
		return demo(ctx, j)
	}
	j.client, err = supportbee.FromEnv(
		supportbee.WithDryRun(nil), // a report only reads
		supportbee.WithLimiter(rate.NewLimiter(rate.Limit(*perSecond), 1)),
		supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}),
	)
	if err != nil {
		return err
	}
	return j.run(ctx)
}

// run makes the report, writes its files, and prints its text.
func (j job) run(ctx context.Context) error {
	week, err := parseWeek(j.week, j.now)
	if err != nil {
		return err
	}
	last := time.Now()
	c := &collector{client: j.client, week: week, now: j.now, workers: j.workers, progress: func(done, total int) {
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			slog.Info("reading replies", "done", done, "total", total)
		}
	}}
	r, err := c.collect(ctx)
	if err != nil {
		return err
	}
	text := renderText(r)
	files := map[string][]byte{}
	if j.html != "" {
		if files[j.html], err = renderHTML(r, false); err != nil {
			return err
		}
	}
	if j.xlsx != "" {
		if files[j.xlsx], err = renderXLSX(r); err != nil {
			return err
		}
	}
	if j.eml != "" {
		if files[j.eml], err = renderMail(r, j.from, j.to); err != nil {
			return err
		}
	}
	if err := j.write(ctx, files); err != nil {
		return err
	}
	_, err = fmt.Fprint(j.out, text)
	return err
}

// write replaces files, each as a whole, once all of them are on the disk under temporary names.
func (j job) write(ctx context.Context, files map[string][]byte) error {
	var pending []*renameio.PendingFile
	for name, data := range files {
		file, err := renameio.NewPendingFile(name, renameio.WithTempDir(filepath.Dir(name)), renameio.WithPermissions(0o600), renameio.WithExistingPermissions())
		if err != nil {
			return err
		}
		defer func() { _ = file.Cleanup() }() // has no effect on a file that was renamed
		if _, err := file.Write(data); err != nil {
			return err
		}
		if err := file.Sync(); err != nil {
			return err
		}
		pending = append(pending, file)
	}
	if j.beforeReplaced != nil {
		j.beforeReplaced()
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for _, file := range pending {
		if err := file.CloseAtomicallyReplace(); err != nil {
			return err
		}
	}
	return nil
}

// span is a time from its first moment to the moment after its last.
type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

var isoWeek = regexp.MustCompile(`^(\d{4})-W(\d{2})$`)

// parseWeek returns the seven days that text names, in the time zone of now: those of an ISO week,
// those from a date on, or by default those of the last week that has ended.
func parseWeek(text string, now time.Time) (span, error) {
	monday := func(year int, month time.Month, day int) time.Time {
		t := time.Date(year, month, day, 0, 0, 0, 0, now.Location())
		return t.AddDate(0, 0, -(int(t.Weekday())+6)%7)
	}
	from := monday(now.Year(), now.Month(), now.Day()).AddDate(0, 0, -7)
	if parts := isoWeek.FindStringSubmatch(text); parts != nil {
		year, _ := strconv.Atoi(parts[1])
		number, _ := strconv.Atoi(parts[2])
		from = monday(year, time.January, 4).AddDate(0, 0, 7*(number-1)) // 4 January is in the first week
		if y, n := from.ISOWeek(); y != year || n != number {
			return span{}, fmt.Errorf("-week: %d has no week %d", year, number)
		}
	} else if text != "" {
		var err error
		if from, err = time.ParseInLocation(time.DateOnly, text, now.Location()); err != nil {
			return span{}, fmt.Errorf("-week must be like 2026-W47 or 2026-11-16, not %q", text)
		}
	}
	if from.After(now) {
		return span{}, fmt.Errorf("-week: %s is in the future", from.Format(time.DateOnly))
	}
	return span{from: from, to: from.AddDate(0, 0, 7)}, nil
}
