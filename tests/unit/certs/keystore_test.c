#include "certs/keystore.h"

#include "lib/base/memory.h"
#include "tests/unit/test_main.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char parent[64];
    char folder[96];
    struct keystore *store;
};

static int set_up(void **state)
{
    char reason[KEYSTORE_REASON_BYTES];
    struct place *place = NEW(struct place);
    strcpy(place->parent, "/tmp/keystore_test.XXXXXX");
    assert_non_null(mkdtemp(place->parent));
    snprintf(place->folder, sizeof(place->folder), "%s/keys", place->parent);
    place->store = keystore_open(place->folder, reason);
    assert_non_null(place->store);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    keystore_close(place->store);
    DIR *folder = opendir(place->folder);
    if (folder != NULL) {
        struct dirent *entry;
        while ((entry = readdir(folder)) != NULL) {
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
        }
        closedir(folder);
    }
    (void)rmdir(place->folder);
    (void)rmdir(place->parent);
    mem_free(place);
    return 0;
}

static void path_of(const struct place *place, const char *name, char *into)
{
    snprintf(into, 160, "%s/%s", place->folder, name);
}

static void what_is_written_is_read_again_and_replaced_whole(void **state)
{
    struct place *place = *state;
    char reason[KEYSTORE_REASON_BYTES], path[160];
    struct text got = {0};
    struct stat facts;
    assert_int_equal(keystore_read(place->store, "root.key", &got, reason), KEYSTORE_MISSING);
    assert_true(keystore_write(place->store, "root.key", SPAN("first"), reason));
    assert_true(keystore_write(place->store, "root.key", SPAN("second"), reason));
    assert_int_equal(keystore_read(place->store, "root.key", &got, reason), KEYSTORE_OK);
    assert_string_equal(got.bytes, "second");
    path_of(place, "root.key", path);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0600);
    assert_int_equal(stat(place->folder, &facts), 0);
    assert_int_equal(facts.st_mode & 07777, 0700);
    assert_true(keystore_remove(place->store, "root.key", reason));
    assert_true(keystore_remove(place->store, "root.key", reason));
    assert_int_equal(keystore_read(place->store, "root.key", &got, reason), KEYSTORE_MISSING);
    text_done(&got);
}

static void a_file_that_others_may_use_is_refused(void **state)
{
    struct place *place = *state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644, 0666};
    char reason[KEYSTORE_REASON_BYTES], path[160];
    struct text got = {0};
    assert_true(keystore_write(place->store, "key", SPAN("secret"), reason));
    path_of(place, "key", path);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_REFUSED);
        assert_non_null(strstr(reason, "others may use it"));
        assert_int_equal(got.length, 0);
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_OK);
    text_done(&got);
}

static void a_file_of_somebody_else_is_refused(void **state)
{
    struct place *place = *state;
    char reason[KEYSTORE_REASON_BYTES], path[160];
    struct text got = {0};
    if (geteuid() != 0) {
        skip();
    }
    assert_true(keystore_write(place->store, "key", SPAN("secret"), reason));
    path_of(place, "key", path);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_REFUSED);
    assert_non_null(strstr(reason, "12345"));
}

static void links_pipes_folders_and_long_files_are_refused(void **state)
{
    struct place *place = *state;
    char reason[KEYSTORE_REASON_BYTES], path[160], other[160];
    struct text got = {0};
    assert_true(keystore_write(place->store, "key", SPAN("secret"), reason));
    path_of(place, "key", path);
    path_of(place, "soft", other);
    assert_int_equal(symlink(path, other), 0);
    assert_int_equal(keystore_read(place->store, "soft", &got, reason), KEYSTORE_REFUSED);
    path_of(place, "pipe", other);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_int_equal(keystore_read(place->store, "pipe", &got, reason), KEYSTORE_REFUSED);
    path_of(place, "hard", other);
    assert_int_equal(link(path, other), 0);
    assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_REFUSED);
    assert_non_null(strstr(reason, "hard links"));
    assert_int_equal(unlink(other), 0);
    assert_int_equal(truncate(path, KEYSTORE_FILE_BYTES + 1), 0);
    assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_REFUSED);
    char *much = mem_zalloc(KEYSTORE_FILE_BYTES + 1);
    assert_false(
        keystore_write(place->store, "key", span_make(much, KEYSTORE_FILE_BYTES + 1), reason));
    mem_free(much);
    assert_int_equal(got.length, 0);
}

static void a_folder_that_others_may_use_is_refused(void **state)
{
    struct place *place = *state;
    char reason[KEYSTORE_REASON_BYTES];
    assert_int_equal(chmod(place->folder, 0750), 0);
    assert_null(keystore_open(place->folder, reason));
    assert_non_null(strstr(reason, "others may use it"));
    assert_null(keystore_open("/nowhere/at/all", reason));
    assert_null(keystore_open("/dev/null", reason));
}

static void names_stay_inside_the_folder(void **state)
{
    struct place *place = *state;
    static const char *const names[] = {"",        ".",   "..",  "../x",  "a/b",
                                        ".hidden", "a b", "a\n", "/etc/x"};
    char reason[KEYSTORE_REASON_BYTES];
    struct text got = {0};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_false(keystore_write(place->store, names[i], SPAN("x"), reason));
        assert_int_equal(keystore_read(place->store, names[i], &got, reason), KEYSTORE_REFUSED);
        assert_false(keystore_remove(place->store, names[i], reason));
    }
}

static void a_write_that_fails_leaves_the_old_file(void **state)
{
    struct place *place = *state;
    char reason[KEYSTORE_REASON_BYTES], path[160];
    assert_true(keystore_write(place->store, "key", SPAN("old"), reason));
    path_of(place, "taken", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(keystore_write(place->store, "taken", SPAN("new"), reason));
    assert_int_equal(rmdir(path), 0);
    struct text got = {0};
    assert_int_equal(keystore_read(place->store, "key", &got, reason), KEYSTORE_OK);
    assert_string_equal(got.bytes, "old");
    text_done(&got);
    unsigned files = 0;
    DIR *folder = opendir(place->folder);
    while (readdir(folder) != NULL) {
        files++;
    }
    closedir(folder);
    assert_int_equal(files, 3); /* ".", "..", "key": no half-written file is left */
}

static void memory_is_told_from_disk(void **state)
{
    assert_true(access("/dev/shm", F_OK) != 0 || path_is_memory_backed("/dev/shm"));
    assert_false(path_is_memory_backed("/proc"));
    assert_false(path_is_memory_backed("/nowhere/at/all"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_again_and_replaced_whole, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_others_may_use_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_of_somebody_else_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_pipes_folders_and_long_files_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_that_others_may_use_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_stay_inside_the_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_the_old_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_is_told_from_disk, set_up, tear_down),
    };
    return TEST_MAIN(cases, argc, argv);
}
