/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "neighbor-frame.h"

#include <string.h>

#include "byte-order.h"
#include "coverage.h"
#include "flow-tables.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "packet-out.h"
#include "packets.h"
#include "topology.h"
#include "util.h"

COVERAGE_DEFINE(neighbor_refreshed);

/* To how many NVEs one message sends: what Open vSwitch makes of it must fit
 * into 64 KiB, and a tunnel header takes half a KiB. */
#define N_TARGETS_MAX 32

static const char magic[4] = { 'N', 'V', 'A', '1' };

struct probe {
    char magic[4];
    ovs_be32 pad;
    ovs_be64 from, to;          /* 'id's of NVEs. */
};

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

struct ofpbuf *
neighbor_encode_probe(const struct nve *from, const struct nve *to)
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

bool
neighbor_decode_probe(const void *payload, size_t size, uint64_t *from,
                      uint64_t *to)
{
    struct probe probe;

    if (size < sizeof probe) {
        return false;
    }
    memcpy(&probe, payload, sizeof probe);
    *from = ntohll(probe.from);
    *to = ntohll(probe.to);
    return !memcmp(probe.magic, magic, sizeof magic);
}

void
neighbor_batch_init(struct neighbor_batch *batch, struct nve *from,
                    neighbor_send_cb *send, void *aux)
{
    batch->from = from;
    batch->send = send;
    batch->aux = aux;
    batch->n = 0;
    ofpbuf_init(&batch->ofpacts, 0);
}

static void
batch_send(struct neighbor_batch *batch)
{
    if (batch->n) {
        batch->send(batch->from, encode_frame(FLOW_REFRESH_ETH_TYPE, NULL, 0,
                                              &batch->ofpacts), batch->aux);
        ofpbuf_clear(&batch->ofpacts);
        batch->n = 0;
    }
}

void
neighbor_batch_add(struct neighbor_batch *batch, const struct nve *to)
{
    if (put_tunnel_actions(&batch->ofpacts, batch->from, to)) {
        COVERAGE_INC(neighbor_refreshed);
        if (++batch->n == N_TARGETS_MAX) {
            batch_send(batch);
        }
    }
}

void
neighbor_batch_finish(struct neighbor_batch *batch)
{
    batch_send(batch);
    ofpbuf_uninit(&batch->ofpacts);
}
