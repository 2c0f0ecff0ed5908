/*
 * The limits of the hardware, for limits.py: get-unless-zero + put, hot and at random over 64 MiB, fetch_add, copies of 4 KiB frames at
 * random over 1 GiB, and walks of linked lists in the first level of cache, in the second, and over 64 MiB; by one worker or two.
 *
 * A worker measures its own CPU time: on a busy host the wall clock includes other processes. The program answers requests, so that its
 * measurements can be interleaved with others. The 1 GiB of frames is allocated at the first request for a copy. A request is a line
 * "NAME WORKERS"; the answer is a line with the mean of the workers' ns per operation.
 *
 *   gcc -std=gnu11 -O2 -march=native limits.c -o limits && echo "hot 1" | ./limits CPU CPU
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define NOBJ (1u << 20)
typedef struct { _Alignas(64) _Atomic uint32_t ref; uint32_t pad[15]; } obj_t;
typedef struct node { _Alignas(64) struct node *next; struct node *prev; uint64_t val; uint64_t pad[5]; } node_t;
_Static_assert(sizeof(obj_t) == 64 && sizeof(node_t) == 64, "");
#define NFRAMES 262144u
#define NHOT 256
#define NMID 4096
typedef struct { _Alignas(64) _Atomic int arrive; _Alignas(64) _Atomic int stop; _Alignas(64) double ns[2]; } ctl_t;
typedef struct { int w; uint32_t pos; uint64_t fails; node_t *cur; } st_t;
static ctl_t *ctl;
static obj_t *obj;
static uint32_t *perm[2], *fperm[2];
static char *arena;
static node_t *list[2], *lmid[2], *lhot[2];

static double now(void) { struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static uint64_t rs = 88172645463325252ull;
static uint64_t rnd(void) { rs ^= rs << 13; rs ^= rs >> 7; rs ^= rs << 17; return rs; }

static void *shm(size_t n)
{
	void *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED) { perror("mmap"); exit(1); }
	return p;
}

static void mkperm(uint32_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) p[i] = i;
	for (uint32_t i = n - 1; i; i--) { uint32_t j = rnd() % (i + 1), t = p[i]; p[i] = p[j]; p[j] = t; }
}

static void mklist(node_t *l, uint32_t n, uint32_t *tmp)
{
	mkperm(tmp, n);
	for (uint32_t i = 0; i < n; i++) { node_t *a = l + tmp[i], *b = l + tmp[(i + 1) % n]; a->next = b; b->prev = a; a->val = 0; }
}

static inline uint64_t walk(st_t *s, node_t *l, int n) { node_t *c = s->cur ? s->cur : l; for (int i = 0; i < n; i++) { c->val += 1; c = c->next; } s->cur = c; return n; }
static inline int get_unless_zero(_Atomic uint32_t *r, uint64_t *fails)
{
	uint32_t c = atomic_load_explicit(r, memory_order_relaxed);
	do {
		if (!c) return 0;
		if (__builtin_expect(atomic_compare_exchange_weak_explicit(r, &c, c + 1, memory_order_acq_rel, memory_order_relaxed), 1)) return 1;
		(*fails)++;
	} while (1);
}
static inline void put(_Atomic uint32_t *r) { atomic_fetch_sub_explicit(r, 1, memory_order_acq_rel); }
/* code that frees by reference counting needs the result */
static inline int put_testzero(_Atomic uint32_t *r) { return atomic_fetch_sub_explicit(r, 1, memory_order_acq_rel) == 1; }

/* each does about 4096 operations and returns how many */
#define B(name) static uint64_t name(st_t *s)
B(b_guz_hot) { _Atomic uint32_t *r = &obj[s->w * 1024 + 8].ref; for (int i = 0; i < 4096; i++) { get_unless_zero(r, &s->fails); put(r); __asm__ volatile("" ::: "memory"); } return 4096; }
B(b_guz_rand) { uint32_t *p = perm[s->w]; for (int i = 0; i < 4096; i++) { _Atomic uint32_t *r = &obj[p[s->pos++ & (NOBJ - 1)]].ref; get_unless_zero(r, &s->fails); put(r); } return 4096; }
B(b_guz_rand_tested) { uint32_t *p = perm[s->w]; for (int i = 0; i < 4096; i++) { _Atomic uint32_t *r = &obj[p[s->pos++ & (NOBJ - 1)]].ref; if (!get_unless_zero(r, &s->fails) || put_testzero(r)) abort(); } return 4096; }
B(b_fadd_hot) { _Atomic uint32_t *r = &obj[s->w * 1024 + 16].ref; for (int i = 0; i < 4096; i++) atomic_fetch_add(r, 1); return 4096; }
B(b_memcpy) { uint32_t *p = fperm[s->w]; for (int i = 0; i < 64; i++) { uint32_t a = p[s->pos++ & (NFRAMES - 1)], b = p[s->pos++ & (NFRAMES - 1)]; memcpy(arena + (size_t)a * 4096, arena + (size_t)b * 4096, 4096); } return 64; }
B(b_list_hot) { return walk(s, lhot[s->w], 4096); }
B(b_list_l2) { return walk(s, lmid[s->w], 4096); }
B(b_list_cold) { return walk(s, list[s->w], 4096); }
static const struct { const char *name; uint64_t (*f)(st_t *); uint64_t ops; } bs[] = {
	{ "hot", b_guz_hot, 4000000 }, { "random", b_guz_rand, 4194304 }, { "random_tested", b_guz_rand_tested, 4194304 }, { "fetch_add", b_fadd_hot, 8000000 },
	{ "copy", b_memcpy, 100000 }, { "list_hot", b_list_hot, 8000000 }, { "list_mid", b_list_l2, 4000000 }, { "list_cold", b_list_cold, 1048576 },
};

