package notice

import "gatehouse/internal/store"

// For the tests outside, which run a whole server.
var (
	Family    = family
	NetworkOf = networkOf
	Describe  = describe
)

// MaxDevices is what is kept of one user.
const MaxDevices = maxDevices

// Devices are the MACs of a user's devices.
func Devices(tx *store.Tx, envID, userID string) (macs [][]byte, err error) {
	list, err := devicesOf(tx, envID, userID)
	for _, d := range list {
		macs = append(macs, d.mac)
	}
	return macs, err
}
