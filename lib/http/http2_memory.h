#ifndef REMORA_HTTP_HTTP2_MEMORY_H
#define REMORA_HTTP_HTTP2_MEMORY_H

#include <nghttp2/nghttp2.h>

/*
 * The allocator given to nghttp2: blocks of a few sizes from free lists of the thread, so that
 * streams, frames and header table entries cost no malloc once the thread is warm. A session must
 * be used and deleted by one thread.
 */
nghttp2_mem *http2_memory(void);

#endif
