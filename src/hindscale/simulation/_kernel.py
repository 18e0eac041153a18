"""The fast engine's inner loop: Numba over arrays, a calendar instead of an event list.

**Why it is fast.** A replica's queue is first in, first out, and its losses are drawn beforehand. So the
moment at which a request leaves is known when it is given to its replica: each slot keeps the time at
which it will be free, the request starts at the earliest of them (Kiefer and Wolfowitz 1955). Requests
that leave need only be counted off before the next arrival looks at the replicas, in any order: a
calendar of time buckets does that in constant time, where a heap needs a logarithm and unpredictable
branches.

**When order matters.** While requests wait at the gateway, each place that becomes free goes to the
first of them, and the calendar is read in order: the earliest entry of the first bucket that has one.

State lives in arrays that the caller owns (`fast.py`), scalars in `state`, and in local variables while
the hot loop runs: that keeps them in registers, which is worth a factor of three.
"""

from __future__ import annotations

import numpy as np

from hindscale.scoring.histogram import BASE, BUCKETS, MANTISSA_SHIFT
from hindscale.simulation._jit import inline, kernel
from hindscale.simulation.contract import Total

# Columns of `nodes`: one row a request at a replica.
LEAVES, ARRIVED, REPLICA, OUTCOME, ORDER, NEXT, TICK, ROW = range(8)
# Columns of `gateway`: one row a waiting request, a ring.
G_ARRIVED, G_SERVICE, G_CHOICE, G_TICK, G_ROW = range(5)
# Entries of `state`.
(
    NOW,  # everything up to and including this instant has happened
    FREE,  # first unused node, -1 if none
    USED,  # nodes in use
    SHIFT,  # a bucket of the calendar is 2^SHIFT ns long
    ORDERS,  # requests given to replicas so far
    LAST_USED,  # replica that got the last one
    HIGH,  # replicas have indices below
    ACCEPTING,  # how many replicas accept requests
    HEAD,  # first waiting request in the gateway's ring
    WAITING,  # how many wait there
    ASSIGNED_BUSY,  # slot time given out so far
    LAST_READY,  # instant of the last READY event
    STATE_SIZE,
) = range(13)
# Entries of `limits`.
CAPACITY, GATEWAY_CAPACITY, TIMEOUT, BOUND, BALANCER, LIMITS_SIZE = range(6)
LEAST_OUTSTANDING, ROUND_ROBIN, RANDOM, TWO_CHOICES = range(4)
# What `advance` came back for.
DONE, NODES_FULL, GATEWAY_FULL = range(3)

# A replica's key is requests * ONE + index, so that the smallest key is the least loaded replica with the
# lowest index. BLOCKED is added while it takes nothing.
INDEX_BITS = 16
ONE = 1 << INDEX_BITS
INDEX = ONE - 1
BLOCKED = 1 << 62
CHOICE_BITS = 31
CHOICE_MASK = (1 << CHOICE_BITS) - 1

ARRIVED_TOTAL, SERVED, MET, DROPPED = int(Total.ARRIVED), int(Total.SERVED), int(Total.MET), int(Total.DROPPED)
TIMED_OUT, FAILED, CUT = int(Total.TIMED_OUT), int(Total.FAILED), int(Total.CUT)
LATENCY_US, BUSY_NS = int(Total.LATENCY_US), int(Total.BUSY_NS)
QUEUED, IN_SERVICE = int(Total.QUEUED), int(Total.IN_SERVICE)


@inline
def bucket_of(latency):
    """Twin of `scoring.histogram.bucket_of`."""
    return min(max((np.float64(latency).view(np.int64) >> MANTISSA_SHIFT) - BASE, 0), BUCKETS - 1)


@inline
def settle(node, nodes, keys, totals, met_by_tick, histogram, bound):
    """Account for a request that leaves its replica."""
    keys[nodes[node, REPLICA]] -= ONE
    outcome = nodes[node, OUTCOME]
    totals[outcome] += 1
    if outcome == SERVED:
        latency = nodes[node, LEAVES] - nodes[node, ARRIVED]
        totals[LATENCY_US] += latency // 1000
        histogram[nodes[node, ROW], bucket_of(latency)] += 1
        if latency <= bound:
            totals[MET] += 1
            met_by_tick[nodes[node, TICK]] += 1


@inline
def count_off(limit, now, free, shift, nodes, heads, keys, totals, met_by_tick, histogram, bound):
    """All that leave up to `limit`, in no particular order; returns the first unused node."""
    mask = len(heads) - 1
    first = now >> shift
    last = limit >> shift
    if last - first > mask:
        last = first + mask  # once around the calendar visits every bucket
    for bucket in range(first, last + 1):
        slot = bucket & mask
        node = heads[slot]
        before = -1
        while node >= 0:
            following = nodes[node, NEXT]
            if nodes[node, LEAVES] <= limit:
                if before < 0:
                    heads[slot] = following
                else:
                    nodes[before, NEXT] = following
                settle(node, nodes, keys, totals, met_by_tick, histogram, bound)
                nodes[node, NEXT] = free
                free = node
            else:
                before = node
            node = following
    return free


