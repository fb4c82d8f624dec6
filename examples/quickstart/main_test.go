package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"SUPPORTBEE_COMPANY", "SUPPORTBEE_TOKEN", "SUPPORTBEE_BASE_URL"} {
		t.Setenv(name, "")
	}
}

func TestTourOnTheEmbeddedDesk(t *testing.T) {
	clearEnv(t)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	text := out.String()
	assert.Contains(t, text, "SUPPORTBEE_TOKEN is not set: using an embedded help desk at http://127.0.0.1:")
	for _, line := range []string{
		`(?m)^count +open tickets: 6$`,
		`(?m)^list +#\d+ +\d{4}-\d\d-\d\d \d\d:\d\d +\S+@example\.(com|net) +\S.*$`,
		`(?m)^search +tickets that mention an invoice: 1$`,
		`(?m)^upload +#\d+ +kettle\.jpg +image/jpeg +29000 bytes$`,
		`(?m)^create +#\d+ +\d{4}-\d\d-\d\d \d\d:\d\d +ann@example\.com +The kettle leaks$`,
		`(?m)^download +29000 bytes$`,
		`(?m)^label +"bug"$`,
		`(?m)^assign +to Ada Adams$`,
		`(?m)^comment +Ada Adams: The third leak this week\.$`,
		`(?m)^reply +Ada Adams: Dear Ann, a refund is on its way\.$`,
		`(?m)^archive +archived: true, replies: 1, comments: 1$`,
		`(?m)^error +Tickets\.Get returned status 404, which is ErrNotFound \(request \S+\)$`,
	} {
		assert.Regexp(t, line, text)
	}
}

func TestTourOnADeskOfTheEnvironment(t *testing.T) {
	clearEnv(t)
	desk := supportbeetest.New(t)
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	assert.Contains(t, out.String(), "skipped: -write")
	assert.NotContains(t, out.String(), desk.Token)
	desk.AssertNoWrites(t)

	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-write", "-requester", "me@example.com"}, &out))
	assert.Contains(t, out.String(), "me@example.com")
	desk.AssertRequests(t, "Replies.Create", 1)
}

func TestAHalfSetAccountIsAnError(t *testing.T) {
	clearEnv(t)
	t.Setenv("SUPPORTBEE_COMPANY", "acme")
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), nil, &out), supportbee.ErrTokenRequired)
	assert.Empty(t, out.String())
}

func TestAnInterruptEndsTheTour(t *testing.T) {
	clearEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, run(ctx, nil, io.Discard), context.Canceled)
}

func TestOutputThatIsLostIsAnError(t *testing.T) {
	clearEnv(t)
	_, broken := io.Pipe()
	require.NoError(t, broken.Close())
	require.ErrorIs(t, run(t.Context(), nil, broken), io.ErrClosedPipe)
}

func TestTourStopsAtAnError(t *testing.T) {
	clearEnv(t)
	desk := supportbeetest.New(t)
	desk.Inject(supportbeetest.Match{Op: "Tickets.Search"}, supportbeetest.Status(http.StatusForbidden))
	t.Setenv("SUPPORTBEE_TOKEN", desk.Token)
	t.Setenv("SUPPORTBEE_BASE_URL", desk.URL)
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), nil, &out), "Tickets.Search: GET /tickets/search: 403 Forbidden")
	t.Setenv("SUPPORTBEE_BASE_URL", "ftp://"+strings.TrimPrefix(desk.URL, "http://"))
	require.ErrorContains(t, run(t.Context(), nil, &out), `the scheme must be https or http`)
	require.Error(t, run(t.Context(), []string{"-unknown"}, &out))
}

func TestUnexpectedArguments(t *testing.T) {
	t.Parallel()
	assert.EqualError(t, run(t.Context(), []string{"extra", "-h"}, io.Discard), `unexpected argument "extra"`)
}
