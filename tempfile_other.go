//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package supportbee

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
)

// lockFile does nothing. On Windows an open file cannot be deleted, which is as good as a lock.
func lockFile(*os.File) error { return nil }

// removeUnused deletes a temporary file unless another download has it. Where that is not known,
// the file stays.
func removeUnused(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if runtime.GOOS != "windows" || os.Remove(path) != nil {
		return errHeld
	}
	return nil
}

// commitFile closes the file and renames it: on Windows an open file cannot be renamed.
func commitFile(file *os.File, path, target string) error {
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(path, target)
}

func discardFile(file *os.File, path string) {
	_ = file.Close()
	_ = os.Remove(path)
}
