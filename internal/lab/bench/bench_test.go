package bench_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// A contestant that did less than the others would win.
func TestContestantsDoTheSameWork(t *testing.T) {
	t.Parallel()
	server := bench.NewServer()
	defer server.Close()
	for _, path := range []string{"", bench.Slow, bench.Zipped} {
		for _, c := range bench.Contestants(server.URL+path, nil) {
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

func TestTheServerIsSlowAndCompressesWhereAsked(t *testing.T) {
	t.Parallel()
	server := bench.NewServer()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for _, tt := range []struct {
		path, encoding string
		atLeast        time.Duration
	}{
		{path: "/tickets"},
		{path: bench.Slow + "/tickets", atLeast: 5 * time.Millisecond},
		{path: bench.Zipped + "/tickets", encoding: "gzip"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+tt.path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", "gzip")
		start := time.Now()
		res, err := client.Do(req)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), tt.atLeast, tt.path)
		assert.Equal(t, tt.encoding, res.Header.Get("Content-Encoding"), tt.path)
		require.NoError(t, res.Body.Close())
	}
}

func Benchmark(b *testing.B) {
	server := bench.NewServer()
	defer server.Close()
	for _, work := range bench.Works {
		for _, c := range work.Contestants(server.URL) {
			b.Run(work.Name+"/"+c.Name, func(b *testing.B) {
				once := work.Of(c)
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
