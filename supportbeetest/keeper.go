package supportbeetest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// keepState reads the file of the state if there is one, and starts to write it.
func (s *Desk) keepState() error {
	path := s.config.stateFile
	if path == "" {
		return nil
	}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if s.state, err = decodeState(data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		admin := s.state.admin()
		kept := cmp.Or(s.state.Token, s.state.token(admin.ID)) // older files do not tell which it is
		if s.config.token == "" && kept != "" {
			s.Token = kept
		}
		delete(s.state.Tokens, kept) // or they would add up
		s.state.own(s.Token, admin.ID)
	}
	s.keeper = &keeper{desk: s, path: path, stop: make(chan struct{})}
	if err := s.keeper.write(); err != nil {
		return err
	}
	s.keeper.running.Go(s.keeper.run)
	return nil
}

// keeper writes the state to a file when it has changed.
type keeper struct {
	desk    *Desk
	path    string
	written int64 // the version of the state in the file
	stop    chan struct{}
	once    sync.Once
	running sync.WaitGroup
}

// minPause is the shortest pause after a write. If the write took long, the pause is five times as
// long as that, so that a large state does not keep the desk busy.
const minPause = 100 * time.Millisecond

func (k *keeper) run() {
	for {
		next := k.desk.changes.next() // before the version, so that no change is missed
		if !k.behind() {
			select {
			case <-next:
				continue
			case <-k.stop:
				return
			}
		}
		start := time.Now()
		k.writeOrLog()
		select {
		case <-time.After(max(minPause, 5*time.Since(start))):
		case <-k.stop:
			return
		}
	}
}

// close writes the last changes. It is called when there are no more.
func (k *keeper) close() {
	if k == nil {
		return
	}
	k.once.Do(func() {
		close(k.stop)
		k.running.Wait()
		if k.behind() {
			k.writeOrLog()
		}
	})
}

// behind reports whether the state may have changed since it was written.
func (k *keeper) behind() bool { return k.written != k.desk.mu.version.Load() }

func (k *keeper) writeOrLog() {
	if err := k.write(); err != nil {
		if logger := k.desk.config.logger; logger != nil {
			logger.Error("the state was not written", "error", err)
		}
	}
}

// write replaces the file by renaming a new one.
func (k *keeper) write() error {
	version := k.desk.mu.version.Load() // before the state is read, which may be newer
	temporary := k.path + ".tmp"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(k.desk.Save(file), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, k.path); err != nil {
		return err
	}
	k.written = version
	return nil
}
