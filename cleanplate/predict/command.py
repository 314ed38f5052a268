"""`cleanplate predict`: reads its arguments with the standard library, so that it starts at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

ABOUT = """Answers who is in a photo: mask, gender, age group of each person, by an exported model.

A row per person: image, face (0 = the one whom the photo is about), the box x1, y1, x2, y2 in pixels of the
upright photo, status, mask, gender, age_group, class, and the calibrated probabilities p0 … p17. Status is
`found`; `implausible` where eyes and mouth do not lie in the box; `not_run` without a detector; `none` where
nobody was found and `refused` where a file is no usable photo, both without an answer. Nothing leaves this
machine."""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Begins as the help of the other commands does."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, "Usage: ")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"error: {message}\n  fix:     cleanplate predict --help", file=sys.stderr)
        sys.exit(2)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments of the command; ends the process where they are wrong, or after --help."""
    parser = _Parser(
        prog="cleanplate predict",
        usage="cleanplate predict PHOTO ... --model OUT [options]",
        description=ABOUT,
        formatter_class=_Formatter,
    )
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="photo, folder, pattern, video, or - for a photo on stdin"
    )
    parser.add_argument(
        "--model", required=True, metavar="OUT", help="folder that `cleanplate export OUT` wrote"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="a line of JSON per photo")
    kind.add_argument("--csv", action="store_true", help="a row of CSV per person")
    parser.add_argument(
        "--every", type=_positive, default=1, metavar="N", help="answer about every N-th frame of a video"
    )
    parser.add_argument(
        "--most", type=_positive, metavar="N", help="at most N people per photo; 1 takes face 0 alone, faster"
    )
    parser.add_argument(
        "--uncalibrated", action="store_true", help="probabilities as the stage `predict` writes them"
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=("auto", "openvino", "onnxruntime"),
        help="what runs the networks",
    )
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="photos answered at once (default: one per usable CPU)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(list(arguments))


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def main(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit code: 0, 1 where nothing could be answered, 130 interrupted."""
    from pipeline.runtime.terminal import print_in_any_encoding

    print_in_any_encoding()
    options = parse(arguments)
    try:
        return _answer(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stdout = None  # whoever read it has ended, e.g. `head`
        return 0
    except Exception as e:
        if options.debug:
            raise
        from pipeline.runtime.errors import format_error

        print(f"error: {format_error(e)}", file=sys.stderr)
        return 1


def _answer(options: argparse.Namespace) -> int:
    from cleanplate.predict import Model
    from cleanplate.predict.results import results
    from cleanplate.predict.sources import sources_of
    from cleanplate.predict.writing import writer_of
    from pipeline.runtime.cpus import usable_cpus
    from pipeline.runtime.errors import printable
    from pipeline.runtime.progress import say, track

    sources = sources_of(options.photos)
    model = Model.load(options.model, options.runtime)
    threads = min(options.threads or usable_cpus(), max(len(sources), 1))
    write = writer_of("json" if options.json else "csv" if options.csv else "text", not options.uncalibrated)
    found = results(model, sources, every=options.every, most=options.most, threads=threads)
    answered, refused = 0, 0
    for result in track(found, len(sources), "predict") if len(sources) > 1 else found:
        write(result)
        if result.refused:
            refused += 1
            reason = printable(result.refused.reason)
            say(f"predict: {printable(result.image)}: {reason}; {result.refused.fix}")
        else:
            answered += 1
    if refused:
        say(f"predict: {answered} answered, {refused} refused")
    return 0 if answered or not refused else 1
