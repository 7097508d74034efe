/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "neighbor.h"

#include <limits.h>
#include <stdlib.h>

#include "byte-order.h"
#include "coverage.h"
#include "flow-tables.h"
#include "hash.h"
#include "openflow/openflow.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "packet-out.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(neighbor);

COVERAGE_DEFINE(neighbor_probe_sent);
COVERAGE_DEFINE(neighbor_probe_received);
COVERAGE_DEFINE(neighbor_refreshed);

/* How long to wait for a probe to arrive before the next one. */
#define RETRY_MS 100

/* How many ways wait for an answer at most before others are tried for the
 * first time, not counting those that have waited for N_PATIENT probes.  When
 * all are to be proved at once, as after a restart, more would only have the
 * answers come too late. */
#define N_WAITING_MAX 500
#define N_PATIENT 5

/* How often in a row a repetition is put off because an end has changes to
 * carry out: an end that always has some must not be left without probes. */
#define N_HELD_MAX 10

/* How long after a few retries. */
#define SLOW_RETRY_MS 1000
#define N_FAST_RETRIES 30

/* How often proved ways are used: well below the 900 s after which Open
 * vSwitch forgets a neighbor (ovs-facts: tnl/neigh/aging). */
#define REFRESH_MS 240000

/* How many of an NVE's ways are proved anew then, in turn.  The others get a
 * frame that nobody answers, as an answer for each of a million ways would
 * keep the controller busy. */
#define N_PROVED_MAX 4

/* After how many ways the others wait for the next turn of the main loop. */
#define N_REFRESHED_MAX 1000

/* To how many NVEs one message sends: what Open vSwitch makes of it must fit
 * into 64 KiB, and a tunnel header takes half a KiB. */
#define N_TARGETS_MAX 32

/* After how many unanswered probes a proved way is in doubt. */
#define N_DOUBTS 5

static const char magic[4] = { 'N', 'V', 'A', '1' };

struct probe {
    char magic[4];
    ovs_be32 pad;
    ovs_be64 from, to;          /* 'id's of NVEs. */
};

/* An NVE that has ways. */
struct end {
    struct hmap_node node;      /* In neighbors' 'ends', by 'nve'. */
    struct nve *nve;
    bool up;
    bool busy;                  /* See neighbors_set_busy(). */
    struct ovs_list out;        /* "struct way"s by 'from_node'. */
    struct ovs_list in;         /* "struct way"s by 'to_node'. */
    struct ovs_list refresh_node; /* In 'refresh', if it is not empty. */
    long long int refresh_at;
};

struct way {
    struct hmap_node node;      /* In neighbors' 'ways', by both ids. */
    struct ovs_list from_node, to_node;
    struct ovs_list queue_node; /* In a queue, if it is not empty: unless it
                                 * is proved. */
    struct end *from, *to;
    unsigned int n_refs;
    bool resolved;
    unsigned int n_tries;       /* Since the last one that arrived. */
    unsigned int n_held;        /* Repetitions put off since then. */
    bool waiting;               /* Counted in 'n_waiting'. */
    long long int probe_at;
    long long int sent_at;      /* When the last probe was sent, or LLONG_MIN
                                 * if none has been. */
};

struct neighbors {
    neighbor_send_cb *send;
    neighbor_changed_cb *changed;
    void *aux;
    struct hmap ends;
    struct hmap ways;
    size_t n_pending;           /* Ways that are up but not resolved. */

    struct ovs_list fresh;      /* Ways that have not been probed yet. */
    size_t n_waiting;           /* See N_WAITING_MAX. */

    /* Each queue has one interval, so that it is sorted by 'probe_at'. */
    struct ovs_list fast, slow;

    /* Ends that have proved ways, by 'refresh_at'. */
    struct ovs_list refresh;
};

/* A message that makes 'from' send to several NVEs. */
struct batch {
    struct nve *from;
    struct ofpbuf ofpacts;
    size_t n;
};

struct neighbors *
neighbors_create(neighbor_send_cb *send, neighbor_changed_cb *changed,
                 void *aux)
{
    struct neighbors *n = xzalloc(sizeof *n);

    n->send = send;
    n->changed = changed;
    n->aux = aux;
    hmap_init(&n->ends);
    hmap_init(&n->ways);
    ovs_list_init(&n->fresh);
    ovs_list_init(&n->fast);
    ovs_list_init(&n->slow);
    ovs_list_init(&n->refresh);
    return n;
}

