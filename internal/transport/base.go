package transport

import (
	"net"
	"net/http"
	"time"
)

// NewBase returns the default transport of a client: http.DefaultTransport's settings, with idle
// connections for many goroutines that call one host. They are written out because a program may
// have changed http.DefaultTransport.
func NewBase() *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true, // which a custom DialContext disables
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        30 * time.Second, // less than servers keep them: a write on a closed one is of unknown outcome
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    1024,
		MaxResponseHeaderBytes: 1 << 20,
	}
}
