package supportbee

import (
	"context"
	"encoding/json"
	"math"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// DataPoint is a value of a report.
type DataPoint struct {
	Time  time.Time                  `json:"timestamp,omitzero"` // UTC
	Value float64                    `json:"value"`
	Extra map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (p *DataPoint) usable() bool { return !p.Time.IsZero() || p.Value != 0 }

func (p *DataPoint) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "timestamp":
		return readUnixTime(r, &p.Time)
	case "value":
		return readFloat(r, &p.Value)
	}
	return r.extra(&p.Extra, name)
}

// readUnixTime reads a time in Unix seconds, as a number or a string.
func readUnixTime(r *reader, t *time.Time) error {
	*t = time.Time{}
	var seconds float64
	if err := readFloat(r, &seconds); err != nil || seconds == 0 {
		return err
	}
	if seconds != math.Trunc(seconds) || math.Abs(seconds) > maxUnixSeconds {
		return r.mismatch('0', "time")
	}
	*t = time.Unix(int64(seconds), 0).UTC()
	return nil
}

// MarshalJSON implements [json.Marshaler]. It writes the API's own form, in which both numbers are
// strings.
func (p DataPoint) MarshalJSON() ([]byte, error) {
	return marshalWith(p.Extra, func(enc *jsontext.Encoder, extra map[string]json.RawMessage) error {
		wire := struct {
			Timestamp string `json:"timestamp,omitzero"`
			Value     string `json:"value"`
		}{Value: strconv.FormatFloat(p.Value, 'f', -1, 64)}
		if !p.Time.IsZero() {
			wire.Timestamp = strconv.FormatInt(p.Time.Unix(), 10)
		}
		if p.Value == 0 && extra["value"] != nil {
			wire.Value = "" // as it came
		}
		return writeFields(enc, reflect.ValueOf(wire), extra)
	})
}

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (p *DataPoint) UnmarshalJSON(data []byte) error { return unmarshalObject(data, p) }

// ReportOptions restricts a report. The default is the whole help desk.
type ReportOptions struct {
	UserID UserID
	TeamID TeamID
	Label  string
	Since  time.Time
}

// ReportsService returns reports. They require an admin token.
type ReportsService struct{ service }

// AvgFirstResponseTime returns the average time to the first reply. The vendor does not document
// the unit; the values are returned as they come.
//
// API: GET /reports/avg_first_response_time
func (s *ReportsService) AvgFirstResponseTime(ctx context.Context, opts *ReportOptions) ([]*DataPoint, error) {
	return s.report(ctx, "Reports.AvgFirstResponseTime", "/reports/avg_first_response_time", valueOf(opts))
}

// TicketsCount returns the number of tickets received.
//
// API: GET /reports/tickets_count
func (s *ReportsService) TicketsCount(ctx context.Context, opts *ReportOptions) ([]*DataPoint, error) {
	return s.report(ctx, "Reports.TicketsCount", "/reports/tickets_count", valueOf(opts))
}

// RepliesCount returns the number of replies sent.
//
// API: GET /reports/replies_count
func (s *ReportsService) RepliesCount(ctx context.Context, opts *ReportOptions) ([]*DataPoint, error) {
	return s.report(ctx, "Reports.RepliesCount", "/reports/replies_count", valueOf(opts))
}

func (s *ReportsService) report(ctx context.Context, name, route string, opts ReportOptions) ([]*DataPoint, error) {
	query := url.Values{}
	setNumber(query, "user", opts.UserID)
	setNumber(query, "team", opts.TeamID)
	setString(query, "label", opts.Label)
	setSince(query, "since", opts.Since)
	return doList[DataPoint](ctx, s.client, operation{
		name: name, route: route, query: query, key: "data_points",
		invalid: firstError(notNegative("UserID", opts.UserID), notNegative("TeamID", opts.TeamID)),
	})
}
