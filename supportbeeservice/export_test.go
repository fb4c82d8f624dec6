package supportbeeservice

// Responds is the health check by default.
var Responds = (*Service).responds
