"""A receiver of webhooks, who verifies what he is sent by the library of Standard Webhooks."""

import collections
import http.server
import json
import socket
import ssl
import threading

import standardwebhooks

from stack import LIMIT, free_port


class Call:
    """What was sent, and what the library says of it."""

    def __init__(self, headers, body, path, connection, secret):
        self.headers, self.body, self.path, self.connection = headers, body, path, connection
        self.id = headers["webhook-id"]
        # Throws for a signature that is none, and for a time that is not now.
        self.event = standardwebhooks.Webhook(secret).verify(body, dict(headers))


class Receiver:
    """Answers what `answer(call)` says: a status, headers, and a body. Stopped and started again it has the same port."""

    def __init__(self, secret, certificates=None, shown="server"):
        self.secret, self.certificates, self.shown = secret, certificates, shown
        self.port = free_port()
        self.answer = lambda call: (204, {}, b"")
        self.calls, self.forged, self.connections = [], [], 0
        self.in_work = self.most_in_work = 0
        self.changed = threading.Condition()
        self.server = None

    @property
    def url(self):
        return f"http{'s' if self.certificates else ''}://127.0.0.1:{self.port}/reports"

    def start(self):
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def get_request(self):
                connection, address = super().get_request()
                receiver.connections += 1
                return connection, address

            def finish_request(self, connection, address):
                # The handshake blocks, and so is the connection's own matter.
                if receiver.certificates:
                    connection = receiver.tls.wrap_socket(connection, server_side=True)
                receiver.open.append(connection)
                super().finish_request(connection, address)

            def handle_error(self, *_):
                pass

        if self.certificates:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(self.certificates.path(f"{self.shown}.pem"), self.certificates.path(f"{self.shown}.key"))
        self.open = []
        self.server = Server(("127.0.0.1", self.port), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()
        return self

    def stop(self):
        """Nobody listens any more, and connections that are open are reset."""
        if not self.server:
            return
        self.server.shutdown()
        self.thread.join(LIMIT)
        self.server.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.server = None

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self.changed:
            self.in_work += 1
            self.most_in_work = max(self.most_in_work, self.in_work)
            self.changed.notify_all()
        try:
            call = Call(handler.headers, body, handler.path, handler.client_address, self.secret)
        except standardwebhooks.WebhookVerificationError:
            self.forged.append(body)
            status, headers, text = 401, {}, b""
        else:
            status, headers, text = self.answer(call)
            with self.changed:
                self.calls.append((call, status))
                self.changed.notify_all()
        with self.changed:
            self.in_work -= 1
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    def wait(self, condition, what, limit=LIMIT):
        """Waits until condition(self) is true, and answers it."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), limit), f"not within {limit} s: {what}"
            return condition(self)

    def taken(self):
        """The calls that were answered with 2xx, by the event's id."""
        found = collections.defaultdict(list)
        for call, status in list(self.calls):
            if 200 <= status < 300:
                found[call.id].append(call)
        return found

    def bodies(self):
        """Every body that was ever sent, by the event's id."""
        found = collections.defaultdict(set)
        for call, _ in list(self.calls):
            found[call.id].add(call.body)
        return found

    def cases(self):
        return {json.loads(calls[0].body)["case_id"] for calls in self.taken().values()}
