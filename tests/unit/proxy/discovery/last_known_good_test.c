#include "proxy/discovery/last_known_good.h"

#include "lib/base/clock.h"
#include "lib/base/memory.h"
#include "lib/xds/xds_listener.h"
#include "lib/xds/xds_phone.h"
#include "tests/unit/test_main.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES = 50, PATIENCE = 10000 };

struct disk {
    struct loop *loop;
    char folder[64];
    char path[128];
    struct apply *apply;
    struct last_known_good *store;
    size_t roots;
};

static void on_snapshot(void *owner, struct snapshot *snapshot)
{
    (void)owner;
    (void)snapshot;
}

static void on_roots(void *owner, struct span roots_pem)
{
    struct disk *disk = owner;
    assert_true(span_equal(roots_pem, SPAN("PEM")));
    disk->roots++;
}

static void on_dirty(void *owner)
{
    (void)owner;
}

static const struct apply_events events = {
    .on_snapshot = on_snapshot, .on_roots = on_roots, .on_dirty = on_dirty};

static void start(struct disk *disk)
{
    char reason[256] = "";
    disk->apply = apply_create(disk->loop, &events, disk);
    disk->store =
        last_known_good_open(disk->loop, span_of(disk->folder), disk->apply, reason, sizeof reason);
    if (disk->store == NULL) {
        fail_msg("%s", reason);
    }
}

static void stop(struct disk *disk)
{
    last_known_good_close(disk->store);
    apply_destroy(disk->apply);
    disk->store = NULL;
    disk->apply = NULL;
    loop_advance(disk->loop, 0);
}

static void disk_open(struct disk *disk)
{
    *disk = (struct disk){.folder = "/tmp/remora-state-XXXXXX"};
    assert_non_null(mkdtemp(disk->folder));
    snprintf(disk->path, sizeof disk->path, "%s/last-known-good", disk->folder);
    disk->loop = loop_create_simulated(NS_PER_S);
    start(disk);
}

static void disk_done(struct disk *disk)
{
    stop(disk);
    loop_destroy(disk->loop);
    unlink(disk->path);
    assert_int_equal(rmdir(disk->folder), 0); /* and nothing else was left in it */
}

static void put(struct disk *disk, enum xds_type type, struct span name, struct span version,
                struct span bytes)
{
    struct xds_error error = {""};
    if (!apply_restore(disk->apply, type, name, version, bytes, &error)) {
        fail_msg("%s", error.text);
    }
}

static void fill(struct disk *disk)
{
    struct arena arena = {0};
    const struct xds_secret secret = {SPAN("ROOTCA"), SPAN("PEM")};
    put(disk, XDS_SECRET, secret.name, SPAN("1"), xds_secret_encode(&secret, &arena));
    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct xds_phone_entry entry = {
            .name = span_of(arena_printf(&arena, "shop/s%u", i)),
            .host = span_of(arena_printf(&arena, "s%u.shop", i)),
        };
        put(disk, XDS_PHONE, entry.name, span_of(arena_printf(&arena, "v%u", i)),
            xds_phone_encode(&entry, &arena));
    }
    arena_done(&arena);
}

static size_t held(struct disk *disk)
{
    enum xds_type type = XDS_LISTENER;
    struct span name;
    struct span version;
    struct span bytes;
    size_t at = 0;
    size_t count = 0;
    while (apply_next(disk->apply, &type, &at, &name, &version, &bytes)) {
        count++;
    }
    return count;
}

/* Lets seconds pass until the thread that writes has told of it. */
static void until_written(struct disk *disk, uint64_t written, uint64_t failures)
{
    const struct last_known_good_counters *counters = last_known_good_counters(disk->store);
    for (int i = 0;
         i < PATIENCE && (counters->written < written || counters->write_failures < failures);
         i++) {
        loop_advance(disk->loop, NS_PER_S);
        usleep(1000); /* the disk is real */
    }
    assert_int_equal(counters->written, written);
    assert_int_equal(counters->write_failures, failures);
}

