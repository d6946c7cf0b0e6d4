/*
 * replay: runs every file of a directory through a fuzz target, without a fuzzer.
 *
 *     fuzz_frame tests/fuzz/corpus/frame
 *
 * Each input lies in a block of exactly its size, so that the address sanitizer sees a read past its end.
 * The empty input always runs first. A directory that cannot be read or holds nothing is a failure: a corpus
 * that has gone missing must not look like one that passes.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    struct stat st;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &st) != 0) {
        perror(path);
        exit(1);
    }
    if (!S_ISREG(st.st_mode)) {
        fclose(file);
        return 0;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "replay: %s, %zu bytes\n", path, size);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 1;
}

int main(int argc, char **argv)
{
    int files = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        fprintf(stderr, "replay: cannot read the corpus directory \"%s\"\n", argc == 2 ? argv[1] : "");
        return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        files += replay_file(path);
    }
    closedir(dir);
    printf("replay: %d files of %s\n", files, argv[1]);
    return files > 0 ? 0 : 1;
}
