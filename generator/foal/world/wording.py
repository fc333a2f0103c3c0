"""People's words for the things of this world: one table, from their words to known ones.

`read_words` splits a text of any spelling into words and looks each up. It knows no grammar; that
is in `prompts`.
"""

import re
import unicodedata
from dataclasses import dataclass

from generator.foal.world.vocabulary import VOCABULARY

ONE = "one"  # a number that people write, and captions do not
NEGATION = "not"

# For each known word the base forms of verbs that mean the same.
_VERBS = {
    "bounce": "fall drop hop jump leap bob spring rebound ricochet plummet plunge tumble skip "
    "hover float fly",
    "roll": "spin trundle wheel topple",
    "slide": "glide skid slip skate drift skim scoot slither",
    "swing": "sway dangle hang oscillate suspend",
    "orbit": "circle revolve rotate whirl loop encircle",
    "collide": "crash hit bump smash strike clash bang meet",
    "zoom": "",
    "pan": "",
    "remove": "erase eliminate",
    "delete": "",
    "change": "convert transform switch replace set",
    "recolour": "recolor color colour dye tint",
    "paint": "repaint",
    "turn": "",
    "make": "",
}
_IRREGULAR = {
    "bounce": "fell fallen leapt sprang sprung dropping flew flown",
    "roll": "spun",
    "slide": "slid slidden",
    "swing": "swung hung pendulum pendulums",
    "collide": "struck collision collisions crashing",
    "make": "made",
}
_NOUNS = {  # and their plurals
    "ball": "sphere orb globe marble bead football basketball snowball beachball",
    "cube": "box block brick crate die square",
}
_PLURALS = {"balls": "", "cubes": "dice"}
_SAME = {  # words of one form
    ONE: "single 1 lone sole solitary",
    "two": "2 pair couple double 2x",
    "three": "3 trio triple triplet several many multiple few 3x",
    "red": "crimson scarlet ruby cherry reddish maroon vermilion",
    "orange": "tangerine amber apricot",
    "yellow": "golden gold lemon yellowish",
    "green": "emerald lime olive greenish",
    "blue": "navy azure cyan turquoise teal bluish cobalt sapphire indigo",
    "purple": "violet lilac lavender mauve plum magenta",
    "small": "tiny mini miniature petite wee smaller smallest minuscule",
    "large": "huge giant enormous massive gigantic oversized larger largest bigger biggest immense",
    "metal": "iron steel chrome aluminium aluminum brass copper metals",
    "wooden": "timber oak pine",
    "grass": "lawn lawns meadow meadows field fields garden park turf grassy pasture grassland",
    "sand": "beach beaches desert dune dunes sandy shore seaside sandbox sandpit",
    "ice": "icy frozen frost frosty snow snowy rink glacier",
    "day": "sun sunlight sunshine sunlit daytime noon midday morning afternoon dawn sunrise",
    "night": "darkness midnight nighttime moon moonlit moonshine evening dusk nightfall tonight "
    "starry darker nocturnal",
    NEGATION: "no without never neither nor cannot isnt doesnt dont",
}
# More than the world can show: as many as it can, and reported.
TOO_MANY = frozenset("four five six seven eight nine ten dozen dozens 4 5 6 7 8 9 10".split())
_PHRASES = {  # several words that mean something else together, or nothing that can be shown
    ("beach", "ball"): "ball",
    ("beach", "balls"): "balls",
    ("ice", "cube"): "cube",
    ("ice", "cubes"): "cubes",
    ("snow", "ball"): "ball",
    ("snow", "balls"): "balls",
    ("one", "by", "one"): "",
    ("one", "after", "another"): "",
    ("one", "another"): "",
    ("get", "rid", "of"): "remove",
    ("take", "away"): "remove",
    ("run", "into"): "collide",
    ("runs", "into"): "collide",
}
_VOWEL_CONSONANT = re.compile(r"[^aeiou]*[aeiou][^aeiouwxy]")
_TOKEN = re.compile(r"[^\W_]+(?:'[^\W_]+)?|[,;:.!?()\n]")
_POSSESSIVE = re.compile(r"'(s|re|ll|ve|d)$")


@dataclass(frozen=True)
class Word:
    """A word of a text.

    Attributes:
        text: as written, in lower case.
        known: the word of captions that means the same, `ONE` or `NEGATION`; None for any other.
        after_pause: whether a comma or another mark stands before it.
    """

    text: str
    known: str | None
    after_pause: bool = False

    @property
    def exact(self) -> bool:
        """Whether the word is one of captions itself, whose meaning comes first."""
        return self.text == self.known


def read_words(text: str) -> list[Word]:
    """Split a text of any spelling into words, and find what each of them means."""
    text = unicodedata.normalize("NFKC", text).replace("\u2019", "'").replace("\u02bc", "'")
    words: list[Word] = []
    pause = False
    tokens = [_POSSESSIVE.sub("", token) for token in _TOKEN.findall(text.casefold())]
    position = 0
    while position < len(tokens):
        token = tokens[position]
        length, known = _phrase_at(tokens, position)
        position += length
        if known is None and not token[0].isalnum():
            pause = True
            continue
        if known == "":
            words.append(Word(" ".join(tokens[position - length : position]), None, pause))
        else:
            token = token.replace("'", "") if known is None else known
            words.append(Word(token, known or _lookup(token), pause))
        pause = False
    return words


def _phrase_at(tokens: list[str], position: int) -> tuple[int, str | None]:
    for phrase, known in _PHRASES.items():
        if tuple(tokens[position : position + len(phrase)]) == phrase:
            return len(phrase), known
    return 1, None


def _lookup(token: str) -> str | None:
    if token in VOCABULARY or token in (ONE, NEGATION):
        return token
    if token in TOO_MANY:
        return "three"
    if token.endswith("nt") and token[:-2] in ("is", "does", "do", "are", "was", "did"):
        return NEGATION
    return SYNONYMS.get(token)


def _verb_forms(verb: str) -> list[str]:
    """The third person, past and present participle of a regular verb, and the verb itself."""
    third = f"{verb}es" if re.search(r"(s|x|z|ch|sh|o)$", verb) else f"{verb}s"
    if re.search(r"[^aeiou]y$", verb):
        return [verb, f"{verb[:-1]}ies", f"{verb[:-1]}ied", f"{verb}ing"]
    if verb.endswith("e"):
        return [verb, third, f"{verb}d", f"{verb[:-1]}ing"]
    stem = verb + verb[-1] if _VOWEL_CONSONANT.fullmatch(verb) else verb
    return [verb, third, f"{stem}ed", f"{stem}ing"]


def _plural(noun: str) -> str:
    return f"{noun}es" if re.search(r"(s|x|z|ch|sh)$", noun) else f"{noun}s"


def _synonyms() -> dict[str, str]:
    table: dict[str, str] = {}
    for known, verbs in _VERBS.items():
        table |= {form: known for verb in (known, *verbs.split()) for form in _verb_forms(verb)}
    for known, nouns in _NOUNS.items():
        table |= dict.fromkeys(nouns.split(), known)
        table |= {_plural(noun): f"{known}s" for noun in nouns.split()}
    for group in (_IRREGULAR, _PLURALS, _SAME):
        for known, words in group.items():
            table |= dict.fromkeys(words.split(), known)
    return {word: known for word, known in table.items() if word not in VOCABULARY}


SYNONYMS: dict[str, str] = _synonyms()
