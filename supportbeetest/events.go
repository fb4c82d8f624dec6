package supportbeetest

import (
	"encoding/json"
	"maps"
)

// emit tells the webhooks of an event. It is the one place that every event goes through.
// The parts are encoded by [encoder.webhook].
func (s *Desk) emit(c *call, event string, t *ticket, parts object) {
	if !s.webhooks.enabled() {
		return
	}
	e := c.encoder.webhook()
	body := e.ticket(t)
	body.URL = s.URL + "/tickets/" + itoa(t.ID)
	payload := object{
		"action_type": event,
		"company":     object{"subdomain": Company, "name": "Acme"},
		"ticket":      body,
	}
	maps.Copy(payload, parts)
	if c.user != nil {
		payload["agent"] = e.person(c.user.ID)
	}
	encoded, _ := json.Marshal(object{"payload": payload}) // of plain values, which cannot fail
	s.webhooks.enqueue(event, encoded)
}
