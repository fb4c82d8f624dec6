package recordreplay_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/cassette"
	"gopkg.in/dnaeon/go-vcr.v4/pkg/recorder"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/examples/recordreplay"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

var update = flag.Bool("update", false, "record the cassette again")

const triageCassette = "testdata/triage"

// private is what must not be in a cassette.
var private = []string{"ann", "archer", "eve", "ada", "adams", "kettle", "leak", "refund", "hush", "invoice", "acme", "127.0.0.1", "desk", "bearer", "authorization", "cookie", "0170", "secret"}

// triage is the code under test: it finds the tickets of a customer, and labels them and replies.
func triage(ctx context.Context, client *supportbee.Client) error {
	page, err := client.Tickets.List(ctx, &supportbee.TicketListOptions{RequesterEmails: []string{"ann.archer@acme.example"}, PerPage: 50})
	if err != nil {
		return err
	}
	for _, ticket := range page.Tickets {
		if _, err := client.Labels.Add(ctx, ticket.ID, "hush"); err != nil {
			return err
		}
		reply := supportbee.ReplyParams{Content: supportbee.Text("Dear Ann, a refund for the kettle is on its way.")}
		if _, err := client.Replies.Create(ctx, ticket.ID, reply); err != nil {
			return err
		}
	}
	return nil
}

// A cassette is replayed without a network and without a token that is valid. What is not recorded
// is an error, which must not be retried.
func Example() {
	vcr, err := recordreplay.New(triageCassette, recorder.ModeReplayOnly, nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := supportbee.New("company", "no-token", supportbee.WithTransport(vcr), supportbee.WithoutRetry())
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	page, err := client.Tickets.List(ctx, &supportbee.TicketListOptions{RequesterEmails: []string{"someone@example.com"}, PerPage: 50})
	if err != nil {
		log.Fatal(err)
	}
	for _, ticket := range page.Tickets {
		fmt.Println(ticket.Subject, ticket.Requester.Email, ticket.Requester.Role)
	}
	_, err = client.Labels.List(ctx)
	fmt.Println(strings.HasSuffix(err.Error(), "requested interaction not found"))
	// Output:
	// scrubbed someone@example.com customer
	// true
}

// record runs triage against a desk and writes the cassette.
func record(t *testing.T, name string) {
	t.Helper()
	desk := supportbeetest.New(t)
	desk.AddLabel("hush", "blue")
	desk.AddTicket(supportbeetest.TicketSeed{
		Subject: "The kettle leaks", Text: "Call 0170 123. Ann Archer, ann.archer@acme.example", RequesterName: "Ann Archer", RequesterEmail: "ann.archer@acme.example",
		CC: []string{"Eve <eve@example.com>"}, Labels: []string{"hush"},
	})
	vcr, err := recordreplay.New(name, recorder.ModeRecordOnly, desk.Transport())
	require.NoError(t, err)
	require.NoError(t, triage(t.Context(), desk.Client(supportbee.WithTransport(vcr))))
	require.NoError(t, vcr.Stop())
	desk.AssertMailed(t, "ann.archer@acme.example")
}

func replay(t *testing.T, name string) {
	t.Helper()
	vcr, err := recordreplay.New(name, recorder.ModeReplayOnly, http.NewFileTransport(http.Dir(t.TempDir())))
	require.NoError(t, err)
	client, err := supportbee.New("company", "no-token", supportbee.WithTransport(vcr), supportbee.WithoutRetry())
	require.NoError(t, err)
	require.NoError(t, triage(t.Context(), client))
	require.ErrorIs(t, triage(t.Context(), client), cassette.ErrInteractionNotFound, "each interaction is replayed once")
}

func assertPublic(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name + ".yaml")
	require.NoError(t, err)
	assert.Contains(t, string(text), "https://company.supportbee.com/tickets?per_page=50&requester_emails=scrubbed")
	for _, word := range private {
		assert.NotContains(t, strings.ToLower(string(text)), word)
	}
}

func TestCommittedCassette(t *testing.T) {
	if *update {
		record(t, triageCassette)
	}
	assertPublic(t, triageCassette)
	replay(t, triageCassette)
}

func TestRecordAndReplay(t *testing.T) {
	name := filepath.Join(t.TempDir(), "triage")
	record(t, name)
	assertPublic(t, name)
	replay(t, name)
}

func TestScrub(t *testing.T) {
	i := cassette.Interaction{
		Request: cassette.Request{
			Method: "POST", Host: "acme.supportbee.com", RemoteAddr: "secret", RequestURI: "/secret", Form: map[string][]string{"secret": {"secret"}},
			URL:     "https://secret@acme.supportbee.com/tickets/7/labels/tickets?per_page=2&query=0170&page=secret%20x&Ann=1&since=2026-03-01T09:00:00Z#secret",
			Headers: http.Header{"Authorization": {"Bearer secret"}}, Trailer: http.Header{"Secret": {"secret"}},
			Body: `{"reply":{"content":{"text":"secret","html":"<p>secret</p>"},"Ann Archer":[1.50,"a@b.c","secret",true,null]}}`,
		},
		Response: cassette.Response{
			Code: 201, Status: "201 secret", Headers: http.Header{"Set-Cookie": {"secret"}, "Content-Type": {"application/json"}}, Trailer: http.Header{"Secret": {"secret"}},
			Body: `{"id":12345678901234567890,"created_at":"2026-03-01T09:00:00Z","role":"admin","color":"#FF0000","name":"admin","url":"https://secret.example/x","new":"secret","empty":""}`,
		},
	}
	require.NoError(t, recordreplay.Scrub(&i))
	sent := `{"reply":{"content":{"html":"scrubbed","text":"scrubbed"},"scrubbed":[1.50,"someone@example.com","scrubbed",true,null]}}`
	received := `{"color":"#FF0000","created_at":"2026-03-01T09:00:00Z","empty":"","id":12345678901234567890,"name":"scrubbed","new":"scrubbed","role":"admin","url":"https://example.com/scrubbed"}`
	want := cassette.Interaction{
		Request: cassette.Request{
			Method: "POST", Host: "company.supportbee.com", Body: sent, ContentLength: int64(len(sent)),
			URL: "https://company.supportbee.com/tickets/7/labels/scrubbed?page=scrubbed&per_page=2&query=scrubbed&scrubbed=scrubbed&since=2026-03-01T09%3A00%3A00Z",
		},
		Response: cassette.Response{
			Code: 201, Status: "201 Created", Headers: http.Header{"Content-Type": {"application/json"}}, Body: received, ContentLength: int64(len(received)),
		},
	}
	assert.Equal(t, want, i)
	require.NoError(t, recordreplay.Scrub(&i))
	assert.Equal(t, want, i, "what is scrubbed stays as it is")
}

// Nothing is written of what cannot be scrubbed.
func TestUploadsAreNotRecorded(t *testing.T) {
	desk := supportbeetest.New(t)
	name := filepath.Join(t.TempDir(), "upload")
	vcr, err := recordreplay.New(name, recorder.ModeRecordOnly, desk.Transport())
	require.NoError(t, err)
	_, err = desk.Client(supportbee.WithTransport(vcr)).Attachments.Upload(t.Context(), "secret.txt", bytes.NewReader([]byte("secret")), nil)
	require.NoError(t, err)
	require.EqualError(t, vcr.Stop(), "the request: only JSON can be scrubbed")
	assert.NoFileExists(t, name+".yaml")
}
