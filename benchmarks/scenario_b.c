/* Scenario B in C: how fast this model can be, and so how much the fast engine leaves.
 *
 * The same model as `_scenario_b.py` runs on hindscale, to the last digit, and no other: what hindscale can
 * do besides (time-outs, failures, bounded queues, other balancers) is left out, and all limits are fixed
 * when this is compiled. Requests that leave wait in an unordered calendar, or in a binary heap with -DHEAP.
 *
 * Nothing can change the fate of a request once it has a replica, so it is entered into the books at once;
 * the calendar only keeps when its place becomes free and whether it met the bound.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t Time;

enum { SLOTS = 4, REPLICAS = 64, MOST_AT_REPLICA = 1 << 16, BUCKETS_OF_CALENDAR = 1024 };
enum { MANTISSA_BITS = 6, FIRST_OCTAVE = 10, LAST_OCTAVE = 46 };
enum { LATENCY_BUCKETS = (LAST_OCTAVE - FIRST_OCTAVE) << MANTISSA_BITS };
enum { ARRIVED, SERVED, MET, LATENCY_US, BILLED_NS, TOTALS };
enum { OK, NO_ROOM, NO_MEMORY };
static const Time NEVER = (Time)1 << 61;

/* ---- the fleet ------------------------------------------------------------------------------------- */

typedef enum { GONE, STARTING, READY, DRAINING } Life;

typedef struct {
    Time slot_free[REPLICAS][SLOTS];
    Time since[REPLICAS]; /* when a starting one will be ready, when a draining one was told to drain */
    int outstanding[REPLICAS];
    int number[REPLICAS]; /* in order of being asked for */
    Life life[REPLICAS];
    int count[DRAINING + 1]; /* replicas by life */
    int asked_for;
    Time next_ready;
    int lowest;                        /* no replica that accepts has fewer requests */
    uint64_t accepting[MOST_AT_REPLICA]; /* replicas that accept, by how many requests they have: a bit each */
    uint64_t taken;                    /* indices in use */
} Fleet;

static void move(Fleet *fleet, int replica, Life life)
{
    fleet->count[fleet->life[replica]]--;
    fleet->count[life]++;
    fleet->life[replica] = life;
    if (life == GONE)
        fleet->taken &= ~(1ull << replica);
}

static int order(Fleet *fleet, int replicas, Time ready_at)
{
    while (replicas--) {
        if (fleet->taken == ~0ull)
            return NO_ROOM;
        int index = __builtin_ctzll(~fleet->taken);
        fleet->taken |= 1ull << index;
        move(fleet, index, STARTING);
        memset(fleet->slot_free[index], 0, sizeof fleet->slot_free[index]);
        fleet->since[index] = ready_at;
        fleet->number[index] = fleet->asked_for++;
        if (ready_at < fleet->next_ready)
            fleet->next_ready = ready_at;
    }
    return OK;
}

/* Starting ones first, the newest of them; then ready ones, the least loaded, the newest among equals. */
static void give_up(Fleet *fleet, int replicas, Time now)
{
    while (replicas--) {
        Life life = fleet->count[STARTING] ? STARTING : READY;
        int victim = -1;
        for (int each = 0; each < REPLICAS; each++)
            if (fleet->life[each] == life &&
                (victim < 0 || fleet->outstanding[each] < fleet->outstanding[victim] ||
                 (fleet->outstanding[each] == fleet->outstanding[victim] &&
                  fleet->number[each] > fleet->number[victim])))
                victim = each;
        if (life == STARTING) {
            move(fleet, victim, GONE);
        } else {
            fleet->accepting[fleet->outstanding[victim]] &= ~(1ull << victim);
            fleet->since[victim] = now;
            move(fleet, victim, DRAINING);
        }
    }
}

static void become_ready(Fleet *fleet, Time now)
{
    fleet->next_ready = NEVER;
    for (int each = 0; each < REPLICAS; each++)
        if (fleet->life[each] == STARTING) {
            if (fleet->since[each] <= now) {
                move(fleet, each, READY);
                fleet->accepting[0] |= 1ull << each;
                fleet->lowest = 0;
            } else if (fleet->since[each] < fleet->next_ready) {
                fleet->next_ready = fleet->since[each];
            }
        }
}

