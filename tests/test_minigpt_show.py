"""Completions on a terminal."""

from minigpt.completion import Piece
from minigpt.show import print_in_turn


def test_completions_are_printed_in_turn_however_they_end(capsys):
    pieces = [Piece(0, "a"), Piece(1, "b"), Piece(2, "c", None, "stop"), Piece(1, "", None, "stop")]
    print_in_turn("p", pieces, 3)
    assert capsys.readouterr().out == ""  # the first is not complete
    print_in_turn("p", [*pieces, Piece(0, "z", None, "length")], 3)
    said = capsys.readouterr().out
    assert said == "--- sample 1 ---\npaz\n--- sample 2 ---\npb\n--- sample 3 ---\npc\n"
