package supportbee_test

import (
	"context"
	"testing"

	"github.com/supportbee-go/supportbee"
)

func TestForwardingAddressesList(t *testing.T) {
	t.Parallel()
	help := []*supportbee.ForwardingAddress{{ID: "91", Email: "help@acme.example", Name: "Help"}}
	for _, tt := range []struct {
		reply string
		want  []*supportbee.ForwardingAddress
	}{
		{reply: `{"forwarding_addresses":[{"id":91,"email":"help@acme.example","name":"Help"}]}`, want: help},
		{reply: `{"emails":[{"id":"91","email":"help@acme.example","name":"Help"}]}`, want: help},
		{reply: `{"total":1,"addresses":[{"id":91,"email":"help@acme.example","name":"Help"}]}`, want: help},
		{reply: `[{"id":91,"email":"help@acme.example","name":"Help"}]`, want: help},
		{reply: `{"others":[],"forwarding_addresses":[{"id":91,"email":"help@acme.example","name":"Help"}]}`, want: help},
		{reply: `{"emails":["help@acme.example",{"id":"91_a","email":null,"name":null}]}`, want: []*supportbee.ForwardingAddress{{Email: "help@acme.example"}, {ID: "91_a"}}},
		{reply: `{"forwarding_addresses":[]}`, want: []*supportbee.ForwardingAddress{}},
		{reply: `[]`, want: []*supportbee.ForwardingAddress{}},
	} {
		check(t, "ForwardingAddresses.List", exchange{method: "GET", uri: "/emails", status: 200, reply: tt.reply},
			func(ctx context.Context, c *supportbee.Client) ([]*supportbee.ForwardingAddress, error) {
				return c.ForwardingAddresses.List(ctx)
			}, tt.want)
	}
}

func TestForwardingAddressesCreate(t *testing.T) {
	t.Parallel()
	type params = supportbee.ForwardingAddressParams
	for _, tt := range []struct {
		params params
		body   string
	}{
		{
			params: params{Email: "help@acme.example", Name: "Help", FilterSpam: new(true), UseAgentName: new(true)},
			body:   `{"forwarding_address":{"email":"help@acme.example","name":"Help","filter_spam":true,"use_agent_name":true}}`,
		},
		{
			params: params{Email: "help@acme.example", FilterSpam: new(false), UseAgentName: new(false)},
			body:   `{"forwarding_address":{"email":"help@acme.example","filter_spam":false,"use_agent_name":false}}`,
		},
		{params: params{Email: "help@acme.example"}, body: `{"forwarding_address":{"email":"help@acme.example"}}`},
	} {
		check(t, "ForwardingAddresses.Create", exchange{
			method: "POST", uri: "/emails", body: tt.body, status: 201, reply: `{"forwarding_address":{"id":91,"email":"help@acme.example","name":"Help"}}`,
		}, func(ctx context.Context, c *supportbee.Client) (*supportbee.ForwardingAddress, error) {
			return c.ForwardingAddresses.Create(ctx, tt.params)
		}, &supportbee.ForwardingAddress{ID: "91", Email: "help@acme.example", Name: "Help"})
	}
	checkParams(t, "ForwardingAddresses.Create", func(ctx context.Context, c *supportbee.Client, p params) error {
		return errorOf(c.ForwardingAddresses.Create(ctx, p))
	}, params{Email: "a@b.c"}, []invalidParams[params]{
		{params: params{Name: "x"}, field: "Email", reason: "is required"},
		{params: params{Email: "help"}, field: "Email", reason: "must be an e-mail address"},
	})
}
