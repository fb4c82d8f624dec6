package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// twice is a run in which the SDK takes the given share of the yardstick's time and memory.
func twice(share float64) *results {
	r := &results{
		names: []string{yardstick, subject}, samples: map[string]map[string][]bench.Sample{}, known: map[string]bool{subject: true},
		uploads: map[string]float64{yardstick: 150, subject: 2 * share}, costs: []cost{{name: subject, modules: 4, size: 8.5}},
		growth: growth{[]point{{1, 9}, {100, 7}}, []point{{10, 1}, {100, 1}}, []point{{1, 10}, {512, 20}}, []point{{1, 11}, {512, 21}}, []point{{1, 9}, {512, 19}}, []point{{1, 8}, {512, 18}}, []point{{1, 90}, {512, 190}}, []point{{1, 1}, {512, 512}}},
	}
	for _, work := range bench.Works {
		r.samples[work.Name] = map[string][]bench.Sample{}
		for round := range 8 {
			pace := float64(1 + round%3) // the machine's, which changes from round to round
			r.samples[work.Name][yardstick] = append(r.samples[work.Name][yardstick], bench.Sample{Nanoseconds: 1000 * pace, Bytes: 2000, Allocs: 10})
			r.samples[work.Name][subject] = append(r.samples[work.Name][subject], bench.Sample{Nanoseconds: 1000 * pace * share, Bytes: 2000 * share, Allocs: 5})
		}
	}
	return r
}

func missed(r *results) (names []string) {
	for _, t := range targets {
		if !t.met(t.value(r)) {
			names = append(names, t.what)
		}
	}
	return names
}

func TestTargets(t *testing.T) {
	t.Parallel()
	assert.Empty(t, missed(twice(0.4)))
	assert.Equal(t, []string{"List of 100 tickets, time"}, missed(twice(0.43)))
	assert.Len(t, missed(twice(1.1)), len(targets))
}

func TestRatiosAreOfOneMoment(t *testing.T) {
	t.Parallel()
	r := twice(0.5)
	assert.InDelta(t, 0.5, r.ratio("get", subject, nanoseconds), 1e-9)
	value, spread := r.median("get", subject, nanoseconds)
	assert.InDelta(t, 1000, value, 1e-9)
	assert.InDelta(t, 0.5, spread, 1e-9, "from 500 to 1500")
	assert.InDelta(t, 2.5, median([]float64{4, 1, 3, 2}), 1e-9)
	assert.InDelta(t, 2, median([]float64{3, 1, 2}), 1e-9)
}

func TestTheReportSaysWhatWasFound(t *testing.T) {
	t.Parallel()
	text := twice(0.43).markdown(8)
	for _, part := range []string{
		"| List of 100 tickets, time | ≤ 0.42 | 0.43 | **missed** |", "| One ticket, time | ≤ 0.85 | 0.43 | met |", "| 64 goroutines, calls a second | ≥ 1.6 | 2.33 | met |",
		"| supportbee | 4 | 8.5 MiB |", "| connections opened | 1 | 512 |", "8 rounds",
	} {
		assert.Contains(t, text, part)
	}
	for _, svg := range []string{barChart("a < b", twice(3)), twice(1).growth.charts()} {
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
		}
	}
}
