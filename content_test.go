package supportbee_test

import (
	"reflect"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// Plain text is written without the JSON library: as that would write it, whatever else is set.
func TestPlainTextBody(t *testing.T) {
	t.Parallel()
	check := func(key string, params any) {
		t.Helper()
		want, wantErr := jsonv2.Marshal(params)
		got, err := supportbee.EncodeBody(key, params)
		if wantErr != nil {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, `{"`+key+`":`+string(want)+`}`, string(got))
	}
	for _, text := range []string{"Hello", "", " ", "a\"b\\c\n\t\x00\u2028</p>é😀", "\xff", strings.Repeat("long ", 1000)} {
		check("reply", &supportbee.ReplyParams{Content: supportbee.Text(text)})
		check("comment", &supportbee.CommentParams{Content: supportbee.Text(text)})
	}
	// Each field besides the text, so that none is forgotten when there are more.
	var fill func(v reflect.Value, check func())
	fill = func(v reflect.Value, check func()) {
		for _, field := range v.Fields() {
			switch field.Kind() {
			case reflect.Struct:
				fill(field, check)
			case reflect.Slice:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
				check()
				field.SetZero()
			case reflect.String:
				old := field.String()
				field.SetString("other")
				check()
				field.SetString(old)
			default:
				field.SetInt(7)
				check()
				field.SetZero()
			}
		}
	}
	reply, comment := &supportbee.ReplyParams{Content: supportbee.Text("Hello")}, &supportbee.CommentParams{Content: supportbee.Text("Hello")}
	fill(reflect.ValueOf(reply).Elem(), func() { check("reply", reply) })
	fill(reflect.ValueOf(comment).Elem(), func() { check("comment", comment) })
}
