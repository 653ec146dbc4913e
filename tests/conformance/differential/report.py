"""What a person reads of a comparison."""
from .transcript import version_ranges


def print_differences(script, differences):
    shown = {}
    for one in differences:
        shown.setdefault((one.entry.title, one.entry.label, one.ours, one.kafkas, one.explanation), []).append(
            one.entry.version)
    for (title, label, ours, kafkas, explanation), versions in shown.items():
        print(f"{script.name} / {title} / v{version_ranges(versions)} {label}")
        if explanation:
            print(f"    explained: {explanation}")
        else:
            kafkas, ours = where_they_part(kafkas, ours)
            print(f"    kafka:  {kafkas}\n    moldau: {ours}")


def where_they_part(one, other, around=150, longest=1000):
    """Two long texts, cut to the part in which they differ and a little before and after it."""
    if len(one) + len(other) < longest:
        return one, other
    start = next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
    end = next((at for at, (a, b) in enumerate(zip(one[::-1], other[::-1])) if a != b), 0)
    end = min(end, len(one) - start, len(other) - start)

    def part(text):
        last = len(text) - max(end - around, 0)
        middle = text[max(start - around, 0):last]
        return middle if len(middle) < longest else f"{middle[:longest // 2]} ... {middle[-longest // 2:]}"

    return part(one), part(other)
