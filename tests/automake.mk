check_PROGRAMS += tests/test-nva
tests_test_nva_SOURCES = \
	tests/test-announcer.c \
	tests/test-gateway.c \
	tests/test-icmp-error.c \
	tests/test-mcast.c \
	tests/test-migration.c \
	tests/test-neighbor.c \
	tests/test-nva.c \
	tests/test-nva.h \
	tests/test-ofsync.c \
	tests/test-prober.c \
	tests/test-watch.c \
	tests/test-trace.c \
	tests/test-wiring.c \
	utilities/fake-switch.c \
	utilities/fake-switch.h
tests_test_nva_LDADD = $(NVA_LDADD)

check_PROGRAMS += tests/test-loop
tests_test_loop_SOURCES = tests/peer.c tests/peer.h tests/test-loop.c
tests_test_loop_LDADD = $(NVA_LDADD)

check_PROGRAMS += tests/test-loop-parts
tests_test_loop_parts_SOURCES = tests/test-loop-parts.c
tests_test_loop_parts_LDADD = $(NVA_LDADD)

check_PROGRAMS += tests/test-hvdb
tests_test_hvdb_SOURCES = tests/test-hvdb.c
tests_test_hvdb_LDADD = $(NVA_LDADD)

# Runs in a guest that has no libraries, and at the guest's peer.
check_PROGRAMS += tests/test-guest
tests_test_guest_SOURCES = tests/test-guest.c
tests_test_guest_CPPFLAGS = -D_GNU_SOURCE
tests_test_guest_CFLAGS = $(WARNING_CFLAGS) -std=gnu11
tests_test_guest_LDFLAGS = -static

TESTSUITE_AT = \
	tests/testsuite.at \
	tests/move-macros.at \
	tests/nva-macros.at \
	tests/sandbox-macros.at \
	tests/system-macros.at \
	tests/announcer.at \
	tests/bench.at \
	tests/docs.at \
	tests/evacuate.at \
	tests/fakeswitch.at \
	tests/history.at \
	tests/fault.at \
	tests/hvdb.at \
	tests/lifecycle.at \
	tests/icmp-error.at \
	tests/ila.at \
	tests/loop.at \
	tests/mcast.at \
	tests/migration.at \
	tests/nat.at \
	tests/neighbor.at \
	tests/nva-ctl-evacuate.at \
	tests/nva-ctl-gateway.at \
	tests/nva-ctl-migrate.at \
	tests/nva-ctl-refuse.at \
	tests/nva-ctl-stats.at \
	tests/nva-ctl.at \
	tests/nva-qmp-migrate.at \
	tests/nva-schema.at \
	tests/ofsync-learned.at \
	tests/ofsync-late.at \
	tests/ofsync-stage.at \
	tests/ofsync.at \
	tests/pipeline.at \
	tests/scene-macros.at \
	tests/dump.at \
	tests/scene.at \
	tests/prober.at \
	tests/keep.at \
	tests/watch.at \
	tests/style.at \
	tests/system-blackout.at \
	tests/system-evacuate.at \
	tests/system-failure.at \
	tests/system-gateway.at \
	tests/system-gateway-move.at \
	tests/system-takeover.at \
	tests/system-gateway-icmp.at \
	tests/system-route.at \
	tests/route.at \
	tests/system-guest.at \
	tests/system-ila.at \
	tests/system-keep.at \
	tests/system-kinds.at \
	tests/system-late.at \
	tests/system-mcast.at \
	tests/system-move.at \
	tests/system-nat.at \
	tests/system-mtu.at \
	tests/system-probe.at \
	tests/system-qemu.at \
	tests/system-uplink.at \
	tests/system-random.at \
	tests/system-traffic.at \
	tests/system-stale.at \
	tests/system-transport.at \
	tests/system-trigger.at \
	tests/trace.at \
	tests/wiring.at
TESTSUITE = $(srcdir)/tests/testsuite
EXTRA_DIST += $(TESTSUITE_AT) $(TESTSUITE) tests/package.m4 \
	tests/fake-qmp.py \
	tests/frames.py \
	tests/bench-compare \
	tests/bench-control \
	tests/bench-fixture.json \
	tests/bench-report \
	tests/bench_lab.py \
	tests/bench_nva.py \
	tests/bench_ovn.py \
	tests/bench_rpc.py \
	tests/bench_traffic.py \
	tests/hvdb-rubbish.py \
	tests/lifecycle.py \
	tests/measure-moves \
	tests/dump.expected \
	tests/pipeline.expected \
	tests/qemu-guest \
	tests/qemu-judge.py

# The flows of a small scene, as they are meant to be.  After a wanted change
# of the pipeline, run this and read the difference before committing it.
update-golden: tests/test-nva
	tests/test-nva pipeline > $(srcdir)/tests/pipeline.expected
.PHONY: update-golden

