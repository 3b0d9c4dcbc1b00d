"""The catalog: what the shop sells, over HTTP."""
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRODUCTS = {"tea": 4, "coffee": 7, "mug": 9}


class Catalog(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        product = self.path.rsplit("/", 1)[-1]
        known = product in PRODUCTS
        answer = {"product": product, "price": PRODUCTS.get(product), "shelf": os.uname().nodename}
        body = json.dumps(answer).encode()
        self.send_response(200 if known or self.path == "/healthz" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("", int(os.environ["PORT"])), Catalog).serve_forever()
