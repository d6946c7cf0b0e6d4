/* secret.c: see secret.h. */
#define _GNU_SOURCE
#include "mesh/inspect/secret.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One line of a descriptor, without its end. */
static bool from_descriptor(const char *name, struct passphrase *p, struct problem *err)
{
    char *end, c = 0;
    size_t n = 0;
    long fd = strtol(name, &end, 10);
    if (end == name || *end != '\0' || fd < 0)
        return problem_fact(err, "\"fd:%s\" is no descriptor", name);
    memset(p, 0, sizeof *p);
    while (n + 1 < sizeof p->text && read((int)fd, &c, 1) == 1 && c != '\n' && c != '\r')
        p->text[n++] = c;
    return n >= PASSPHRASE_MIN ||
           problem_fact(err, "\"fd:%s\" gives no passphrase of %d characters or more", name, PASSPHRASE_MIN);
}

static bool from_file(const char *name, struct passphrase *p, struct problem *err)
{
    return strncmp(name, "fd:", 3) == 0 ? from_descriptor(name + 3, p, err)
                                        : passphrase_read_file(name, p, err);
}

struct asking {
    const char *path, *file;
};

static bool ask(void *arg, struct passphrase *p, struct problem *err)
{
    const struct asking *a = arg;
    if (a->file == NULL && !secret_has_terminal()) {
        problem_fact(err, "\"%s\" is under a passphrase, and there is no terminal to ask at", a->path);
        return problem_hint(
            err, "Give a file with it, mode 0600: --key-passphrase-file FILE. A program is given a key of "
                 "its own: pgmesh operator add NAME --role operator --no-passphrase.");
    }
    return a->file ? from_file(a->file, p, err)
                   : passphrase_read_terminal(text("Passphrase of %s: ", a->path), false, p, err);
}

bool secret_key(const char *path, const char *passphrase_file, struct key *k, struct problem *err)
{
    struct asking a = {.path = path, .file = passphrase_file};
    return keys_sealed_read(path, k, NULL, ask, &a, err);
}

bool secret_new(const char *path, const char *passphrase_file, struct passphrase *p, struct problem *err)
{
    return passphrase_file ? from_file(passphrase_file, p, err)
                           : passphrase_read_terminal(text("New passphrase for %s: ", path), true, p, err);
}

bool secret_line(const char *prompt, const char *file, struct passphrase *p, struct problem *err)
{
    return file ? from_file(file, p, err) : passphrase_read_terminal(prompt, false, p, err);
}

bool secret_has_terminal(void)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

const char *secret_path(const struct inspect *x, const char *configured)
{
    const char *named = getenv("PGMESH_OPERATOR_KEY"), *home = getenv("HOME");
    if (x->key != NULL)
        return x->key;
    if (named != NULL && *named != '\0')
        return named;
    if (*configured != '\0')
        return configured;
    const char *own = text("%s/.config/pgmesh/operator.key", home == NULL ? "" : home);
    return home != NULL && *home == '/' && access(own, F_OK) == 0 ? own : NULL;
}
