module github.com/supportbee-go/supportbee/examples

go 1.26.0

require (
	github.com/stretchr/testify v1.12.1
	github.com/supportbee-go/supportbee v0.0.0
	go.yaml.in/yaml/v3 v3.0.5
	gopkg.in/dnaeon/go-vcr.v4 v4.0.7
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	go.yaml.in/yaml/v4 v4.0.0-rc.6 // indirect
	golang.org/x/net v0.43.0 // indirect
)

replace github.com/supportbee-go/supportbee => ../
