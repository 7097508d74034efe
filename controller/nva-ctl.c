/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nva-private.h"

#include <stdlib.h>

#include "clock.h"
#include "cookie.h"
#include "gateway.h"
#include "openvswitch/dynamic-string.h"
#include "trace.h"
#include "unixctl.h"
#include "util.h"
#include "uuid.h"

static void
status(struct unixctl_conn *conn, int argc OVS_UNUSED,
       const char *argv[] OVS_UNUSED, void *nva_)
{
    struct nva *nva = nva_;
    struct ds s = DS_EMPTY_INITIALIZER;
    const struct port *port;
    const struct nve *nve;
    const struct mig *mig;

    ds_put_format(&s, "database: %s, %s\n",
                  db_is_connected(nva->db) ? "connected" : "not connected",
                  nva->active_here ? "active" : "standing by");
    ds_put_format(&s, "%"PRIuSIZE" NVEs, %"PRIuSIZE" virtual networks, "
                  "%"PRIuSIZE" ports, %"PRIuSIZE" moves, %"PRIuSIZE
                  " unproved ways in the underlay\n",
                  hmap_count(&nva->topology.nves),
                  hmap_count(&nva->topology.vns),
                  hmap_count(&nva->topology.ports), hmap_count(&nva->migs),
                  neighbors_count_pending(nva->neighbors));
    HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
        const struct session *session = nve->session;

        ds_put_format(&s, "%s: %s, %s, %"PRIuSIZE" flows%s%s\n", nve->name,
                      nva_session_is_connected(session)
                      ? "connected" : "not connected",
                      ofsync_is_confirmed(nve->ofsync)
                      ? "confirmed" : "not confirmed",
                      ofsync_count_flows(nve->ofsync),
                      session->error ? ", " : "",
                      session->error ? session->error : "");
    }
    HMAP_FOR_EACH (port, name_node, &nva->topology.ports) {
        if (port->n_spoofed) {
            ds_put_format(&s, "port %s: %"PRId64" reports of frames that it "
                          "may not send\n", port->name, port->n_spoofed);
        }
    }
    HMAP_FOR_EACH (mig, node, &nva->migs) {
        if (mig->move) {
            move_format(mig->move, &s, clock_msec());
            ds_put_char(&s, '\n');
        } else {
            ds_put_format(&s, "%s -> %s: waiting to start\n", mig->port,
                          mig->new_nve);
        }
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
recompute(struct unixctl_conn *conn, int argc OVS_UNUSED,
          const char *argv[] OVS_UNUSED, void *nva_)
{
    struct nva *nva = nva_;
    struct ds s = DS_EMPTY_INITIALIZER;
    struct nve *nve;
    size_t n = 0;

    HMAP_FOR_EACH (nve, name_node, &nva->topology.nves) {
        n += wiring_check(&nva->topology, nve, &nva->wiring, &s);
    }
    if (n) {
        ds_put_format(&s, "%"PRIuSIZE" differences\n", n);
        unixctl_command_reply_error(conn, ds_cstr(&s));
    } else {
        unixctl_command_reply(conn, "no differences");
    }
    ds_destroy(&s);
}

/* Appends what object a cookie is about. */
static void
explain_object(const struct nva *nva, uint64_t cookie, struct ds *s)
{
    uint64_t id = cookie_id(cookie);
    const struct nve *nve;
    const struct vn *vn;
    const struct port *port;
    const struct mig *mig;
    const struct mcast_group *group;
    const struct gateway *gw;

    switch (cookie_object(cookie)) {
    case COOKIE_OF_NVE:
        nve = topology_find_nve_by_id(&nva->topology, id);
        ds_put_format(s, ": NVE %s", nve ? nve->name : "(gone)");
        break;
    case COOKIE_OF_VN:
        vn = topology_find_vn_by_id(&nva->topology, id);
        if (vn) {
            ds_put_format(s, ": virtual network %s, VNI %"PRIu32, vn->name,
                          vn->vni);
        } else {
            ds_put_cstr(s, ": virtual network (gone)");
        }
        break;
    case COOKIE_OF_PORT:
        port = topology_find_port_by_id(&nva->topology, id);
        if (port) {
            ds_put_format(s, ": port %s ("ETH_ADDR_FMT") of %s, at %s",
                          port->name, ETH_ADDR_ARGS(port->mac),
                          port->vn->name,
                          port->place.nve ? port->place.nve->name
                          : "no NVE");
        } else {
            ds_put_cstr(s, ": port (gone)");
        }
        break;
    case COOKIE_OF_GATEWAY:
        gw = gateway_find_by_id(&nva->topology, id);
        if (gw) {
            ds_put_format(s, ": gateway %s of %s, at %s", gw->name,
                          gw->vn->name, gw->nve->name);
        } else {
            ds_put_cstr(s, ": gateway (gone)");
        }
        break;
    case COOKIE_OF_MIGRATION:
        mig = nva_mig_find(nva, id);
        if (mig) {
            ds_put_format(s, ": migration "UUID_FMT" of %s from %s to %s",
                          UUID_ARGS(&mig->uuid), mig->port,
                          mig->old_nve[0] ? mig->old_nve : "?",
                          mig->new_nve);
        } else {
            ds_put_cstr(s, ": migration (over)");
        }
        break;
    case COOKIE_OF_GROUP:
        group = mcast_find_by_id(&nva->topology, id);
        if (group) {
            ds_put_cstr(s, ": multicast group ");
            mcast_format_group(group, s);
            ds_put_format(s, " of %s", group->vn->name);
        } else {
            ds_put_cstr(s, ": multicast group (gone)");
        }
        break;
    case COOKIE_OF_NOTHING:
    default:
        break;
    }
}

static void
explain(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
        void *nva_)
{
    static const char *const meanings[] = {
#define COOKIE(NAME, N, STRING, OBJECT, MEANING) [N] = MEANING,
        COOKIES
#undef COOKIE
    };
    struct nva *nva = nva_;
    struct ds s = DS_EMPTY_INITIALIZER;
    unsigned long long int cookie;
    const char *kind;

    if (!str_to_ullong(argv[1], 0, &cookie)) {
        unixctl_command_reply_error(conn, "COOKIE must be a number, as "
                                    "ovs-ofctl dump-flows prints it");
        return;
    }
    kind = cookie_kind_name(cookie);
    if (!kind) {
        unixctl_command_reply_error(conn, "this cookie is none of ovs-nva");
        return;
    }
    ds_put_cstr(&s, kind);
    explain_object(nva, cookie, &s);
    ds_put_format(&s, "\n%s\n", meanings[cookie_kind(cookie)]);
    if (cookie_table(cookie)) {
        ds_put_format(&s, "row: table %s, UUID %08"PRIx64"-%04"PRIx64"...\n",
                      cookie_table(cookie), cookie_id(cookie) >> 16,
                      cookie_id(cookie) & 0xffff);
    }
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
flows(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
      void *nva_)
{
    struct nva *nva = nva_;
    const struct nve *nve = topology_find_nve(&nva->topology, argv[1]);
    struct ds s = DS_EMPTY_INITIALIZER;

    if (!nve) {
        unixctl_command_reply_error(conn, "no such NVE");
        return;
    }
    ofsync_format(nve->ofsync, &s);
    unixctl_command_reply(conn, ds_cstr(&s));
    ds_destroy(&s);
}

static void
groups(struct unixctl_conn *conn, int argc, const char *argv[], void *nva_)
{
    struct nva *nva = nva_;
    struct ds s = DS_EMPTY_INITIALIZER;
    bool found = argc < 2;
    const struct vn *vn;

    HMAP_FOR_EACH (vn, name_node, &nva->topology.vns) {
        if (argc < 2 || !strcmp(vn->name, argv[1])) {
            nva_mcast_format(vn, &s, clock_msec());
            found = true;
        }
    }
    if (found) {
        unixctl_command_reply(conn, ds_cstr(&s));
    } else {
        unixctl_command_reply_error(conn, "no such virtual network");
    }
    ds_destroy(&s);
}

static void
trace(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
      void *nva_)
{
    struct nva *nva = nva_;
    const struct port *port = topology_find_port(&nva->topology, argv[1]);
    struct ds s = DS_EMPTY_INITIALIZER;
    char *error;

    if (!port) {
        unixctl_command_reply_error(conn, "no such port");
        return;
    }
    error = trace_packet(&nva->topology, port, argv[2], &s);
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, ds_cstr(&s));
    }
    ds_destroy(&s);
}

void
nva_ctl_register(struct nva *nva)
{
    unixctl_command_register("nva/status", "", 0, 0, status, nva);
    unixctl_command_register("nva/recompute", "", 0, 0, recompute, nva);
    unixctl_command_register("nva/explain", "COOKIE", 1, 1, explain, nva);
    unixctl_command_register("nva/groups", "[VN]", 0, 1, groups, nva);
    unixctl_command_register("nva/trace", "PORT MICROFLOW", 2, 2, trace, nva);
    unixctl_command_register("nva/flows", "NVE", 1, 1, flows, nva);
}
