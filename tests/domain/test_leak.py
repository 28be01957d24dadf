"""What somebody pasted is recognised by its look, none of it is missed, and none of it is shown."""

import json
import pickle
import time
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from crisis.domain.leak import Leaked, fingerprint, recognise
from crisis.domain.secret_format import checksum_fits
from crisis.domain.sighting import sightings
from tests.domain.planting import MAKERS, github, mixed, planted, private_key, web_token

KEY = b"of this incident"
KINDS = st.sampled_from(sorted(MAKERS))
EDGES = st.sampled_from([" ", "\n", '"', "'", "\t", " = ", "\r\n", "\x00", "«", "\n\n# "])
NOISE = st.text(max_size=60)


def secrets_of(text: str) -> list[str]:
    """List the secrets that were recognised."""
    return [one.secret.get_secret_value() for one in recognise(text, KEY) if one.secret is not None]


@pytest.mark.parametrize("kind", MAKERS)
def test_each_kind_is_recognised_in_a_line(kind: str) -> None:
    """A line that holds one secret gives that secret, whole and nothing else; two kinds have their name in front."""
    secret = MAKERS[kind]()
    whole = {"cookie": f"sid={secret}", "signature of an address": f"X-Amz-Signature={secret}"}.get(kind, secret)

    assert secrets_of(f"{planted(kind, secret)}\n") == [whole]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kinds=st.lists(KINDS, min_size=1, max_size=4), noise=st.lists(NOISE, min_size=5, max_size=5), edge=EDGES)
def test_no_planted_secret_is_lost_among_noise(kinds: list[str], noise: list[str], edge: str) -> None:
    """Whatever stands around them, every planted secret is inside one that was recognised."""
    put = [(kind, MAKERS[kind]()) for kind in kinds]
    text = noise[0] + "".join(
        f"{edge}{planted(kind, secret)}{edge}{around}" for (kind, secret), around in zip(put, noise[1:], strict=False)
    )
    spans = sightings(text)

    for kind, secret in put:
        at = text.index(secret)
        assert any(one.start <= at and at + len(secret) <= one.end for one in spans if not one.public), kind


@settings(max_examples=60, deadline=None)
@given(kinds=st.lists(KINDS, min_size=1, max_size=3), noise=NOISE)
def test_no_secret_shows_in_any_form(kinds: list[str], noise: str) -> None:
    """Neither repr, str, JSON, what it says nor the error of a wrong use holds the secret."""
    put = [(kind, MAKERS[kind]()) for kind in kinds]
    found = recognise(f"{noise}\n" + "\n".join(planted(*one) for one in put), KEY)
    shown = [repr(found), str(found), *(one.model_dump_json() for one in found), *(one.says for one in found)]
    shown += [json.dumps(one.model_dump(mode="json")) for one in found]
    for one in found:
        with pytest.raises(ValidationError) as wrong:
            Leaked(kind=one.kind, secret=one.secret, more=one.secret and one.secret.get_secret_value())  # type: ignore[call-arg]
        shown.append("".join(traceback.format_exception(wrong.value)))
        with pytest.raises(TypeError) as written:
            pickle.dumps(one)
        shown.append(str(written.value))

    assert [kind for kind, secret in put if any(secret in text for text in shown)] == []


def test_a_file_of_variables_is_read_whole() -> None:
    """Each line of an .env gives its secret with its public name; a reference and a public id give none."""
    secret, token = mixed(40), github()
    text = (
        f"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPL2\nAWS_SECRET_ACCESS_KEY={secret}\nGITHUB_TOKEN='{token}'\n"
        "OTHER_TOKEN=${FROM_ELSEWHERE}\nTOKEN=vault:secret/shop#token\nAPI_KEY_ID=0123456789abcdef0123\n"
    )
    found = recognise(text, KEY)

    assert [(one.kind, one.system, one.name) for one in found] == [
        ("aws secret key", "aws", "AKIAIOSFODNN7EXAMPL2"),
        ("github token", "github", fingerprint(KEY, token)),
    ]
    assert found[0].secret is not None
    assert found[0].secret.get_secret_value() == secret


def test_json_is_read_with_its_escapes() -> None:
    """A secret that JSON had to escape is returned as it was."""
    password, key = 'pa"ss\\wörd9', private_key()
    found = secrets_of(json.dumps({"db_password": password, "tls": key, "author": "somebody1234567"}))

    assert found == [password, key]


