#include "lib/xds/wire_parts.h"

#include "lib/base/check.h"

#include "envoy/extensions/load_balancing_policies/least_request/v3/least_request.pb-c.h"
#include "envoy/extensions/load_balancing_policies/maglev/v3/maglev.pb-c.h"
#include "envoy/extensions/load_balancing_policies/random/v3/random.pb-c.h"
#include "envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash.pb-c.h"
#include "envoy/extensions/load_balancing_policies/round_robin/v3/round_robin.pb-c.h"

/* A client takes the first policy of the list that it knows. */
enum { POLICIES_MAX = 16 };

static const struct {
    const ProtobufCMessageDescriptor *type;
    const char *name;
} policies[] = {
    [XDS_LB_PEAK_EWMA] = {&remora__peak_ewma__descriptor, "remora.peak_ewma"},
    [XDS_LB_LEAST_REQUEST] = {&lb__least_request__descriptor,
                              "envoy.load_balancing_policies.least_request"},
    [XDS_LB_ROUND_ROBIN] = {&lb__round_robin__descriptor,
                            "envoy.load_balancing_policies.round_robin"},
    [XDS_LB_RANDOM] = {&lb__random__descriptor, "envoy.load_balancing_policies.random"},
    [XDS_LB_RING_HASH] = {&lb__ring_hash__descriptor, "envoy.load_balancing_policies.ring_hash"},
    [XDS_LB_MAGLEV] = {&lb__maglev__descriptor, "envoy.load_balancing_policies.maglev"},
};
enum { POLICIES = sizeof policies / sizeof policies[0] };

static void policy_add(struct arena *scratch, Clu__LoadBalancingPolicy *list, enum xds_lb lb)
{
    ProtobufCMessage *settings = wire_new(scratch, policies[lb].type);
    if (lb == XDS_LB_RING_HASH) {
        ((Lb__RingHash *)(void *)settings)->hash_function = LB__RING_HASH__HASH_FUNCTION__XX_HASH;
    }
    Core__TypedExtensionConfig *extension =
        wire_new(scratch, &core__typed_extension_config__descriptor);
    extension->name = (char *)policies[lb].name;
    extension->typed_config = wire_any(scratch, settings);
    Clu__LoadBalancingPolicy__Policy *policy =
        wire_new(scratch, &clu__load_balancing_policy__policy__descriptor);
    policy->typed_extension_config = extension;
    list->policies[list->n_policies++] = policy;
}

Clu__LoadBalancingPolicy *cluster_lb_write(struct arena *scratch, enum xds_lb lb)
{
    CHECK((unsigned)lb < POLICIES);
    Clu__LoadBalancingPolicy *list = wire_new(scratch, &clu__load_balancing_policy__descriptor);
    list->policies = ARENA_ARRAY(scratch, Clu__LoadBalancingPolicy__Policy *, 3);
    policy_add(scratch, list, lb);
    if (lb == XDS_LB_PEAK_EWMA) {
        policy_add(scratch, list, XDS_LB_LEAST_REQUEST);
    }
    if (lb != XDS_LB_ROUND_ROBIN) {
        policy_add(scratch, list, XDS_LB_ROUND_ROBIN);
    }
    return list;
}

/* True when the policy is one that we have; false with *ret_broken set when its bytes are bad. */
static bool policy_known(struct wire_reader *reader, const Pb__Any *any, uint8_t *ret_lb,
                         bool *ret_broken)
{
    for (unsigned lb = 0; any != NULL && lb < POLICIES; lb++) {
        if (!wire_any_is(any, policies[lb].type)) {
            continue;
        }
        void *settings = wire_unpack_any(reader, policies[lb].type, any);
        if (settings == NULL) {
            *ret_broken = true;
            return false;
        }
        if (lb == XDS_LB_RING_HASH && ((Lb__RingHash *)settings)->hash_function ==
                                          LB__RING_HASH__HASH_FUNCTION__MURMUR_HASH_2) {
            return false;
        }
        *ret_lb = (uint8_t)lb;
        return true;
    }
    return false;
}

static bool list_read(struct wire_reader *reader, const Clu__LoadBalancingPolicy *list,
                      uint8_t *ret_lb)
{
    size_t path = wire_enter(reader, "load_balancing_policy", -1);
    if (list->n_policies > POLICIES_MAX) {
        return wire_fail(reader, "more than %d policies", POLICIES_MAX);
    }
    for (size_t i = 0; i < list->n_policies; i++) {
        const Core__TypedExtensionConfig *extension = list->policies[i]->typed_extension_config;
        bool broken = false;
        if (policy_known(reader, extension == NULL ? NULL : extension->typed_config, ret_lb,
                         &broken)) {
            wire_leave(reader, path);
            return true;
        }
        if (broken) {
            return false;
        }
    }
    return wire_fail(reader, "none of the policies is supported");
}

bool cluster_lb_read(struct wire_reader *reader, const Clu__Cluster *message, uint8_t *ret_lb)
{
    if (message->load_balancing_policy != NULL) {
        return list_read(reader, message->load_balancing_policy, ret_lb);
    }
    switch (message->lb_policy) {
    case CLU__CLUSTER__LB_POLICY__ROUND_ROBIN:
        *ret_lb = XDS_LB_ROUND_ROBIN;
        return true;
    case CLU__CLUSTER__LB_POLICY__LEAST_REQUEST:
        *ret_lb = XDS_LB_LEAST_REQUEST;
        return true;
    case CLU__CLUSTER__LB_POLICY__RING_HASH:
        *ret_lb = XDS_LB_RING_HASH;
        return true;
    case CLU__CLUSTER__LB_POLICY__RANDOM:
        *ret_lb = XDS_LB_RANDOM;
        return true;
    case CLU__CLUSTER__LB_POLICY__MAGLEV:
        *ret_lb = XDS_LB_MAGLEV;
        return true;
    case CLU__CLUSTER__LB_POLICY__CLUSTER_PROVIDED:
        if (message->cluster_discovery_type_case == CLU__CLUSTER__CLUSTER_DISCOVERY_TYPE_TYPE &&
            message->type == CLU__CLUSTER__DISCOVERY_TYPE__ORIGINAL_DST) {
            *ret_lb = XDS_LB_ROUND_ROBIN; /* one destination: nothing to choose */
            return true;
        }
        break;
    default:
        break;
    }
    return wire_fail(reader, "lb_policy: %d is not supported", (int)message->lb_policy);
}