@inline
def next_to_leave(limit, now, shift, nodes, heads):
    """The node of the first request to leave, up to `limit`; -1 if there is none. Ties by order."""
    mask = len(heads) - 1
    best = -1
    first = now >> shift
    for bucket in range(first, min(limit >> shift, first + mask) + 1):
        node = heads[bucket & mask]
        while node >= 0:
            leaves = nodes[node, LEAVES]
            if (
                leaves <= limit
                and leaves >> shift == bucket
                and (
                    best < 0
                    or leaves < nodes[best, LEAVES]
                    or (leaves == nodes[best, LEAVES] and nodes[node, ORDER] < nodes[best, ORDER])
                )
            ):
                best = node
            node = nodes[node, NEXT]
        if best >= 0:
            return best
    if limit >> shift > first + mask:
        # Nothing within one turn of the calendar: look at everything.
        for slot in range(mask + 1):
            node = heads[slot]
            while node >= 0:
                leaves = nodes[node, LEAVES]
                if leaves <= limit and (
                    best < 0
                    or leaves < nodes[best, LEAVES]
                    or (leaves == nodes[best, LEAVES] and nodes[node, ORDER] < nodes[best, ORDER])
                ):
                    best = node
                node = nodes[node, NEXT]
    return best


@inline
def unlink(node, shift, nodes, heads):
    """Take a node out of its bucket."""
    slot = (nodes[node, LEAVES] >> shift) & (len(heads) - 1)
    if heads[slot] == node:
        heads[slot] = nodes[node, NEXT]
        return
    before = heads[slot]
    while nodes[before, NEXT] != node:
        before = nodes[before, NEXT]
    nodes[before, NEXT] = nodes[node, NEXT]


@inline
def has_room(key, capacity):
    return (key >> INDEX_BITS) < capacity  # BLOCKED is more than any capacity


@inline
def choose(choice, last_used, high, n_accepting, keys, accepting, capacity, balancer):
    """The replica that gets a request; -1 if none has room."""
    if balancer == LEAST_OUTSTANDING:
        best = BLOCKED
        for replica in range(high):
            best = min(best, keys[replica])
        return best & INDEX if has_room(best, capacity) else -1
    position = 0
    if balancer == ROUND_ROBIN:
        while position < n_accepting and accepting[position] <= last_used:
            position += 1
    elif balancer == RANDOM:
        position = ((choice >> CHOICE_BITS) * n_accepting) >> CHOICE_BITS
    elif n_accepting > 1:
        position = ((choice >> CHOICE_BITS) * n_accepting) >> CHOICE_BITS
        other = ((choice & CHOICE_MASK) * (n_accepting - 1)) >> CHOICE_BITS
        if other >= position:
            other += 1  # a second one, different from the first
        if keys[accepting[other]] >> INDEX_BITS < keys[accepting[position]] >> INDEX_BITS:
            position = other
    for step in range(n_accepting):
        replica = accepting[(position + step) % n_accepting]
        if has_room(keys[replica], capacity):
            return replica
    return -1


@inline
def earliest_slot(replica, slots_free):
    # Selections, not branches: which slot is free first cannot be predicted; branches cost a fifth of the speed.
    best = 0
    least = slots_free[replica, 0]
    for slot in range(1, slots_free.shape[1]):
        free_at = slots_free[replica, slot]
        best = slot if free_at < least else best
        least = min(least, free_at)
    return best


@inline
def give(
    now, arrived, service, tick, row, order, replica, node, shift, timeout, nodes, heads, keys, slots_free, lost_at
):
    """Give a request to a replica with room: its fate is sealed. Returns the slot time it will take."""
    slot = earliest_slot(replica, slots_free)
    start = max(now, slots_free[replica, slot])
    busy = 0
    if start > arrived + timeout:
        leaves = arrived + timeout
        outcome = TIMED_OUT
    else:
        leaves = start + service
        outcome = SERVED
    if leaves >= lost_at[replica]:
        leaves = lost_at[replica]
        outcome = FAILED
    if outcome != TIMED_OUT and start < leaves:
        slots_free[replica, slot] = leaves
        busy = leaves - start
    nodes[node, LEAVES] = leaves
    nodes[node, ARRIVED] = arrived
    nodes[node, REPLICA] = replica
    nodes[node, OUTCOME] = outcome
    nodes[node, ORDER] = order
    nodes[node, TICK] = tick
    nodes[node, ROW] = row
    bucket = (leaves >> shift) & (len(heads) - 1)
    nodes[node, NEXT] = heads[bucket]
    heads[bucket] = node
    keys[replica] += ONE
    return busy