/* Drained replicas have gone in the interval that ends now; returns the time that was billed too much. */
static Time leave_drained(Fleet *fleet, Time now)
{
    Time too_much = 0;
    for (int each = 0; each < REPLICAS; each++)
        if (fleet->life[each] == DRAINING && !fleet->outstanding[each]) {
            Time gone_at = fleet->since[each];
            for (int slot = 0; slot < SLOTS; slot++)
                if (fleet->slot_free[each][slot] > gone_at)
                    gone_at = fleet->slot_free[each][slot];
            too_much += now - gone_at;
            move(fleet, each, GONE);
        }
    return too_much;
}

static inline int least_loaded(Fleet *fleet)
{
    while (!fleet->accepting[fleet->lowest])
        fleet->lowest++;
    return __builtin_ctzll(fleet->accepting[fleet->lowest]);
}

static inline void one_more(Fleet *fleet, int replica)
{
    int had = fleet->outstanding[replica]++;
    fleet->accepting[had] ^= 1ull << replica;
    fleet->accepting[had + 1] |= 1ull << replica;
}

static inline void one_less(Fleet *fleet, int replica)
{
    int had = fleet->outstanding[replica]--;
    if (fleet->life[replica] == READY) {
        fleet->accepting[had] ^= 1ull << replica;
        fleet->accepting[had - 1] |= 1ull << replica;
        if (had - 1 < fleet->lowest)
            fleet->lowest = had - 1;
    }
}

static inline int earliest_slot(const Time *slot_free)
{
    int best = 0;
    Time least = slot_free[0];
    for (int slot = 1; slot < SLOTS; slot++) {
        int is_earlier = slot_free[slot] < least;
        least = is_earlier ? slot_free[slot] : least;
        best = is_earlier ? slot : best;
    }
    return best;
}

/* ---- requests that will leave ---------------------------------------------------------------------- */

typedef struct {
    Time leaves;
    int32_t next;
    int32_t tag; /* replica, and above it whether the request met the bound */
} Leaving;

enum { MET_BIT = 1 << 16 };

typedef struct {
    Leaving *all;
    int room;
    int used; /* heap: how many; calendar: first unused, -1 if none */
    int shift;
    int32_t first[BUCKETS_OF_CALENDAR];
} Calendar;

static int make_room(Calendar *calendar)
{
    int before = calendar->room;
    Leaving *all = realloc(calendar->all, (size_t)(before ? 2 * before : 1024) * sizeof *all);
    if (!all)
        return NO_MEMORY;
    calendar->all = all;
    calendar->room = before ? 2 * before : 1024;
#ifndef HEAP
    for (int each = before; each < calendar->room; each++)
        all[each].next = each + 1 < calendar->room ? each + 1 : -1;
    calendar->used = before;
#endif
    return OK;
}

static inline void leave(Fleet *fleet, int64_t *totals, int32_t tag)
{
    totals[SERVED]++;
    totals[MET] += tag >= MET_BIT;
    one_less(fleet, tag & (MET_BIT - 1));
}

#ifdef HEAP

static inline int put(Calendar *calendar, Time leaves, int32_t tag)
{
    if (calendar->used == calendar->room && make_room(calendar))
        return NO_MEMORY;
    int at = calendar->used++;
    while (at) {
        int above = (at - 1) >> 1;
        if (calendar->all[above].leaves <= leaves)
            break;
        calendar->all[at] = calendar->all[above];
        at = above;
    }
    calendar->all[at] = (Leaving){leaves, 0, tag};
    return OK;
}

