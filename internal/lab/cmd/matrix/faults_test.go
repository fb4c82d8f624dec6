package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee/supportbeetest"
)

// fault is a fault of the desk, with durations that the seed decides.
type fault struct {
	name  string
	build func(*rand.Rand) supportbeetest.Fault

	// definite is set if the response says that the request was not carried out.
	definite bool

	// untrue has the classes whose calls cannot tell that the response is untrue.
	untrue map[class]bool
}

// elsewhere is an origin other than the desk's.
const elsewhere = "http://elsewhere.localhost"

// faults returns every fault, each in place of the handling and after it.
func faults() []fault {
	var list []fault
	add := func(name string, definite bool, build func(*rand.Rand) supportbeetest.Fault) {
		list = append(list, fault{name: name, build: build, definite: definite})
		after := fault{name: name + ", handled", definite: definite, build: func(random *rand.Rand) supportbeetest.Fault {
			return supportbeetest.AfterHandling(build(random))
		}}
		if definite {
			after.untrue = map[class]bool{create: true, upload: true}
		}
		list = append(list, after)
	}
	fixed := func(f supportbeetest.Fault) func(*rand.Rand) supportbeetest.Fault {
		return func(*rand.Rand) supportbeetest.Fault { return f }
	}
	seconds := func(random *rand.Rand, most int) time.Duration {
		return time.Duration(1+random.IntN(most*10)) * time.Second / 10
	}

	for _, status := range []int{202, 206, 304, 400, 401, 403, 404, 408, 409, 422, 425, 500, 501, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530} {
		definite := status/100 == 4 && status != http.StatusRequestTimeout || status == http.StatusNotModified
		add(fmt.Sprintf("status %d", status), definite, fixed(supportbeetest.Status(status)))
	}
	add("429", true, fixed(supportbeetest.RateLimited("")))
	add("429, in seconds", true, func(random *rand.Rand) supportbeetest.Fault {
		return supportbeetest.RateLimited(strconv.Itoa(random.IntN(20)))
	})
	add("429, tomorrow", true, fixed(supportbeetest.RateLimited("80000")))
	add("429, not a time", true, fixed(supportbeetest.RateLimited("soon")))
	for _, status := range []int{200, 404, 502, 503} {
		add(fmt.Sprintf("page %d", status), status == 404, fixed(supportbeetest.HTMLPage(status)))
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		add(fmt.Sprintf("redirect %d", status), false, fixed(supportbeetest.Redirect(status, "")))
		add(fmt.Sprintf("redirect %d elsewhere", status), false, fixed(supportbeetest.Redirect(status, elsewhere+"/tickets/1")))
	}
	add("drop", false, fixed(supportbeetest.Drop()))
	add("drop body", false, fixed(supportbeetest.DropBody()))
	add("delay", false, func(random *rand.Rand) supportbeetest.Fault { return supportbeetest.Delay(seconds(random, 60)) })
	add("hang", false, fixed(supportbeetest.Delay(time.Hour)))
	add("slow body", false, func(random *rand.Rand) supportbeetest.Fault { return supportbeetest.SlowBody(seconds(random, 8)) })
	for _, f := range []supportbeetest.Fault{supportbeetest.Truncate(), supportbeetest.Corrupt()} {
		add(f.Name, false, fixed(f))
		for i := range 2 { // a file has no checksum
			list[len(list)-1-i].untrue = map[class]bool{download: true}
		}
	}
	add("endless body", false, fixed(supportbeetest.Pad(-1)))
	return list
}

// mixed returns a fault that is another one for each request, or none. A definite response is not
// among them: after a lost one, it can be untrue.
func mixed(class class) fault {
	var list []fault
	for _, f := range faults() {
		if !f.definite && !f.untrue[class] {
			list = append(list, f)
		}
	}
	return fault{name: "mixed", build: func(random *rand.Rand) supportbeetest.Fault {
		var mu sync.Mutex
		return supportbeetest.Fault{Name: "mixed", Wrap: func(next http.Handler) http.Handler {
			mu.Lock()
			defer mu.Unlock()
			switch random.IntN(8) {
			case 0:
				return next
			case 1:
				return supportbeetest.RateLimited("").Wrap(next)
			}
			return list[random.IntN(len(list))].build(random).Wrap(next)
		}}
	}}
}
