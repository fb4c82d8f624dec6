package supportbee

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

const (
	defaultKeepKeys = 24 * time.Hour

	// maxRecordedKeys limits the memory of a store to about 10 MiB.
	maxRecordedKeys = 100_000
)

// WebhookHandler is an [http.Handler] that receives events. Handle and either Secret or
// AllowAnyone are required. Its fields must not be modified after the first request, and it must
// not be copied.
//
// The status of a response is
//
//   - 200 if Handle succeeded, for a repeated event, and for a check of the URL;
//   - 202 if Handle takes longer than RespondAfter;
//   - 400 if the body is not an event, 403 if the secret is missing or wrong, 405 if the method is
//     not POST, 413 if the body is larger than MaxSize, 415 if it is not JSON;
//   - 500 if Handle or Store failed, or if a required field is not set;
//   - 503 after [WebhookHandler.Shutdown].
type WebhookHandler struct {
	// Handle is called for each event, except for [WebhookCheck] and repeated events, concurrently
	// if events arrive concurrently. The texts of an event may be escaped; see [Webhook.Unescaped].
	//
	// If Handle returns an error or panics, the response has status 500, so that the event is sent
	// again. The service's help says that it does so three times, an hour apart; whether it does is
	// not known. The context is that of the request: it is canceled if the sender, which waits 10
	// seconds, closes the connection. See RespondAfter.
	Handle func(ctx context.Context, event *Webhook) error

	// Secret must equal the path value or the query parameter "secret" of a request. They are
	// compared in constant time.
	Secret string

	// AllowAnyone accepts events without a secret. It is ignored if Secret is set. If neither is
	// set, every request is rejected with status 500 and the reason is logged.
	AllowAnyone bool

	// Store records the keys of handled events, to drop repeated ones for KeepKeys. Only events
	// that name a new ticket, reply or comment are dropped as repeated; archiving a ticket twice is
	// not. If Store is nil, the handler keeps the last 100,000 keys in memory. If a method of Store
	// fails, the response has status 500, also if Handle has succeeded.
	Store WebhookStore

	// KeepKeys is how long repeated events are dropped. The default is 24 hours. If it is negative,
	// none are.
	KeepKeys time.Duration

	// RespondAfter, if positive, is how long to wait for Handle before responding with status 202.
	// Handle continues, with a context that is never canceled, and its error is logged; the event
	// is not sent again.
	RespondAfter time.Duration

	// MaxSize limits the size of a body in bytes. The default is 32 MiB.
	MaxSize int64

	// Logger logs rejected requests, and the errors and panics of Handle: without secrets and
	// without the data of events, unless they are in the text of an error. Of an error that wraps
	// an [*Error] only that is logged; see [Error.LogValue]. If Logger is nil, nothing is logged.
	Logger *slog.Logger

	mu       sync.Mutex
	memory   recordedKeys             // the default Store
	handling map[string]chan struct{} // by key; closed when the event was handled or has failed
	running  int                      // events that were accepted and have not been handled
	idle     chan struct{}            // closed when running is 0; nil before Shutdown
}

// WebhookStore records keys of events; see [Webhook.Key]. It must be safe for concurrent use.
type WebhookStore interface {
	// Has reports whether key is recorded.
	Has(ctx context.Context, key string) (bool, error)

	// Add records key for the duration d. It is called after Handle has succeeded; repeats that
	// arrive at the same handler meanwhile wait.
	Add(ctx context.Context, key string, d time.Duration) error
}

// ServeHTTP implements [http.Handler].
func (h *WebhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if reason := h.missingField(); reason != "" {
		h.log(ctx, slog.LevelError, "webhook handler is not configured", slog.String("reason", reason))
		respond(w, http.StatusInternalServerError)
		return
	}
	event, rejected := h.receive(w, r)
	switch {
	case rejected != nil:
	case event.Action == WebhookCheck:
		respond(w, http.StatusOK)
		return
	case !h.begin():
		rejected = &rejection{http.StatusServiceUnavailable, "the receiver is shutting down"}
	}
	if rejected != nil {
		h.log(ctx, slog.LevelWarn, "webhook rejected", slog.Int("status", rejected.status), slog.String("reason", rejected.reason))
		http.Error(w, rejected.reason, rejected.status)
		return
	}
	if h.RespondAfter <= 0 {
		defer h.end()
		respond(w, h.process(ctx, event))
		return
	}
	done := make(chan int, 1)
	go func() {
		defer h.end()
		status := http.StatusInternalServerError // if Handle ends the goroutine
		defer func() { done <- status }()
		status = h.process(context.WithoutCancel(ctx), event)
	}()
	timer := time.NewTimer(h.RespondAfter)
	defer timer.Stop()
	select {
	case status := <-done:
		respond(w, status)
	case <-timer.C:
		respond(w, http.StatusAccepted)
	}
}

