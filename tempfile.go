package supportbee

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxTemp is the number of temporary files that concurrent downloads to one path can have.
const maxTemp = 8

// errHeld is the error of a temporary file that another download may be using.
var errHeld = errors.New("the temporary file is in use")

// tempFile is a temporary file in the directory of the file that it will be. Its name depends on
// that of the file, so that the next download finds what a killed one left.
type tempFile struct {
	*os.File
	path      string
	committed bool
}

// createTemp creates a temporary file for target, and deletes those that no download uses.
func createTemp(target string) (*tempFile, error) {
	dir, name := filepath.Split(target)
	sum := sha256.Sum256([]byte(name))
	var created *tempFile
	for slot := range maxTemp {
		path := fmt.Sprintf("%s.supportbee-%x-%d.tmp", dir, sum[:6], slot)
		if created != nil {
			_ = removeUnused(path) // what remains is for the next download
			continue
		}
		file, err := createLocked(path)
		switch {
		case err == nil:
			created = &tempFile{File: file, path: path}
		case !errors.Is(err, errHeld):
			return nil, err
		}
	}
	if created == nil {
		return nil, fmt.Errorf("%d downloads to it are in progress", maxTemp)
	}
	return created, nil
}

// createLocked creates and locks a file that only the owner can read. It returns errHeld if
// another download has it.
func createLocked(path string) (*os.File, error) {
	for range 8 { // others may create and delete it at the same time
		if err := removeUnused(path); err != nil {
			return nil, err
		}
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// Before it was locked, another download may have taken it for one that is not in use.
		if !errors.Is(lockFile(file), errHeld) && isAt(file, path) {
			return file, nil
		}
		_ = file.Close()
	}
	return nil, errHeld
}

// isAt reports whether path is still that of file.
func isAt(file *os.File, path string) bool {
	mine, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// discard deletes the file unless it was committed.
func (t *tempFile) discard() {
	if t.committed {
		return
	}
	discardFile(t.File, t.path)
}

// commit makes it the target.
func (t *tempFile) commit(target string) error {
	if err := t.Sync(); err != nil {
		return err
	}
	if err := commitFile(t.File, t.path, target); err != nil {
		return err
	}
	t.committed = true
	return nil
}
