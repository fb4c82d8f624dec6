package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// serve runs a server until a read from until ends, as it does when the process at its other end
// ends. It prints the server's URL to out.
func serve(out io.Writer, until io.Reader) error {
	server := bench.NewServer()
	defer server.Close()
	if _, err := fmt.Fprintln(out, server.URL); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, until)
	return err
}

// startServer starts a server in a process of its own, as that of a real client is. In the same
// process its garbage would count as that of the clients, and so few threads would run that Linux leaves
// a processor idle for a fifth of the time of many fast calls, while threads wait at the other (as
// /proc/self/task/*/schedstat shows).
func startServer(ctx context.Context) (url string, stop func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		_ = in.Close()
		return cmd.Wait()
	}
	url, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, fmt.Errorf("the server: %w", cmp.Or(stop(), err))
	}
	return strings.TrimSpace(url), stop, nil
}