void
neighbors_destroy(struct neighbors *n)
{
    struct way *way;
    struct end *end;

    if (n) {
        HMAP_FOR_EACH_POP (way, node, &n->ways) {
            free(way);
        }
        HMAP_FOR_EACH_POP (end, node, &n->ends) {
            free(end);
        }
        hmap_destroy(&n->ways);
        hmap_destroy(&n->ends);
        free(n);
    }
}

static struct end *
find_end(const struct neighbors *n, const struct nve *nve)
{
    struct end *end;

    HMAP_FOR_EACH_WITH_HASH (end, node, hash_pointer(nve, 0), &n->ends) {
        if (end->nve == nve) {
            return end;
        }
    }
    return NULL;
}

/* Puts 'end' where its proved ways are refreshed, if it is not there yet. */
static void
end_enqueue(struct neighbors *n, struct end *end, long long int now)
{
    if (ovs_list_is_empty(&end->refresh_node)) {
        end->refresh_at = now + REFRESH_MS;
        ovs_list_push_back(&n->refresh, &end->refresh_node);
    }
}

static void
end_dequeue(struct end *end)
{
    if (!ovs_list_is_empty(&end->refresh_node)) {
        ovs_list_remove(&end->refresh_node);
        ovs_list_init(&end->refresh_node);
    }
}

static struct end *
get_end(struct neighbors *n, struct nve *nve)
{
    struct end *end = find_end(n, nve);

    if (!end) {
        end = xzalloc(sizeof *end);
        end->nve = nve;
        ovs_list_init(&end->out);
        ovs_list_init(&end->in);
        ovs_list_init(&end->refresh_node);
        hmap_insert(&n->ends, &end->node, hash_pointer(nve, 0));
    }
    return end;
}

static void
put_end(struct neighbors *n, struct end *end)
{
    if (!end->up && ovs_list_is_empty(&end->in)
        && ovs_list_is_empty(&end->out)) {
        end_dequeue(end);
        hmap_remove(&n->ends, &end->node);
        free(end);
    }
}

static uint32_t
hash_way(uint64_t from, uint64_t to)
{
    return hash_uint64_basis(from, hash_uint64(to));
}

static struct way *
find_way(const struct neighbors *n, uint64_t from, uint64_t to)
{
    struct way *way;

    HMAP_FOR_EACH_WITH_HASH (way, node, hash_way(from, to), &n->ways) {
        if (way->from->nve->id == from && way->to->nve->id == to) {
            return way;
        }
    }
    return NULL;
}

static bool
way_is_up(const struct way *way)
{
    return way->from->up && way->to->up;
}

static void
way_dequeue(struct way *way)
{
    if (!ovs_list_is_empty(&way->queue_node)) {
        ovs_list_remove(&way->queue_node);
        ovs_list_init(&way->queue_node);
    }
}

/* Notes whether others shall wait for 'way'. */
static void
way_set_waiting(struct neighbors *n, struct way *way, bool waiting)
{
    n->n_waiting += waiting - way->waiting;
    way->waiting = waiting;
}

/* Puts 'way', which has been probed, where it is probed again after the
 * interval of that queue. */
static void
way_enqueue(struct neighbors *n, struct way *way, long long int now)
{
    way_dequeue(way);
    if (way->n_tries <= N_FAST_RETRIES) {
        way->probe_at = now + RETRY_MS;
        ovs_list_push_back(&n->fast, &way->queue_node);
    } else {
        way->probe_at = now + SLOW_RETRY_MS;
        ovs_list_push_back(&n->slow, &way->queue_node);
    }
}

static void
way_set_resolved(struct neighbors *n, struct way *way, bool resolved)
{
    if (way->resolved != resolved) {
        way->resolved = resolved;
        n->n_pending += resolved ? -1 : 1;
        n->changed(way->from->nve, way->to->nve, n->aux);
    }
}

/* Starts to prove 'way', whose ends are both up. */
static void
way_start(struct neighbors *n, struct way *way)
{
    ovs_assert(!way->resolved);
    n->n_pending++;
    way->n_tries = 0;
    way_dequeue(way);
    ovs_list_push_front(&n->fresh, &way->queue_node);
}

/* Stops, because an end went down or the way is not wanted any more. */
static void
way_stop(struct neighbors *n, struct way *way)
{
    if (!way->resolved) {
        n->n_pending--;
    }
    way->resolved = false;
    way_set_waiting(n, way, false);
    way_dequeue(way);
}

