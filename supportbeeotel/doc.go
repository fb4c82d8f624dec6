// Package supportbeeotel traces and measures the operations of package
// [github.com/supportbee-go/supportbee] with OpenTelemetry.
//
//	client, err := supportbee.New("acme", os.Getenv("SUPPORTBEE_TOKEN"))
//	if err != nil {
//		return err
//	}
//	client = supportbeeotel.Instrument(client)
//
// # Spans
//
// Each operation is a client span that is named after it, such as "Tickets.Get". An iterator has one
// span for each page. The attributes follow the semantic conventions for HTTP, version 1.43.0:
//
//   - http.request.method, url.template, server.address and server.port
//   - http.response.status_code of the last response
//   - http.response.header.x-request-id, which identifies the request to SupportBee
//   - http.request.resend_count, the number of requests after the first, if there were any
//   - error.type, if the operation failed
//
// Each attempt is an event named "http.attempt" with http.request.resend_count,
// http.response.status_code, error.type and, in seconds, supportbee.attempt.duration and
// supportbee.attempt.wait: the time spent on backoff, rate-limit pauses and the limiter before it.
//
// # Metrics
//
//   - http.client.request.duration is the duration of attempts. Their number is its count.
//   - supportbee.client.operation.duration is the duration of operations, waits included.
//   - supportbee.client.operation.attempts is the number of attempts of operations.
//   - supportbee.client.operation.active is the number of operations in progress.
//   - supportbee.client.wait.duration is the duration of waits before attempts.
//
// The first has the attributes of spans; the others have supportbee.operation, the operation's name,
// and those of operations that ended have error.type.
//
// # Errors
//
// The value of error.type is outcome_unknown, response_too_large, malformed_response, rate_limited,
// canceled or timeout, as the errors of package supportbee, or the status, such as 404, or else the
// Go type of the underlying error, such as *net.OpError. The value rate_limited means that no
// request was sent, because the pause was longer than the call may wait.
//
// # Privacy
//
// No path, query, header, body, message or token is exported, except for the X-Request-Id of
// responses. A transport that makes spans of its own, such as that of otelhttp, does export URLs,
// and the query of a list can hold the addresses of requesters.
//
// No trace context is sent to SupportBee.
package supportbeeotel
