// Package supportbeetest is a SupportBee help desk that runs inside a test.
//
// It speaks the API over real HTTP on loopback and keeps its state in memory: what one call
// writes, the next one reads. Tests of code that uses the SDK run against it without an account,
// without recorded answers and without fakes of the services:
//
//	desk := supportbeetest.New(t)
//	bot := NewBot(desk.Client())
//	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund", Text: "Please."})
//
//	bot.Triage(t.Context())
//
//	desk.AssertLabeled(t, ticket, "refund")
//	desk.AssertReplied(t, ticket, "We are looking into it")
//
// A new desk holds a few agents, teams, labels, snippets and tickets; [WithoutSeed] leaves them
// out, and [Desk.Seed] adds tickets by the thousand. [Desk.Inject] makes requests fail in
// every way in which a service on the network fails. [InMemory] needs no socket and works inside
// a [testing/synctest] bubble, where waits cost no time.
//
// The desk is as faithful as what is known of the service allows. Its responses have the form seen
// in 2026; [WithDialect] chooses an older one.
package supportbeetest
