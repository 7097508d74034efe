# Command line, sandbox and traffic generator.

bin_PROGRAMS += utilities/nva-ctl
utilities_nva_ctl_SOURCES = \
	utilities/nva-ctl.c \
	utilities/nva-ctl.h \
	utilities/nva-ctl-addr.c \
	utilities/nva-ctl-addr.h \
	utilities/nva-ctl-context.c \
	utilities/nva-ctl-migrate.c \
	utilities/nva-ctl-nve.c \
	utilities/nva-ctl-port.c \
	utilities/nva-ctl-show.c \
	utilities/nva-ctl-vn.c
utilities_nva_ctl_LDADD = ovsdb-schema/libnvaidl.a $(OVS_LDADD)
