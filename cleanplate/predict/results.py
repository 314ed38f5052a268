"""One answer after the other, in order, from several threads; no bad file stops the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from cleanplate.predict.model import Model
from cleanplate.predict.person import Person
from cleanplate.predict.sources import Refused, Source, frames_of
from pipeline.dataset.safe_files import Unusable
from pipeline.io.photo import PhotoError
from pipeline.runtime.errors import first_line, printable

AHEAD = 3  # photos per thread that are begun before the first is asked for


@dataclass(frozen=True)
class Result:
    """What came of a photo or a frame: its people, or why it was refused."""

    image: str
    people: list[Person] = field(default_factory=list)
    refused: Refused | None = None


def results(
    model: Model, sources: Iterable[Source], *, every: int, most: int | None, threads: int
) -> Iterator[Result]:
    """The result of every photo, and of every so-manieth frame of every video, in order.

    Args:
        every: frames from one that is answered about to the next.
        most: at most so many people of each picture.
        threads: that answer at once.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result] | Source] = deque()
        for source in sources:
            one = source if source.is_video else pool.submit(_of_photo, model, source, most)
            waiting.append(one)
            if len(waiting) >= AHEAD * threads:
                yield from _finished(model, waiting.popleft(), every, most)
        while waiting:
            yield from _finished(model, waiting.popleft(), every, most)


def _finished(
    model: Model, waiting: Future[Result] | Source, every: int, most: int | None
) -> Iterator[Result]:
    if isinstance(waiting, Source):
        yield from _of_video(model, waiting, every, most)
    else:
        yield waiting.result()


def _of_photo(model: Model, source: Source, most: int | None) -> Result:
    if source.refused:
        return Result(source.image, refused=source.refused)
    return _safely(source.image, lambda: model.photo(source.read(), name=source.image, most=most))


def _of_video(model: Model, source: Source, every: int, most: int | None) -> Iterator[Result]:
    try:
        path = source.checked()
        if not path.is_file():
            raise Unusable("not a file", "name a video file")
        for number, frame in frames_of(path, every):
            name = f"{source.image}#{number}"
            yield _safely(name, lambda frame=frame, name=name: model(frame, name=name, most=most))
    except (Unusable, PhotoError) as e:
        yield Result(source.image, refused=Refused(e.reason, e.advice))
    except Exception as e:  # whatever a decoder of videos raises
        yield Result(source.image, refused=Refused(f"it cannot be read ({first_line(e)})", "convert it"))


def _safely(image: str, answer: Callable[[], list[Person]]) -> Result:
    try:
        return Result(image, answer())
    except (Unusable, PhotoError) as e:
        return Result(image, refused=Refused(e.reason, e.advice))
    except FileNotFoundError:
        return Result(image, refused=Refused("there is no such file", "name a file that exists"))
    except Exception as e:
        reason = f"nothing could be answered ({type(e).__name__}: {printable(first_line(e))})"
        return Result(image, refused=Refused(reason, "report this photo's kind, with --debug"))
