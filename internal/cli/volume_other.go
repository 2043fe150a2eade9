//go:build !linux

package cli

import (
	"errors"
	"os"
)

// volumeOf knows nothing of disks on this system.
func volumeOf(folder string) (volume, error) {
	if _, err := os.Stat(folder); err != nil {
		return volume{}, err
	}
	return volume{}, errors.ErrUnsupported
}
