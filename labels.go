package supportbee

import (
	"context"
	"encoding/json"
	"net/http"
)

// LabelID identifies a label.
type LabelID int64

// Label is a label of the help desk. Operations refer to it by name.
type Label struct {
	ID    LabelID                    `json:"id,omitzero"` // 0 on tickets
	Name  string                     `json:"name"`
	Color string                     `json:"color"` // such as "#FF0000"
	Extra map[string]json.RawMessage `json:"-"`     // see Ticket.Extra
}

func (l *Label) usable() bool { return l.Name != "" }

func (l *Label) readText(text string) { l.Name = text }

func (l *Label) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &l.ID)
	case "name":
		return readString(r, &l.Name)
	case "color":
		return readString(r, &l.Color)
	}
	return r.extra(&l.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (l Label) MarshalJSON() ([]byte, error) { return marshalObject(l, l.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (l *Label) UnmarshalJSON(data []byte) error { return unmarshalObject(data, l) }

// LabelingID identifies a labeling.
type LabelingID int64

// Labeling is a label on a ticket.
type Labeling struct {
	ID       LabelingID                 `json:"id"`
	Label    string                     `json:"label"` // the label's name
	TicketID TicketID                   `json:"ticket"`
	Extra    map[string]json.RawMessage `json:"-"` // see Ticket.Extra
}

func (l *Labeling) usable() bool { return l.ID > 0 || l.Label != "" }

func (l *Labeling) readMember(r *reader, name []byte) error {
	switch string(name) {
	case "id":
		return readInt(r, &l.ID)
	case "label":
		return readString(r, &l.Label)
	case "ticket":
		return readTicketID(r, &l.TicketID)
	}
	return r.extra(&l.Extra, name)
}

// MarshalJSON implements [json.Marshaler]. See [Content.MarshalJSON].
func (l Labeling) MarshalJSON() ([]byte, error) { return marshalObject(l, l.Extra) }

// UnmarshalJSON implements [json.Unmarshaler]. It is as tolerant as the client.
func (l *Labeling) UnmarshalJSON(data []byte) error { return unmarshalObject(data, l) }

// LabelsService lists labels and puts them on tickets.
type LabelsService struct{ service }

// List returns all labels.
//
// API: GET /labels
func (s *LabelsService) List(ctx context.Context) ([]*Label, error) {
	return doList[Label](ctx, s.client, operation{name: "Labels.List", route: "/labels", key: "labels"})
}

// Add adds a label to a ticket. It returns [ErrNotFound] if the help desk has no such label.
//
// Names with spaces are known to work. It is not known whether names with "/" do, or with
// characters other than ASCII.
//
// API: POST /tickets/{id}/labels/{name}
func (s *LabelsService) Add(ctx context.Context, ticket TicketID, name string) (*Labeling, error) {
	return do[Labeling](ctx, s.client, operation{
		name: "Labels.Add", method: http.MethodPost, route: "/tickets/{id}/labels/{name}",
		args: []segment{ticket, nameSegment(name)}, key: "label", repeatable: true,
	})
}

// Remove removes a label from a ticket. It returns [ErrNotFound] if the ticket does not have the
// label.
//
// API: DELETE /tickets/{id}/labels/{name}
func (s *LabelsService) Remove(ctx context.Context, ticket TicketID, name string) error {
	return exec(ctx, s.client, operation{
		name: "Labels.Remove", method: http.MethodDelete, route: "/tickets/{id}/labels/{name}",
		args:   []segment{ticket, nameSegment(name)},
		isGone: func(ctx context.Context) bool { return s.client.Tickets.exists(ctx, ticket) },
	})
}