static inline void count_off(Calendar *calendar, Fleet *fleet, int64_t *totals, Time now, Time until)
{
    (void)now;
    while (calendar->used && calendar->all[0].leaves <= until) {
        leave(fleet, totals, calendar->all[0].tag);
        Leaving last = calendar->all[--calendar->used];
        int at = 0;
        for (int below; (below = 2 * at + 1) < calendar->used; at = below) {
            if (below + 1 < calendar->used)
                below += calendar->all[below + 1].leaves < calendar->all[below].leaves;
            if (calendar->all[below].leaves >= last.leaves)
                break;
            calendar->all[at] = calendar->all[below];
        }
        calendar->all[at] = last;
    }
}

static void fit(Calendar *calendar, Time gap)
{
    (void)calendar, (void)gap;
}

#else

static inline void link_in(Calendar *calendar, int32_t index)
{
    int32_t *first = &calendar->first[(calendar->all[index].leaves >> calendar->shift) & (BUCKETS_OF_CALENDAR - 1)];
    calendar->all[index].next = *first;
    *first = index;
}

static inline int put(Calendar *calendar, Time leaves, int32_t tag)
{
    if (calendar->used < 0 && make_room(calendar))
        return NO_MEMORY;
    int32_t index = calendar->used;
    calendar->used = calendar->all[index].next;
    calendar->all[index].leaves = leaves;
    calendar->all[index].tag = tag;
    link_in(calendar, index);
    return OK;
}

/* All that leave up to `until`, in no particular order: counts do not depend on it. */
static inline void count_off(Calendar *calendar, Fleet *fleet, int64_t *totals, Time now, Time until)
{
    Time bucket = now >> calendar->shift, last = until >> calendar->shift;
    if (last - bucket >= BUCKETS_OF_CALENDAR)
        last = bucket + BUCKETS_OF_CALENDAR - 1;
    for (; bucket <= last; bucket++) {
        int32_t *link = &calendar->first[bucket & (BUCKETS_OF_CALENDAR - 1)];
        for (int32_t index = *link; index >= 0;) {
            Leaving *each = &calendar->all[index];
            int32_t following = each->next;
            if (each->leaves <= until) {
                *link = following;
                leave(fleet, totals, each->tag);
                each->next = calendar->used;
                calendar->used = index;
            } else {
                link = &each->next;
            }
            index = following;
        }
    }
}

/* Buckets about as long as the time between two arrivals hold about one request each. */
static void fit(Calendar *calendar, Time gap)
{
    int shift = gap > 0 ? 64 - __builtin_clzll((unsigned long long)gap) : 0;
    if (abs(shift - calendar->shift) <= 2)
        return;
    int32_t before[BUCKETS_OF_CALENDAR];
    memcpy(before, calendar->first, sizeof before);
    memset(calendar->first, -1, sizeof calendar->first);
    calendar->shift = shift;
    for (int bucket = 0; bucket < BUCKETS_OF_CALENDAR; bucket++)
        for (int32_t index = before[bucket], following; index >= 0; index = following) {
            following = calendar->all[index].next;
            link_in(calendar, index);
        }
}

#endif

/* ---- the run --------------------------------------------------------------------------------------- */

static inline int bucket_of(Time latency)
{
    double value = (double)latency;
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int64_t bucket = (bits >> (52 - MANTISSA_BITS)) - ((1023 + FIRST_OCTAVE) << MANTISSA_BITS);
    return bucket < 0 ? 0 : bucket >= LATENCY_BUCKETS ? LATENCY_BUCKETS - 1 : (int)bucket;
}

typedef struct {
    Time interval_ns, bound_ns, cold_start_ns;
    int64_t ticks, rows, initial_replicas, max_replicas;
    double target_per_replica, tolerance;
} Scenario;

static int wanted_replicas(const Scenario *scenario, int current, double requests)
{
    double ratio = requests / scenario->target_per_replica;
    int wanted = (int)ceil(ratio - 1e-9 * fmax(1.0, ratio));
    if (fabs(ratio - current) <= scenario->tolerance * current)
        wanted = current;
    return wanted < 1 ? 1 : wanted > scenario->max_replicas ? (int)scenario->max_replicas : wanted;
}

