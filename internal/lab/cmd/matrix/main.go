// Command matrix makes every operation of the SDK meet every fault of the desk, at the first, the
// second, the last and every attempt, without a deadline, with one, and with a cancellation, and
// compares what the SDK returns with what the desk has carried out:
//
//	cd internal/lab && go run ./cmd/matrix         # every combination
//	cd internal/lab && go run ./cmd/matrix -short  # one position and end for each operation and fault
//
// It prints a table of classes of operations and faults, and exits with 1 if a call was wrong:
//
//   - duplicated: a create was carried out more than once;
//   - denied: a create was carried out, and its error does not say that it may have been;
//   - lost: a call succeeded, and was not carried out or returned something else;
//   - late: a call ended after its context, or did not end in reasonable time.
//
// The seed decides everything but the jitter of the SDK's waits.
//
// The matrix is a test of this package, because only tests have the virtual time of
// testing/synctest: waits take no time, lateness is exact, and a goroutine that outlives its call
// is a failure. Go test runs the short form.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

func main() {
	short := flag.Bool("short", false, "try one position and end for each operation and fault")
	seed := flag.Uint64("seed", 1, "seed of durations, mixed faults, and the choices of -short")
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*short, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

// run compiles the test of this package and runs it.
func run(short bool, seed uint64) error {
	dir, err := os.MkdirTemp("", "matrix")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "matrix.test")
	if err := command("go", "test", "-c", "-o", binary, "github.com/supportbee-go/supportbee/internal/lab/cmd/matrix").Run(); err != nil {
		return fmt.Errorf("compiling the test, which must be done in internal/lab: %w", err)
	}
	err = command(binary, "-test.run=^TestFaultMatrix$", "-test.timeout=20m", "-full="+strconv.FormatBool(!short), "-seed="+strconv.FormatUint(seed, 10)).Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return errors.New("some calls were wrong")
	}
	return err
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd
}
