EXTRA_DIST += ovs-patches/README.rst
