package supportbee_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func Example() {
	desk, err := supportbeetest.Start() // instead of an account
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	ctx := context.Background()

	client, err := supportbee.New("acme", desk.Token, supportbee.WithBaseURL(desk.URL))
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject:        "Refund",
		RequesterEmail: "ann@example.com",
		Content:        supportbee.Text("Hello, can I get a refund?"),
	})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("Of course.")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s wrote to %s: %s\n", reply.Replier.Name, ticket.Requester.Email, reply.Content.Text)
	// Output: Ada Adams wrote to ann@example.com: Of course.
}

func ExampleTicketsService_All() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	for ticket, err := range client.Tickets.All(ctx, supportbee.TicketListOptions{Label: "bug"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ticket.Subject)
	}
	// Output:
	// It stopped working after the update
	// Cannot log in
}

func ExampleCollect() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	newest, err := supportbee.Collect(client.Tickets.All(ctx, supportbee.TicketListOptions{Archived: supportbee.ArchivedAny}), 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(newest), "tickets, the first:", newest[0].Subject)
	// Output: 3 tickets, the first: It stopped working after the update
}

func ExampleError() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	_, err = client.Tickets.Get(ctx, 7)
	if errors.Is(err, supportbee.ErrNotFound) {
		fmt.Println("no such ticket")
	}
	if apiErr, ok := errors.AsType[*supportbee.Error](err); ok {
		fmt.Println(apiErr.Op, apiErr.Path, apiErr.StatusCode)
	}

	_, err = client.Tickets.Create(ctx, supportbee.TicketParams{Content: supportbee.Text("Hello")})
	fmt.Println(err)
	// Output:
	// no such ticket
	// Tickets.Get /tickets/7 404
	// supportbee: Tickets.Create: invalid argument: RequesterEmail is required
}

func ExampleAttachmentsService_Upload() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	file, err := client.Attachments.Upload(ctx, "notes.txt", strings.NewReader("The kettle leaks."))
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		RequesterEmail: "ann@example.com",
		Content:        supportbee.ContentParams{Text: "See the file.", AttachmentIDs: []supportbee.AttachmentID{file.ID}},
	})
	if err != nil {
		log.Fatal(err)
	}

	var back bytes.Buffer
	if err := client.Attachments.Download(ctx, ticket.Content.Attachments[0], &back); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.String())
	// Output: The kettle leaks.
}

func ExampleClient_Do() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})

	var out struct {
		Star struct {
			TicketID supportbee.TicketID `json:"ticket_id"`
		} `json:"star"`
	}
	if err := client.Do(ctx, http.MethodPost, fmt.Sprintf("/tickets/%d/star", id), nil, &out); err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.Star.TicketID == id)
	// Output: true
}

func ExampleParseWebhook() {
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event, err := supportbee.ParseWebhook(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if event.Action == supportbee.WebhookTicketCreated {
			fmt.Println("new:", event.Ticket.Subject)
		}
	})

	body := `{"payload": {"action_type": "ticket.created", "company": {"subdomain": "acme"}, "ticket": {"id": 7, "subject": "The kettle leaks"}}}`
	receiver.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/supportbee", strings.NewReader(body)))
	// Output: new: The kettle leaks
}

func Example_testing() {
	desk, err := supportbeetest.Start() // in a test: supportbeetest.New(t), which closes it at the end
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	ctx := context.Background()
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund, please", Text: "The kettle leaks."})
	desk.Inject(supportbeetest.Match{Op: "Labels.Add", Times: 1}, supportbeetest.Status(http.StatusBadGateway))

	if err := triage(ctx, desk.Client(), ticket); err != nil { // the code under test
		log.Fatal(err)
	}

	for _, request := range desk.Requests() {
		fmt.Println(request.Status, request.Op)
	}
	fmt.Println(desk.Replies(ticket)[0].Content.Text)
	// Output:
	// 502 Labels.Add
	// 201 Labels.Add
	// 201 Replies.Create
	// We are looking into it.
}

// The functions below hold what the README shows; a test compares them.

func readmeFirstCall(ctx context.Context) error {
	client, err := supportbee.New("acme", os.Getenv("SUPPORTBEE_TOKEN")) // https://acme.supportbee.com
	if err != nil {
		return err
	}
	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		Subject:        "Refund",
		RequesterEmail: "ann@example.com",
		Content:        supportbee.Text("Hello, can I get a refund?"),
	})
	_ = ticket
	return err
}

func readmeLists(ctx context.Context, client *supportbee.Client) error {
	for ticket, err := range client.Tickets.All(ctx, supportbee.TicketListOptions{
		Archived:     supportbee.ArchivedAny,
		AssignedUser: supportbee.AssignedToMe,
		Label:        "refund",
		Since:        time.Now().AddDate(0, 0, -7),
	}) {
		if err != nil {
			return err
		}
		fmt.Println(ticket.ID, ticket.Subject)
	}
	return nil
}

func readmeErrors(ctx context.Context, client *supportbee.Client, ticketID supportbee.TicketID, userID supportbee.UserID) {
	_, err := client.Tickets.AssignUser(ctx, ticketID, userID)

	var limited *supportbee.RateLimitError
	var apiErr *supportbee.Error
	switch {
	case errors.Is(err, supportbee.ErrConflict):
		fmt.Println("not in the ticket's team")
	case errors.As(err, &limited):
		fmt.Println("try again in", limited.RetryAfter)
	case errors.As(err, &apiErr):
		fmt.Println(apiErr.Op, apiErr.StatusCode, apiErr.Message, apiErr.RequestID)
	}
}

func readmeFiles(ctx context.Context, client *supportbee.Client, ticketID supportbee.TicketID) error {
	file, err := client.Attachments.UploadFile(ctx, "invoice.pdf", supportbee.OnProgress(func(done, total int64) {
		fmt.Printf("\r%d of %d bytes", done, total)
	}))
	if err != nil {
		return err
	}
	_, err = client.Replies.Create(ctx, ticketID, supportbee.ReplyParams{
		Content: supportbee.ContentParams{Text: "Here it is.", AttachmentIDs: []supportbee.AttachmentID{file.ID}},
	})
	return err
}

func readmeDo(ctx context.Context, client *supportbee.Client) error {
	err := client.Do(ctx, http.MethodPost, "/tickets/7/star", nil, nil)
	return err
}

// triage is what somebody's bot may look like.
func triage(ctx context.Context, client *supportbee.Client, id supportbee.TicketID) error {
	if _, err := client.Labels.Add(ctx, id, "refund"); err != nil {
		return err
	}
	_, err := client.Replies.Create(ctx, id, supportbee.ReplyParams{Content: supportbee.Text("We are looking into it.")})
	return err
}

//nolint:paralleltest // as the README shows it
func TestTriage(t *testing.T) {
	desk := supportbeetest.New(t)
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Refund, please", Text: "The kettle leaks."})
	desk.Inject(supportbeetest.Match{Op: "Labels.Add", Times: 1}, supportbeetest.Status(http.StatusBadGateway))

	err := triage(t.Context(), desk.Client(), ticket)

	require.NoError(t, err)
	desk.AssertLabels(t, ticket, "refund")
	desk.AssertReplies(t, ticket, "We are looking into it")
	desk.AssertMailed(t, supportbeetest.CustomerEmail)
}
