#!/usr/bin/env python3
"""Writes the reference files of TokenizationTests from independent implementations.

    pip install tokenizers jinja2
    scripts/make-tokenizer-fixtures.py

random_reference.json: seeded random texts encoded by `tokenizers`, with the small tokenizer beside it as it is and
with changes laid over it (`patch`: keys of the file, or of its model). template_reference.json: templates rendered by
Jinja as `transformers` sets it up. Characters come from blocks that were filled before Unicode 14, so that no library's
age shows.
"""
import copy
import json
import pathlib
import random

import jinja2.ext
import jinja2.sandbox
import tokenizers

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "Tests/TokenizationTests/Fixtures"

BLOCKS = [
    (0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0x30, 0x39), (0x09, 0x0D), (0x00, 0x1F), (0x7F, 0xFF),
    (0x100, 0x17F), (0x300, 0x36F), (0x391, 0x3C9), (0x410, 0x44F), (0x5D0, 0x5EA), (0x627, 0x64A), (0x660, 0x669),
    (0x905, 0x94D), (0xE01, 0xE3A), (0x1100, 0x11FF), (0x180B, 0x180E), (0x2000, 0x206F), (0x2150, 0x218B),
    (0x20A0, 0x20BF), (0x2200, 0x22FF), (0x3000, 0x303F), (0x3041, 0x30FF), (0x3400, 0x3410), (0x4E00, 0x9FFF),
    (0x9FA0, 0x9FB0), (0xAC00, 0xD7A3), (0xE000, 0xE010), (0xFE00, 0xFE0F), (0xFF00, 0xFF60), (0xFFFE, 0xFFFF),
    (0x10330, 0x10340), (0x1D400, 0x1D7FF), (0x1F300, 0x1F64F), (0x1F1E6, 0x1F1FF), (0x20000, 0x20100),
    (0x50000, 0x50010), (0xE0100, 0xE0110), (0xF0000, 0xF0010), (0x10FFF0, 0x10FFFF),
]
SNIPPETS = [
    "  ", "   \n", "\r\n", "\n\n", "\t ", " \u00a0", "\u200d", "\ufe0f", "👩\u200d👩\u200d👧", "🏳️\u200d🌈", "e\u0301",
    "12345", "don't", "=> ",
    "<think>", "</think>", "<｜User｜>", "<｜end▁of▁sentence｜>", "<｜tool▁calls▁begin｜>", "<｜User", "｜>",
    "<|EOT|>", "深度", "foo_bar(",
    "Hello", " world", "...", "\u2028", "\u0085", "\u180e", "\u3000", "ﬁ", "ß", "K",
]


def random_text(source):
    parts = []
    for _ in range(source.randint(1, 24)):
        if source.random() < 0.35:
            parts.append(source.choice(SNIPPETS))
        else:
            low, high = source.choice(BLOCKS)
            parts.append("".join(chr(source.randint(low, high)) for _ in range(source.randint(1, 4))))
    return "".join(parts)


def split(expression):
    return {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def pre_tokenizer(*steps):
    return {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [*steps, BYTE_LEVEL]}}


def added(identifier, content, normalized):
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": normalized, "special": False}
    return {"id": identifier, "content": content, **flags}


def variants(tokenizer):
    merges = [merge.split(" ") for merge in tokenizer["model"]["merges"]]
    overlapping = [added(1900, "qzj", True), added(1901, "zjw", False), added(1902, "qzjwx", True),
                   added(1903, "qz", True), added(1904, " x", True), added(1905, "的", False)]
    return [
        ("as published", {}, 100, ""),
        ("merges as pairs", {"model": {"merges": merges}}, 20, ""),
        ("whole pieces before merges", {"model": {"ignore_merges": True}}, 40, ""),
        ("overlapping added tokens", {"added_tokens": tokenizer["added_tokens"][:3] + overlapping}, 40, "qzjwx 的"),
        ("digits one by one, ends of lines", pre_tokenizer(
            split("[\r\n]"), split("\\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+"), split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            split("\\s+$"), split("[一-龥ࠀ-一가-퟿]+"), {"type": "Digits", "individual_digits": True}), 60, ""),
        ("runs of digits, empty matches", pre_tokenizer(
            {"type": "Digits", "individual_digits": False}, split("a*|(?<=b)c"), split("(?=\\p{Lu})")), 40, "aabcA"),
    ]


