package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"time"

	restyv2 "github.com/go-resty/resty/v2"
	ht "github.com/ogen-go/ogen/http"
	restyv3 "resty.dev/v3"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/internal/lab/bench/peers/oapiclient"
	"github.com/supportbee-go/supportbee/internal/lab/bench/peers/ogenclient"
)

const token = "the-token"

// Contestant is a client under measurement.
type Contestant struct {
	Name   string
	Get    func(ctx context.Context) error
	List   func(ctx context.Context, page int) (tickets, pages int, err error)
	Reply  func(ctx context.Context) error
	Upload func(ctx context.Context, source io.Reader) error

	// Walk goes through all pages and calls work for each ticket.
	Walk func(ctx context.Context, work func()) error
}

// Contestants are all clients, the hand-written one first. A nil transport leaves each its own.
func Contestants(url string, rt http.RoundTripper) []Contestant {
	list := []Contestant{hand(url, rt), sdk(url, rt), resty2(url, rt), resty3(url, rt), oapi(url, rt), ogen(url, rt)}
	for i, c := range list {
		if c.Walk == nil {
			list[i].Walk = func(ctx context.Context, work func()) error {
				for page := 1; ; page++ {
					tickets, pages, err := c.List(ctx, page)
					if err != nil {
						return err
					}
					for range tickets {
						work()
					}
					if page >= pages {
						return nil
					}
				}
			}
		}
	}
	return list
}

func sdk(url string, rt http.RoundTripper) Contestant {
	opts := []supportbee.Option{supportbee.WithBaseURL(url)}
	if rt != nil {
		opts = append(opts, supportbee.WithTransport(rt))
	}
	client, err := supportbee.New("", token, opts...)
	if err != nil {
		panic(err)
	}
	return Contestant{
		Name: "supportbee",
		Get:  func(ctx context.Context) error { return check(client.Tickets.Get(ctx, 7)) },
		List: func(ctx context.Context, number int) (int, int, error) {
			page, err := client.Tickets.List(ctx, &supportbee.TicketListOptions{Page: number, PerPage: 100})
			if err != nil {
				return 0, 0, err
			}
			return len(page.Tickets), page.TotalPages, nil
		},
		Reply: func(ctx context.Context) error {
			return check(client.Replies.Create(ctx, 7, supportbee.ReplyParams{Content: supportbee.Text("A new one is on its way.")}))
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			return check(client.Attachments.Upload(ctx, "a.bin", source, nil))
		},
		Walk: func(ctx context.Context, work func()) error {
			for _, err := range client.Tickets.All(ctx, nil) {
				if err != nil {
					return err
				}
				work()
			}
			return nil
		},
	}
}

func check[T any](_ T, err error) error { return err }