@kernel
def expire(limit, gateway, state, totals, timeout):
    """Those at the gateway whose wait ends up to `limit` leave."""
    while state[WAITING] and gateway[state[HEAD], G_ARRIVED] + timeout <= limit:
        state[HEAD] = (state[HEAD] + 1) % len(gateway)
        state[WAITING] -= 1
        totals[TIMED_OUT] += 1


@kernel
def dispatch(now, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits):
    """Give waiting requests to replicas while there is room and a node to hold them."""
    while state[WAITING] and state[FREE] >= 0:
        head = state[HEAD]
        replica = choose(
            gateway[head, G_CHOICE],
            state[LAST_USED],
            state[HIGH],
            state[ACCEPTING],
            keys,
            accepting,
            limits[CAPACITY],
            limits[BALANCER],
        )
        if replica < 0:
            return
        node = state[FREE]
        state[FREE] = nodes[node, NEXT]
        state[ASSIGNED_BUSY] += give(
            now,
            gateway[head, G_ARRIVED],
            gateway[head, G_SERVICE],
            gateway[head, G_TICK],
            gateway[head, G_ROW],
            state[ORDERS],
            replica,
            node,
            state[SHIFT],
            limits[TIMEOUT],
            nodes,
            heads,
            keys,
            slots_free,
            lost_at,
        )
        state[ORDERS] += 1
        state[LAST_USED] = replica
        state[HEAD] = (head + 1) % len(gateway)
        state[WAITING] -= 1


@kernel
def leave_in_order(
    limit, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits, totals, met_by_tick, histogram
):
    """All that leave up to `limit`, one after the other while requests wait at the gateway."""
    while state[WAITING]:
        node = next_to_leave(limit, state[NOW], state[SHIFT], nodes, heads)
        if node < 0:
            state[NOW] = max(state[NOW], limit)
            return
        now = nodes[node, LEAVES]
        expire(now - 1, gateway, state, totals, limits[TIMEOUT])
        unlink(node, state[SHIFT], nodes, heads)
        settle(node, nodes, keys, totals, met_by_tick, histogram, limits[BOUND])
        nodes[node, NEXT] = state[FREE]
        state[FREE] = node
        state[NOW] = now
        dispatch(now, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits)
    state[FREE] = count_off(
        limit,
        state[NOW],
        state[FREE],
        state[SHIFT],
        nodes,
        heads,
        keys,
        totals,
        met_by_tick,
        histogram,
        limits[BOUND],
    )
    state[NOW] = max(state[NOW], limit)


@kernel
def list_accepting(keys, accepting, state):
    """The indices of replicas that accept requests, in order."""
    found = 0
    for replica in range(state[HIGH]):
        if keys[replica] < BLOCKED:
            accepting[found] = replica
            found += 1
    state[ACCEPTING] = found


