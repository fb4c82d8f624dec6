package bench

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sleep waits for a timer of the kernel. In a process that is otherwise idle the runtime waits
// for its own timers in whole milliseconds, as epoll does, so that 5 ms become anything up to 6,
// depending on what a contestant does meanwhile. A blocking nanosleep would be no better: it
// holds a processor of the runtime back until that notices.
func sleep(d time.Duration) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return err
	}
	timer := os.NewFile(uintptr(fd), "timerfd")
	defer timer.Close()
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(d.Nanoseconds())}, nil); err != nil {
		return err
	}
	_, err = timer.Read(make([]byte, 8)) // how often it has expired
	return err
}
