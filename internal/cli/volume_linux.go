package cli

import (
	"fmt"
	"os"
	"syscall"
)

// fileSystems are those worth a word, by the number statfs(2) gives them.
var fileSystems = map[uint32]volume{
	0xef53:     {kind: "ext4"},
	0x58465342: {kind: "XFS"},
	0x9123683e: {kind: "Btrfs"},
	0x2fc12fc1: {kind: "ZFS"},
	0xf2f52010: {kind: "F2FS"},
	0x6969:     {kind: "NFS", network: true},
	0x517b:     {kind: "SMB", network: true},
	0xff534d42: {kind: "CIFS", network: true},
	0xfe534d42: {kind: "SMB", network: true},
	0x01021997: {kind: "9p", network: true},
	0x65735546: {kind: "FUSE", network: true},
	0x5346414f: {kind: "AFS", network: true},
	0x00c36400: {kind: "Ceph", network: true},
	0x0bd00bd0: {kind: "Lustre", network: true},
	0x01161970: {kind: "GFS2", network: true},
	0x7461636f: {kind: "OCFS2", network: true},
	0x786f4256: {kind: "a VirtualBox share", network: true},
	0x794c7630: {kind: "a container's own layer (overlayfs)", passing: true},
	0x01021994: {kind: "memory (tmpfs)", passing: true},
	0x858458f6: {kind: "memory (ramfs)", passing: true},
}

func volumeOf(folder string) (volume, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return volume{}, &os.PathError{Op: "statfs", Path: folder, Err: err}
	}
	v, known := fileSystems[uint32(s.Type)]
	if !known {
		v.kind = fmt.Sprintf("type %#x", uint32(s.Type))
	}
	v.free = int64(s.Bavail) * int64(s.Bsize)
	return v, nil
}
