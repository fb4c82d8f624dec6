package supportbeetest

import "time"

// instant is a time in seconds since the zero time, which takes a third of the memory of a
// [time.Time].
type instant int64

func instantOf(t time.Time) instant { return instant(t.Unix() - time.Time{}.Unix()) }

func (i instant) time() time.Time {
	return time.Unix(int64(i)+time.Time{}.Unix(), 0).UTC()
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
	_, err := i.MarshalJSON() // or a time that is beyond the year 9999 in UTC could not be written again
	return err
}
