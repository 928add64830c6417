"""A way to a server that a test can cut."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards connections to host:port; away, it refuses new ones and ends those that are open."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    server = socket.create_connection(self.target)
                except OSError:
                    client.close()
                    continue
                with self.lock:
                    if listener is not self.listener:
                        client.close(), server.close()
                        continue
                    self.open |= {client, server}
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    def _copy(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.open.discard(source)
        source.close()

    def cut(self):
        with self.lock:
            listener, self.listener = self.listener, None
            ends, self.open = self.open, set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def restore(self):
        listener = socket.create_server(("127.0.0.1", self.port))
        with self.lock:
            self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    @contextlib.contextmanager
    def away(self):
        self.cut()
        try:
            yield
        finally:
            self.restore()
