module github.com/supportbee-go/supportbee/supportbeecheck

go 1.26.0

replace github.com/supportbee-go/supportbee => ../

require (
	github.com/stretchr/testify v1.12.1
	github.com/supportbee-go/supportbee v0.0.0
	go.yaml.in/yaml/v3 v3.0.5
)

require (
	github.com/go-json-experiment/json v1.27.2 // indirect
	github.com/go-resty/resty/v2 v2.17.2 // indirect
	golang.org/x/net v0.43.0 // indirect
)
