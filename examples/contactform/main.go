// Command contactform serves a public contact form whose messages become tickets. They are stored
// before the browser gets a response, so that none is lost if the help desk is down or limits the
// rate, and each becomes one ticket, even if the program is killed.
//
// Without SUPPORTBEE_TOKEN it shows this on an embedded help desk.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeequeue"
	"github.com/supportbee-go/supportbee/supportbeeservice"
)

const clockSkew = 5 * time.Minute // how far the clock of this machine may be ahead of the help desk's

func main() { supportbeeservice.Main("contactform", run) }

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("contactform", flag.ContinueOnError)
	flags.SetOutput(out)
	address := flags.String("addr", "", "`address` of the form; default localhost:8080. Without an account, keep the demonstration running there")
	database := flags.String("queue", "contactform.db", "SQLite `file` of the messages that are not sent yet")
	metrics := flags.String("metrics", "", "serve /metrics and /healthz on this `address`, such as :9090")
	dryRun := flags.Bool("dry-run", false, "print what would be sent instead of sending it; the queue is in memory and -queue is not opened")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if !supportbeeservice.HasAccount() {
		return demo(ctx, out, *address)
	}
	var opts []supportbee.Option
	if *dryRun {
		*database = ":memory:" // nothing is taken from the messages that are to be sent
		opts = append(opts, supportbee.WithDryRun(supportbee.PrintPlanned(out)))
	}
	client, err := supportbee.FromEnv(opts...)
	if err != nil {
		return err
	}
	s, err := newSender(*database, client, queueOptions)
	if err != nil {
		return err
	}
	service := supportbeeservice.New(ctx)
	if url, _ := serve(service, s, cmp.Or(*address, "localhost:8080"), *metrics); url != "" {
		slog.Info("serving the form", "url", url)
	}
	return errors.Join(service.Wait(), s.queue.Close())
}

// serve serves the form and sends its messages until the service ends. It returns the URLs of the
// form and of the metrics.
func serve(service *supportbeeservice.Service, s *sender, address, metrics string) (form, monitor string) {
	s.client = service.Instrument(s.client)
	service.Register(s.queue.Metrics("contactform")...)
	service.Go(s.queue.Run)
	monitor = service.Monitor(metrics, s.queue.Healthy)
	return service.Listen(address, newSite(s.put)), monitor
}

// sender makes messages tickets, one after another.
type sender struct {
	client *supportbee.Client
	queue  *supportbeequeue.Queue[message]
	settle time.Duration // see supportbee.OnceOptions; 0 is its default
}

var queueOptions = supportbeequeue.Options{
	Workers:  1,
	Timeout:  10 * time.Minute, // much longer than what CreateOnce may wait
	MinPause: 30 * time.Second,
	MaxPause: 5 * time.Minute,
	Keep:     -1, // forever: the back button of a browser can send any message again
}

func newSender(database string, client *supportbee.Client, opts supportbeequeue.Options) (*sender, error) {
	s := &sender{client: client}
	var err error
	s.queue, err = supportbeequeue.Open(context.Background(), database, s.send, opts)
	return s, err
}

// put stores a message before it returns. It ignores one that was stored before. The ID of the form is
// not its key: a form that was changed before it was sent again is another message.
func (s *sender) put(ctx context.Context, m message) error {
	_, err := s.queue.Put(ctx, "", m)
	if err != nil {
		slog.Error("message not stored", "error", err)
	}
	return err
}

// send creates the ticket of a message, unless it is there. A file is uploaded once: it cannot be
// deleted.
func (s *sender) send(ctx context.Context, item *supportbeequeue.Item[message]) error {
	m := &item.Value
	if m.FileName != "" && m.Attachment == 0 {
		file, err := s.client.Attachments.Upload(ctx, m.FileName, bytes.NewReader(m.File), &supportbee.UploadOptions{ContentType: m.FileType})
		if err != nil {
			return reject(err)
		}
		m.Attachment, m.File = file.ID, nil
		if err := item.Save(ctx); err != nil {
			return err
		}
	}
	_, err := s.client.Tickets.CreateOnce(ctx, m.params(), &supportbee.OnceOptions{Since: item.Added.Add(-clockSkew), Settle: s.settle})
	return reject(err)
}

// reject makes the queue keep a message that the help desk will never take, and try it no more.
func reject(err error) error {
	if errors.Is(err, supportbee.ErrValidation) || errors.Is(err, supportbee.ErrInvalidArgument) {
		return supportbeequeue.Reject(err)
	}
	return err
}
