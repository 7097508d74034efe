/* Copyright (c) 2026 The ovs-nva authors.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "pipeline-private.h"

#include "gateway.h"
#include "icmp-error.h"
#include "openvswitch/dynamic-string.h"

/* What a gateway does not route: what its policy denies, what is for a network
 * that it does not know, and what is for nobody.
 *
 * A router should tell who sent it (RFC 1812 sections 4.3.3.1 and 5.2.7,
 * RFC 4443 section 3.1); a gateway does so only if it is asked to, for it also
 * tells strangers what there is. */

/* Adds that packets in the VN of 'gw' that also match 'match' are refused. */
static void
add_refusal(struct flow_list *fl, const struct gateway *gw, uint64_t cookie,
            enum flow_table table, int priority, const char *match,
            enum icmp_error_cause cause)
{
    struct ds m = DS_EMPTY_INITIALIZER;
    struct ds a = DS_EMPTY_INITIALIZER;

    if (gw->config->reject) {
        pipeline_put_unrouted__(&a, fl, cause);
    } else {
        ds_put_cstr(&a, "drop");
    }
    flow_list_add(fl, table, priority, cookie,
                  fmt(&m, "metadata=%"PRIu32"%s", gw->vn->vni, match),
                  "%s", ds_cstr(&a));
    ds_destroy(&m);
    ds_destroy(&a);
}

void
pipeline_add_refusals__(struct flow_list *fl, const struct gateway *gw,
                        uint64_t cookie)
{
    static const struct {
        enum flow_table table;
        const char *field;
    } policies[] = {
        { FLOW_TABLE_POLICY_OUT, "dst" }, { FLOW_TABLE_POLICY_IN, "src" },
    };
    struct ds m = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
        for (size_t j = 0; j < gw->config->n_rules; j++) {
            const struct gateway_rule *rule = &gw->config->rules[j];

            if (!rule->allow) {
                ds_clear(&m);
                ds_put_char(&m, ',');
                gateway_put_match(&m, &rule->prefix, policies[i].field);
                add_refusal(fl, gw, cookie, policies[i].table,
                            FLOW_PRIO_POLICY - j, ds_cstr(&m),
                            ICMP_ERROR_PROHIBITED);
            }
        }
    }
    ds_destroy(&m);

    /* Nowhere to go, and nobody there; counted. */
    add_refusal(fl, gw, cookie, FLOW_TABLE_ROUTE, FLOW_PRIO_DEFAULT, "",
                ICMP_ERROR_NETWORK);
    add_refusal(fl, gw, cookie, FLOW_TABLE_HOST, FLOW_PRIO_DEFAULT, "",
                ICMP_ERROR_HOST);
}
