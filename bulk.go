package supportbee

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"sync"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// ForEachOptions configures [ForEach].
type ForEachOptions struct {
	Workers         int                   // calls of f at a time; default 4
	ContinueOnError bool                  // whether to go on after f returns an error
	Progress        func(done, total int) // called after each value, never concurrently
}

// ForEach calls f concurrently for each value of seq. It first collects all values, so that f may
// change what seq selects. If opts is nil, the defaults are used.
//
// If seq yields an error, f is not called, and ForEach returns the error. After [ErrIncomplete], f
// is called for the values that came, and the error is returned too.
//
// ForEach returns the first error of f, and makes no further calls after it. With
// [ForEachOptions.ContinueOnError] it returns the errors of all values, joined in the order of the
// values. It makes no further calls once ctx is done, and then returns the error of ctx too. Calls
// that have begun are not interrupted by an error of another, since a write that is interrupted may
// have happened. ForEach returns when they have returned. A panic in f is passed on to the caller.
//
// The rate limit holds for all calls together: while the client pauses, so do they.
func ForEach[T any](ctx context.Context, seq iter.Seq2[T, error], f func(ctx context.Context, value T) error, opts *ForEachOptions) error {
	const op = "ForEach"
	o := valueOf(opts)
	switch {
	case ctx == nil:
		return rejected(op, invalid("ctx", "must not be nil"))
	case seq == nil:
		return rejected(op, invalid("seq", "must not be nil"))
	case f == nil:
		return rejected(op, invalid("f", "must not be nil"))
	case o.Workers < 0:
		return rejected(op, notNegative("Workers", o.Workers))
	case o.Workers == 0:
		o.Workers = 4
	}
	var values []T
	var incomplete error
	for value, err := range seq {
		switch {
		case errors.Is(err, ErrIncomplete):
			incomplete = err
		case err != nil:
			return err
		case ctx.Err() != nil:
			return &Error{Op: op, Err: transport.ContextError(ctx)}
		default:
			values = append(values, value)
		}
	}
	b := bulk[T]{ForEachOptions: o, values: values, f: f}
	var running sync.WaitGroup
	for range min(o.Workers, len(values)) {
		running.Go(func() {
			for b.step(ctx) {
			}
		})
	}
	running.Wait()
	if b.panicked {
		panic(b.panicValue)
	}
	if b.exited {
		runtime.Goexit() // as f did, such as by testing.T.FailNow
	}
	if b.next < len(values) && !b.stopped { // since ctx is done
		b.fail(len(values), &Error{Op: op, Err: transport.ContextError(ctx)})
	}
	switch {
	case o.ContinueOnError:
		slices.SortFunc(b.errs, func(x, y failure) int { return cmp.Compare(x.index, y.index) })
		var all []error
		for _, failed := range b.errs {
			all = append(all, failed.err)
		}
		return errors.Join(append(all, incomplete)...)
	case len(b.errs) == 0:
		return incomplete
	case incomplete == nil:
		return b.errs[0].err
	}
	return errors.Join(b.errs[0].err, incomplete)
}

// bulk is one run of [ForEach].
type bulk[T any] struct {
	ForEachOptions
	values []T
	f      func(ctx context.Context, value T) error

	mu         sync.Mutex
	next, done int
	errs       []failure // as they came
	stopped    bool      // whether no further call may be made
	panicked   bool
	panicValue any
	exited     bool // whether f ended its goroutine
}

// failure is the error of a value, or of what follows all values.
type failure struct {
	index int
	err   error
}

// step makes one call. It reports whether there may be more to make.
func (b *bulk[T]) step(ctx context.Context) bool {
	i, ok := b.take(ctx)
	if !ok {
		return false
	}
	returned := false
	defer func() {
		if !returned {
			b.abort(recover())
		}
	}()
	b.finish(i, b.f(ctx, b.values[i]))
	returned = true
	return true
}

// take returns the index of the next value.
func (b *bulk[T]) take(ctx context.Context) (i int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped || b.next == len(b.values) || ctx.Err() != nil {
		return 0, false
	}
	b.next++
	return b.next - 1, true
}

func (b *bulk[T]) finish(i int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.fail(i, err)
		b.stopped = b.stopped || !b.ContinueOnError
	}
	b.done++
	if b.Progress != nil {
		b.Progress(b.done, len(b.values))
	}
}

func (b *bulk[T]) fail(i int, err error) { b.errs = append(b.errs, failure{i, err}) }

// abort ends the run after a panic, or after the end of a worker's goroutine if value is nil.
func (b *bulk[T]) abort(value any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	switch {
	case value == nil:
		b.exited = true
	case !b.panicked:
		b.panicked, b.panicValue = true, value
	}
}