@kernel
def advance(
    until,
    tick,
    row,
    arrivals,
    services,
    choices,
    position,
    events,
    event,
    nodes,
    heads,
    gateway,
    keys,
    slots_free,
    lost_at,
    accepting,
    state,
    limits,
    totals,
    met_by_tick,
    histogram,
):
    """Let everything happen up to and including `until`.

    Args:
        position: First request of the batch that has not arrived yet.
        events: Rows of (time, kind, replica), sorted; kind 0 is a loss, 1 readiness.
        event: First event that has not happened yet.

    Returns:
        What to do, and where to go on: (code, position, event).
    """
    shift = state[SHIFT]
    high = state[HIGH]
    balancer = limits[BALANCER]
    capacity = limits[CAPACITY]
    timeout = limits[TIMEOUT]
    bound = limits[BOUND]
    now, free, orders, last_used = state[NOW], state[FREE], state[ORDERS], state[LAST_USED]
    assigned_busy = state[ASSIGNED_BUSY]
    waiting = state[WAITING]
    next_event = events[event, 0] if event < len(events) else BLOCKED
    code = DONE
    while True:
        arrives = position < len(arrivals) and arrivals[position] <= until
        instant = arrivals[position] if arrives else until
        if waiting or next_event <= instant:
            # The slow road: scalars go back to `state` for the helpers, and come from there again.
            state[NOW], state[FREE], state[ORDERS], state[LAST_USED] = now, free, orders, last_used
            state[ASSIGNED_BUSY] = assigned_busy
            # Where a lack of nodes stopped it, dispatching goes on first.
            dispatch(now, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits)
            while True:
                if state[WAITING] and state[FREE] < 0:
                    return NODES_FULL, position, event
                if event == len(events) or events[event, 0] > instant:
                    break
                when, kind, replica = events[event, 0], events[event, 1], events[event, 2]
                # Losses come before what leaves at that instant, readiness after it; what one replica
                # takes when it is ready leaves only after all others that become ready have taken theirs.
                if kind == 0 or when != state[LAST_READY]:
                    leave_in_order(
                        when - 1 + kind, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state,
                        limits, totals, met_by_tick, histogram,
                    )  # fmt: skip
                    expire(when - 1, gateway, state, totals, timeout)
                if kind == 0:
                    keys[replica] |= BLOCKED
                else:
                    keys[replica] &= ~BLOCKED
                    state[LAST_READY] = when
                list_accepting(keys, accepting, state)
                dispatch(when, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits)
                event += 1
            leave_in_order(
                instant, nodes, heads, gateway, keys, slots_free, lost_at, accepting, state, limits,
                totals, met_by_tick, histogram,
            )  # fmt: skip
            expire(instant, gateway, state, totals, timeout)
            next_event = events[event, 0] if event < len(events) else BLOCKED
            now, free, orders, last_used = state[NOW], state[FREE], state[ORDERS], state[LAST_USED]
            assigned_busy = state[ASSIGNED_BUSY]
            waiting = state[WAITING]
        else:
            free = count_off(instant, now, free, shift, nodes, heads, keys, totals, met_by_tick, histogram, bound)
            now = instant
        if not arrives:
            break
        if free < 0:
            code = NODES_FULL
            break
        choice = choices[position] if len(choices) else 0
        replica = -1
        if not waiting:
            replica = choose(choice, last_used, high, state[ACCEPTING], keys, accepting, capacity, balancer)
        if replica >= 0:
            node = free
            free = nodes[node, NEXT]
            assigned_busy += give(
                instant, instant, services[position], tick, row, orders, replica, node, shift, timeout,
                nodes, heads, keys, slots_free, lost_at,
            )  # fmt: skip
            orders += 1
            last_used = replica
        elif waiting < limits[GATEWAY_CAPACITY]:
            if waiting == len(gateway):
                code = GATEWAY_FULL
                break
            tail = (state[HEAD] + waiting) % len(gateway)
            gateway[tail, G_ARRIVED] = instant
            gateway[tail, G_SERVICE] = services[position]
            gateway[tail, G_CHOICE] = choice
            gateway[tail, G_TICK] = tick
            gateway[tail, G_ROW] = row
            waiting += 1
            state[WAITING] = waiting
        else:
            totals[DROPPED] += 1
        totals[ARRIVED_TOTAL] += 1
        position += 1
    state[NOW], state[FREE], state[ORDERS], state[LAST_USED] = now, free, orders, last_used
    state[ASSIGNED_BUSY] = assigned_busy
    if code == DONE:
        count_now(until, keys, slots_free, state, totals)
    return code, position, event


@kernel
def count_now(now, keys, slots_free, state, totals):
    """Queue, service and busy time at this instant, from the replicas alone."""
    slots = slots_free.shape[1]
    queued = state[WAITING]
    in_service = 0
    ahead = 0
    for replica in range(state[HIGH]):
        outstanding = (keys[replica] & ~BLOCKED) >> INDEX_BITS
        in_service += min(outstanding, slots)
        queued += max(outstanding - slots, 0)
        for slot in range(slots):
            ahead += max(slots_free[replica, slot] - now, 0)
    totals[QUEUED] = queued
    totals[IN_SERVICE] = in_service
    totals[BUSY_NS] = state[ASSIGNED_BUSY] - ahead


@kernel
def rebuild(nodes, old_heads, new_heads, shift):
    """Sort all nodes into a calendar with other buckets; returns how many there are."""
    mask = len(new_heads) - 1
    found = 0
    for slot in range(len(old_heads)):
        node = old_heads[slot]
        while node >= 0:
            following = nodes[node, NEXT]
            bucket = (nodes[node, LEAVES] >> shift) & mask
            nodes[node, NEXT] = new_heads[bucket]
            new_heads[bucket] = node
            found += 1
            node = following
    return found


@kernel
def cut(replica, deadline, nodes, heads, slots_free, state):
    """Requests of a draining replica that would leave after the deadline leave at the deadline, cut."""
    for slot in range(slots_free.shape[1]):
        beyond = slots_free[replica, slot] - deadline
        if beyond > 0:
            slots_free[replica, slot] = deadline
            state[ASSIGNED_BUSY] -= beyond
    for bucket in range(len(heads)):
        node = heads[bucket]
        while node >= 0:
            if nodes[node, REPLICA] == replica and nodes[node, LEAVES] > deadline:
                nodes[node, LEAVES] = deadline
                nodes[node, OUTCOME] = CUT
            node = nodes[node, NEXT]
