#!/usr/bin/env python3
"""Write all-MiniLM-L6-v2 as ONNX models and compute vectors to check them by.

    local-model.py models SOURCE OUT    all-MiniLM-L6-v2 and all-MiniLM-L6-v2-int8 below OUT
    local-model.py reference SOURCE OUT vectors of varied texts as JSON Lines

SOURCE is the package's folder with `model.safetensors` and the tokenizer's files. The vectors of
`reference` come from a forward pass in numpy that shares no line with the graph and does not use
ONNX Runtime, so that a mistake in either shows as a difference.
"""

import argparse
import json
import math
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

MAX_TOKENS = 256  # what sentence-transformers reads of a text, with its two markers
NAME = "all-MiniLM-L6-v2"
TOKENIZER_FILES = ["tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"]


def read_safetensors(path):
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, info in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__" and info["dtype"] == "F32":
            start, end = (8 + length + offset for offset in info["data_offsets"])
            tensors[name] = np.frombuffer(raw[start:end], "<f4").reshape(info["shape"])
    return tensors


# The graph.


class Graph:
    """Collects the nodes and weights of an ONNX graph."""

    def __init__(self, weights, config):
        self.weights, self.config, self.nodes, self.constants = weights, config, [], []

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

    def embedded(self, name, ids):
        return self.op("Gather", self.constant(self.weights[f"embeddings.{name}_embeddings.weight"]), ids)

    def linear(self, x, name):
        product = self.op("MatMul", x, self.constant(self.weights[f"{name}.weight"].T))
        return self.op("Add", product, self.constant(self.weights[f"{name}.bias"]))

    def normalized(self, x, name):
        scale, shift = (self.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", x, scale, shift, epsilon=self.config["layer_norm_eps"], axis=-1)

    def positions(self):
        """The first rows of the table, as many as there are tokens."""
        table = self.constant(self.weights["embeddings.position_embeddings.weight"])
        start = self.constant(np.array([0], np.int64))
        return self.op("Slice", table, start, self.op("Shape", "input_ids", start=1, end=2), start)

    def mask(self):
        """0 for a token and -10,000 for padding, for every head and every place that looks."""
        from onnx import TensorProto

        axes = self.constant(np.array([1, 2], np.int64))
        mask = self.op("Cast", self.op("Unsqueeze", "attention_mask", axes), to=TensorProto.FLOAT)
        away = self.op("Sub", self.constant(np.float32(1)), mask)
        return self.op("Mul", away, self.constant(np.float32(-10_000)))

    def attention(self, x, mask, layer):
        heads, width = self.config["num_attention_heads"], self.config["hidden_size"]
        split = self.constant(np.array([0, 0, heads, width // heads], np.int64))
        parts = []
        for part in ("query", "key", "value"):
            apart = self.op("Reshape", self.linear(x, f"{layer}.attention.self.{part}"), split)
            parts.append(self.op("Transpose", apart, perm=[0, 2, 3, 1] if part == "key" else [0, 2, 1, 3]))
        scale = self.constant(np.float32((heads / width) ** 0.5))
        scores = self.op("Mul", self.op("MatMul", parts[0], parts[1]), scale)
        shares = self.op("Softmax", self.op("Add", scores, mask), axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", shares, parts[2]), perm=[0, 2, 1, 3])
        joined = self.op("Reshape", mixed, self.constant(np.array([0, 0, width], np.int64)))
        return self.linear(joined, f"{layer}.attention.output.dense")

    def encoder(self):
        mask = self.mask()
        x = self.op("Add", self.embedded("word", "input_ids"), self.embedded("token_type", "token_type_ids"))
        x = self.op("Add", x, self.positions())
        x = self.normalized(x, "embeddings.LayerNorm")
        for number in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            seen = self.op("Add", self.attention(x, mask, layer), x)
            x = self.normalized(seen, f"{layer}.attention.output.LayerNorm")
            inner = self.op("Gelu", self.linear(x, f"{layer}.intermediate.dense"))
            outer = self.op("Add", self.linear(inner, f"{layer}.output.dense"), x)
            x = self.normalized(outer, f"{layer}.output.LayerNorm")
        self.op("Identity", x, output="last_hidden_state")

    def model(self):
        from onnx import TensorProto, checker, helper

        self.encoder()
        names, shape = ["input_ids", "attention_mask", "token_type_ids"], ["batch", "sequence"]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
        outputs = [
            helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, self.config["hidden_size"]])
        ]
        graph = helper.make_graph(self.nodes, NAME, inputs, outputs, self.constants)
        # `Gelu` came with 20; version 9 of the format belongs to that set.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
        checker.check_model(model)
        return model


def write_models(source, out):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    config = json.loads((source / "config.json").read_text("utf-8"))
    whole, small = out / NAME, out / f"{NAME}-int8"
    for folder in (whole, small):
        folder.mkdir(parents=True)
        for name in TOKENIZER_FILES:
            shutil.copyfile(source / name, folder / name)
    onnx.save(Graph(read_safetensors(source / "model.safetensors"), config).model(), whole / "model.onnx")
    quantize_dynamic(whole / "model.onnx", small / "model.onnx", weight_type=QuantType.QInt8, per_channel=True)


# The second implementation.

ERF = np.frompyfunc(math.erf, 1, 1)


class Reference:
    """The same network by hand: one text at a time, so that there is no padding and no mask."""

    def __init__(self, source):
        from tokenizers import Tokenizer

        self.weights = {
            name: value.astype(np.float64) for name, value in read_safetensors(source / "model.safetensors").items()
        }
        self.config = json.loads((source / "config.json").read_text("utf-8"))
        self.tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def normalized(self, x, name):
        centered = x - x.mean(axis=1, keepdims=True)
        deviation = np.sqrt((centered**2).mean(axis=1, keepdims=True) + self.config["layer_norm_eps"])
        return centered / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attention(self, x, layer):
        size = self.config["hidden_size"] // self.config["num_attention_heads"]
        query, key, value = (self.linear(x, f"{layer}.attention.self.{part}") for part in ("query", "key", "value"))
        heads = []
        for start in range(0, self.config["hidden_size"], size):
            head = slice(start, start + size)
            scores = query[:, head] @ key[:, head].T / math.sqrt(size)
            shares = np.exp(scores - scores.max(axis=1, keepdims=True))
            heads.append(shares / shares.sum(axis=1, keepdims=True) @ value[:, head])
        return self.linear(np.concatenate(heads, axis=1), f"{layer}.attention.output.dense")

    def hidden(self, ids):
        table = {name: self.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
        x = table["word"][ids] + table["position"][: len(ids)] + table["token_type"][0]
        x = self.normalized(x, "embeddings.LayerNorm")
        for number in range(self.config["num_hidden_layers"]):
            layer = f"encoder.layer.{number}"
            x = self.normalized(x + self.attention(x, layer), f"{layer}.attention.output.LayerNorm")
            inner = self.linear(x, f"{layer}.intermediate.dense")
            inner = inner * (1 + ERF(inner / math.sqrt(2)).astype(np.float64)) / 2
            x = self.normalized(x + self.linear(inner, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return x

    def row(self, text):
        ids = self.tokenizer.encode(text).ids
        markers = {self.tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]", "[UNK]")}
        row = {"text": text, "tokens": len(ids), "vector": None}
        if not markers.issuperset(ids):
            read = ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]
            vector = self.hidden(np.array(read)).mean(axis=0)
            row["vector"] = [round(float(value), 7) for value in vector / np.linalg.norm(vector)]
        return row


TEXTS = [
    "hello",
    "A man is playing a guitar on a street corner.",
    "Someone plays guitar outdoors.",
    "The stock market fell sharply on Monday.",
    "upbeat rock music for a long drive at night",
    "Dark, moody loop at 84 bpm with vinyl crackle",
    "CAPITALS and lower case are the same to this model",
    "don't, can't, won't; it's a dog's life",
    "3.14159 and 2,718.28 and 1/3 and 50 %",
    "https://example.org/path?query=value#part",
    "fn main() { let x: Vec<f32> = vec![0.0; 384]; }",
    "SELECT id, title FROM song WHERE bpm BETWEEN 80 AND 100 ORDER BY title",
    "Ünïcödé àccénts, naïve café, Björk, Motörhead, Sigur Rós",
    "U\u0308ni\u0308co\u0308de\u0301 in pieces",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "El rápido zorro marrón salta sobre el perro perezoso.",
    "Быстрая коричневая лиса",
    "素早い茶色の狐",
    "Wörter 混ざった with русский",
    "I love this song 🎸🔥 so much",
    "family 👨‍👩‍👧‍👦 and flag 🇮🇸",
    "🎸",
    "a tab\tand a line\nand a carriage return\r\nhere",
    "a zero width\u200bspace and a soft\u00adhyphen",
    "control \u0001 characters \u007f and \u0000 in the middle",
    "\u0000\u0001\u0002",
    "...",
    "?!",
    "a",
    "I",
    "",
    "   ",
    "\n\t\r\n",
    "[CLS] markers [SEP] in the text [MASK] are read as markers",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 150,
    "word " * 254,
    "word " * 255,
    "The history of recorded music is a history of formats, each of which promised to be the last. " * 20,
    "Ångström 🎧 naïve — “quotes” … and dashes – all over again; " * 40,
]


def write_reference(source, out):
    reference = Reference(source)
    lines = [json.dumps(reference.row(text), ensure_ascii=False) for text in TEXTS]
    out.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["models", "reference"])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    write = {"models": write_models, "reference": write_reference}[args.command]
    write(args.source, args.out)


if __name__ == "__main__":
    sys.exit(main())
