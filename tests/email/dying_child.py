"""A worker process that dies of each job."""

import os
import sys

if __name__ == "__main__":
    sys.stdin.buffer.read(4)
    os._exit(1)
