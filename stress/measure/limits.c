/*
 * Twins in C of the hot paths, for limits.py: what the hardware and a C compiler make of the same work on the same kind of memory.
 *
 *   references   get-unless-zero + put: hot, at random over 64 MiB, by two workers on one word
 *   allocations  the per-CPU list with its trylock and counters; the same in bulk, with refills from and drains to a buddy under a lock
 *   scans        set bits of 512-bit bitmaps at four densities; linked lists in the first level of cache, in the second, and over 64 MiB
 *   copies       4 KiB frames at random over 256 MiB
 *
 * A worker for each processor is forked once. A request is a line "NAME WORKERS MICROSECONDS", where bit w of WORKERS stands for worker w;
 * the answer is a line with the mean of the workers' ns of own CPU time per operation: on a busy host the wall clock includes other
 * processes. Workers warm up for a quarter of the time, wait for each other, and stop when the first has used up its time. All memory is
 * shared and in huge pages where the kernel grants them, as that of a machine is.
 *
 *   gcc -std=gnu11 -O2 -march=native limits.c -o limits && echo "hot 1 20000" | ./limits CPU CPU
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#define MADV_COLLAPSE_NOW 25 /* MADV_COLLAPSE, Linux 6.1 */
#define NOBJ (1u << 20)
#define NCOPY (1u << 16)
#define NHOT 256
#define NMID 4096
#define relaxed memory_order_relaxed
#define fast static inline __attribute__((always_inline))
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Zeroed. Each array begins a page and two lines later in its huge page than the one before, as those of a segment: were all first words equal
   in their low address bits, processors that index by those would evict them all the time (a pair took 16 ns instead of 8 ns). */
static void *shm(size_t n)
{
	static size_t skew;
	skew += 4096 + 128;
	n = (n + skew + HUGE - 1) / HUGE * HUGE;
	char *room = mmap(0, n + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED) { perror("mmap"); exit(1); }
	char *at = (char *)(((uintptr_t)room + HUGE - 1) / HUGE * HUGE);
	if (mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) { perror("mmap"); exit(1); }
	memset(at, 0, n);
	madvise(at, n, MADV_COLLAPSE_NOW);
	return at + skew;
}

static double now(void) { struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static uint64_t rs = 88172645463325252ull;
static uint64_t rnd(void) { rs ^= rs << 13; rs ^= rs >> 7; rs ^= rs << 17; return rs; }

static void mkperm(uint32_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) p[i] = i;
	for (uint32_t i = n - 1; i; i--) { uint32_t j = rnd() % (i + 1), t = p[i]; p[i] = p[j]; p[j] = t; }
}

/* what a worker keeps between requests */
typedef struct { int w; uint32_t pos; uint64_t fails, sum; struct node *at[3]; } st_t;

/* ------------------------------------------------------------------------------------------------------------- references */

typedef struct { _Alignas(64) _Atomic uint32_t ref; uint32_t pad[15]; } obj_t;
static obj_t *obj;
static uint32_t *perm[2];

static inline int get_unless_zero(_Atomic uint32_t *r, uint64_t *fails)
{
	uint32_t c = atomic_load_explicit(r, relaxed);
	do {
		if (!c) return 0;
		if (__builtin_expect(atomic_compare_exchange_weak_explicit(r, &c, c + 1, memory_order_acq_rel, relaxed), 1)) return 1;
		(*fails)++;
	} while (1);
}
static inline void put(_Atomic uint32_t *r) { atomic_fetch_sub_explicit(r, 1, memory_order_acq_rel); }
/* code that frees by reference counting needs the result */
static inline int put_testzero(_Atomic uint32_t *r) { return atomic_fetch_sub_explicit(r, 1, memory_order_acq_rel) == 1; }

