"""Parse a text of any wording into what it asks for: objects, motion, ground, time and camera."""

from dataclasses import dataclass, replace
from enum import StrEnum

from generator.foal.world.scenes import (
    COLOURS,
    MAX_OBJECTS,
    Camera,
    Ground,
    Material,
    Motion,
    Shape,
    Size,
    Time,
)
from generator.foal.world.vocabulary import (
    COUNTS,
    EDITING,
    MEANING,
    PAN_DIRECTIONS,
    PANNING,
    PLURALS,
    VOCABULARY,
    ZOOM_DIRECTIONS,
    ZOOMING,
)
from generator.foal.world.wording import NEGATION, ONE, TOO_MANY, Word, read_words

ARTICLES = frozenset("a an another the each every".split())
DEFINITE = frozenset("the this that these those its their it".split())
DETERMINERS = ARTICLES | DEFINITE
# Words before an adjective that describes what was named before: "a ball that is red".
PREDICATIVE = frozenset(
    (
        "is are was were be being becomes looks in of from coloured colored colour color painted "
        "both all"
    ).split()
)
UNITS = frozenset("s sec secs second seconds minute minutes fps frames m cm meters metres".split())
CAMERA_MOVES = frozenset("moves move moving pushes pulls dollies dolly goes tracks".split())
CAMERA_CLAUSE = 6  # words after "camera" or "pans" that may name its direction
ADJECTIVES = (Material, Size)
LOOKAHEAD = 5  # words between an adjective and its noun


@dataclass(frozen=True)
class ObjectRequest:
    """An object requested by a text; the colour is None if the text does not say."""

    shape: Shape
    colour: str | None
    material: Material = Material.PLAIN
    size: Size = Size.MEDIUM


@dataclass(frozen=True)
class Description:
    """What a text asks for (None or empty if it does not say), and its unknown words.

    Attributes:
        edit: the editing verb if the text is an instruction; `objects` is then empty, because the
            source determines what the clip shows.
        target: the object that an instruction names, if it names one.
        result: the colour, material or time of day that an instruction asks for.
    """

    objects: tuple[ObjectRequest, ...]
    motion: Motion | None
    ground: Ground | None
    time: Time | None
    unknown: tuple[str, ...]
    camera: Camera = Camera.STILL
    edit: str | None = None
    target: ObjectRequest | None = None
    result: str | None = None

    @property
    def in_world(self) -> bool:
        """Whether the text asks for any object of this world, so that a clip can be checked."""
        return bool(self.objects)


def parse_prompt(text: str) -> Description:
    """Parse a text of any wording; words and surplus objects are returned in `unknown`.

    An editing instruction requests no objects, since its source determines what the clip shows.
    """
    words = read_words(text)
    parser = _Parser(words)
    parser.run()
    described = parser.description()
    verb = next((word.known for word in words if is_content(word)), None)
    if verb in EDITING:
        return _as_instruction(described, verb, words)
    return described


def _as_instruction(described: Description, verb: str, words: list[Word]) -> Description:
    """Read a text that begins with an editing verb as an instruction, unless it is a caption."""
    nouns = [i for i, word in enumerate(words) if isinstance(_meaning(word), Shape)]
    after = words[nouns[0] + 1 :] if nouns else words
    results = [word for word in after if _is_result(word)]
    start = next(i for i, word in enumerate(words) if word.known == verb)
    follows = words[start + 1].text if start + 1 < len(words) else ""
    names_new = nouns and (follows in ("a", "an", "me", ONE) or follows in COUNTS)
    if verb == "make" and nouns and (names_new or (not results and described.motion)):
        return described  # "make a red ball bounce"
    target = described.objects[0] if len(described.objects) == 1 else None
    result = str(results[-1].known) if results else None
    read = [word.text for word in results]
    unknown = tuple(word for word in described.unknown if word not in read)
    return replace(described, objects=(), edit=verb, target=target, result=result, unknown=unknown)


def _is_result(word: Word) -> bool:
    return word.known in COLOURS or isinstance(_meaning(word), Material | Time)


def is_content(word: Word) -> bool:
    """Whether a word says something of the world or is an editing verb."""
    return word.known in (*COLOURS, *COUNTS, *EDITING) or _meaning(word) is not None


def _meaning(word: Word) -> StrEnum | None:
    return None if word.known is None else MEANING.get(word.known)


