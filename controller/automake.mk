# Everything except main() is in a convenience library, so that the tests link
# exactly what the daemon links.
noinst_LIBRARIES += controller/libnva.a
controller_libnva_a_SOURCES = \
	controller/announcer.c \
	controller/announcer.h \
	controller/bird.c \
	controller/bird.h \
	controller/clock.c \
	controller/clock.h \
	controller/cookie.c \
	controller/cookie.h \
	controller/db-private.h \
	controller/db-read.c \
	controller/db-write.c \
	controller/db.c \
	controller/db.h \
	controller/fault.c \
	controller/fault.h \
	controller/flow-list.c \
	controller/flow-list.h \
	controller/flow-tables.c \
	controller/flow-tables.h \
	controller/gateway.c \
	controller/gateway.h \
	controller/host-route.c \
	controller/host-route.h \
	controller/hvdb-plan-private.h \
	controller/hvdb-plan-tunnel.c \
	controller/hvdb-plan.c \
	controller/hvdb-plan.h \
	controller/hvdb-schema.c \
	controller/hvdb-schema.h \
	controller/hvdb-view.c \
	controller/hvdb-view.h \
	controller/hvdb.c \
	controller/hvdb.h \
	controller/icmp-error.c \
	controller/icmp-error.h \
	controller/igmp.c \
	controller/igmp.h \
	controller/ila.c \
	controller/ila.h \
	controller/loop-conn.c \
	controller/loop-framer.c \
	controller/loop-framer.h \
	controller/loop-pulse.c \
	controller/loop-pulse.h \
	controller/loop-private.h \
	controller/loop-queue.c \
	controller/loop-queue.h \
	controller/loop-remote.c \
	controller/loop-remote.h \
	controller/loop-sock.c \
	controller/loop-sock.h \
	controller/loop-tls.c \
	controller/loop-tls.h \
	controller/loop.c \
	controller/loop.h \
	controller/mcast.c \
	controller/mcast.h \
	controller/migration.c \
	controller/migration.h \
	controller/move-drain.c \
	controller/move-hold.c \
	controller/move-part.c \
	controller/move-private.h \
	controller/move-wait.c \
	controller/move.c \
	controller/move.h \
	controller/neighbor-frame.c \
	controller/neighbor-frame.h \
	controller/neighbor.c \
	controller/neighbor.h \
	controller/nva-ctl.c \
	controller/nva-gateway.c \
	controller/nva-guest.c \
	controller/nva-evacuate.c \
	controller/nva-history.c \
	controller/nva-late.c \
	controller/nva-nat.c \
	controller/nva-hypervisor.c \
	controller/nva-intent.c \
	controller/nva-keep.c \
	controller/nva-mcast.c \
	controller/nva-move-row.c \
	controller/nva-move.c \
	controller/nva-private.h \
	controller/nva-probe.c \
	controller/nva-route.c \
	controller/nva-session-run.c \
	controller/nva-session.c \
	controller/nva-takeover.c \
	controller/nva-unrouted.c \
	controller/nva-uplink.c \
	controller/nva-vn.c \
	controller/nva-watch.c \
	controller/nva.c \
	controller/nva.h \
	controller/ofconn.c \
	controller/ofconn.h \
	controller/ofsync-dump.c \
	controller/ofsync-learned.c \
	controller/ofsync-meter.c \
	controller/ofsync-private.h \
	controller/ofsync-stage.c \
	controller/ofsync-writer.c \
	controller/ofsync.c \
	controller/ofsync.h \
	controller/ovsdb-replica.c \
	controller/ovsdb-replica.h \
	controller/packet-out.c \
	controller/packet-out.h \
	controller/pipeline-flood.c \
	controller/pipeline-gateway.c \
	controller/pipeline-ila.c \
	controller/pipeline-late.c \
	controller/pipeline-keep.c \
	controller/pipeline-move.c \
	controller/pipeline-mtu.c \
	controller/pipeline-nat.c \
	controller/pipeline-private.h \
	controller/pipeline-refuse.c \
	controller/pipeline-uplink.c \
	controller/pipeline.c \
	controller/pipeline.h \
	controller/prober.c \
	controller/prober.h \
	controller/topology.c \
	controller/topology.h \
	controller/watch.c \
	controller/watch.h \
	controller/trace.c \
	controller/trace.h \
	controller/wiring-gateway.c \
	controller/wiring-private.h \
	controller/wiring.c \
	controller/wiring.h
controller_libnva_a_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)

NVA_LDADD = controller/libnva.a ovsdb-schema/libnvaidl.a \
	$(OVS_LDADD) $(LIBEVENT_LIBS)

sbin_PROGRAMS += controller/nva-controller
controller_nva_controller_SOURCES = controller/main.c
controller_nva_controller_LDADD = $(NVA_LDADD)

dist_man_MANS += controller/nva-controller.8
