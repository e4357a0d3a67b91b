#ifndef REMORA_PROXY_FRONT_FRONT_H
#define REMORA_PROXY_FRONT_FRONT_H

/*
 * Who calls us, of one worker.
 *
 *   front ── acceptor*        one a listening address: outbound, inbound, HBONE
 *         ├─ client_conn*     each accepted connection (and each CONNECT stream, which is one
 * again) │      └─ detection, then an HTTP server connection, a tunnel, or TLS and detection again
 *         └─ server_first     destinations learned to speak first
 *
 * Interception mode asks the kernel for the original destination. Explicit mode has listeners with
 * a fixed destination: outbound for one service port, inbound for the application's address.
 */

#include "lib/net/acceptor.h"
#include "proxy/front/server_first.h"
#include "proxy/request/tunnel.h"

enum { FRONT_OWN_PORTS = 32 };
enum front_side { FRONT_OUTBOUND, FRONT_INBOUND, FRONT_HBONE, FRONT_SIDES };

struct front_listener {
    uint8_t side; /* enum front_side */
    struct address at;
    bool redirected;   /* ask for the original destination */
    struct address to; /* inbound and explicit: the application; family 0 = as asked or tunnelled */
    struct span service; /* outbound and explicit: "api.shop.svc.cluster.local" ... */
    uint16_t service_port;
};

struct front_limits {
    uint32_t connections;         /* downstream, all listeners of this worker; 10,000 */
    int descriptors;              /* refused from this number on; 0 = what the system has */
    int64_t detect_give_up_ms;    /* 3 s */
    int64_t handshake_timeout_ms; /* 10 s */
};

struct front {
    struct worker_scope *scope;
    struct front_limits limits;
    struct server_first learned;
    struct list listeners; /* of struct front_socket */
    struct list conns;     /* of struct client_conn */
    uint32_t live[FRONT_SIDES];
    uint32_t connections;
    uint16_t own_ports[FRONT_OWN_PORTS]; /* of this proxy's listeners, for the loop guard */
    uint32_t own_port_count;
};

void front_limits_default(struct front_limits *ret);
struct front *front_create(struct worker_scope *scope, const struct front_limits *limits);
/* False and errno on failure. *ret_at, if not NULL, is the address really bound. */
bool front_listen(struct front *front, const struct front_listener *listener, bool reuse_port,
                  struct address *ret_at, int *ret_errno);
/* A port of this proxy that another thread listens on (admin, metrics, health). */
void front_own_port(struct front *front, uint16_t port);
/*
 * Explicit mode: the application behind the inbound listener at this address. *ret_is_explicit
 * tells whether there is any such listener. at and ret_to may be the same.
 */
bool front_inbound_at(const struct front *front, const struct address *at, bool *ret_is_explicit,
                      struct address *ret_to);
/* Explicit mode: opens and closes local listeners as the phone book says. */
void front_apply(struct front *front, const struct snapshot *snapshot);
/* Inbound connections finish what they do and close; outbound goes on. */
void front_drain_inbound(struct front *front);
/* The same for outbound. */
void front_drain_outbound(struct front *front);
uint32_t front_live(const struct front *front, enum front_side side);
/* Closes listeners and cuts what lives. */
void front_destroy(struct front *front);

#endif
