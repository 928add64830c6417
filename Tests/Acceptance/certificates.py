"""Certificates of a test's own, made by openssl: an authority and a stranger, and what they have signed."""

import pathlib
import subprocess

from stack import LIMIT

HERE = "IP:127.0.0.1,DNS:localhost"


class Certificates:
    """NAME.pem and NAME.key in a folder: `server` is in order, the others each have something the matter with them."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        for name in ("authority", "stranger"):
            self._openssl("req", "-x509", *self._new_key(name), "-days", "2", "-out", f"{name}.pem")
        self._sign("server", HERE)
        self._sign("expired", HERE, days=-1)
        self._sign("elsewhere", "DNS:elsewhere.example")
        self._sign("forged", HERE, by="stranger")
        self._sign("client", "DNS:client")
        self._sign("stray", "DNS:stray", by="stranger")

        # The same key behind a password.
        self._openssl("ec", "-in", "client.key", "-aes256", "-passout", "pass:s3cret", "-out", "locked.key")

    def path(self, name):
        return str(self.folder / name)

    def text(self, *names):
        return "".join((self.folder / name).read_text() for name in names)

    def subject_served(self, port, *more):
        """The common name of the certificate that a server on loopback shows; None where it shows none."""
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *more],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT).stdout
        line = next((line for line in shown.splitlines() if line.startswith("subject=")), "")
        return line.rpartition("CN = ")[2] or None

    def _sign(self, name, names, days=2, by="authority"):
        self._openssl("req", *self._new_key(name), "-out", f"{name}.csr")
        (self.folder / "names").write_text(f"subjectAltName={names}\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-days", str(days), "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
                      "-CAcreateserial", "-extfile", "names", "-out", f"{name}.pem")

    @staticmethod
    def _new_key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=LIMIT)
