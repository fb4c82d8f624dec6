package supportbeetest

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee/internal/quirks"
)

func init() {
	quirks.Apply = func(desk any, q quirks.Quirks) { desk.(*Desk).setQuirks(q) }
}

// quirkSet is the quirks of a desk.
type quirkSet struct {
	quirks.Quirks
	mu     sync.Mutex
	random *rand.Rand
	born   map[int64]time.Time // of what reads may not show yet
}

func (s *Desk) setQuirks(q quirks.Quirks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := &quirkSet{Quirks: q, random: rand.New(rand.NewPCG(q.Seed, 3)), born: map[int64]time.Time{}}
	s.quirks.Store(set)
	s.state.onID = nil
	if q.Stale > 0 {
		s.state.onID = func(id int64) {
			set.mu.Lock()
			defer set.mu.Unlock()
			set.born[id] = s.Clock.Now()
		}
	}
}

// quirk returns the quirks, which must not be changed.
func (s *Desk) quirk() *quirkSet {
	if set := s.quirks.Load(); set != nil {
		return set
	}
	return noQuirks
}

var noQuirks = new(quirkSet)

// upTo returns a random duration from 0 to d.
func (q *quirkSet) upTo(d time.Duration) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Duration(q.random.Int64N(int64(d) + 1))
}

// carryOut returns handle, and a function to call when the request has been served, which handles
// it later if it was lost.
func (s *Desk) carryOut(op operation, w *statusLog, r *http.Request, handle http.HandlerFunc) (http.HandlerFunc, func()) {
	q := s.quirk()
	if !q.CarryOut || !op.write || op.raw {
		return handle, func() {}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return handle, func() {} // not all of it has arrived
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	handled := false
	once := func(w http.ResponseWriter, r *http.Request) {
		handled = true
		handle(w, r)
	}
	return once, func() {
		if handled || w.status != 0 && w.status < http.StatusInternalServerError || !s.lifetime.begin() {
			return
		}
		later := r.Clone(s.lifetime.ctx)
		later.Body = io.NopCloser(bytes.NewReader(body))
		timer := time.NewTimer(q.upTo(q.Late))
		go func() {
			defer s.lifetime.done()
			defer timer.Stop()
			select {
			case <-timer.C:
				s.handle(op, &recording{header: http.Header{}, room: maxBody}, later)
			case <-s.lifetime.ctx.Done():
			}
		}()
	}
}

// view returns the desk as a read shows it.
func (q *quirkSet) view(d *desk, now time.Time) *desk {
	if q.Stale <= 0 {
		return d
	}
	seen := now.Add(-q.upTo(q.Stale))
	hidden := map[int64]bool{}
	q.mu.Lock()
	for id, at := range q.born {
		switch {
		case at.After(seen):
			hidden[id] = true
		case at.Before(now.Add(-q.Stale)):
			delete(q.born, id)
		}
	}
	q.mu.Unlock()
	if len(hidden) == 0 {
		return d
	}
	visible := func(posts []*post) []*post {
		n := len(posts)
		for n > 0 && hidden[posts[n-1].ID] {
			n--
		}
		return posts[:n:n]
	}
	view := *d
	view.Tickets = maps.Clone(d.Tickets)
	for id, t := range d.Tickets {
		replies, comments := visible(t.Replies), visible(t.Comments)
		switch {
		case hidden[id]:
			delete(view.Tickets, id)
		case len(replies) < len(t.Replies) || len(comments) < len(t.Comments):
			old := *t
			old.Replies, old.Comments, old.LastActivityAt = replies, comments, t.CreatedAt
			for _, p := range slices.Concat(replies, comments) {
				old.LastActivityAt = max(old.LastActivityAt, p.CreatedAt)
			}
			view.Tickets[id] = &old
		}
	}
	view.byCreation, view.byActivity = q.staleIndex(d.byCreation, &view), q.staleIndex(d.byActivity, &view)
	view.recount()
	return &view
}

// staleIndex returns the index with the tickets of the view.
func (q *quirkSet) staleIndex(x index, view *desk) index {
	old := index{key: x.key}
	var moved []*ticket
	for _, t := range x.tickets {
		switch now := view.Tickets[t.ID]; now {
		case t:
			old.tickets = append(old.tickets, t)
		case nil:
		default:
			moved = append(moved, now)
		}
	}
	for _, t := range moved {
		old.insert(t)
	}
	return old
}

// shuffle orders tickets of equal times at random.
func (q *quirkSet) shuffle(tickets []*ticket, key func(*ticket) instant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(tickets) > 0 {
		n := 1
		for n < len(tickets) && key(tickets[n]) == key(tickets[0]) {
			n++
		}
		q.random.Shuffle(n, func(i, j int) { tickets[i], tickets[j] = tickets[j], tickets[i] })
		tickets = tickets[n:]
	}
}

// shape changes a content as the service sends it.
func (q *quirkSet) shape(c *contentJSON) {
	change := func(text **string, f func(string) string) {
		if *text != nil {
			*text = new(f(**text))
		}
	}
	if q.RewriteHTML {
		change(&c.HTML, rewriteHTML)
	}
	if q.CutContent > 0 {
		cut := func(s string) string {
			runes := []rune(s)
			if len(runes) <= q.CutContent {
				return s
			}
			c.Truncated = true
			return string(runes[:q.CutContent])
		}
		change(&c.HTML, cut)
		change(&c.Text, cut)
		change(&c.Body, cut)
	}
}

// rewriteHTML returns HTML that looks the same in a browser.
func rewriteHTML(s string) string {
	var b strings.Builder
	b.WriteString("<div>")
	for _, r := range html.UnescapeString(strings.NewReplacer("&lt;", "&amp;lt;", "&gt;", "&amp;gt;", "&amp;", "&amp;amp;").Replace(s)) {
		switch {
		case r == '\n':
			b.WriteString("<br>\r\n")
		case r > '~' || r == '\'':
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteString("</div>")
	return b.String()
}

// sign appends the signature to a reply.
func (q *quirkSet) sign(c content) content {
	if q.Signature != "" {
		return newContent(c.Text+"\n\n"+q.Signature, c.html()+"<br><br>"+html.EscapeString(q.Signature), c.attachments())
	}
	return c
}
