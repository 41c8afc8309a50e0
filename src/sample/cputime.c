/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sample/cputime.h"

#include "util/sat.h"

/*
 * The kernel books CPU time in ticks (10 ms at CONFIG_HZ=100), so a reader that comes more often
 * sees more used than time passed, later less. Two ticks are remembered; a longer burst is not.
 */
#define DEBT_MAX_NS UINT64_C(20000000)

/* Throttled time is booked when the throttling ends: it may fall due one period later. */
#define DEFAULT_PERIOD_NS UINT64_C(100000000)

/*
 * What a cpu has been idle for when it is first seen: one tick of USER_HZ (100). No cpu that is
 * online has a line of zeros; programs (sysstat's mpstat) take such a cpu to be off line.
 */
#define FIRST_IDLE_NS UINT64_C(10000000)

/* What one pass works on. */
struct pass {
	struct cputime_state *st;
	const struct cputime_input *in;
	uint64_t dt;      /* time that passed */
	bool first;       /* the first pass ever */
	bool none_stayed; /* no visible cpu was visible before */
	unsigned n;       /* cpus that take part: visible now and (or first, none_stayed) before */
	uint64_t user, nice, system; /* to be spread over them */
};

static bool takes_part(const struct pass *p, const struct cpu_state *c)
{
	return p->first || p->none_stayed || c->was_visible;
}

/* a * b / c without overflow; c > 0. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

static unsigned next_cpu(const struct pass *p, unsigned from)
{
	unsigned c = cpuset_next(p->in->visible, from);

	return c < p->in->n_cpus ? c : CPUSET_MAX;
}

#define FOR_EACH_VISIBLE(c, p)                                                                     \
	for (unsigned c = next_cpu(p, 0); c < CPUSET_MAX; c = next_cpu(p, c + 1))

static uint64_t take_delta(uint64_t *raw, uint64_t now)
{
	uint64_t d = sat_sub(now, *raw);

	*raw = max_u64(*raw, now);
	return d;
}

static void begin(struct pass *p, struct cputime_state *st, const struct cputime_input *in)
{
	uint64_t since = st->sampled_ns ? st->sampled_ns : in->start_ns;

	*p = (struct pass){ .st = st,
			    .in = in,
			    .dt = sat_sub(in->now_ns, since),
			    .first = st->sampled_ns == 0,
			    .none_stayed = true };
	FOR_EACH_VISIBLE (c, p)
		p->none_stayed = p->none_stayed && !st->cpu[c].was_visible;
	FOR_EACH_VISIBLE (c, p) {
		st->cpu[c].used = 0;
		p->n += takes_part(p, &st->cpu[c]);
	}
	st->sampled_ns = max_u64(in->now_ns, since);
}

static void add(struct cpu_state *c, uint64_t user, uint64_t nice, uint64_t system)
{
	c->user += user;
	c->nice += nice;
	c->system += system;
	c->used += user + nice + system;
}

/* Books what ran on each participating cpu; what ran elsewhere is left to be spread. */
static void book_own(struct pass *p)
{
	struct cputime_state *st = p->st;

	for (unsigned i = 0; i < p->in->n_per_cpu && i < p->in->n_cpus; i++) {
		struct cpu_state *c = &st->cpu[i];
		uint64_t user = take_delta(&c->raw_user, p->in->per_cpu[i].user);
		uint64_t system = take_delta(&c->raw_system, p->in->per_cpu[i].system);

		if (cpuset_has(p->in->visible, i) && takes_part(p, c)) {
			add(c, user, 0, system);
		} else {
			p->user += user;
			p->system += system;
		}
	}
}

static void take_totals(struct pass *p)
{
	p->user = take_delta(&p->st->raw_user, p->in->total.user);
	p->nice = take_delta(&p->st->raw_nice, p->in->total.nice);
	p->system = take_delta(&p->st->raw_system, p->in->total.system);
}

/*
 * Spreads the rest: where there is room left in the time that passed, in proportion to it (evenly
 * when no cpu has anything of its own), what goes beyond evenly. The last cpu takes what rounding
 * leaves.
 */
