package supportbee_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC)
}

var photo = supportbee.Attachment{ID: 31, URL: supportbee.AttachmentURL{Original: "https://acme.supportbee.com/attachments/31/original"}}
var theTicket supportbee.Ticket

func assertSame(t *testing.T, a, b any) { assert.NotNil(t, b) }
