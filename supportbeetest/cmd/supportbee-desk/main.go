// Command supportbee-desk runs the help desk of package supportbeetest as a program, to develop an
// integration in any language against it.
//
//	go run github.com/supportbee-go/supportbee/supportbeetest/cmd/supportbee-desk -seed 500 -chaos 0.05
//
// It prints its URL, a token for each role, and commands to try, and logs each request. A page at
// /_desk/ shows the last requests, the tickets, and all that happened to one of them, as it happens.
// The control API under /_desk/ changes and reads what the API does not: it adds messages of
// customers, injects faults, moves the clock, and lists the requests and mails so far. It is
// described at /_desk/openapi.yaml, and the API at /openapi.yaml.
//
// On an address of loopback, the page and the control API need no token, but accept requests from
// loopback only. On another address, or with a public URL that is not one of loopback, they need the
// control token, which is printed; in a browser, it is the password, and the user name is ignored.
//
// A download is redirected to another origin, as by the service. It has the same port and another
// host name: localhost for 127.0.0.1, 127.0.0.1 for localhost, and storage.desk.example for the
// -public-url http://desk.example, which must then resolve, too. Where there is no such name, as for
// http://192.0.2.7, the download is not redirected, unless -storage-addr serves files at a port of
// their own.
//
// The desk rejects parameters and JSON keys that the service would ignore; with -lenient, it ignores
// them, too.
//
// The state is in memory. With -state, it is kept in a file, tokens included.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // the program may run where no time zones are installed

	"github.com/supportbee-go/supportbee/supportbeetest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "supportbee-desk:", err)
		os.Exit(2)
	}
}

// run serves a desk until ctx is done.
func run(ctx context.Context, args []string, out, logs io.Writer) error {
	flags := flag.NewFlagSet("supportbee-desk", flag.ContinueOnError)
	flags.SetOutput(logs)
	addr := flags.String("addr", "127.0.0.1:8080", "`address` to listen on")
	storageAddr := flags.String("storage-addr", "", "`address` to serve files on (default: the same port under a second host name)")
	publicURL := flags.String("public-url", "", "`URL` under which clients reach the desk (default: the Host of each request)")
	token := flags.String("token", "", "the admin's `token` (default: the one in the -state, or a random one)")
	controlToken := flags.String("control-token", "", "`token` of the page and the control API (default: none on loopback, else a random one)")
	cors := flags.Bool("cors", true, "allow POST /tickets from web pages of other origins")
	seed := flags.Int("seed", 0, "`number` of tickets to add, unless there is a -state already")
	chaos := flags.Float64("chaos", 0, "`share` of all API requests that fail, 0 to 1")
	chaosSeed := flags.Uint64("chaos-seed", 1, "`number` that determines which requests fail")
	limits := flags.Bool("rate-limits", false, "enforce the rate limits of creating tickets")
	lenient := flags.Bool("lenient", false, "ignore unknown parameters, values and JSON keys, as the service does (default: reject them)")
	dialect := flags.String("dialect", string(supportbeetest.DialectCurrent), "`form` of responses: current, recorded or documented")
	webhook := flags.String("webhook", "", "send webhooks to this `URL`")
	state := flags.String("state", "", "`file` to keep the state in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case *seed < 0:
		return errors.New("-seed must not be negative")
	case !(*chaos >= 0 && *chaos <= 1): // not a number, too
		return errors.New("-chaos must be 0 to 1")
	}

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // if the desk does not start
	private := onLoopback(listener) && (*publicURL == "" || loopbackURL(*publicURL))
	if *controlToken == "" && !private {
		*controlToken = rand.Text()
	}
	options := []supportbeetest.Option{
		supportbeetest.WithListener(listener),
		supportbeetest.WithPublicURL(*publicURL),
		supportbeetest.WithToken(*token),
		supportbeetest.WithControl(*controlToken),
		supportbeetest.WithStateFile(*state),
		supportbeetest.WithDialect(supportbeetest.Dialect(*dialect)),
		supportbeetest.WithLogger(slog.New(slog.NewTextHandler(logs, nil))),
	}
	if *storageAddr != "" {
		storage, err := net.Listen("tcp", *storageAddr)
		if err != nil {
			return err
		}
		defer func() { _ = storage.Close() }()
		options = append(options, supportbeetest.WithStorageListener(storage))
	}
	if *cors {
		options = append(options, supportbeetest.WithCORS())
	}
	if *lenient {
		options = append(options, supportbeetest.WithLenient())
	}
	if *limits {
		options = append(options, supportbeetest.WithRateLimits())
	}
	_, missing := os.Stat(*state)
	desk, err := supportbeetest.Start(options...)
	if err != nil {
		return err
	}
	defer desk.Close()
	if *state == "" || errors.Is(missing, fs.ErrNotExist) {
		desk.AddTickets(*seed)
	}
	if *chaos > 0 {
		desk.InjectChaos(*chaos, *chaosSeed)
	}
	if *webhook != "" {
		desk.AddWebhook(supportbeetest.Webhook{URL: *webhook})
	}
	if !onLoopback(listener) {
		fmt.Fprintf(logs, "warning: %s can be reached from other machines; tokens are sent to it unencrypted unless a proxy adds TLS\n", listener.Addr())
	}
	if _, err := io.WriteString(out, introduction(desk, *controlToken)); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// introduction returns what a user of the desk needs to know.
func introduction(desk *supportbeetest.Desk, controlToken string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The desk is at  %s\nIts token is    %s\nIts page is at  %s/_desk/\n\nTokens:\n", desk.URL, desk.Token, desk.URL)
	for _, email := range []string{supportbeetest.AdminEmail, supportbeetest.AgentEmail, supportbeetest.CollaboratorEmail, supportbeetest.CustomerEmail} {
		if user := desk.User(email); user != nil {
			fmt.Fprintf(&text, "  %-12s  %-17s  %s\n", user.Role, user.Email, desk.AddToken(user.ID))
		}
	}
	control := ""
	if controlToken == "" {
		fmt.Fprint(&text, "  control       none is needed from this machine\n")
	} else {
		fmt.Fprintf(&text, "  control       %-17s  %s\n", "", controlToken)
		control = fmt.Sprintf(" -H 'Authorization: Bearer %s'", controlToken)
	}
	fmt.Fprintf(&text, "\ncurl -H 'Accept: application/json' -H 'Authorization: Bearer %s' %s/tickets\n", desk.Token, desk.URL)
	fmt.Fprintf(&text, "curl%s %s/_desk/outbox\n", control, desk.URL)
	fmt.Fprintf(&text, "\nexport SUPPORTBEE_COMPANY=%s SUPPORTBEE_BASE_URL=%s SUPPORTBEE_TOKEN=%s", supportbeetest.Company, desk.URL, desk.Token)
	if strings.HasPrefix(desk.URL, "http://") && !loopbackURL(desk.URL) {
		fmt.Fprint(&text, " SUPPORTBEE_INSECURE_HTTP=true")
	}
	return text.String() + "\n"
}

// onLoopback reports whether only this machine can reach the listener.
func onLoopback(l net.Listener) bool {
	addr, ok := l.Addr().(*net.TCPAddr)
	return ok && addr.IP.IsLoopback()
}

// loopbackURL reports whether the host of a URL is loopback.
func loopbackURL(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}