# What the controller costs, and what a move costs beside OVN; see
# performance.rst.  BENCHFLAGS and COMPAREFLAGS are arguments.
bench: bench-control bench-compare
bench-control: all
	NVA_BUILD='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench-control $(BENCHFLAGS)
bench-compare: all
	NVA_BUILD='$(abs_top_builddir)' $(PYTHON3) $(srcdir)/tests/bench-compare --out=bench-compare.json $(COMPAREFLAGS)
	$(PYTHON3) $(srcdir)/tests/bench-report bench-compare.json --processes --rst=bench-compare.rst --svg=bench-compare.svg
.PHONY: bench bench-control bench-compare
CLEANFILES += bench-compare.json bench-compare.rst bench-compare.svg
DISTCLEANFILES += tests/atconfig tests/atlocal

AUTOTEST_PATH = tests:controller:utilities

# Tests without root mostly wait, so four run at a time.  System tests carry
# traffic and count what is lost, so they run alone, after the others.
RUN_TESTSUITE = $(SHELL) '$(TESTSUITE)' -C tests AUTOTEST_PATH='$(AUTOTEST_PATH)'
check-local: all $(check_PROGRAMS) $(TESTSUITE)
	@run() { \
	    $(RUN_TESTSUITE) "$$@" || \
	        { $(SHELL) '$(srcdir)/tests/failures' tests/testsuite.log 15; return 1; }; \
	}; \
	if test -n "$(TESTSUITEFLAGS)"; then \
	    run $(TESTSUITEFLAGS); \
	    exit; \
	fi; \
	status=0; \
	run -j4 -k '!system' || status=1; \
	mv tests/testsuite.log tests/testsuite.log.1; \
	run -k system || status=1; \
	cat tests/testsuite.log >> tests/testsuite.log.1; \
	mv tests/testsuite.log.1 tests/testsuite.log; \
	exit $$status

# What was downloaded stays until then.
distclean-local: distclean-qemu-guest
distclean-qemu-guest:
	rm -rf tests/qemu-guest.d
.PHONY: distclean-qemu-guest

clean-local:
	rm -rf tests/valgrind
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

# The system layer.
TESTSUITE_AT += tests/system-macros.at
TESTSUITE_AT += tests/system-traffic.at
EXTRA_DIST += tests/failures
EXTRA_DIST += tests/netns.py
EXTRA_DIST += tests/nva-multicast.py tests/nva-relay.py tests/transport.py
EXTRA_DIST += \
	tests/random-moves \
	tests/random_kinds.py \
	tests/random_scene.py \
	tests/random_traffic.py

# The tests with our own programs, but not those of Open vSwitch, in valgrind.
# Each program is replaced by a script that runs the real one; nva-ctl is one
# that is tested only if there is no controller, to whose tests it is a tool.
VALGRIND = valgrind
NVA_VALGRIND = $(VALGRIND) -q --error-exitcode=99 --leak-check=full \
	--show-leak-kinds=definite --errors-for-leak-kinds=definite \
	--num-callers=30 --child-silent-after-fork=no
valgrind_programs = $(sbin_PROGRAMS) $(bin_PROGRAMS) $(check_PROGRAMS)
check-valgrind: all $(check_PROGRAMS) $(TESTSUITE)
	@command -v $(VALGRIND) > /dev/null || \
	    { echo 'valgrind is missing; run "apt-get install valgrind"' >&2; exit 1; }
	$(AM_V_at)rm -rf tests/valgrind && mkdir -p tests/valgrind/bin
	$(AM_V_at)for p in $(valgrind_programs); do \
	    s="tests/valgrind/bin/$${p##*/}"; \
	    case $$p in */nva-ctl | */nva-controller) quiet=-vtimeval:off ;; *) quiet= ;; esac; \
	    case $$p in */nva-ctl) tool=nva-controller.pid ;; *) tool=/nonexistent ;; esac; \
	    { echo '#!/bin/sh'; \
	      echo "test ! -f $$tool || exec $(abs_builddir)/$$p \"\$$@\""; \
	      echo "exec $(NVA_VALGRIND) --log-file=$(abs_builddir)/tests/valgrind/log.%p" \
	           "$(abs_builddir)/$$p $$quiet \"\$$@\""; \
	    } > "$$s" && chmod +x "$$s" || exit 1; \
	done
	NVA_WIRING_STEPS=200 $(SHELL) '$(TESTSUITE)' -C tests AUTOTEST_PATH='tests/valgrind/bin:$(AUTOTEST_PATH)' $(TESTSUITEFLAGS); \
	status=$$?; \
	test $$status = 0 || $(SHELL) '$(srcdir)/tests/failures' tests/testsuite.log 15; \
	find tests/valgrind -name 'log.*' -empty -delete; \
	if grep -l '^==' tests/valgrind/log.* 2>/dev/null; then \
	    echo "valgrind found errors; see these files" >&2; exit 1; \
	fi; exit $$status
.PHONY: check-valgrind
