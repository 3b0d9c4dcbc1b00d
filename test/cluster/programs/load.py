"""Asks a server all the time and counts what fails: load.py HOST PORT WORKERS PAUSE_MS.

Half of the workers open a connection for each request, the others keep one for as long as it lives. One line of JSON per
second goes to the output: answers, failed new connections, failed lookups of the name, kept connections that were cut,
the last errors of each kind.
"""
import json
import socket
import sys
import threading
import time

host, port, workers, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) / 1000
lock = threading.Lock()
counts = {"ok": 0, "failed": 0, "lookups": 0, "cut": 0}
errors = {kind: [] for kind in counts}


def count(kind, error=None):
    with lock:
        counts[kind] += 1
        if error is not None:
            errors[kind].append("%.3f %s %s" % (time.time(), kind, error))
            del errors[kind][:-20]


def connect():
    """A connection, or None; a lookup that failed tells how long it took, and whether the next one works."""
    start = time.time()
    try:
        return socket.create_connection((host, port), 10)
    except socket.gaierror as error:
        took = time.time() - start
        try:
            again = str(socket.getaddrinfo(host, port)[0][4])
        except socket.gaierror as other:
            again = repr(other)
        count("lookups", "%r after %.3f s, then %s" % (error, took, again))
    except Exception as error:
        count("failed", repr(error))
    return None


def ask(connection, marker):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Marker: " + marker + b"\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed after %d bytes of the answer" % len(answer))
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed inside the body")
        body += piece
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionError(head.split(b"\r\n")[0].decode())


def fresh():
    while True:
        connection = connect()
        if connection is not None:
            try:
                with connection:
                    ask(connection, b"plaintext-of-a-new-connection")
                count("ok")
            except Exception as error:
                count("failed", repr(error))
        time.sleep(pause)


def kept():
    while True:
        connection = connect()
        if connection is None:
            time.sleep(pause)
            continue
        try:
            while True:
                ask(connection, b"plaintext-of-a-kept-connection")
                count("ok")
                time.sleep(pause)
        except Exception as error:
            count("cut", repr(error))
            connection.close()


for number in range(workers):
    threading.Thread(target=fresh if number % 2 == 0 else kept, daemon=True).start()
while True:
    time.sleep(1)
    with lock:
        print(json.dumps({"time": time.time(), **counts, "errors": sum(errors.values(), [])}), flush=True)