static uint64_t pairs(_Atomic uint32_t *r, st_t *s)
{
	for (int i = 0; i < 4096; i++) { get_unless_zero(r, &s->fails); put(r); __asm__ volatile("" ::: "memory"); }
	return 4096;
}
static uint64_t b_hot(st_t *s) { return pairs(&obj[s->w * 1024 + 8].ref, s); }
static uint64_t b_contended(st_t *s) { return pairs(&obj[8].ref, s); }
static uint64_t b_random(st_t *s)
{
	uint32_t *p = perm[s->w];
	for (int i = 0; i < 4096; i++) { _Atomic uint32_t *r = &obj[p[s->pos++ & (NOBJ - 1)]].ref; get_unless_zero(r, &s->fails); put(r); }
	return 4096;
}
static uint64_t b_random_tested(st_t *s)
{
	uint32_t *p = perm[s->w];
	for (int i = 0; i < 4096; i++) {
		_Atomic uint32_t *r = &obj[p[s->pos++ & (NOBJ - 1)]].ref;
		if (!get_unless_zero(r, &s->fails) || put_testzero(r)) abort();
	}
	return 4096;
}

/* ------------------------------------------------------------------------------------------------------------ allocations */

#define NONE_WORD 144
#define BUDDY(order) (1 | (order) << 4)
#define ORDERS 11
#define BLOCK 9
#define HIGH 128
#define BATCH 32
#define STREAK_MAX 5
#define HELD 4096
#define PCP_ORDERS 4
#define LISTS (PCP_ORDERS * 3) /* by order and migratetype */
typedef struct { _Alignas(128) _Atomic int64_t word; } lock_t;
typedef struct { _Alignas(128) int32_t nr[LISTS], total, high, streak; _Alignas(128) int32_t frames[LISTS][HIGH * 2]; } pcp_t;
/* counters of one CPU, each of its own class of events */
typedef struct { _Alignas(128) uint64_t locked[2], hit, alloc, freed, refill, drain; } stat_t;
typedef struct { int32_t migratetype, nid; int64_t pad[3]; } block_t;
typedef struct { int32_t next, prev; } link_t; /* frame + 1; 0 ends a list */
typedef struct { _Alignas(128) _Atomic int64_t free; int64_t low; } zone_t;
typedef struct { lock_t zone_lock, pcp_lock[2]; zone_t zone; pcp_t pcp[2]; stat_t stat[2]; struct { int32_t head, nr; } area[ORDERS]; } state_t;
/* what is fixed when a machine is made; the paths that are timed keep a copy, which no other CPU can change */
typedef struct { state_t *z; _Atomic int64_t *memdesc; link_t *links; block_t *blocks; int nr_nodes, block_order, movable, order; } machine_t;
static machine_t machine;
static int32_t *held[2];

static inline int trylock(const machine_t *m, lock_t *l, int w, int klass)
{
	int64_t none = 0;
	if (!atomic_compare_exchange_strong_explicit(&l->word, &none, w + 1, memory_order_acquire, relaxed)) return 0;
	m->z->stat[w].locked[klass]++;
	return 1;
}
static inline void unlock(lock_t *l, int w)
{
	if (unlikely(atomic_load_explicit(&l->word, relaxed) != w + 1)) abort();
	atomic_store_explicit(&l->word, 0, memory_order_release);
}
static void zone_lock(const machine_t *m, int w) { while (!trylock(m, &m->z->zone_lock, w, 1)) while (atomic_load_explicit(&m->z->zone_lock.word, relaxed)) __asm__ volatile("pause"); }

static void link_block(const machine_t *m, int32_t pfn, int order)
{
	int32_t old = m->z->area[order].head;
	m->links[pfn] = (link_t){ old, 0 };
	if (old) m->links[old - 1].prev = pfn + 1;
	m->z->area[order].head = pfn + 1;
	m->z->area[order].nr++;
	atomic_store_explicit(&m->memdesc[pfn], BUDDY(order), relaxed);
}