class _Parser:
    """Word by word parser: collects adjectives until the noun they describe."""

    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.objects: list[ObjectRequest] = []
        self.unknown: list[str] = []
        self.camera = Camera.STILL
        # Words of captions come before synonyms, whatever their order.
        self._said: dict[type[StrEnum], list[tuple[Word, StrEnum]]] = {}
        self._group = 0  # number of objects that the last noun named
        self._negated = False
        self._reset()

    def _reset(self) -> None:
        self._colours: list[str] = []
        self._count = 0
        self._definite = False
        self._material, self._size = Material.PLAIN, Size.MEDIUM

    def run(self) -> None:
        """Read all words."""
        for i in range(len(self.words)):
            self._feed(i)

    def description(self) -> Description:
        """What the words ask for."""
        motion, ground, time = (self._first(kind) for kind in (Motion, Ground, Time))
        if motion is Motion.COLLIDE and len(self.objects) == 1 and not self._is_exact(Motion):
            motion = Motion.BOUNCE  # one object hits the ground, and nothing else
        return Description(
            objects=tuple(self.objects[:MAX_OBJECTS]),
            motion=Motion(motion) if motion else None,
            ground=Ground(ground) if ground else None,
            time=Time(time) if time else None,
            unknown=tuple(self.unknown),
            camera=self.camera,
        )

    def _first(self, kind: type[StrEnum]) -> StrEnum | None:
        said = self._said.get(kind, [])
        exact = [meaning for word, meaning in said if word.exact]
        return next(iter(exact or [meaning for _, meaning in said]), None)

    def _is_exact(self, kind: type[StrEnum]) -> bool:
        return any(word.exact for word, _ in self._said.get(kind, []))

    def _feed(self, i: int) -> None:
        word = self.words[i]
        known, meaning = word.known, _meaning(word)
        if word.after_pause or word.text == "but":
            self._negated = False
        if known == NEGATION:
            self._negated = True
            self.unknown.append(word.text)
        elif known == ONE or known in COUNTS:
            self._read_number(i)
        elif word.text in DETERMINERS:
            if word.text in ARTICLES or not self._has_adjectives():
                self._reset()
                self._definite = word.text in DEFINITE
            if word.text not in VOCABULARY:
                self.unknown.append(word.text)
        elif self._negated and is_content(word):
            self._drop(word)
            # "no red cube": the adjectives before the noun are negated with it.
            self._negated = known in COLOURS or isinstance(meaning, ADJECTIVES)
        elif known in COLOURS or isinstance(meaning, ADJECTIVES):
            self._read_adjective(i)
        elif isinstance(meaning, Shape):
            self._add(word, meaning)
        elif meaning is not None:
            self._read_attribute(i, meaning)
        elif known in PAN_DIRECTIONS or known in ZOOM_DIRECTIONS:
            self._read_direction(i)
        elif known is None:
            self.unknown.append(word.text)

    def _has_adjectives(self) -> bool:
        is_plain = (self._material, self._size) == (Material.PLAIN, Size.MEDIUM)
        return bool(self._colours or self._count) or not is_plain

    def _drop(self, word: Word) -> None:
        if word.text not in self.unknown:
            self.unknown.append(word.text)

    def _before(self, i: int) -> str:
        return self.words[i - 1].text if i else ""

    def _read_number(self, i: int) -> None:
        word = self.words[i]
        if i + 1 < len(self.words) and self.words[i + 1].text in UNITS:
            return
        described = self._colours or self._before(i) in COLOURS
        if word.known == ONE and described and not word.after_pause:
            self._add_pronoun()  # "and a blue one"
            return
        if word.text in TOO_MANY:
            self._drop(word)
        if not self._leads_to_noun(i) and word.known != ONE:
            return  # of something else
        count = 1 if word.known == ONE else COUNTS[str(word.known)]
        self._reset()
        self._count = count

    def _leads_to_noun(self, i: int) -> bool:
        """Whether only adjectives and unknown words stand between a word and its noun."""
        for other in self.words[i + 1 : i + 1 + LOOKAHEAD]:
            meaning = _meaning(other)
            if isinstance(meaning, Shape):
                return True
            if other.known in COLOURS or isinstance(meaning, (*ADJECTIVES, Motion)):
                continue
            if other.text == ONE and not other.after_pause:
                return other is self.words[i + 1]  # "a red one"
            is_unknown = other.known is None and other.text not in PREDICATIVE | ARTICLES
            if not is_unknown and other.text not in ("and", "of", "dark"):
                return False
        return False

    def _read_adjective(self, i: int) -> None:
        word = self.words[i]
        known, meaning = str(word.known), _meaning(word)
        if self._leads_to_noun(i) and not self._is_predicative(i):
            if known in COLOURS:
                self._colours.append(known)
            elif isinstance(meaning, Material):
                self._material = meaning
            elif isinstance(meaning, Size):
                self._size = meaning
        elif not self._describe_last(i, known, meaning):
            self._drop(word)

    def _is_predicative(self, i: int) -> bool:
        """Whether "is red and a cube" describes what was named before, not the next noun."""
        following = self.words[i + 1].text if i + 1 < len(self.words) else ""
        return bool(
            self.objects
            and self._before(i) in ("is", "are", "was", "were")
            and (following == "and" or self.words[i + 1].after_pause)
        )

    def _describe_last(self, i: int, known: str, meaning: StrEnum | None) -> bool:
        """Give an adjective behind its noun to the objects named before; False if to none."""
        word, before = self.words[i], self._before(i)
        one = self._count == 1 or word.after_pause or before == "and"
        if not (before in PREDICATIVE or one) or not self.objects:
            return False
        start = len(self.objects) - (self._group if before in PREDICATIVE else len(self.objects))
        targets = range(max(0, start), len(self.objects))
        following = self.words[i + 1].text if i + 1 < len(self.words) else ""
        one = one or following == "and"
        if before in ("both", "all"):
            targets, one = range(len(self.objects)), False
        changed = False
        for index in targets:
            obj = self.objects[index]
            if known in COLOURS and obj.colour is None:
                self.objects[index] = replace(obj, colour=known)
            elif isinstance(meaning, Material) and obj.material == Material.PLAIN:
                self.objects[index] = replace(obj, material=meaning)
            elif isinstance(meaning, Size) and obj.size == Size.MEDIUM:
                self.objects[index] = replace(obj, size=meaning)
            else:
                continue
            changed = True
            if one:
                break
        self._count = 0
        return changed

    def _read_attribute(self, i: int, meaning: StrEnum) -> None:
        """A word for a motion, the ground or the time of day."""
        word = self.words[i]
        following = self.words[i + 1] if i + 1 < len(self.words) else None
        is_shade = (
            word.text == "dark"
            and following is not None
            and (following.known in COLOURS or isinstance(_meaning(following), Shape))
        )
        if is_shade or (isinstance(meaning, Motion) and self._before(i) == "camera"):
            self._drop(word)
            return
        self._said.setdefault(type(meaning), []).append((word, meaning))
        if isinstance(meaning, Ground | Time):
            self._colours, self._count = [], 0
            self._material, self._size = Material.PLAIN, Size.MEDIUM

    def _read_direction(self, i: int) -> None:
        word = self.words[i]
        clause = self.words[max(0, i - CAMERA_CLAUSE) : i]
        panning = any(other.known in PANNING for other in clause)
        verbs = [other for other in clause if other.known is not None or other.text in CAMERA_MOVES]
        before = verbs[-1] if verbs else None
        if word.known in PAN_DIRECTIONS:
            if panning:
                self.camera = PAN_DIRECTIONS[str(word.known)]
            else:
                self._drop(word)
        elif before is not None and (
            before.known in ZOOMING or (panning and before.text in CAMERA_MOVES)
        ):
            self.camera = ZOOM_DIRECTIONS[str(word.known)]

    def _add(self, word: Word, shape: Shape) -> None:
        colours: list[str | None] = list(self._colours) or [None]
        is_plural = word.known in PLURALS.values()
        if self._count == 1:
            colours = colours[:1]
        if self._definite and self._is_known(shape, colours, plural=is_plural):
            self._reset()
            return
        count = self._count or (2 if is_plural and len(colours) == 1 else len(colours))
        if count > len(colours):
            colours = (colours * count)[:count]
        self.objects += [
            ObjectRequest(shape, colour, self._material, self._size) for colour in colours
        ]
        self._group = len(colours)
        if len(self.objects) > MAX_OBJECTS:
            self.unknown.append(word.text)
        self._reset()

    def _is_known(self, shape: Shape, colours: list[str | None], *, plural: bool) -> bool:
        """Whether "the ball" is one that was named before; it may get its colour now."""
        for index, obj in enumerate(self.objects):
            if obj.shape == shape and (colours[0] in (None, obj.colour) or obj.colour is None):
                if not plural and colours[0] is not None:
                    self.objects[index] = replace(obj, colour=colours[0])
                return True
        return False

    def _add_pronoun(self) -> None:
        """Read "a blue one": an object without a colour gets it, or there is another like it."""
        if not self.objects:
            self._reset()
            return
        for colour in self._colours:
            for index, obj in enumerate(self.objects):
                if obj.colour is None:
                    self.objects[index] = replace(obj, colour=colour)
                    break
            else:
                last = self.objects[-1]
                self.objects.append(replace(last, colour=colour))
        self._reset()
