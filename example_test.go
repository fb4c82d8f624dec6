package supportbee_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
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

	for ticket, err := range client.Tickets.All(ctx, &supportbee.TicketListOptions{Label: "bug"}) {
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

	tickets, err := supportbee.Collect(client.Tickets.All(ctx, &supportbee.TicketListOptions{Label: "bug"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(tickets), "tickets, the newest:", tickets[0].Subject)
	// Output: 2 tickets, the newest: It stopped working after the update
}

func ExampleForEach() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	bugs := client.Tickets.All(ctx, &supportbee.TicketListOptions{Label: "bug"})
	err = supportbee.ForEach(ctx, bugs, func(ctx context.Context, ticket *supportbee.Ticket) error {
		return client.Tickets.Archive(ctx, ticket.ID)
	}, &supportbee.ForEachOptions{
		Progress: func(done, total int) { fmt.Println("archived", done, "of", total) },
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// archived 1 of 2
	// archived 2 of 2
}

func ExampleWithDryRun() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(supportbee.WithDryRun(func(_ context.Context, request supportbee.PlannedRequest) {
		fmt.Println(request.Method, request.Path, string(request.Body))
	})), context.Background()

	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		RequesterEmail: "ann@example.com",
		Content:        supportbee.Text("Hello, can I get a refund?"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Labels.Add(ctx, ticket.ID, "refund"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// POST /tickets {"ticket":{"requester_email":"ann@example.com","content":{"text":"Hello, can I get a refund?"}}}
	// POST /tickets/0/labels/refund
}

func ExampleWithAllowedRecipients() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	allow := supportbee.RecipientList("acme.example", "ann@example.org")
	client, ctx := desk.Client(supportbee.WithAllowedRecipients(allow)), context.Background()

	for ticket, err := range client.Tickets.All(ctx, &supportbee.TicketListOptions{RequesterEmails: []string{supportbeetest.CustomerEmail}}) {
		if err != nil {
			log.Fatal(err)
		}
		_, err = client.Replies.Create(ctx, ticket.ID, supportbee.ReplyParams{Content: supportbee.Text("Just a test")})
		fmt.Println(err)
		break
	}
	// Output: supportbee: Replies.Create: invalid argument: ticket has a requester that is not allowed: recipient not allowed
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

	file, err := client.Attachments.Upload(ctx, "notes.txt", strings.NewReader("The kettle leaks."), nil)
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := client.Tickets.Create(ctx, supportbee.TicketParams{
		RequesterEmail: "ann@example.com",
		Content:        supportbee.Text("See the file.").Attach(file.ID),
	})
	if err != nil {
		log.Fatal(err)
	}

	var back bytes.Buffer
	if err := client.Attachments.Download(ctx, ticket.Content.Attachments[0], &back, nil); err != nil {
		log.Fatal(err)
	}
	fmt.Println(back.String())
	// Output: The kettle leaks.
}

func ExampleAttachmentsService_Download() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	file := desk.AddFile("invoice.csv", "text/csv", []byte("kettle;19.00\n"))
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Invoice", AttachmentIDs: []supportbee.AttachmentID{file}})
	client, ctx := desk.Client(), context.Background()

	ticket, err := client.Tickets.Get(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	for _, attachment := range ticket.Content.Attachments {
		fmt.Println(attachment.Filename, attachment.ContentType)
		if err := client.Attachments.Download(ctx, attachment, os.Stdout, &supportbee.DownloadOptions{MaxSize: 1 << 20}); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// invoice.csv text/csv
	// kettle;19.00
}

func ExampleNew() {
	client, err := supportbee.New("acme", os.Getenv("SUPPORTBEE_TOKEN"), supportbee.WithUserAgent("billing-bot/2.1"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client)
	// Output: https://acme.supportbee.com
}

func ExampleClient_With() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	quick := client.With(supportbee.WithTimeout(time.Second), supportbee.WithoutRetry())
	labels, err := quick.Labels.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(labels[0].Name)
	// Output: bug
}

func ExampleWithLogger() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "duration", "request_id": // they differ each time
				return slog.Attr{}
			}
			return a
		},
	}))
	client := desk.Client(supportbee.WithLogger(logger))
	if _, err := client.Labels.List(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: level=DEBUG msg="http attempt" op=Labels.List method=GET route=/labels attempt=1 status=200
}

