#include "tests/unit/test_main.h"

#include "control/source/directory/manifest_file.h"

#include <stdlib.h>
#include <unistd.h>

static enum file_outcome read_once(struct manifest_file *file)
{
    struct manifest_before before;
    enum file_outcome outcome = manifest_file_read(file, &before);
    manifest_before_done(&before);
    return outcome;
}

static void a_file_that_vanished_since_it_was_listed_is_gone(void **state)
{
    struct manifest_file *file = manifest_file_create("/tmp/remora-there-is-no-such-file.yaml");
    assert_int_equal(read_once(file), FILE_GONE);
    assert_int_equal(file->problems.count, 0);
    manifest_file_destroy(file);
}

/* A file of procfs says that it is empty, and is not: as one that grows while it is read. */
static void a_file_that_changes_while_it_is_read_is_read_again_but_not_for_ever(void **state)
{
    struct manifest_file *file = manifest_file_create("/proc/self/status");
    int again = 0;
    while (read_once(file) == FILE_MOVING) {
        assert_int_equal(file->count, 0);
        again++;
        assert_true(again < 1000);
    }
    assert_true(again > 1);
    assert_string_equal(file->problems.items[0].text, "changes all the time while it is read");
    manifest_file_destroy(file);
}

static void a_folder_or_a_device_is_no_file(void **state)
{
    static const char *const paths[] = {"/tmp", "/dev/zero"};
    for (size_t i = 0; i < 2; i++) {
        struct manifest_file *file = manifest_file_create(paths[i]);
        assert_int_equal(read_once(file), FILE_READ);
        assert_string_equal(file->problems.items[0].text, "is no regular file");
        manifest_file_destroy(file);
    }
}

static void the_same_reason_to_refuse_a_file_is_told_once(void **state)
{
    struct manifest_file *file = manifest_file_create("/dev/zero");
    assert_int_equal(read_once(file), FILE_READ);
    assert_true(file->stale);
    file->stale = false;
    assert_int_equal(read_once(file), FILE_READ);
    assert_false(file->stale);
    assert_int_equal(file->problems.count, 1);
    manifest_file_destroy(file);
}

static void a_file_that_was_only_touched_keeps_its_objects_as_they_are(void **state)
{
    static const char text[] = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n";
    char path[] = "/tmp/remora-file-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    struct manifest_file *file = manifest_file_create(path);
    assert_int_equal(read_once(file), FILE_READ);
    const struct object *object = file->objects[0];
    file->stale = false;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    assert_int_equal(read_once(file), FILE_READ);
    assert_ptr_equal(file->objects[0], object);
    assert_false(file->stale);
    close(fd);
    unlink(path);
    manifest_file_destroy(file);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test(a_file_that_vanished_since_it_was_listed_is_gone),
        cmocka_unit_test(a_file_that_changes_while_it_is_read_is_read_again_but_not_for_ever),
        cmocka_unit_test(a_folder_or_a_device_is_no_file),
        cmocka_unit_test(the_same_reason_to_refuse_a_file_is_told_once),
        cmocka_unit_test(a_file_that_was_only_touched_keeps_its_objects_as_they_are),
    };
    return TEST_MAIN(cases, argc, argv);
}
