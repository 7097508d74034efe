dist_doc_DATA += \
	Documentation/topics/debugging.rst \
	Documentation/topics/deployment.rst \
	Documentation/topics/design.rst \
	Documentation/topics/moving.rst \
	Documentation/topics/performance.rst \
	Documentation/topics/pipeline.rst

# Of the run that performance.rst shows.
EXTRA_DIST += \
	Documentation/topics/bench-compare.json \
	Documentation/topics/bench-compare.svg
