#ifndef REMORA_TESTS_UNIT_LIB_XDS_SAMPLES_H
#define REMORA_TESTS_UNIT_LIB_XDS_SAMPLES_H

#include "lib/xds/xds_certificate.h"
#include "lib/xds/xds_cluster.h"
#include "lib/xds/xds_discovery.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_load.h"
#include "lib/xds/xds_phone.h"
#include "lib/xds/xds_route.h"
#include "lib/xds/xds_workload.h"

/*
 * Valid structs, drawn with the generator of lib/base/random, so that random_seed repeats them;
 * each field is set in some of them. And every kind of message as a pair of functions on bytes, for
 * tests that try the same on all.
 */
void sample_endpoints(struct arena *arena, struct xds_endpoints *ret);
void sample_cluster(struct arena *arena, struct xds_cluster *ret);
void sample_route_config(struct arena *arena, struct xds_route_config *ret);
void sample_listener(struct arena *arena, struct xds_listener *ret);
void sample_phone(struct arena *arena, struct xds_phone_entry *ret);
void sample_workload(struct arena *arena, struct xds_workload *ret);
void sample_request(struct arena *arena, bool delta, struct xds_request *ret);
void sample_response(struct arena *arena, bool delta, struct xds_response *ret);
void sample_load_report(struct arena *arena, struct xds_load_report *ret);

struct codec {
    const char *name;
    struct span (*sample)(struct arena *arena);
    /* Decodes and encodes again. */
    bool (*again)(struct span bytes, struct arena *arena, struct span *ret_bytes,
                  struct xds_error *ret_error);
};
extern const struct codec codecs[];
extern const size_t codec_count;

#endif
