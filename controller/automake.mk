# Everything except main() is in a convenience library, so that the tests link
# exactly what the daemon links.
noinst_LIBRARIES += controller/libnva.a
controller_libnva_a_SOURCES = \
	controller/hvdb-plan.c \
	controller/hvdb-plan.h \
	controller/hvdb-schema.c \
	controller/hvdb-schema.h \
	controller/hvdb-view.c \
	controller/hvdb-view.h \
	controller/hvdb.c \
	controller/hvdb.h \
	controller/loop.c \
	controller/loop.h \
	controller/loop-framer.c \
	controller/loop-framer.h \
	controller/loop-pulse.c \
	controller/loop-pulse.h \
	controller/loop-queue.c \
	controller/loop-queue.h \
	controller/loop-remote.c \
	controller/loop-remote.h \
	controller/loop-sock.c \
	controller/loop-sock.h \
	controller/loop-tls.c \
	controller/loop-tls.h \
	controller/migration.c \
	controller/ovsdb-replica.c \
	controller/ovsdb-replica.h
controller_libnva_a_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)

NVA_LDADD = controller/libnva.a ovsdb-schema/libnvaidl.a \
	$(OVS_LDADD) $(LIBEVENT_LIBS)

sbin_PROGRAMS += controller/nva-controller
controller_nva_controller_SOURCES = controller/main.c
controller_nva_controller_LDADD = $(NVA_LDADD)