/* Requests waiting now, and slot time in service so far. */
static void observe(const Fleet *fleet, Time now, Time assigned, int64_t *queued, Time *busy)
{
    *queued = 0;
    *busy = assigned;
    for (int each = 0; each < REPLICAS; each++) {
        *queued += fleet->outstanding[each] > SLOTS ? fleet->outstanding[each] - SLOTS : 0;
        if (fleet->life[each] != GONE)
            for (int slot = 0; slot < SLOTS; slot++)
                if (fleet->slot_free[each][slot] > now)
                    *busy -= fleet->slot_free[each][slot] - now;
    }
}

int simulate(const Scenario *scenario, const Time *arrivals, const Time *services, int64_t requests,
             int64_t *totals, int64_t *met_by_tick, int64_t *histogram)
{
    Fleet *fleet = calloc(1, sizeof *fleet);
    Calendar calendar = {.used = -1, .shift = 20};
    memset(calendar.first, -1, sizeof calendar.first);
#ifdef HEAP
    calendar.used = 0;
#endif
    if (!fleet || make_room(&calendar))
        return NO_MEMORY;
    fleet->next_ready = NEVER;
    fleet->count[GONE] = REPLICAS;
    order(fleet, (int)scenario->initial_replicas, 0);

    int code = OK;
    int64_t position = 0;
    Time now = 0, assigned = 0, busy_before = 0;
    for (int64_t tick = 0; tick <= scenario->ticks && !code; tick++) {
        int is_over = tick == scenario->ticks; /* no more arrivals: what is left comes out */
        Time until = is_over ? NEVER : (tick + 1) * scenario->interval_ns;
        int64_t end = position;
        while (end < requests && arrivals[end] <= until)
            end++;
        if (end > position)
            fit(&calendar, (until - now) / (end - position));
        if (!is_over)
            totals[BILLED_NS] += (until - now) * (fleet->count[STARTING] + fleet->count[READY] + fleet->count[DRAINING]);

        int64_t *row = histogram + tick * scenario->rows / scenario->ticks * LATENCY_BUCKETS;
        int64_t met = 0, latency_us = 0;
        totals[ARRIVED] += end - position;
        for (; position < end; position++) {
            Time arrived = arrivals[position], service = services[position];
            if (fleet->next_ready <= arrived)
                become_ready(fleet, arrived);
            count_off(&calendar, fleet, totals, now, arrived);
            now = arrived;
            int replica = least_loaded(fleet);
            if (fleet->outstanding[replica] == MOST_AT_REPLICA - 1)
                return NO_ROOM;
            one_more(fleet, replica);
            Time *slot = &fleet->slot_free[replica][earliest_slot(fleet->slot_free[replica])];
            Time leaves = (*slot > arrived ? *slot : arrived) + service;
            *slot = leaves;
            assigned += service;
            Time latency = leaves - arrived;
            int is_met = latency <= scenario->bound_ns;
            met += is_met;
            latency_us += latency / 1000;
            row[bucket_of(latency)]++;
            code |= put(&calendar, leaves, replica | (is_met ? MET_BIT : 0));
        }
        totals[LATENCY_US] += latency_us;
        if (fleet->next_ready <= until)
            become_ready(fleet, until);
        count_off(&calendar, fleet, totals, now, until);
        now = until;
        if (is_over)
            break;
        met_by_tick[tick] += met;

        totals[BILLED_NS] -= leave_drained(fleet, now);
        int64_t queued;
        Time busy;
        observe(fleet, now, assigned, &queued, &busy);
        double ongoing = (double)(busy - busy_before) * 1e-9 / ((double)scenario->interval_ns * 1e-9);
        busy_before = busy;
        int current = fleet->count[STARTING] + fleet->count[READY];
        int wanted = wanted_replicas(scenario, current, ongoing + (double)queued);
        if (wanted > current)
            code |= order(fleet, wanted - current, now + scenario->cold_start_ns);
        else
            give_up(fleet, current - wanted, now);
    }
    free(calendar.all);
    free(fleet);
    return code;
}
