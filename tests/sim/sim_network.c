/* The network and the servers of the tests of proxy/upstream/. */
#include "tests/unit/proxy/upstream/upstream_rig.c" /* NOLINT(bugprone-suspicious-include) */
