package supportbee

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// OnceOptions configures [RepliesService.CreateOnce], [CommentsService.CreateOnce] and
// [TicketsService.CreateOnce].
type OnceOptions struct {
	// Since makes CreateOnce look, before it sends anything, for an equal message created at this
	// time or later, so that a program that was killed simply makes the call again. It must be a
	// time by the server's clock, such as [Ticket.CreatedAt], because the local clock may be
	// wrong.
	//
	// The request of a killed program may still be on its way: an absent message is sent only when
	// the client, or the first one that it was copied from, was made at least Settle ago.
	Since time.Time

	// Settle is the time after which a request without a response is believed never to be carried
	// out, and to be visible if it was. The default is 30 seconds. CreateOnce waits for it only if
	// the message is absent.
	Settle time.Duration
}

const (
	defaultSettle = 30 * time.Second
	maxSends      = 8
	minLookWait   = 250 * time.Millisecond
	maxLookWait   = 4 * time.Second
	clockSlack    = 2 * time.Second // the server's times are whole seconds, rounded either way
	minPrefix     = 40              // bytes from which a text is recognized by its beginning
)

// CreateOnce creates a reply exactly once: if the outcome of a request is unknown, it looks for the
// reply before it sends another. If the server carries out a request, and lists its reply, within
// [OnceOptions.Settle] or never, the reply is created exactly once, or the error is
// [ErrOutcomeUnknown], or the server has rejected the reply.
//
// CreateOnce looks until it finds the reply, and sends another request only if the reply is absent
// after Settle, at most 8 in all. A look that fails proves nothing. After a response with status
// 2xx that cannot be read, no other request is sent. Status 429 is waited for. If the server
// rejects the reply, the error is that of [RepliesService.Create]. If ctx ends before the outcome
// is known, the error is [ErrOutcomeUnknown]: ctx should have a deadline well above Settle.
//
// Calls for the same ticket by a client and its copies run one at a time, and two calls never
// return the same reply: two equal replies that are sent on purpose are created twice. With
// [OnceOptions.Since], a new client that makes the same calls again finds them.
//
// A reply of the ticket is taken for the one to create if an agent wrote it, the one of OnBehalfOf
// if that is given, it was created at or after Since or the call by the server's clock, less two
// seconds, and its text or HTML is equal. Only letters, digits and symbols are compared, in lower
// case, without tags. A text of which one is the beginning of the other is equal if the shorter
// one has at least 40 bytes, or was cut by the server; so is one that is followed by a signature
// after a line with "--". Other signatures after shorter texts are not recognized. Attachments are
// compared if both have some, or if the reply has nothing else.
//
// CreateOnce cannot tell an equal reply that another process, [RepliesService.Create] or an agent
// creates at the same time from its own.
func (s *RepliesService) CreateOnce(ctx context.Context, ticket TicketID, params ReplyParams, opts *OnceOptions) (*Reply, error) {
	return createOnce(ctx, s.client, replyOnce(s, ticket, params), opts)
}

// Find returns the replies of a ticket that are equal to params, as defined at
// [RepliesService.CreateOnce], and were created at or after since, less two seconds, oldest first.
// If since is zero, it returns all of them. Since is a time by the server's clock.
func (s *RepliesService) Find(ctx context.Context, ticket TicketID, params ReplyParams, since time.Time) ([]*Reply, error) {
	return find(ctx, s.client, "Replies.Find", replyOnce(s, ticket, params), since)
}

func replyOnce(s *RepliesService, ticket TicketID, params ReplyParams) onceKind[Reply] {
	content := comparableParams(params.Content)
	return onceKind[Reply]{
		op: "Replies.CreateOnce", path: fmt.Sprintf("/tickets/%d/replies", ticket),
		invalid: firstError(params.Validate(), positive("id", ticket)),
		create:  func(ctx context.Context) (*Reply, error) { return s.Create(ctx, ticket, params) },
		list:    func(ctx context.Context, _ time.Time) ([]*Reply, error) { return s.List(ctx, ticket) },
		isEqual: func(r *Reply) bool {
			return isAgent(r.Replier, params.OnBehalfOf) && content.equals(comparableContent(r.Content))
		},
		identity: func(r *Reply) (int64, time.Time) { return int64(r.ID), r.CreatedAt },
	}
}

