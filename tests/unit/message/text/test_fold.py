from __future__ import annotations

import pytest

from milter.message.text.confusables import looks_latin
from milter.message.text.fold import PLAIN, Disguise, disguise, latin_look, skeleton
from milter.message.text.forms import folded
from tests.support import icu


@pytest.mark.parametrize(
    "disguised",
    [
        "Viagra", "Ｖｉａｇｒａ", "𝐕𝐢𝐚𝐠𝐫𝐚", "ⓥⓘⓐⓖⓡⓐ", "Vіаgrа", "V\u200bi\u2060a\u00adg\ufeffra",
        "Víàgrâ", "v i a g r a", "V.I.A.G.R.A", "v-i-a-g-r-a", "v1agra", "vi@gra", "VıAGRA",
        "V\u0336i\u0336a\u0336g\u0336r\u0336a\u0336", "V\u0301\u0316i\u0347a\u0301gr\u033fa",
        "🅥🅘🅐🅖🅡🅐", "🆅🅸🅰🅶🆁🅰", "⒱⒤⒜⒢⒭⒜", "ᴠɪᴀɢʀᴀ", "ᏙᎥᎪᏀᎡᎪ", "\u202eargaiV\u202c",
        "🇻\u200b🇮\u200b🇦\u200b🇬\u200b🇷\u200b🇦",
        "ɐɹƃɐᴉʌ", "ɐɹɓɐıʌ", "v#i#a#g#r#a", "v•i•a•g•r•a", "v\u2800i\u2800a\u2800g\u2800r\u2800a",
    ],
)  # fmt: skip
def test_skeleton_of_every_disguise_is_the_word(disguised: str) -> None:
    assert skeleton(disguised) == "viagra"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("кpeдит", "кредит", id="latin-letters-in-a-russian-word"),
        pytest.param("ʎɐpoʇ ʎnq\nʍou 10 ʎɐd", "buy today pay 01 now", id="on-its-head"),
        pytest.param("say /ɹaɪt/ or /ɹɒŋ/, ɐ", "say /ɹait/ or /ɹɒŋ/, ɐ", id="phonetic"),
        pytest.param("ıssız sınır", "issiz sinir", id="turkish"),
        pytest.param("раураl", "paypal", id="russian-letters-in-a-latin-word"),
        pytest.param("Почта России", "почта россии", id="russian-stays-russian"),
        pytest.param("\u0392A\u039d\u039a", "bank", id="greek-capitals-in-a-latin-word"),
        pytest.param("\U0001d6a9A\U0001d6b4K", "bank", id="styled-greek-capitals"),
        pytest.param("加微信mm看TV用VIP", "加微信mm看tv用vip", id="latin-words-in-chinese"),
        pytest.param("VIP会員ページ", "vip会員ページ", id="latin-words-in-japanese"),
        pytest.param("ΕΛΛΑΔΑ", "ελλαδα", id="greek-capitals-stay-greek"),
        pytest.param("Ελλάδα", "ελλάδα", id="greek-stays-greek"),
        pytest.param("ﾊﾟｽﾜｰﾄﾞ", "パスワード", id="half-width-kana"),
        pytest.param("发＊票 代 开", "发票代开", id="signs-between-chinese-letters"),
        pytest.param("ラ・イ", "ラ・イ", id="the-dot-of-japanese"),
        pytest.param("حـــسـابـُك", "حسابك", id="arabic-made-longer"),
        pytest.param("您😀的😀账😀户", "您的账户", id="signs-between-all-chinese-letters"),
        pytest.param("苹果、香蕉、梨", "苹果、香蕉、梨", id="a-chinese-list"),
        pytest.param(
            "y o u r   a c c o u n t  i s  c l o s e d", "your account is closed", id="spaced-words"
        ),
        pytest.param(
            "y.o.u.r. .c.a.r.d. .i.s. .g.o.n.e", "your card is gone", id="words-with-signed-space"
        ),
        pytest.param("खा ता ब न द", "खाताबनद", id="hindi-spaced"),
        pytest.param("ёлка їжак", "ёлка їжак", id="marks-that-make-another-letter"),
        pytest.param("b33n 0nl1n3 b2c4", "been online b2c4", id="half-of-it-leet"),
        pytest.param("a b c", "a b c", id="three-letters"),
        pytest.param("one\r\n  two\u00a0three", "one two three", id="space"),
        pytest.param("پاس\u200cورد", "پاسورد", id="persian-without-its-joiner"),
        pytest.param("Straße", "strasse", id="sharp-s"),
        pytest.param("c0nfirm y0ur acc0unt", "confirm your account", id="leet"),
        pytest.param(
            "win32 mp3 h264 100mg 4u a1b2c3 us$5,6",
            "win32 mp3 h264 100mg 4u a1b2c3 us$5,6",
            id="words",
        ),
        pytest.param("U.S.A. e.g.", "u.s.a. e.g.", id="abbreviations"),
        pytest.param("http://a.b.c.d/x", "http://a.b.c.d/x", id="a-host-of-letters"),
    ],
)
def test_skeleton_keeps_what_is_no_disguise(text: str, expected: str) -> None:
    assert skeleton(text) == expected


