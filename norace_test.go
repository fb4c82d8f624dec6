//go:build !race

package supportbee_test

const raceEnabled = false
