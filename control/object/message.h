#ifndef REMORA_CONTROL_OBJECT_MESSAGE_H
#define REMORA_CONTROL_OBJECT_MESSAGE_H

#include "lib/base/text.h"

/*
 * A text for people that may hold words from outside of any length: at most `most` bytes of it (cut
 * between characters, with "..." behind), for mem_free. text is emptied.
 */
char *message_take(struct text *text, size_t most);
char *message_of(struct span text, size_t most);

#endif
