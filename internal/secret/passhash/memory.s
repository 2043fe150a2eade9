// The functions of memory.go without a body are those of another package. The
// compiler takes such declarations only beside a file of assembly.
