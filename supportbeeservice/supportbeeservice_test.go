package supportbeeservice_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeeservice"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// TestMain is the program that TestMainFunction starts, if that is asked for.
func TestMain(m *testing.M) {
	if os.Getenv("SERVICE_TEST_PROGRAM") == "" {
		os.Exit(m.Run())
	}
	supportbeeservice.Main("program", func(ctx context.Context, args []string, out io.Writer) error {
		switch args[0] {
		case "fail":
			return errors.New("it went wrong")
		case "denied":
			return fmt.Errorf("listing: %w", denied)
		case "doubted":
			doubted := &supportbee.Error{Op: "Replies.CreateOnce", Err: fmt.Errorf("%w: %w", supportbee.ErrOutcomeUnknown, denied)}
			return errors.Join(doubted, denied)
		case "hidden":
			return hidden{denied}
		case "help":
			return fmt.Errorf("%w", flag.ErrHelp)
		case "wait", "hang":
			fmt.Fprintln(out, "ready")
			<-ctx.Done()
			fmt.Fprintln(out, "stopping")
			if args[0] == "hang" {
				<-time.After(time.Hour)
			}
		}
		return nil
	})
}

var denied = &supportbee.Error{
	Op: "Labels.List", Method: http.MethodGet, Path: "/labels", StatusCode: http.StatusForbidden, Message: "ann@example.com may not", RequestID: "r1",
}

// hidden is an error whose text is not that of the error it wraps.
type hidden struct{ error }

func (hidden) Error() string   { return "ann@example.com may not" }
func (h hidden) Unwrap() error { return h.error }

func TestMainFunction(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		arg     string
		signals int
		stdout  string
		stderr  string
		code    int // -1 if a signal ended it
	}{
		{arg: "succeed"},
		{arg: "fail", stderr: "program: it went wrong\n", code: 1},
		{arg: "denied", stderr: "program: listing: supportbee: Labels.List: GET /labels: 403 Forbidden (request r1)\n", code: 1},
		{arg: "doubted", stderr: "program: supportbee: Replies.CreateOnce: outcome unknown: supportbee: Labels.List: GET /labels: 403 Forbidden (request r1)\n", code: 1},
		{arg: "hidden", stderr: "program: supportbee: Labels.List: GET /labels: 403 Forbidden (request r1)\n", code: 1},
		{arg: "help"},
		{arg: "wait", signals: 1, stdout: "ready\nstopping\n"},
		{arg: "hang", signals: 2, stdout: "ready\nstopping\n", code: -1},
	} {
		t.Run(tt.arg, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			program := exec.CommandContext(t.Context(), os.Args[0], tt.arg)
			program.Env = append(os.Environ(), "SERVICE_TEST_PROGRAM=1")
			program.Stderr = &stderr
			stdout, err := program.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, program.Start())
			var seen []byte
			for sent := 0; ; {
				part := make([]byte, 100)
				n, err := stdout.Read(part)
				seen = append(seen, part[:n]...)
				if n > 0 && sent < min(tt.signals, bytes.Count(seen, []byte("\n"))) {
					sent++
					require.NoError(t, program.Process.Signal(syscall.SIGTERM))
				}
				if err != nil {
					break
				}
			}
			_ = program.Wait()
			assert.Equal(t, tt.stdout, string(seen))
			assert.Equal(t, tt.stderr, stderr.String())
			assert.Equal(t, tt.code, program.ProcessState.ExitCode())
		})
	}
}

func TestHasAccount(t *testing.T) { //nolint:paralleltest // it sets environment variables
	names := []string{"SUPPORTBEE_TOKEN", "SUPPORTBEE_COMPANY", "SUPPORTBEE_BASE_URL"}
	for _, name := range names {
		t.Setenv(name, "")
	}
	assert.False(t, supportbeeservice.HasAccount())
	for _, name := range names {
		t.Setenv(name, "x")
		assert.True(t, supportbeeservice.HasAccount(), name)
		t.Setenv(name, "")
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(data)
}

func TestMonitor(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	service := supportbeeservice.New(t.Context())
	handled := prometheus.NewCounter(prometheus.CounterOpts{Name: "handled_total", Help: "What was handled."})
	service.Register(handled)
	handled.Add(3)
	var unhealthy error
	url := service.Monitor("localhost:0", func(context.Context) error { return unhealthy })
	require.NotEmpty(t, url)
	_, err := service.Instrument(desk.Client()).Labels.List(t.Context())
	require.NoError(t, err)

	status, metrics := get(t, url+"/metrics")
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, metrics, "handled_total 3\n")
	var count string
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "supportbee_client_operation_duration_seconds_count{") && strings.Contains(line, `supportbee_operation="Labels.List"`) {
			count = line[strings.LastIndex(line, " "):]
		}
	}
	assert.Equal(t, " 1\n", count, metrics)
	status, body := get(t, url+"/healthz")
	assert.Equal(t, http.StatusOK, status, body)
	unhealthy = errors.New("the queue cannot be read")
	status, body = get(t, url+"/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, "the queue cannot be read\n", body)

	assert.Empty(t, service.Monitor("", nil))
	require.NoError(t, service.Stop())
	_, err = http.Get(url + "/healthz")
	require.Error(t, err, "it is stopped")
}

