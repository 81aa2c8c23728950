/* Preloaded into a peer whose allocator has no setting for it: asks for huge pages wherever the peer maps memory of
   at least one. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
    long at = syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
    if (at != -1 && (flags & MAP_ANONYMOUS) && bytes >= 2 << 20)
        madvise((void *)at, bytes, MADV_HUGEPAGE);
    return (void *)at;
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
