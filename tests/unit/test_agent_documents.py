"""From the bytes of a manifest to documents: what is read, and what is refused in which words."""

from __future__ import annotations

import json

import pytest

from vip_common.manifests.documents import Document, DocumentError, decode
from vip_model.schema.scalars import UnclearText


def refusal(content: str | bytes) -> str:
    """Return why a manifest is refused."""
    with pytest.raises(DocumentError) as caught:
        decode("vip.yaml", content.encode() if isinstance(content, str) else content)
    return str(caught.value)


def value_of(text: str) -> object:
    """Return how a value is read that stands in a list without quotes."""
    (found,) = decode("vip.yaml", f"- {text}\n".encode())
    assert isinstance(found.content, list)
    return found.content[0]


def test_documents_and_lists() -> None:
    """Several documents and the items of a List count one by one; empty documents do not."""
    content = b"---\na: 1\n---\n# nothing\n---\nkind: List\nitems:\n- {kind: Node}\n- null\n"

    assert decode("vip.yaml", content) == [
        Document("vip.yaml, document 1", {"a": 1}),
        Document("vip.yaml, document 3, items[0]", {"kind": "Node"}),
    ]


def test_a_comment_alone_is_an_explicit_nothing() -> None:
    """A file with only a comment is valid and holds no document."""
    assert decode("vip.yaml", b"# No address on this host at the moment.\n") == []


def test_json_is_read() -> None:
    """JSON is YAML, also with tabs and in one line."""
    content = {"metadata": {"name": "web"}, "spec": {"addresses": ["2001:db8::", "::1"]}}

    for text in (json.dumps(content), json.dumps(content, indent="\t")):
        assert decode("vip.json", text.encode()) == [Document("vip.json", content)]


