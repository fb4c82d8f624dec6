package supportbeetest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

// The tests in this file look at the wire, without the SDK, so that a mistake in one of the two
// cannot hide a mistake in the other.

// exchange is what one plain request got.
type exchange struct {
	*http.Response
	body string
}

// json is the body as a plain value.
func (e exchange) json(t *testing.T) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(e.body), &value), e.body)
	return value
}

// at is the value at a path such as "ticket.cc.0.email"; nil where there is none.
func (e exchange) at(t *testing.T, path string) any {
	t.Helper()
	value := e.json(t)
	for key := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			var i int
			_, err := fmt.Sscan(key, &i)
			if err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

// send makes a plain request with the token, following no redirect. The headers are names and
// values in turn; an empty value leaves a header out.
func send(t *testing.T, desk *supportbeetest.Desk, method, path, body string, headers ...string) exchange {
	t.Helper()
	target := path
	if !strings.HasPrefix(path, "http") {
		target = desk.URL + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+desk.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	transport := desk.Transport()
	if !strings.HasSuffix(desk.URL, ".localhost") {
		transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer func() { assert.NoError(t, res.Body.Close()) }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return exchange{res, string(data)}
}

func keys(value any) []string {
	var list []string
	if m, isObject := value.(map[string]any); isObject {
		for key := range m {
			list = append(list, key)
		}
	}
	return list
}

// undocumented are the operations that the desk has beside those of openapi.yaml.
var undocumented = []supportbeetest.Route{
	{Method: "GET", Path: "/attachments/{id}/{size}/{name}", Op: "Attachments.Download"},
	{Method: "POST", Path: "/tickets/{id}/star", Op: "Tickets.Star"},
	{Method: "DELETE", Path: "/tickets/{id}/star", Op: "Tickets.Unstar"},
	{Method: "PUT", Path: "/tickets/{id}/requester", Op: "Tickets.SetRequester"},
}

func TestTheDeskHasTheOperationsOfTheDescription(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../openapi.yaml")
	require.NoError(t, err)
	var document struct {
		Paths map[string]map[string]yaml.Node `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(data, &document))
	want := slices.Clone(undocumented)
	for path, item := range document.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var described struct {
				OperationID string `yaml:"operationId"`
			}
			require.NoError(t, node.Decode(&described))
			want = append(want, supportbeetest.Route{Method: strings.ToUpper(method), Path: path, Op: described.OperationID})
		}
	}
	assert.ElementsMatch(t, want, supportbeetest.Routes())
}

func TestEveryOperationIsServed(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	for _, route := range supportbeetest.Routes() {
		desk.ClearHistory()
		path := strings.NewReplacer("{id}", "1", "{reply_id}", "2", "{name}", "bug", "{size}", "original").Replace(route.Path)
		assert.Equal(t, http.StatusUnauthorized, send(t, desk, route.Method, path, "", "Authorization", "Bearer wrong").StatusCode, route)
		requests := desk.Requests()
		require.Len(t, requests, 1)
		got := supportbeetest.Route{Method: requests[0].Method, Path: requests[0].Route, Op: requests[0].Op}
		assert.Equal(t, route, got)
		if strings.HasPrefix(route.Path, "/tickets/{id}") {
			missing := send(t, desk, route.Method, path, "{}")
			assert.Equal(t, http.StatusNotFound, missing.StatusCode, route)
			assert.Equal(t, "Couldn't find Ticket with id=1 [WHERE `tickets`.`company_id` = 1]", missing.at(t, "error"), route)
		}
	}
	unknown := send(t, desk, "PATCH", "/ticket/1", "")
	assert.Equal(t, http.StatusNotFound, unknown.StatusCode)
	assert.Contains(t, unknown.at(t, "error"), "Sorry. Something seems to have gone wrong.")
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	ticket := `{"ticket":{"requester_email":"a@example.com","content":{"text":"x"}}}`

	anonymous := send(t, desk, "POST", "/tickets", ticket, "Authorization", "")
	assert.Equal(t, http.StatusCreated, anonymous.StatusCode)
	assert.Empty(t, anonymous.Cookies())
	wrong := send(t, desk, "POST", "/tickets", ticket, "Authorization", "Bearer wrong")
	assert.Equal(t, http.StatusUnauthorized, wrong.StatusCode)
	assert.Equal(t, " ", wrong.body)
	assert.Equal(t, "application/json; charset=utf-8", wrong.Header.Get("Content-Type"))
	authenticated := send(t, desk, "POST", "/tickets", ticket)
	assert.Equal(t, "secure_code_session", authenticated.Cookies()[0].Name)

	older := send(t, desk, "GET", "/labels?auth_token="+desk.Token, "", "Authorization", "")
	assert.Equal(t, http.StatusOK, older.StatusCode)
	assert.NotContains(t, fmt.Sprint(desk.Requests()), desk.Token)
	assert.Equal(t, http.StatusUnauthorized, send(t, desk, "POST", "/tickets?auth_token=wrong", ticket, "Authorization", "").StatusCode)

	plain := send(t, desk, "GET", "/labels", "", "Accept", "text/html")
	assert.Equal(t, http.StatusNotAcceptable, plain.StatusCode)
	form := send(t, desk, "POST", "/tickets", ticket, "Content-Type", "text/plain")
	assert.Equal(t, http.StatusBadRequest, form.StatusCode)
	broken := send(t, desk, "POST", "/tickets", `{"ticket":{"subject":7}}`)
	assert.Equal(t, http.StatusBadRequest, broken.StatusCode)
	assert.Contains(t, broken.at(t, "error"), "subject")
}

func TestFilesComeFromAnotherOriginThatRefusesCredentials(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	file := desk.AddFile("ä/b.txt", "text/plain; charset=utf-8", []byte("bytes"))
	for _, size := range []string{"original", "thumb"} {
		path := fmt.Sprintf("/attachments/%d/%s/x", file, size)
		assert.Equal(t, http.StatusUnauthorized, send(t, desk, "GET", path, "", "Authorization", "").StatusCode)
		redirect := send(t, desk, "GET", path, "", "Accept", "")
		assert.Equal(t, http.StatusFound, redirect.StatusCode)
		target := redirect.Header.Get("Location")
		assert.NotContains(t, target, desk.URL+"/")

		refused := send(t, desk, "GET", target, "")
		assert.Equal(t, http.StatusBadRequest, refused.StatusCode)
		refused = send(t, desk, "GET", target, "", "Authorization", "", "Cookie", "a=b")
		assert.Equal(t, http.StatusBadRequest, refused.StatusCode)
		got := send(t, desk, "GET", target, "", "Authorization", "")
		assert.Equal(t, "bytes", got.body)
		assert.Equal(t, "text/plain; charset=utf-8", got.Header.Get("Content-Type"))
		again := send(t, desk, "GET", target, "", "Authorization", "")
		assert.Equal(t, http.StatusForbidden, again.StatusCode, "a link is good for one download")
	}
	assert.Equal(t, http.StatusNotFound, send(t, desk, "GET", "/attachments/1/original/x", "").StatusCode)
}

func TestUploads(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		desk := supportbeetest.New(t, supportbeetest.WithDialect(dialect))
		form := func(disposition, contentType string) exchange {
			var body bytes.Buffer
			w := multipart.NewWriter(&body)
			header := textproto.MIMEHeader{"Content-Disposition": {disposition}}
			if contentType != "" {
				header.Set("Content-Type", contentType)
			}
			part, err := w.CreatePart(header)
			require.NoError(t, err)
			_, _ = part.Write([]byte{0, 1, 255})
			require.NoError(t, w.Close())
			return send(t, desk, "POST", "/attachments", body.String(), "Content-Type", w.FormDataContentType())
		}
		prefix := map[supportbeetest.Dialect]string{supportbeetest.DialectRecorded: "attachment."}[dialect]
		good := form(`form-data; name="files[]"; filename="a %22b%22.bin"`, "")
		assert.Equal(t, http.StatusCreated, good.StatusCode)
		assert.Equal(t, `a "b".bin`, good.at(t, prefix+"filename"))
		assert.Equal(t, "application/octet-stream", good.at(t, prefix+"content_type"))
		id, _ := good.at(t, prefix+"id").(float64)
		data := desk.File(supportbee.AttachmentID(id))
		assert.Equal(t, []byte{0, 1, 255}, data)

		for _, bad := range []exchange{
			form(`form-data; name="file"; filename="a"`, ""),
			form(`form-data; name="files[]"`, "text/plain"),
			send(t, desk, "POST", "/attachments", "{}"),
			send(t, desk, "POST", "/attachments", "--x\r\n", "Content-Type", "multipart/form-data; boundary=x"),
		} {
			assert.Equal(t, http.StatusBadRequest, bad.StatusCode)
			assert.NotNil(t, bad.at(t, "error"))
		}
	}
}

func TestGzipWhereItIsAskedFor(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	plain := send(t, desk, "GET", "/labels", "")
	assert.Empty(t, plain.Header.Get("Content-Encoding"))
	packed := send(t, desk, "GET", "/labels", "", "Accept-Encoding", "gzip")
	reader, err := gzip.NewReader(strings.NewReader(packed.body))
	require.NoError(t, err)
	unpacked, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, plain.body, string(unpacked))
	assert.Equal(t, plain.Header.Get("ETag"), packed.Header.Get("ETag"))

	id := desk.AddTicket(supportbeetest.TicketSeed{})
	empty := send(t, desk, "POST", fmt.Sprintf("/tickets/%d/archive", id), "", "Accept-Encoding", "gzip")
	assert.Equal(t, http.StatusNoContent, empty.StatusCode)
	for _, name := range []string{"Content-Encoding", "Content-Type", "Etag"} {
		assert.Empty(t, empty.Header.Get(name), name)
	}
	assert.Equal(t, "no-cache", empty.Header.Get("Cache-Control"))
}

func TestLabelNamesAreOnePathSegment(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t)
	id := desk.AddTicket(supportbeetest.TicketSeed{})
	for segment, name := range map[string]string{
		"very%20important": "very important", "a%2Fb": "a/b", "%C3%BCber": "über", "100%25": "100%", "v1.2": "v1.2", "a%3Fb%23c": "a?b#c",
	} {
		if name != "very important" {
			desk.AddLabel(name, "#123456")
		}
		path := fmt.Sprintf("/tickets/%d/labels/%s", id, segment)
		added := send(t, desk, "POST", path, "")
		assert.Equal(t, http.StatusCreated, added.StatusCode, name)
		assert.Equal(t, name, added.at(t, "label.label"))
		assert.Equal(t, float64(id), added.at(t, "label.ticket"))
		ticket := desk.Ticket(id)
		require.Len(t, ticket.Labels, 1)
		assert.Equal(t, name, ticket.Labels[0].Name)
		assert.Equal(t, http.StatusNoContent, send(t, desk, "DELETE", path, "").StatusCode)
		assert.Equal(t, http.StatusNotFound, send(t, desk, "DELETE", path, "").StatusCode)
	}
	unknown := send(t, desk, "POST", fmt.Sprintf("/tickets/%d/labels/unknown", id), "")
	assert.Equal(t, http.StatusNotFound, unknown.StatusCode)
	assert.Empty(t, unknown.body)
}

func TestPagesFarOut(t *testing.T) {
	t.Parallel()
	desk := supportbeetest.New(t, supportbeetest.WithLenient())
	for _, page := range []string{"100", "9223372036854775807", "99999999999999999999999"} {
		got := send(t, desk, "GET", "/tickets?per_page=100&page="+page, "")
		assert.Equal(t, []any{}, got.at(t, "tickets"), page)
	}
	for _, page := range []string{"0", "-1", "x"} {
		assert.Equal(t, 1.0, send(t, desk, "GET", "/tickets?page="+page, "").at(t, "current_page"), page)
	}
}
