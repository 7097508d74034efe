dist_doc_DATA += \
	Documentation/topics/debugging.rst \
	Documentation/topics/deployment.rst \
	Documentation/topics/design.rst \
	Documentation/topics/moving.rst \
	Documentation/topics/performance.rst \
	Documentation/topics/pipeline.rst
