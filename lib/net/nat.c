#include "lib/net/nat.h"

#include <errno.h>
#include <netinet/in.h>

/* SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: their headers do not go together with netinet/in.h. */
enum { ORIGINAL_DESTINATION = 80 };

bool nat_original(int fd, const struct address *peer, struct address *ret_original, int *ret_errno)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof(storage);
    int level = peer->family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
    if (getsockopt(fd, level, ORIGINAL_DESTINATION, &storage, &length) != 0) {
        *ret_errno = errno;
        return false;
    }
    if (!address_from_sockaddr((const struct sockaddr *)&storage, ret_original)) {
        *ret_errno = EAFNOSUPPORT;
        return false;
    }
    return true;
}
