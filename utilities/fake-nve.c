/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "fake-nve.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cookie.h"
#include "fake-ovsdb.h"
#include "flow-list.h"
#include "flow.h"
#include "hash.h"
#include "hvdb.h"
#include "hvdb-schema.h"
#include "jsonrpc.h"
#include "loop.h"
#include "openvswitch/json.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "pipeline.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(fake_nve);

/* The address of the tunnels of NVE 0; that of NVE i is i more. */
#define FIRST_IP 0x0a000001

/* The OpenFlow port of the first VM.  Tunnels have those before it. */
#define FIRST_OFPORT 10

/* How many commits are remembered at most. */
#define COMMITS_MAX 1000000

/* A VM's interface. */
struct fake_vif {
    struct hmap_node node;      /* In fakes' 'vifs', by 'iface_id'. */
    struct fake_nve *nve;
    char *iface_id;
    struct uuid port, iface;    /* Their rows. */
    ofp_port_t ofport;
};

/* A message that is to be sent later. */
struct late_msg {
    struct ovs_list node;       /* In fake_nve's 'outbox'. */
    struct ofpbuf *msg;
    long long int due;
};

/* The database. */

static struct fake_row *
first_row(const struct fake_nve *nve, size_t table)
{
    struct hmap_node *node = hmap_first(fake_ovsdb_get_rows(nve->db, table));

    return node ? CONTAINER_OF(node, struct fake_row, node) : NULL;
}

static void
set_string(struct fake_nve *nve, size_t table, struct fake_row *row,
           size_t column, const char *s)
{
    fake_ovsdb_set(nve->db, table, row, column, json_string_create(s));
}

static void
put_pair(struct fake_nve *nve, size_t table, struct fake_row *row,
         size_t column, const char *key, const char *value)
{
    fake_ovsdb_put(nve->db, table, row, column,
                   json_array_create_2(json_string_create(key),
                                       json_string_create(value)));
}

/* Fills the database as it is before the controller has seen it. */
static void
init_db(struct fake_nve *nve)
{
    uint32_t ip = FIRST_IP + nve->index;
    struct fake_row *ovs, *manager;
    char *s;

    nve->db = fake_ovsdb_create();
    ovs = fake_ovsdb_insert(nve->db, HVDB_T_OVS);
    put_pair(nve, HVDB_T_OVS, ovs, HVDB_OVS_EXTERNAL_IDS, "system-id",
             nve->name);
    s = xasprintf(IP_FMT, IP_ARGS(htonl(ip)));
    put_pair(nve, HVDB_T_OVS, ovs, HVDB_OVS_EXTERNAL_IDS, "nva-encap-ip", s);
    free(s);
    set_string(nve, HVDB_T_OVS, ovs, HVDB_OVS_OVS_VERSION, "3.1.0");

    manager = fake_ovsdb_insert(nve->db, HVDB_T_MANAGER);
    set_string(nve, HVDB_T_MANAGER, manager, HVDB_MANAGER_TARGET,
               nve->fakes->ovsdb);
    fake_ovsdb_set(nve->db, HVDB_T_MANAGER, manager,
                   HVDB_MANAGER_IS_CONNECTED, json_boolean_create(true));
    fake_ovsdb_put(nve->db, HVDB_T_OVS, ovs, HVDB_OVS_MANAGER_OPTIONS,
                   fake_row_to_json(manager));
}

/* Returns true if an optional column has no element. */
static bool
is_empty(const struct json *datum)
{
    return (datum->type == JSON_ARRAY && datum->array.n == 2
            && datum->array.elems[1]->type == JSON_ARRAY
            && !datum->array.elems[1]->array.n);
}

/* Probes on 'conn' as 'row', of which 'column' is "inactivity_probe", says.
 * '*probe' is what it has done so far. */
