package supportbee

import (
	"context"
	"net/url"
	"time"
)

// DataPoint is one value of a report.
type DataPoint struct {
	Value float64   `json:"value"`
	Time  time.Time `json:"timestamp"` // to the second, in UTC
}

// ReportOptions narrows a report; the zero value is about everything.
type ReportOptions struct {
	UserID UserID
	TeamID TeamID
	Label  string
	Since  time.Time
}

// ReportsService reads the help desk's figures. All need an admin's token.
type ReportsService struct{ service }

// AvgFirstResponseTime returns how long customers waited for the first reply. The vendor does
// not document the unit.
//
// API: GET /reports/avg_first_response_time
func (s *ReportsService) AvgFirstResponseTime(ctx context.Context, opts ReportOptions) ([]DataPoint, error) {
	return s.report(ctx, "Reports.AvgFirstResponseTime", "/reports/avg_first_response_time", opts)
}

// TicketsCount returns how many tickets came in.
//
// API: GET /reports/tickets_count
func (s *ReportsService) TicketsCount(ctx context.Context, opts ReportOptions) ([]DataPoint, error) {
	return s.report(ctx, "Reports.TicketsCount", "/reports/tickets_count", opts)
}

// RepliesCount returns how many replies were sent.
//
// API: GET /reports/replies_count
func (s *ReportsService) RepliesCount(ctx context.Context, opts ReportOptions) ([]DataPoint, error) {
	return s.report(ctx, "Reports.RepliesCount", "/reports/replies_count", opts)
}

func (s *ReportsService) report(ctx context.Context, op, route string, opts ReportOptions) ([]DataPoint, error) {
	query := url.Values{}
	var reason error
	if opts.UserID < 0 || opts.TeamID < 0 {
		reason = invalid("UserID and TeamID", "must not be negative")
	}
	setIf(query, "user", decimalOrNone(opts.UserID))
	setIf(query, "team", decimalOrNone(opts.TeamID))
	setIf(query, "label", opts.Label)
	setTime(query, "since", opts.Since)
	return do[[]DataPoint](ctx, s.client, call{op: op, route: route, invalid: reason, query: query, key: "data_points"})
}
