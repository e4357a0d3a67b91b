#include "tests/unit/test_main.h"

#include "control/object/mesh_spec.h"
#include "control/source/directory/directory_source.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPAN_OF(literal)                                                                           \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

/* What a listener knows after each batch. */
struct world {
    struct loop *loop;
    struct source *source;
    char root[64];
    struct map objects;  /* key -> object */
    struct map problems; /* file -> text of its problems */
    unsigned synced;
    unsigned changes, removals;
    unsigned wanted; /* synced count that a wait ends at */
};

static void on_object(void *owner, struct object *object)
{
    struct world *world = owner;
    world->changes++;
    object_unref(map_put(&world->objects, object->key, object_ref(object)));
}

static void on_removed(void *owner, struct object *object)
{
    struct world *world = owner;
    world->removals++;
    object_unref(map_remove(&world->objects, object->key));
}

static void on_problems(void *owner, const struct problems *problems)
{
    struct world *world = owner;
    struct text all = {0};
    for (size_t i = 0; i < problems->count; i++) {
        struct text line = {0};
        problem_format(problems, &problems->items[i], &line);
        text_printf(&all, "%s\n", line.bytes + strlen(world->root) + 1);
        text_done(&line);
    }
    if (all.length > 0) {
        mem_free(map_put(&world->problems, span_of(problems->file), text_take(&all)));
    } else {
        mem_free(map_remove(&world->problems, span_of(problems->file)));
    }
}

static void on_synced(void *owner)
{
    ((struct world *)owner)->synced++;
}

static char *path_of(const struct world *world, const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", world->root, name);
    return path;
}

