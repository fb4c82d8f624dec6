// Package supportbee is a client for the API of SupportBee, the help desk in which customers'
// e-mails become tickets that agents answer, comment on, label, assign and archive.
//
// # First call
//
// One [Client] holds the token and the address of a company's desk; its services hold the
// operations, one service a resource.
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
// A client is safe for concurrent use: make one and share it. [Client.With] makes copies that
// differ in their options and share connections. [FromEnv] reads the environment.
//
// # Parameters
//
// Options are structs by value, whose zero value means the defaults; they are never changed.
// Fields that may be left alone or cleared are pointers, or slices of which nil leaves and empty
// clears. Since Go 1.26, new("Ann") makes such a pointer. IDs have types of their own, so that a
// ticket's cannot stand where a user's belongs. Input that cannot be right is refused before the
// network with [ErrInvalidArgument].
//
// # Errors
//
// Every failure of a call that was sent is an [*Error], with the operation, the status, the
// server's message and the request ID. Test for kinds with [errors.Is]: [ErrNotFound],
// [ErrAccessDenied], [ErrValidation], [ErrConflict], [ErrRateLimited], [ErrServer]. The errors of
// contexts and of the network unwrap from it.
//
// # Lists
//
// [TicketsService.All] and [TicketsService.SearchAll] are iterators over all pages. They fetch
// ahead while the caller works, yield each ticket once, and end surely. [Collect] turns one into
// a slice. [TicketsService.List] fetches one page. All other lists come whole.
//
// # Retries
//
// Reads and writes that can be repeated without harm are repeated when the connection fails or
// the server is briefly unavailable. A write that creates something is never sent twice: it is
// repeated only where it surely was not processed, after a 429 or where no connection was made.
// Otherwise the error is [ErrOutcomeUnknown], and the caller decides: a reply mails a real
// customer. Waits grow at random, obey Retry-After, and never run past the context's deadline. A
// 429 holds back the whole client, copies included. See [RetryPolicy].
//
// # Files
//
// [AttachmentsService.Upload] and [AttachmentsService.Download] stream: no file is held in
// memory.
//
// # The token
//
// The token goes to the scheme, host and port of the base URL and nowhere else. It is in no
// error, log or printed value of this package.
//
// # What is not documented
//
// Some of what the service does is on record without being in the vendor's reference, and some
// is in neither. What may vary is decoded in every form that is known; what is unknown is said
// where it matters. [Client.Do] makes calls that have no method here.
//
// # Testing
//
// Package supportbeetest is a whole help desk that runs inside a test.
package supportbee
