EXTRA_DIST += Documentation/topics/design.rst
