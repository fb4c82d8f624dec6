package supportbeetest

// Route is an entry of the desk's list of operations.
type Route struct{ Method, Path, Op string }

// Routes returns the desk's list of operations.
func Routes() []Route {
	var list []Route
	for _, op := range operations {
		list = append(list, Route{op.method, op.route, op.op})
	}
	return list
}

// ControlRoutes returns the desk's list of operations of the control API, each as in "GET /path".
func ControlRoutes() []string {
	var list []string
	for _, route := range controlRoutes {
		list = append(list, route.method+" "+route.path)
	}
	return list
}
