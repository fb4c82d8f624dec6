package supportbeetest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"sync"
	"time"
)

// stateMutex guards the state of a desk, which is locked for writing to change it.
type stateMutex struct {
	sync.RWMutex
	changed chan struct{} // has room for one signal; nil if nobody waits for changes
	changes *changes
}

// Unlock unlocks for writing, and signals that the state may have changed.
func (m *stateMutex) Unlock() {
	m.RWMutex.Unlock()
	m.signal()
	m.changes.notify()
}

func (m *stateMutex) signal() {
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

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
		if admin == nil {
			return fmt.Errorf("%s: there is no admin", path)
		}
		kept := s.state.token(admin.ID)
		if s.config.token == "" && kept != "" {
			s.Token = kept
		}
		maps.DeleteFunc(s.state.Tokens, func(_ string, id int64) bool { return id == admin.ID }) // or they would add up
		s.state.Tokens[s.Token] = admin.ID
	}
	s.mu.changed = make(chan struct{}, 1)
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
	stop    chan struct{}
	once    sync.Once
	running sync.WaitGroup
}

// minPause is the shortest pause after a write. If the write took long, the pause is five times as
// long as that, so that a large state does not keep the desk busy.
const minPause = 100 * time.Millisecond

func (k *keeper) run() {
	for {
		select {
		case <-k.desk.mu.changed:
		case <-k.stop:
			return
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
		select {
		case <-k.desk.mu.changed:
			k.writeOrLog()
		default:
		}
	})
}

func (k *keeper) writeOrLog() {
	if err := k.write(); err != nil {
		k.desk.mu.signal() // to try again
		if logger := k.desk.config.logger; logger != nil {
			logger.Error("the state was not written", "error", err)
		}
	}
}

// write replaces the file by renaming a new one.
func (k *keeper) write() error {
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
	return os.Rename(temporary, k.path)
}
