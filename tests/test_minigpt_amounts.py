import pytest

from minigpt.amounts import count, format_bytes, format_seconds, in_words


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (99_600, "100 kB"),
     (999_600, "1.0 MB"), (498e6, "498 MB"), (6.23e9, "6.2 GB"), (5e12, "5.0 TB"),
     (6.4e17, "640 PB"), (1e21, "1000000 PB")],
)  # fmt: skip
def test_bytes_are_written_as_a_person_reads_them(n, text):
    assert format_bytes(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (59.97, "1 min 00 s"), (60, "1 min 00 s"),
     (119.7, "2 min 00 s"), (3725.4, "1 h 02 min"),
     (3599.6, "1 h 00 min"), (200_000.0, "2.3 days"), (7e12, "221,969 years")],
)  # fmt: skip
def test_seconds_read_well(seconds, text):
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(7, "7"), (999, "1 thousand"), (2540, "2.5 thousand"), (462_336, "460 thousand"),
     (996_000, "1 million"), (2_198_976, "2.2 million"), (124_439_808, "120 million"),
     (1_557_611_200, "1.6 billion")],
)  # fmt: skip
def test_a_large_number_is_said_in_two_digits(n, text):
    assert in_words(n) == text


@pytest.mark.parametrize(
    ("words", "text"),
    [((0, "document"), "0 documents"), ((1, "document"), "1 document"),
     ((2000, "document"), "2,000 documents"), ((1, "copy", "copies"), "1 copy"),
     ((3, "copy", "copies"), "3 copies")],
)  # fmt: skip
def test_what_is_counted_is_of_the_right_number(words, text):
    assert count(*words) == text
