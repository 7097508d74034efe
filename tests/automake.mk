check_PROGRAMS += tests/test-nva
tests_test_nva_SOURCES = \
	tests/fake-switch.c \
	tests/fake-switch.h \
	tests/test-nva.c \
	tests/test-nva.h \
	tests/test-ofsync.c \
	tests/test-trace.c
tests_test_nva_LDADD = $(NVA_LDADD)

check_PROGRAMS += tests/test-loop
tests_test_loop_SOURCES = tests/peer.c tests/peer.h tests/test-loop.c
tests_test_loop_LDADD = $(NVA_LDADD)

check_PROGRAMS += tests/test-hvdb
tests_test_hvdb_SOURCES = tests/test-hvdb.c
tests_test_hvdb_LDADD = $(NVA_LDADD)

TESTSUITE_AT = \
	tests/testsuite.at \
	tests/nva-macros.at \
	tests/sandbox-macros.at \
	tests/hvdb.at \
	tests/loop.at \
	tests/nva-ctl.at \
	tests/ofsync-stage.at \
	tests/ofsync.at \
	tests/trace.at
TESTSUITE = $(srcdir)/tests/testsuite
EXTRA_DIST += $(TESTSUITE_AT) $(TESTSUITE) tests/package.m4 \
	tests/hvdb-rubbish.py
DISTCLEANFILES += tests/atconfig tests/atlocal

AUTOTEST_PATH = tests:controller:utilities

check-local: all $(check_PROGRAMS) $(TESTSUITE)
	$(SHELL) '$(TESTSUITE)' -C tests AUTOTEST_PATH='$(AUTOTEST_PATH)' $(TESTSUITEFLAGS)

clean-local:
	test ! -f '$(TESTSUITE)' || $(SHELL) '$(TESTSUITE)' -C tests --clean

$(TESTSUITE): $(TESTSUITE_AT) $(srcdir)/tests/package.m4
	$(AM_V_GEN)autom4te --language=autotest -I '$(srcdir)' -I '$(srcdir)/tests' -o $@.tmp \
	    $(srcdir)/tests/testsuite.at && mv $@.tmp $@

$(srcdir)/tests/package.m4: $(top_srcdir)/configure.ac
	$(AM_V_GEN){ echo 'm4_define([AT_PACKAGE_NAME],[$(PACKAGE_NAME)])'; \
	  echo 'm4_define([AT_PACKAGE_TARNAME],[$(PACKAGE_TARNAME)])'; \
	  echo 'm4_define([AT_PACKAGE_VERSION],[$(PACKAGE_VERSION)])'; \
	  echo 'm4_define([AT_PACKAGE_STRING],[$(PACKAGE_STRING)])'; \
	  echo 'm4_define([AT_PACKAGE_BUGREPORT],[$(PACKAGE_BUGREPORT)])'; } > $@
