package supportbeetest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// The desk's own speed: the time from the request to the response, without sockets.

func BenchmarkDeskListPage(b *testing.B) {
	desk := supportbeetest.New(b)
	desk.AddTickets(100_000)
	b.Run("first", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100") })
	b.Run("deep", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100&page=500") })
	b.Run("selected", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100&label=bug&assigned_user=any&replies=true") })
}

func BenchmarkDeskGetTicket(b *testing.B) {
	desk := supportbeetest.New(b)
	path := fmt.Sprintf("/tickets/%d", desk.Tickets()[0].ID)
	b.Run("handler", func(b *testing.B) { serve(b, desk, path) })
	b.Run("http", func(b *testing.B) {
		client := desk.Client()
		id := desk.Tickets()[0].ID
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := client.Tickets.Get(b.Context(), id); err != nil {
					b.Error(err)
					return
				}
			}
		})
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	})
}

func BenchmarkAddTickets100000(b *testing.B) {
	for b.Loop() {
		desk, err := supportbeetest.Start(supportbeetest.InMemory())
		if err != nil {
			b.Fatal(err)
		}
		desk.AddTickets(100_000)
		desk.Close()
	}
}

func serve(b *testing.B, desk *supportbeetest.Desk, path string) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Authorization", "Bearer "+desk.Token)
		w := httptest.NewRecorder()
		desk.ServeHTTP(w, req)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}