// CreateOnce creates a comment exactly once, under the conditions of [RepliesService.CreateOnce],
// which describes them.
func (s *CommentsService) CreateOnce(ctx context.Context, ticket TicketID, params CommentParams, opts *OnceOptions) (*Comment, error) {
	return createOnce(ctx, s.client, commentOnce(s, ticket, params), opts)
}

// Find returns the comments of a ticket that are equal to params and were created at or after
// since, oldest first. See [RepliesService.Find].
func (s *CommentsService) Find(ctx context.Context, ticket TicketID, params CommentParams, since time.Time) ([]*Comment, error) {
	return find(ctx, s.client, "Comments.Find", commentOnce(s, ticket, params), since)
}

func commentOnce(s *CommentsService, ticket TicketID, params CommentParams) onceKind[Comment] {
	content := comparableParams(params.Content)
	return onceKind[Comment]{
		op: "Comments.CreateOnce", path: fmt.Sprintf("/tickets/%d/comments", ticket),
		invalid: firstError(params.Validate(), positive("id", ticket)),
		create:  func(ctx context.Context) (*Comment, error) { return s.Create(ctx, ticket, params) },
		list:    func(ctx context.Context, _ time.Time) ([]*Comment, error) { return s.List(ctx, ticket) },
		isEqual: func(c *Comment) bool {
			return isAgent(c.Commenter, AgentRef{}) && content.equals(comparableContent(c.Content))
		},
		identity: func(c *Comment) (int64, time.Time) { return int64(c.ID), c.CreatedAt },
	}
}

// CreateOnce creates a ticket exactly once, under the conditions of [RepliesService.CreateOnce],
// which describes them. It requires a token.
//
// A ticket in any state is taken for the one to create if it has the same requester and subject
// and equal content. Calls for the same requester run one at a time.
func (s *TicketsService) CreateOnce(ctx context.Context, params TicketParams, opts *OnceOptions) (*Ticket, error) {
	return createOnce(ctx, s.client, ticketOnce(s, params), opts)
}

// Find returns the tickets that are equal to params and were created at or after since, in any
// state, oldest first. See [TicketsService.CreateOnce] and [RepliesService.Find].
func (s *TicketsService) Find(ctx context.Context, params TicketParams, since time.Time) ([]*Ticket, error) {
	kind := ticketOnce(s, params)
	kind.list = kind.listAll
	return find(ctx, s.client, "Tickets.Find", kind, since)
}

func ticketOnce(s *TicketsService, params TicketParams) onceKind[Ticket] {
	content := comparableParams(params.Content)
	subject := comparableText(params.Subject)
	options := func(since time.Time) *TicketListOptions {
		return &TicketListOptions{
			PerPage: maxPerPage, Archived: ArchivedAny, IncludeSpam: true, IncludeTrash: true,
			RequesterEmails: []string{params.RequesterEmail}, Since: since, SortBy: SortByCreationTime,
		}
	}
	listAll := func(ctx context.Context, since time.Time) ([]*Ticket, error) {
		return Collect(s.All(ctx, options(since)))
	}
	return onceKind[Ticket]{
		op: "Tickets.CreateOnce", path: "/tickets", requester: strings.ToLower(params.RequesterEmail),
		invalid: params.Validate(),
		create:  func(ctx context.Context) (*Ticket, error) { return s.Create(ctx, params) },
		list: func(ctx context.Context, since time.Time) ([]*Ticket, error) {
			if !since.IsZero() {
				return listAll(ctx, since)
			}
			page, err := s.List(ctx, options(since)) // the newest are enough: it was created just now
			if err != nil {
				return nil, err
			}
			return page.Tickets, nil
		},
		listAll: listAll,
		isEqual: func(t *Ticket) bool {
			// A customer group has no address. The list is of this requester anyway.
			return (t.Requester.Email == "" || strings.EqualFold(t.Requester.Email, params.RequesterEmail)) &&
				comparableText(t.Subject) == subject && content.equals(comparableContent(t.Content))
		},
		identity: func(t *Ticket) (int64, time.Time) { return int64(t.ID), t.CreatedAt },
	}
}

// isAgent reports whether a person works in the help desk and is the given one, if one is given.
func isAgent(p Person, ref AgentRef) bool {
	switch {
	case ref.ID != 0:
		return p.ID == ref.ID
	case ref.Email != "":
		return strings.EqualFold(p.Email, ref.Email)
	}
	return p.Agent
}

