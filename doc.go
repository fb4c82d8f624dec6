// Package supportbee is a client for the API of SupportBee, a help desk in which customers'
// e-mails become tickets that agents reply to, comment on, label, assign and archive.
//
// # Client
//
// A [Client] holds the token and the address of a company's help desk. Its services hold the
// operations, one service for each resource.
//
//	client, err := supportbee.New("acme", os.Getenv("SUPPORTBEE_TOKEN"))
//	if err != nil {
//		return err
//	}
//	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
//		Subject:        "Refund",
//		RequesterEmail: "ann@example.com",
//		Content:        supportbee.Text("Hello, can I get a refund?"),
//	})
//
// A Client is safe for concurrent use and should be shared. [FromEnv] reads the configuration from
// the environment.
//
// # Options
//
// An [Option] is given to [New], or to [Client.With], which returns a copy of the client that shares
// its connections and is cheap enough to be made for a single call:
//
//	client.With(supportbee.WithTimeout(time.Second)).Tickets.Get(ctx, id)
//
// [WithTimeout], [WithRetry] and [WithLimiter] configure requests, [WithHTTPClient] and
// [WithTransport] say what sends them, and [WithDryRun] and [WithAllowedRecipients] protect the
// customers of a real help desk from a test.
//
// # Parameters
//
// A type named Params describes what to create or change, and is passed by value. A type named
// Options tunes a call, and is passed as a pointer: nil means the defaults. Calls copy both and
// never change them. A field that can be left out and can also be zero is a pointer, such as
// new("") to clear a name, or a slice, of which nil does not change and an empty one clears. Each
// ID has a type of its own. Invalid input is rejected with an [*ArgumentError] before any request
// is sent.
//
// # Errors
//
// The error of a call that was sent is an [*Error], with the operation, the status, the server's
// message and the request ID. Its kind is tested with [errors.Is]: [ErrNotFound],
// [ErrAccessDenied], [ErrValidation], [ErrConflict], [ErrRateLimited], [ErrServer],
// [ErrOutcomeUnknown], [ErrMalformedResponse]. The errors of contexts and of the network are
// wrapped.
//
// # Lists
//
// [TicketsService.All] and [TicketsService.SearchAll] return iterators over all pages, which fetch
// pages ahead and yield each ticket once. [Collect] makes a slice of one. [TicketsService.List]
// returns one page. All other lists are complete.
//
// # Jobs
//
// [TicketsService.Export] iterates over all tickets, in any state, without missing any while they
// change, and [TicketsService.Watch] follows their activity. Both resume at a [Checkpoint].
// [RepliesService.CreateOnce] sends a reply exactly once even if the program is killed, and
// [RepliesService.Find] looks for it; comments and tickets have the same. [ForEach] calls a function
// for each value of an iterator that it may change.
//
// # Retries
//
// Reads, and writes that can be repeated, are retried if the connection fails or the server is
// unavailable. A create is never sent twice: it is retried only if it was certainly not processed,
// after status 429 or if no connection was made. Otherwise the error is [ErrOutcomeUnknown]. Waits
// are random, grow exponentially, obey Retry-After, and never exceed the context's deadline.
// Status 429 pauses all calls of the client and of its copies. See [RetryPolicy].
//
// # Unknown data
//
// The service adds members to its responses without notice. Each type of a response has a field
// Extra, which holds the members that this version does not know, and those whose values it cannot
// read. The types marshal to the API's own form and unmarshal from it, so that they can be stored
// and sent on as JSON. [Observer] and [WithLogger] report such members; see [Drift].
//
// # Files
//
// [AttachmentsService.Upload] and [AttachmentsService.Download] stream files, which are never held
// in memory.
//
// # Webhooks
//
// [WebhookHandler] is an [http.Handler] that receives the events that the service posts. It checks
// a secret, drops repeated deliveries, and waits for the events in progress when it shuts down.
// [ParseWebhook] parses an event without it.
//
// # Logging, metrics and traces
//
// [WithLogger] logs each attempt. [WithObserver] calls functions for each operation and attempt.
// [WithResponse] stores the status and the header of a response. None of them is given bodies,
// query values or addresses. Package [github.com/supportbee-go/supportbee/supportbeeotel], a module
// of its own, instruments a client with OpenTelemetry.
//
// # The token
//
// The token is sent to the scheme, host and port of the base URL only. It is in no error, log
// record or printed value of this package.
//
// # Undocumented behavior
//
// Some behavior of the service is known from recorded traffic only, and some is not known. Forms
// of a response that are known are all accepted; what is unknown is stated where it matters.
// [Client.Do] sends requests that no method covers.
//
// # Testing
//
// Package [github.com/supportbee-go/supportbee/supportbeetest] is a help desk for tests.
package supportbee

// Version is the version of this module, as sent in the User-Agent header.
const Version = "0.1.0"
