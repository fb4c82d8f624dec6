package supportbeeservice

// Responds is the health check by default, MonitorHandler the handler of Monitor.
var (
	Responds       = (*Service).responds
	MonitorHandler = (*Service).monitor
)