// onceKind is how a message of one kind is created and found again.
type onceKind[T any] struct {
	op        string // such as "Replies.CreateOnce"
	path      string // of the create
	requester string // of a ticket
	invalid   error  // why the arguments are rejected; nil if they are not
	create    func(context.Context) (*T, error)
	list      func(ctx context.Context, since time.Time) ([]*T, error) // since may be zero, and is only a hint
	listAll   func(ctx context.Context, since time.Time) ([]*T, error) // nil if list does that
	isEqual   func(*T) bool
	identity  func(*T) (id int64, created time.Time)
}

// equalSince returns those of the list that are equal to the message and were created at or after
// since, less the slack, oldest first.
func (k *onceKind[T]) equalSince(list []*T, since time.Time) []*T {
	if !since.IsZero() {
		since = since.Add(-clockSlack)
	}
	var equal []*T
	for _, value := range list {
		if _, created := k.identity(value); !created.Before(since) && k.isEqual(value) {
			equal = append(equal, value)
		}
	}
	slices.SortFunc(equal, func(a, b *T) int {
		idA, createdA := k.identity(a)
		idB, createdB := k.identity(b)
		return cmp.Or(createdA.Compare(createdB), cmp.Compare(idA, idB))
	})
	return equal
}

func find[T any](ctx context.Context, c *Client, op string, k onceKind[T], since time.Time) ([]*T, error) {
	if err := c.check(ctx, op, k.invalid, false); err != nil {
		return nil, err
	}
	hint := since
	if !hint.IsZero() {
		hint = hint.Add(-clockSlack)
	}
	list, err := k.list(ctx, hint)
	if err != nil {
		return nil, err
	}
	return k.equalSince(list, since), nil
}

func createOnce[T any](ctx context.Context, c *Client, k onceKind[T], opts *OnceOptions) (*T, error) {
	o := valueOf(opts)
	if o.Settle < 0 {
		k.invalid = firstError(k.invalid, invalid("Settle", "must not be negative, got %s", o.Settle))
	}
	if err := c.check(ctx, k.op, k.invalid, false); err != nil {
		return nil, err
	}
	base, shared := c.config.baseText, c.config.once
	call := onceCall[T]{
		onceKind: k, shared: shared, kind: base + " " + k.op, settle: cmp.Or(o.Settle, defaultSettle), since: o.Since, mayExist: !o.Since.IsZero(),
	}
	turn := base + k.path + " " + k.requester
	if !shared.enter(ctx, turn) {
		return nil, call.ended(ctx)
	}
	defer shared.leave(turn)
	if c.config.dryRun == nil { // or it sends nothing to wait for
		call.ready = shared.lastDoubt(base + k.path).Add(call.settle)
	}
	return call.run(ctx)
}

// onceCall is a call of CreateOnce.
type onceCall[T any] struct {
	onceKind[T]
	shared *onces
	kind   string // whose IDs are distinct
	settle time.Duration
	since  time.Time // by the server's clock; zero until it is known
	began  time.Time // of the first request, by the local clock

	sent     int       // requests without a known outcome
	ready    time.Time // when all earlier requests are believed to be settled
	mayExist bool      // whether the message may have been created
	accepted bool      // whether the server has accepted it, so that it must not be sent again
	cause    error     // of the last outcome that is unknown
}

// run sends and looks in turns until one of them succeeds.
func (o *onceCall[T]) run(ctx context.Context) (*T, error) {
	var limited time.Duration // the last wait for status 429
	for {
		if o.mayExist {
			value, err := o.await(ctx)
			if value != nil || err != nil {
				return value, err
			}
			if o.accepted || o.sent == maxSends {
				return nil, o.fail(o.cause)
			}
			o.mayExist = false
		}
		if o.began.IsZero() {
			o.began = time.Now()
		}
		value, err := o.create(ctx)
		switch e, _ := errors.AsType[*Error](err); {
		case err == nil:
			id, _ := o.identity(value)
			o.shared.claim(o.kind, id)
			return value, nil
		case errors.Is(err, ErrOutcomeUnknown):
			limited = 0
			o.sent++
			o.mayExist, o.cause, o.ready = true, err, time.Now().Add(o.settle)
			o.accepted = e != nil && e.StatusCode/100 == 2
		case e != nil && errors.Is(err, ErrRateLimited):
			limited = nextWait(limited)
			wait := max(e.RetryAfter, limited)
			if deadline, ok := ctx.Deadline(); ok && time.Now().Add(wait).After(deadline) {
				return nil, err
			}
			if !sleep(ctx, wait) {
				return nil, o.ended(ctx)
			}
		default:
			return nil, err
		}
	}
}

