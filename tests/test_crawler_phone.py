"""Telephone numbers of many countries are found, and numbers of other kinds are not."""

import pytest

from crawler.phone import phones


def found(text):
    return [text[start:end] for start, end in phones(text)]


@pytest.mark.parametrize(
    "number",
    [
        # North America
        "(212) 555-0123", "(212)555-0123", "212-555-0123", "212.555.0123", "212 555 0123",
        "212/555-0123", "1-212-555-0123", "+1 212 555 0123", "+1 (212) 555-0123", "+12125550123",
        "001-212-555-0123", "1.212.555.0123", "212-555-0123 x12", "(212) 555-0123 ext. 1234",
        # Britain, Germany, France, India, Australia, Switzerland, Sweden, Japan, Brazil
        "020 7946 0958", "(0161) 496 0958", "01632 960123", "07700 900123", "+44 20 7946 0958",
        "+44 (0)20 7946 0958", "0044 20 7946 0958", "030/901820", "030 901820", "0171-2345678",
        "+49 (0)30 901820", "+4930901820", "06 12 34 56 78", "06.12.34.56.78", "05-07-78-34-27",
        "+33 6 12 34 56 78", "+91 98765 43210", "+91-9876543210", "022-22334455", "(02) 5550 1234",
        "044 668 18 00", "+46 8 123 456 78", "+81 3-1234-5678", "+55 11 91234-5678",
    ],
)  # fmt: skip
def test_a_number_with_the_shape_of_a_phone_is_found(number):
    for text in (
        number,
        f"It is {number}.",
        f"Tel:{number}",
        f"({number})",
        f"{number}, or write",
        f"a\n{number}\nb",
    ):
        assert found(text) == [number]


@pytest.mark.parametrize(
    "text, number",
    [
        ("Phone: 2125550123", "2125550123"),
        ("Phone:2125550123", "2125550123"),
        ("phone 555-0123", "555-0123"),
        ("Tel. 555 01 23", "555 01 23"),
        ("please ring 07700900123 after six", "07700900123"),
        ("My number is 98765 43210.", "98765 43210"),
        ("WhatsApp 1784 5348469", "1784 5348469"),
        ("Order by phone: 2125550123", "2125550123"),
        ("In case of fire call 2125550123", "2125550123"),
    ],
)
def test_a_number_without_shape_needs_a_word(text, number):
    assert found(text) == [number]
    assert found(f"The sum was {number} in all") == []


@pytest.mark.parametrize(
    "text",
    [
        "call f(234, 5678) twice",
        "the call returned 4023456",
        "call 1234 of 5678 returned",
        "ISBN 978-3-16-148410-0",
        "Order no. 212-555-0123 shipped",
        "between 01.02.2019 and 05.06.2020, 2019-01-02, 01/02/2019 - 05/06/2020",
        "at 12:30:45, 3.141592653589 and 10.12.1.2",
        "10:212 555 0123 and a::212 555 0123",
        "lat 51.50735, lon -0.12776",
        "a row 100 200 300 4000 500",
        "bits 0110 1010 1110",
        "0x2125550123 and #2125550123",
        "$1,234,567.00 and 1,234,567,890",
        "100 + 200 + 3000 and x=212-555-0123",
        "uuid 550e8400-e29b-41d4-a716-446655440000",
        "+000000120 and 111-111-1111",
        "pages 1212-1219 and 1990-2003",
        "the fax of 2019",
    ],
)
def test_other_numbers_are_left_alone(text):
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "1 " * 100_000, "(1)" * 60_000, "+1-" * 60_000, "9" * 300_000,
        "3–58.8" * 60_000 + "A", "(1) " * 90_000 + "A",
    ],
)  # fmt: skip
def test_hostile_digits_are_read_to_their_end(text):
    assert found(f"{text}\n+44 20 7946 0958") == ["+44 20 7946 0958"]


def test_what_seems_an_extension_may_be_a_number():
    assert found("call 01# 002020 7946 0958") == ["002020 7946 0958"]
