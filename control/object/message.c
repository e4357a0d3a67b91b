#include "control/object/message.h"

#include "lib/base/memory.h"

/* Bytes of UTF-8 that follow the first of a character begin with 10. */
static size_t whole_characters(const char *bytes, size_t length)
{
    while (length > 0 && ((unsigned char)bytes[length] & 0xc0) == 0x80) {
        length--;
    }
    return length;
}

char *message_of(struct span text, size_t most)
{
    if (text.length <= most) {
        return mem_text(text.at, text.length);
    }
    struct text cut = {0};
    text_add(&cut, span_cut(text, 0, whole_characters(text.at, most - 3)));
    text_add_text(&cut, "...");
    return text_take(&cut);
}

char *message_take(struct text *text, size_t most)
{
    char *message = message_of(text_span(text), most);
    text_done(text);
    return message;
}
