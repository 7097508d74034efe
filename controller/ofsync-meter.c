/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

/* The meters of a switch.  They cannot be in a bundle, so they are there
 * before the flows that use them and go after them. */

#include "ofsync-private.h"

#include <limits.h>
#include <stdlib.h>

#include "hash.h"
#include "openflow/openflow.h"
#include "openvswitch/ofp-meter.h"
#include "util.h"

static struct ofsync_meter *
find_meter(const struct ofsync *os, uint32_t id)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH_WITH_HASH (meter, node, hash_int(id, 0), &os->meters) {
        if (meter->config.id == id) {
            return meter;
        }
    }
    return NULL;
}

static struct ofsync_meter *
add_meter(struct ofsync *os, uint32_t id)
{
    struct ofsync_meter *meter = xzalloc(sizeof *meter);

    meter->config.id = id;
    hmap_insert(&os->meters, &meter->node, hash_int(id, 0));
    ovs_list_init(&meter->list_node);
    return meter;
}

static void
free_meter(struct ofsync *os, struct ofsync_meter *meter)
{
    hmap_remove(&os->meters, &meter->node);
    ovs_list_remove(&meter->list_node);
    free(meter);
}

/* Takes 'meter' out of the list in which it is, if any, and puts it into
 * 'list' unless that is null. */
static void
put_meter(struct ofsync_meter *meter, struct ovs_list *list)
{
    ovs_list_remove(&meter->list_node);
    ovs_list_init(&meter->list_node);
    if (list) {
        ovs_list_push_back(list, &meter->list_node);
    }
}

const struct flow_meter *
ofsync_get_meter(const struct ofsync *os, uint32_t id)
{
    const struct ofsync_meter *meter = find_meter(os, id);

    return meter && meter->n_refs ? &meter->config : NULL;
}

void
ofsync_ref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    struct ofsync_meter *meter;

    if (!config->id) {
        return;
    }
    meter = find_meter(os, config->id);
    if (!meter) {
        meter = add_meter(os, config->id);
    } else if (!meter->n_refs) {
        meter->until = 0;
        put_meter(meter, meter->dirty ? &os->due_meters : NULL);
    }
    if (memcmp(&meter->config, config, sizeof *config)) {
        meter->raised = config->rate > meter->config.rate;
        meter->config = *config;
        meter->dirty = true;
        put_meter(meter, &os->due_meters);
    }
    meter->n_refs++;
}

void
ofsync_unref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    if (config->id) {
        struct ofsync_meter *meter = find_meter(os, config->id);

        if (!--meter->n_refs) {
            put_meter(meter, &os->due_meters);
        }
    }
}

void
ofsync_doubt_meters__(struct ofsync *os)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH (meter, node, &os->meters) {
        meter->installed = false;
        meter->dirty = true;
        put_meter(meter, &os->due_meters);
    }
}

void
ofsync_compare_meter__(struct ofsync *os,
                       const struct ofputil_meter_config *mc)
{
    struct ofsync_meter *meter = find_meter(os, mc->meter_id);

    if (!meter) {
        /* Not wanted: make it known, without references, so that it goes. */
        meter = add_meter(os, mc->meter_id);
        put_meter(meter, &os->due_meters);
    }
    meter->installed = true;
    meter->raised = (mc->n_bands == 1
                     && mc->bands[0].rate < meter->config.rate);
    meter->dirty = meter->config.rate && !(mc->n_bands == 1
                     && mc->bands[0].type == OFPMBT13_DROP
                     && mc->bands[0].rate == meter->config.rate
                     && mc->bands[0].burst_size == meter->config.burst
                     && mc->flags & OFPMF13_PKTPS);
    if (meter->n_refs && !meter->dirty) {
        put_meter(meter, NULL);
    }
}

void
ofsync_forget_meters__(struct ofsync *os, bool all)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH_SAFE (meter, node, &os->meters) {
        if (all || !meter->n_refs) {
            free_meter(os, meter);
        }
    }
}

static void
write_meter_mod(struct ofsync_writer *w, const struct flow_meter *config,
                uint16_t command, ovs_be32 xid)
{
    struct ofputil_meter_band band = {
        .type = OFPMBT13_DROP,
        .rate = config->rate,
        .burst_size = config->burst,
    };
    struct ofputil_meter_mod mm = {
        .command = command,
        .meter = {
            .meter_id = config->id,
            .flags = OFPMF13_PKTPS | OFPMF13_BURST | OFPMF13_STATS,
            .n_bands = 1,
            .bands = &band,
        },
    };
    struct ofpbuf *b = ofputil_encode_meter_mod(OFP15_VERSION, &mm);

    ((struct ofp_header *) b->data)->xid = xid;
    ofsync_write__(w, b);
}

void
ofsync_write_changed_meters__(struct ofsync_writer *w, bool raised,
                              ovs_be32 xid)
{
    struct ofsync_meter *meter;

    /* Also those without references.  Flows that came and went during a
     * comparison may be sent and deleted in one bundle; they need their
     * meters, too.  And those that linger are still passed. */
    LIST_FOR_EACH (meter, list_node, &w->os->due_meters) {
        if (meter->dirty && meter->raised == raised) {
            write_meter_mod(w, &meter->config,
                            meter->installed ? OFPMC13_MODIFY : OFPMC13_ADD,
                            xid);
            meter->installed = true;
            meter->dirty = meter->raised = false;
        }
    }
}

void
ofsync_write_unused_meters__(struct ofsync_writer *w, ovs_be32 xid)
{
    struct ofsync *os = w->os;
    struct ofsync_meter *meter;

    LIST_FOR_EACH_SAFE (meter, list_node, &os->due_meters) {
        if (meter->n_refs) {
            put_meter(meter, NULL);
        } else if (meter->config.linger_ms && meter->until != LLONG_MAX) {
            put_meter(meter, &os->lingering);
            os->linger_at = 0;
        } else {
            if (meter->installed) {
                write_meter_mod(w, &meter->config, OFPMC13_DELETE, xid);
            }
            free_meter(os, meter);
        }
    }
}

void
ofsync_linger__(struct ofsync *os, long long int now)
{
    struct ofsync_meter *meter;

    os->linger_at = LLONG_MAX;
    LIST_FOR_EACH_SAFE (meter, list_node, &os->lingering) {
        if (!meter->until) {
            meter->until = now + meter->config.linger_ms;
        } else if (now >= meter->until) {
            meter->until = LLONG_MAX;
            put_meter(meter, &os->due_meters);
            continue;
        }
        os->linger_at = MIN(os->linger_at, meter->until);
    }
    ofsync_check_confirmation__(os);
}
