/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "cookie.h"
#include "gateway.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

/* Connections that stay with the gateway that served their port before (C2).
 *
 * The NVE of the port learns in the data path, in *connection*, which way a
 * connection goes.  What is not known yet is judged in *way-out*: TCP begins
 * with a SYN, so what comes without one is old.  Others do not tell how old
 * they are; as long as the survey goes on, they are.
 *
 * Before, all is taken for old.  Open vSwitch looks at the flows that it has
 * cached when a table changes, and does so with the packet that each was made
 * for, perhaps the SYN of an old connection.  For the same reason what is
 * known to be old goes first.  While the port moves, all that begins is taken
 * for old, too: what the new NVE is told of does not grow any more. */

/* After the VM has ended one of TCP, it is silent for so long, in s. */
#define FIN_IDLE 5

/* A TCP connection that is silent for longer is not expected to go on (RFC
 * 1122 section 4.2.3.6), in s. */
#define TCP_IDLE 7200

/* How packets are told apart, and what of them makes a connection. */
struct kind {
    const char *match;
    const char *learn;
    bool tcp;
    bool any;                   /* Any protocol, less specific than others. */
};

static const struct kind kinds[] = {
    { "tcp", "eth_type=0x800,ip_proto=6,NXM_OF_IP_SRC[],NXM_OF_IP_DST[],"
             "NXM_OF_TCP_SRC[],NXM_OF_TCP_DST[]", true, false },
    { "tcp6", "eth_type=0x86dd,ip_proto=6,NXM_NX_IPV6_SRC[],NXM_NX_IPV6_DST[],"
              "NXM_OF_TCP_SRC[],NXM_OF_TCP_DST[]", true, false },
    { "udp", "eth_type=0x800,ip_proto=17,NXM_OF_IP_SRC[],NXM_OF_IP_DST[],"
             "NXM_OF_UDP_SRC[],NXM_OF_UDP_DST[]", false, false },
    { "udp6", "eth_type=0x86dd,ip_proto=17,NXM_NX_IPV6_SRC[],"
              "NXM_NX_IPV6_DST[],NXM_OF_UDP_SRC[],NXM_OF_UDP_DST[]",
      false, false },
    { "ip", "eth_type=0x800,NXM_OF_IP_PROTO[],NXM_OF_IP_SRC[],"
            "NXM_OF_IP_DST[]", false, true },
    { "ipv6", "eth_type=0x86dd,NXM_OF_IP_PROTO[],NXM_NX_IPV6_SRC[],"
              "NXM_NX_IPV6_DST[]", false, true },
};

/* What the flows are made for. */
struct builder {
    struct flow_list *fl;
    const struct port *port;
    ofp_port_t ofport;
    struct ds match, actions;
};

/* Adds a flow to *way-out* for what 'format' matches. */
static void OVS_PRINTF_FORMAT(4, 5)
add(struct builder *b, int priority, const char *actions, const char *format,
    ...)
{
    va_list args;

    ds_clear(&b->match);
    ds_put_format(&b->match, "in_port=%"PRIu32, b->ofport);
    va_start(args, format);
    ds_put_format_valist(&b->match, format, args);
    va_end(args);
    flow_list_add(b->fl, FLOW_TABLE_WAY_OUT, priority,
                  cookie_make(COOKIE_PORT, b->port->id), ds_cstr(&b->match),
                  "%s", actions);
}

/* Returns the actions that learn that a connection of 'kind' goes by 'way',
 * and then do 'then'. */
static const char *
learn(struct builder *b, const struct kind *kind, enum flow_way way,
      const char *then)
{
    bool is_old = way == FLOW_WAY_OLD;

    ds_clear(&b->actions);
    ds_put_format(&b->actions, "learn(table=%d,priority=%d,cookie=%#"PRIx64
                  ",limit=%d,idle_timeout=%u", FLOW_TABLE_CONNECTION,
                  is_old ? FLOW_PRIO_LEARNED : FLOW_PRIO_NORMAL,
                  cookie_make(is_old ? COOKIE_KEPT : COOKIE_BEGUN,
                              b->port->id), KEEP_MAX,
                  is_old ? b->port->vn->connection_idle : TCP_IDLE);
    if (kind->tcp) {
        ds_put_format(&b->actions, ",fin_idle_timeout=%d", FIN_IDLE);
    }
    ds_put_format(&b->actions, ",NXM_OF_IN_PORT[],%s,load:%d->"REG_WAY"[]),%s",
                  kind->learn, way, then);
    return ds_cstr(&b->actions);
}

void
pipeline_add_kept__(struct flow_list *fl, const struct port *port,
                    ofp_port_t ofport, const char *way, const char *old)
{
    enum keep_stage stage = port->keep->stage;
    struct builder b = {
        fl, port, ofport, DS_EMPTY_INITIALIZER, DS_EMPTY_INITIALIZER
    };

    add(&b, FLOW_PRIO_LEARNED, way, ","REG_WAY"=%d", FLOW_WAY_NEW);
    add(&b, FLOW_PRIO_LEARNED, old, ","REG_WAY"=%d", FLOW_WAY_OLD);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        const struct kind *kind = &kinds[i];

        if (kind->tcp && stage != KEEP_ALL && !port->keep->to) {
            add(&b, FLOW_PRIO_OVERRIDE, learn(&b, kind, FLOW_WAY_NEW, way),
                ",%s,tcp_flags=+syn", kind->match);
        }
        if (kind->tcp || stage != KEEP_KNOWN) {
            add(&b, kind->any ? FLOW_PRIO_LOW : FLOW_PRIO_NORMAL,
                learn(&b, kind, FLOW_WAY_OLD, old), ",%s", kind->match);
        }
    }
    add(&b, FLOW_PRIO_DEFAULT, stage == KEEP_ALL ? old : way, "%s", "");
    ds_destroy(&b.match);
    ds_destroy(&b.actions);
}
