/* rootkey.c: see rootkey.h. */
#include "mesh/inspect/rootkey.h"

#include <string.h>

#include "mesh/inspect/problems.h"

static bool ask(void *arg, struct passphrase *p, struct problem *err)
{
    const struct rootkey *r = arg;
    return r->passphrase_file ? passphrase_read_file(r->passphrase_file, p, err)
                              : passphrase_read_terminal(text("Passphrase of %s: ", r->file), false, p, err);
}

int rootkey_read(struct inspect *x, const struct rootkey *r, struct key *root, bool *sealed)
{
    struct problem err = {0};
    if (r->file == NULL)
        return usage(
            x, "the root key is not named",
            "Who belongs to the cluster is signed by its root key: --root-key FILE, made by \"pgmesh init\".");
    keys_begin();
    if (keys_sealed_read(r->file, root, sealed, ask, (void *)r, &err))
        return EXIT_OK;
    return output_problem(&x->out, EXIT_PERMISSION, &err);
}

int rootkey_for(struct inspect *x, const struct cluster *c, const struct roster *roster,
                const struct rootkey *r, struct key *root)
{
    int code = rootkey_read(x, r, root, NULL);
    if (code != EXIT_OK || memcmp(root->public, c->root, KEY_SIZE) == 0)
        return code;
    bool former = false;
    for (int i = 0; i < roster->n_roots; i++)
        former = former || memcmp(root->public, roster->roots[i], KEY_SIZE) == 0;
    keys_wipe(root, sizeof *root);
    return output_fail(
        &x->out, EXIT_PERMISSION,
        text("\"%s\" is %s root key of cluster %s", r->file, former ? "a former" : "not the", c->name),
        former ? "It was rotated: nothing that it signs is taken any more."
               : "The cluster file names another.",
        former ? "Take the file that \"pgmesh root rotate\" made last."
               : "Each cluster has its own; init wrote it as root.key.");
}