def patched(tokenizer, patch):
    changed = copy.deepcopy(tokenizer)
    for key, value in patch.items():
        if key == "model":
            changed["model"].update(value)
        else:
            changed[key] = value
    return changed


def random_reference():
    tokenizer = json.loads((FIXTURES / "tokenizer.json").read_text(encoding="utf-8"))
    source = random.Random(20250120)
    entries = []
    for name, patch, count, letters in variants(tokenizer):
        library = tokenizers.Tokenizer.from_str(json.dumps(patched(tokenizer, patch)))
        cases = []
        for _ in range(count):
            text = random_text(source)
            if letters:
                text += "".join(source.choice(letters) for _ in range(20))
            cases.append({"text": text, "ids": library.encode(text, add_special_tokens=False).ids})
        entries.append({"name": name, "patch": patch if name != "merges as pairs" else None, "cases": cases})
    return entries


TEMPLATES = [
    ("outputs",
     "{{ 'a' + \"b\" }}|{{ 1 + 2 - 4 }}|{{ 'a' ~ 1 ~ none ~ true }}|{{ missing }}|{{ -3 }}"
     "|{{ '\\n\\t\\u00e9\\\\' }}"),
    ("white space",
     "  {% if true %}  \n  x\n  {%- endif -%}  \n\n y {{- ' z ' -}}"
     "  w\n{# gone #}\n   {# gone too -#}  \n v\n\n"),
    ("kept white space", "  {%+ if true %} a\n  {%- else +%}\n b\n{% endif +%}\n c\n  {{ 'd' }}\n"),
    ("indented blocks",
     "x\n    {% for m in messages %}\n    {{ m.role }}\n    {% endfor %}\n{% set a = 1 %}   {% set b = 2 %}"
     " y\n"),
    ("choices",
     "{% for m in messages %}{% if m.role == 'user' %}U{% elif m['role'] == 'system' %}S{% else %}"
     "A{% endif %}{% endfor %}"),
    ("loops",
     "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}"
     "{{ loop.length }}{{ loop.revindex }}{% if not loop.last %}, {% endif %}{% endfor %}{% for x in [] %}"
     "x{% else %}none{% endfor %}"),
    ("loops with a condition",
     "{% for m in messages if m.role != 'system' %}{{ loop.index }}{{ m.content }};{% endfor %}"),
    ("pairs in loops", "{% for k, v in {'b': 1, 'a': [2]}.items() %}{{ k }}={{ v | tojson }};{% endfor %}"),
    ("scopes",
     "{% set x = 1 %}{% for m in messages %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}{% if true %}"
     "{% set x = 9 %}{% endif %}{{ x }}"),
    ("namespaces",
     "{% set ns = namespace(n=0, text='') %}{% for m in messages %}{% set ns.n = ns.n + 1 %}"
     "{% set ns.text = ns.text + m['content'][0] %}{% endfor %}{{ ns.n }}{{ ns.text }}"
     "{{ ns.other is defined }}"),
    ("tests",
     "{{ missing is defined }}{{ messages is defined }}{{ not missing is defined }}"
     "{{ missing is not defined }}{{ none is none }}{{ 'a' is string }}{{ 1 is string }}{{ {} is mapping }}"
     "{{ [] is sequence }}{{ true is boolean }}"
     "{{ messages[0].tool_calls is defined and messages[0].tool_calls is not none }}{{ 1 is number }}"
     "{{ false is false }}"),
    ("logic",
     "{{ true and false }}{{ '' or 'b' }}{{ 'a' and 'b' }}{{ not 0 }}{{ 1 if false else 2 }}"
     "{{ 'x' if true }}{{ 'y' if false }}{{ 1 == 1 and 2 > 1 or false }}{{ not true or true }}"
     "{{ 'a' if [] else 'b' if {} else 'c' }}"),
    ("comparisons",
     "{{ 1 < 2 }}{{ 2 <= 1 }}{{ 'a' < 'b' }}{{ 'B' >= 'a' }}{{ 1 == true }}{{ 'a' == 1 }}{{ none != false }}"
     "{{ [1, 'a'] == [1, 'a'] }}"),
    ("membership",
     "{{ 'a' in 'cat' }}{{ 'role' in messages[0] }}{{ 'x' not in messages[0] }}{{ 2 in [1, 2] }}"
     "{{ '' in 'a' }}{{ 'x' in missing }}"),
    ("look-alikes",
     "{{ 'e\u0301' == '\xe9' }}{{ '\xe9' in 'e\u0301' }}{{ '</think>' in 'a</think>\u0301b' }}"
     "{{ 'a</think>\u0301b'.split('</think>')[-1] }}{{ 'e\u0301x' | length }}{{ '🏳️\u200d🌈'[0] }}"),
    ("slices",
     "{{ messages[1:] | length }}{{ messages[:-1] | length }}{{ 'abcdef'[1:3] }}{{ 'abcdef'[-2:] }}"
     "{{ 'abc'[5:] }}{{ 'abc'[2:1] }}{{ messages[-1].content }}{{ messages[9] is defined }}"
     "{{ messages[1:3][0].role }}"),
    ("strings",
     "[{{ '  a b '.strip() }}][{{ ' a '.lstrip() }}][{{ ' a '.rstrip() }}][{{ 'xxaxx'.strip('x') }}"
     "][{{ ' a ' | trim }}]{{ 'a,b,c'.split(',') | tojson }}{{ 'a,b,c'.split(',', 1)[1] }}"
     "{{ ' a  b '.split() | join('-') }}{{ 'ab'.startswith('a') }}{{ 'ab'.endswith('a') }}{{ 'aB'.upper() }}"
     "{{ 'aB' | lower }}{{ 'a' 'b' }}{{ 'a-b-c'.split('-')[-1] }}"),
    ("filters",
     "{{ [1, 2] | length }}{{ [3, 4] | first }}{{ [3, 4] | last }}{{ missing | default('d') }}"
     "{{ 'v' | default('d') }}{{ [1, 2] | join(', ') }}{{ 5 | string + 'x' }}{{ 'x' + 'y' | upper }}"),
    ("JSON",
     "{{ messages | tojson }}{{ {'z': 1, 'a': [true, none, \"q\\\"\\\\\"]} | tojson }}"
     "{{ 'tab\\t\x01\x7f\xe9<>&' | tojson }}"),
    ("mappings",
     "{{ messages[0].get('role') }}{{ messages[0].get('x') }}{{ messages[0].get('x', 'y') }}"
     "{{ {'a': {'b': 'c'}}.a.b }}{{ 1 if true else messages[0].x.y }}"),
    ("comments", "a{# {{ 'b' }} {% if %} #}c{#- d -#} e"),
    ("braces in strings",
     "{{ '}}' }}{{ '%}' + \"{{\" }}{% if '%}' == '%}' %}y{% endif %}{{ {'a': {'b': 1}}['a']['b'] }}"),
    ("line ends", "a\r\nb{% if true %}\r\nc{% endif %}\rd\r\n"),
    ("error: undefined field", "{{ missing.field }}"),
    ("error: adding none", "{{ 'a' + none }}"),
    ("error: adding undefined", "{{ 'a' + missing }}"),
    ("error: refused", "{{ raise_exception('no') }}"),
    ("error: unclosed block", "{% if true %}a"),
    ("error: unclosed tag", "{{ 'a' "),
    ("error: unknown statement", "{% frobnicate %}"),
    ("error: unknown filter", "{{ 1 | frobnicate }}"),
]

MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Wie spät? 几点?"},
    {"role": "assistant", "content": "Noon </think> x"},
]


def environment():
    def refuse(message):
        raise jinja2.exceptions.TemplateError(message)

    made = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    made.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    made.globals["raise_exception"] = refuse
    return made


def template_reference():
    entries = []
    for name, source in TEMPLATES:
        try:
            text = environment().from_string(source).render(messages=MESSAGES)
        except (jinja2.exceptions.TemplateError, TypeError) as error:
            assert name.startswith("error:"), (name, error)
            text = None
        assert (text is None) == name.startswith("error:"), name
        entries.append({"name": name, "source": source, "text": text})
    return {"messages": MESSAGES, "templates": entries}


def write(name, value):
    text = json.dumps(value, ensure_ascii=True).replace('{"text": ', '\n{"text": ').replace('{"name": ', '\n{"name": ')
    (FIXTURES / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write("random_reference.json", random_reference())
    write("template_reference.json", template_reference())
