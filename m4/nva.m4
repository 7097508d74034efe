# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0

# NVA_CHECK_OVS
#
# Finds the Open vSwitch source that libopenvswitch is built from and refuses
# versions other than the one that the flows and the bundle semantics in this
# tree were tried with.  --with-ovs=DIR takes a tree that is built already.
AC_DEFUN([NVA_CHECK_OVS], [
  AC_ARG_WITH([ovs],
    [AS_HELP_STRING([--with-ovs=DIR],
       [an Open vSwitch 3.1 source tree in which libopenvswitch has been
        built (default: build it from --with-ovs-tarball)])])
  AC_ARG_WITH([ovs-tarball],
    [AS_HELP_STRING([--with-ovs-tarball=FILE],
       [Open vSwitch 3.1 source tarball
        (default: /usr/src/openvswitch/openvswitch.tar.gz, from the Debian
        package openvswitch-source)])],
    [], [with_ovs_tarball=/usr/src/openvswitch/openvswitch.tar.gz])

  AS_IF([test -n "$with_ovs"],
    [AS_IF([test -f "$with_ovs/lib/.libs/libopenvswitch.a"], [],
       [AC_MSG_ERROR([--with-ovs=$with_ovs: there is no lib/.libs/libopenvswitch.a in it; build it first, or leave the option out])])
     OVS_DIR=`cd "$with_ovs" && pwd`
     nva_ac_init=`grep 'INIT.openvswitch,' "$OVS_DIR/configure.ac"`],
    [AS_IF([test -r "$with_ovs_tarball"], [],
       [AC_MSG_ERROR([$with_ovs_tarball: not found; run "apt-get install openvswitch-source", or use --with-ovs-tarball=FILE])])
     OVS_TARBALL=`cd "\`dirname "$with_ovs_tarball"\`" && pwd`/`basename "$with_ovs_tarball"`
     AC_MSG_CHECKING([sha256 of $OVS_TARBALL])
     nva_sum=`sha256sum < "$OVS_TARBALL" | cut -d' ' -f1`
     AC_MSG_RESULT([$nva_sum])
     OVS_DIR=`pwd`/ovs/openvswitch
     nva_ac_init=`tar xzOf "$OVS_TARBALL" openvswitch/configure.ac | grep 'INIT.openvswitch,'`])

  AC_MSG_CHECKING([version of Open vSwitch])
  OVS_VERSION=[`echo "$nva_ac_init" | sed -n 's/^.*INIT.openvswitch, *\([0-9.]*\).*/\1/p'`]
  AC_MSG_RESULT([${OVS_VERSION:-unknown}])
  AS_CASE([$OVS_VERSION], [3.1|3.1.*], [],
    [AC_MSG_ERROR([Open vSwitch ${OVS_VERSION:-of an unknown version} found, but 3.1.x is needed: install openvswitch-source of Debian 12])])
  AC_SUBST([OVS_DIR])
  AC_SUBST([OVS_TARBALL])
  AC_SUBST([OVS_VERSION])
  AM_CONDITIONAL([BUILD_OVS], [test -z "$with_ovs"])])

# NVA_CHECK_LIBRARIES
#
# What libopenvswitch was linked with, and what we link ourselves.
AC_DEFUN([NVA_CHECK_LIBRARIES], [
  PKG_PROG_PKG_CONFIG
  PKG_CHECK_MODULES([LIBEVENT], [libevent >= 2.1 libevent_openssl libevent_pthreads], [],
    [AC_MSG_ERROR([libevent was not found; run "apt-get install libevent-dev"])])
  PKG_CHECK_MODULES([SSL], [openssl >= 1.1.1], [],
    [AC_MSG_ERROR([openssl was not found; run "apt-get install libssl-dev"])])
  dnl json-c exports names that libopenvswitch has, too, with other meanings:
  dnl no program may link both.
  PKG_CHECK_MODULES([JSON_C], [json-c >= 0.13], [],
    [AC_MSG_ERROR([json-c was not found; run "apt-get install libjson-c-dev"])])
  OVS_LIBS="$SSL_LIBS -lcap-ng -lunbound -latomic -lm -lpthread"
  AC_SUBST([OVS_LIBS])])

# NVA_CHECK_WARNINGS
AC_DEFUN([NVA_CHECK_WARNINGS], [
  AC_ARG_ENABLE([Werror],
    [AS_HELP_STRING([--enable-Werror], [treat compiler warnings as errors])])
  WARNING_CFLAGS="-Wall -Wextra -Wno-sign-compare -Wno-unused-parameter -Wpointer-arith \
-Wformat -Wformat-security -Wswitch-enum -Wbad-function-cast -Wcast-align \
-Wstrict-prototypes -Wold-style-definition -Wmissing-prototypes \
-Wno-missing-field-initializers -Wno-override-init -fno-strict-aliasing -Wshadow"
  AS_IF([test "$enable_Werror" = yes], [WARNING_CFLAGS="$WARNING_CFLAGS -Werror"])
  AC_SUBST([WARNING_CFLAGS])])

# NVA_CHECK_SANITIZERS
AC_DEFUN([NVA_CHECK_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers],
       [build with AddressSanitizer and UndefinedBehaviorSanitizer])])
  AS_IF([test "$enable_sanitizers" = yes],
    [SANITIZER_FLAGS="-fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=undefined -fno-omit-frame-pointer"])
  AC_SUBST([SANITIZER_FLAGS])])

# NVA_BASH_COMPLETION
#
# Where bash completions go; "no" installs none.
AC_DEFUN([NVA_BASH_COMPLETION], [
  AC_ARG_WITH([bash-completion-dir],
    [AS_HELP_STRING([--with-bash-completion-dir=DIR],
       [install bash completions in DIR
        (default: DATAROOTDIR/bash-completion/completions)])],
    [], [with_bash_completion_dir=yes])
  AS_CASE([$with_bash_completion_dir],
    [yes], [bashcompletiondir='${datarootdir}/bash-completion/completions'],
    [no], [bashcompletiondir=],
    [bashcompletiondir=$with_bash_completion_dir])
  AC_SUBST([bashcompletiondir])])