// Shutdown rejects new events with status 503 and waits until Handle has returned for all others
// or ctx is done, in which case it returns the cause. It does not cancel the contexts of Handle.
// Call it after [http.Server.Shutdown], which does not wait for events that were responded to with
// status 202.
func (h *WebhookHandler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	if h.idle == nil {
		h.idle = make(chan struct{})
		if h.running == 0 {
			close(h.idle)
		}
	}
	idle := h.idle
	h.mu.Unlock()
	select {
	case <-idle:
		return nil
	default:
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return transport.ContextError(ctx)
	}
}

// begin counts an event that end ends. It returns false after Shutdown.
func (h *WebhookHandler) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.idle != nil {
		return false
	}
	h.running++
	return true
}

func (h *WebhookHandler) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	if h.running == 0 && h.idle != nil {
		close(h.idle)
	}
}

// missingField returns what is wrong with the fields.
func (h *WebhookHandler) missingField() string {
	switch {
	case h == nil:
		return "the handler is nil"
	case h.Handle == nil:
		return "Handle is nil"
	case h.Secret == "" && !h.AllowAnyone:
		return "neither Secret nor AllowAnyone is set"
	}
	return ""
}

// rejection is a response to a request that is not accepted.
type rejection struct {
	status int
	reason string // neither personal data nor a secret
}

// receive reads the event of a request. The secret is checked before anything that a stranger
// could cause work with.
func (h *WebhookHandler) receive(w http.ResponseWriter, r *http.Request) (*Webhook, *rejection) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &rejection{http.StatusMethodNotAllowed, "the method must be POST"}
	}
	if h.Secret != "" && !h.hasSecret(r) {
		return nil, &rejection{http.StatusForbidden, "the secret is missing or wrong"}
	}
	// An error in a parameter, such as the charset, does not change the type.
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return nil, &rejection{http.StatusUnsupportedMediaType, "the content type must be application/json"}
	}
	var body []byte
	if r.Body != nil {
		limit := h.MaxSize
		if limit <= 0 {
			limit = defaultMaxResponseSize
		}
		var err error
		body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &rejection{http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit)}
		}
		if err != nil {
			return nil, &rejection{http.StatusBadRequest, "the body cannot be read"} // err may have the sender's address
		}
	}
	event, err := parseWebhook(body)
	if err != nil {
		return nil, &rejection{http.StatusBadRequest, "invalid event: " + err.Error()}
	}
	return event, nil
}

func (h *WebhookHandler) hasSecret(r *http.Request) bool {
	var inQuery string
	if r.URL != nil {
		inQuery = r.URL.Query().Get("secret")
	}
	want := sha256.Sum256([]byte(h.Secret)) // since a comparison takes as long as the shorter of two strings
	equal := func(s string) int {
		got := sha256.Sum256([]byte(s))
		return subtle.ConstantTimeCompare(got[:], want[:])
	}
	return equal(r.PathValue("secret"))|equal(inQuery) == 1
}

// process handles an event and returns the status of the response. It logs why an event failed.
func (h *WebhookHandler) process(ctx context.Context, event *Webhook) (status int) {
	action := slog.String("action", printable(string(event.Action), 64))
	defer func() {
		if cause := recover(); cause != nil {
			h.log(ctx, slog.LevelError, "webhook failed", action, slog.String("panic", panicText(cause)), slog.String("stack", stack()))
			status = http.StatusInternalServerError
		}
	}()
	if err := h.handle(ctx, event); err != nil {
		logged := slog.Any("error", err)
		if apiErr, ok := errors.AsType[*Error](err); ok { // its message would be in the text of what wraps it
			logged = slog.Any("error", apiErr)
		}
		h.log(ctx, slog.LevelError, "webhook failed", action, logged)
		return http.StatusInternalServerError
	}
	return http.StatusOK
}

