"""The command line: a thin skin. Commands parse, build values, call the library and print.

Results go to stdout, progress and messages to stderr. Exit code 0 is done, 1 failed, 2 wrong usage, 130
interrupted. A wrong input is one line that says the way out; `--debug` adds the traceback.
"""
