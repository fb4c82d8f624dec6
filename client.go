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
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// sdkAgent is the User-Agent header by default.
const sdkAgent = "supportbee-go/" + Version

func sentHeader(userAgent string) http.Header {
	return http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}
}

const (
	defaultTimeout         = 30 * time.Second
	defaultMaxResponseSize = 32 << 20
	defaultPrefetch        = 2
	maxRedirects           = 10
)

// Client calls the SupportBee API of one company with one token. It is safe for concurrent use.
//
// Its services hold the operations, one service for each resource. A Client must be made by [New]
// or [FromEnv].
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
	chain  http.RoundTripper // what sends requests
	err    error             // an option of With that was rejected; all calls return it
}

// service is embedded in each service.
type service struct{ client *Client }

// config is what options change. It is copied by value.
type config struct {
	base        *url.URL
	baseText    string // base, to be prepended to paths
	token       transport.Token
	httpClient  http.Client
	insecure    bool
	requests    *sync.Pool  // of *resty.Request; nil after httpClient has changed
	sent        http.Header // of all requests; never changed
	header      http.Header // never changed in place
	maxResponse int64
	prefetch    int
	timeout     time.Duration
	retry       RetryPolicy
	limiter     Limiter
	logger      *slog.Logger
	observers   []Observer
	gate        *transport.Gate // closed by status 429
	createGate  *transport.Gate // closed by status 429 for Tickets.Create
	drift       *drifts
	once        *onces // of the calls of CreateOnce
	hearsDrift  bool   // whether an observer or logger reports drift
	observesEnd bool   // whether an observer has End

	dryRun func(ctx context.Context, request PlannedRequest) // nil unless in a dry run
	allow  func(address string) bool                         // nil if all recipients are allowed
}

// New returns a client for the help desk at https://{company}.supportbee.com.
//
// The company may be empty if [WithBaseURL] is given. The token is personal: it has the rights of
// its user. Without a token only [TicketsService.Create] works; other calls return
// [ErrTokenRequired]. The errors of New are of type [*ArgumentError].
func New(company, token string, opts ...Option) (*Client, error) {
	cfg := config{
		sent:        sentHeader(sdkAgent),
		maxResponse: defaultMaxResponseSize,
		prefetch:    defaultPrefetch,
		timeout:     defaultTimeout,
		gate:        new(transport.Gate),
		createGate:  new(transport.Gate),
		drift:       new(drifts),
		once:        newOnces(),
	}
	cfg.httpClient.Transport = NewTransport()
	if company != "" {
		if !isDNSLabel(company) {
			return nil, rejected("New", invalid("company", "must be the first label of a {company}.supportbee.com host name, got %q", company))
		}
		cfg.base = &url.URL{Scheme: "https", Host: strings.ToLower(company) + ".supportbee.com"}
	}
	if err := cfg.apply("New", append([]Option{WithToken(token)}, opts...)); err != nil {
		return nil, err
	}
	return newClient(cfg), nil
}

// FromEnv returns a client configured by the environment variables SUPPORTBEE_COMPANY,
// SUPPORTBEE_TOKEN, SUPPORTBEE_BASE_URL, which replaces the company's address, and
// SUPPORTBEE_INSECURE_HTTP, which allows plain HTTP if it is true; see [WithInsecureHTTP].
//
// A missing token is [ErrTokenRequired]. All errors are of type [*ArgumentError].
func FromEnv(opts ...Option) (*Client, error) {
	const op = "FromEnv"
	company, token, base := os.Getenv("SUPPORTBEE_COMPANY"), os.Getenv("SUPPORTBEE_TOKEN"), os.Getenv("SUPPORTBEE_BASE_URL")
	if token == "" {
		return nil, &ArgumentError{Op: op, Field: "SUPPORTBEE_TOKEN", Reason: "is not set", Err: ErrTokenRequired}
	}
	if company == "" && base == "" {
		return nil, rejected(op, invalid("SUPPORTBEE_COMPANY", "is not set"))
	}
	var env []Option
	if text := os.Getenv("SUPPORTBEE_INSECURE_HTTP"); text != "" {
		insecure, err := strconv.ParseBool(text)
		if err != nil {
			return nil, rejected(op, invalid("SUPPORTBEE_INSECURE_HTTP", "must be true or false, got %q", text))
		}
		if insecure {
			env = append(env, WithInsecureHTTP())
		}
	}
	if base != "" {
		env = append(env, WithBaseURL(base))
	}
	return New(company, token, slices.Concat(env, opts)...)
}