def test_signs_at_the_ends_of_words_are_read_as_letters_where_some_are_meant() -> None:
    assert skeleton("cash$ pa$$word 0rder $ave win! mp3") == "cashs password order save win! mp3"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", PLAIN, id="ascii"),
        pytest.param("naïve Größe", PLAIN, id="accents"),
        pytest.param("我的同事A和mm在一起", PLAIN, id="latin-letters-in-chinese"),
        pytest.param("ถูกin และ HDจอ", PLAIN, id="latin-letters-in-thai"),
        pytest.param("vi\u200bag\u200dra", Disguise(cuts=2), id="cut"),
        pytest.param("Silben\u00adtrennung", PLAIN, id="soft-hyphens-are-for-people"),
        pytest.param("\u0645\u06cc\u200c\u0631\u0648\u0645", PLAIN, id="persian-needs-its-joiner"),
        pytest.param("👨\u200d👩\u200d👧 ok\u200b", PLAIN, id="emoji-and-ends-of-words"),
        pytest.param("Vіаgrа", Disguise(mixed_words=1), id="mixed"),
        pytest.param("Привет world", PLAIN, id="two-languages"),
        pytest.param("5μm WiFiдом", PLAIN, id="words-of-two-languages"),
        pytest.param("exe.\u202egpj", Disguise(overrides=1), id="override"),
    ],
)
def test_disguise_counts_what_hides_words(text: str, expected: Disguise) -> None:
    assert disguise(text) == expected


def test_skeleton_of_heaps_is_bounded() -> None:
    words = skeleton("v1agra " * 50_001).split()
    assert words == ["viagra"] * 50_000 + ["v1agra"]
    assert skeleton("Αa" + "ﷺ" * 1_001) == "aa"


def test_latin_look_of_a_whole_name_in_another_script() -> None:
    assert latin_look("раураl") == "paypal"


def test_table_of_look_alikes_is_that_of_unicode() -> None:
    if icu.library() is None:
        pytest.skip("ICU's library is not installed")
    if not icu.unicode_version().startswith("15.0"):
        pytest.skip(f"ICU has the data of Unicode {icu.unicode_version()}, the table that of 15.0")
    assert {ord(letter): looks for letter, looks in icu.made_table()} == looks_latin()


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        "a.",
        "1a",
        "@",
        "а",
        "aа",
        "\u200b",
        "é",
        "ﷺ",
        "a1",
        "- a",
        "\u202e",
        "\u202ea",
        "e\u0301\u0316",
        "的😀",
        "a. .",
        "न ",
        "a  b c ",
    ],
)
def test_skeleton_of_endless_pieces_ends(piece: str) -> None:
    text = piece * 100_000
    disguise(text)
    assert len(skeleton(text)) <= 20 * len(text)


@pytest.mark.parametrize("around", ["{}", "a{}b", "жи{}ть"])
def test_letters_of_a_skeleton_are_folded(around: str) -> None:
    # Patterns for this view are looked for without case (`policies.prefilter`).
    letters = [letter for letter in map(chr, range(0x80, 0x20000)) if letter.isalpha()]

    assert not [x for x in letters if set(folded(one := skeleton(around.format(x)))) - set(one)]


def test_letters_that_disguises_are_undone_to_have_no_case() -> None:
    looks = "".join(looks_latin().values())
    assert looks.casefold() == looks
