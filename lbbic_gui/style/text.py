"""Numbers and results as words for people."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale

MINUS = "−"
LEVELS = 8  # the rate points, quality 1…8


def tr(text: str) -> str:
    """Translate a string that belongs to no widget."""
    return QCoreApplication.translate("lbbic", text)


def quality_name(quality: float) -> str:
    """The usual purpose of a quality, by the nearest rate point."""
    names = (
        tr("Smallest"),
        tr("Preview"),
        tr("Web"),
        tr("Web"),
        tr("Share"),
        tr("Share"),
        tr("Keep"),
        tr("Best"),
    )
    return names[max(1, min(LEVELS, round(quality))) - 1]


def efforts() -> dict[str, str]:
    """The encoder's efforts with their names, fastest first."""
    return {"fast": tr("Fast"), "balanced": tr("Balanced"), "thorough": tr("Thorough")}


def tunes() -> dict[str, str]:
    """What the encoder aims at, with its names."""
    return {"psnr": tr("Measurements"), "visual": tr("Eyes")}


def seconds(value: float) -> str:
    """2 s, 4 min: a duration in one unit."""
    if value < 90:
        return tr("{} s").format(max(1, round(value)))
    return tr("{} min").format(round(value / 60))


def size(count: int) -> str:
    """2.4 MB, 310 kB, 512 bytes."""
    if count < 1000:
        return tr("{} bytes").format(count)
    kilobytes = count / 1000
    for unit, value in (("kB", kilobytes), ("MB", kilobytes / 1e3), ("GB", kilobytes / 1e6)):
        if value < 999.5 or unit == "GB":
            break
    digits = 0 if value >= 99.5 else 1
    return f"{QLocale().toString(value, 'f', digits)} {unit}"


def saving(before: int, after: int) -> str:
    """−87 % where the file shrank, +3 % where it grew; −100 % only if nothing is left."""
    if before == 0:
        return ""
    per_cent = abs(round(100 * (after - before) / before))
    if 0 < after < before:
        per_cent = min(per_cent, 99)
    return f"{MINUS if after < before else '+'}{QLocale().toString(per_cent)} %"


def saved(before: int, after: int) -> str:
    """2.1 MB smaller (−87 %)."""
    words = tr("{} smaller") if after < before else tr("{} larger")
    return f"{words.format(size(abs(before - after)))} ({saving(before, after)})"


def decibels(value: float | None) -> str:
    if value is None:
        return "–"
    return tr("identical") if value == float("inf") else f"{value:.2f} dB"


def similarity(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def look(score: float | None) -> str:
    """71.3 · high: a score of SSIMULACRA 2, in the words of its authors."""
    if score is None:
        return "–"
    names = ((90, tr("visually lossless")), (70, tr("high")), (50, tr("medium")), (30, tr("low")))
    word = next((name for limit, name in names if score >= limit), tr("very low"))
    return f"{QLocale().toString(score, 'f', 1)}  ·  {word}"


def progress(stage: str, share: float) -> str:
    """Encoding  29 %."""
    return tr("{}  {} %").format(stage, int(100 * share))


def duration(value: float) -> str:
    """The approximate time left."""
    return tr("{} left").format(seconds(value))


def count(number: int, one: str, many: str) -> str:
    return one if number == 1 else many.format(number)
