"""Markdown made by rule from a seed: headings, lists, tables, code. No meaning, but all that a page must show."""

import random
from functools import lru_cache

SENTENCES = (
    "A cache keeps the part of a prompt that did not change",
    "The order of the parts decides what can be reused",
    "Nothing is lost when a message is appended at the end",
    "A short prefix stays below the minimum and is simply read again",
    "Time matters as much as text, because an entry lives only so long",
    "Each turn can be priced from the tokens it read and wrote",
    "A stream that ends without its last event was cut",
    "What was measured is worth more than what was assumed",
    "The same question always gets the same simulated answer",
    "A small change early in the text costs more than a large one late",
    "Tools come first, then instructions, then the conversation",
    "Whoever reads this is looking at a stand-in and not at a model",
)
VOCABULARY = """the prompt cache stays warm while a reader waits and every turn adds a little more text to what was said
before so that cost follows length unless a prefix can be read again from where it was written a moment ago"""
WORDS = tuple(VOCABULARY.split())
CODE = (
    (
        "python",
        'def greet(name: str) -> str:\n    """Says hello."""\n    return f"Hello, {name}!"\n\n\nprint(greet("you"))',
    ),
    ("javascript", "const total = [1, 2, 3].reduce((sum, n) => sum + n, 0);\nconsole.log(`total: ${total}`);"),
    ("sql", "SELECT model, SUM(cached_tokens) AS cached\nFROM calls\nGROUP BY model\nORDER BY cached DESC;"),
    ("bash", 'for file in *.txt; do\n  printf "%s\\n" "$file"\ndone'),
    ("rust", 'fn main() {\n    let words = vec!["a", "b"];\n    println!("{}", words.join(" "));\n}'),
    ("html", '<p class="note">Tags & entities: &lt;b&gt; stays text.</p>'),
    ("json", '{"simulated": true, "tokens": {"input": 12, "output": 34}}'),
)
HEADINGS = ("In short", "How it works", "An example", "What to watch", "Step by step", "Next")


@lru_cache(maxsize=64)
def words(seed: int, count: int) -> str:
    """That many words, in sentences and paragraphs. Kept, because load tests ask for the same length again."""
    chosen = random.Random(seed).choices(WORDS, k=count)
    for at in range(11, count, 12):
        chosen[at] += "."
    for at in range(0, count, 12):
        chosen[at] = chosen[at].capitalize()
    paragraphs = (" ".join(chosen[at : at + 96]) for at in range(0, count, 96))
    return "\n\n".join(paragraphs)


def table(seed: int) -> str:
    """A table with alignment, inline code and an empty cell."""
    rng = random.Random(seed)
    rows = [
        f"| `{name}` | {rng.randint(1, 9_999):,} | {rng.choice(('yes', 'no', ''))} |"
        for name in rng.sample(("read", "write", "input", "output", "reasoning"), k=4)
    ]
    return "\n".join(["| Kind | Tokens | Cached |", "| :-- | --: | :-: |", *rows])


def code(seed: int) -> str:
    """Three fenced blocks in different languages."""
    rng = random.Random(seed)
    return "\n\n".join(f"In {language}:\n\n```{language}\n{text}\n```" for language, text in rng.sample(CODE, k=3))


def answer(seed: int, user_text: str, answer_words: int = 0) -> str:
    """An ordinary answer; about one in eight is long."""
    rng = random.Random(seed)
    wanted = answer_words or (rng.randint(300, 400) if rng.random() < 0.125 else rng.randint(60, 180))
    topic = " ".join(user_text.split()[:7]).replace("`", "'").replace("*", "") or "your message"
    parts = [f"You wrote about *{topic}*. {_sentences(rng, 2)}"]
    makers = [_list, _numbered, _table, _code, _quote, _links]
    rng.shuffle(makers)
    headings = rng.sample(HEADINGS, k=len(HEADINGS))
    turn = 0
    while _length(parts) < wanted:
        if turn < len(headings):
            parts.append(f"## {headings[turn]}")
        parts.append(_sentences(rng, rng.randint(2, 4)))
        if _length(parts) < wanted:
            parts.append(makers[turn % len(makers)](rng))
        turn += 1
    return "\n\n".join(parts)


def _length(parts: list[str]) -> int:
    return sum(len(part.split()) for part in parts)


def _sentences(rng: random.Random, count: int) -> str:
    chosen = rng.sample(SENTENCES, k=count)
    at = rng.randrange(count)
    chosen[at] = chosen[at].replace("cache", "**cache**").replace("prefix", "`prefix`")
    return ". ".join(chosen) + "."


def _list(rng: random.Random) -> str:
    return "\n".join(f"- {text}." for text in rng.sample(SENTENCES, k=3)) + f"\n  - nested: {rng.choice(WORDS)}"


def _numbered(rng: random.Random) -> str:
    return "\n".join(f"{at}. {text}." for at, text in enumerate(rng.sample(SENTENCES, k=3), 1))


def _table(rng: random.Random) -> str:
    return table(rng.randrange(1 << 30))


def _code(rng: random.Random) -> str:
    language, text = rng.choice(CODE)
    return f"```{language}\n{text}\n```"


def _quote(rng: random.Random) -> str:
    return f"> {rng.choice(SENTENCES)}."


def _links(rng: random.Random) -> str:
    return (
        f"See [an example page](https://example.com/{rng.choice(WORDS)}) and `simulate: stall` for trouble on request."
    )
