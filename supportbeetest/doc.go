// Package supportbeetest provides a help desk for tests, which implements the SupportBee API.
//
// The desk serves the API over HTTP on loopback and keeps its state in memory: a call reads what
// earlier calls have written. Tests of code that uses package supportbee run against it without an
// account, recorded responses or fakes of the services:
//
//	desk := supportbeetest.New(t)
//	bot := NewBot(desk.Client())
//	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Text: "Please."})
//
//	bot.Triage(t.Context())
//
//	desk.AssertLabels(t, ticket, "refund")
//	desk.AssertReplies(t, ticket, "We are looking into it")
//	desk.AssertMailed(t, supportbeetest.CustomerEmail)
//
// A new desk has a few agents, teams, labels, snippets and tickets. [WithoutSeed] leaves them out,
// and [Desk.AddTickets] adds any number of tickets. [Desk.Inject] makes requests fail in the ways
// in which a service on a network fails. With [InMemory], the desk needs no socket and works in a
// [testing/synctest] bubble.
//
// The desk is strict: query parameters, values and JSON keys that the service would ignore are
// rejected with status 400 and a sentence that names them. [WithLenient] turns this off.
//
// A token has the rights of its user's role. The service documents the operations for admins only;
// the rest is inferred:
//
//   - Admins may do everything.
//   - Agents may do everything except to delete tickets and to get reports.
//   - Collaborators may read what agents read, create tickets and comments, and upload files.
//   - Customers may read and search their own tickets and the replies, which are those that they
//     requested and those of a customer group that shares them. They may create tickets, reply to
//     their own tickets, and upload and download files.
//
// The desk does not send mail: [Desk.Outbox] lists what the service would have sent. It does not
// evaluate HTML, and its search is a plain search for a text. Its responses have the
// form seen in 2026; [WithDialect] selects an older one.
package supportbeetest
