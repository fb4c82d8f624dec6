package supportbee

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Version is the version of this SDK, as sent in the User-Agent header.
const Version = "0.1.0"

const (
	defaultTimeout         = 30 * time.Second
	defaultMaxResponseSize = 32 << 20
	defaultPrefetch        = 2
	maxRedirects           = 10
)

// Client calls the SupportBee API of one company with one token.
//
// It is safe for concurrent use; make one and share it. Its services hold the operations, one
// service a resource.
type Client struct {
	Tickets             *TicketsService
	Replies             *RepliesService
	Comments            *CommentsService
	Labels              *LabelsService
	Drafts              *DraftsService
	Users               *UsersService
	Teams               *TeamsService
	Snippets            *SnippetsService
	Attachments         *AttachmentsService
	ForwardingAddresses *ForwardingAddressesService
	Filters             *FiltersService
	Reports             *ReportsService

	config config
	http   *resty.Client
	err    error // an option of With that was refused: every call returns it
}

// service is what every service struct embeds: the way back to its client.
type service struct{ client *Client }

// config is what options change. It is copied by value.
type config struct {
	base        *url.URL
	baseText    string // base, to put paths behind
	token       transport.Token
	httpClient  http.Client
	insecure    bool
	userAgent   string
	maxResponse int64
	prefetch    int
	timeout     time.Duration
	retry       RetryPolicy
	limiter     Limiter
	logger      *slog.Logger
	observers   []func(Exchange)
	gate        *transport.Gate
}

// New returns a client for the company whose help desk is at https://{company}.supportbee.com.
//
// The company may be empty if [WithBaseURL] is given. The token is personal, and its rights are
// its user's role. With an empty token only [TicketsService.Create] works; every other call
// fails with [ErrTokenRequired] before the network. Errors wrap [ErrInvalidArgument].
func New(company, token string, opts ...Option) (*Client, error) {
	cfg := config{
		userAgent:   "supportbee-go/" + Version,
		maxResponse: defaultMaxResponseSize,
		prefetch:    defaultPrefetch,
		timeout:     defaultTimeout,
		gate:        new(transport.Gate),
	}
	cfg.httpClient.Transport = transport.NewBase()
	if err := WithToken(token)(&cfg); err != nil {
		return nil, refuse("New", err)
	}
	if company != "" {
		if !isDNSLabel(company) {
			return nil, refuse("New", invalid("company", "%q is not the first part of a {company}.supportbee.com host name", company))
		}
		cfg.base = &url.URL{Scheme: "https", Host: strings.ToLower(company) + ".supportbee.com"}
	}
	if err := cfg.apply(opts); err != nil {
		return nil, refuse("New", err)
	}
	return newClient(cfg), nil
}

// FromEnv returns a client set up from the environment: SUPPORTBEE_COMPANY, SUPPORTBEE_TOKEN,
// and SUPPORTBEE_BASE_URL, which replaces the company's address.
//
// A missing token is [ErrTokenRequired]; anything else that is missing or wrong is
// [ErrInvalidArgument].
func FromEnv(opts ...Option) (*Client, error) {
	company, token, base := os.Getenv("SUPPORTBEE_COMPANY"), os.Getenv("SUPPORTBEE_TOKEN"), os.Getenv("SUPPORTBEE_BASE_URL")
	if token == "" {
		return nil, refuse("FromEnv", fmt.Errorf("%w: set SUPPORTBEE_TOKEN", ErrTokenRequired))
	}
	if company == "" && base == "" {
		return nil, refuse("FromEnv", invalid("SUPPORTBEE_COMPANY", "is not set"))
	}
	if base != "" {
		opts = append([]Option{WithBaseURL(base)}, opts...)
	}
	return New(company, token, opts...)
}

// With returns a copy of the client with further options. The copy shares the original's
// connections and rate-limit pauses; the original is unchanged.
//
// An option that is refused shows in the copy's first call, as [ErrInvalidArgument].
func (c *Client) With(opts ...Option) *Client {
	cfg, err := c.config, c.err
	if applyErr := cfg.apply(opts); applyErr != nil && err == nil {
		err = refuse("With", applyErr)
		cfg = c.config
	}
	derived := newClient(cfg)
	derived.err = err
	return derived
}

// CloseIdleConnections closes the connections that are open and not in use, also those of
// clients that share them. The client stays usable.
func (c *Client) CloseIdleConnections() { c.config.httpClient.CloseIdleConnections() }

// String names the client by its base URL; it does not show the token.
func (c *Client) String() string { return "supportbee.Client(" + c.config.base.String() + ")" }

func newClient(cfg config) *Client {
	c := &Client{config: cfg}
	var hooks []transport.Hook
	if cfg.logger != nil {
		hooks = append(hooks, transport.Log(cfg.logger))
	}
	for _, observe := range cfg.observers {
		hooks = append(hooks, func(_ context.Context, e transport.Exchange) { observe(Exchange(e)) })
	}
	engine := cfg.httpClient // our own copy: resty changes the one it is given
	engine.Jar = nil
	engine.CheckRedirect = cfg.checkRedirect
	engine.Transport = transport.Chain(cfg.httpClient.Transport, transport.Config{
		Origin: cfg.base, Token: cfg.token, PerAttempt: cfg.timeout, Policy: transport.Policy(cfg.retry),
		Limiter: cfg.limiter, Gate: cfg.gate, Hooks: hooks,
	})
	c.http = resty.NewWithClient(&engine).
		SetHeader("Accept", "application/json").
		SetHeader("User-Agent", cfg.userAgent).
		SetLogger(silent{}).
		SetPreRequestHook(prepare)

	s := service{c}
	c.Tickets = &TicketsService{s}
	c.Replies = &RepliesService{s}
	c.Comments = &CommentsService{s}
	c.Labels = &LabelsService{s}
	c.Drafts = &DraftsService{s}
	c.Users = &UsersService{s}
	c.Teams = &TeamsService{s}
	c.Snippets = &SnippetsService{s}
	c.Attachments = &AttachmentsService{s}
	c.ForwardingAddresses = &ForwardingAddressesService{s}
	c.Filters = &FiltersService{s}
	c.Reports = &ReportsService{s}
	return c
}

// checkRedirect follows downloads to any origin, which gets no token, and API calls only within
// the base URL's origin and without a change of method.
func (cfg *config) checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // the address of a download is nobody else's business
	call := transport.CallFrom(req.Context())
	switch {
	case len(via) >= maxRedirects:
		return http.ErrUseLastResponse
	case call != nil && call.Streaming && req.Method == http.MethodGet:
		return cfg.checkScheme(req.URL)
	case !transport.SameOrigin(req.URL, cfg.base) || req.Method != via[0].Method:
		return http.ErrUseLastResponse
	}
	return nil
}

// checkScheme refuses what would travel in the clear.
func (cfg *config) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (cfg.insecure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return errors.New("plain http is for loopback addresses only: use https, or allow it with WithInsecureHTTP")
	}
	return fmt.Errorf("scheme %q is neither https nor http", u.Scheme)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func isDNSLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// silent keeps resty from writing to standard error.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
