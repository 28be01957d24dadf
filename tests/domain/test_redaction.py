"""No sink shows a secret: not what looks like one, and not what the run has touched, in any of its forms."""

import base64
import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from crisis.domain.redaction import Mask, MaskedStream, Touched
from crisis.masked_logs import MaskedRecords
from tests.canaries import Canaries
from tests.domain.planting import MAKERS, mixed, planted

ODD = 'plain"w\\ith/odd+signs %ü and words'
"""A secret that no pattern knows."""


def touched(*secrets: str) -> Touched:
    """Touch some secrets."""
    those = Touched()
    those.add(*map(SecretStr, secrets))
    return those


@pytest.mark.parametrize("kind", MAKERS)
def test_what_looks_like_a_secret_is_masked(kind: str) -> None:
    """Nothing of it is left, whoever wrote it, and the second time nothing changes."""
    secret = MAKERS[kind]()
    masked = Mask(Touched())(f"before {planted(kind, secret)} after")

    assert secret not in masked
    assert masked.startswith("before ")
    assert Mask(Touched())(masked) == masked


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Cookie: sid=abcdefgh; theme=dark", "Cookie: [cookie]"),
        ("Authorization: Bearer 0a1b2c3d4e5fZ9", "Authorization: Bearer [named secret]"),
        ("X-Vault-Token: s0mething-Random1", "X-Vault-Token: [named secret]"),
        ("GET /a?X-Amz-Signature=" + "0a" * 32, "GET /a?[signature of an address]"),
        ('{"password": "[odd] one"}', '{"password": "[password]"}'),
        ("author: somebody123456, tokens: 4096", "author: somebody123456, tokens: 4096"),
    ],
)
def test_headers_are_masked(line: str, shown: str) -> None:
    """Headers and addresses keep their names and lose their values; words that only look alike stay."""
    assert Mask(Touched())(line) == shown
    assert Mask(Touched())(shown) == shown


def test_ids_of_keys_are_kept() -> None:
    """An id is evidence, and no secret."""
    text = f"aws: AKIAIOSFODNN7EXAMPL2 was used; twilio: SK{'0a' * 16}"

    assert Mask(Touched())(text) == text


@pytest.mark.parametrize(
    "written",
    [
        ODD,
        json.dumps({"a": ODD}),
        json.dumps({"a": ODD}, ensure_ascii=False),
        json.dumps({"a": json.dumps({"b": ODD})}),
        quote(ODD),
        quote(ODD, safe=""),
        repr(ODD),
        base64.b64encode(ODD.encode()).decode(),
        base64.b64encode(f"x{ODD}y".encode()).decode(),
        base64.urlsafe_b64encode(f"xx{ODD}yy".encode()).decode(),
        base64.b64encode(f"xxx{ODD}yyyy".encode()).decode(),
        ODD.encode().hex(),
    ],
)
def test_what_the_run_touched_is_masked_in_every_form(written: str) -> None:
    """Escaped, coded, shifted: the masked text decodes to nothing that holds the secret."""
    masked = Mask(touched(ODD))(f"<<{written}>>")

    assert Canaries({"odd": ODD}).search_text(f"<<{written}>>")
    assert Canaries({"odd": ODD}).search_text(masked) == []
    assert "[touched secret]" in masked


def test_a_fingerprint_tells_secrets_apart() -> None:
    """With the key of the incident, the same secret has the same name everywhere."""
    mask = Mask(touched("first-one", "second-one"), key=b"incident")
    first, second, again = mask("first-one second-one first-one").split("] ")

    assert first == again.rstrip("]")
    assert first != second


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_secret_across_two_chunks_is_masked(data: st.DataObject) -> None:
    """However a text is cut into chunks, the masked chunks hold no secret, and nothing else is lost."""
    secret = mixed(40)
    mask = Mask(touched(secret, ODD))
    around = data.draw(st.text(alphabet="ab \n", max_size=50)) * 200
    text = f"{around} {secret} {around} {ODD} {around} {MAKERS['private key']()} {around}"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    stream = MaskedStream(mask)
    shown = "".join(stream.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))
    shown += stream.close()

    assert shown == mask(text)
    assert secret not in shown
    assert ODD not in shown


def test_short_secrets_are_said_to_be_too_short() -> None:
    """Four digits would blot out half of every text: the caller hears that they are not masked."""
    those = Touched()

    assert not those.add(SecretStr("1234"))
    assert (Mask(those)("room 1234"), len(those)) == ("room 1234", 0)
    assert "1234" not in repr(those)


def test_masking_leaves_a_long_journal_as_it_is() -> None:
    """Two megabytes without a secret, and three hundred touched ones that are not in it."""
    those = touched(*(mixed(40) for _ in range(300)))
    line = '{"action":"revert","at":"2026-11-26T10:00:00Z","body":{"note":"reverted abc"},"hash":"0a1b2c"}\n'
    text = line * (2_000_000 // len(line))

    assert Mask(those)(text) == text


class Sink(logging.Handler):
    """Keeps what a handler would write."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self.lines = list[str]()
        self.addFilter(MaskedRecords(mask))
        self.setFormatter(logging.Formatter("%(message)s %(told)s", defaults={"told": ""}))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def sink() -> Sink:
    """Open a sink that has touched one secret."""
    return Sink(Mask(touched(ODD)))


@pytest.fixture
def log(sink: Sink) -> logging.Logger:
    """Log into the sink alone."""
    logger = logging.Logger("one of a test")  # noqa: LOG001 - nobody else may find it
    logger.addHandler(sink)
    return logger


def test_records_are_masked(sink: Sink, log: logging.Logger) -> None:
    """Message, arguments, extra fields and a wrong format show nothing."""
    log.warning(ODD)
    log.warning("with %s and %r", "an argument", {"x": ODD})
    log.warning("more", extra={"told": ODD})
    log.warning("more", extra={"told": [ODD]})
    log.warning("wrong %d", ODD)

    assert len(sink.lines) == 5
    assert Canaries({"odd": ODD}).search_text("\n".join(sink.lines)) == []


def fail(text: str) -> None:
    """Fail with a text."""
    raise ValueError(text)


def test_tracebacks_are_masked(sink: Sink, log: logging.Logger) -> None:
    """The text of an error shows no secret, and still says where it was; one without secrets stays whole."""
    for text in (ODD, "harmless"):
        try:
            fail(text)
        except ValueError:
            log.exception("failed", stack_info=True)

    assert Canaries({"odd": ODD}).search_text("\n".join(sink.lines)) == []
    assert "ValueError: [touched secret]" in sink.lines[0]
    assert "ValueError: harmless" in sink.lines[1]


@pytest.mark.parametrize(
    "name",
    ["secret:shop/payment@1", "a task for ada: end secret:shop/Payment-2026.x/y9@12 of safe", "safe/secret:Kv9/aB3@3;"],
)
def test_the_place_of_a_secret_is_its_name(name: str) -> None:
    """Two secrets of a Vault keep two names."""
    assert Mask()(name) == name


def test_what_only_looks_like_a_place_is_masked() -> None:
    """Without a version it may be the secret itself."""
    assert Mask()("secret:Shop9aB3/payXment7Qz") == "secret:[named secret]"


@pytest.mark.parametrize(
    "code",
    [
        '{"user": "probe", "password": os.environ["SHOP_PROBE_PASSWORD"]}',
        "password = read_secret(name)",
        "login(password=PROBE_PASSWORD)",
    ],
)
def test_code_that_reads_a_secret_is_none(code: str) -> None:
    """A test in a ticket must run: what stands there is where the secret comes from."""
    assert Mask()(code) == code