static void write_bytes(const struct world *world, const char *name, const char *bytes,
                        size_t length)
{
    FILE *file = fopen(path_of(world, name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void write_file(const struct world *world, const char *name, const char *text)
{
    write_bytes(world, name, text, strlen(text));
}

/* As editors and kubectl do: a new file is moved over the old one. */
static void replace_file(const struct world *world, const char *name, const char *text)
{
    char from[256];
    write_file(world, ".new", text);
    snprintf(from, sizeof(from), "%s", path_of(world, ".new"));
    assert_int_equal(rename(from, path_of(world, name)), 0);
}

static char *workload(const char *name, int weight)
{
    static char text[4][512];
    static unsigned next;
    char *into = text[next++ % 4];
    snprintf(into, sizeof(text[0]),
             "apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: %s}\n"
             "spec: {addresses: [10.0.0.1], weight: %d}\n---\n",
             name, weight);
    return into;
}

static int64_t weight_of(const struct world *world, const char *name)
{
    char key[128];
    snprintf(key, sizeof(key), "Workload/default/%s", name);
    const struct object *object = map_get(&world->objects, span_of(key));
    return object != NULL ? ((const struct workload_body *)object->body)->spec.weight : -1;
}

static const char *problems_of(const struct world *world, const char *name)
{
    const char *text = map_get(&world->problems, span_of(path_of(world, name)));
    return text != NULL ? text : "";
}

static bool has_synced(void *owner)
{
    struct world *world = owner;
    return world->synced >= world->wanted;
}

static void wait_for_batch(struct world *world)
{
    world->wanted = world->synced + 1;
    assert_true(loop_run_until(world->loop, has_synced, world, 10000));
}

static void world_open(struct world *world)
{
    *world = (struct world){0};
    snprintf(world->root, sizeof(world->root), "/tmp/remora-directory-XXXXXX");
    assert_non_null(mkdtemp(world->root));
    world->loop = loop_create();
}

static void world_start(struct world *world)
{
    struct source_listener listener = {on_object, on_removed, on_problems, on_synced, world};
    world->source = directory_source_create(world->loop, world->root, &listener);
    source_start(world->source);
    assert_int_equal(world->synced, 1);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    return remove(path);
}

static void world_close(struct world *world)
{
    size_t at = 0;
    struct span key;
    void *value;
    source_destroy(world->source);
    while (map_next(&world->objects, &at, &key, &value)) {
        object_unref(value);
    }
    for (at = 0; map_next(&world->problems, &at, &key, &value);) {
        mem_free(value);
    }
    map_done(&world->objects);
    map_done(&world->problems);
    loop_destroy(world->loop);
    nftw(world->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void what_is_there_at_the_start_is_told_before_start_returns(void **state)
{
    struct world world;
    world_open(&world);
    write_file(&world, "a.yaml", workload("a", 1));
    assert_int_equal(mkdir(path_of(&world, "sub"), 0700), 0);
    write_file(&world, "sub/b.yml", workload("b", 2));
    write_file(&world, "sub/notes.txt", "not: [a manifest");
    write_file(&world, ".hidden.yaml", workload("c", 3));
    world_start(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_int_equal(weight_of(&world, "b"), 2);
    assert_int_equal(weight_of(&world, "c"), -1);
    assert_int_equal(world.problems.count, 0);
    world_close(&world);
}

static void a_replaced_file_changes_only_what_differs(void **state)
{
    struct world world;
    struct text both = {0};
    world_open(&world);
    text_printf(&both, "%s%s", workload("a", 1), workload("b", 1));
    write_file(&world, "a.yaml", both.bytes);
    world_start(&world);
    world.changes = 0;
    text_clear(&both);
    text_printf(&both, "# a comment moves the lines\n%s%s", workload("a", 1), workload("b", 7));
    replace_file(&world, "a.yaml", both.bytes);
    wait_for_batch(&world);
    assert_int_equal(world.changes, 1);
    assert_int_equal(weight_of(&world, "b"), 7);
    const struct object *a = map_get(&world.objects, SPAN("Workload/default/a"));
    assert_int_equal(a->line, 2);
    text_done(&both);
    world_close(&world);
}

static void broken_content_keeps_the_last_good_objects(void **state)
{
    static const struct {
        struct span bytes;
        const char *problem;
    } cases[] = {
        {{"a: [", 4}, "not YAML"},
        {{"x\x7f\x00\x01\x02", 5}, "not text: byte 0x7f"},
        {{"", 0}, "is empty"},
        {SPAN_OF("apiVersion: remora.dev/v1alpha1\nkind: Workload\nmetadata: {name: a}\n"
                 "spec: {addresses: [10.0.0.1], weight: 5000}\n"),
         "a.yaml:4: Workload default/a: spec.weight: must be 0 to 1000"},
        {SPAN_OF("apiVersion: remora.dev/v1alpha1\nkind: Workload\n"
                 "spec: {addresses: [10.0.0.1]}\n"),
         "metadata.name: is required"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world;
        world_open(&world);
        write_file(&world, "a.yaml", workload("a", 9));
        write_file(&world, "b.yaml", workload("b", 1));
        world_start(&world);
        write_bytes(&world, "a.yaml", cases[i].bytes.at, cases[i].bytes.length);
        wait_for_batch(&world);
        assert_int_equal(weight_of(&world, "a"), 9);
        assert_int_equal(world.removals, 0);
        if (strstr(problems_of(&world, "a.yaml"), cases[i].problem) == NULL) {
            fail_msg("case %zu: %s", i, problems_of(&world, "a.yaml"));
        }
        write_file(&world, "a.yaml", workload("a", 4));
        wait_for_batch(&world);
        assert_int_equal(weight_of(&world, "a"), 4);
        assert_string_equal(problems_of(&world, "a.yaml"), "");
        world_close(&world);
    }
}

static void one_broken_object_does_not_hold_back_the_others_of_its_file(void **state)
{
    struct world world;
    struct text both = {0};
    world_open(&world);
    text_printf(&both, "%s%s%s", workload("a", 1), workload("b", 1), workload("c", 1));
    write_file(&world, "a.yaml", both.bytes);
    world_start(&world);
    text_clear(&both);
    text_printf(&both, "%s%s", workload("a", 2), workload("b", 2000));
    write_file(&world, "a.yaml", both.bytes);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 2);
    assert_int_equal(weight_of(&world, "b"), 1);
    assert_int_equal(weight_of(&world, "c"), -1);
    text_done(&both);
    world_close(&world);
}

static void a_file_of_50_megabytes_is_refused_unread(void **state)
{
    struct world world;
    world_open(&world);
    write_file(&world, "a.yaml", workload("a", 1));
    world_start(&world);
    assert_int_equal(truncate(path_of(&world, "a.yaml"), 50 << 20), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_string_equal(problems_of(&world, "a.yaml"), "a.yaml: larger than 8 MiB\n");
    world_close(&world);
}

static void a_deleted_file_and_a_deleted_folder_remove_their_objects(void **state)
{
    struct world world;
    world_open(&world);
    assert_int_equal(mkdir(path_of(&world, "sub"), 0700), 0);
    write_file(&world, "sub/a.yaml", workload("a", 1));
    write_file(&world, "b.yaml", workload("b", 1));
    world_start(&world);
    assert_int_equal(unlink(path_of(&world, "sub/a.yaml")), 0);
    assert_int_equal(rmdir(path_of(&world, "sub")), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), -1);
    assert_int_equal(weight_of(&world, "b"), 1);
    world_close(&world);
}

static void a_folder_made_later_is_watched_too(void **state)
{
    struct world world;
    world_open(&world);
    world_start(&world);
    assert_int_equal(mkdir(path_of(&world, "sub"), 0700), 0);
    write_file(&world, "sub/a.yaml", workload("a", 1));
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    replace_file(&world, "sub/a.yaml", workload("a", 2));
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 2);
    world_close(&world);
}

static void an_object_in_two_files_is_in_force_from_the_first_path(void **state)
{
    struct world world;
    world_open(&world);
    write_file(&world, "b.yaml", workload("a", 2));
    world_start(&world);
    write_file(&world, "c.yaml", workload("a", 3));
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 2);
    assert_non_null(
        strstr(problems_of(&world, "c.yaml"), "c.yaml:1: Workload default/a: is also in "));
    assert_int_equal(unlink(path_of(&world, "b.yaml")), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 3);
    assert_int_equal(world.removals, 0);
    assert_string_equal(problems_of(&world, "c.yaml"), "");
    world_close(&world);
}

static void an_object_that_moves_to_another_file_is_never_gone(void **state)
{
    struct world world;
    char from[256];
    world_open(&world);
    write_file(&world, "b.yaml", workload("a", 2));
    world_start(&world);
    snprintf(from, sizeof(from), "%s", path_of(&world, "b.yaml"));
    assert_int_equal(rename(from, path_of(&world, "a.yaml")), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 2);
    assert_int_equal(world.removals, 0);
    world_close(&world);
}

static void a_config_map_mount_is_followed_through_its_swap(void **state)
{
    struct world world;
    char target[256];
    world_open(&world);
    assert_int_equal(mkdir(path_of(&world, "..2024_1"), 0700), 0);
    write_file(&world, "..2024_1/a.yaml", workload("a", 1));
    assert_int_equal(symlink("..2024_1", path_of(&world, "..data")), 0);
    assert_int_equal(symlink("..data/a.yaml", path_of(&world, "a.yaml")), 0);
    world_start(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_int_equal(world.objects.count, 1);
    assert_int_equal(mkdir(path_of(&world, "..2024_2"), 0700), 0);
    write_file(&world, "..2024_2/a.yaml", workload("a", 2));
    assert_int_equal(symlink("..2024_2", path_of(&world, "..data_tmp")), 0);
    snprintf(target, sizeof(target), "%s", path_of(&world, "..data_tmp"));
    assert_int_equal(rename(target, path_of(&world, "..data")), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 2);
    assert_int_equal(world.removals, 0);
    world_close(&world);
}

static void pipes_dangling_links_and_circles_of_links_do_no_harm(void **state)
{
    struct world world;
    world_open(&world);
    write_file(&world, "a.yaml", workload("a", 1));
    assert_int_equal(mkfifo(path_of(&world, "p.yaml"), 0600), 0);
    assert_int_equal(symlink("nowhere.yaml", path_of(&world, "d.yaml")), 0);
    assert_int_equal(symlink(".", path_of(&world, "circle")), 0);
    world_start(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_string_equal(problems_of(&world, "p.yaml"), "p.yaml: is no regular file\n");
    assert_int_equal(world.problems.count, 1);
    world_close(&world);
}

static void a_root_that_vanishes_keeps_everything(void **state)
{
    struct world world;
    char moved[80];
    world_open(&world);
    write_file(&world, "a.yaml", workload("a", 1));
    world_start(&world);
    snprintf(moved, sizeof(moved), "%s.away", world.root);
    assert_int_equal(rename(world.root, moved), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_int_equal(world.removals, 0);
    assert_int_equal(world.problems.count, 1);
    assert_int_equal(rename(moved, world.root), 0);
    wait_for_batch(&world);
    assert_int_equal(weight_of(&world, "a"), 1);
    assert_int_equal(world.problems.count, 0);
    world_close(&world);
}

static void ten_writes_in_a_row_are_one_batch(void **state)
{
    struct world world;
    world_open(&world);
    world_start(&world);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "f%d.yaml", i);
        char object[8];
        snprintf(object, sizeof(object), "w%d", i);
        write_file(&world, name, workload(object, i));
    }
    wait_for_batch(&world);
    assert_int_equal(world.objects.count, 10);
    assert_int_equal(world.synced, 2);
    world_close(&world);
}

/* One writer truncates and writes in place as fast as it can; the other end must converge on what
 * stands at the end, and never see half an object. */
static void files_rewritten_in_place_without_pause_converge(void **state)
{
    struct world world;
    world_open(&world);
    write_file(&world, "a.yaml", workload("a", 0));
    world_start(&world);
    for (int i = 1; i <= 200; i++) {
        write_file(&world, "a.yaml", workload("a", i));
        loop_turn(world.loop);
        assert_true(weight_of(&world, "a") >= 0);
    }
    while (weight_of(&world, "a") != 200) {
        wait_for_batch(&world);
    }
    assert_int_equal(world.removals, 0);
    world_close(&world);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(what_is_there_at_the_start_is_told_before_start_returns),
        cmocka_unit_test(a_replaced_file_changes_only_what_differs),
        cmocka_unit_test(broken_content_keeps_the_last_good_objects),
        cmocka_unit_test(one_broken_object_does_not_hold_back_the_others_of_its_file),
        cmocka_unit_test(a_file_of_50_megabytes_is_refused_unread),
        cmocka_unit_test(a_deleted_file_and_a_deleted_folder_remove_their_objects),
        cmocka_unit_test(a_folder_made_later_is_watched_too),
        cmocka_unit_test(an_object_in_two_files_is_in_force_from_the_first_path),
        cmocka_unit_test(an_object_that_moves_to_another_file_is_never_gone),
        cmocka_unit_test(a_config_map_mount_is_followed_through_its_swap),
        cmocka_unit_test(pipes_dangling_links_and_circles_of_links_do_no_harm),
        cmocka_unit_test(a_root_that_vanishes_keeps_everything),
        cmocka_unit_test(ten_writes_in_a_row_are_one_batch),
        cmocka_unit_test(files_rewritten_in_place_without_pause_converge),
    };
    return TEST_MAIN(cases, argc, argv);
}
