"""Files damaged at random, the same at each run of a seed, and what a reader may do with them: read them, or refuse them in one line."""

import copy
import io
import json
import random
import zipfile

import numpy as np
import pytest

from stress.errors import HostError, UserError

LONGEST_MESSAGE = 1000
ODD_VALUES = [
    *(None, True, False, 0, -1, 1, 1 << 63, -(1 << 63) - 1, 1 << 64, 1 << 300, 1e308, -0.5, "", "x", "4", "nan", "a\nb\x1b[2J", "é\u2028"),
    *("\ud800", "x" * 5000, [], {}, [None], [[]], {"": None}, {"x\ny": 1}),
]
ODD_TEXTS = ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "[" * 2000 + "]" * 2000, '{"a":' * 500 + "1" + "}" * 500, "'", ""]
ODD_WORDS = [
    "nan",
    "inf",
    "-1",
    "1e400",
    "9" * 5000,
    "0x" + "f" * 5000,
    '"x"',
    '"""',
    "[",
    "{}",
    "[[",
    "true",
    "1979-05-27",
    "=",
    "\0",
    "é",
    "",
]


def holders(value):
    """Every list and object that has something, the value itself included."""
    found, todo = [], [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict | list) and each:
            found.append(each)
            todo.extend(each.values() if isinstance(each, dict) else each)
    return found


def damaged_json(content, rng):
    """A JSON text with one to three mistakes: a null, another type, a missing or renamed key, a huge number, deep nesting."""
    value, unwritten = json.loads(content), None
    for _ in range(rng.randint(1, 3)):
        holder = rng.choice(holders(value) or [[0]])
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        action = rng.randrange(8)
        if action == 0:
            del holder[key]
        elif action == 1 and isinstance(holder, dict):
            holder[rng.choice(["", "x", f"{key}s", "é\n"])] = holder.pop(key)
        elif action == 2:
            holder[key] = [holder[key]]
        elif action == 3:
            holder[key] = {"x": holder[key]}
        elif action == 4 and isinstance(holder, list):
            holder.extend(copy.deepcopy(holder[:200]))
        elif action == 5 and isinstance(holder[key], dict | list):
            holder[key] = type(holder[key])()
        elif action == 6 and unwritten is None:
            holder[key], unwritten = "@", rng.choice(ODD_TEXTS)
        else:
            holder[key] = copy.deepcopy(rng.choice(ODD_VALUES))
    text = json.dumps(value)
    return (text if unwritten is None else text.replace('"@"', unwritten)).encode()


def damaged_bytes(content, rng):
    """Flipped bits, a truncation, a hole, a repetition, or bytes from elsewhere in the file."""
    damaged = bytearray(content)
    at, length = rng.randrange(len(content)), rng.randint(1, 64)
    action = rng.randrange(6)
    if action == 0:
        return bytes(damaged[:at])
    if action == 1:
        del damaged[at : at + length]
    elif action == 2:
        damaged[at:at] = damaged[at : at + length]
    elif action == 3:
        source = rng.randrange(len(content))
        damaged[at : at + length] = damaged[source : source + length]
    else:
        for _ in range(rng.choice((1, 1, 4, 32))):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def damaged_toml(content, rng):
    """A TOML text in which values, keys or lines are replaced, dropped or repeated; or damaged bytes."""
    if rng.random() < 0.3:
        return damaged_bytes(content, rng)
    lines = content.decode().splitlines()
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(lines))
        key, equals, _ = lines[at].partition("=")
        action = rng.randrange(4)
        if action == 0:
            lines.insert(rng.randrange(len(lines)), lines.pop(at))
        elif action == 1:
            lines[at] = f"{rng.choice(ODD_WORDS)} {lines[at]}"
        elif action == 2:
            lines.insert(at, lines[at].replace("_", "x"))
        else:
            lines[at] = f"{key}={rng.choice(ODD_WORDS)}" if equals else rng.choice(ODD_WORDS)
    return "\n".join(lines).encode()


def packed(**arrays):
    """The bytes of an archive."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def damaged_npz(content, rng):
    """An archive in which an array has another type, shape, length or values, or a header that lies; or damaged bytes."""
    arrays = dict(np.load(io.BytesIO(content)))
    name = rng.choice(sorted(arrays))
    values = np.asarray(arrays[name])
    action = rng.randrange(8)
    if action == 0:
        del arrays[name]
    elif action == 1:
        arrays[name] = values.astype(rng.choice(["U3", "O", "S2", *([] if values.dtype.kind == "U" else ["f8", "i1", "u8", "?", "c16"])]))
    elif action == 2:
        arrays[name] = values.reshape(-1)[: rng.randrange(4)]
    elif action == 3:
        arrays[name] = np.array(rng.choice([[[1]], 5, [[]], [1 << 62], [-1], ["{"], '{"a": ' * 900, "9" * 5000, "[1]"]))
    elif action == 4 and values.dtype.kind in "iu" and values.size:
        changed = values.copy().reshape(-1)
        changed[rng.randrange(values.size)] = np.iinfo(values.dtype).max if rng.random() < 0.5 else np.iinfo(values.dtype).min
        arrays[name] = changed
    elif action == 5:
        arrays[name] = np.concatenate([values.reshape(-1), values.reshape(-1)])
    elif action == 6:
        return lying_npz(arrays, name, rng)
    return packed(**arrays) if action < 7 else damaged_bytes(content, rng)


def lying_npz(arrays, liar, rng):
    """An archive in which the header of one array says another shape, type or nonsense."""
    shape = rng.choice(["(1099511627776,)", "(-1,)", "(4294967296, 4294967296)", "()", "(0,)", "(1.5,)", "((1,),)", "None", "(" * 300])
    descr = rng.choice(["'<i8'", "'|O'", "'<U999999999'", "[('a', '<i8')]", "'nonsense'", "7", "'|V1000000000'"])
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in arrays.items():
            plain = io.BytesIO()
            np.save(plain, values)
            content = plain.getvalue()
            if name == liar:
                content = b"\x93NUMPY" + rng.choice([b"\1\0", b"\2\0", b"\3\0", b"\7\0"]) + len(header).to_bytes(2, "little") + header
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def refusals(read, damage, contents, path, seed, count):
    """How many of `count` damaged files a reader refuses; each refusal is one line, and nothing else is ever raised.

    Parameters  contents: of valid files; damage: (one of them, random.Random) -> a damaged one
    """
    nr_refused = 0
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        path.write_bytes(damage(rng.choice(contents), rng))
        try:
            read(path)
        except (UserError, HostError) as error:
            nr_refused += 1
            said = str(error)
            if "\n" in said or not said or len(said) > LONGEST_MESSAGE + len(str(path)):
                pytest.fail(f"seed {seed}:{number}: not one line: {said[:2000]!r}")
        except Exception as error:  # it is what the test is about
            raise AssertionError(f"seed {seed}:{number}: {type(error).__name__}: {str(error)[:300]}") from error
    return nr_refused
