//go:build !race

package authtest

const raceDetector = false