// await looks for the message until it is found or known to be absent: then it returns nil.
func (o *onceCall[T]) await(ctx context.Context) (*T, error) {
	for wait := time.Duration(0); ; wait = nextWait(wait) {
		pause := wait
		if left := time.Until(o.ready); left > 0 {
			pause = min(pause, left)
		}
		if !sleep(ctx, pause) {
			return nil, o.ended(ctx)
		}
		isSettled := !time.Now().Before(o.ready)
		value, err := o.look(ctx)
		switch {
		case value != nil:
			return value, nil
		case err == nil && isSettled:
			return nil, nil
		case ctx.Err() != nil:
			return nil, o.ended(ctx)
		case err != nil && o.sent == 0 && isRejection(err):
			return nil, err
		case err != nil && isSettled && isRejection(err):
			return nil, o.fail(err)
		}
	}
}

// look returns the oldest message that is equal and was not returned by another call, or nil if
// there is none.
func (o *onceCall[T]) look(ctx context.Context) (*T, error) {
	var response Response
	hint := o.since
	if !hint.IsZero() {
		hint = hint.Add(-clockSlack)
	}
	list, err := o.list(WithResponse(ctx, &response), hint)
	if outer, _ := ctx.Value(responseKey{}).(*Response); outer != nil && response.Attempts > 0 {
		*outer = response
	}
	if err != nil {
		return nil, err
	}
	since := o.since
	if since.IsZero() {
		date, err := response.Date()
		if err != nil {
			return nil, errNoDate
		}
		since = date.Add(-time.Since(o.began))
		o.since = since
	}
	list = slices.DeleteFunc(list, func(value *T) bool { // before they are compared
		id, _ := o.identity(value)
		return o.shared.isClaimed(o.kind, id)
	})
	for _, value := range o.equalSince(list, since) {
		if id, _ := o.identity(value); o.shared.claim(o.kind, id) {
			return value, nil
		}
	}
	return nil, nil
}

var errNoDate = errors.New("the response has no Date header, which tells the server's time")

// isRejection reports whether a look that failed with err would fail again.
func isRejection(err error) bool {
	if errors.Is(err, errNoDate) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return true // an argument
	}
	switch e.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.StatusCode/100 == 4
}

// fail returns [ErrOutcomeUnknown] with its cause.
func (o *onceCall[T]) fail(cause error) error {
	return &Error{Op: o.op, Method: http.MethodPost, Path: o.path, Attempts: o.sent, Err: unknownOutcome(cause)}
}

// ended returns the error of a call whose context has ended.
func (o *onceCall[T]) ended(ctx context.Context) error {
	cause := transport.ContextError(ctx)
	if o.mayExist {
		return o.fail(cause)
	}
	return &Error{Op: o.op, Method: http.MethodPost, Path: o.path, Attempts: o.sent, Err: cause}
}

func nextWait(wait time.Duration) time.Duration { return min(max(2*wait, minLookWait), maxLookWait) }

// sleep waits. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// onces is what the calls of CreateOnce of a client and its copies share.
type onces struct {
	born time.Time

	mu      sync.Mutex
	busy    map[string]chan struct{} // turns that are taken; closed when they end
	claimed map[string]idSet         // what was returned, by kind
	doubts  map[string]time.Time     // when a create last ended with an unknown outcome, by URL
}

// maxDoubt is how long a create with an unknown outcome is remembered.
const maxDoubt = time.Hour

func newOnces() *onces {
	return &onces{born: time.Now(), busy: map[string]chan struct{}{}, claimed: map[string]idSet{}, doubts: map[string]time.Time{}}
}

// enter waits for a turn, which must be left. It returns false if ctx ends first.
func (s *onces) enter(ctx context.Context, turn string) bool {
	for ctx.Err() == nil {
		s.mu.Lock()
		taken, isTaken := s.busy[turn]
		if !isTaken {
			s.busy[turn] = make(chan struct{})
		}
		s.mu.Unlock()
		if !isTaken {
			return true
		}
		select {
		case <-taken:
		case <-ctx.Done():
		}
	}
	return false
}