static void unlink_block(const machine_t *m, int32_t pfn, int order)
{
	if (unlikely(atomic_load_explicit(&m->memdesc[pfn], relaxed) != BUDDY(order))) abort();
	link_t l = m->links[pfn];
	int32_t *from = l.prev ? &m->links[l.prev - 1].next : &m->z->area[order].head;
	if (unlikely(*from != pfn + 1)) abort();
	*from = l.next;
	if (l.next) m->links[l.next - 1].prev = l.prev;
	m->z->area[order].nr--;
	atomic_store_explicit(&m->memdesc[pfn], NONE_WORD, relaxed);
}

static inline void account(const machine_t *m, int64_t frames) { atomic_store_explicit(&m->z->zone.free, atomic_load_explicit(&m->z->zone.free, relaxed) + frames, relaxed); }

/* up to `most` frames in a row from the smallest free block, as single ones would be taken; at slot, slot - 1 and so on */
static int take_run(const machine_t *m, int32_t *slot, int most)
{
	for (int order = 0; order < ORDERS; order++) if (m->z->area[order].head) {
		int32_t pfn = m->z->area[order].head - 1;
		int taken = most < 1 << order ? most : 1 << order;
		unlink_block(m, pfn, order);
		for (int rest = taken; rest < 1 << order; rest += rest & -rest) link_block(m, pfn + rest, __builtin_ctz(rest));
		account(m, -taken);
		for (int k = 0; k < taken; k++) slot[-k] = pfn + k;
		return taken;
	}
	return 0;
}

static void free_block(const machine_t *m, int32_t pfn, int order)
{
	account(m, 1 << order);
	for (; order < ORDERS - 1 && atomic_load_explicit(&m->memdesc[pfn ^ 1 << order], relaxed) == BUDDY(order); order++) {
		unlink_block(m, pfn ^ 1 << order, order);
		pfn &= ~(1 << order);
	}
	link_block(m, pfn, order);
}

static int order_of_run(const int32_t *slot, int n)
{
	int length = 1;
	while (length < n && length < 1 << BLOCK && (slot[length] ^ slot[0]) == length) length++;
	return 31 - __builtin_clz(length);
}

/* of order 0 only */
static __attribute__((noinline, cold)) void refill(const machine_t *m, int w, pcp_t *p, int which)
{
	int streak = p->streak > 0 ? p->streak : 0, room = p->high - p->total - BATCH, n = BATCH << streak, taken = 0;
	p->streak = streak < STREAK_MAX ? streak + 1 : streak;
	if (n > room) n = room > BATCH ? room : BATCH;
	zone_lock(m, w);
	while (taken < n) { int found = take_run(m, p->frames[which] + n - 1 - taken, n - taken); if (!found) abort(); taken += found; }
	unlock(&m->z->zone_lock, w);
	p->nr[which] = n;
	p->total += n;
	m->z->stat[w].refill++;
}

static __attribute__((noinline, cold)) void drain(const machine_t *m, int w, pcp_t *p, int which)
{
	int32_t *frames = p->frames[which];
	int streak = p->streak < 0 ? -p->streak : 0, n = BATCH << streak;
	p->streak = -(streak < STREAK_MAX ? streak + 1 : streak);
	if (n > p->high - BATCH) n = p->high - BATCH;
	if (n > p->nr[which]) n = p->nr[which];
	zone_lock(m, w);
	for (int done = 0; done < n;) {
		int order = order_of_run(frames + done, n - done);
		free_block(m, frames[done] & ~((1 << order) - 1), order);
		done += 1 << order;
	}
	unlock(&m->z->zone_lock, w);
	memmove(frames, frames + n, (p->nr[which] - n) * sizeof *frames);
	p->nr[which] -= n;
	p->total -= n;
	m->z->stat[w].drain++;
}

