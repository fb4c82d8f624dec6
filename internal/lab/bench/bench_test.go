package bench_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// A contestant that did less than the others would win.
func TestContestantsDoTheSameWork(t *testing.T) {
	t.Parallel()
	server := bench.NewServer()
	defer server.Close()
	for _, zipped := range []bool{false, true} {
		server.Gzip.Store(zipped)
		for _, c := range bench.Contestants(server.URL, nil) {
			require.NoError(t, c.Get(t.Context()), c.Name)
			tickets, pages, err := c.List(t.Context(), 3)
			require.NoError(t, err, c.Name)
			assert.Equal(t, 100, tickets, c.Name)
			assert.Equal(t, bench.Pages, pages, c.Name)
			require.NoError(t, c.Reply(t.Context()), c.Name)
			require.NoError(t, c.Upload(t.Context(), bench.File(1<<20)), c.Name)
			assert.Greater(t, server.Uploaded.Load(), int64(1<<20), c.Name)
			walked := 0
			require.NoError(t, c.Walk(t.Context(), func() { walked++ }), c.Name)
			assert.Equal(t, 100*bench.Pages, walked, c.Name)
		}
	}
	for _, c := range bench.Contestants("http://127.0.0.1:1", bench.Canned{}) {
		require.NoError(t, c.Get(t.Context()), c.Name)
		_, _, err := c.List(t.Context(), 1)
		require.NoError(t, err, c.Name)
		require.NoError(t, c.Reply(t.Context()), c.Name)
	}
}

func Benchmark(b *testing.B) {
	server := bench.NewServer()
	defer server.Close()
	for _, work := range bench.Works {
		for _, c := range bench.Contestants(server.URL, nil) {
			b.Run(work.Name+"/"+c.Name, func(b *testing.B) {
				canned := c
				if work.Canned {
					for _, other := range bench.Contestants(server.URL, bench.Canned{}) {
						if other.Name == c.Name {
							canned = other
						}
					}
				}
				once := work.Start(server, canned)
				b.ReportAllocs()
				for b.Loop() {
					if err := once(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				if work.Name == "upload" {
					peak, err := bench.PeakHeap(func() error { return once(b.Context()) })
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(peak)/(1<<20), "MiB-peak-heap")
				}
			})
		}
	}
}
