#ifndef REMORA_TESTS_FUZZ_FUZZ_H
#define REMORA_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What libFuzzer calls; always returns 0. A finding is a crash: CHECK says what must hold. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