// What the hand-written client and resty decode into: the same fields as the SDK's types, in the
// recorded form only.
type (
	picture struct {
		Thumb20  string `json:"thumb20"`
		Thumb24  string `json:"thumb24"`
		Thumb32  string `json:"thumb32"`
		Thumb48  string `json:"thumb48"`
		Thumb64  string `json:"thumb64"`
		Thumb128 string `json:"thumb128"`
	}
	person struct {
		ID                 int64   `json:"id"`
		Email              string  `json:"email"`
		Name               string  `json:"name"`
		FirstName          string  `json:"first_name"`
		LastName           string  `json:"last_name"`
		Role               string  `json:"role"`
		Agent              bool    `json:"agent"`
		ActiveTicketsCount int     `json:"active_tickets_count"`
		Picture            picture `json:"picture"`
	}
	attachment struct {
		ID          int64             `json:"id"`
		CreatedAt   time.Time         `json:"created_at"`
		Filename    string            `json:"filename"`
		ContentType string            `json:"content_type"`
		URL         map[string]string `json:"url"`
	}
	content struct {
		HTML        string       `json:"html"`
		Text        string       `json:"text"`
		Truncated   bool         `json:"truncated"`
		Attachments []attachment `json:"attachments"`
	}
	label struct {
		Name  string `json:"name"`
		Color string `json:"color"`
	}
	ticketJSON struct {
		ID                int64             `json:"id"`
		Subject           string            `json:"subject"`
		RepliesCount      int               `json:"replies_count"`
		AgentRepliesCount int               `json:"agent_replies_count"`
		CommentsCount     int               `json:"comments_count"`
		LastActivityAt    time.Time         `json:"last_activity_at"`
		CreatedAt         time.Time         `json:"created_at"`
		Unanswered        bool              `json:"unanswered"`
		Archived          bool              `json:"archived"`
		Spam              bool              `json:"spam"`
		Private           bool              `json:"private"`
		Trash             bool              `json:"trash"`
		Draft             bool              `json:"draft"`
		Starred           bool              `json:"starred"`
		Summary           string            `json:"summary"`
		Source            map[string]string `json:"source"`
		CC                []person          `json:"cc"`
		BCC               []person          `json:"bcc"`
		Labels            []label           `json:"labels"`
		CustomerRating    map[string]any    `json:"customer_rating"`
		Requester         person            `json:"requester"`
		Content           content           `json:"content"`
		UserAssignee      *struct {
			User person `json:"user"`
		} `json:"current_user_assignee"`
		TeamAssignee *struct {
			Team struct {
				ID   int64  `json:"id"`
				Name string `json:"name"`
			} `json:"team"`
		} `json:"current_team_assignee"`
	}
	ticketEnvelope struct {
		Ticket *ticketJSON `json:"ticket"`
	}
	ticketPage struct {
		Total       int           `json:"total"`
		CurrentPage int           `json:"current_page"`
		PerPage     int           `json:"per_page"`
		TotalPages  int           `json:"total_pages"`
		Tickets     []*ticketJSON `json:"tickets"`
	}
	replyEnvelope struct {
		Reply *struct {
			ID        int64     `json:"id"`
			CreatedAt time.Time `json:"created_at"`
			Summary   string    `json:"summary"`
			Replier   person    `json:"replier"`
			Content   content   `json:"content"`
		} `json:"reply"`
	}
	replyBody struct {
		Reply struct {
			Content struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"reply"`
	}
)

func theReply() (body replyBody) {
	body.Reply.Content.Text = "A new one is on its way."
	return body
}

func hand(url string, rt http.RoundTripper) Contestant {
	if rt == nil {
		rt = http.DefaultTransport.(*http.Transport).Clone()
	}
	client := &http.Client{Transport: rt, Timeout: 30 * time.Second}
	do := func(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
		req, err := http.NewRequestWithContext(ctx, method, url+path, body)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		if body != nil {
			req.Header.Set("Content-Type", contentType)
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		data, err := io.ReadAll(io.LimitReader(res.Body, 32<<20))
		if err != nil {
			return err
		}
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, data)
		}
		return json.Unmarshal(data, out)
	}
	return Contestant{
		Name: "hand-written",
		Get: func(ctx context.Context) error {
			return do(ctx, http.MethodGet, "/tickets/7", "", nil, new(ticketEnvelope))
		},
		List: func(ctx context.Context, number int) (int, int, error) {
			var page ticketPage
			err := do(ctx, http.MethodGet, "/tickets?per_page=100&page="+strconv.Itoa(number), "", nil, &page)
			return len(page.Tickets), page.TotalPages, err
		},
		Reply: func(ctx context.Context) error {
			body, err := json.Marshal(theReply())
			if err != nil {
				return err
			}
			return do(ctx, http.MethodPost, "/tickets/7/replies", "application/json", bytes.NewReader(body), new(replyEnvelope))
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			body, contentType, err := form(source)
			if err != nil {
				return err
			}
			return do(ctx, http.MethodPost, "/attachments", contentType, body, new(attachment))
		},
	}
}

// form is what most code does for an upload: it makes the form in memory.
func form(source io.Reader) (*bytes.Buffer, string, error) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("files[]", "a.bin")
	if err != nil {
		return nil, "", err
	}
	if _, err := io.Copy(part, source); err != nil {
		return nil, "", err
	}
	return &body, w.FormDataContentType(), w.Close()
}

func resty2(url string, rt http.RoundTripper) Contestant {
	client := restyv2.New().SetDisableWarn(true).SetBaseURL(url).SetAuthToken(token).SetHeader("Accept", "application/json").SetTimeout(30 * time.Second)
	if rt != nil {
		client.SetTransport(rt)
	}
	done := func(res *restyv2.Response, err error) error {
		if err == nil && res.IsError() {
			err = fmt.Errorf("%s", res.Status())
		}
		return err
	}
	return Contestant{
		Name: "resty v2",
		Get: func(ctx context.Context) error {
			return done(client.R().SetContext(ctx).SetResult(new(ticketEnvelope)).Get("/tickets/7"))
		},
		List: func(ctx context.Context, number int) (int, int, error) {
			var page ticketPage
			err := done(client.R().SetContext(ctx).SetResult(&page).SetQueryParam("per_page", "100").SetQueryParam("page", strconv.Itoa(number)).Get("/tickets"))
			return len(page.Tickets), page.TotalPages, err
		},
		Reply: func(ctx context.Context) error {
			return done(client.R().SetContext(ctx).SetBody(theReply()).SetHeader("Content-Type", "application/json").SetResult(new(replyEnvelope)).Post("/tickets/7/replies"))
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			return done(client.R().SetContext(ctx).SetFileReader("files[]", "a.bin", source).SetResult(new(attachment)).Post("/attachments"))
		},
	}
}

// silent keeps resty v3 from warning of plain http in every request, which would cost it time.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

func resty3(url string, rt http.RoundTripper) Contestant {
	client := restyv3.New().SetLogger(silent{}).SetBaseURL(url).SetAuthToken(token).SetHeader("Accept", "application/json").SetTimeout(30 * time.Second)
	if rt != nil {
		client.SetTransport(rt)
	}
	done := func(res *restyv3.Response, err error) error {
		if err == nil && res.StatusCode()/100 != 2 {
			err = fmt.Errorf("%s", res.Status())
		}
		return err
	}
	return Contestant{
		Name: "resty v3",
		Get: func(ctx context.Context) error {
			return done(client.R().SetContext(ctx).SetResult(new(ticketEnvelope)).Get("/tickets/7"))
		},
		List: func(ctx context.Context, number int) (int, int, error) {
			var page ticketPage
			err := done(client.R().SetContext(ctx).SetResult(&page).SetQueryParam("per_page", "100").SetQueryParam("page", strconv.Itoa(number)).Get("/tickets"))
			return len(page.Tickets), page.TotalPages, err
		},
		Reply: func(ctx context.Context) error {
			return done(client.R().SetContext(ctx).SetBody(theReply()).SetHeader("Content-Type", "application/json").SetResult(new(replyEnvelope)).Post("/tickets/7/replies"))
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			return done(client.R().SetContext(ctx).SetFileReader("files[]", "a.bin", source).SetResult(new(attachment)).Post("/attachments"))
		},
	}
}

func oapi(url string, rt http.RoundTripper) Contestant {
	if rt == nil {
		rt = http.DefaultTransport.(*http.Transport).Clone()
	}
	client, err := oapiclient.NewClientWithResponses(url, oapiclient.WithHTTPClient(&http.Client{Transport: rt, Timeout: 30 * time.Second}),
		oapiclient.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+token)
			req.Header.Set("Accept", "application/json")
			return nil
		}))
	if err != nil {
		panic(err)
	}
	missing := errors.New("no result")
	return Contestant{
		Name: "oapi-codegen",
		Get: func(ctx context.Context) error {
			res, err := client.TicketsGetWithResponse(ctx, 7)
			if err == nil && res.JSON200 == nil {
				err = missing
			}
			return err
		},
		List: func(ctx context.Context, number int) (int, int, error) {
			res, err := client.TicketsListWithResponse(ctx, &oapiclient.TicketsListParams{PerPage: new(100), Page: &number})
			if err != nil || res.JSON200 == nil {
				return 0, 0, errors.Join(missing, err)
			}
			return len(*res.JSON200.Tickets), *res.JSON200.TotalPages, nil
		},
		Reply: func(ctx context.Context) error {
			res, err := client.RepliesCreateWithResponse(ctx, 7, oapiclient.RepliesCreateJSONRequestBody{
				Reply: oapiclient.ReplyParams{Content: oapiclient.ContentParams{Text: new("A new one is on its way.")}},
			})
			if err == nil && res.JSON201 == nil {
				err = missing
			}
			return err
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			body, contentType, err := form(source)
			if err != nil {
				return err
			}
			res, err := client.AttachmentsUploadWithBodyWithResponse(ctx, contentType, body)
			if err == nil && res.JSON201 == nil {
				err = missing
			}
			return err
		},
	}
}

// secret gives the token to ogen's client.
type secret struct{}

func (secret) Token(context.Context, ogenclient.OperationName) (ogenclient.Token, error) {
	return ogenclient.Token{Token: token}, nil
}

func ogen(url string, rt http.RoundTripper) Contestant {
	if rt == nil {
		rt = http.DefaultTransport.(*http.Transport).Clone()
	}
	client, err := ogenclient.NewClient(url, secret{}, ogenclient.WithClient(&http.Client{Transport: rt, Timeout: 30 * time.Second}))
	if err != nil {
		panic(err)
	}
	return Contestant{
		Name: "ogen",
		Get: func(ctx context.Context) error {
			res, err := client.TicketsGet(ctx, ogenclient.TicketsGetParams{ID: 7})
			return want[*ogenclient.TicketEnvelope](res, err)
		},
		List: func(ctx context.Context, number int) (int, int, error) {
			res, err := client.TicketsList(ctx, ogenclient.TicketsListParams{PerPage: ogenclient.NewOptInt(100), Page: ogenclient.NewOptInt(number)})
			page, ok := res.(*ogenclient.TicketPage)
			if err != nil || !ok {
				return 0, 0, fmt.Errorf("%T: %w", res, err)
			}
			return len(page.Tickets), page.TotalPages.Value, nil
		},
		Reply: func(ctx context.Context) error {
			res, err := client.RepliesCreate(ctx, &ogenclient.RepliesCreateReq{
				Reply: ogenclient.ReplyParams{Content: ogenclient.ContentParams{Text: ogenclient.NewOptString("A new one is on its way.")}},
			}, ogenclient.RepliesCreateParams{ID: 7})
			return want[*ogenclient.ReplyEnvelope](res, err)
		},
		Upload: func(ctx context.Context, source io.Reader) error {
			res, err := client.AttachmentsUpload(ctx, &ogenclient.AttachmentsUploadReq{Files: ht.MultipartFile{Name: "a.bin", File: source}})
			return want[*ogenclient.Attachment](res, err)
		},
	}
}

// want checks the type of a response.
func want[T any](res any, err error) error {
	if err != nil {
		return err
	}
	if _, ok := res.(T); !ok {
		return fmt.Errorf("unexpected response %T", res)
	}
	return nil
}
