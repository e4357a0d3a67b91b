"""Real daemons in network namespaces, for tests that watch behaviour from outside.

    network   the machine: one namespace as the node (a bridge that routes), one for each pod
    process   programs that run in a namespace as some user, with their log
    wait      waits for conditions; nothing here sleeps and hopes
    dial      one connection, as some user, out of some namespace
    redirected  a pod with a stand-in for the proxy
    apps      the programs that are meshed: nginx, Python, gRPC, Redis, MariaDB, WebSocket
    clients   curl, h2load, nghttp, and the clients of the above
    capture   what is on the wire
    flags     how the daemons are called: the only place that knows their command lines
    metrics   Prometheus text, read
    manifests the YAML that a person would write
    mesh      all of it together: a control plane, and pods with sidecars
"""
