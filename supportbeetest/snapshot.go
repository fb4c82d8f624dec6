package supportbeetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Save writes the state, tokens and files included, as JSON. Faults, webhooks, the clock and the
// history are not part of it.
func (s *Desk) Save(w io.Writer) error {
	s.mu.RLock()
	encoded, err := json.Marshal(s.state)
	s.mu.RUnlock()
	if err == nil {
		_, err = w.Write(append(encoded, '\n'))
	}
	if err != nil {
		return fmt.Errorf("supportbeetest: Save: %w", err)
	}
	return nil
}

// Load replaces the state with one that [Desk.Save] wrote. The desk's token stays valid. If Load
// fails, the state does not change.
func (s *Desk) Load(r io.Reader) error {
	data, err := io.ReadAll(r)
	var read *desk
	if err == nil {
		read, err = decodeState(data)
	}
	if err != nil {
		return fmt.Errorf("supportbeetest: Load: %w", err)
	}
	read.Token = s.Token
	if read.Tokens[s.Token] == 0 {
		read.own(s.Token, read.admin().ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = read
	return nil
}

// decodeState reads a state that [Desk.Save] has written.
func decodeState(data []byte) (*desk, error) {
	if string(bytes.TrimSpace(data)) == "null" { // which would be read as an empty state
		return nil, errors.New("null is no state of a desk")
	}
	read := newDesk()
	if err := decodeExactly(data, read); err != nil {
		return nil, err
	}
	if err := read.check(); err != nil {
		return nil, err
	}
	read.reindex()
	read.NextID = max(read.NextID, read.highestID())
	return read, nil
}

// check returns an error if the state lacks parts, or refers to something that it does not have.
func (d *desk) check() error {
	if d.Users == nil || d.Tickets == nil || d.Attachments == nil || d.Rules == nil || d.Consequences == nil || d.Tokens == nil {
		return errors.New("a part of the desk is null")
	}
	if slices.Contains(d.Teams, nil) || slices.Contains(d.Snippets, nil) || slices.Contains(d.Addresses, nil) {
		return errors.New("a team, snippet or address is null")
	}
	for id, a := range d.Attachments {
		if a == nil || a.ID != id {
			return fmt.Errorf("attachment %d has another ID", id)
		}
	}
	for id, u := range d.Users {
		if u == nil || u.ID != id {
			return fmt.Errorf("user %d has another ID", id)
		}
		for _, member := range u.Members {
			if d.Users[member] == nil {
				return fmt.Errorf("customer group %d has an unknown member %d", id, member)
			}
		}
	}
	for _, s := range d.Snippets {
		if file, unknown := d.unknownFile(s.Content); unknown {
			return fmt.Errorf("snippet %d has an unknown attachment %d", s.ID, file)
		}
	}
	for id, t := range d.Tickets {
		if t == nil || t.ID != id {
			return fmt.Errorf("ticket %d has another ID", id)
		}
		if t.Source == nil {
			return fmt.Errorf("ticket %d has no source", id)
		}
		if d.Users[t.Requester] == nil {
			return fmt.Errorf("ticket %d has no requester", id)
		}
		contents := []content{t.Content}
		for _, p := range slices.Concat(t.Replies, t.Comments) {
			if p == nil || d.Users[p.Author] == nil {
				return fmt.Errorf("ticket %d has a message without an author", id)
			}
			contents = append(contents, p.Content)
		}
		if t.rare().Draft != nil {
			contents = append(contents, t.rare().Draft.Content)
		}
		for _, c := range contents {
			if file, unknown := d.unknownFile(c); unknown {
				return fmt.Errorf("ticket %d has an unknown attachment %d", id, file)
			}
		}
	}
	lowest := int64(1)
	d.eachID(func(id int64) { lowest = min(lowest, id) })
	if lowest < 1 {
		return fmt.Errorf("the ID %d is not positive", lowest)
	}
	if _, exists := d.Tokens[""]; exists {
		return errors.New("a token is empty")
	}
	if d.admin() == nil {
		return errors.New("there is no admin")
	}
	return nil
}

// unknownFile returns the first attachment of a content that the state does not have.
func (d *desk) unknownFile(c content) (id int64, unknown bool) {
	for _, id := range c.attachments() {
		if d.Attachments[id] == nil {
			return id, true
		}
	}
	return 0, false
}

// highestID returns the highest ID in use, so that new IDs are higher.
func (d *desk) highestID() int64 {
	var highest int64
	d.eachID(func(id int64) { highest = max(highest, id) })
	return highest
}

// eachID calls use with each ID that [desk.id] has returned.
func (d *desk) eachID(use func(int64)) {
	for id := range d.Users {
		use(id)
	}
	for id := range d.Attachments {
		use(id)
	}
	for id, t := range d.Tickets {
		use(id)
		for _, p := range slices.Concat(t.Replies, t.Comments) {
			use(p.ID)
		}
		if t.rare().Draft != nil {
			use(t.rare().Draft.ID)
		}
	}
	for _, t := range d.Teams {
		use(t.ID)
	}
	for _, s := range d.Snippets {
		use(s.ID)
	}
	for _, a := range d.Addresses {
		use(a.ID)
	}
}
