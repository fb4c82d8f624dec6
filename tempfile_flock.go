//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package supportbee

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile locks a file until it is closed. It returns errHeld if another download has locked it.
func lockFile(file *os.File) error {
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errHeld
		default:
			return err // such as on a file system without locks
		}
	}
}

// removeUnused deletes a temporary file unless another download has it.
func removeUnused(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errHeld // not one of ours
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return errHeld
	}
	defer file.Close()
	if err := lockFile(file); err != nil || !isAt(file, path) {
		return errHeld
	}
	if os.Remove(path) != nil {
		return errHeld
	}
	return nil
}

// commitFile renames the file before it is closed, which ends the lock, and syncs the directory, so
// that the name is on the disk.
func commitFile(file *os.File, path, target string) error {
	if err := os.Rename(path, target); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(target))
	if err != nil {
		return nil //nolint:nilerr // a directory that can be written to but not read
	}
	defer dir.Close()
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) { // of a file system that cannot do that
		return nil
	}
	return err
}

// discardFile deletes the file before it is closed, which ends the lock.
func discardFile(file *os.File, path string) {
	_ = os.Remove(path)
	_ = file.Close()
}
