# Command line, sandbox and traffic generator.