static void
link_way(struct neighbors *n, struct nve *from, struct nve *to)
{
    struct way *way = find_way(n, from->id, to->id);

    if (!way) {
        way = xzalloc(sizeof *way);
        way->from = get_end(n, from);
        way->to = get_end(n, to);
        way->sent_at = LLONG_MIN;
        ovs_list_push_back(&way->from->out, &way->from_node);
        ovs_list_push_back(&way->to->in, &way->to_node);
        ovs_list_init(&way->queue_node);
        hmap_insert(&n->ways, &way->node, hash_way(from->id, to->id));
        if (way_is_up(way)) {
            way_start(n, way);
        }
    }
    way->n_refs++;
}

static void
unlink_way(struct neighbors *n, struct nve *from, struct nve *to)
{
    struct way *way = find_way(n, from->id, to->id);

    if (way && !--way->n_refs) {
        if (way_is_up(way)) {
            way_stop(n, way);
        }
        hmap_remove(&n->ways, &way->node);
        ovs_list_remove(&way->from_node);
        ovs_list_remove(&way->to_node);
        put_end(n, way->from);
        put_end(n, way->to);
        free(way);
    }
}

void
neighbors_link(struct neighbors *n, struct nve *a, struct nve *b)
{
    link_way(n, a, b);
    link_way(n, b, a);
}

void
neighbors_unlink(struct neighbors *n, struct nve *a, struct nve *b)
{
    unlink_way(n, a, b);
    unlink_way(n, b, a);
}

void
neighbors_nve_down(struct neighbors *n, struct nve *nve)
{
    struct end *end = find_end(n, nve);
    struct way *way;

    if (!end || !end->up) {
        return;
    }
    LIST_FOR_EACH (way, from_node, &end->out) {
        if (way_is_up(way)) {
            way_stop(n, way);
        }
    }
    LIST_FOR_EACH (way, to_node, &end->in) {
        if (way_is_up(way)) {
            way_stop(n, way);
        }
    }
    end->up = false;
    end_dequeue(end);
    put_end(n, end);
}

void
neighbors_nve_changed(struct neighbors *n, struct nve *nve)
{
    struct way *way;
    struct end *end;

    neighbors_nve_down(n, nve);
    end = get_end(n, nve);
    end->up = true;
    LIST_FOR_EACH (way, from_node, &end->out) {
        way->sent_at = LLONG_MIN;       /* It may have forgotten them. */
        if (way_is_up(way)) {
            way_start(n, way);
        }
    }
    LIST_FOR_EACH (way, to_node, &end->in) {
        if (way_is_up(way)) {
            way_start(n, way);
        }
    }
}

void
neighbors_set_busy(struct neighbors *n, const struct nve *nve, bool busy)
{
    struct end *end = find_end(n, nve);

    if (end) {
        end->busy = busy;
    }
}

bool
neighbors_is_resolved(const struct neighbors *n, const struct nve *from,
                      const struct nve *to)
{
    const struct way *way = find_way(n, from->id, to->id);

    return way && way->resolved;
}

static void
put_set_field(struct ofpbuf *ofpacts, enum mf_field_id id,
              const union mf_value *value)
{
    ofpact_put_set_field(ofpacts, mf_from_id(id), value, NULL);
}

/* Appends to 'ofpacts' what makes 'from' send to 'to' in VNI 0.  The address
 * of the other family is cleared, as it may be left over from another NVE.
 * Returns false if it has no tunnel for that. */
static bool
put_tunnel_actions(struct ofpbuf *ofpacts, const struct nve *from,
                   const struct nve *to)
{
    ofp_port_t ofport = (to->encap == ENCAP_GENEVE ? from->geneve_ofport
                         : from->vxlan_ofport);
    int ip = topology_tunnel_address(from, to);
    union mf_value ipv4, ipv6, vni;

    if (!ofport || ip < 0) {
        return false;
    }
    memset(&ipv4, 0, sizeof ipv4);
    memset(&ipv6, 0, sizeof ipv6);
    memset(&vni, 0, sizeof vni);
    if (topology_is_ipv4(&to->ips[ip])) {
        ipv4.be32 = in6_addr_get_mapped_ipv4(&to->ips[ip]);
    } else {
        ipv6.ipv6 = to->ips[ip];
    }
    put_set_field(ofpacts, MFF_TUN_DST, &ipv4);
    put_set_field(ofpacts, MFF_TUN_IPV6_DST, &ipv6);
    put_set_field(ofpacts, MFF_TUN_ID, &vni);
    ofpact_put_OUTPUT(ofpacts)->port = ofport;
    return true;
}

