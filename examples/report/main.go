// Command report makes the report of a week of a help desk: tickets by label and team, the first
// response time, the age of the open tickets, and the help desk's own reports. It prints text, and
// writes HTML with charts, a workbook, and a mail that has all three.
//
// It only reads. Without SUPPORTBEE_TOKEN it reports on an embedded help desk.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"time"
	_ "time/tzdata" // also where the system has no time zones, such as in a small container

	"github.com/google/renameio/v2"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() { supportbeeservice.Main("report", run) }

// job is a report to be made.
type job struct {
	client          *supportbee.Client
	now             time.Time // in the time zone of the report
	first           time.Time // the start of the seven days to report
	html, xlsx, eml string    // files to write; empty for none
	from, to        string
	out             io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	j := job{now: time.Now(), first: lastMonday(time.Now()), out: out}
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Func("week", "the first of seven `days`, such as 2026-11-16 (default the last full week)", func(day string) (err error) {
		j.first, err = time.ParseInLocation(time.DateOnly, day, time.Local)
		return err
	})
	flags.StringVar(&j.html, "html", "", "write a page with charts to this `file`")
	flags.StringVar(&j.xlsx, "xlsx", "", "write a workbook to this `file`")
	flags.StringVar(&j.eml, "eml", "", "write a mail with text, page and workbook to this `file`, for sendmail -t; needs -from and -to")
	flags.StringVar(&j.from, "from", "", "`address` of the mail's sender")
	flags.StringVar(&j.to, "to", "", "`addresses` of the mail's recipients, separated by commas")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if j.eml != "" && (j.from == "" || j.to == "") {
		return errors.New("-eml needs -from and -to")
	}
	taken := map[string]bool{}
	for _, name := range []string{j.html, j.xlsx, j.eml} {
		if name = filepath.Clean(name); taken[name] {
			return fmt.Errorf("%q is named for two files", name)
		}
		taken[name] = name != "." // which is none
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, j)
	}
	j.client, err = supportbee.FromEnv(supportbee.WithDryRun(nil), supportbee.WithRetry(supportbee.RetryPolicy{MaxAttempts: 8}))
	if err != nil {
		return err
	}
	return j.run(ctx)
}

// lastMonday returns the start of the last week that has ended, in the time zone of now.
func lastMonday(now time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()-(int(now.Weekday())+6)%7-7, 0, 0, 0, 0, now.Location())
}

// run makes the report, replaces its files once all of them are complete in memory, and prints its text.
func (j job) run(ctx context.Context) error {
	r, err := j.collect(ctx)
	if err != nil {
		return err
	}
	page := func(w io.Writer) error { return htmlTemplate.Execute(w, r) }
	mail := func(w io.Writer) error { return r.mail(w, j.from, j.to) }
	writers := map[string]func(io.Writer) error{j.html: page, j.xlsx: r.workbook, j.eml: mail}
	delete(writers, "") // what is not wanted
	files := map[string]*bytes.Buffer{}
	for name, write := range writers {
		files[name] = new(bytes.Buffer)
		if err := write(files[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	for name, data := range files {
		if err := renameio.WriteFile(name, data.Bytes(), 0o600, renameio.WithExistingPermissions()); err != nil {
			return err
		}
	}
	return r.text(j.out)
}

// demo reports on an embedded help desk, which has had tickets since two weeks before the week.
func demo(ctx context.Context, j job) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(j.out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	labels := [][]string{nil, {"bug"}, {"bug"}, {"bug", "very important"}, {"refund"}, {"refund"}, {"refund"}, {"wish"}}
	teams := []supportbee.TeamID{0, desk.AddTeam("Logistics"), desk.AddTeam("Web shop"), desk.AddTeam("Workshop")}
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // not a secret
	for at := j.first.AddDate(0, 0, -14); at.Before(j.now); at = at.Add(time.Duration(random.IntN(140)) * time.Minute) {
		response := at.Add(time.Duration(math.Pow(random.ExpFloat64(), 3) * 5 * float64(time.Hour)))
		ticket := desk.AddTicket(supportbeetest.TicketSeed{
			Subject: "Kettle", Text: "Hello", CreatedAt: at, Archived: response.Before(j.now) && random.IntN(14) > 0,
			Labels: labels[random.IntN(len(labels))], AssignedTeamID: teams[random.IntN(len(teams))],
		})
		if response.Before(j.now) {
			desk.Clock.Set(response)
			desk.AddReply(ticket, desk.User(supportbeetest.AdminEmail).ID, "It is on its way.")
		}
	}
	desk.Clock.Set(j.now)
	j.client = desk.Client()
	return j.run(ctx)
}
