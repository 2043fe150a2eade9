package cli

import (
	"errors"
	"os"
	"syscall"
)

// sharingViolation is the error code for a file that another process keeps to
// itself (ERROR_SHARING_VIOLATION).
const sharingViolation = syscall.Errno(32)

// lockFile opens a file so that nobody else can for as long as it is open.
func lockFile(name string) (*os.File, error) {
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	handle, err := syscall.CreateFile(path, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(handle), name), nil
}