func ExampleWithObserver() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	desk.Inject(supportbeetest.Match{Op: "Labels.List", Times: 1}, supportbeetest.Status(http.StatusBadGateway))
	client := desk.Client(supportbee.WithObserver(supportbee.Observer{
		Attempt: func(_ context.Context, attempt supportbee.Attempt) {
			fmt.Println("attempt", attempt.Number, "of", attempt.Op, "got", attempt.StatusCode)
		},
		End: func(_ context.Context, op supportbee.Operation, response supportbee.Response, err error) {
			fmt.Println(op.Name, "ended after", response.Attempts, "attempts, error:", err)
		},
	}))
	if _, err := client.Labels.List(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// attempt 1 of Labels.List got 502
	// attempt 2 of Labels.List got 200
	// Labels.List ended after 2 attempts, error: <nil>
}

func ExampleWithHeader() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client := desk.Client(supportbee.WithHeader("X-Job", "export"))
	if _, err := client.Labels.List(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(desk.Requests()[0].Header.Get("X-Job"))
	// Output: export
}

// Parts of responses that this version does not know are reported once, without their values.
func ExampleObserver() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"labels":[{"id":1,"name":"refund","mood":"angry"},{"id":2,"name":"bug","mood":"calm"}]}`)
	})))
	client := desk.Client(supportbee.WithObserver(supportbee.Observer{
		Drift: func(_ context.Context, drift supportbee.Drift) { fmt.Println(drift.Op, drift.Pointer, drift.Found) },
	}))
	if _, err := client.Labels.List(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: Labels.List /labels/*/mood string
}

// A logged error has no message of the server, which can hold personal data, and a logged client
// has no token.
func ExampleError_LogValue() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	client, err := supportbee.New("acme", "secret")
	if err != nil {
		log.Fatal(err)
	}
	err = &supportbee.Error{Op: "Users.Get", Method: "GET", Path: "/users/7", StatusCode: 404, Message: "no ann@example.com", RequestID: "5c1f", Attempts: 1}
	logger.Error("failed", "client", client, "err", err)
	// Output:
	// level=ERROR msg=failed client=https://acme.supportbee.com err.op=Users.Get err.method=GET err.attempts=1 err.status=404 err.request_id=5c1f
}

// createLimiter delays the creation of tickets only.
type createLimiter struct{ limiter supportbee.Limiter }

func (l createLimiter) Wait(ctx context.Context) error {
	if op, _ := supportbee.OperationFrom(ctx); op.Name != "Tickets.Create" {
		return nil
	}
	return l.limiter.Wait(ctx)
}

// A limiter such as *rate.Limiter can delay one operation only.
func ExampleWithLimiter() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	perMinute := limiterFunc(func(context.Context) error {
		fmt.Println("wait for a turn")
		return nil
	})
	client, ctx := desk.Client(supportbee.WithLimiter(createLimiter{perMinute})), context.Background()

	if _, err := client.Labels.List(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Tickets.Create(ctx, supportbee.TicketParams{RequesterEmail: "ann@example.com", Content: supportbee.Text("Hello")}); err != nil {
		log.Fatal(err)
	}
	// Output: wait for a turn
}

func ExampleOperationFrom() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	named := transportFunc(func(req *http.Request) (*http.Response, error) {
		op, _ := supportbee.OperationFrom(req.Context())
		fmt.Println(op.Name, op.Route)
		return desk.Transport().RoundTrip(req)
	})
	client := desk.Client(supportbee.WithTransport(named))
	_, _ = client.Tickets.Get(context.Background(), 7)
	// Output: Tickets.Get /tickets/{id}
}

func ExampleWithResponse() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()

	var response supportbee.Response
	ctx := supportbee.WithResponse(context.Background(), &response)
	if _, err := desk.Client().Labels.List(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(response.StatusCode, response.Attempts, response.Header.Get("Content-Type"))
	// Output: 200 1 application/json; charset=utf-8
}

// The connection breaks after the reply was sent: it may have been mailed.
func ExampleRepliesService_Create_outcomeUnknown() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})
	desk.Inject(supportbeetest.Match{Op: "Replies.Create"}, supportbeetest.AfterHandling(supportbeetest.Drop()))

	_, err = client.Replies.Create(ctx, ticket, supportbee.ReplyParams{Content: supportbee.Text("Hello")})
	if errors.Is(err, supportbee.ErrOutcomeUnknown) {
		replies, err := client.Replies.List(ctx, ticket)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("look before another attempt:", len(replies), "reply")
	}
	// Output: look before another attempt: 1 reply
}

func ExampleDraftsService_Update() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	ticket := desk.AddTicket(supportbeetest.TicketSeed{Subject: "Kettle"})

	draft, err := client.Drafts.Update(ctx, ticket, supportbee.DraftParams{
		Content: supportbee.Text("Dear Eve,"),
		CC:      []string{}, // clears
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(draft.Content.Text, draft.LastSavedBy.Name)
	// Output: Dear Eve, Ada Adams
}

func ExampleUsersService_Update() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	id := desk.User(supportbeetest.AgentEmail).ID

	user, err := client.Users.Update(ctx, id, supportbee.UserUpdateParams{
		Name:    new("Benjamin Bauer"), // sets
		TeamIDs: []supportbee.TeamID{}, // clears; what is not named does not change
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Name, user.Email, len(user.Teams), "teams")
	// Output: Benjamin Bauer ben@acme.example 0 teams
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

func ExampleWebhookHandler() {
	webhooks := &supportbee.WebhookHandler{
		Secret: "s3cret",
		Handle: func(_ context.Context, event *supportbee.Webhook) error {
			switch event.Action {
			case supportbee.WebhookTicketCreated:
				fmt.Println("new:", event.Ticket.Subject)
			case supportbee.WebhookCustomerReplyCreated:
				fmt.Println("reply:", event.Reply.Content.Text)
			}
			return nil
		},
	}
	mux := http.NewServeMux()
	mux.Handle("POST /supportbee/{secret}", webhooks)
	server := httptest.NewServer(mux) // in a program: http.ListenAndServe
	defer server.Close()

	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	desk.AddWebhook(supportbeetest.Webhook{URL: server.URL + "/supportbee/s3cret"})
	id := desk.AddTicket(supportbeetest.TicketSeed{Subject: "The kettle leaks"})
	desk.AddCustomerReply(id, "It is getting worse.")

	ctx := context.Background()
	if err := desk.FlushWebhooks(ctx); err != nil {
		log.Fatal(err)
	}
	if err := webhooks.Shutdown(ctx); err != nil { // waits for events that are being handled
		log.Fatal(err)
	}
	// Output:
	// new: The kettle leaks
	// reply: It is getting worse.
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
	for ticket, err := range client.Tickets.All(ctx, &supportbee.TicketListOptions{
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

	var apiErr *supportbee.Error
	switch {
	case errors.Is(err, supportbee.ErrConflict):
		fmt.Println("not in the ticket's team")
	case errors.Is(err, supportbee.ErrOutcomeUnknown):
		fmt.Println("it may have happened")
	case errors.As(err, &apiErr):
		fmt.Println(apiErr.Op, apiErr.StatusCode, apiErr.Message, apiErr.RequestID, apiErr.RetryAfter)
	}
}

func readmeFiles(ctx context.Context, client *supportbee.Client, ticketID supportbee.TicketID) error {
	file, err := client.Attachments.UploadFile(ctx, "invoice.pdf", &supportbee.UploadOptions{
		Progress: func(done, total int64) { fmt.Printf("\r%d of %d bytes", done, total) },
	})
	if err != nil {
		return err
	}
	_, err = client.Replies.Create(ctx, ticketID, supportbee.ReplyParams{
		Content: supportbee.Text("Here it is.").Attach(file.ID),
	})
	return err
}

func readmeWebhooks(mux *http.ServeMux, notify func(ctx context.Context, text string) error) *supportbee.WebhookHandler {
	webhooks := &supportbee.WebhookHandler{
		Secret: os.Getenv("WEBHOOK_SECRET"), // https://hooks.example.com/supportbee/SECRET
		Handle: func(ctx context.Context, event *supportbee.Webhook) error {
			switch event.Action {
			case supportbee.WebhookTicketCreated:
				return notify(ctx, "New: "+event.Ticket.Subject)
			case supportbee.WebhookCustomerReplyCreated:
				return notify(ctx, event.Reply.Replier.Name+" replied to "+event.Ticket.Subject)
			}
			return nil
		},
	}
	mux.Handle("POST /supportbee/{secret}", webhooks)
	return webhooks
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

func ExampleTicketsService_Export() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()

	var checkpoint supportbee.Checkpoint // or the one that was stored, read by json.Unmarshal
	exported := 0
	for ticket, err := range client.Tickets.Export(ctx, &checkpoint, nil) {
		if err != nil {
			log.Fatal(err)
		}
		exported++ // store the ticket together with the checkpoint
		if _, err := json.Marshal(checkpoint); err != nil {
			log.Fatal(ticket.ID, err)
		}
	}
	fmt.Println(exported, "tickets")
	// Output: 10 tickets
}

func ExampleTicketsService_Watch() {
	desk, err := supportbeetest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer desk.Close()
	client, ctx := desk.Client(), context.Background()
	desk.AddTicket(supportbeetest.TicketSeed{Subject: "Is it waterproof?"})

	var checkpoint supportbee.Checkpoint // store it after each ticket, to go on after a restart
	for ticket, err := range client.Tickets.Watch(ctx, &checkpoint, &supportbee.WatchOptions{
		Since:   time.Now().Add(-time.Hour),
		OnError: func(err error) { log.Print(err) }, // and is retried
	}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ticket.Subject)
		break
	}
	// Output: Is it waterproof?
}
