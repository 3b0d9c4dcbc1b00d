"""Records the frames that cross a network card as pcap, for some seconds: capture.py CARD SECONDS > FILE.

tcpdump does the same, but refuses to run in a user namespace without a second user.
"""
import socket
import struct
import sys
import time

ALL_PROTOCOLS = 3
FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)

card, seconds = sys.argv[1], float(sys.argv[2])
frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
frames.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
frames.bind((card, 0))
out = sys.stdout.buffer
out.write(FILE_HEADER)
end = time.monotonic() + seconds
while (left := end - time.monotonic()) > 0:
    frames.settimeout(left)
    try:
        frame = frames.recv(65535)
    except socket.timeout:
        break
    now = time.time()
    out.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)