static void worker(int b, int w, int nr_workers, int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set)) { perror("sched_setaffinity"); _exit(1); }
	st_t st = { .w = w };
	for (size_t i = 0; i < NOBJ; i += 64) atomic_fetch_add(&obj[i].ref, 0); /* map everything in this process */
	for (size_t i = 0; i < NOBJ; i += 1024) st.fails += ((volatile uint32_t *)perm[w])[i] == NOBJ;
	for (size_t i = 0; i < NOBJ; i += 64) st.fails += ((volatile node_t *)list[w])[i].val == UINT64_MAX;
	if (arena) for (size_t i = 0; i < NFRAMES; i++) st.fails += ((volatile char *)arena)[i * 4096] == 0;
	for (uint64_t done = 0; done < bs[b].ops / 8;) done += bs[b].f(&st);
	atomic_fetch_add(&ctl->arrive, 1);
	while (atomic_load(&ctl->arrive) < nr_workers) __asm__ volatile("pause");
	uint64_t done = 0;
	double t = now();
	while (done < bs[b].ops) { done += bs[b].f(&st); if (atomic_load_explicit(&ctl->stop, memory_order_relaxed)) break; }
	t = now() - t;
	atomic_store(&ctl->stop, 1);
	ctl->ns[w] = t / done;
	_exit(0);
}

int main(int c, char **v)
{
	char name[32];
	int workers; /* bit w: worker w, on the processor that is argument w */
	if (c != 3) { fprintf(stderr, "usage: limits CPU CPU\n"); return 2; }
	ctl = shm(sizeof *ctl);
	obj = shm(sizeof(obj_t) * NOBJ);
	for (int w = 0; w < 2; w++) { perm[w] = shm(4 * NOBJ); mkperm(perm[w], NOBJ); }
	for (uint32_t i = 0; i < NOBJ; i++) atomic_store(&obj[i].ref, 1);
	uint32_t *tmp = malloc(4 * NOBJ);
	for (int w = 0; w < 2; w++) {
		list[w] = shm(sizeof(node_t) * NOBJ); mklist(list[w], NOBJ, tmp);
		lmid[w] = shm(sizeof(node_t) * NMID); mklist(lmid[w], NMID, tmp);
		lhot[w] = shm(sizeof(node_t) * NHOT); mklist(lhot[w], NHOT, tmp);
	}
	while (scanf("%31s %d", name, &workers) == 2) {
		if (!strcmp(name, "copy") && !arena) {
			arena = shm((size_t)NFRAMES * 4096);
			for (size_t i = 0; i < (size_t)NFRAMES * 4096; i += 8) *(uint64_t *)(arena + i) = i;
			for (int w = 0; w < 2; w++) { fperm[w] = shm(4 * NFRAMES); mkperm(fperm[w], NFRAMES); }
		}
		int b = 0, bad = 0, nr_benches = (int)(sizeof bs / sizeof *bs);
		while (b < nr_benches && strcmp(bs[b].name, name)) b++;
		if (b == nr_benches || workers < 1 || workers > 3) { fprintf(stderr, "no such benchmark: %s %d\n", name, workers); return 2; }
		memset(ctl, 0, sizeof *ctl);
		int nr_workers = __builtin_popcount(workers);
		for (int w = 0; w < 2; w++) if (workers >> w & 1) {
			pid_t pid = fork();
			if (pid < 0) { perror("fork"); return 1; }
			if (!pid) worker(b, w, nr_workers, atoi(v[1 + w]));
		}
		for (int w = 0, status; w < nr_workers; w++) { wait(&status); bad |= status; }
		if (bad) return 1;
		printf("%.4f\n", (ctl->ns[0] + ctl->ns[1]) / nr_workers);
		fflush(stdout);
	}
	return 0;
}
