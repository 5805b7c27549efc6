"""Makes the calls that it is told, one a line, over one connection, and says how each went."""
import os
import sys

import libvirt

libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open(os.environ["LIBVIRT_DEFAULT_URI"])
for line in sys.stdin:
    try:
        getattr(connection, line.strip())()
        print("ok", flush=True)
    except libvirt.libvirtError as error:
        print(error.get_error_message().replace("\n", " "), flush=True)