// handle calls Handle unless the event is repeated.
func (h *WebhookHandler) handle(ctx context.Context, event *Webhook) error {
	if h.KeepKeys < 0 || !event.namesNew() {
		return h.Handle(ctx, event)
	}
	key := event.Key()
	release, err := h.claim(ctx, key)
	if err != nil {
		return fmt.Errorf("supportbee: waiting until the same event was handled: %w", err)
	}
	defer release()
	store, keep := h.Store, h.KeepKeys
	if store == nil {
		store = &h.memory
	}
	if keep == 0 {
		keep = defaultKeepKeys
	}
	switch recorded, err := store.Has(ctx, key); {
	case err != nil:
		return fmt.Errorf("supportbee: WebhookStore.Has: %w", err)
	case recorded:
		return nil
	}
	if err := h.Handle(ctx, event); err != nil {
		return err
	}
	// What was handled is recorded even if the sender has stopped waiting: it will send it again.
	if err := store.Add(context.WithoutCancel(ctx), key, keep); err != nil {
		return fmt.Errorf("supportbee: WebhookStore.Add: %w", err)
	}
	return nil
}

// claim waits until no other call holds the key. The caller holds it until it calls release.
func (h *WebhookHandler) claim(ctx context.Context, key string) (release func(), err error) {
	for {
		h.mu.Lock()
		other, held := h.handling[key]
		if !held {
			if h.handling == nil {
				h.handling = make(map[string]chan struct{})
			}
			handled := make(chan struct{})
			h.handling[key] = handled
			h.mu.Unlock()
			return func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				delete(h.handling, key)
				close(handled)
			}, nil
		}
		h.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, transport.ContextError(ctx)
		}
	}
}

// namesNew reports whether the event names what was created, so that its key is its own.
func (w *Webhook) namesNew() bool {
	switch w.Action {
	case WebhookTicketCreated, WebhookAgentReplyCreated, WebhookCustomerReplyCreated, WebhookCommentCreated:
		return true
	}
	return false
}

func (h *WebhookHandler) log(ctx context.Context, level slog.Level, message string, attrs ...slog.Attr) {
	if h != nil && h.Logger != nil {
		h.Logger.LogAttrs(ctx, level, message, attrs...)
	}
}

// respond writes a response to an event. Its text says nothing about a failure, which is logged.
func respond(w http.ResponseWriter, status int) {
	if status == http.StatusInternalServerError {
		http.Error(w, http.StatusText(status), status)
		return
	}
	w.WriteHeader(status)
}

// panicText describes the value of a panic, without a text that could hold the data of an event.
func panicText(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", cause)
}

// stack returns the functions and lines that led to a panic. Unlike [runtime/debug.Stack] it omits
// arguments, which could be the data of an event.
func stack() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers[:])]) // without stack and the function that recovers
	var text strings.Builder
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}

// recordedKeys is a [WebhookStore] in memory. It forgets the oldest keys if there are too many.
// The zero value is empty.
type recordedKeys struct {
	mu    sync.Mutex
	until map[recordedKey]time.Time
	queue []recordedKey // in the order in which they were added
}

// recordedKey is the hash of a key, which the sender could make long.
type recordedKey [sha256.Size]byte

func (s *recordedKeys) Has(_ context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.until[sha256.Sum256([]byte(key))]), nil
}

// Add is called with the same duration each time, and never for a key that is recorded, so that
// keys expire in the order of the queue.
func (s *recordedKeys) Add(_ context.Context, key string, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for len(s.queue) > 0 && (len(s.queue) >= maxRecordedKeys || !now.Before(s.until[s.queue[0]])) {
		delete(s.until, s.queue[0])
		s.queue = s.queue[1:]
	}
	if s.until == nil {
		s.until = make(map[recordedKey]time.Time)
	}
	added := recordedKey(sha256.Sum256([]byte(key)))
	s.until[added] = now.Add(d)
	s.queue = append(s.queue, added)
	return nil
}
