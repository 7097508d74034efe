# Everything except main() is in a convenience library, so that the tests link
# exactly what the daemon links.
noinst_LIBRARIES += controller/libnva.a
controller_libnva_a_SOURCES = \
	controller/cookie.c \
	controller/cookie.h \
	controller/flow-list.c \
	controller/flow-list.h \
	controller/flow-tables.c \
	controller/flow-tables.h \
	controller/hvdb.h \
	controller/loop.h \
	controller/migration.c \
	controller/migration.h \
	controller/move.c \
	controller/move.h \
	controller/neighbor.c \
	controller/neighbor.h \
	controller/ofsync-dump.c \
	controller/ofsync-private.h \
	controller/ofsync-stage.c \
	controller/ofsync.c \
	controller/ofsync.h \
	controller/pipeline.c \
	controller/pipeline.h \
	controller/topology.c \
	controller/topology.h \
	controller/trace.c \
	controller/trace.h \
	controller/wiring.c \
	controller/wiring.h
controller_libnva_a_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)

NVA_LDADD = controller/libnva.a ovsdb-schema/libnvaidl.a \
	$(OVS_LDADD) $(LIBEVENT_LIBS)

sbin_PROGRAMS += controller/nva-controller
controller_nva_controller_SOURCES = controller/main.c
controller_nva_controller_LDADD = $(NVA_LDADD)