static void
set_probe(struct loop_conn *conn, const struct fake_row *row, size_t column,
          int *probe)
{
    int wanted = (is_empty(row->data[column]) ? HVDB_INACTIVITY_PROBE_MS
                  : json_integer(row->data[column]));

    if (conn && *probe != wanted) {
        *probe = wanted;
        loop_conn_set_probe(conn, wanted);
    }
}

/* Dials the target of the bridge's controller. */
static void
dial_openflow(struct fake_nve *nve, const char *target)
{
    if (nve->away || nullable_string_is_equal(nve->target, target)) {
        return;
    }
    if (nve->of_conn) {
        loop_conn_close(nve->of_conn);
        nve->of_conn = NULL;
    }
    free(nve->target);
    nve->target = nullable_xstrdup(target);
    if (target) {
        char *error = loop_check_remote(nve->fakes->loop, target);

        if (error) {
            VLOG_WARN("%s: controller %s", nve->name, error);
            free(error);
        } else {
            nve->of_conn = loop_connect(nve->fakes->loop, target,
                                        LOOP_OPENFLOW, nve);
            nve->of_probe = 0;
        }
    }
}

/* Does what ovs-vswitchd does when the database changes: gives bridges an id
 * and interfaces a port, and connects to the controller. */
static void
run_vswitchd(struct fake_nve *nve)
{
    struct fake_row *row;

    HMAP_FOR_EACH (row, node, fake_ovsdb_get_rows(nve->db, HVDB_T_BRIDGE)) {
        if (is_empty(row->data[HVDB_BRIDGE_DATAPATH_ID])) {
            char *id = xasprintf("%016"PRIxSIZE, nve->index + 1);

            set_string(nve, HVDB_T_BRIDGE, row, HVDB_BRIDGE_DATAPATH_ID, id);
            free(id);
        }
    }
    HMAP_FOR_EACH (row, node,
                   fake_ovsdb_get_rows(nve->db, HVDB_T_INTERFACE)) {
        if (is_empty(row->data[HVDB_INTERFACE_OFPORT])) {
            const char *type = json_string(row->data[HVDB_INTERFACE_TYPE]);
            int ofport = (!strcmp(type, "geneve") ? 1
                          : !strcmp(type, "vxlan") ? 2
                          : !strcmp(type, "internal") ? OFPP_LOCAL
                          : nve->next_ofport++);

            fake_ovsdb_set(nve->db, HVDB_T_INTERFACE, row,
                           HVDB_INTERFACE_OFPORT,
                           json_integer_create(ofport));
        }
    }
    row = first_row(nve, HVDB_T_CONTROLLER);
    dial_openflow(nve, (row ? json_string(row->data[HVDB_CONTROLLER_TARGET])
                        : NULL));
    if (row) {
        set_probe(nve->of_conn, row, HVDB_CONTROLLER_INACTIVITY_PROBE,
                  &nve->of_probe);
    }
    row = first_row(nve, HVDB_T_MANAGER);
    set_probe(nve->db_conn, row, HVDB_MANAGER_INACTIVITY_PROBE,
              &nve->db_probe);
}

void
fake_nve_flush(struct fake_nve *nve)
{
    struct jsonrpc_msg *update = fake_ovsdb_take_update(nve->db);

    if (update) {
        loop_conn_send_json(nve->db_conn, update);
    }
}

static void
handle_json(struct fake_nve *nve, const struct jsonrpc_msg *msg)
{
    struct jsonrpc_msg *reply;

    if (msg->type == JSONRPC_REQUEST) {
        reply = fake_ovsdb_handle(nve->db, msg);
        run_vswitchd(nve);
        fake_nve_flush(nve);
        loop_conn_send_json(nve->db_conn, reply);
    }
}

/* VMs' interfaces. */

static struct fake_vif *
find_vif(const struct fakes *fakes, const struct fake_nve *nve,
         const char *iface_id)
{
    struct fake_vif *vif;

    HMAP_FOR_EACH_WITH_HASH (vif, node, hash_string(iface_id, 0),
                             &fakes->vifs) {
        if (vif->nve == nve && !strcmp(vif->iface_id, iface_id)) {
            return vif;
        }
    }
    return NULL;
}

