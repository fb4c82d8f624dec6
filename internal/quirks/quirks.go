// Package quirks makes the desk of supportbeetest behave in ways in which the service may behave
// and which its documentation leaves open. Tests of this module turn them on; nothing of this is
// exported by supportbeetest.
package quirks

import "time"

// Quirks are the ways in which a desk differs from the default. The zero value is the default.
type Quirks struct {
	ExclusiveEnds   bool // since and until exclude tickets of exactly that time
	IgnoreUntil     bool // until has no effect
	UntilByActivity bool // since and until compare the last activity, whatever the order
	MaxPerPage      int  // pages have at most this many tickets; 0 means 100
	NoTotals        bool // pages have no total and no total_pages
	UnstableOrder   bool // tickets of equal times have another order in each response
	OnlySpamTrash   bool // spam=true selects only spam, and trash=true only trash

	// CarryOut makes the desk carry out writes that it was to lose: those whose client has gone,
	// and those that a fault kept from it without a response or with one of status 500 or above.
	CarryOut bool

	// Late is the longest time after the loss until such a write is carried out.
	Late time.Duration

	// Stale is the longest time by which reads are behind: each shows the tickets, replies and
	// comments of a random moment of that time.
	Stale time.Duration

	RewriteHTML bool   // HTML is sent serialized anew: in a div, with entities and line breaks
	CutContent  int    // texts and HTML are cut after this many characters; 0 means never
	Signature   string // appended to the replies of agents

	Seed uint64 // of everything random
}

// Apply sets the quirks of a desk, which is a *supportbeetest.Desk, in place of those it had.
// Package supportbeetest sets Apply.
var Apply func(desk any, q Quirks)
