package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// demo lets the people of an embedded help desk write, and prints what is posted. If -addr or
// -metrics was given, it then keeps running until ctx is done.
func demo(ctx context.Context, cfg config, given map[string]bool, out io.Writer) error {
	desk, err := supportbeetest.Start()
	if err != nil {
		return err
	}
	defer desk.Close()
	fmt.Fprintf(out, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at %s\n\n", desk.URL)
	dir, err := os.MkdirTemp("", "webhooks")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	calls := make(chan struct{}, 100)
	channel := &fakeSlack{called: func(r *http.Request, n int) bool {
		switch {
		case r.URL.Path == postMessage:
			fmt.Fprintf(out, "%d. %s\n", n, r.FormValue("text"))
		case r.FormValue("include_all_metadata") == "1" && r.FormValue("cursor") == "":
			fmt.Fprintln(out, "   (the receiver looks whether the message without a response was posted)")
		default: // the check when the receiver starts, or a further page
			return true
		}
		calls <- struct{}{}
		return r.URL.Path != postMessage || n != 2
	}}
	server := httptest.NewServer(channel)
	defer server.Close()

	cfg.desk, cfg.channel, cfg.secret = desk.Client(), "C0DEMO", rand.Text()
	cfg.settle = time.Second
	cfg.slack = slack.New("xoxb-demo", slack.OptionAPIURL(server.URL+"/"))
	if !given["queue"] {
		cfg.queue = filepath.Join(dir, "webhooks.db")
	}
	keep := given["addr"] || given["metrics"]
	if !keep {
		cfg.addr = "localhost:0"
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	played := make(chan error, 1)
	err = serve(ctx, cfg, func(addr string) {
		fmt.Fprintf(out, "Receiving at http://%s/webhook/…: each event comes twice, and Slack's second response is lost\n\n", addr)
		go func() {
			err := play(ctx, desk, "http://"+addr+"/webhook/"+cfg.secret, calls)
			if err == nil {
				fmt.Fprintf(out, "\n%d deliveries, %d messages\n", len(desk.Deliveries()), len(channel.list()))
			}
			played <- err
			if err != nil || !keep {
				stop()
			}
		}()
	})
	if err != nil {
		return err
	}
	return <-played
}

// play writes to the help desk, and waits until all of it is in the channel.
func play(ctx context.Context, desk *supportbeetest.Desk, url string, calls <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range 2 {
		desk.AddWebhook(supportbeetest.Webhook{URL: url})
	}
	agent := desk.User(supportbeetest.AgentEmail).ID
	kettle := desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle leaks", Text: "My new kettle leaks. Can I get a refund?"})
	desk.AddComment(kettle, agent, "The third leak this week.")
	desk.AddReply(kettle, agent, "A refund is on its way.")
	desk.AddCustomerReply(kettle, "Thank you!")
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Hello <!channel>", Text: "Whom does this notify?", RequesterName: "Max", RequesterEmail: "max@example.com"})
	for range 5 + 1 { // messages, and the look for the second one
		select {
		case <-calls:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return desk.FlushWebhooks(ctx)
}

const (
	postMessage = "/chat.postMessage"
	history     = "/conversations.history"
	pageSize    = 10
)

// fakeSlack is a Slack with one channel and the two methods that the receiver calls.
type fakeSlack struct {
	// called is called after each call, with the number of messages. If it returns false, there is
	// no response.
	called func(r *http.Request, n int) bool

	mu       sync.Mutex
	messages []slack.Message // newest first
}

func (s *fakeSlack) list() []slack.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

func (s *fakeSlack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	response := map[string]any{"ok": true}
	switch r.URL.Path {
	case postMessage:
		var message slack.Message
		message.Text, message.Timestamp = r.FormValue("text"), strconv.FormatFloat(float64(time.Now().UnixMicro())/1e6, 'f', 6, 64)
		if err := json.Unmarshal([]byte(r.FormValue("metadata")), &message.Metadata); err != nil {
			response = map[string]any{"ok": false, "error": "invalid_metadata_format"}
			break
		}
		s.mu.Lock()
		s.messages = append([]slack.Message{message}, s.messages...)
		s.mu.Unlock()
	case history:
		messages := s.list()
		offset, _ := strconv.Atoi(r.FormValue("cursor"))
		response["messages"] = messages[min(offset, len(messages)):min(offset+pageSize, len(messages))]
		if offset+pageSize < len(messages) {
			response["has_more"], response["response_metadata"] = true, map[string]any{"next_cursor": strconv.Itoa(offset + pageSize)}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if s.called != nil && !s.called(r, len(s.list())) {
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(response)
}