static struct fake_row *
find_row(const struct fake_nve *nve, size_t table, const struct uuid *uuid)
{
    struct fake_row *row;

    HMAP_FOR_EACH_WITH_HASH (row, node, uuid_hash(uuid),
                             fake_ovsdb_get_rows(nve->db, table)) {
        if (uuid_equals(&row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

bool
fake_nve_plug(struct fake_nve *nve, const char *iface_id)
{
    struct fake_row *bridge = first_row(nve, HVDB_T_BRIDGE);
    struct fake_row *iface, *port;
    struct fake_vif *vif;

    if (!bridge || find_vif(nve->fakes, nve, iface_id)) {
        return false;
    }
    vif = xzalloc(sizeof *vif);
    vif->nve = nve;
    vif->iface_id = xstrdup(iface_id);
    vif->ofport = u16_to_ofp(nve->next_ofport++);
    hmap_insert(&nve->fakes->vifs, &vif->node, hash_string(iface_id, 0));

    iface = fake_ovsdb_insert(nve->db, HVDB_T_INTERFACE);
    set_string(nve, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_NAME, iface_id);
    put_pair(nve, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_EXTERNAL_IDS,
             "iface-id", iface_id);
    fake_ovsdb_set(nve->db, HVDB_T_INTERFACE, iface, HVDB_INTERFACE_OFPORT,
                   json_integer_create(ofp_to_u16(vif->ofport)));
    vif->iface = iface->uuid;

    port = fake_ovsdb_insert(nve->db, HVDB_T_PORT);
    set_string(nve, HVDB_T_PORT, port, HVDB_PORT_NAME, iface_id);
    fake_ovsdb_put(nve->db, HVDB_T_PORT, port, HVDB_PORT_INTERFACES,
                   fake_row_to_json(iface));
    vif->port = port->uuid;
    fake_ovsdb_put(nve->db, HVDB_T_BRIDGE, bridge, HVDB_BRIDGE_PORTS,
                   fake_row_to_json(port));
    return true;
}

static void
free_vif(struct fake_vif *vif)
{
    hmap_remove(&vif->nve->fakes->vifs, &vif->node);
    free(vif->iface_id);
    free(vif);
}

bool
fake_nve_unplug(struct fake_nve *nve, const char *iface_id)
{
    struct fake_vif *vif = find_vif(nve->fakes, nve, iface_id);
    struct fake_row *bridge = first_row(nve, HVDB_T_BRIDGE);
    struct fake_row *port;

    if (!vif || !bridge) {
        return false;
    }
    port = find_row(nve, HVDB_T_PORT, &vif->port);
    fake_ovsdb_drop(nve->db, HVDB_T_BRIDGE, bridge, HVDB_BRIDGE_PORTS,
                    fake_row_to_json(port));
    fake_ovsdb_delete(nve->db, HVDB_T_PORT, port);
    fake_ovsdb_delete(nve->db, HVDB_T_INTERFACE,
                      find_row(nve, HVDB_T_INTERFACE, &vif->iface));
    free_vif(vif);
    return true;
}

/* OpenFlow. */

static void
send_ofp(struct fake_nve *nve, struct ofpbuf *msg)
{
    struct late_msg *late;

    if (!nve->delay_ms && ovs_list_is_empty(&nve->outbox)) {
        loop_conn_send_ofp(nve->of_conn, msg);
        return;
    }
    late = xmalloc(sizeof *late);
    late->msg = msg;
    late->due = clock_msec() + nve->delay_ms;
    if (ovs_list_is_empty(&nve->outbox)) {
        ovs_list_push_back(&nve->fakes->delayed, &nve->delayed_node);
    }
    ovs_list_push_back(&nve->outbox, &late->node);
}

/* Sends what is due, or forgets all if 'send' is false. */
static void
run_outbox(struct fake_nve *nve, bool send)
{
    long long int now = clock_msec();

    while (!ovs_list_is_empty(&nve->outbox)) {
        struct late_msg *late = CONTAINER_OF(ovs_list_front(&nve->outbox),
                                             struct late_msg, node);

        if (send && late->due > now) {
            return;
        } else if (send) {
            loop_conn_send_ofp(nve->of_conn, late->msg);
        } else {
            ofpbuf_delete(late->msg);
        }
        ovs_list_remove(&late->node);
        free(late);
        if (ovs_list_is_empty(&nve->outbox)) {
            ovs_list_remove(&nve->delayed_node);
        }
    }
}

static void
send_features(struct fake_nve *nve, const struct ofp_header *oh)
{
    struct ofputil_switch_features features = {
        .datapath_id = nve->index + 1,
        .n_tables = 254,
    };

    send_ofp(nve, ofputil_encode_switch_features(
                 &features, OFPUTIL_P_OF15_OXM, oh->xid));
}

/* Sends 'packet' to the controller, for a flow with 'cookie' in 'table' whose
 * controller action has one byte of user data. */
static void
send_packet_in(struct fake_nve *nve, const void *packet, size_t size,
               enum flow_table table, uint64_t cookie,
               enum pipeline_punt punt)
{
    uint8_t userdata = punt;
    struct ofputil_packet_in_private pin = {
        .base = {
            .packet = CONST_CAST(void *, packet),
            .packet_len = size,
            .reason = OFPR_ACTION,
            .table_id = table,
            .cookie = htonll(cookie),
            .userdata = &userdata,
            .userdata_len = 1,
        },
    };

    match_init_catchall(&pin.base.flow_metadata);
    match_set_in_port(&pin.base.flow_metadata, u16_to_ofp(1));
    nve->fakes->n_packet_ins++;
    send_ofp(nve, ofputil_encode_packet_in_private(
                 &pin, OFPUTIL_P_OF15_OXM, OFPUTIL_PACKET_IN_NXT2));
}

static bool
is_probe(const void *frame, size_t size)
{
    const struct eth_header *eth = frame;

    return size >= sizeof *eth && eth->eth_type == htons(FLOW_PROBE_ETH_TYPE);
}

/* A packet-out is a probe of the underlay: it comes out at the NVE to whose
 * address it is tunnelled.  Or it is only sent to be sent. */
static void
handle_packet_out(struct fake_nve *nve, const struct ofp_header *oh)
{
    uint64_t stub[256 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    const struct ofpact *a;
    struct ofputil_packet_out po;

    if (!ofputil_decode_packet_out(&po, oh, NULL, &ofpacts)
        && is_probe(po.packet, po.packet_len)) {
        OFPACT_FOR_EACH (a, po.ofpacts, po.ofpacts_len) {
            const struct ofpact_set_field *sf;
            uint32_t index;

            if (a->type != OFPACT_SET_FIELD) {
                continue;
            }
            sf = ofpact_get_SET_FIELD(a);
            index = ntohl(sf->value->be32) - FIRST_IP;
            if (sf->field->id == MFF_TUN_DST && index < nve->fakes->n) {
                struct fake_nve *to = nve->fakes->nves[index];

                nve->fakes->n_probes++;
                if (to->of_up) {
                    send_packet_in(to, po.packet, po.packet_len,
                                   FLOW_TABLE_CLASSIFY, 0,
                                   PIPELINE_PUNT_PROBE);
                }
            }
        }
    }
    ofpbuf_uninit(&ofpacts);
}

static void
note_commit(struct fake_nve *nve)
{
    struct fakes *f = nve->fakes;

    if (f->n_commits >= COMMITS_MAX) {
        return;
    }
    if (f->n_commits >= f->allocated_commits) {
        f->commits = x2nrealloc(f->commits, &f->allocated_commits,
                                sizeof *f->commits);
    }
    f->commits[f->n_commits++] = (struct fake_commit) {
        .nve = nve, .usec = clock_wall_usec(),
    };
}

/* Has the switch carry out 'msg', and takes it. */
static void
run_switch(struct fake_nve *nve, struct ofpbuf *msg)
{
    unsigned int n_commits = nve->sw.n_commits;
    struct ofpbuf *reply;

    fake_switch_receive(&nve->sw, msg);
    if (nve->sw.n_commits != n_commits) {
        note_commit(nve);
    }
    LIST_FOR_EACH_POP (reply, list_node, &nve->sw.replies) {
        send_ofp(nve, reply);
    }
}

/* Processes 'msg' and takes it. */
static void
handle_ofp(struct fake_nve *nve, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        send_ofp(nve, ofperr_encode_reply(OFPERR_OFPBRC_BAD_TYPE, oh));
    } else if (fake_switch_knows(type)) {
        run_switch(nve, msg);
        return;
    } else if (type == OFPTYPE_FEATURES_REQUEST) {
        send_features(nve, oh);
    } else if (type == OFPTYPE_PACKET_OUT) {
        handle_packet_out(nve, oh);
    } else if (type != OFPTYPE_HELLO && type != OFPTYPE_SET_CONFIG
               && type != OFPTYPE_SET_PACKET_IN_FORMAT) {
        send_ofp(nve, ofperr_encode_reply(OFPERR_OFPBRC_BAD_TYPE, oh));
    }
    ofpbuf_delete(msg);
}

/* What VMs send. */

static ofp_port_t
get_in_port(const struct flow_entry *fe)
{
    struct ofpbuf ofpacts;
    struct match match;

    ofpbuf_init(&ofpacts, 256);
    flow_entry_decode(fe, &match, &ofpacts);
    ofpbuf_uninit(&ofpacts);
    return match.flow.in_port.ofp_port;
}

static bool
is_from_port(const struct flow_entry *fe, const void *ofport)
{
    return get_in_port(fe) == *(const ofp_port_t *) ofport;
}

bool
fake_nve_say(struct fake_nve *nve, const char *iface_id)
{
    static const uint8_t frame[60];
    const struct fake_vif *vif = find_vif(nve->fakes, nve, iface_id);
    const struct flow_entry *fe = NULL;

    if (vif) {
        fe = fake_switch_find(&nve->sw, FLOW_TABLE_ANNOUNCE, is_from_port,
                              &vif->ofport);
    }
    if (fe) {
        send_packet_in(nve, frame, sizeof frame, FLOW_TABLE_ANNOUNCE,
                       fe->cookie, PIPELINE_PUNT_ACTIVATION);
    }
    return fe != NULL;
}

/* Connections. */

static void
db_event(struct fake_nve *nve, struct loop_event *event)
{
    if (event->type == LOOP_CONNECTED) {
        nve->db_up = true;
    } else if (event->type == LOOP_DISCONNECTED) {
        nve->db_up = false;
        fake_ovsdb_disconnect(nve->db);
    } else if (event->type == LOOP_MESSAGE) {
        handle_json(nve, event->json);
        jsonrpc_msg_destroy(event->json);
    }
}

static void
of_lost(struct fake_nve *nve)
{
    nve->of_up = false;
    fake_switch_disconnect(&nve->sw);
    run_outbox(nve, false);
}

static void
of_event(struct fake_nve *nve, struct loop_event *event)
{
    if (event->type == LOOP_CONNECTED) {
        nve->of_up = true;
        loop_conn_send_ofp(nve->of_conn,
                           ofputil_encode_hello(1u << OFP15_VERSION));
    } else if (event->type == LOOP_DISCONNECTED) {
        of_lost(nve);
    } else if (event->type == LOOP_MESSAGE) {
        handle_ofp(nve, event->ofp);
    }
}

static void
dial_db(struct fake_nve *nve)
{
    nve->db_conn = loop_connect(nve->fakes->loop, nve->fakes->ovsdb,
                                LOOP_JSONRPC, nve);
    nve->db_probe = 0;
}

void
fake_nve_drop(struct fake_nve *nve)
{
    if (nve->db_conn) {
        loop_conn_reset(nve->db_conn, "on command");
    }
    if (nve->of_conn) {
        loop_conn_reset(nve->of_conn, "on command");
    }
}

static void
hang_up(struct fake_nve *nve)
{
    if (nve->db_conn) {
        loop_conn_close(nve->db_conn);
        nve->db_conn = NULL;
        nve->db_up = false;
        fake_ovsdb_disconnect(nve->db);
    }
    if (nve->of_conn) {
        loop_conn_close(nve->of_conn);
        nve->of_conn = NULL;
        of_lost(nve);
    }
    free(nve->target);
    nve->target = NULL;
}

void
fake_nve_set_away(struct fake_nve *nve, bool away)
{
    if (away != nve->away) {
        nve->away = away;
        if (away) {
            hang_up(nve);
        } else {
            dial_db(nve);
            run_vswitchd(nve);
        }
    }
}

/* All of them. */

static void
fake_nve_create(struct fakes *fakes)
{
    struct fake_nve *nve = xzalloc(sizeof *nve);

    nve->fakes = fakes;
    nve->index = fakes->n;
    nve->name = xasprintf("hv%"PRIuSIZE, nve->index);
    nve->next_ofport = FIRST_OFPORT;
    ovs_list_init(&nve->outbox);
    fake_switch_init(&nve->sw);
    init_db(nve);
    if (fakes->n >= fakes->allocated) {
        fakes->nves = x2nrealloc(fakes->nves, &fakes->allocated,
                                 sizeof *fakes->nves);
    }
    fakes->nves[fakes->n++] = nve;
    dial_db(nve);
}

void
fakes_init(struct fakes *fakes, struct loop *loop, const char *ovsdb)
{
    *fakes = (struct fakes) { .loop = loop, .ovsdb = ovsdb };
    hmap_init(&fakes->vifs);
    ovs_list_init(&fakes->delayed);
}

void
fakes_uninit(struct fakes *fakes)
{
    struct fake_vif *vif;

    HMAP_FOR_EACH_SAFE (vif, node, &fakes->vifs) {
        free_vif(vif);
    }
    hmap_destroy(&fakes->vifs);
    for (size_t i = 0; i < fakes->n; i++) {
        struct fake_nve *nve = fakes->nves[i];

        hang_up(nve);
        fake_switch_uninit(&nve->sw);
        fake_ovsdb_destroy(nve->db);
        free(nve->name);
        free(nve);
    }
    free(fakes->nves);
    free(fakes->commits);
}

void
fakes_grow(struct fakes *fakes, size_t n)
{
    while (fakes->n < n) {
        fake_nve_create(fakes);
    }
}

struct fake_nve *
fakes_find(const struct fakes *fakes, const char *name)
{
    unsigned int index;

    return (!strncmp(name, "hv", 2) && str_to_uint(name + 2, 10, &index)
            && index < fakes->n ? fakes->nves[index] : NULL);
}

void
fakes_run(struct fakes *fakes)
{
    struct loop_event event;
    struct fake_nve *nve;

    while (loop_next_event(fakes->loop, &event)) {
        nve = loop_conn_get_aux(event.conn);
        if (event.protocol == LOOP_JSONRPC) {
            db_event(nve, &event);
        } else {
            of_event(nve, &event);
        }
        free(event.error);
    }
    LIST_FOR_EACH_SAFE (nve, delayed_node, &fakes->delayed) {
        run_outbox(nve, true);
    }
}

void
fakes_wait(struct fakes *fakes)
{
    struct fake_nve *nve;

    loop_wait(fakes->loop);
    LIST_FOR_EACH (nve, delayed_node, &fakes->delayed) {
        struct late_msg *late = CONTAINER_OF(ovs_list_front(&nve->outbox),
                                             struct late_msg, node);

        poll_timer_wait_until(late->due);
    }
}
