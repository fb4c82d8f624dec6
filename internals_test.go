package supportbee

// RecordedKeys is the store of a WebhookHandler without one.
type RecordedKeys = recordedKeys

// MaxRecordedKeys limits it.
const MaxRecordedKeys = maxRecordedKeys

// EncodeBody writes the body of a request.
var EncodeBody = encodeBody
