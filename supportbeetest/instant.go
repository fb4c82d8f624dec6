package supportbeetest

import "time"

// instant is a time in seconds since 1970, which takes a third of the memory of a [time.Time]. It is 0
// for the zero time.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.Unix())
}

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.Unix(int64(i), 0).UTC()
}

// MarshalJSON implements [encoding/json.Marshaler].
func (i instant) MarshalJSON() ([]byte, error) { return i.time().MarshalJSON() }

// UnmarshalJSON implements [encoding/json.Unmarshaler].
func (i *instant) UnmarshalJSON(data []byte) error {
	var t time.Time
	if err := t.UnmarshalJSON(data); err != nil {
		return err
	}
	*i = instantOf(t)
	return nil
}
