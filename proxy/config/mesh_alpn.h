#ifndef REMORA_PROXY_CONFIG_MESH_ALPN_H
#define REMORA_PROXY_CONFIG_MESH_ALPN_H

/*
 * The protocol name that sidecars offer each other before "h2". A Permissive port tells by it a
 * sidecar's TLS from a TLS connection that is the application's own business.
 */
#define MESH_ALPN "remora-h2"

/* In order of preference, for clients and servers of the mesh. */
#define MESH_ALPN_LIST                                                                             \
    {                                                                                              \
        MESH_ALPN, "h2", NULL                                                                      \
    }

#endif
