/* The authority, identities and TLS configs of the tests of certs/. */
#include "tests/unit/certs/tls_fixture.c" /* NOLINT(bugprone-suspicious-include) */