def test_a_byte_order_mark_is_no_text() -> None:
    """UTF-8 as Windows writes it is read."""
    assert decode("vip.yaml", b"\xef\xbb\xbfa: \xc3\xa4\n") == [Document("vip.yaml", {"a": "ä"})]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("51", 51),
        ("-1", -1),
        ("true", True),
        ("~", None),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("192.0.2.100", "192.0.2.100"),
        ("12:30", "12:30"),
        ("2001:10:20:30:40:50:5:1", "2001:10:20:30:40:50:5:1"),
        ("'051'", "051"),
        ("!!str 051", "051"),
    ],
)
def test_what_is_read_alike_everywhere(text: str, value: object) -> None:
    """Numbers, truth values and texts are those of YAML 1.2 and JSON."""
    found = value_of(text)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("051", 51),
        ("08", 8),
        ("0o51", 41),
        ("0x33", 51),
        ("0b11", 3),
        ("1_000", 1000),
        ("!!int 051", 51),
        ("yes", None),
        ("No", None),
        ("OFF", None),
        ("2024-01-01", None),
        ("2024-99-99", None),
        ("2024-01-01T00:00:00Z", None),
        ("9" * 5000, None),
    ],
)
def test_what_is_not_read_alike_is_marked(text: str, number: int | None) -> None:
    """What YAML 1.1 and 1.2 read differently stays what it says, for the reader to refuse."""
    found = value_of(text)

    assert isinstance(found, UnclearText)
    assert found == text.removeprefix("!!int ")
    assert found.number == number


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", " is empty, as if it were being written", id="empty"),
        pytest.param(" \n\n", " is empty, as if it were being written", id="blank"),
        pytest.param(
            "a: 1\nb: 2\na: 3\n",
            ", line 3, column 1: the key a comes twice: remove one of the two lines",
            id="a key twice",
        ),
        pytest.param("a: !!python/name:os.system x\n", "must be in quotes", id="code"),
        pytest.param("kind: List\nitems: 3\n", ": items of a List must be a list", id="items"),
        pytest.param("a: !!timestamp 2024-99-99\n", "month must be in 1..12", id="date"),
        pytest.param(
            "a: \x00\n",
            ", line 1, column 4: the character U+0000 is not allowed in YAML: the file is damaged",
            id="zeros",
        ),
        pytest.param("a: " + "x" * (4 << 20), " is larger than 4 MiB", id="large"),
        pytest.param(
            "spec:\n\taddresses: [192.0.2.1]\n",
            ", line 2, column 1: there is a tab: indent with spaces",
            id="tab",
        ),
        pytest.param(
            "spec:\n  a: 1\n   b: 2\n",
            ", line 3, column 5: the line is indented more than line 2, which already has its "
            "value: indent it by 2 like that line",
            id="indented more",
        ),
        pytest.param(
            "spec:\n    a: 1\n  b: 2\n",
            ", line 3, column 3: the line is indented by 2, like no line above that it can "
            "belong to: indent it by 0 or 4",
            id="indented less",
        ),
        pytest.param(
            "gates:\n  - name: a\n  period: 2\n",
            ", line 3, column 3: the items of the list above begin with `- `",
            id="item without dash",
        ),
        pytest.param(
            "metadata\n  name: web\n",
            ", line 2, column 7: line 1 has no `:` after the name",
            id="no colon",
        ),
        pytest.param(
            "a: 1\nspec\nb: 2\n", ": line 2 has no `:` after the name", id="no colon between"
        ),
        pytest.param("a: 1\nb:2\n", ": a space is missing after the `:` of line 2", id="no space"),
        pytest.param(
            "a: b: c\n", ": this is the second `:` in one line: put the value in quotes", id="two"
        ),
        pytest.param(
            "a: [1, 2\nb: 3\n",
            ": the `[` in line 1, column 4 is not closed, or a comma is missing",
            id="open bracket",
        ),
        pytest.param("a: {b: 1\nc: 3\n", ": the `{` in line 1, column 4", id="open brace"),
        pytest.param("kind: [", ": the file ends before all brackets are closed", id="open"),
        pytest.param("a: {b: 1", ": the `{` in line 1, column 4", id="open brace at the end"),
        pytest.param(
            'a: "x\nb: 3\n',
            ": the quote that begins in line 1, column 4, is never closed",
            id="open quote",
        ),
        pytest.param("a: [1]]\n", ": ] follows a value that has already ended", id="bracket"),
        pytest.param("a: {{ vip }}\n", "belong to a template that was not filled in", id="jinja"),
        pytest.param("{% if x %}\n", "belong to a template that was not filled in", id="jinja if"),
        pytest.param(
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
            ": the file holds an unresolved merge conflict: choose one side",
            id="merge conflict",
        ),
        pytest.param("a: @x\n", ": no value begins with @: put it in quotes", id="at"),
        pytest.param("a: *x\n", ": a value that begins with `*` must be in quotes", id="star"),
        pytest.param("a: [*]\n", ": a value that begins with `*` must be in quotes", id="stars"),
        pytest.param("a: !x y\n", ": a value that begins with `!` must be in quotes", id="tag"),
        pytest.param('a: "\\d"\n', ": a backslash in double quotes must be doubled", id="escape"),
        pytest.param(
            "a: [2001:db8::]\n",
            ": a value that begins or ends with `:` must be in quotes here",
            id="IPv6",
        ),
        pytest.param("a: [::1]\n", "begins or ends with `:` must be in quotes here", id="::1"),
        pytest.param("[a]\nb = [1]\n", ": this does not look like YAML", id="TOML"),
        pytest.param(
            "vrrp_instance VI_1 {\n    state MASTER\n    interface eth0\n}\n",
            ": this is a configuration of keepalived: write a VirtualIP instead",
            id="keepalived",
        ),
        pytest.param(
            "! Configuration\nglobal_defs {\n\trouter_id x\n}\n",
            ": this is a configuration of keepalived: write a VirtualIP instead",
            id="keepalived with a comment",
        ),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    """Each mistake is one sentence: file, place, what is wrong, and mostly what would be right."""
    found = refusal(text)

    assert found.startswith("vip.yaml")
    assert words in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "# für Büro\na: 1\n".encode("latin-1"),
            ", line 1, column 4: the byte 0xFC is not UTF-8, and looks like Latin-1: save the file",
        ),
        ("a: 1\n".encode("utf-16"), " is UTF-16: save it as UTF-8"),
        ("a: 1\n".encode("utf-16-le"), "the character U+0000 is not allowed"),
        (b"\x7fELF\x80\x81\x82", " is not text: check that it is the right file"),
    ],
    ids=["Latin-1", "UTF-16", "UTF-16 without a mark", "a program"],
)
def test_bytes_that_are_no_utf_8(content: bytes, words: str) -> None:
    """A file in another encoding is refused with the place and the way out."""
    assert words in refusal(content)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "- - ", "[{a: "])
def test_depth_does_not_end_the_process(opening: str) -> None:
    """A manifest that is nested without end is refused before a recursive loader sees it."""
    assert "nested more than 100 levels deep" in refusal(opening * 100_000)


def test_a_hundred_levels_are_read() -> None:
    """What is below the limit is read."""
    assert len(decode("vip.yaml", b"[" * 100 + b"]" * 100)) == 1


def test_aliases_may_not_stand_for_everything() -> None:
    """A few lines that stand for billions of values are refused at once."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")

    assert "stands for more than 500000 values" in refusal("\n".join(lines))


def test_an_alias_may_not_be_a_part_of_itself() -> None:
    """What would be endless is refused."""
    assert ", line 1: *a is a part of itself: write the values out" in refusal("&a [1, *a]")


def test_anchors_and_merge_keys_are_read() -> None:
    """Manifests may say things once."""
    (found,) = decode("vip.yaml", b"base: &b {x: 1}\nmine:\n  <<: *b\n  y: 2\nagain: *b\n")

    assert found.content == {"base": {"x": 1}, "mine": {"x": 1, "y": 2}, "again": {"x": 1}}