static void what_was_accepted_is_there_at_the_next_start(void **state)
{
    (void)state;
    struct disk disk;
    struct stat facts;
    disk_open(&disk);
    assert_int_equal(last_known_good_counters(disk.store)->discarded, 0); /* no file is no loss */
    fill(&disk);
    last_known_good_dirty(disk.store);
    until_written(&disk, 1, 0);
    assert_int_equal(stat(disk.path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    stop(&disk);
    disk.roots = 0;
    start(&disk);
    assert_int_equal(last_known_good_counters(disk.store)->restored, ENTRIES + 1);
    assert_int_equal(last_known_good_counters(disk.store)->discarded, 0);
    assert_int_equal(held(&disk), ENTRIES + 1);
    assert_int_equal(disk.roots, 1);
    disk_done(&disk);
}

static void many_changes_are_one_write_and_none_is_lost_at_the_end(void **state)
{
    (void)state;
    struct disk disk;
    disk_open(&disk);
    fill(&disk);
    for (int i = 0; i < 1000; i++) {
        last_known_good_dirty(disk.store);
        loop_advance(disk.loop, NS_PER_MS / 10);
    }
    assert_int_equal(access(disk.path, F_OK), -1);
    until_written(&disk, 1, 0);
    assert_int_equal(unlink(disk.path), 0);
    last_known_good_dirty(disk.store);
    stop(&disk); /* writes what is dirty */
    assert_int_equal(access(disk.path, F_OK), 0);
    start(&disk);
    assert_int_equal(held(&disk), ENTRIES + 1);
    disk_done(&disk);
}

static void a_damaged_file_costs_what_is_damaged(void **state)
{
    (void)state;
    struct disk disk;
    disk_open(&disk);
    fill(&disk);
    last_known_good_dirty(disk.store);
    stop(&disk);
    struct stat facts;
    assert_int_equal(stat(disk.path, &facts), 0);
    assert_int_equal(truncate(disk.path, facts.st_size / 2), 0);
    start(&disk);
    const struct last_known_good_counters *counters = last_known_good_counters(disk.store);
    assert_true(counters->restored > ENTRIES / 4);
    assert_true(counters->restored < ENTRIES);
    assert_true(counters->discarded > 0);
    assert_int_equal(held(&disk), counters->restored);
    disk_done(&disk);
}

static void a_file_of_something_else_is_left_out_and_replaced(void **state)
{
    (void)state;
    struct disk disk;
    disk_open(&disk);
    stop(&disk);
    FILE *file = fopen(disk.path, "we");
    assert_non_null(file);
    for (int i = 0; i < 10000; i++) {
        fputs("\x1eREC and more of it\n", file);
    }
    fclose(file);
    start(&disk);
    assert_int_equal(held(&disk), 0);
    assert_int_equal(last_known_good_counters(disk.store)->discarded, 1);
    fill(&disk);
    last_known_good_dirty(disk.store);
    stop(&disk);
    start(&disk);
    assert_int_equal(held(&disk), ENTRIES + 1);
    disk_done(&disk);
}

static void a_link_is_not_followed(void **state)
{
    (void)state;
    struct disk disk;
    char other[128];
    disk_open(&disk);
    fill(&disk);
    last_known_good_dirty(disk.store);
    stop(&disk);
    snprintf(other, sizeof other, "%s.elsewhere", disk.folder);
    assert_int_equal(rename(disk.path, other), 0);
    assert_int_equal(symlink(other, disk.path), 0);
    start(&disk);
    assert_int_equal(held(&disk), 0);
    assert_int_equal(last_known_good_counters(disk.store)->discarded, 1);
    unlink(other);
    disk_done(&disk);
}

static void a_file_that_others_may_write_is_not_taken(void **state)
{
    (void)state;
    struct disk disk;
    disk_open(&disk);
    fill(&disk);
    last_known_good_dirty(disk.store);
    stop(&disk);
    assert_int_equal(chmod(disk.path, 0666), 0);
    start(&disk);
    assert_int_equal(held(&disk), 0);
    assert_int_equal(last_known_good_counters(disk.store)->discarded, 1);
    disk_done(&disk);
}

static void a_write_that_fails_is_counted_and_tried_again(void **state)
{
    (void)state;
    struct disk disk;
    disk_open(&disk);
    fill(&disk);
    assert_int_equal(mkdir(disk.path, 0700), 0); /* a folder cannot be replaced by a file */
    last_known_good_dirty(disk.store);
    until_written(&disk, 0, 1);
    assert_int_equal(rmdir(disk.path), 0);
    until_written(&disk, 1, 1);
    stop(&disk);
    start(&disk);
    assert_int_equal(held(&disk), ENTRIES + 1);
    disk_done(&disk);
}

static void a_folder_is_made_and_a_bad_one_refused_with_a_reason(void **state)
{
    (void)state;
    struct disk disk;
    char reason[256];
    char folder[160];
    disk_open(&disk);
    snprintf(folder, sizeof folder, "%s/a/b", disk.folder);
    struct last_known_good *store =
        last_known_good_open(disk.loop, span_of(folder), disk.apply, reason, sizeof reason);
    assert_non_null(store);
    last_known_good_close(store);
    assert_null(last_known_good_open(disk.loop, SPAN("/dev/null/state"), disk.apply, reason,
                                     sizeof reason));
    assert_non_null(strstr(reason, "/dev/null/state"));
    assert_null(last_known_good_open(disk.loop, SPAN_EMPTY, disk.apply, reason, sizeof reason));
    rmdir(folder);
    snprintf(folder, sizeof folder, "%s/a", disk.folder);
    rmdir(folder);
    disk_done(&disk);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_was_accepted_is_there_at_the_next_start),
        cmocka_unit_test(many_changes_are_one_write_and_none_is_lost_at_the_end),
        cmocka_unit_test(a_damaged_file_costs_what_is_damaged),
        cmocka_unit_test(a_file_of_something_else_is_left_out_and_replaced),
        cmocka_unit_test(a_link_is_not_followed),
        cmocka_unit_test(a_file_that_others_may_write_is_not_taken),
        cmocka_unit_test(a_write_that_fails_is_counted_and_tried_again),
        cmocka_unit_test(a_folder_is_made_and_a_bad_one_refused_with_a_reason),
    };
    return TEST_MAIN(cases, argc, argv);
}
