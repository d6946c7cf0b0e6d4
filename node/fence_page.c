#define _GNU_SOURCE /* memfd_create */
#include "node/fence_page.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

instant fence_now(void)
{
    struct timespec boot, raw;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC_RAW, &raw);
    return (instant){boot.tv_sec * 1000000000LL + boot.tv_nsec, raw.tv_sec * 1000000000LL + raw.tv_nsec};
}

struct fence_page *fence_page_map(int fd)
{
    void *at = mmap(NULL, sizeof(struct fence_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

struct fence_page *fence_page_make(int *fd)
{
    *fd = memfd_create("pgmesh-fence", 0); /* inherited by the agent on purpose */
    if (*fd < 0 || ftruncate(*fd, sizeof(struct fence_page)) < 0)
        return NULL;
    struct fence_page *page = fence_page_map(*fd);
    if (page)
        atomic_store(&page->layout, FENCE_PAGE_LAYOUT);
    return page;
}

bool fence_page_known(const struct fence_page *page)
{
    uint32_t layout = atomic_load(&page->layout);
    return layout == 0 || layout == FENCE_PAGE_LAYOUT;
}

bool fence_page_read(struct fence_page *page, struct fence_lease *out)
{
    for (int i = 0; i < 1000; i++) {
        uint32_t before = atomic_load(&page->lock);
        if (before & 1)
            continue;
        struct fence_lease l = {.term = atomic_load(&page->lease_term),
                                .until = {atomic_load(&page->boot_ns), atomic_load(&page->raw_ns)}};
        if (atomic_load(&page->lock) != before)
            continue;
        *out = l;
        return true;
    }
    return false;
}

static void ring(int bell)
{
    if (bell >= 0)
        eventfd_write(bell, 1);
}

void fence_page_lease(struct fence_page *page, int bell, instant until, uint64_t term)
{
    struct fence_lease old = {0};
    bool whole = fence_page_read(page, &old);
    bool lower = !whole || old.term != term || until.boot_ns < old.until.boot_ns;
    atomic_store(&page->lock, atomic_load(&page->lock) | 1); /* odd also after an agent that died writing */
    atomic_store(&page->lease_term, term);
    atomic_store(&page->boot_ns, until.boot_ns);
    atomic_store(&page->raw_ns, until.raw_ns);
    atomic_fetch_add(&page->lock, 1);
    /* A guard that waits for a deadline finds a raised one by itself when it wakes. */
    if (lower || atomic_load(&page->frozen))
        ring(bell);
}

bool fence_page_held(struct fence_page *page, uint64_t term)
{
    struct fence_lease l;
    return fence_page_read(page, &l) && l.term == term && !instant_due_any(fence_now(), l.until);
}

bool fence_page_arm(struct fence_page *page, int bell, uint64_t term, int wait_ms)
{
    atomic_store(&page->armed_term, term);
    if (bell < 0)
        return true;
    ring(bell);
    instant end = instant_add(fence_now(), span_ms(wait_ms));
    while (atomic_load(&page->seen_term) != term) {
        if (instant_due_any(fence_now(), end))
            return false;
        poll(NULL, 0, 1); /* the answer is a word of shared memory */
    }
    return true;
}

void fence_page_disarm(struct fence_page *page, int bell)
{
    atomic_store(&page->armed_term, 0);
    ring(bell);
}