fast void check_none(const machine_t *m, int32_t pfn, int order)
{
	if (unlikely(atomic_load_explicit(&m->memdesc[pfn], relaxed) != NONE_WORD)) abort();
	if (unlikely(order)) for (int k = 1; k < 1 << order; k++) if (unlikely(atomic_load_explicit(&m->memdesc[pfn + k], relaxed) != NONE_WORD)) abort();
}

fast int32_t alloc_frame(const machine_t *m, int w, int nid, int order)
{
	int at = w * m->nr_nodes + nid, which = order * 3 + m->movable;
	pcp_t *p = &m->z->pcp[at];
	if (unlikely(order >= PCP_ORDERS || atomic_load_explicit(&m->z->zone.free, relaxed) - (1 << order) < m->z->zone.low)) abort();
	if (unlikely(!trylock(m, &m->z->pcp_lock[at], w, 0))) abort();
	if (unlikely(!p->nr[which])) refill(m, w, p, which);
	int32_t pfn = p->frames[which][--p->nr[which]];
	p->total -= 1 << order;
	unlock(&m->z->pcp_lock[at], w);
	m->z->stat[w].hit++;
	check_none(m, pfn, order);
	m->z->stat[w].alloc += 1 << order;
	return pfn;
}

fast void free_frame(const machine_t *m, int w, int32_t pfn, int order)
{
	block_t *b = &m->blocks[pfn >> m->block_order];
	int at = w * m->nr_nodes + b->nid, which = order * 3 + b->migratetype;
	pcp_t *p = &m->z->pcp[at];
	check_none(m, pfn, order);
	m->z->stat[w].freed += 1 << order;
	if (unlikely(order >= PCP_ORDERS || b->migratetype == 3)) abort();
	if (unlikely(!trylock(m, &m->z->pcp_lock[at], w, 0))) abort();
	if (unlikely(p->total + (1 << order) > p->high)) drain(m, w, p, which);
	p->frames[which][p->nr[which]++] = pfn;
	p->total += 1 << order;
	unlock(&m->z->pcp_lock[at], w);
}

static uint64_t b_alloc(st_t *s)
{
	const machine_t m = machine;
	int w = s->w;
	for (int i = 0; i < 4096; i++) free_frame(&m, w, alloc_frame(&m, w, 0, m.order), m.order);
	return 4096;
}
static uint64_t b_bulk(st_t *s)
{
	const machine_t m = machine;
	int w = s->w;
	int32_t *h = held[w];
	for (int i = 0; i < HELD; i++) h[i] = alloc_frame(&m, w, 0, m.order);
	for (int i = 0; i < HELD; i++) free_frame(&m, w, h[i], m.order);
	return HELD;
}

static void mkzone(void)
{
	machine_t *m = &machine;
	m->z = shm(sizeof *m->z);
	m->memdesc = shm(sizeof *m->memdesc * NOBJ);
	m->links = shm(sizeof *m->links * NOBJ);
	m->blocks = shm(sizeof *m->blocks * (NOBJ >> BLOCK));
	m->nr_nodes = m->movable = 1;
	m->block_order = BLOCK;
	for (uint32_t i = 0; i < NOBJ; i++) m->memdesc[i] = NONE_WORD;
	for (uint32_t i = 0; i < NOBJ >> BLOCK; i++) m->blocks[i].migratetype = 1;
	for (uint32_t i = NOBJ; i; i -= 1 << (ORDERS - 1)) link_block(m, i - (1 << (ORDERS - 1)), ORDERS - 1);
	m->z->zone.free = NOBJ;
	m->z->zone.low = NOBJ >> 6;
	for (int w = 0; w < 2; w++) { m->z->pcp[w].high = HIGH; held[w] = shm(sizeof **held * HELD); }
}

/* ------------------------------------------------------------------------------------------------------------------ scans */

