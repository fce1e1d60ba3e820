"""The authority of one's own: made once, renewed when it must be, and its key is nowhere."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from hedgerow.emulators.tls import CA_FILE, CERTIFICATE_FILE, KEY_FILE, server_context


def test_what_is_good_is_kept(tmp_path: Path) -> None:
    """Clients that trust it need not be told anew at each start."""
    server_context(tmp_path / "tls", ("*.example.com",))
    before = (tmp_path / "tls" / CA_FILE).read_bytes()

    server_context(tmp_path / "tls", ("*.example.com",))

    assert (tmp_path / "tls" / CA_FILE).read_bytes() == before


def test_another_host_makes_a_new_one(tmp_path: Path) -> None:
    """So does a file that cannot be read."""
    server_context(tmp_path, ("*.example.com",))
    before = (tmp_path / CA_FILE).read_bytes()

    server_context(tmp_path, ("*.example.com", "*.example.org"))
    second = (tmp_path / CA_FILE).read_bytes()
    (tmp_path / CERTIFICATE_FILE).write_text("nonsense")
    server_context(tmp_path, ("*.example.com",))

    assert len({before, second, (tmp_path / CA_FILE).read_bytes()}) == 3


def test_the_key_is_its_owner_s_and_the_authority_s_is_thrown_away(tmp_path: Path) -> None:
    """Nobody can make a second certificate that clients would trust."""
    server_context(tmp_path / "tls", ("*.example.com",))
    files = {file.name for file in (tmp_path / "tls").iterdir()}
    leaf = x509.load_pem_x509_certificate((tmp_path / "tls" / CERTIFICATE_FILE).read_bytes())

    assert files == {CA_FILE, CERTIFICATE_FILE, KEY_FILE}
    assert (tmp_path / "tls" / KEY_FILE).stat().st_mode & 0o077 == 0
    assert (tmp_path / "tls").stat().st_mode & 0o077 == 0
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
