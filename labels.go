package supportbee

import (
	"context"
	"net/http"
)

// Label is a mark on tickets. The company's admins define which exist; it has no ID.
type Label struct {
	Name  string `json:"name"`
	Color string `json:"color"` // such as "#FF0000"
}

// LabelID identifies a label.
type LabelID int64

// LabelingID identifies the presence of a label on a ticket.
type LabelingID int64

// Labeling is a label put on a ticket.
type Labeling struct {
	ID     LabelingID `json:"id"`
	Label  string     `json:"label"` // the label's name
	Ticket TicketID   `json:"ticket"`
}

// LabelsService lists labels and puts them on tickets.
type LabelsService struct{ service }

// List returns the company's labels.
//
// API: GET /labels
func (s *LabelsService) List(ctx context.Context) ([]*Label, error) {
	return do[[]*Label](ctx, s.client, call{op: "Labels.List", route: "/labels", key: "labels"})
}

// Add puts a label on the ticket. A label that the company does not have is [ErrNotFound].
//
// Names with spaces are known to work; whether "/" or other than ASCII letters do is not.
//
// API: POST /tickets/{id}/labels/{name}
func (s *LabelsService) Add(ctx context.Context, ticket TicketID, name string) (*Labeling, error) {
	return do[*Labeling](ctx, s.client, call{
		op: "Labels.Add", method: http.MethodPost, route: "/tickets/{id}/labels/{name}",
		args: []segment{ticket, nameSegment(name)}, key: "label", repeatable: true,
	})
}

// Remove takes a label off the ticket. One that the ticket does not carry is [ErrNotFound].
//
// API: DELETE /tickets/{id}/labels/{name}
func (s *LabelsService) Remove(ctx context.Context, ticket TicketID, name string) error {
	return exec(ctx, s.client, call{
		op: "Labels.Remove", method: http.MethodDelete, route: "/tickets/{id}/labels/{name}",
		args: []segment{ticket, nameSegment(name)},
	})
}
