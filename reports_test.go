package supportbee_test

import (
	"context"
	"testing"
	"time"

	"github.com/supportbee-go/supportbee"
)

func TestReports(t *testing.T) {
	t.Parallel()
	points := `{"data_points":[{"value":"42.5","timestamp":"1360627200"},{"value":7,"timestamp":1360713600},{"value":"0","timestamp":"1360800000"}]}`
	want := []*supportbee.DataPoint{
		{Value: 42.5, Time: time.Date(2013, 2, 12, 0, 0, 0, 0, time.UTC)},
		{Value: 7, Time: time.Date(2013, 2, 13, 0, 0, 0, 0, time.UTC)},
		{Value: 0, Time: time.Date(2013, 2, 14, 0, 0, 0, 0, time.UTC)},
	}
	for _, tt := range []struct {
		opts  *supportbee.ReportOptions
		query string
	}{
		{opts: nil},
		{opts: &supportbee.ReportOptions{}},
		{
			opts:  &supportbee.ReportOptions{UserID: 12, TeamID: 21, Label: "a b", Since: at(9, 0, 0).In(time.FixedZone("", -60*60)).Add(time.Second - 1)},
			query: "?label=a+b&since=2026-03-01T09%3A00%3A00Z&team=21&user=12",
		},
	} {
		check(t, "Reports.AvgFirstResponseTime", exchange{method: "GET", uri: "/reports/avg_first_response_time" + tt.query, status: 200, reply: points},
			func(ctx context.Context, c *supportbee.Client) ([]*supportbee.DataPoint, error) {
				return c.Reports.AvgFirstResponseTime(ctx, tt.opts)
			}, want)
		check(t, "Reports.TicketsCount", exchange{method: "GET", uri: "/reports/tickets_count" + tt.query, status: 200, reply: points},
			func(ctx context.Context, c *supportbee.Client) ([]*supportbee.DataPoint, error) {
				return c.Reports.TicketsCount(ctx, tt.opts)
			}, want)
		check(t, "Reports.RepliesCount", exchange{method: "GET", uri: "/reports/replies_count" + tt.query, status: 200, reply: points},
			func(ctx context.Context, c *supportbee.Client) ([]*supportbee.DataPoint, error) {
				return c.Reports.RepliesCount(ctx, tt.opts)
			}, want)
	}
	check(t, "Reports.TicketsCount", exchange{method: "GET", uri: "/reports/tickets_count", status: 200, reply: `{"data_points":[{"value":null,"timestamp":""}]}`},
		func(ctx context.Context, c *supportbee.Client) ([]*supportbee.DataPoint, error) {
			return c.Reports.TicketsCount(ctx, nil)
		}, []*supportbee.DataPoint{})
}

func TestReportOptionsAreRejected(t *testing.T) {
	t.Parallel()
	for op, call := range map[string]func(context.Context, *supportbee.Client, *supportbee.ReportOptions) error{
		"Reports.AvgFirstResponseTime": func(ctx context.Context, c *supportbee.Client, opts *supportbee.ReportOptions) error {
			return errorOf(c.Reports.AvgFirstResponseTime(ctx, opts))
		},
		"Reports.TicketsCount": func(ctx context.Context, c *supportbee.Client, opts *supportbee.ReportOptions) error {
			return errorOf(c.Reports.TicketsCount(ctx, opts))
		},
		"Reports.RepliesCount": func(ctx context.Context, c *supportbee.Client, opts *supportbee.ReportOptions) error {
			return errorOf(c.Reports.RepliesCount(ctx, opts))
		},
	} {
		checkRejected(t, supportbee.ArgumentError{Op: op, Field: "UserID", Reason: "must not be negative, got -1"}, func(ctx context.Context, c *supportbee.Client) error {
			return call(ctx, c, &supportbee.ReportOptions{UserID: -1})
		})
		checkRejected(t, supportbee.ArgumentError{Op: op, Field: "TeamID", Reason: "must not be negative, got -2"}, func(ctx context.Context, c *supportbee.Client) error {
			return call(ctx, c, &supportbee.ReportOptions{TeamID: -2})
		})
	}
}
