package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// volume is what is known of the disk below a folder.
type volume struct {
	kind    string // of the file system: "ext4", "NFS"; "" when unknown
	network bool   // locks and shared memory do not hold there
	passing bool   // gone at the next start of the machine or container
	free    int64  // bytes this user may still write
}

// The room below which a database is in danger.
const (
	littleRoom = 1_000_000_000
	noRoom     = 50_000_000
)

// disk checks what lies below a SQLite file.
func (x *examination) disk(path string) {
	const check = "disk"
	folder := filepath.Dir(path)
	v, err := volumeOf(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.fail(check, "Create it.", "The folder %s of the database does not exist.", folder)
		return
	case errors.Is(err, errors.ErrUnsupported):
	case err != nil:
		x.warn(check, "", "The file system of %s could not be examined: %v", folder, err)
	case v.network:
		x.fail(check, "Move the file to a disk of this machine, or use PostgreSQL.", "%s is on a network file system (%s), where SQLite loses data.", folder, v.kind)
	case v.passing:
		x.warn(check, "Put the database on a volume of its own.", "%s is on %s, which is gone when the machine or container is.", folder, v.kind)
	case v.free < noRoom:
		x.fail(check, "Make room: writes are about to fail.", "%s is free in %s.", size(v.free), folder)
	case v.free < max(littleRoom, fileSize(path)):
		x.warn(check, "Make room: a backup needs as much as the database.", "%s is free in %s, the database has %s.", size(v.free), folder, size(fileSize(path)))
	default:
		x.ok(check, "A local file system (%s) with %s free.", v.kind, size(v.free))
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		x.warn(check, "chmod 600 "+path, "Other users of this machine can read %s.", path)
	}
}

// private warns of a master key that others can read.
func (x *examination) private(check string) {
	if x.MasterKeyFile == "" {
		return
	}
	if info, err := os.Stat(x.MasterKeyFile); err == nil && info.Mode().Perm()&0o077 != 0 {
		x.warn(check, "chmod 600 "+x.MasterKeyFile, "Other users of this machine can read %s.", x.MasterKeyFile)
	}
}

// fileSize is the size of a file with SQLite's log, 0 when there is none.
func fileSize(path string) (n int64) {
	for _, name := range []string{path, path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// fileClock is the time by which the file system stamps a file written now.
func fileClock(path string) (time.Time, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".clock-*")
	if err != nil {
		return time.Time{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write([]byte{0}); err != nil {
		return time.Time{}, err
	}
	info, err := f.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
