#include "lib/http/http1_parser.h"
#include "tests/unit/test_main.h"

static struct http_limits limits;

/* Scans and parses; the result says what became of the bytes. */
static enum http1_result request(struct span bytes, struct http1_message *ret,
                                 struct http1_fault *fault)
{
    struct http1_scan scan = {0};
    size_t length = 0;
    enum http1_result result = http1_scan(&scan, bytes, &limits, HTTP1_REQUEST, &length, fault);
    if (result != HTTP1_DONE) {
        return result;
    }
    return http1_parse_request(span_make(bytes.at, length), &limits, ret, fault) ? HTTP1_DONE
                                                                                 : HTTP1_FAILED;
}

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

/*
 * Ways to spell the framing fields of a request, crossed with each other. Whatever is accepted must
 * have one meaning only: no body, or a length of plain digits, or exactly chunked, and never two of
 * these.
 */
static void no_mutation_of_the_framing_fields_is_ambiguous(void **state)
{
    static const char *const names[] = {"Transfer-Encoding", "Content-Length", "transfer-encoding",
                                        "CONTENT-LENGTH"};
    static const char *const before[] = {"", " ", "\t", "\v", "\x80", "X: y\r", "X: y\n"};
    static const char *const between[] = {":",   ": ",     " : ",   "\t: ", ":\t",   ":\v",
                                          ":\f", ":\r\n ", ":\x01", ": ,",  ":\xa0", ": \""};
    static const char *const values[] = {"chunked",   "5",          "CHUNKED", "chunk",
                                         "chunked\v", "0x5",        "5,",      "identity",
                                         "5\x01",     "chunked, 5", "-5",      "5 5"};
    static const char *const ends[] = {"\r\n", "\n", "\r\r\n", " \r\n", "\v\r\n", "\r\n \r\n"};
    size_t tried = 0;
    size_t taken = 0;
    for (size_t n = 0; n < 4; n++) {
        for (size_t b = 0; b < 7; b++) {
            for (size_t m = 0; m < 12; m++) {
                for (size_t v = 0; v < 12; v++) {
                    for (size_t e = 0; e < 6; e++) {
                        char bytes[256];
                        int length = snprintf(bytes, sizeof(bytes), POST "%s%s%s%s%s%s\r\n",
                                              before[b], names[n], between[m], values[v], ends[e],
                                              n % 2 == 0 ? "Content-Length: 5\r\n"
                                                         : "Transfer-Encoding: chunked\r\n");
                        struct http1_fault fault;
                        tried++;
                        struct http1_message *message = http1_message_scratch();
                        if (request(span_make(bytes, (size_t)length), message, &fault) !=
                            HTTP1_DONE) {
                            continue;
                        }
                        taken++;
                        /* Both fields were there: whatever was accepted has lost one of them. */
                        fail_msg("accepted: %s", bytes);
                    }
                }
            }
        }
    }
    assert_true(tried > 20000);
    assert_int_equal(taken, 0);
}

static void each_single_framing_field_is_plain_or_refused(void **state)
{
    /* Where a byte is put into the line. */
    static const char whole[] = "Content-Length: 5\r\n";
    static const size_t spots[] = {0, 7, 14, 15, 17, 18};
    size_t taken = 0;
    for (size_t spot = 0; spot < 6; spot++) {
        for (int byte = 1; byte < 256; byte++) {
            char inserted = (char)byte;
            char line[64];
            char bytes[256];
            snprintf(line, sizeof(line), "%.*s%c%s", (int)spots[spot], whole, inserted,
                     whole + spots[spot]);
            int length = snprintf(bytes, sizeof(bytes), POST "%s\r\n", line);
            struct http1_fault fault;
            struct http1_message *message = http1_message_scratch();
            if (request(span_make(bytes, (size_t)length), message, &fault) != HTTP1_DONE) {
                continue;
            }
            taken++;
            bool digit = byte >= '0' && byte <= '9';
            bool blank = byte == ' ' || byte == '\t';
            if (message->framing == HTTP1_FRAMING_LENGTH) {
                /* Another digit is another length; a blank around the value is legal. */
                assert_true((spot == 3 || spot == 4) && (digit || blank));
            } else {
                /* Another name, which is a token: no framing field at all. */
                assert_int_equal(message->framing, HTTP1_FRAMING_NONE);
                assert_true(spot <= 2 &&
                            (byte == ':' || header_name_valid(span_make(&inserted, 1))));
            }
        }
    }
    assert_true(taken > 0);
}

int main(int argc, char **argv)
{
    http_limits_default(&limits);
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(no_mutation_of_the_framing_fields_is_ambiguous),
        cmocka_unit_test(each_single_framing_field_is_plain_or_refused),
    };
    return TEST_MAIN(cases, argc, argv);
}
