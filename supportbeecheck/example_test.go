package supportbeecheck_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/supportbee-go/supportbee/supportbeecheck"
	"github.com/supportbee-go/supportbee/supportbeetest"
)

func Example() {
	desk, err := supportbeetest.Start()
	if err != nil {
		panic(err)
	}
	defer desk.Close()
	desk.Inject(supportbeetest.Match{Op: "Labels.List"}, supportbeetest.Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"labels":[{"id":"7","name":"bug","owner":"Ann"}]}`)
	})))

	checker := supportbeecheck.New(nil)
	client := desk.Client(checker.Options()...) // or supportbee.New("acme", token, checker.Options()...)
	labels, err := client.Labels.List(context.Background())
	fmt.Println(len(labels), err)
	for _, difference := range checker.Differences() {
		fmt.Println(difference)
	}
	// Output:
	// 1 <nil>
	// Labels.List /labels/*/id: string in place of number
	// Labels.List /labels/*/owner: unknown member, string
}
