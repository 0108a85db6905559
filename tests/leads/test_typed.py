from leads.typed import LONGEST, plain


def test_keeps_what_a_database_takes():
    assert plain(" a\x00b\n\x00") == " ab\n"
    assert plain("é" * (LONGEST + 5)) == "é" * LONGEST
    assert plain("abcdef", 3) == "abc"
    assert plain("a\x00bcd", 3) == "abc"
    assert plain(None) == plain("") == ""
