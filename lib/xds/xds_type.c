#include "lib/xds/xds_type.h"

#include "lib/base/check.h"

#define TYPE_PREFIX "type.googleapis.com/"

static const struct {
    const char *url;
    const char *name;
} types[XDS_TYPES] = {
    [XDS_LISTENER] = {TYPE_PREFIX "envoy.config.listener.v3.Listener", "LDS"},
    [XDS_ROUTE] = {TYPE_PREFIX "envoy.config.route.v3.RouteConfiguration", "RDS"},
    [XDS_CLUSTER] = {TYPE_PREFIX "envoy.config.cluster.v3.Cluster", "CDS"},
    [XDS_ENDPOINTS] = {TYPE_PREFIX "envoy.config.endpoint.v3.ClusterLoadAssignment", "EDS"},
    [XDS_SECRET] = {TYPE_PREFIX "envoy.extensions.transport_sockets.tls.v3.Secret", "SDS"},
    [XDS_PHONE] = {TYPE_PREFIX "remora.xds.v1.PhoneEntry", "PHONE"},
    [XDS_WORKLOAD] = {TYPE_PREFIX "remora.xds.v1.WorkloadConfig", "WORKLOAD"},
};

const char *xds_type_url(enum xds_type type)
{
    CHECK((unsigned)type < XDS_TYPES);
    return types[type].url;
}

bool xds_type_of_url(struct span url, enum xds_type *ret)
{
    for (unsigned i = 0; i < XDS_TYPES; i++) {
        if (span_equal_text(url, types[i].url)) {
            *ret = (enum xds_type)i;
            return true;
        }
    }
    return false;
}

const char *xds_type_short(enum xds_type type)
{
    CHECK((unsigned)type < XDS_TYPES);
    return types[type].name;
}
