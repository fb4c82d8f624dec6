// Command report makes the report of a week of a help desk: tickets by label and team, the first
// response time, the age of the open tickets, and the help desk's own reports. It prints text, and
// writes HTML with charts, a workbook, and a mail that has all three.
//
// It only reads. Without SUPPORTBEE_TOKEN it reports on an embedded help desk.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"path/filepath"
	"time"
	_ "time/tzdata" // also where the system has no time zones, such as in a small container

	"github.com/google/renameio/v2"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

func main() { supportbeeservice.Main("report", run) }

// job is a report to be made.
type job struct {
	client          *supportbee.Client
	now             time.Time // in the time zone of the report
	week            string    // as of firstDay
	html, xlsx, eml string    // files to write; empty for none
	from, to        string
	out             io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	j := job{now: time.Now(), out: out}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&j.week, "week", "", "the first of seven `days`, such as 2026-11-16 (default the last full week)")
	flags.StringVar(&j.html, "html", "", "write a page with charts to this `file`")
	flags.StringVar(&j.xlsx, "xlsx", "", "write a workbook to this `file`")
	flags.StringVar(&j.eml, "eml", "", "write a mail with text, page and workbook to this `file`, for sendmail -t; needs -from and -to")
	flags.StringVar(&j.from, "from", "", "`address` of the mail's sender")
	flags.StringVar(&j.to, "to", "", "`addresses` of the mail's recipients, separated by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if j.eml != "" && (j.from == "" || j.to == "") {
		return errors.New("-eml needs -from and -to")
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, j)
	}
	j.client, err = supportbee.FromEnv(
		supportbee.WithDryRun(nil), supportbee.WithLogger(slog.Default()), supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}),
	)
	if err != nil {
		return err
	}
	return j.run(ctx)
}

// run makes the report, replaces its files once all of them are written, and prints its text.
func (j job) run(ctx context.Context) error {
	r, err := j.collect(ctx)
	if err != nil {
		return err
	}
	mail := func(w io.Writer) error { return r.mail(w, j.from, j.to) }
	var files []*renameio.PendingFile
	for name, write := range map[string]func(io.Writer) error{j.html: r.page, j.xlsx: r.workbook, j.eml: mail} {
		if name == "" {
			continue
		}
		file, err := renameio.NewPendingFile(name, renameio.WithTempDir(filepath.Dir(name)),
			renameio.WithPermissions(0o600), renameio.WithExistingPermissions())
		if err != nil {
			return err
		}
		defer func() { _ = file.Cleanup() }() // has no effect on a file that was renamed
		if err := errors.Join(write(file), file.Sync()); err != nil {
			return err
		}
		files = append(files, file)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for _, file := range files {
		if err := file.CloseAtomicallyReplace(); err != nil {
			return err
		}
	}
	return r.text(j.out)
}

// firstDay returns the first of the seven days to report, in the time zone of now: the date of text,
// or by default the Monday of the last week that has ended.
func firstDay(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Date(now.Year(), now.Month(), now.Day()-(int(now.Weekday())+6)%7-7, 0, 0, 0, 0, now.Location()), nil
	}
	return time.ParseInLocation(time.DateOnly, text, now.Location())
}