def test_a_key_id_alone_is_a_public_name() -> None:
    """Where only an id was pasted there is no secret, and its name is the id."""
    (found,) = recognise("seen: AKIAIOSFODNN7EXAMPL2", KEY)

    assert (found.kind, found.name, found.secret) == ("aws key id", "AKIAIOSFODNN7EXAMPL2", None)


def test_ids_and_secrets_of_a_csv_go_together() -> None:
    """What the console of AWS lets one download, and a pair of Twilio, have the id as their name."""
    secret, other = mixed(40), mixed(32)
    found = recognise(f"Access key ID,Secret access key\nAKIAIOSFODNN7EXAMPL2,{secret}\n", KEY)
    found += recognise(f"SK{'0a' * 16},{other}", KEY)

    assert [(one.name, one.secret and one.secret.get_secret_value()) for one in found] == [
        ("AKIAIOSFODNN7EXAMPL2", secret),
        (f"SK{'0a' * 16}", other),
    ]


def test_a_sendgrid_key_is_named_by_its_id() -> None:
    """The middle of the key is the id under which SendGrid lists it."""
    (found,) = recognise("SG.abcdefghijklmnopqrstuv." + "x" * 43, KEY)

    assert found.name == "abcdefghijklmnopqrstuv"


def test_a_checksum_tells_a_token_from_a_mistyped_one() -> None:
    """GitHub's own example fits; one letter changed, it is still taken as leaked, and says so."""
    real = "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"  # from GitHub's description of the format; revoked
    right, wrong = recognise(f"{real} {real.replace('Q', 'R', 1)}", KEY)

    assert checksum_fits(real)
    assert (right.checked, wrong.checked) == (True, False)
    assert wrong.says.endswith("; its checksum does not fit")


def test_a_token_glued_to_other_letters_ends_where_its_checksum_does() -> None:
    """What follows without a gap is not taken for a part of it."""
    token = github()

    assert secrets_of(f"x{token}AndMore") == [token]


def test_a_single_unknown_string_counts() -> None:
    """Somebody who pastes one string means that one; words and a sentence are none."""
    secret = mixed(40)

    assert [(one.kind, one.name) for one in recognise(f" {secret}\n", KEY)] == [
        ("unknown secret", fingerprint(KEY, secret))
    ]
    assert recognise("nothing", KEY) == ()
    assert recognise("we lost the token of the build server", KEY) == ()


def test_the_same_secret_is_named_once() -> None:
    """However often it stands in a log, it is one credential."""
    token = web_token()

    assert secrets_of(f"{token}\n" * 5) == [token]


def test_fingerprints_depend_on_the_incident() -> None:
    """The same secret has another name in another incident, and none without a key."""
    assert fingerprint(b"one", "secret") != fingerprint(b"two", "secret")
    with pytest.raises(ValueError, match="needs the key"):
        fingerprint(b"", "secret")


_HOSTILE = (
    "AKIA", "ghp_", "eyJ", ".eyJ", "eyJhhhhh.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "://", "://a:",
    "://a:bbbbbbb", "secret", "secret=", 'token: "', "passw='\\", "token=&a", "a", " ", "s.a1", "xoxb-", "secret    ",
    "sk-aaaaaaaaaaaaaaaaaaaaT3BlbkFJ", f"AC{'0' * 32} ", "authorization: bearer ", 'token="\\', "SG.SG.", "=", "&a=",
)  # fmt: skip


def seconds(text: str) -> float:
    """Measure the work that a text makes."""
    began = time.thread_time()
    sightings(text)
    return time.thread_time() - began


@pytest.mark.parametrize("piece", _HOSTILE)
def test_no_text_makes_the_search_slow(piece: str) -> None:
    """The time grows with the length, whatever is repeated: four times the text is far from sixteen times the work."""
    short, long = piece * (50_000 // len(piece)), piece * (200_000 // len(piece))
    seconds(short)

    # The least of three of each: what else this machine does makes any one of them longer.
    assert min(seconds(long) for _ in range(3)) < 8 * min(seconds(short) for _ in range(3)) + 0.05


@pytest.mark.timeout(900)
def test_ten_megabytes_of_everything_hostile() -> None:
    """All of it together, 10 MB, is read in a few seconds of work, and a secret at its end is still found."""
    part = 10_000_000 // len(_HOSTILE)
    text = "\n".join(piece * (part // len(piece)) for piece in _HOSTILE)
    secret = MAKERS["stripe key"]()

    began = time.thread_time()
    found = sightings(f"{text}\n{secret}")

    assert time.thread_time() - began < 60
    assert any(text_end.end == len(text) + 1 + len(secret) for text_end in found)
