# Command line, sandbox and traffic generator.

bin_PROGRAMS += utilities/nva-ctl
utilities_nva_ctl_SOURCES = \
	utilities/nva-ctl.c \
	utilities/nva-ctl.h \
	utilities/nva-ctl-addr.c \
	utilities/nva-ctl-addr.h \
	utilities/nva-ctl-context.c \
	utilities/nva-ctl-evacuate.c \
	utilities/nva-ctl-gateway.c \
	utilities/nva-ctl-snat.c \
	utilities/nva-ctl-migrate.c \
	utilities/nva-ctl-nve.c \
	utilities/nva-ctl-port.c \
	utilities/nva-ctl-show.c \
	utilities/nva-ctl-stats.c \
	utilities/nva-ctl-vn.c
utilities_nva_ctl_LDADD = ovsdb-schema/libnvaidl.a $(OVS_LDADD)
# nva-traffic needs the C library only.
bin_PROGRAMS += utilities/nva-traffic
utilities_nva_traffic_SOURCES = \
	utilities/nva-traffic.c \
	utilities/traffic.h \
	utilities/traffic-io.c \
	utilities/traffic-io.h \
	utilities/traffic-report.c \
	utilities/traffic-report.h
utilities_nva_traffic_CPPFLAGS = -D_GNU_SOURCE \
	-DNVA_VERSION='"$(PACKAGE_VERSION)"'
utilities_nva_traffic_LDADD = -lpthread

# nva-qmp-migrate links json-c and so must not link libopenvswitch.
bin_PROGRAMS += utilities/nva-qmp-migrate
utilities_nva_qmp_migrate_SOURCES = \
	utilities/nva-qmp-migrate.c \
	utilities/qmp.c \
	utilities/qmp.h \
	utilities/qmp-io.c \
	utilities/qmp-io.h \
	utilities/qmp-move.c \
	utilities/qmp-move.h
utilities_nva_qmp_migrate_CPPFLAGS = -D_GNU_SOURCE \
	-DNVA_VERSION='"$(PACKAGE_VERSION)"'
utilities_nva_qmp_migrate_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS) \
	$(JSON_C_CFLAGS)
utilities_nva_qmp_migrate_LDADD = $(LIBEVENT_LIBS) $(JSON_C_LIBS)
dist_man_MANS += utilities/nva-qmp-migrate.8
# Plays hypervisors.  It is for measuring and not installed.
noinst_PROGRAMS += utilities/nva-fakeswitch
utilities_nva_fakeswitch_SOURCES = \
	utilities/fake-nve.c \
	utilities/fake-nve.h \
	utilities/fake-ovsdb.c \
	utilities/fake-ovsdb.h \
	utilities/fake-switch.c \
	utilities/fake-switch.h \
	utilities/nva-fakeswitch.c
utilities_nva_fakeswitch_LDADD = $(NVA_LDADD)

bin_SCRIPTS += utilities/nva-sandbox
EXTRA_DIST += utilities/nva-sandbox

bin_SCRIPTS += utilities/nva-demo
EXTRA_DIST += utilities/nva-demo

dist_man_MANS += utilities/nva-ctl.8

# Installed under the name of the command, by which bash finds it.
EXTRA_DIST += utilities/nva-ctl-bash-completion.bash
install-data-local: install-bash-completion
uninstall-local: uninstall-bash-completion
install-bash-completion:
	test -z '$(bashcompletiondir)' || { \
	  $(MKDIR_P) '$(DESTDIR)$(bashcompletiondir)' && \
	  $(INSTALL_DATA) '$(srcdir)/utilities/nva-ctl-bash-completion.bash' \
	      '$(DESTDIR)$(bashcompletiondir)/nva-ctl'; }
uninstall-bash-completion:
	test -z '$(bashcompletiondir)' || \
	  rm -f '$(DESTDIR)$(bashcompletiondir)/nva-ctl'
.PHONY: install-bash-completion uninstall-bash-completion
