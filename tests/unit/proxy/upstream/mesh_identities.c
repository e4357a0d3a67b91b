/* The authority, identities and TLS configs of the tests of certs/, for whoever is above them. */
#include "tests/unit/certs/tls_fixture.c" /* NOLINT(bugprone-suspicious-include) */