/* Returns a packet-out of a frame of type 'eth_type' with 'payload', which
 * does what 'ofpacts' says. */
static struct ofpbuf *
encode_frame(uint16_t eth_type, const void *payload, size_t size,
             const struct ofpbuf *ofpacts)
{
    struct eth_header eth = { .eth_type = htons(eth_type) };
    uint8_t frame[60] = { 0 };

    ovs_assert(size <= sizeof frame - sizeof eth);
    ovs_assert(eth_addr_from_string(FLOW_PROBE_MAC, &eth.eth_dst));
    eth.eth_src = flow_nva_mac();
    memcpy(frame, &eth, sizeof eth);
    if (size) {
        memcpy(frame + sizeof eth, payload, size);
    }
    return packet_out_compose(frame, sizeof frame, OFPP_CONTROLLER, ofpacts);
}

/* Returns a packet-out that makes 'from' send a probe to 'to', or null if it
 * has no tunnel for that. */
static struct ofpbuf *
encode_probe(const struct nve *from, const struct nve *to)
{
    struct probe probe = { .from = htonll(from->id), .to = htonll(to->id) };
    uint64_t stub[256 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct ofpbuf *msg = NULL;

    memcpy(probe.magic, magic, sizeof magic);
    if (put_tunnel_actions(&ofpacts, from, to)) {
        msg = encode_frame(FLOW_PROBE_ETH_TYPE, &probe, sizeof probe,
                           &ofpacts);
    }
    ofpbuf_uninit(&ofpacts);
    return msg;
}

/* Has the end that 'way' starts from send a probe. */
static void
send_probe(struct neighbors *n, struct way *way, long long int now)
{
    struct ofpbuf *msg = encode_probe(way->from->nve, way->to->nve);

    if (msg) {
        COVERAGE_INC(neighbor_probe_sent);
        way->sent_at = now;
        n->send(way->from->nve, msg, n->aux);
    }
}

static struct batch
batch_start(const struct end *from)
{
    struct batch batch = { .from = from->nve };

    ofpbuf_init(&batch.ofpacts, 0);
    return batch;
}

static void
batch_send(struct neighbors *n, struct batch *batch)
{
    if (batch->n) {
        n->send(batch->from, encode_frame(FLOW_REFRESH_ETH_TYPE, NULL, 0,
                                          &batch->ofpacts), n->aux);
        ofpbuf_clear(&batch->ofpacts);
        batch->n = 0;
    }
}

/* Has 'batch->from' send a frame to 'to' that nobody answers. */
static void
batch_add(struct neighbors *n, struct batch *batch, const struct nve *to)
{
    if (put_tunnel_actions(&batch->ofpacts, batch->from, to)) {
        COVERAGE_INC(neighbor_refreshed);
        if (++batch->n == N_TARGETS_MAX) {
            batch_send(n, batch);
        }
    }
}

/* Sends what is left of 'batch' and frees it. */
static void
batch_finish(struct neighbors *n, struct batch *batch)
{
    batch_send(n, batch);
    ofpbuf_uninit(&batch->ofpacts);
}

void
neighbors_warm(struct neighbors *n, const struct nve *hub,
               const struct nve *const others[], size_t n_others)
{
    const struct end *end = find_end(n, hub);

    if (end && end->up) {
        struct batch out = batch_start(end);

        for (size_t i = 0; i < n_others; i++) {
            const struct end *other = find_end(n, others[i]);

            if (other && other->up) {
                struct batch back = batch_start(other);

                batch_add(n, &back, hub);
                batch_finish(n, &back);
                batch_add(n, &out, others[i]);
            }
        }
        batch_finish(n, &out);
    }
}

static void
resolve_way_blindly(struct neighbors *n, const struct nve *from,
                    const struct nve *to, long long int now)
{
    struct way *way = find_way(n, from->id, to->id);

    if (way && way->from->up && !way->to->up
        && (way->sent_at == LLONG_MIN || now - way->sent_at >= REFRESH_MS)) {
        send_probe(n, way, now);
    }
}

void
neighbors_resolve_blindly(struct neighbors *n, const struct nve *a,
                          const struct nve *b, long long int now)
{
    resolve_way_blindly(n, a, b, now);
    resolve_way_blindly(n, b, a, now);
}

size_t
neighbors_count_pending(const struct neighbors *n)
{
    return n->n_pending;
}

static void
probe_way(struct neighbors *n, struct way *way, long long int now)
{
    if (way->n_tries && (way->from->busy || way->to->busy)
        && way->n_held < N_HELD_MAX) {
        way->n_held++;
        way_set_waiting(n, way, false);
        way_enqueue(n, way, now);
        return;
    }
    way->n_held = 0;
    if (++way->n_tries > N_DOUBTS) {
        way_set_resolved(n, way, false);
    }
    way_set_waiting(n, way, way->n_tries <= N_PATIENT && !way->resolved);
    way_enqueue(n, way, now);
    send_probe(n, way, now);
}

/* Has 'end' use all of its proved ways, so that it does not forget its
 * neighbors, and proves some of them anew, those first that were not for the
 * longest time.  Returns how many. */
static size_t
refresh_end(struct neighbors *n, struct end *end, long long int now)
{
    struct batch batch = batch_start(end);
    struct way *proved[N_PROVED_MAX];
    size_t n_proved = 0, n_refreshed = 0;
    struct way *way;

    LIST_FOR_EACH (way, from_node, &end->out) {
        if (!way->resolved || way->n_tries) {
            continue;           /* It is probed anyway. */
        } else if (n_proved < N_PROVED_MAX) {
            proved[n_proved++] = way;
        } else {
            batch_add(n, &batch, way->to->nve);
        }
        n_refreshed++;
    }
    batch_finish(n, &batch);

    end_dequeue(end);
    if (n_refreshed) {
        end_enqueue(n, end, now);
    }
    for (size_t i = 0; i < n_proved; i++) {
        ovs_list_remove(&proved[i]->from_node);
        ovs_list_push_back(&end->out, &proved[i]->from_node);
        probe_way(n, proved[i], now);
    }
    return n_refreshed;
}

static struct end *
first_end(const struct ovs_list *queue)
{
    return CONTAINER_OF(ovs_list_front(queue), struct end, refresh_node);
}

static void
run_refresh(struct neighbors *n, long long int now)
{
    size_t n_refreshed = 0;

    while (!ovs_list_is_empty(&n->refresh)
           && first_end(&n->refresh)->refresh_at <= now
           && n_refreshed < N_REFRESHED_MAX) {
        n_refreshed += refresh_end(n, first_end(&n->refresh), now);
    }
}

static struct way *
first_way(const struct ovs_list *queue)
{
    return CONTAINER_OF(ovs_list_front(queue), struct way, queue_node);
}

static void
run_queue(struct neighbors *n, struct ovs_list *queue, long long int now)
{
    while (!ovs_list_is_empty(queue) && first_way(queue)->probe_at <= now) {
        probe_way(n, first_way(queue), now);
    }
}

/* Returns true if a way can be tried for the first time. */
static bool
has_first_try(const struct neighbors *n)
{
    return (!ovs_list_is_empty(&n->fresh)
            && n->n_waiting < N_WAITING_MAX);
}

void
neighbors_run(struct neighbors *n, long long int now)
{
    run_queue(n, &n->fast, now);
    run_queue(n, &n->slow, now);
    run_refresh(n, now);
    while (has_first_try(n)) {
        probe_way(n, first_way(&n->fresh), now);
    }
}

static long long int
queue_deadline(const struct ovs_list *queue)
{
    return (ovs_list_is_empty(queue) ? LLONG_MAX
            : first_way(queue)->probe_at);
}

long long int
neighbors_deadline(const struct neighbors *n)
{
    if (has_first_try(n)) {
        return 0;
    }
    return MIN(MIN(queue_deadline(&n->fast), queue_deadline(&n->slow)),
               ovs_list_is_empty(&n->refresh) ? LLONG_MAX
               : first_end(&n->refresh)->refresh_at);
}

void
neighbors_probe_received(struct neighbors *n, struct nve *at,
                         const void *payload, size_t size, long long int now)
{
    struct probe probe;
    struct way *way;

    if (size < sizeof probe) {
        return;
    }
    memcpy(&probe, payload, sizeof probe);
    if (memcmp(probe.magic, magic, sizeof magic)
        || ntohll(probe.to) != at->id) {
        return;
    }
    way = find_way(n, ntohll(probe.from), at->id);
    if (way && way_is_up(way)) {
        COVERAGE_INC(neighbor_probe_received);
        way->n_tries = 0;
        way_set_waiting(n, way, false);
        way_dequeue(way);
        end_enqueue(n, way->from, now);
        way_set_resolved(n, way, true);
    }
}
