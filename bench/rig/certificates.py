"""One CA and two P-256 leaves for the peers, as Remora's own certificates are: made with openssl(1)."""
import os
import subprocess


def _openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def _key(path):
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)


def make(folder):
    """ca.pem, and for server and client NAME.pem, NAME.key, NAME.both.pem (certificate, then key)."""
    at = lambda name: os.path.join(folder, name)
    _key(at("ca.key"))
    _openssl("req", "-x509", "-new", "-key", at("ca.key"), "-days", "30", "-subj", "/CN=bench", "-out", at("ca.pem"))
    for name in ("server", "client"):
        leaf(folder, at("ca.pem"), at("ca.key"), name, "DNS:localhost")


def leaf(folder, ca, ca_key, name, alternative_name):
    at = lambda ending: os.path.join(folder, f"{name}.{ending}")
    _key(at("key"))
    _openssl("req", "-new", "-key", at("key"), "-subj", "/CN=localhost", "-out", at("csr"))
    with open(at("extensions"), "w", encoding="ascii") as file:
        file.write(f"subjectAltName=critical,{alternative_name}\nkeyUsage=critical,digitalSignature\n"
                   "extendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=critical,CA:FALSE\n")
    _openssl("x509", "-req", "-in", at("csr"), "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "30",
             "-extfile", at("extensions"), "-out", at("pem"))
    with open(at("both.pem"), "w", encoding="ascii") as both:
        for ending in ("pem", "key"):
            with open(at(ending), encoding="ascii") as part:
                both.write(part.read())
    for ending in ("key", "both.pem"):
        os.chmod(at(ending), 0o644)