static void spread(struct pass *p)
{
	uint64_t pool = p->user + p->nice + p->system, room = 0;
	unsigned left = p->n;

	FOR_EACH_VISIBLE (c, p)
		if (takes_part(p, &p->st->cpu[c]))
			room += sat_sub(p->dt, p->st->cpu[c].used);
	FOR_EACH_VISIBLE (c, p) {
		struct cpu_state *cpu = &p->st->cpu[c];
		uint64_t share, own_room, user, nice, system;

		if (pool == 0 || left == 0 || !takes_part(p, cpu))
			continue;
		own_room = sat_sub(p->dt, cpu->used);
		share = pool <= room && room ? mul_div(pool, own_room, room)
					     : own_room + (pool - room) / left;
		if (left == 1 || share > pool)
			share = pool;
		user = mul_div(p->user, share, pool);
		nice = mul_div(p->nice, share, pool);
		system = min_u64(share - user - nice, p->system);
		add(cpu, user, nice, system);
		p->user -= user;
		p->nice -= nice;
		p->system -= system;
		pool = p->user + p->nice + p->system;
		room -= own_room;
		left--;
	}
}

/* The time that a cpu did not use, after what it used ahead of the clock is paid back. */
static uint64_t time_left(struct cpu_state *c, uint64_t dt)
{
	uint64_t left = sat_sub(dt, c->used), paid = min_u64(left, c->debt);

	c->debt = min_u64(c->debt - paid + sat_sub(c->used, dt), DEBT_MAX_NS);
	return left - paid;
}

/* The sum over the levels that have a quota: it falls when one loses its own, and goes on there. */
static uint64_t throttled(struct pass *p)
{
	uint64_t d = sat_sub(p->in->throttled_ns, p->st->raw_throttled);

	p->st->raw_throttled = p->in->throttled_ns;
	return d;
}

/* Divides the unused time into stolen and idle. */
static void book_unused(struct pass *p)
{
	struct cputime_state *st = p->st;
	uint64_t total = 0, steal;
	uint64_t cap = max_u64(p->in->period_ns, DEFAULT_PERIOD_NS) * p->n;

	FOR_EACH_VISIBLE (c, p) {
		struct cpu_state *cpu = &st->cpu[c];

		cpu->used = takes_part(p, cpu) ? time_left(cpu, p->dt) : 0;
		total += cpu->used;
	}
	st->steal_due = sat_add(st->steal_due, throttled(p));
	steal = min_u64(st->steal_due, total);
	st->steal_due = min_u64(st->steal_due - steal, cap);
	FOR_EACH_VISIBLE (c, p) {
		struct cpu_state *cpu = &st->cpu[c];
		uint64_t stolen = total ? mul_div(steal, cpu->used, total) : 0;

		steal -= stolen;
		total -= cpu->used;
		cpu->steal += stolen;
		cpu->idle += cpu->used - stolen;
	}
}

/* That much ahead of the clock, which is paid back like a burst. */
static void begin_idle(struct cpu_state *c)
{
	uint64_t ahead = sat_sub(FIRST_IDLE_NS, c->idle);

	c->idle += ahead;
	c->debt = min_u64(c->debt + ahead, DEBT_MAX_NS);
}

static uint64_t *field(struct cpu_state *c, enum cputime_field f)
{
	switch (f) {
	case CPUTIME_USER:
		return &c->user;
	case CPUTIME_NICE:
		return &c->nice;
	case CPUTIME_SYSTEM:
		return &c->system;
	case CPUTIME_IDLE:
		return &c->idle;
	case CPUTIME_STEAL:
	case CPUTIME_N_FIELDS:
		break;
	}
	return &c->steal;
}

void cputime_advance(struct cputime_state *st, const struct cputime_input *in)
{
	struct pass p;

	if (cpuset_next(in->visible, 0) >= in->n_cpus)
		return;
	begin(&p, st, in);
	if (in->n_per_cpu)
		book_own(&p);
	else
		take_totals(&p);
	spread(&p);
	book_unused(&p);
	FOR_EACH_VISIBLE (c, &p)
		begin_idle(&st->cpu[c]);
	for (unsigned c = 0; c < in->n_cpus; c++)
		st->cpu[c].was_visible = cpuset_has(in->visible, c);
}

bool cputime_is_known(const struct cputime_state *st, const struct cputime_input *in,
		      uint64_t max_age_ns)
{
	if (!st->sampled_ns || in->now_ns - st->sampled_ns >= max_age_ns)
		return false;
	for (unsigned c = 0; c < in->n_cpus; c++)
		if (cpuset_has(in->visible, c) != (st->cpu[c].was_visible != 0))
			return false;
	return true;
}

uint64_t cputime_ticks(const struct cputime_state *st, unsigned cpu, enum cputime_field f,
		       uint64_t ns_per_tick)
{
	struct cpu_state c = st->cpu[cpu];

	return *field(&c, f) / ns_per_tick;
}
