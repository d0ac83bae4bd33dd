"""Pytrees as files, and directories that hold them whole whenever the process is killed."""