typedef struct node { _Alignas(64) struct node *next; struct node *prev; uint64_t val; uint64_t pad[5]; } node_t;
_Static_assert(sizeof(obj_t) == 64 && sizeof(node_t) == 64, "");
static node_t *list[3];
static uint64_t (*maps)[8];
#define SPREAD 197 /* the n-th bit to be set is n times this, modulo 512: the same bits as in slices.py */
static const int set_bits[4] = { 512, 256, 51, 8 };
static size_t map_bits; /* 512; a machine has more if batches span windows */

static void mklist(node_t *l, uint32_t n, uint32_t *tmp)
{
	mkperm(tmp, n);
	for (uint32_t i = 0; i < n; i++) { node_t *a = l + tmp[i], *b = l + tmp[(i + 1) % n]; a->next = b; b->prev = a; }
}

static uint64_t walk(st_t *s, int which)
{
	node_t *c = s->at[which] ? s->at[which] : list[which];
	for (int i = 0; i < 4096; i++) { c->val += 1; c = c->next; }
	s->at[which] = c;
	return 4096;
}
static uint64_t b_list_hot(st_t *s) { return walk(s, 0); }
static uint64_t b_list_mid(st_t *s) { return walk(s, 1); }
static uint64_t b_list_cold(st_t *s) { return walk(s, 2); }

/* as lib/find_bit.c where the size is no constant */
static inline size_t find_next_bit(const uint64_t *map, size_t size, size_t start)
{
	if (start >= size) return size;
	size_t k = start >> 6;
	uint64_t word = map[k] & ~0ull << (start & 63);
	while (!word) { if ((++k << 6) >= size) return size; word = map[k]; }
	return k * 64 + __builtin_ctzll(word);
}

static uint64_t scan(st_t *s, int density)
{
	const uint64_t *map = maps[density];
	size_t found = 0, size = map_bits;
	while (found < 16384) {
		uint64_t sum = 0;
		for (size_t at = find_next_bit(map, size, 0); at < size; at = find_next_bit(map, size, at + 1)) { sum += at; found++; }
		s->sum = sum;
		__asm__ volatile("" ::: "memory");
	}
	return found;
}
static uint64_t b_bits_512(st_t *s) { return scan(s, 0); }
static uint64_t b_bits_256(st_t *s) { return scan(s, 1); }
static uint64_t b_bits_51(st_t *s) { return scan(s, 2); }
static uint64_t b_bits_8(st_t *s) { return scan(s, 3); }

/* ----------------------------------------------------------------------------------------------------------------- copies */

static char *arena;
static uint32_t *fperm;

static uint64_t b_copy(st_t *s)
{
	for (int i = 0; i < 64; i++) {
		uint32_t a = fperm[s->pos++ & (NCOPY - 1)], b = fperm[s->pos++ & (NCOPY - 1)];
		memcpy(arena + (size_t)a * 4096, arena + (size_t)b * 4096, 4096);
	}
	return 64;
}

/* --------------------------------------------------------------------------------------------------------------- workers */

static const struct { const char *name; uint64_t (*f)(st_t *); } bs[] = {
	{ "hot", b_hot }, { "random", b_random }, { "random_tested", b_random_tested }, { "contended", b_contended },
	{ "alloc", b_alloc }, { "bulk", b_bulk }, { "copy", b_copy },
	{ "bits_512", b_bits_512 }, { "bits_256", b_bits_256 }, { "bits_51", b_bits_51 }, { "bits_8", b_bits_8 },
	{ "list_hot", b_list_hot }, { "list_mid", b_list_mid }, { "list_cold", b_list_cold },
};
static struct { _Alignas(64) _Atomic int arrive; _Alignas(64) _Atomic int stop; int b, nr_workers; double ns, slice[2]; } *ctl;

/* run for some ns of own CPU time, or until another worker is done; the clock is a system call, and is read once in half a millisecond */
static double timed(st_t *s, double ns)
{
	uint64_t done = 0;
	double start = now(), used = 0, before;
	int calls = 1;
	do {
		before = used;
		for (int i = 0; i < calls; i++) done += bs[ctl->b].f(s);
		used = now() - start;
		if (used - before < 5e5) calls *= 2;
	} while (used < ns && !atomic_load_explicit(&ctl->stop, relaxed));
	return used / done;
}

