#include "lib/http/http2_memory.h"

#include "lib/base/check.h"
#include "lib/base/free_list.h"
#include "lib/base/memory.h"

#include <string.h>

/*
 * free() of nghttp2_mem names no size, so each block begins with the number of its class. The sizes
 * follow what a session asks for: outbound items and streams (100 to 250 bytes), field arrays (1
 * KiB), the frame buffer (16 KiB and a few bytes).
 */
enum { CLASSES = 8, HEAP = CLASSES };
static const size_t most_bytes = SIZE_MAX / 2;

struct block {
    uint32_t class;
    _Alignas(16) char content[];
};

static _Thread_local struct free_list lists[CLASSES] = {
    FREE_LIST(64 + sizeof(struct block), 4096),  FREE_LIST(128 + sizeof(struct block), 4096),
    FREE_LIST(256 + sizeof(struct block), 4096), FREE_LIST(512 + sizeof(struct block), 1024),
    FREE_LIST(1024 + sizeof(struct block), 512), FREE_LIST(2048 + sizeof(struct block), 128),
    FREE_LIST(4096 + sizeof(struct block), 128), FREE_LIST(16640 + sizeof(struct block), 32),
};

static uint32_t class_of(size_t bytes)
{
    uint32_t class = 0;
    while (class < CLASSES && lists[class].item_bytes < bytes + sizeof(struct block)) {
        class ++;
    }
    return class;
}

static struct block *block_of(void *content)
{
    return (struct block *)(void *)((char *)content - offsetof(struct block, content));
}

static void *take(size_t bytes, void *unused)
{
    (void)unused;
    CHECK(bytes < most_bytes);
    uint32_t class = class_of(bytes);
    struct block *block =
        class == HEAP ? mem_alloc(sizeof(*block) + bytes) : free_list_take(&lists[class]);
    block->class = class;
    return block->content;
}

static void give(void *content, void *unused)
{
    (void)unused;
    if (content == NULL) {
        return;
    }
    struct block *block = block_of(content);
    if (block->class == HEAP) {
        mem_free(block);
    } else {
        free_list_give(&lists[block->class], block);
    }
}

static void *take_zeroed(size_t count, size_t bytes, void *unused)
{
    CHECK(bytes == 0 || count < most_bytes / bytes);
    void *content = take(count * bytes, unused);
    memset(content, 0, count * bytes);
    return content;
}

static void *take_again(void *content, size_t bytes, void *unused)
{
    if (content == NULL) {
        return take(bytes, unused);
    }
    struct block *block = block_of(content);
    if (block->class == HEAP) {
        CHECK(bytes < most_bytes);
        block = mem_realloc(block, sizeof(*block) + bytes);
        return block->content;
    }
    size_t room = lists[block->class].item_bytes - sizeof(*block);
    if (bytes <= room) {
        return content;
    }
    void *moved = take(bytes, unused);
    memcpy(moved, content, room);
    give(content, unused);
    return moved;
}

nghttp2_mem *http2_memory(void)
{
    static nghttp2_mem memory = {NULL, take, give, take_zeroed, take_again};
    return &memory;
}
