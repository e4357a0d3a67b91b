#ifndef REMORA_BASE_SIPHASH_H
#define REMORA_BASE_SIPHASH_H

#include "lib/base/span.h"

/*
 * SipHash-1-3 (Aumasson and Bernstein 2012): a keyed hash whose collisions cannot be found without
 * the key. For tables whose keys come from outside: XXH64 has pairs of inputs that collide under
 * every second seed, so a random seed alone does not protect it.
 */
uint64_t siphash13(struct span bytes, const uint64_t key[2]);

#endif
