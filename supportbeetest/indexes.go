package supportbeetest

import (
	"slices"
	"time"
)

// indexes are kept on each write, so that reads need not look at all tickets. A ticket is in them
// from [desk.count] to [desk.uncount].
type indexes struct {
	requested map[int64]*requests  // by requester
	replies   map[string][]*ticket // by the text of a reply
	daily     map[dayKey]daySum
}

// requests are the tickets of a requester, in no order.
type requests struct {
	tickets []*ticket
	active  int
}

// dayKey selects a part of a report. Each ticket counts for no label, and for each of its labels.
type dayKey struct {
	report reportKind
	label  string
	team   int64
	user   int64
	day    int64 // since 1970
}

type reportKind uint8

const (
	ticketsReport reportKind = iota
	repliesReport
	responseReport
)

type daySum struct{ n, total int64 }

func newIndexes() indexes {
	return indexes{requested: map[int64]*requests{}, replies: map[string][]*ticket{}, daily: map[dayKey]daySum{}}
}

// change calls f, which may change what the indexes say of a ticket.
func (d *desk) change(t *ticket, f func()) {
	d.uncount(t)
	defer d.count(t)
	f()
}

// count adds a ticket to the indexes.
func (d *desk) count(t *ticket) {
	of := d.requested[t.Requester]
	if of == nil {
		of = &requests{}
		d.requested[t.Requester] = of
	}
	of.tickets = append(of.tickets, t)
	if t.active() {
		of.active++
	}
	for i, p := range t.Replies {
		if !t.repeats(i) {
			d.replies[p.Content.Text] = append(d.replies[p.Content.Text], t)
		}
	}
	d.sum(t, 1)
}

// uncount removes a ticket from the indexes.
func (d *desk) uncount(t *ticket) {
	of := d.requested[t.Requester]
	of.tickets = without(of.tickets, t)
	if t.active() {
		of.active--
	}
	for i, p := range t.Replies {
		if !t.repeats(i) {
			d.replies[p.Content.Text] = without(d.replies[p.Content.Text], t)
			if len(d.replies[p.Content.Text]) == 0 {
				delete(d.replies, p.Content.Text)
			}
		}
	}
	d.sum(t, -1)
}

// repeats reports whether an earlier reply has the text of the i-th.
func (t *ticket) repeats(i int) bool {
	return slices.ContainsFunc(t.Replies[:i], func(p *post) bool { return p.Content.Text == t.Replies[i].Content.Text })
}

// without removes a ticket from a list in no order. It looks at the last ones first, which are the
// likeliest to change.
func without(list []*ticket, t *ticket) []*ticket {
	for i, other := range slices.Backward(list) {
		if other == t {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			return list[:len(list)-1]
		}
	}
	return list
}

// sum adds a ticket to the reports, or removes it if n is -1.
func (d *desk) sum(t *ticket, n int64) {
	d.values(t, func(report reportKind, user int64, at time.Time, value int64) {
		add := func(label string) {
			key := dayKey{report, label, t.Team, user, at.Unix() / secondsPerDay}
			s := d.daily[key]
			if s.n += n; s.n == 0 {
				delete(d.daily, key)
				return
			}
			s.total += n * value
			d.daily[key] = s
		}
		add("")
		for _, label := range t.Labels {
			add(label)
		}
	})
}

// values calls f with what the reports are about: the ticket, the replies of agents, and the time to
// the first of them in seconds.
func (d *desk) values(t *ticket, f func(report reportKind, user int64, at time.Time, value int64)) {
	f(ticketsReport, t.User, t.CreatedAt.time(), 1)
	first := true
	for _, p := range t.Replies {
		if !d.Users[p.Author].agent() {
			continue
		}
		f(repliesReport, p.Author, p.CreatedAt.time(), 1)
		if first {
			first = false
			f(responseReport, p.Author, p.CreatedAt.time(), int64(p.CreatedAt.time().Sub(t.CreatedAt.time())/time.Second))
		}
	}
}

// tickets returns how many tickets a user has requested, and how many of them are active.
func (d *desk) ticketsOf(user int64) (active, requested int) {
	if of := d.requested[user]; of != nil {
		return of.active, len(of.tickets)
	}
	return 0, 0
}
