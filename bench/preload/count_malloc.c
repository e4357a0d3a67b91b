/*
 * Counts every allocation of a program, whoever makes it: its own code, BoringSSL, libc. Preloaded:
 *
 *     LD_PRELOAD=libremora-count-malloc.so REMORA_COUNT_FILE=/tmp/count program
 *
 * The file gets two 64-bit numbers that change while the program runs: calls of malloc and its kin,
 * and bytes asked for. Works where malloc comes from a shared library.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
    _Atomic uint64_t calls;
    _Atomic uint64_t bytes;
};

static struct counts unshared;
static struct counts *counts = &unshared;

/*
 * What the program would have called: glibc's or another's (nghttpx brings jemalloc). Found at the
 * first call, which comes before any thread; dlsym itself allocates only to tell of a failure.
 */
static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
} next;

static void find(void *into, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    memcpy(into, &found, sizeof(found));
}

static void count(size_t bytes)
{
    if (next.malloc == NULL) {
        find(&next.calloc, "calloc");
        find(&next.realloc, "realloc");
        find(&next.memalign, "memalign");
        find(&next.malloc, "malloc");
    }
    atomic_fetch_add_explicit(&counts->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts->bytes, bytes, memory_order_relaxed);
}

__attribute__((constructor)) static void share(void)
{
    const char *name = getenv("REMORA_COUNT_FILE");
    int fd = name != NULL ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0) {
        return;
    }
    if (ftruncate(fd, sizeof(struct counts)) == 0) {
        void *shared = mmap(NULL, sizeof(struct counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (shared != MAP_FAILED) {
            counts = shared;
        }
    }
    close(fd);
}

void *malloc(size_t bytes)
{
    count(bytes);
    return next.malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    count(number * bytes);
    return next.calloc(number, bytes);
}

void *realloc(void *old, size_t bytes)
{
    count(bytes);
    return next.realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    count(bytes);
    return next.memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    *memory = memalign(alignment, bytes);
    return *memory != NULL ? 0 : ENOMEM;
}
