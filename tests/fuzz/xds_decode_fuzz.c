/* links: remora_xds */
#include "lib/base/check.h"
#include "lib/base/text.h"

/* For the table of every kind of message; a fuzz target is one file. */
#include "tests/unit/lib/xds/samples.c"

/*
 * The first byte chooses the kind of message, the rest are its bytes. Whatever they are: no crash;
 * a refusal has a clean text; what was taken encodes, and that is taken again and encodes to the
 * same.
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0) {
        return 0;
    }
    const struct codec *codec = &codecs[bytes[0] % codec_count];
    struct arena arena = {0};
    struct xds_error error = {""};
    struct span first;
    struct span second;
    if (codec->again(span_make(bytes + 1, length - 1), &arena, &first, &error)) {
        CHECK(codec->again(first, &arena, &second, &error));
        CHECK(span_equal(first, second));
    } else {
        CHECK(error.text[0] != '\0' && utf8_valid(span_of(error.text)));
    }
    arena_done(&arena);
    return 0;
}
