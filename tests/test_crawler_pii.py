"""Personal data is found and masked; numbers of reference text are left alone."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler import pii


@pytest.mark.parametrize(
    "text, masked",
    [
        ("Write to jo.bloggs+news@mail.example.co.uk, please.", "Write to <EMAIL>, please."),
        ("By Jo Bloggs <jo@bloggs.name>.", "By Jo Bloggs <EMAIL>."),
        ("mailto:jo@bloggs.name?subject=x", "mailto:<EMAIL>?subject=x"),
        ("Server 81.2.69.142 answered.", "Server <IP_ADDRESS> answered."),
        ("at 81.2.69.142:8080", "at <IP_ADDRESS>:8080"),
        ("from 2a00:1450:4009:80b::200e to", "from <IP_ADDRESS> to"),
        ("Call (212) 555-0123 now", "Call <PHONE> now"),
        ("212-555-0123, 212.555.0124", "<PHONE>, <PHONE>"),
        ("+44 20 7946 0958", "<PHONE>"),
        ("+49 (0)30 901820", "<PHONE>"),
        ("Tel: 030 901 820 11.", "Tel: <PHONE>."),
        ("call me at 0171 2345678", "call me at <PHONE>"),
        ("SSN 219-09-9998", "SSN <SSN>"),
        ("card 4012 8888 8888 1881 exp", "card <CARD> exp"),
        ("5105105105105100", "<CARD>"),
        ("3782 822463 10005", "<CARD>"),
        ("jo@site.xn--p1ai or JO@SITE.COM", "<EMAIL> or <EMAIL>"),
        ("<jo.o'neil-x@site.example.org>", "<EMAIL>"),
        ("server 2606:4700:bd65::cf11:6d6b: up", "server <IP_ADDRESS>: up"),
        ("His SSN is 219 09 9998.", "His SSN is <SSN>."),
        ("born 1969, 219 09 9998", "born 1969, 219 09 9998"),
        ("It is 219.09.9998, or 078 45 4602.", "It is <SSN>, or <SSN>."),
        (
            "SS# 219099998, Social Security number: 219 09 9998 12",
            "SS# <SSN>, Social Security number: <SSN> 12",
        ),
        ("Tel: 031 12 3456", "Tel: <PHONE>"),
        ("+1.2125550123", "<PHONE>"),
        ("jo@bloggs.name-, _jo@bloggs.name_, -jo@bloggs.name", "<EMAIL>-, <EMAIL>_, -<EMAIL>"),
        ("mailto:%20jo@bloggs.name, %3Cjo@bloggs.name%3E", "mailto:%20<EMAIL>, %3C<EMAIL>%3E"),
        ("81.2.69.0-81.2.69.142, 81.2.69.1-", "<IP_ADDRESS>-<IP_ADDRESS>, <IP_ADDRESS>-"),
        ("IBAN GB82 WEST 1234 5698 7654 32", "IBAN <IBAN>"),
        ("DE89370400440532013000", "<IBAN>"),
    ],
)
def test_personal_data_becomes_a_placeholder(text, masked):
    assert pii.mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "Python 3.11.7, numpy 1.26.4 and version 10.12.1.2 or v11.0.22.7, foo==12.3.4.5",
        "127.0.0.1, 192.168.1.10, 10.0.0.1, 0.0.0.0, 255.255.255.0, 192.0.2.1 and ::1",
        "1.2.3.4 and 300.300.300.300 and 1.3.6.1.4.1.311.2",
        "linux-81.2.69.142 and 81.2.69.142-rc1 and 81.2.69.142-5 and <b>81.2.69.142x",
        "the address 142.69.2.81.in-addr.arpa",
        "On 2024-01-15 at 12:30:45.123456, 15/01/2024, 1999-2003",
        "0x7f51b65a5b10 and 0xDEADBEEF, 4611686018427387904, 1234567890123456789",
        "3.14159265358979 and 2.718281828459045e-10 and 1_000_000_000",
        r"re.compile('\d{3}-\d{2}-\d{4}') and [0-9]{3}-[0-9]{4}",
        "@property and @dataclass.field and a@b and x @ y.T",
        "ISBN 978-3-16-148410-0 and ISSN 0378-5955",
        "a row of a matrix: 120 45 6789",
        "120 45 6789 3, 4 120 45 6789; order 120 45 6789; 219099998; version 219.09.9998.1",
        "000-12-3456 666-12-3456 900-12-3456 123-00-4567 123-45-0000 123-45-6789",
        "4012 8888 8888 1882",  # a wrong check digit
        "GB82 WEST 1234 5698 7654 33",
        "std::vector<int>, a::b::c, x[1:2], 10:20:30, fe80::1",
        "x@layer.weight, self@other.T, a@b.shape and h@w.reshape(3)",
        "y = x@w.to(device)",
        "git clone git@forge.example.org:tools/repo",
        "224.0.0.251 and ff02::fb",
        "doi:10.1234/5678.2019.05.123 and arXiv:1912.34567",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "GB82 WEST 1234 5698 7654 3",
        "XX82 WEST 1234 5698 7654 32",
        "219-09 9998 and 219-09.9998 and 987-65-4321",
        "timestamp 1612345678 and 2021-02-03 10:11:12",
        "Decimal('+1557.96930'), Decimal('+35236450.6')",
        "05.06.2019 14 h; fax: 2021-02-03; mobile 3.4.2021 - 5.4.2021",
        "git 2f5c1e8a9b3d4c6e7f8091a2b3c4d5e6f7081920",
        "rgb(255, 128, 000) and +000000120 and 100-200-3000",
        "'%(asctime)s:%(levelname)s' and {0:>10} and 1 + 2000 + 3000",
    ],
)
def test_reference_text_is_left_alone(text):
    assert pii.mask(text) == (text, {})


def test_counts_are_by_kind_and_spans_are_places_in_the_text():
    text = "jo@bloggs.name 219-09-9998 al@bloggs.name"
    assert pii.mask(text)[1] == {"email": 2, "ssn": 1}
    assert [text[start:end] for start, end, _ in pii.find(text)] == text.split()


@pytest.mark.parametrize("number", ["4012888888881881", "378282246310005", "6011111111111117"])
def test_luhn_knows_every_single_wrong_digit(number):
    assert pii.luhn(number)
    for i, digit in enumerate(number):
        wrong = number[:i] + str((int(digit) + 1) % 10) + number[i + 1 :]
        assert not pii.luhn(wrong)


soup = st.lists(
    st.one_of(
        st.text(alphabet="ab1259@.-+() :<>", max_size=12),
        st.sampled_from(
            [
                "jo@bloggs.name",
                "81.2.69.142",
                "212-555-0123",
                "219-09-9998",
                "Tel: ",
                "+44 20 ",
                "4012888888881881",
                "GB82WEST12345698765432",
                "2a00:1450:4009:80b::200e",
                "<EMAIL>",
            ]
        ),
        st.emails(),
    ),
    max_size=8,
).map("".join)


@given(soup)
@settings(suppress_health_check=[HealthCheck.too_slow])  # a first address takes long to draw
def test_masking_twice_changes_nothing(text):
    once, _ = pii.mask(text)
    assert pii.mask(once) == (once, {})


@given(st.from_regex(r"[a-z][a-z0-9.]{0,15}@[a-z]{1,10}\.(com|org|de)", fullmatch=True), st.text())
def test_no_email_is_left(address, around):
    masked, counts = pii.mask(f"{around} {address} {around}")
    assert address not in masked
    assert counts["email"] >= 1


@given(st.text(st.characters(exclude_characters="@", exclude_categories=["N"])))
def test_text_without_digits_and_at_signs_is_left_alone(text):
    assert pii.mask(text) == (text, {})


@given(soup)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_spans_are_in_order_and_apart(text):
    spans = pii.find(text)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize(
    "text", ["a@" * 50_000, "a." * 200_000 + "@", "1-" * 200_000, "<a" * 90_000]
)
def test_hostile_text_is_read_to_its_end(text):
    assert pii.mask(f"{text} jo@bloggs.name")[0].endswith("<EMAIL>")


@pytest.mark.parametrize("number", ["219-09-9998", "+1 212 555 0123", "jo@bloggs.name"])
def test_a_long_row_of_numbers_is_masked_in_one_pass(number, monkeypatch):
    monkeypatch.setattr(pii, "MAX_ROUNDS", 1)
    assert pii.mask(f"{number} " * 20_000)[1].total() == 20_000


def test_an_endless_domain_name_is_given_up():
    assert pii.find("x@" + "a." * 200_000 + "1") == []
