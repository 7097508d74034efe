# The NVA database: schema, generated IDL, manual page.

pkgdata_DATA += ovsdb-schema/nva.ovsschema
EXTRA_DIST += ovsdb-schema/nva.ovsschema ovsdb-schema/nva-idl.ann \
	ovsdb-schema/nva.xml

# The checksum in the schema makes a change of it without a new version show.
BUILT_SOURCES += ovsdb-schema/nva.ovsschema.stamp
CLEANFILES += ovsdb-schema/nva.ovsschema.stamp
ovsdb-schema/nva.ovsschema.stamp: ovsdb-schema/nva.ovsschema $(OVS_DIR)/lib/.libs/libopenvswitch.a
	$(AM_V_GEN)mkdir -p ovsdb-schema && $(SHELL) '$(OVS_DIR)/build-aux/cksum-schema-check' '$(top_srcdir)/ovsdb-schema/nva.ovsschema' $@

BUILT_SOURCES += ovsdb-schema/nva-idl.h ovsdb-schema/nva-idl.c
CLEANFILES += ovsdb-schema/nva-idl.h ovsdb-schema/nva-idl.c ovsdb-schema/nva.ovsidl
OVSDB_IDLC = $(run_python) '$(OVS_DIR)/ovsdb/ovsdb-idlc.in'
ovsdb-schema/nva.ovsidl: ovsdb-schema/nva.ovsschema ovsdb-schema/nva-idl.ann $(OVS_DIR)/lib/.libs/libopenvswitch.a
	$(AM_V_GEN)mkdir -p ovsdb-schema && \
	$(OVSDB_IDLC) annotate '$(top_srcdir)/ovsdb-schema/nva.ovsschema' '$(top_srcdir)/ovsdb-schema/nva-idl.ann' > $@.tmp && mv $@.tmp $@
ovsdb-schema/nva-idl.h: ovsdb-schema/nva.ovsidl
	$(AM_V_GEN)$(OVSDB_IDLC) c-idl-header $< > $@.tmp && mv $@.tmp $@
ovsdb-schema/nva-idl.c: ovsdb-schema/nva.ovsidl ovsdb-schema/nva-idl.h
	$(AM_V_GEN)$(OVSDB_IDLC) c-idl-source $< > $@.tmp && mv $@.tmp $@

noinst_LIBRARIES += ovsdb-schema/libnvaidl.a
nodist_ovsdb_schema_libnvaidl_a_SOURCES = ovsdb-schema/nva-idl.c ovsdb-schema/nva-idl.h
ovsdb_schema_libnvaidl_a_SOURCES =
ovsdb_schema_libnvaidl_a_CFLAGS = $(SANITIZER_FLAGS) -w

# ovsdb-doc fails if a table or a column is not documented.  It names Open
# vSwitch in the header of the page.
man_MANS += ovsdb-schema/nva.5
CLEANFILES += ovsdb-schema/nva.5
ovsdb-schema/nva.5: ovsdb-schema/nva.xml ovsdb-schema/nva.ovsschema $(OVS_DIR)/lib/.libs/libopenvswitch.a
	$(AM_V_GEN)mkdir -p ovsdb-schema && \
	$(run_python) '$(OVS_DIR)/ovsdb/ovsdb-doc' --version='$(PACKAGE_VERSION)' \
	    '$(top_srcdir)/ovsdb-schema/nva.ovsschema' '$(top_srcdir)/ovsdb-schema/nva.xml' > $@.tmp1 && \
	sed '/^\.TH /s/Open vSwitch/ovs-nva/g' $@.tmp1 > $@.tmp && rm -f $@.tmp1 && mv $@.tmp $@
