"""Search finds what the shelf holds."""


def found(stranger, question):
    answer = stranger.ask("GET", "/api/search", params={"q": question})
    return [product["sku"] for product in answer.json()["results"]]


def test_words_are_found_in_names_and_texts(stranger):
    """Upper case and half words do not matter."""
    assert found(stranger, "GOOSE kettle") == ["kettle"]


def test_nothing_is_a_valid_answer(stranger):
    """A product we do not sell is not found."""
    assert found(stranger, "lawn mower") == []
