//go:build !linux

package storetest

import "errors"

// FailSync is only possible on Linux.
func FailSync() error { return errors.ErrUnsupported }
