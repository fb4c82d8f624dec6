package supportbee

import (
	"context"
	"iter"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxPerPage is the largest page that is asked for.
const maxPerPage = 100

// Collect gathers what an iterator yields, at most limit values; a limit of 0 is no limit. The
// iterator stops at the limit. On an error, what came before it is returned with it.
//
//	tickets, err := supportbee.Collect(client.Tickets.All(ctx, opts), 500)
func Collect[T any](seq iter.Seq2[T, error], limit int) ([]T, error) {
	if limit < 0 {
		return nil, refuse("Collect", invalid("limit", "must not be negative, got %d", limit))
	}
	var all []T
	for value, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, value)
		if len(all) == limit {
			break
		}
	}
	return all, nil
}

// walk yields the tickets of all pages from first on. Up to prefetch pages are fetched while
// the caller works on one; none is that the last page seen says does not exist. When the walk
// ends, for whatever reason, its fetches have been cancelled and have ended.
func walk(ctx context.Context, op string, prefetch, first int, fetch func(context.Context, int) (*TicketPage, error)) iter.Seq2[*Ticket, error] {
	return func(yield func(*Ticket, error) bool) {
		if ctx == nil {
			yield(nil, refuse(op, invalid("context", "is nil")))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var fetches sync.WaitGroup
		defer fetches.Wait()
		defer cancel()

		type result struct {
			page *TicketPage
			err  error
		}
		var ahead []<-chan result // the pages being fetched, in order
		start := func(number int) {
			done := make(chan result, 1)
			fetches.Go(func() {
				page, err := fetch(ctx, number)
				done <- result{page, err}
			})
			ahead = append(ahead, done)
		}

		if first == 0 {
			first = 1
		}
		var seen idSet
		var previous []TicketID
		next := first // the next page to start fetching
		for number := first; ; number++ {
			var got result
			if len(ahead) > 0 {
				got, ahead = <-ahead[0], ahead[1:]
			} else {
				got.page, got.err = fetch(ctx, number)
				next = number + 1
			}
			if got.err != nil {
				yield(nil, got.err)
				return
			}
			page := got.page
			ids := make([]TicketID, len(page.Tickets))
			for i, ticket := range page.Tickets {
				if ticket != nil {
					ids[i] = ticket.ID
				}
			}
			if len(ids) == 0 || slices.Equal(ids, previous) || page.Page > 0 && page.Page < number {
				return // nothing more comes, whatever the totals say
			}
			last := number >= page.TotalPages
			for !last && len(ahead) < prefetch && next <= page.TotalPages {
				start(next)
				next++
			}
			for _, ticket := range page.Tickets {
				if ticket == nil || !seen.add(ticket.ID) {
					continue
				}
				if !yield(ticket, nil) {
					return
				}
				if err := ctx.Err(); err != nil {
					yield(nil, refuse(op, err))
					return
				}
			}
			if last {
				return
			}
			previous = ids
		}
	}
}

// idSet remembers IDs in little memory: one bit each where they lie close together.
type idSet map[TicketID]uint64

// add reports whether the ID is new.
func (s *idSet) add(id TicketID) bool {
	if *s == nil {
		*s = idSet{}
	}
	word, bit := id>>6, uint64(1)<<(id&63)
	if (*s)[word]&bit != 0 {
		return false
	}
	(*s)[word] |= bit
	return true
}

func validatePage(page, perPage int) error {
	switch {
	case page < 0:
		return invalid("Page", "must not be negative, got %d", page)
	case perPage < 0 || perPage > maxPerPage:
		return invalid("PerPage", "must be 1 to %d, or 0 for the default, got %d", maxPerPage, perPage)
	}
	return nil
}

func perPageOr(perPage, otherwise int) int {
	if perPage == 0 {
		return otherwise
	}
	return perPage
}

// orNil is a pointer to the value unless there is an error.
func orNil[T any](value T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &value, nil
}

// The set functions below write a query parameter unless its value is the default, which the
// server knows.

func setPage(query url.Values, page, perPage int) {
	setIf(query, "page", decimalOrNone(page))
	setIf(query, "per_page", decimalOrNone(perPage))
}

func setIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

func setBool(query url.Values, name string, value bool) {
	if value {
		query.Set(name, "true")
	}
}

func setTime(query url.Values, name string, value time.Time) {
	if !value.IsZero() {
		query.Set(name, value.UTC().Format(time.RFC3339))
	}
}

// decimalOrNone writes a number, and "" for 0.
func decimalOrNone[T ~int | ~int64](n T) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}