// With returns a copy of the client with additional options. The copy shares connections and
// rate-limit pauses with c, which is not changed.
//
// An invalid option is reported by the first call of the copy, as an [*ArgumentError].
func (c *Client) With(opts ...Option) *Client {
	if c == nil || c.chain == nil {
		c = &Client{err: rejected("With", invalid("client", "must be made by New"))}
	}
	cfg, err := c.config, c.err
	if applyErr := cfg.apply("With", opts); applyErr != nil && err == nil {
		err = applyErr
		cfg = c.config
	}
	derived := newClient(cfg)
	derived.err = err
	return derived
}

// CloseIdleConnections closes the idle connections of c and of the clients that share them.
func (c *Client) CloseIdleConnections() {
	if c != nil && c.chain != nil {
		c.config.httpClient.CloseIdleConnections()
	}
}

// String returns the base URL. It never contains the token.
func (c *Client) String() string {
	if c == nil {
		return "<nil>"
	}
	return c.config.baseText
}

// LogValue implements [slog.LogValuer]. It returns the base URL.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// allocation is a client with its services, in one piece of memory: With is called often.
type allocation struct {
	client              Client
	tickets             TicketsService
	replies             RepliesService
	comments            CommentsService
	labels              LabelsService
	drafts              DraftsService
	users               UsersService
	teams               TeamsService
	snippets            SnippetsService
	attachments         AttachmentsService
	forwardingAddresses ForwardingAddressesService
	filters             FiltersService
	reports             ReportsService
}

func newClient(cfg config) *Client {
	a := new(allocation)
	c := &a.client
	var hooks []transport.Hook
	if cfg.logger != nil {
		hooks = append(hooks, transport.Log(cfg.logger))
	}
	for _, o := range cfg.observers {
		if o.Attempt != nil {
			hooks = append(hooks, func(ctx context.Context, a transport.Attempt) { o.Attempt(ctx, Attempt(a)) })
		}
		cfg.observesEnd = cfg.observesEnd || o.End != nil
	}
	cfg.hearsDrift = cfg.listensToDrift()
	if cfg.requests == nil {
		cfg.requests = newRequests(cfg.httpClient)
	}
	c.config = cfg
	c.chain = transport.Chain(cfg.httpClient.Transport, transport.Config{
		Origin: cfg.base, Token: cfg.token, Header: cfg.header, PerAttempt: cfg.timeout, Policy: transport.Policy(cfg.retry),
		Limiter: cfg.limiter, Gate: cfg.gate, Hooks: hooks,
	})

	s := service{c}
	a.tickets, c.Tickets = TicketsService{s}, &a.tickets
	a.replies, c.Replies = RepliesService{s}, &a.replies
	a.comments, c.Comments = CommentsService{s}, &a.comments
	a.labels, c.Labels = LabelsService{s}, &a.labels
	a.drafts, c.Drafts = DraftsService{s}, &a.drafts
	a.users, c.Users = UsersService{s}, &a.users
	a.teams, c.Teams = TeamsService{s}, &a.teams
	a.snippets, c.Snippets = SnippetsService{s}, &a.snippets
	a.attachments, c.Attachments = AttachmentsService{s}, &a.attachments
	a.forwardingAddresses, c.ForwardingAddresses = ForwardingAddressesService{s}, &a.forwardingAddresses
	a.filters, c.Filters = FiltersService{s}, &a.filters
	a.reports, c.Reports = ReportsService{s}, &a.reports
	return c
}

// at returns the URL of an escaped path below the base URL.
func (cfg *config) at(path, query string) url.URL {
	u := *cfg.base
	u.RawQuery = query
	u.RawPath = u.EscapedPath() + path
	u.Path = u.RawPath
	if strings.Contains(u.RawPath, "%") {
		u.Path, _ = url.PathUnescape(u.RawPath) // both parts were parsed or escaped here
	}
	return u
}

// checkRedirect follows the redirects of downloads to any origin, which does not get the token,
// and those of other requests only within the base URL's origin and without a change of method.
func (cfg *config) checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // the address of a download is private
	report := transport.ReportFrom(req.Context())
	switch {
	case len(via) >= maxRedirects:
		return http.ErrUseLastResponse
	case report != nil && report.Streaming && report.Class == transport.Read:
		return cfg.checkScheme(req.URL)
	case report == nil || report.Class == transport.Create,
		!transport.SameOrigin(req.URL, cfg.base) || req.Method != via[0].Method:
		return http.ErrUseLastResponse
	}
	return nil
}

// checkScheme rejects a URL whose requests would not be encrypted.
func (cfg *config) checkScheme(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && (cfg.insecure || isLoopback(u.Hostname()) && cfg.base.Scheme == "http"):
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return errors.New("plain HTTP is not allowed with a base URL of https: use https, or WithInsecureHTTP")
	case u.Scheme == "http":
		return errors.New("plain HTTP is allowed for loopback addresses only: use https, or WithInsecureHTTP")
	}
	return fmt.Errorf("the scheme must be https or http, got %q", u.Scheme)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
