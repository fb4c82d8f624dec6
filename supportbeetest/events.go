package supportbeetest

import (
	"encoding/json"
	"maps"
)

// emit tells the webhooks of an event. It is the one place that every event goes through.
func (s *Desk) emit(c *call, event string, t *ticket, parts object) {
	if !s.webhooks.enabled() {
		return
	}
	body := c.encoder.ticket(t)
	body.URL = s.URL + "/tickets/" + itoa(t.ID)
	payload := object{
		"action_type": event,
		"company":     object{"subdomain": Company, "name": "Acme"},
		"ticket":      body,
	}
	maps.Copy(payload, parts)
	if c.user != nil {
		payload["agent"] = c.person(c.user.ID)
	}
	encoded, _ := json.Marshal(object{"payload": payload}) // of plain values, which cannot fail
	s.webhooks.enqueue(event, encoded)
}
