package supportbee_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/supportbee-go/supportbee"
)

func TestContentParams(t *testing.T) {
	t.Parallel()
	assert.Equal(t, supportbee.ContentParams{Text: "Hi"}, supportbee.Text("Hi"))
	assert.Equal(t, supportbee.ContentParams{HTML: "<p>Hi</p>"}, supportbee.HTML("<p>Hi</p>"))

	// Attach leaves the original alone, even if that has room for more.
	original := supportbee.ContentParams{Text: "Hi", AttachmentIDs: append(make([]supportbee.AttachmentID, 0, 8), 31)}
	first, second := original.Attach(32), original.Attach(33, 34)
	assert.Equal(t, supportbee.ContentParams{Text: "Hi", AttachmentIDs: []supportbee.AttachmentID{31, 32}}, first)
	assert.Equal(t, supportbee.ContentParams{Text: "Hi", AttachmentIDs: []supportbee.AttachmentID{31, 33, 34}}, second)
	assert.Equal(t, supportbee.ContentParams{Text: "Hi", AttachmentIDs: []supportbee.AttachmentID{31}}, original)
	assert.Equal(t, supportbee.Text("Hi"), supportbee.Text("Hi").Attach())
}

func TestContentParamsValidate(t *testing.T) {
	t.Parallel()
	empty := &supportbee.ArgumentError{Field: "Content", Reason: "must have Text, HTML or AttachmentIDs"}
	for _, tt := range []struct {
		name   string
		params supportbee.ContentParams
		want   error
	}{
		{name: "text", params: supportbee.Text("x")},
		{name: "HTML", params: supportbee.HTML("x")},
		{name: "attachments only", params: supportbee.ContentParams{}.Attach(31)},
		{name: "empty", want: empty},
		{name: "blank text", params: supportbee.Text(" \t\n\u00a0"), want: empty},
		{name: "blank HTML", params: supportbee.HTML(" "), want: empty},
		{
			name: "an attachment that cannot exist", params: supportbee.Text("x").Attach(31, -1),
			want: &supportbee.ArgumentError{Field: "Content.AttachmentIDs", Reason: "must be positive, got -1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, tt.params.Validate())
		})
	}
}
