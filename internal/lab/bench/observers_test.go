package bench_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/lab/bench"
)

// BenchmarkObservers measures what it costs to observe Tickets.Get, without a network.
func BenchmarkObservers(b *testing.B) {
	clients, err := bench.ObservedClients()
	require.NoError(b, err)
	for _, c := range clients {
		b.Run(c.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Client.Tickets.Get(b.Context(), 7); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
