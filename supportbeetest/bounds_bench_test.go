package supportbeetest_test

import (
	"runtime"
	"testing"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// BenchmarkDesk100000 measures what once took time in proportion to the tickets of the desk.
func BenchmarkDesk100000(b *testing.B) {
	desk := supportbeetest.New(b)
	desk.AddTickets(100_000)
	recorded := supportbeetest.New(b, supportbeetest.WithDialect(supportbeetest.DialectRecorded))
	recorded.AddTickets(100_000)
	b.Run("search rare", func(b *testing.B) { serve(b, desk, "/tickets/search?query=%2877777%29") })
	b.Run("search common", func(b *testing.B) { serve(b, desk, "/tickets/search?query=kettle") })
	b.Run("search nothing", func(b *testing.B) { serve(b, desk, "/tickets/search?query=no+such+words") })
	b.Run("users", func(b *testing.B) { serve(b, recorded, "/users") })
	b.Run("customers", func(b *testing.B) { serve(b, recorded, "/users?with_roles=customer") })
	b.Run("user", func(b *testing.B) { serve(b, desk, "/users/1007") })
	b.Run("report tickets", func(b *testing.B) { serve(b, desk, "/reports/tickets_count") })
	b.Run("report replies", func(b *testing.B) { serve(b, desk, "/reports/replies_count") })
	b.Run("report response", func(b *testing.B) { serve(b, desk, "/reports/avg_first_response_time") })
	b.Run("report label", func(b *testing.B) { serve(b, desk, "/reports/tickets_count?label=bug") })
	b.Run("list", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100&page=500") })
	b.Run("list selected", func(b *testing.B) { serve(b, desk, "/tickets?per_page=100&label=bug&assigned_user=any&replies=true") })
	b.Run("list until", func(b *testing.B) {
		serve(b, desk, "/tickets?per_page=100&sort_by=creation_time&archived=any&spam=true&trash=true&until=2026-03-10")
	})
	b.Run("Users", func(b *testing.B) {
		for b.Loop() {
			desk.Users()
		}
	})
}

// BenchmarkMemoryPerTicket reports the memory that a ticket takes.
func BenchmarkMemoryPerTicket(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		desk := supportbeetest.New(b, supportbeetest.InMemory())
		desk.AddTickets(n)
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/ticket")
		runtime.KeepAlive(desk)
		desk.Close()
	}
}
