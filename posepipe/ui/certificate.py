"""A certificate that the app makes itself, so that a phone's browser gives its camera, and this machine's addresses.

Nobody vouches for it: browsers say so, and the user compares its fingerprint or trusts their own network.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from posepipe.media.atomic import atomic_path, output_error

__all__ = ["Certificate", "addresses", "certificate", "fingerprint"]

_DAYS = 365
"""Apple's systems take none that lasts longer than 825 days (https://support.apple.com/en-us/103769)."""
_RENEW = timedelta(days=30)
_INSIDE = ("docker", "br-", "veth", "virbr")
"""Networks between programs of one machine."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files for the server.

    Attributes:
        file: the certificate, PEM.
        key: its private key, PEM, readable by the user alone.
        fingerprint: SHA-256 of the certificate, as browsers show it.
    """

    file: Path
    key: Path
    fingerprint: str


def addresses() -> list[str]:
    """IPv4 addresses of this machine in its networks, without those that only it has; nothing is sent to find them."""
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for place in adapter.ips:
            if not place.is_IPv4 or adapter.nice_name.startswith(_INSIDE):
                continue
            address = ip_address(str(place.ip))
            if not address.is_loopback and not address.is_link_local:
                found.append(str(address))
    return found


def certificate(folder: Path, names: list[str]) -> Certificate:
    """The certificate of a folder; made where there is none, it ends soon, or doesn't hold for one of the names.

    Args:
        folder: of the user's own.
        names: host names and addresses of this machine.

    Raises:
        OutputError: the folder can't be written.
    """
    file, key = folder / "certificate.pem", folder / "certificate.key"
    wanted = sorted({"localhost", "127.0.0.1", *names})
    with suppress(OSError, ValueError):
        known = x509.load_pem_x509_certificate(file.read_bytes())
        private_key = serialization.load_pem_private_key(key.read_bytes(), None)
        if private_key.public_key() == known.public_key() and _good(known, wanted):
            return Certificate(file, key, fingerprint(file))
    made, private = _made(wanted)
    with atomic_path(key) as temporary:
        # Readable by nobody else from its first byte on.
        temporary.touch(mode=0o600, exist_ok=False)
        temporary.write_bytes(private)
    with atomic_path(file) as temporary:
        temporary.write_bytes(made)
    return Certificate(file, key, fingerprint(file))


def fingerprint(file: Path) -> str:
    """SHA-256 of a certificate, in pairs of digits.

    Raises:
        OutputError: it can't be read.
    """
    try:
        digest = x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256())
    except OSError as error:
        raise output_error(error, file) from error
    return str(digest.hex(":").upper())


def _good(known: x509.Certificate, wanted: list[str]) -> bool:
    held = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    there = {*held.get_values_for_type(x509.DNSName), *map(str, held.get_values_for_type(x509.IPAddress))}
    return set(wanted) <= there and known.not_valid_after_utc - datetime.now(timezone.utc) > _RENEW


def _made(names: list[str]) -> tuple[bytes, bytes]:
    """A certificate that signs itself and nothing else, and its key; both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "posepipe on this machine")])
    now = datetime.now(timezone.utc)
    held: list[x509.GeneralName] = []
    for one in names:
        try:
            held.append(x509.IPAddress(IPv4Address(one)))
        except ValueError:
            held.append(x509.DNSName(one))
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of phones differ.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(held), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), private
