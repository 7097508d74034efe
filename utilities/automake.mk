# Command line, sandbox and traffic generator.

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

bin_SCRIPTS += utilities/nva-sandbox
EXTRA_DIST += utilities/nva-sandbox
