#ifndef REMORA_BASE_POISON_H
#define REMORA_BASE_POISON_H

#include <stddef.h>

/*
 * Tells AddressSanitizer that memory which a pool or an arena keeps may not be touched, so that a
 * use after it went back is found as if it had been freed. Nothing in other builds.
 */
#if defined(__SANITIZE_ADDRESS__)
#define REMORA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REMORA_POISON 1
#endif
#endif

#ifdef REMORA_POISON
#include <sanitizer/asan_interface.h>
static inline void poison(void *memory, size_t bytes)
{
    __asan_poison_memory_region(memory, bytes);
}
static inline void unpoison(void *memory, size_t bytes)
{
    __asan_unpoison_memory_region(memory, bytes);
}
#else
static inline void poison(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
}
static inline void unpoison(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
}
#endif

#endif