func (s *onces) leave(turn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.busy[turn])
	delete(s.busy, turn)
}

// isClaimed reports whether a call has returned the message.
func (s *onces) isClaimed(kind string, id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claimed[kind].has(TicketID(id))
}

// claim reports whether no call has returned the message yet, and remembers that this one does.
func (s *onces) claim(kind string, id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := s.claimed[kind]
	isNew := ids.add(TicketID(id))
	s.claimed[kind] = ids
	return isNew
}

// doubt remembers that a create at the URL has just ended with an unknown outcome.
func (s *onces) doubt(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for other, at := range s.doubts {
		if now.Sub(at) > maxDoubt {
			delete(s.doubts, other)
		}
	}
	s.doubts[url] = now
}

// lastDoubt returns when the last request at the URL that may be carried out later was given up on.
// One of a killed program was given up on before the client was made.
func (s *onces) lastDoubt(url string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.doubts[url]; ok {
		return at
	}
	return s.born
}

// likeness is a content in the forms in which it is compared.
type likeness struct {
	forms       []string // none is empty
	isCut       bool     // by the server
	attachments []AttachmentID
}

// comparableParams returns the forms of a content to send. Whether its text is shown as HTML is up
// to the server, so it is compared as both.
func comparableParams(p ContentParams) likeness {
	return likeness{forms: comparableForms(p.Text, withoutTags(p.Text), withoutTags(p.HTML)), attachments: p.AttachmentIDs}
}

// comparableContent returns the forms of a content that the server sent.
func comparableContent(c Content) likeness {
	text, markup := c.Text, c.HTML
	if c.Truncated {
		text, markup = cutMarkup.ReplaceAllString(text, ""), cutMarkup.ReplaceAllString(markup, "")
	}
	plain, fromHTML := withoutTags(text), withoutTags(markup)
	forms := comparableForms(c.Text, plain, fromHTML, withoutSignature(text), withoutSignature(fromHTML))
	out := likeness{forms: forms, isCut: c.Truncated}
	for _, attachment := range c.Attachments {
		out.attachments = append(out.attachments, attachment.ID)
	}
	return out
}

// equals reports whether a content of the server is c.
func (c likeness) equals(theirs likeness) bool {
	hasAttachments := !slices.ContainsFunc(c.attachments, func(id AttachmentID) bool { return !slices.Contains(theirs.attachments, id) })
	switch {
	case len(c.forms) == 0:
		return hasAttachments
	case !hasAttachments && len(theirs.attachments) > 0:
		return false
	}
	for _, a := range c.forms {
		for _, b := range theirs.forms {
			if a == b || len(a) >= minPrefix && strings.HasPrefix(b, a) ||
				(len(b) >= minPrefix || theirs.isCut) && strings.HasPrefix(a, b) {
				return true
			}
		}
	}
	return false
}

func comparableForms(texts ...string) []string {
	var forms []string
	for _, text := range texts {
		if form := comparableText(text); form != "" && !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// comparableText returns the letters, digits and symbols of a text in lower case. If it has none,
// it returns what it has but white space.
func comparableText(text string) string {
	keep := func(isKept func(rune) bool) string {
		return strings.Map(func(r rune) rune {
			if !isKept(r) {
				return -1
			}
			return unicode.ToLower(r)
		}, text)
	}
	form := keep(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsSymbol(r) })
	if form == "" {
		form = keep(func(r rune) bool { return !unicode.IsSpace(r) && unicode.IsPrint(r) })
	}
	return form
}

var (
	// markup matches comments, elements whose content is not shown, and tags.
	markup = regexp.MustCompile(`(?is)<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)\s*>|</?[a-z!?](?:"[^"]*"|'[^']*'|[^'">])*>`)

	// cutMarkup matches a tag or an entity at the end that is not whole.
	cutMarkup = regexp.MustCompile(`(?s)(?:<[^>]*|&#?\w*)$`)

	signature = regexp.MustCompile(`(?m)^[ \t]*(?:--|—|__+)[ \t\r]*$`)
)

// withoutTags returns HTML as text. Each tag becomes the end of a line.
func withoutTags(text string) string { return html.UnescapeString(markup.ReplaceAllString(text, "\n")) }

// withoutSignature returns a text up to the line before a signature.
func withoutSignature(text string) string {
	if at := signature.FindStringIndex(text); at != nil {
		return text[:at[0]]
	}
	return text
}
