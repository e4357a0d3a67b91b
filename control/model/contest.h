#ifndef REMORA_CONTROL_MODEL_CONTEST_H
#define REMORA_CONTROL_MODEL_CONTEST_H

#include "control/model/entry.h"
#include "lib/net/address.h"

/*
 * Things of which the mesh has only one: a virtual address, a local port of explicit mode, an
 * external host. Several objects may claim one; the oldest has it, and the others say so in their
 * conditions and are compiled without it.
 */
struct world;

void contest_join(struct world *world, struct span thing, struct entry *entry);
void contest_leave(struct world *world, struct span thing, struct entry *entry);
/* The oldest of those who claim it; NULL when nobody does. */
struct entry *contest_winner(const struct world *world, struct span thing);
/* Names of things; into needs CONTEST_BYTES. */
enum { CONTEST_BYTES = 300 };
struct span contest_address(const struct address *address, char *into);
struct span contest_text(const char *prefix, struct span rest, char *into);

#endif