func TestHealthWithoutResponses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		service := supportbeeservice.New(t.Context())
		client := service.Instrument(desk.Client(supportbee.WithoutRetry()))
		<-time.After(5 * time.Minute)
		require.NoError(t, supportbeeservice.Responds(service, t.Context()))
		<-time.After(2 * time.Second)
		require.EqualError(t, supportbeeservice.Responds(service, t.Context()), "the help desk does not respond")
		desk.Inject(supportbeetest.Match{Times: 1}, supportbeetest.Status(http.StatusBadGateway))
		_, err := client.Labels.List(t.Context())
		require.Error(t, err)
		require.Error(t, supportbeeservice.Responds(service, t.Context()), "a failure is no response")
		_, err = client.Labels.List(t.Context())
		require.NoError(t, err)
		require.NoError(t, supportbeeservice.Responds(service, t.Context()))
		require.NoError(t, service.Stop())
	})
}

func TestEvery(t *testing.T) { //nolint:paralleltest // it sets the default logger
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	synctest.Test(t, func(t *testing.T) {
		desk := supportbeetest.New(t, supportbeetest.InMemory())
		service := supportbeeservice.New(t.Context())
		client := service.Instrument(desk.Client(supportbee.WithoutRetry()))
		var called []time.Duration
		start := time.Now()
		service.Every(time.Hour, func(ctx context.Context) error {
			called = append(called, time.Since(start))
			switch len(called) {
			case 1:
				return errors.New("it went wrong")
			case 2:
				<-time.After(90 * time.Minute) // longer than the interval
				return fmt.Errorf("run: %w", &supportbee.Error{Op: "Labels.List", StatusCode: http.StatusForbidden, Message: "Ann may not"})
			case 4:
				<-ctx.Done()
				return ctx.Err()
			}
			_, err := client.Labels.List(ctx)
			return err
		})
		<-time.After(65 * time.Minute)
		require.NoError(t, supportbeeservice.Responds(service, t.Context()), "within the interval and 5 minutes")
		<-time.After(2 * time.Second)
		require.Error(t, supportbeeservice.Responds(service, t.Context()))
		<-time.After(3 * time.Hour)
		metrics := httptest.NewRecorder()
		supportbeeservice.MonitorHandler(service, nil).ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		success := float64(start.Add(150 * time.Minute).Unix())
		assert.Contains(t, metrics.Body.String(), fmt.Sprintf("\nservice_last_success_timestamp_seconds %s\n", strconv.FormatFloat(success, 'g', -1, 64)))
		require.NoError(t, service.Stop())
		assert.Equal(t, []time.Duration{0, time.Hour, 150 * time.Minute, 3 * time.Hour}, called)
	})
	assert.Equal(t, 2, strings.Count(log.String(), "run failed"), "not for the end of the service")
	assert.Contains(t, log.String(), "it went wrong")
	assert.Contains(t, log.String(), "op=Labels.List")
	assert.NotContains(t, log.String(), "Ann")

	service := supportbeeservice.New(t.Context())
	service.Every(0, func(context.Context) error { return nil })
	assert.EqualError(t, service.Wait(), "the interval is 0s, but must be positive")
}

func TestServiceEnds(t *testing.T) {
	t.Parallel()
	wrong := errors.New("it went wrong")
	waits := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, tt := range map[string]struct {
		parts []func(context.Context) error
		stop  bool
		want  error
	}{
		"with its context":               {parts: []func(context.Context) error{waits}, stop: true},
		"with the cause of its context":  {parts: []func(context.Context) error{func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }}, stop: true},
		"with a part that fails":         {parts: []func(context.Context) error{waits, func(context.Context) error { return wrong }}, want: wrong},
		"with a part that fails at last": {parts: []func(context.Context) error{waits, func(ctx context.Context) error { <-ctx.Done(); return wrong }}, stop: true, want: wrong},
		"not with a part that returns":   {parts: []func(context.Context) error{waits, func(context.Context) error { return nil }}, stop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				defer stop(nil)
				service := supportbeeservice.New(ctx)
				for _, part := range tt.parts {
					service.Go(part)
				}
				ended := make(chan error, 1)
				go func() { ended <- service.Wait() }()
				synctest.Wait()
				if tt.stop {
					require.Empty(t, ended, "nothing has ended it")
					stop(errors.New("the program was stopped"))
				}
				require.Equal(t, tt.want, <-ended)
			})
		})
	}
}

func TestListenFinishesRequestsInProgress(t *testing.T) {
	t.Parallel()
	service := supportbeeservice.New(t.Context())
	began, goOn := make(chan struct{}), make(chan struct{})
	url := service.Listen("localhost:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(began)
		<-goOn
		fmt.Fprint(w, "done")
	}))
	stopped := make(chan error, 1)
	go func() {
		<-began
		go func() { stopped <- service.Stop() }()
		// The request goes on only once the server accepts no more.
		for {
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				break
			}
			conn.Close()
		}
		close(goOn)
	}()
	status, body := get(t, url)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "done", body)
	require.NoError(t, <-stopped)
}

func TestListenOnATakenAddress(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	defer listener.Close()
	service := supportbeeservice.New(t.Context())
	assert.Empty(t, service.Listen(listener.Addr().String(), http.NotFoundHandler()))
	require.ErrorIs(t, service.Wait(), syscall.EADDRINUSE)
}