static void serve(int w, int cpu, int requests, int answers)
{
	st_t st = { .w = w };
	char byte = 0;
	cpu_set_t set;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set)) { perror("sched_setaffinity"); _exit(1); }
	while (read(requests, &byte, 1) == 1) {
		timed(&st, ctl->ns / 4);
		atomic_fetch_add(&ctl->arrive, 1);
		while (atomic_load(&ctl->arrive) < ctl->nr_workers) __asm__ volatile("pause");
		ctl->slice[w] = timed(&st, ctl->ns);
		atomic_store(&ctl->stop, 1);
		if (write(answers, &byte, 1) != 1) break;
	}
	_exit(0);
}

int main(int c, char **v)
{
	char name[32], byte = 0;
	int workers, us, request[2][2], answer[2][2];
	if (c != 3) { fprintf(stderr, "usage: limits CPU CPU\n"); return 2; }
	signal(SIGPIPE, SIG_IGN);
	ctl = shm(sizeof *ctl);
	obj = shm(sizeof *obj * NOBJ);
	for (uint32_t i = 0; i < NOBJ; i++) atomic_store(&obj[i].ref, 1);
	for (int w = 0; w < 2; w++) { perm[w] = shm(4 * NOBJ); mkperm(perm[w], NOBJ); }
	mkzone();
	uint32_t *tmp = malloc(4 * NOBJ), lengths[3] = { NHOT, NMID, NOBJ };
	for (int k = 0; k < 3; k++) { list[k] = shm(sizeof(node_t) * lengths[k]); mklist(list[k], lengths[k], tmp); }
	maps = shm(sizeof *maps * 4);
	map_bits = 512;
	for (int k = 0; k < 4; k++) for (int i = 0; i < set_bits[k]; i++) maps[k][(i * SPREAD & 511) >> 6] |= 1ull << (i * SPREAD & 63);
	arena = shm((size_t)NCOPY * 4096);
	for (size_t i = 0; i < (size_t)NCOPY * 4096; i += 8) *(uint64_t *)(arena + i) = i;
	fperm = shm(4 * NCOPY);
	mkperm(fperm, NCOPY);
	for (int w = 0; w < 2; w++) {
		if (pipe(request[w]) || pipe(answer[w])) { perror("pipe"); return 1; }
		pid_t pid = fork();
		if (pid < 0) { perror("fork"); return 1; }
		if (!pid) { close(answer[w][0]); close(request[w][1]); serve(w, atoi(v[1 + w]), request[w][0], answer[w][1]); }
		close(answer[w][1]); /* so that a worker that has ended is an end of file */
	}
	while (scanf("%31s %d %d", name, &workers, &us) == 3) {
		int b = 0, nr_benches = (int)(sizeof bs / sizeof *bs);
		while (b < nr_benches && strcmp(bs[b].name, name)) b++;
		if (b == nr_benches || workers < 1 || workers > 3 || us < 1) { fprintf(stderr, "no such request: %s %d %d\n", name, workers, us); return 2; }
		memset(ctl, 0, sizeof *ctl);
		ctl->b = b;
		ctl->ns = us * 1e3;
		ctl->nr_workers = __builtin_popcount(workers);
		for (int w = 0; w < 2; w++) if (workers >> w & 1 && write(request[w][1], &byte, 1) != 1) return 1;
		for (int w = 0; w < 2; w++) if (workers >> w & 1 && read(answer[w][0], &byte, 1) != 1) return 1;
		printf("%.4f\n", (ctl->slice[0] + ctl->slice[1]) / ctl->nr_workers);
		fflush(stdout);
	}
	return 0;
}
