from __future__ import annotations

from workers.text.document import DocumentBuilder, Ranges, plain_document


def test_a_document_is_its_characters_and_a_tree() -> None:
    builder = DocumentBuilder()
    builder.open("paragraph")
    builder.write("a ")
    builder.leaf("strong", "b")
    builder.close()
    builder.separate("\n\n")
    builder.open("quote")
    builder.leaf("pre", "c\n d", "py")
    builder.close()
    builder.separate("\n\n")
    document = builder.finish()
    assert document.text == "a b\n\nc\n d", "a gap is written only when something follows"
    paragraph, quote = document.root.children
    assert (paragraph.kind, paragraph.start, paragraph.end) == ("paragraph", 0, 3)
    assert (quote.start, quote.end, quote.children[0].value) == (5, 9, "py")
    assert document.verbatim.holds(6)
    assert not document.verbatim.holds(4), "a gap lies outside of what it separates"


def test_the_larger_of_two_gaps_counts() -> None:
    builder = DocumentBuilder()
    builder.separate("\n\n")
    builder.leaf("line", "a")
    builder.separate("\n")
    builder.separate("\n\n")
    builder.separate("\n")
    builder.leaf("line", "b")
    assert builder.finish().text == "a\n\nb"


def test_what_has_no_effect_inside_itself_is_opened_once() -> None:
    builder = DocumentBuilder(flat={"strong"})
    assert builder.open("strong")
    assert builder.open("em")
    assert not builder.open("strong")
    builder.write("x")
    for _ in range(3):
        builder.close()
    (strong,) = builder.finish().root.children
    assert [child.kind for child in strong.children] == ["em"]
    assert strong.children[0].children == []


def test_an_empty_element_is_none() -> None:
    builder = DocumentBuilder()
    builder.open("paragraph")
    builder.leaf("strong", "")
    builder.close()
    assert builder.finish().root.children == []


def test_ranges_know_what_a_cut_would_divide() -> None:
    ranges = Ranges()
    ranges.add(2, 5)
    ranges.add(7, 7)
    ranges.add(8, 10)
    assert [at for at in range(12) if ranges.holds(at)] == [2, 3, 4, 8, 9]
    assert [at for at in range(12) if ranges.around(at)] == [3, 4, 9]
    assert ranges.around(4) == (2, 5)


def test_plain_text_has_no_elements() -> None:
    document = plain_document("*a*")
    assert (document.text, document.root.children) == ("*a*", [])
    assert document.root.end == 3
