check_PROGRAMS += tests/test-nva
tests_test_nva_SOURCES = tests/test-nva.c
tests_test_nva_LDADD = $(NVA_LDADD)

TESTSUITE_AT = \
	tests/testsuite.at \
	tests/nva-macros.at \
	tests/nva-schema.at \
	tests/nva-ctl.at \
	tests/nva-ctl-refuse.at \
	tests/nva-ctl-migrate.at
TESTSUITE = $(srcdir)/tests/testsuite
EXTRA_DIST += $(TESTSUITE_AT) $(TESTSUITE) tests/package.m4
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
