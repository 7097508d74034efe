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

struct ofsync_meter *
ofsync_find_meter__(const struct ofsync *os, uint32_t id)
{
    struct ofsync_meter *meter;

    HMAP_FOR_EACH_WITH_HASH (meter, node, hash_int(id, 0), &os->meters) {
        if (meter->config.id == id) {
            return meter;
        }
    }
    return NULL;
}

const struct flow_meter *
ofsync_get_meter(const struct ofsync *os, uint32_t id)
{
    const struct ofsync_meter *meter = ofsync_find_meter__(os, id);

    return meter && meter->n_refs ? &meter->config : NULL;
}

void
ofsync_ref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    struct ofsync_meter *meter;

    if (!config->id) {
        return;
    }
    meter = ofsync_find_meter__(os, config->id);
    if (!meter) {
        meter = xzalloc(sizeof *meter);
        hmap_insert(&os->meters, &meter->node, hash_int(config->id, 0));
    }
    meter->until = 0;
    if (memcmp(&meter->config, config, sizeof *config)) {
        meter->raised = config->rate > meter->config.rate;
        meter->config = *config;
        meter->dirty = os->meters_dirty = true;
    }
    meter->n_refs++;
}

void
ofsync_unref_meter__(struct ofsync *os, const struct flow_meter *config)
{
    if (config->id) {
        struct ofsync_meter *meter = ofsync_find_meter__(os, config->id);

        if (!--meter->n_refs) {
            os->meters_dirty = true;
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
    HMAP_FOR_EACH (meter, node, &w->os->meters) {
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

    HMAP_FOR_EACH_SAFE (meter, node, &os->meters) {
        if (meter->n_refs) {
            continue;
        } else if (meter->config.linger_ms && meter->until != LLONG_MAX) {
            os->linger_at = 0;
        } else {
            if (meter->installed) {
                write_meter_mod(w, &meter->config, OFPMC13_DELETE, xid);
            }
            hmap_remove(&os->meters, &meter->node);
            free(meter);
        }
    }
}

void
ofsync_linger__(struct ofsync *os, long long int now)
{
    struct ofsync_meter *meter;

    os->linger_at = LLONG_MAX;
    HMAP_FOR_EACH (meter, node, &os->meters) {
        if (meter->n_refs || !meter->config.linger_ms) {
            continue;
        }
        if (!meter->until) {
            meter->until = now + meter->config.linger_ms;
        } else if (now >= meter->until) {
            meter->until = LLONG_MAX;
            os->meters_dirty = true;
        }
        os->linger_at = MIN(os->linger_at, meter->until);
    }
    ofsync_check_confirmation__(os);
}
